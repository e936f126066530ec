"""Tells other programs of the fleet through Redis, by the seeds' channels and state keys. Imported only with the section redis.

Owner: `Mirror`, of what is still to be told: at most RECORDS_MAX records, and the names of things that changed. Nothing waits for it:
messages that Redis does not take at once are lost and counted; keys are conflated, and written again when the server has lost them.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any

from engine.clock import Clock
from engine.gate import seed_channels, seed_keys
from engine.gate.mirroring import Told
from engine.model import wire
from engine.model.errors import JournalError, RedisAway, RedisRefused
from engine.model.events import Record
from engine.model.ids import TaskId
from engine.model.memory_events import MemoryChanged, MemoryPurged
from engine.model.swarm_mail import CoordinationMessage, seed_form
from engine.model.tasks import FINISHED
from engine.monitoring.topics import Topic
from engine.redis.link import RedisLink
from engine.state import FleetState, Touched

logger = logging.getLogger(__name__)

ROUND_S = 1.0
"""How often keys are written; what changes in between is written once."""
PAUSE_S = 0.1
"""Between two batches of messages."""
BATCH = 200
"""Messages, or keys' commands, in one pipeline."""
RECORDS_MAX = 2_000
THINGS_A_ROUND = 250
WAITING_MAX = 20_000
MESSAGE_MAX = 256 * 1024
"""Bytes; of a larger message the payload is left out, with its size."""
LIVES_S = 3_600
"""How long a key outlives its last writing: what an engine that died has left."""
FINISHED_LIVES_S = 600
"""The same for tasks that have ended: of them there are ever more."""
RENEWED_S = LIVES_S / 3
METRICS_LIVE_S = 86_400
COUNTED_S = 10.0
"""How often it is counted, at most, how much agents remember."""

_OWNED = "SELECT owner_id, count(*), coalesce(sum(size), 0) FROM memory WHERE deleted = 0 GROUP BY owner_id"
Words = tuple[str | bytes | int, ...]


class Mirror:
    """What other programs see of the fleet in Redis, as long as this engine leads."""

    def __init__(self, link: RedisLink, told: Told, clock: Clock) -> None:
        self._link, self._told, self._clock = link, told, clock
        self._prefix = link.section.prefix
        self._records: deque[Record] = deque(maxlen=RECORDS_MAX)
        self._news = asyncio.Event()
        self._touched = Touched()
        self._waiting: dict[tuple[str, str], None] = {}
        self._owned: Mapping[str, tuple[int, int]] = {}
        self._remembers = True
        self._counted_at = -COUNTED_S
        self._all = True
        self._renewed_at = 0.0
        self._refusal = ""
        """Why the server did not take the last that it was sent."""
        self.lost = 0
        """Messages, or records before they were made messages, that nobody was told of."""
        self.left_out = 0
        """Things whose keys were not written, because too many others changed."""

    @property
    def waiting(self) -> int:
        """Return how many things' keys are still to be written."""
        return len(self._waiting) + len(self._touched.tasks)

    def publish(self, records: Sequence[Record], touched: Touched) -> None:
        """Take what one commit changed; no records means that the state was rebuilt."""
        self._all |= not records
        meant = [record for record in records if seed_channels.channels_of(record.event)]
        self._remembers |= any(type(record.event) in (MemoryChanged, MemoryPurged) for record in records)
        self.lost += max(0, len(self._records) + len(meant) - RECORDS_MAX)
        self._records.extend(meant)
        self._news.set()
        self._all |= not self._link.is_up
        if not self._all:
            self._touched.merge(touched)

    async def run(self) -> None:
        """Tell until cancelled."""
        forget = self._told.coordinator.add_publisher(self.publish)
        state = self._told.coordinator.state
        if state.engine is not None:  # it took over before anybody could hear of it
            self._records.append(Record(state.seq, state.at, "", state.engine))
            self._news.set()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._speak(), name="seed channels")
                group.create_task(self._tell_topics(), name="topics")
                while True:
                    await self._write_keys()
                    await self._clock.sleep(ROUND_S)
        finally:
            forget()

    # ---- channels

    async def _speak(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            while self._records:
                batch = list(islice(self._messages(), BATCH))
                each = {id(message): message for _channel, message in batch}  # one message goes out on several channels
                data = {place: _coded(message) for place, message in each.items()}
                if not await self._send([("PUBLISH", self._prefix + channel, data[id(message)]) for channel, message in batch]):
                    self.lost += len(batch)
                await self._clock.sleep(PAUSE_S)

    def _messages(self) -> Iterator[tuple[str, CoordinationMessage]]:
        """Give what is to be said, as far as it is taken; a record is said whole, or what was not taken of it is lost."""
        sent = 0
        while self._records and sent < BATCH:
            told = list(seed_channels.messages_of(self._records.popleft(), self._told.coordinator.state, self._told.config.name, self._told.engine))
            self.lost += max(0, sent + len(told) - BATCH)
            sent += len(told)
            yield from told

    # ---- keys

    async def _write_keys(self) -> None:
        """Write what changed since the last round; all, when the server does not have any more what it was given."""
        if not self._link.is_up:
            self._all = True
            return
        now, state = self._clock.now(), self._told.coordinator.state
        fleet = seed_keys.fleet_keys(state, self._told.status())
        whole = fleet.pop("fleet:state")
        answers = await self._send([("SET", self._prefix + "fleet:state", wire.encode(whole), "EX", LIVES_S, "GET"), *self._words(fleet)])
        if not answers:
            self._all = True
            return
        self._all |= answers[0] is None  # the server is new, or was emptied: it has nothing of the rest either
        await self._count_memories(now)
        self._note_changes(now)
        await self._write_things(now)

    async def _write_things(self, now: float) -> None:
        things = list(islice(self._waiting, THINGS_A_ROUND))
        each = BATCH // max(map(len, seed_keys.KINDS.values()))
        for first in range(0, len(things), each):
            some = things[first : first + each]
            for thing in some:
                del self._waiting[thing]
            state = self._told.coordinator.state
            words = chain.from_iterable(self._words(seed_keys.keys_of(state, kind, id_, now, self._owned), _lives_s(state, kind, id_)) for kind, id_ in some)
            if not await self._send(list(words)):
                self._all = True
                return

    def _words(self, keys: seed_keys.Keys, lives_s: int = LIVES_S) -> Iterator[Words]:
        for key, value in keys.items():
            name = self._prefix + key
            yield ("UNLINK", name) if value is None else ("SET", name, wire.encode(value), "EX", lives_s)

    def _note_changes(self, now: float) -> None:
        touched, self._touched = self._touched, Touched()
        state = self._told.coordinator.state
        if self._all or now - self._renewed_at >= RENEWED_S:
            lost_s = FINISHED_LIVES_S if self._all else 0  # what has ended is not renewed
            recent = [id_ for id_, task in state.tasks.items() if task.state not in FINISHED or now - task.finished_at < lost_s]
            self._all, self._renewed_at = False, now
            self._note(swarm=state.swarming.swarms, agent=state.agents, task=recent)
            return
        sessions = (state.swarming.sessions.get(session) for session in touched.sessions)
        rounds = (state.rounds.get(proposal) for proposal in touched.rounds)
        swarms = {session.swarm for session in sessions if session} | {found.proposal.swarm for found in rounds if found and found.proposal.swarm}
        removed = (agent.spec.id for agent in touched.removed_agents)
        self._note(swarm=chain(touched.swarms, touched.traffic, swarms), agent=chain(touched.agents, touched.working, removed), task=touched.tasks)

    def _note(self, **things: Any) -> None:  # noqa: ANN401  # iterables of ids of any kind
        for kind, ids in things.items():
            for id_ in ids:
                self._waiting[kind, id_] = None
        excess = len(self._waiting) - WAITING_MAX
        if excess > 0:
            self.left_out += excess
            for thing in list(islice((one for one in self._waiting if one[0] == "task"), excess)):
                del self._waiting[thing]

    async def _count_memories(self, now: float) -> None:
        """Count what agents remember, after it changed, and note whose keys that changes."""
        if not self._remembers or now - self._counted_at < COUNTED_S:
            return
        self._remembers, self._counted_at = False, now
        try:
            before, self._owned = self._owned, await self._told.database.read(_count)
        except JournalError:
            self._remembers = True
            return
        agents = self._told.coordinator.state.agents
        self._note(agent=[owner for owner in before.keys() | self._owned.keys() if owner in agents and before.get(owner) != self._owned.get(owner)])

    async def _tell_topics(self) -> None:
        """Publish figures and alerts; keep the newest figures, and each sample for a day."""
        async with self._told.topics.listen(*Topic) as listener:
            async for topic, message in listener:
                commands: list[Words] = [("PUBLISH", self._prefix + topic.value, _coded(message))]
                if topic is Topic.METRICS:
                    value = wire.encode(message.payload)
                    stamp = f"{self._prefix}performance:metrics:{int(message.timestamp * 1000)}"
                    commands += [("SET", f"{self._prefix}performance:state", value, "EX", LIVES_S), ("SET", stamp, value, "EX", METRICS_LIVE_S)]
                if not await self._send(commands):
                    self.lost += 1

    # ---- the server

    async def _send(self, commands: Sequence[Words]) -> list[Any]:
        """Run commands in one pipeline, once; return their answers, nothing when the server did not take them."""
        if not commands or not self._link.is_up:
            return []
        try:
            async with self._link.using() as client, asyncio.timeout(self._link.section.command_timeout_s):
                pipe = client.pipeline(transaction=False)
                for words in commands:
                    pipe.execute_command(*words)
                answers = list(await pipe.execute())
        except (RedisAway, RedisRefused) as error:
            if str(error) != self._refusal:
                self._refusal = str(error)
                logger.warning("other programs are not told by redis; the engine goes on", extra={"reason": self._refusal})
            return []
        self._refusal = ""
        return answers


def _lives_s(state: FleetState, kind: str, id_: str) -> int:
    task = state.tasks.get(TaskId(id_)) if kind == "task" else None
    return FINISHED_LIVES_S if task is not None and task.state in FINISHED else LIVES_S


def _count(connection: sqlite3.Connection) -> dict[str, tuple[int, int]]:
    return {owner: (count, size) for owner, count, size in connection.execute(_OWNED)}


def _coded(message: CoordinationMessage) -> bytes:
    told = seed_form(message)
    data = wire.encode(told)
    return data if len(data) <= MESSAGE_MAX else wire.encode({**told, "payload": {"leftOut": len(data)}})
