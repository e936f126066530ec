"""What only the engine that leads has measured, for one that stands by: asked for while somebody looks here, and as often as it changes there.

Owner: `StandbyLook`, of when was asked last and of how far the tasks are that somebody looks at. Limits: one question for the measurements
every FRESH_S seconds, and one every PROGRESS_S for each of TASKS_MAX tasks, however many look; an answer is waited for ANSWER_WITHIN_S.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from typing import Protocol

import msgspec

from engine.agents.runtime import HostSample
from engine.clock import Clock
from engine.gate.feed import Feed
from engine.model.errors import FleetError
from engine.model.ids import AgentId

FRESH_S = 2.0
"""As often as the engine that leads measures."""
PROGRESS_S = 0.25
ANSWER_WITHIN_S = 2.0
TASKS_MAX = 32
AGENTS_MAX = 2_000
"""Agents with processes of their own that are told of, those first that use most."""

Ask = Callable[[], Awaitable[object]]
"""Has an answer of the engine that leads. Raises FleetError."""


class Turn(Protocol):
    """Which engine leads."""

    @property
    def is_here(self) -> bool:
        """Answer whether this engine does."""
        ...


class _Measured(msgspec.Struct):
    samples: list[HostSample]
    agents: dict[AgentId, tuple[float, float]]
    stalled: dict[AgentId, str]
    stale: dict[AgentId, float] = {}
    """When agents were measured of which nothing has been told since."""


class _Progress:
    """How far a task is, as far as was told."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.asked_at = -PROGRESS_S
        self.said: object = None


class StandbyLook:
    """Asks the engine that leads for what somebody looks at here."""

    def __init__(self, feed: Feed, turn: Turn | None, ask: Ask, clock: Clock) -> None:
        self._feed, self._turn, self._ask, self._clock = feed, turn, ask, clock
        self._lookers = 0
        self._looked_at = asyncio.Event()
        self._lock = asyncio.Lock()
        self._asked_at = -FRESH_S
        self._tasks: dict[tuple[str, int], _Progress] = {}

    @property
    def _stands_by(self) -> bool:
        return self._turn is not None and not self._turn.is_here

    async def run(self) -> None:
        """Keep what is shown here up to date while somebody looks, until cancelled."""
        while True:
            await self._looked_at.wait()
            await self.refresh()
            await self._clock.sleep(FRESH_S)

    @contextmanager
    def looking(self) -> Iterator[None]:
        """Have what is shown here kept up to date."""
        self._lookers += 1
        self._looked_at.set()
        try:
            yield
        finally:
            self._lookers -= 1
            if not self._lookers:
                self._looked_at.clear()

    async def refresh(self) -> None:
        """Have the newest measurements, or none where the engine that leads does not answer; nothing where this engine measures itself."""
        async with self._lock:
            if not self._stands_by or self._clock.now() - self._asked_at < FRESH_S:
                return
            found = _Measured([], {}, {})
            try:
                async with asyncio.timeout(ANSWER_WITHIN_S):
                    found = msgspec.convert(await self._ask(), _Measured)
            except (FleetError, TimeoutError, msgspec.ValidationError):
                pass  # unknown, then: what was measured before is no longer so
            self._asked_at = self._clock.now()
            if self._stands_by:
                used = {id_: (None if cores < 0 else cores, rss_mb, found.stale.get(id_, 0.0)) for id_, (cores, rss_mb) in found.agents.items()}
                self._feed.measured(found.samples, used, found.stalled)

    async def progress(self, task: str, attempt: int, ask: Ask) -> object:
        """Return what the agent of a running task said last of how far it is, with when; `ask` has the leader's answer about the task. Safe to cancel."""
        known = self._tasks.pop((task, attempt), None) or _Progress()
        self._tasks[task, attempt] = known
        while len(self._tasks) > TASKS_MAX:
            del self._tasks[next(iter(self._tasks))]
        async with known.lock:
            if self._clock.now() - known.asked_at >= PROGRESS_S:
                try:
                    async with asyncio.timeout(ANSWER_WITHIN_S):
                        found = await ask()
                    known.said = found["progress"] if isinstance(found, dict) and found.get("attempt") == attempt else known.said
                except (FleetError, TimeoutError):
                    pass  # what was told before has its age
                known.asked_at = self._clock.now()
        return known.said


def measured(feed: Feed) -> Mapping[str, object]:
    """Return what an engine has measured, for one that stands by."""
    used = feed.programs.used
    most = (sorted(used, key=lambda id_: used[id_], reverse=True) if len(used) > AGENTS_MAX else list(used))[:AGENTS_MAX]
    return {
        "samples": list(feed.samples.values()),
        "agents": {id_: used[id_][:2] for id_ in most},
        "stale": {id_: used[id_][2] for id_ in most if used[id_][2]},
        "stalled": dict(islice(feed.programs.stalled.items(), AGENTS_MAX)),
    }
