"""What the console knows: rows kept current by one follow(), with its age; it reconnects by itself.

Owner: run() fills it, and the history of the last minute with it; screens read, and take what changed since they last
looked through a `Watch`. Limits: EVENTS_KEPT, and the history's own.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

from engine.model.errors import EngineUnavailable, FleetError
from engine.model.plans import Authority
from engine.model.rows import ROW_KINDS, STREAMED_KINDS, EventRow, FleetStatus, Frame, PoolRow, Row
from engine.operations import Operator
from screens.history import History

EVENTS_KEPT = 5_000
STALE_AFTER_S = 2.0
"""The engine sends a frame every second even when nothing changes; silence for longer means that it is gone or stuck."""

RETRY_FIRST_S = 0.2
RETRY_MAX_S = 0.8
"""Below a second: an engine that is back is followed at once, and a refused connection costs next to nothing."""

class Clock(Protocol):
    """The instant and a way to wait; the application brings the real one."""

    def now(self) -> float:
        """Return seconds since the epoch."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


Connect = Callable[[], AbstractAsyncContextManager[Operator]]


@dataclass(slots=True)
class Changes:
    """What changed since somebody last looked."""

    is_full: bool = True
    """Everything may have changed: read the tables anew."""
    changed: dict[str, dict[str, None]] = field(default_factory=dict)
    """Ids in the order in which they came, so that rows alike are shown in that order, too."""
    removed: dict[str, set[str]] = field(default_factory=dict)
    events: list[EventRow] = field(default_factory=list)
    events_left_out: int = 0

    def touches(self, kinds: Iterable[str]) -> bool:
        """Tell whether anything of these kinds changed."""
        return (
            self.is_full
            or any(kind in self.changed or kind in self.removed for kind in kinds)
            or bool(self.events)
        )


class Watch:
    """One screen's collector of changes; cheap while nobody takes them, since ids are conflated."""

    def __init__(self) -> None:
        self._changes = Changes()

    def take(self) -> Changes:
        """Return what changed since the last call and start over."""
        taken, self._changes = self._changes, Changes(is_full=False)
        return taken

    def note(self, frame: Frame) -> None:
        """Add a frame; called by the feed."""
        changes = self._changes
        changes.is_full = changes.is_full or frame.full
        for kind, rows in frame.rows.items():
            ids = changes.changed.setdefault(kind, {})
            ids.update(dict.fromkeys(row[0] for row in rows))
            changes.removed.get(kind, set()).difference_update(ids)
        for kind, gone in frame.removed.items():
            changes.removed.setdefault(kind, set()).update(gone)
            changed = changes.changed.get(kind, {})
            for id_ in gone:
                changed.pop(id_, None)
        changes.events += frame.events
        changes.events_left_out += frame.events_left_out
        surplus = len(changes.events) - EVENTS_KEPT
        if surplus > 0:
            del changes.events[:surplus]
            changes.events_left_out += surplus


class Feed:
    """The replica that screens show."""

    def __init__(
        self, connect: Connect, clock: Clock, kinds: Iterable[str] = tuple(ROW_KINDS)
    ) -> None:
        self.kinds = tuple(kinds)
        self.context = ""
        """Name of the engine as `@` has it; empty where there is only one."""
        self.status: FleetStatus | None = None
        self.tables: dict[str, dict[str, Row]] = {
            kind: {} for kind in self.kinds if kind not in STREAMED_KINDS
        }
        self.events: deque[EventRow] = deque(maxlen=EVENTS_KEPT)
        self.events_left_out = 0
        self.authority: Authority | None = None
        """What the engine takes us for; None before the first connection."""
        self.error = ""
        """Why there is no connection; empty while there is one."""
        self.frames = 0
        self.needs = 0
        """Things that need somebody, as the console last found them."""
        self.history = History()
        """The last minute, whichever view was in front."""
        self.on_full: Callable[[], None] | None = None
        """Called after a frame with everything: there is something to show, and no reason to wait for a tick."""
        self._connect = connect
        self._clock = clock
        self._operator: Operator | None = None
        self._frame_at = 0.0
        self._offset = 0.0
        self._watches: set[Watch] = set()

    @property
    def operator(self) -> Operator:
        """Return the connected engine. Raises EngineUnavailable while there is none."""
        if self._operator is None:
            raise EngineUnavailable(self.error or "not connected to the engine yet; wait a moment")
        return self._operator

    def watch(self) -> Watch:
        """Return a collector of changes, which starts with everything."""
        watch = Watch()
        self._watches.add(watch)
        return watch

    def unwatch(self, watch: Watch) -> None:
        """Forget a collector."""
        self._watches.discard(watch)

    def now(self) -> float:
        """Return the engine's instant, as far as it is known here: ages of rows are measured against it."""
        return self._clock.now() + self._offset

    def stale_s(self) -> float:
        """Return the age of what is shown in seconds when it is too old, or nobody answers any more; else 0."""
        if self.status is None:
            return 0.0
        age = self._clock.now() - self._frame_at
        return max(age, 1e-3) if age > STALE_AFTER_S or self.error else 0.0

    async def run(self) -> None:
        """Follow until cancelled, again after each loss with a growing pause."""
        wait = RETRY_FIRST_S
        while True:
            frames = self.frames
            try:
                await self._follow()
            except FleetError as error:
                self.error = str(error)
            finally:
                self._operator = None
            wait = RETRY_FIRST_S if self.frames > frames else min(wait * 2, RETRY_MAX_S)
            await self._clock.sleep(wait)

    async def _follow(self) -> None:
        async with self._connect() as operator:
            self._operator = operator
            self.authority = operator.authority
            self.error = ""
            async with operator.follow(self.kinds) as frames:
                is_first = True
                async for frame in frames:
                    self.take(frame)
                    if is_first:
                        is_first = False
                        await self._recall(operator)

    async def _recall(self, operator: Operator) -> None:
        """Fill the last minute with what the engine kept; one that keeps nothing leaves gaps."""
        try:
            kept: Any = await operator.query("loads")
        except FleetError:
            return
        self.history.recall(kept["since"], kept["step_s"], kept["pools"])

    def take(self, frame: Frame) -> None:
        """Fold one frame in."""
        self._frame_at = self._clock.now()
        self._offset = frame.at - self._frame_at
        self.frames += 1
        self.status = frame.status
        for kind, rows in frame.rows.items():
            if frame.full:
                self.tables[kind] = {row[0]: row for row in rows}
            else:
                self.tables[kind].update((row[0], row) for row in rows)
        for kind, gone in frame.removed.items():
            for id_ in gone:
                self.tables[kind].pop(id_, None)
        if frame.full:
            self.events.clear()
        self.events.extend(frame.events)
        self.events_left_out += frame.events_left_out
        self.history.see(frame.status, cast("Iterable[PoolRow]", self.tables.get("pools", {}).values()))
        for watch in self._watches:
            watch.note(frame)
        if frame.full and self.on_full is not None:
            self.on_full()
