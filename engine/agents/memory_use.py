"""How much memory one more agent of a pool will take, by what those before it took: a high quantile, so that most take less.

Owner: of the last KEPT_MAX measurements of each pool of programs and each kind of light agents. A program is measured by the kernel
at its end, and as it is while it runs; one that is kept over tasks by looks at it only. Light agents share workers, so one more takes what a worker takes, as long as workers are still to start, then nothing.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Mapping, Sequence

from engine.agents.runtime import HostSample
from engine.model.agent_events import JOINED
from engine.model.events import Record
from engine.model.machines import Expected
from engine.model.pools import Pool
from engine.model.task_events import TaskFailed, TasksSucceeded
from engine.model.tasks import Outcome, Task
from engine.state import FleetState, Touched

KEPT_MAX = 200
QUANTILE = 0.95
_PEAK = "max_rss_mb"


def high(values: Sequence[float]) -> float:
    """Return the value that 95 of 100 do not exceed; 0 of none."""
    return sorted(values)[math.ceil(QUANTILE * len(values)) - 1] if values else 0.0


class MemoryUse:
    """Learns what agents take."""

    def __init__(self, workers: Mapping[str, int]) -> None:
        """Take the most workers of each kind of light agents: one more agent may start one more of them."""
        self._workers = workers
        self._programs: dict[str, deque[float]] = {}
        """Pool -> peak of each of its last programs, MB."""
        self._held: dict[str, list[float]] = {}
        """Pool -> what each of its programs has that run now, MB."""
        self._peaks: dict[str, tuple[str, float]] = {}
        """Agent that keeps its program -> pool, and the most that the program had, MB."""
        self._sizes: dict[str, deque[float]] = {}
        """Kind -> MB of its workers, at each look."""
        self._running: dict[str, int] = {}
        """Kind -> workers at the last look."""

    def recall(self, tasks: Iterable[Task]) -> None:
        """Learn from the programs of a former engine."""
        for task in tasks:
            self._note(task.spec.pool, task.usage)

    def publish(self, state: FleetState, records: Sequence[Record], _touched: Touched) -> None:
        """Learn from programs that have ended."""
        for record in records:
            event = record.event
            if isinstance(event, TasksSucceeded):
                for outcome in event.outcomes:
                    self._note_outcome(state, outcome)
            elif isinstance(event, TaskFailed):
                self._note_outcome(state, event.outcome)

    def _note_outcome(self, state: FleetState, outcome: Outcome) -> None:
        task = state.tasks.get(outcome.task) if outcome.usage else None
        if task is not None:
            self._note(task.spec.pool, outcome.usage)

    def _note(self, pool: str, usage: Mapping[str, float]) -> None:
        peak = usage.get(_PEAK, 0.0) * 1e6 / (1 << 20)  # results count millions of bytes, machines binary megabytes
        if peak > 0:
            self._programs.setdefault(pool, deque(maxlen=KEPT_MAX)).append(peak)

    def see(self, samples: Iterable[HostSample]) -> None:
        """Learn from the workers as they are now."""
        self._running = {}
        for sample in samples:
            if sample.rss_mb > 0 and sample.kind != JOINED:  # that is another machine's memory
                self._running[sample.kind] = self._running.get(sample.kind, 0) + 1
                self._sizes.setdefault(sample.kind, deque(maxlen=KEPT_MAX)).append(sample.rss_mb)

    def hold(self, programs: Mapping[str, list[float]]) -> None:
        """Learn from the programs that run, as they are now: megabytes by pool."""
        self._held = dict(programs)

    def follow(self, kept: Mapping[str, tuple[str, float]]) -> None:
        """Learn from programs that are kept over tasks, by agent: pool and megabytes now; the most that one had counts when it has ended."""
        for id_, (pool, held) in kept.items():
            self._peaks[id_] = (pool, max(held, self._peaks.get(id_, (pool, 0.0))[1]))
        for id_ in self._peaks.keys() - kept.keys():
            pool, peak = self._peaks.pop(id_)
            self._programs.setdefault(pool, deque(maxlen=KEPT_MAX)).append(peak)

    def each_program(self, pool: str) -> float:
        """Return what one more program of a pool takes: as much as those that ended, or run, took; 0 = not known."""
        return max(high(self._programs.get(pool, ())), high(self._held.get(pool, ())))

    def expected(self, pools: Mapping[str, Pool]) -> dict[str, Expected]:
        """Return what more agents of each pool will take; pools of which nothing was measured are left out."""
        found = {name: self._expected(name, pool.spec.kind) for name, pool in pools.items()}
        return {name: one for name, one in found.items() if one.each_mb > 0}

    def _expected(self, pool: str, kind: str) -> Expected:
        if kind in self._workers:
            left = max(0, self._workers[kind] - self._running.get(kind, 0))
            return Expected(high(self._sizes.get(kind, ())) if left else 0.0, kind, left)
        return Expected(self.each_program(pool), pool, None)
