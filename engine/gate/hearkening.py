"""Does what other programs ask for on the seeds' channels, as the operator that the configuration names; only with `redis.listen`.

Owner: nobody of state; one message at a time, at most MESSAGES_A_SECOND. A message that comes while nobody listens is lost; one that was taken
is noted on the server before it is acted on, so that it is done at most once, by whichever engine.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from typing import Any

import msgspec

from engine.clock import Clock
from engine.gate.mirroring import Told
from engine.model import wire
from engine.model.errors import CommandRefused, FleetError, RedisAway, RedisRefused, UsageError
from engine.model.events import Audited
from engine.model.plans import AuditEntry, Call, Origin
from engine.model.pool_commands import PausePool, ScalePool, UnpausePool
from engine.model.swarm_commands import GiveObjective, SendMessage
from engine.model.task_commands import CancelTask, SubmitTask
from engine.model.verbs import Command, Role
from engine.redis.link import RedisLink

logger = logging.getLogger(__name__)

VERBS: dict[str, tuple[type[Command], ...]] = {
    "tasks:queue": (SubmitTask, CancelTask),
    "swarm:coordination": (GiveObjective, SendMessage),
    "fleet:scaling": (ScalePool,),
    "fleet:coordination": (PausePool, UnpausePool),
}
"""Channel -> what can be asked for on it; the message's type is the verb's name, its payload the verb's arguments.

None of these channels may carry messages whose type somebody else chooses, such as those of swarms: an agent would act as the operator.
"""

MESSAGES_A_SECOND = 20
MESSAGE_MAX = 64 * 1024
REMEMBERED_S = 86_400
"""How long the id of a message is known."""
LOOK_S = 0.5
AGAIN_S = 1.0
VIA = "redis"
_ID = re.compile(r"[\w.:-]{1,128}")


class Asked(msgspec.Struct, frozen=True):
    """What is read of a CoordinationMessage."""

    id: str
    type: str
    source: str
    payload: dict[str, Any]
    timestamp: float
    metadata: dict[str, Any] = {}

    @property
    def expires_at(self) -> float:
        """Return when it is of no use any more, in seconds; 0 = never. Raises UsageError."""
        ttl = self.metadata.get("ttl", 0)
        if isinstance(ttl, bool) or not isinstance(ttl, int | float):
            raise UsageError("metadata.ttl is not a number of milliseconds")
        return (self.timestamp + ttl) / 1000 if ttl else 0.0


class Hearkening:
    """Listens, and acts."""

    def __init__(self, link: RedisLink, told: Told, roles: Mapping[str, Role], clock: Clock) -> None:
        self._link, self._told, self._clock = link, told, clock
        section = link.section
        self._prefix = section.prefix
        self._origin = Origin(section.operator, VIA, "", roles[section.operator])

    async def run(self) -> None:
        """Listen until cancelled."""
        told = ""
        while True:
            try:
                await self._listen()
            except RedisAway as error:
                logger.info("programs cannot ask by redis", extra={"reason": str(error)})
            except RedisRefused as error:
                if told != str(error):
                    told = str(error)
                    logger.warning("programs cannot ask by redis", extra={"reason": told})
            await self._clock.sleep(AGAIN_S)

    async def _listen(self) -> None:
        """Raises RedisAway, RedisRefused."""
        async with self._link.using() as client, client.pubsub(ignore_subscribe_messages=True) as channels:
            await channels.subscribe(*(self._prefix + channel for channel in VERBS))
            while True:
                found = await channels.get_message(timeout=LOOK_S)
                if found is None:
                    continue
                channel = found["channel"]
                name = channel.decode() if isinstance(channel, bytes) else channel
                if await self.take(name.removeprefix(self._prefix), found["data"]):
                    await self._clock.sleep(1 / MESSAGES_A_SECOND)

    async def take(self, channel: str, data: bytes) -> bool:
        """Do what a message asks for; answer whether it asked for anything. Raises RedisAway, RedisRefused."""
        asked = _read(data)
        kind = next((verb for verb in VERBS[channel] if asked is not None and verb.name == asked.type), None)
        if asked is None or kind is None:
            return False
        if not _ID.fullmatch(asked.id):
            await self._refuse(asked, "its id is not 1 to 128 letters, digits and _.:-")
        elif await self._is_new(asked.id):
            await self._act(asked, len(data))
        return True

    async def _is_new(self, id_: str) -> bool:
        noted = await self._link.command("SET", f"{self._prefix}fleet:taken:{id_}", self._told.engine, "NX", "EX", REMEMBERED_S)
        return noted is not None

    async def _act(self, asked: Asked, size: int) -> None:
        try:
            if size > MESSAGE_MAX:
                raise UsageError(f"the message has {size} bytes, the most is {MESSAGE_MAX}")
            if 0 < asked.expires_at < self._clock.now():
                raise UsageError("the message has expired")
            command = wire.command_of(Call(asked.type, asked.payload))
        except FleetError as error:
            await self._refuse(asked, str(error))
            return
        try:
            await self._told.operator(self._origin).execute([command], reason=f"message {asked.id} of {asked.source[:80]}")
        except FleetError as error:  # the gate has it in the audit
            logger.warning("what a program asked for by redis is refused", extra={"asked": asked.id, "reason": str(error)})

    async def _refuse(self, asked: Asked, why: str) -> None:
        entry = AuditEntry(self._clock.now(), self._origin.who, VIA, "", asked.type, asked.type, f"message {asked.id[:128]} of {asked.source[:80]}", why)
        try:
            await self._told.coordinator.record([Audited(entry)], self._origin)
        except CommandRefused:
            logger.warning("what a program asked for by redis is refused", extra={"asked": asked.id[:128], "reason": why})


def _read(data: bytes) -> Asked | None:
    """Return a message; None for what is none: other programs may say anything on a channel."""
    try:
        return msgspec.json.decode(data, type=Asked)
    except (msgspec.DecodeError, msgspec.ValidationError, RecursionError):
        return None
