"""What only the engine that leads has measured, decided or sent, for one that stands by: asked for while somebody looks here, and as often as it changes there.

Owner: `StandbyLook`, of what was told last and when, and of how far the tasks are that somebody looks at. Limits: one question for the measurements
and one for the rows every FRESH_S seconds, and one every PROGRESS_S for each of TASKS_MAX tasks, however many look; an answer is waited for
ANSWER_WITHIN_S. Rows that were told stay when no answer comes, with their age; measurements are unknown then.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from typing import Protocol

import msgspec

from engine.agents.runtime import HostSample
from engine.clock import Clock
from engine.gate.feed import Feed
from engine.model.errors import FleetError, UsageError
from engine.model.ids import AgentId
from engine.model.rows import ROW_KINDS, Frame, Row

FRESH_S = 2.0
"""As often as the engine that leads measures."""
PROGRESS_S = 0.25
ANSWER_WITHIN_S = 2.0
TASKS_MAX = 32
AGENTS_MAX = 2_000
"""Agents with processes of their own that are told of, those first that use most."""
ROWS_MAX = 1_000
"""Rows of a kind that are told."""

MEASURED = frozenset({"hosts", "agents", "tasks"})
"""Kinds whose rows show what the engine that leads measures."""
LENT = frozenset({"scaling", "advice", "boosters", "instances", "modules", "routes", "alerts", "rules", "channels", "notifications"})
"""Kinds whose rows are of what the engine that leads decides, counts, learns, watches or sends: they are its rows."""

Rows = Mapping[str, Row]
"""By id."""
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


class Query(Protocol):
    """Asks the engine that leads."""

    async def __call__(self, what: str, **parameters: object) -> object:
        """Return plain values. Raises FleetError."""
        ...


class StandbyLook:
    """Asks the engine that leads for what somebody looks at here."""

    def __init__(self, feed: Feed, turn: Turn | None, ask: Query, clock: Clock) -> None:
        self._feed, self._turn, self._ask, self._clock = feed, turn, ask, clock
        self._lookers: Counter[str] = Counter()
        """How many look at each kind."""
        self._looked_at = asyncio.Event()
        self._lock = asyncio.Lock()
        self._asked_at = -FRESH_S
        self._lent: dict[str, Rows] = {}
        self._told_at: dict[str, float] = {}
        """When rows of a kind were told."""
        self._tried_at: dict[str, float] = {}
        self._lending = asyncio.Lock()
        self._tasks: dict[tuple[str, int], _Progress] = {}

    @property
    def stands_by(self) -> bool:
        """Answer whether another engine leads, or none."""
        return self._turn is not None and not self._turn.is_here

    async def run(self) -> None:
        """Keep what is shown here up to date while somebody looks, until cancelled."""
        while True:
            await self._looked_at.wait()
            if any(self._lookers[kind] for kind in MEASURED):
                await self.refresh()
            await self.borrow([kind for kind in LENT if self._lookers[kind]])
            await self._clock.sleep(FRESH_S)

    @contextmanager
    def looking(self, kinds: Collection[str]) -> Iterator[None]:
        """Have what is shown here of some kinds kept up to date."""
        self._lookers.update(kinds)
        if kinds:
            self._looked_at.set()
        try:
            yield
        finally:
            self._lookers -= Counter(kinds)
            if not self._lookers:
                self._looked_at.clear()

    async def borrow(self, kinds: Collection[str]) -> None:
        """Have the newest rows of some kinds; where the engine that leads does not answer, those that it told last. Nothing where this engine leads."""
        async with self._lending:
            now = self._clock.now()
            due = [kind for kind in kinds if now - self._tried_at.get(kind, now - FRESH_S) >= FRESH_S] if self.stands_by else []
            if not due:
                return
            self._tried_at.update(dict.fromkeys(due, now))
            try:
                async with asyncio.timeout(ANSWER_WITHIN_S):
                    told = _rows_told(await self._ask("lent", kinds=due))
            except (FleetError, TimeoutError):
                return  # what was told before has its age
            self._lent |= told
            self._told_at.update(dict.fromkeys(told, now))

    def shown(self, frame: Frame, kinds: Collection[str], before: dict[str, Rows]) -> Frame:
        """Return a frame with the rows of some kinds that the engine that leads has; `before` is what a follower has of them, and is brought up to date."""
        rows, removed = dict(frame.rows), dict(frame.removed)
        for kind in kinds:
            now, had = self._lent.get(kind, {}), {} if frame.full else before.get(kind, {})
            rows[kind] = [row for id_, row in now.items() if had.get(id_) != row]
            removed[kind] = [id_ for id_ in had if id_ not in now]
            if not rows[kind] and not frame.full:
                del rows[kind]
            if not removed[kind]:
                del removed[kind]
            before[kind] = now
        told_at = min((self._told_at.get(kind, 0.0) for kind in kinds), default=None)
        standing = frame.status.standing
        status = replace(frame.status, standing=replace(standing, told_at=told_at)) if standing is not None else frame.status
        return replace(frame, rows=rows, removed=removed, status=status)

    async def refresh(self) -> None:
        """Have the newest measurements, or none where the engine that leads does not answer; nothing where this engine measures itself."""
        async with self._lock:
            if not self.stands_by or self._clock.now() - self._asked_at < FRESH_S:
                return
            found = _Measured([], {}, {})
            try:
                async with asyncio.timeout(ANSWER_WITHIN_S):
                    found = msgspec.convert(await self._ask("measured"), _Measured)
            except (FleetError, TimeoutError, msgspec.ValidationError):
                pass  # unknown, then: what was measured before is no longer so
            self._asked_at = self._clock.now()
            if self.stands_by:
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


def _rows_told(found: object) -> dict[str, Rows]:
    """Return rows by kind from plain values. Raises UsageError for what are none, such as those of another version."""
    try:
        told = msgspec.convert(found, dict[str, list[list[object]]])
        return {kind: {row.id: row for row in (msgspec.convert(values, ROW_KINDS[kind]) for values in rows)} for kind, rows in told.items()}
    except (KeyError, msgspec.ValidationError) as error:
        raise UsageError(f"the engine that leads shows other rows: {error}") from error


def lent(feed: Feed, kinds: Sequence[str]) -> Mapping[str, Sequence[Row]]:
    """Return the rows of some kinds, for an engine that stands by; others than LENT are left out."""
    return {kind: [row for id_ in islice(feed.ids(kind), ROWS_MAX) if (row := feed.row(kind, id_)) is not None] for kind in kinds if kind in LENT}


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
