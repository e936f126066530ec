"""What somebody looks at on hosts that joined: the log of a task, and how far its agent says that it is. Asked for only while somebody looks.

Owner: `Looks`, of the ends of the logs that are looked at, and of what hosts were asked and have not answered. Limits: SEEN_MAX tasks of
KEPT_BYTES each, forgotten KEEP_S after the last look; one question for each of them, at most every FRESH_S seconds, however many look.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Protocol

from engine.agents.joined import messages as m
from engine.agents.logs import KEPT_BYTES, Part, Tail, tail_of
from engine.clock import Clock
from engine.model.ids import HostId, TaskId
from engine.model.shielding import shield, shield_values

SEEN_MAX = 32
KEEP_S = 30.0
FRESH_S = 0.25
ANSWER_WITHIN_S = 2.0
PARTS_MAX = 2 * KEPT_BYTES // m.PART_MAX
"""Pieces for one look: a log that grows faster than it comes is not followed to its end."""


class Asked(Protocol):
    """A host that can be asked."""

    @property
    def silence(self) -> str:
        """Why it will hardly answer; empty = it will."""
        ...

    def say(self, message: m.ToHost) -> None:
        """Tell it something."""
        ...

    def take_back(self, message: m.ToHost) -> None:
        """Do not tell it something that it was not told yet."""
        ...


class _Seen:
    """What is known of a task that somebody looks at."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.start = 0
        self.tail = bytearray()
        self.progress: Mapping[str, object] | None = None
        self.log_at = self.progress_at = 0.0
        """When it was told; 0 = never."""
        self.looked_at = 0.0
        self.note = ""

    @property
    def end(self) -> int:
        return self.start + len(self.tail)

    def add(self, part: m.LogPart) -> None:
        if part.start != self.end:
            self.start, self.tail = part.start, bytearray()
        self.tail += part.data[: m.PART_MAX]
        spare = len(self.tail) - KEPT_BYTES
        if spare > 0:
            del self.tail[:spare]
            self.start += spare

    def after(self, place: int) -> Part:
        start = place if self.start <= place <= self.end else self.start
        return Part(start, self.end, bytes(self.tail[start - self.start :]))


class Looks:
    """Asks hosts for what somebody wants to see."""

    def __init__(self, host: Callable[[HostId], Asked | None], clock: Clock) -> None:
        self._host, self._clock = host, clock
        self._seen: dict[tuple[TaskId, int], _Seen] = {}
        self._asked: dict[int, asyncio.Future[m.Shown]] = {}
        self._number = 0

    async def log(self, host: str, task: TaskId, attempt: int, after: int) -> Tail:
        """Return what a task wrote on a host after a place; a note says when it is not all. Safe to cancel."""
        seen = self._look_at(task, attempt)
        async with seen.lock:
            if not seen.log_at or self._clock.now() - seen.log_at >= FRESH_S:
                seen.note = await self._fetch(seen, host, task)
        return tail_of(seen.after(after), seen.note, shield)

    async def progress(self, host: str, task: TaskId, attempt: int) -> Mapping[str, object] | None:
        """Return what the agent of a task on a host said last of how far it is; None = nothing is known. Safe to cancel."""
        seen = self._look_at(task, attempt)
        async with seen.lock:
            if not seen.progress_at or self._clock.now() - seen.progress_at >= FRESH_S:
                await self._ask(seen, host, m.Look(self._next(), task, 0, 0))
        return seen.progress

    def take(self, shown: m.Shown) -> None:
        """Take what a host shows; nobody may wait for it any more."""
        asked = self._asked.get(shown.number)
        if asked is not None and not asked.done():
            asked.set_result(shown)

    def forget_old(self) -> None:
        """Forget what nobody looks at any more."""
        now = self._clock.now()
        for key in [key for key, seen in self._seen.items() if now - seen.looked_at >= KEEP_S and not seen.lock.locked()]:
            del self._seen[key]

    def _look_at(self, task: TaskId, attempt: int) -> _Seen:
        seen = self._seen.pop((task, attempt), None) or _Seen()
        if len(self._seen) >= SEEN_MAX:
            del self._seen[next(iter(self._seen))]
        self._seen[task, attempt] = seen
        seen.looked_at = self._clock.now()
        return seen

    def _next(self) -> int:
        self._number += 1
        return self._number

    async def _fetch(self, seen: _Seen, host: str, task: TaskId) -> str:
        """Get what is new of a log; return why that is not all."""
        for _ in range(PARTS_MAX):
            shown = await self._ask(seen, host, m.Look(self._next(), task, seen.end if seen.log_at else -1, m.PART_MAX))
            if isinstance(shown, str):
                age = f"; this is as of {self._clock.now() - seen.log_at:.0f} s ago" if seen.log_at else ""
                return f"{shown}{age}"
            seen.add(shown.log or m.LogPart(0, 0, b""))
            seen.log_at = self._clock.now()
            if shown.log is None:
                return ""
            if seen.end >= shown.log.size or not shown.log.data:
                return ""
        return f"host {host} writes it faster than it can be shown"

    async def _ask(self, seen: _Seen, host: str, look: m.Look) -> m.Shown | str:
        """Ask a host, and return its answer, or why there is none."""
        asked = self._host(HostId(host))
        if asked is None:
            return f"host {host} is gone; what was written there is in logs/ of its worker's state directory"
        if asked.silence:
            return asked.silence
        answer = self._asked[look.number] = asyncio.get_running_loop().create_future()
        asked.say(look)
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                shown: m.Shown = await answer
        except TimeoutError:
            return f"host {host} did not answer within {ANSWER_WITHIN_S:g} s"
        finally:
            del self._asked[look.number]
            asked.take_back(look)
        told = shield_values(shown.progress)
        seen.progress, seen.progress_at = told if isinstance(told, dict) else None, self._clock.now()
        return shown
