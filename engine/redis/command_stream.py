"""Calls of engines to the one that leads, and its answers: Streams, so that neither is lost while nobody leads.

Calls wait in one Stream a region, read by whoever leads through one consumer group; what a leader that is gone had taken and
not answered, the next one takes over. A call that was carried out is known by the answer that became durable with it
(`done:ID`), so it is not carried out again. Answers go to a Stream of the engine that asked, only from who leads, and together with
the end of the call: what a leader could not answer before another one led, that one carries out and answers.

Owner: `CommandStream`, of the calls of this engine that wait for answers, and of those that it carries out. Limits: CALLS_MAX calls wait in the Stream,
AT_ONCE_MAX are carried out at a time; a call that nobody waits for any more is dropped.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

from engine.clock import Clock
from engine.model.errors import EngineUnavailable, FleetError, RedisAway, RedisRefused, Unanswered
from engine.model.journal_entries import Leadership
from engine.redis.functions import Functions
from engine.redis.journal_stream import entries_of
from engine.redis.link import RedisLink
from engine.redis.refusals import raise_unless_ok
from engine.redis.region_keys import RegionKeys

logger = logging.getLogger(__name__)

GROUP = "leader"
CALLS_MAX = 10_000
ANSWERS_KEPT = 1_000
ANSWERS_MS = 600_000
TRIM_BYTES = 1 << 20
"""Answers that were read are removed from the server when they come to so much."""
AT_ONCE_MAX = 64
BLOCK_SHARE = 0.5
"""Of the longest wait for an answer of the server."""
AGAIN_S = 0.1
IDLE_S = 2.0
"""A call that was taken and not answered for so long is looked after again: who took it leads no more, or could not answer."""


class Handle(Protocol):
    """Carries out calls."""

    async def __call__(self, id_: str, call: bytes, *, is_again: bool) -> bytes:
        """Carry out a call and return the answer; `is_again`: somebody had begun with it, or was about to.

        Raises FleetError for what cannot be answered now: it is looked after again.
        """
        ...


class CommandStream:
    """The way of one engine to the leader, and of the leader to all."""

    def __init__(self, link: RedisLink, region: str, engine: str, clock: Clock) -> None:
        self._link, self._engine, self._clock = link, engine, clock
        self._keys = RegionKeys(region)
        self._functions = Functions(link)
        self._waiting: dict[str, asyncio.Future[bytes]] = {}
        self._ahead_s = 0.0
        """How far the server's clock is ahead of ours."""
        self._at_work: set[str] = set()
        """Calls that are carried out: one that was sent twice, or is taken over from ourselves, is not begun again."""
        self._block_ms = max(1, int(1_000 * BLOCK_SHARE * link.section.command_timeout_s))

    # ---- who asks

    async def ask(self, id_: str, call: bytes, *, deadline_s: float) -> bytes:
        """Send a call and return its answer; sent again, it is one call.

        Raises EngineUnavailable when nobody took it in time: it will not be done; Unanswered when somebody did and no answer came.
        """
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiting[id_] = future
        words = ("XADD", self._keys.commands, "MAXLEN", "~", CALLS_MAX, "*", "i", id_, "f", self._engine, "c", call, "s", repr(deadline_s))
        entry, is_doubtful = b"", False
        try:
            async with asyncio.timeout(deadline_s):
                while not entry:
                    try:
                        entry = await self._link.call(*words)
                    except RedisAway:
                        is_doubtful = True  # it may be there, under a number that nobody told us
                        await self._clock.sleep(AGAIN_S)
                return await future
        except RedisRefused as error:
            raise EngineUnavailable(f"the engine that leads cannot be asked: {error}") from error
        except TimeoutError:
            if entry and not is_doubtful and await self._withdraw(entry):
                raise EngineUnavailable(f"no engine took it within {deadline_s:g} s, and it is withdrawn: nothing was changed; `fleet-tui get engines` tells who leads") from None
            raise Unanswered(f"the engine that leads did not answer within {deadline_s:g} s") from None
        finally:
            del self._waiting[id_]

    async def _withdraw(self, entry: bytes) -> bool:
        """Take back a call that nobody has taken; answer whether that is certain."""
        try:
            answer = await self._functions.call("call_withdraw", (self._keys.commands,), GROUP, entry, timeout_s=self._link.section.command_timeout_s)
        except (RedisAway, RedisRefused):
            return False
        return bool(answer[0] == "ok")

    async def run(self) -> None:
        """Hand out answers, until cancelled."""
        last, read = b"0-0", 0  # nothing waits from before: the engine's id is its own
        while True:
            try:
                found = entries_of(await self._link.call("XREAD", "COUNT", AT_ONCE_MAX, "BLOCK", self._block_ms, "STREAMS", self._keys.answers(self._engine), last))
            except (RedisAway, RedisRefused):
                await self._clock.sleep(AGAIN_S)
                continue
            for entry, fields in found:
                last = entry
                waiting = self._waiting.get(fields[b"i"].decode())
                read += len(fields[b"a"])
                if waiting is not None and not waiting.done():
                    waiting.set_result(fields[b"a"])
            if read >= TRIM_BYTES:
                with contextlib.suppress(RedisAway, RedisRefused):
                    await self._link.call("XTRIM", self._keys.answers(self._engine), "MINID", last)
                    read = 0

    # ---- who leads

    async def serve(self, handle: Handle, by: Leadership) -> None:
        """Carry out calls as who leads, those first that a former leader left, until cancelled."""
        slots = asyncio.Semaphore(AT_ONCE_MAX)
        async with asyncio.TaskGroup() as group:

            async def one(id_: bytes, fields: Mapping[bytes, bytes], *, is_again: bool) -> None:
                try:
                    await self._carry_out(id_, fields, partial(handle, is_again=is_again), by)
                finally:
                    slots.release()

            left: bytes | None = b"0-0"
            told = ""
            idle_s, looked_at = 0.0, self._clock.now()
            while True:
                if left is None and self._clock.now() - looked_at >= IDLE_S:
                    left, idle_s, looked_at = b"0-0", IDLE_S, self._clock.now()
                is_again = left is not None
                try:
                    if left is not None:
                        left, found = await self._reclaim(left, idle_s)
                    else:
                        found = await self._next()
                except (RedisAway, RedisRefused) as error:
                    if "NOGROUP" in str(error):
                        left = b"0-0"  # a server that took over, or was emptied
                    elif isinstance(error, RedisRefused) and told != str(error):
                        told = str(error)
                        logger.warning("other engines cannot ask this one", extra={"reason": told})
                    await self._clock.sleep(AGAIN_S)
                    continue
                for id_, fields in found:
                    await slots.acquire()
                    group.create_task(one(id_, fields, is_again=is_again), name="call of another engine")

    async def _reclaim(self, start: bytes, idle_s: float) -> tuple[bytes | None, Sequence[tuple[bytes, Mapping[bytes, bytes]]]]:
        """Take over what others had taken, or could not be answered, for so long; return where to go on, None at the end."""
        with contextlib.suppress(RedisRefused):  # it is there already
            await self._link.call("XGROUP", "CREATE", self._keys.commands, GROUP, "0", "MKSTREAM")
        _, server_ms = await self._functions.call("server_clock", (self._keys.leader,), timeout_s=self._link.section.command_timeout_s)
        self._ahead_s = server_ms / 1_000 - self._clock.now()
        answer = await self._link.call("XAUTOCLAIM", self._keys.commands, GROUP, self._engine, int(1_000 * idle_s), start, "COUNT", AT_ONCE_MAX)
        then, found = answer[0], answer[1]
        return None if then == b"0-0" else then, [(id_, _fields(fields)) for id_, fields in found if fields]

    async def _next(self) -> Sequence[tuple[bytes, Mapping[bytes, bytes]]]:
        return entries_of(await self._link.call("XREADGROUP", "GROUP", GROUP, self._engine, "COUNT", AT_ONCE_MAX, "BLOCK", self._block_ms, "STREAMS", self._keys.commands, ">"))

    async def _carry_out(self, entry: bytes, fields: Mapping[bytes, bytes], handle: Callable[[str, bytes], Awaitable[bytes]], by: Leadership) -> None:
        id_, asker = fields[b"i"].decode(), fields[b"f"].decode()
        if id_ in self._at_work:
            return
        self._at_work.add(id_)
        try:
            if self._is_waited_for(entry, fields):
                answer = await self._link.repeatable("GET", self._keys.done(id_)) or await handle(id_, fields[b"c"])
                await self._answer((entry, id_, answer), asker, by)
            else:
                await self._link.repeatable("XACK", self._keys.commands, GROUP, entry)
                await self._link.repeatable("XDEL", self._keys.commands, entry)
        except FleetError as error:
            # It stays in the Stream for who leads when it is looked after again; who asked says by itself that no answer came.
            logger.warning("a call of another engine could not be answered", extra={"engine": asker, "call": id_, "reason": str(error)})
        finally:
            self._at_work.discard(id_)

    def _is_waited_for(self, entry: bytes, fields: Mapping[bytes, bytes]) -> bool:
        """Answer whether somebody may wait for the answer still, by the server's clock: those of two machines may differ."""
        return int(entry.partition(b"-")[0]) / 1_000 + float(fields[b"s"]) > self._clock.now() + self._ahead_s

    async def _answer(self, answered: tuple[bytes, str, bytes], asker: str, by: Leadership) -> None:
        """Send an answer, and end the call. Raises Fenced, RedisAway, RedisRefused: then nothing of it, or all, was done."""
        entry, id_, answer = answered
        keys = (self._keys.leader, self._keys.commands, self._keys.answers(asker))
        words = (*by, GROUP, entry, id_, answer, ANSWERS_KEPT, ANSWERS_MS)
        raise_unless_ok(await self._functions.call("call_answer", keys, *words, timeout_s=self._link.section.command_timeout_s))


def _fields(found: Any) -> Mapping[bytes, bytes]:  # noqa: ANN401  # as the client shapes it
    """Return the fields of an entry that came as a flat list, or as a mapping."""
    return found if isinstance(found, Mapping) else dict(zip(found[::2], found[1::2], strict=True))
