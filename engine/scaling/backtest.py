"""What policies would have done on a recorded load: the same decisions on a virtual clock, with real queueing.

Every task of the trace arrives at its instant and occupies an agent for its own service time; agents take `start_s` to
begin, an idle one that leaves is gone at once and a busy one finishes first. So waits, agent-seconds and drains are what they
would have been if tasks took as long. Nothing here reads a clock.
"""

from __future__ import annotations

import math
from array import array
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush

from engine.model.scaling import Limits, Observation, Policy
from engine.scaling.follower import Follower

SERVICE_WEIGHT = 0.05
"""Of each task in the moving mean of service times, as the live one."""
SERIES_MAX = 600
"""Points of a chart; longer replays keep every n-th tick."""

Chooser = Callable[[Observation], int]
"""Returns the size that a pool should have."""


@dataclass(frozen=True, slots=True)
class PoolTrace:
    """The load of one pool: arrivals in order, seconds from the trace's begin, each with its service time."""

    pool: str
    arrivals: array[float]
    services: array[float]
    limits: Limits
    start_s: float = 0.5
    """From the decision to an agent that accepts work."""


@dataclass(slots=True)
class Replay:
    """What came of one pool's replay."""

    pool: str
    seconds: float
    tasks: int = 0
    unfinished: int = 0
    """Tasks among them that had not ended when the trace did; those that still waited count with their wait so far."""
    agent_s: float = 0.0
    """Provisioned agent-seconds, those of starting and leaving agents included."""
    busy_s: float = 0.0
    cost: float = 0.0
    wait_p50_s: float = 0.0
    wait_p95_s: float = 0.0
    wait_max_s: float = 0.0
    peak: int = 0
    raised: int = 0
    lowered: int = 0
    direction_changes: int = 0
    drains: int = 0
    """Busy agents that were asked to leave and finished first."""
    series: list[tuple[float, int, float]] = field(default_factory=list)
    """(instant, size, busy + waiting), at most SERIES_MAX."""

    @property
    def utilisation(self) -> float:
        """Return busy / provisioned agent-seconds."""
        return self.busy_s / self.agent_s if self.agent_s else 0.0


class PoolQueue:
    """A first-come first-served pool of agents, run through its arrivals event by event."""

    def __init__(self, trace: PoolTrace, size: int) -> None:
        self.free = self.total = size
        self.draining = 0
        self.waits = array("d")
        self.waiting: deque[int] = deque()
        self.agent_s = self.busy_s = 0.0
        self.drains = 0
        self.service_s: float | None = None
        self.next = 0
        self._arrivals, self._services, self._start_s = trace.arrivals, trace.services, trace.start_s
        self._ends: list[float] = []
        self._starting: deque[float] = deque()
        self._counted_to = 0.0

    @property
    def busy(self) -> int:
        """Return the agents at work."""
        return len(self._ends)

    @property
    def size(self) -> int:
        """Return the agents that are to stay."""
        return self.total - self.draining

    @property
    def next_arrival(self) -> float:
        """Return when the next task arrives; inf when none does."""
        return self._arrivals[self.next] if self.next < len(self._arrivals) else math.inf

    @property
    def is_quiet(self) -> bool:
        """Tell whether nothing happens before the next arrival."""
        return not self._ends and not self.waiting and not self._starting

    def run(self, until: float) -> None:
        """Let everything happen up to and including an instant."""
        ends, starting, arrivals = self._ends, self._starting, self._arrivals
        while True:
            end = ends[0] if ends else math.inf
            ready = starting[0] if starting else math.inf
            arrival = arrivals[self.next] if self.next < len(arrivals) else math.inf
            at = min(end, ready, arrival)
            if at > until:
                return
            if at == end:
                heappop(ends)
                self._agent_free(at)
            elif at == ready:
                starting.popleft()
                self._agent_free(at)
            else:
                self.waiting.append(self.next)
                self.next += 1
                if self.free:
                    self.free -= 1
                    self._begin(at)

    def _agent_free(self, at: float) -> None:
        if self.draining:
            self.draining -= 1
            self._change_total(at, -1)
        elif self.waiting:
            self._begin(at)
        else:
            self.free += 1

    def _begin(self, at: float) -> None:
        task = self.waiting.popleft()
        service = self._services[task]
        self.waits.append(at - self._arrivals[task])
        self.busy_s += service
        heappush(self._ends, at + service)
        known = self.service_s
        self.service_s = service if known is None else known + SERVICE_WEIGHT * (service - known)

    def resize(self, at: float, size: int) -> None:
        """Take agents in or let them go: idle ones, then starting ones, then busy ones when they have finished."""
        more = size - self.size
        if more > 0:
            kept = min(more, self.draining)
            self.draining -= kept
            self._starting.extend([at + self._start_s] * (more - kept))
            self._change_total(at, more - kept)
            return
        fewer = -more
        idle = min(fewer, self.free)
        self.free -= idle
        unborn = min(fewer - idle, len(self._starting))
        for _ in range(unborn):
            self._starting.pop()
        self._change_total(at, -idle - unborn)
        self.draining += fewer - idle - unborn
        self.drains += fewer - idle - unborn

    def _change_total(self, at: float, change: int) -> None:
        self.agent_s += self.total * (at - self._counted_to)
        self._counted_to = at
        self.total += change

    def finish(self, at: float) -> int:
        """Close the books at an instant; return the tasks that had not ended."""
        self._change_total(at, 0)
        self.waits.extend(at - self._arrivals[task] for task in self.waiting)
        self.busy_s -= math.fsum(end - at for end in self._ends)
        return len(self._ends) + len(self.waiting)

    def observe(self, at: float, arrivals: int) -> Observation:
        """Return what an autoscaler would see."""
        oldest = at - self._arrivals[self.waiting[0]] if self.waiting else 0.0
        busy = len(self._ends) - self.draining
        return Observation(at, self.size, self.free + busy, busy, len(self.waiting), arrivals, self.service_s, oldest)


def replay(trace: PoolTrace, policies: Sequence[Policy], seconds: float, *, tick_s: float = 1.0) -> Replay:
    """Run one pool's trace through policies. O(ticks with work + tasks * log agents)."""
    follower = Follower(policies, tick_s)
    limits = trace.limits
    queue = PoolQueue(trace, limits.min)
    result = Replay(trace.pool, seconds)
    ledger = _Ledger(result, seconds / tick_s)
    at, seen = 0.0, 0
    while at < seconds:
        queue.run(at)
        decision = follower.step(queue.observe(at, queue.next - seen), limits)
        seen = queue.next
        ledger.note(queue, at, decision.target)
        if decision.target != decision.size:
            queue.resize(at, decision.target)
        elif queue.is_quiet and not follower.foresees:
            # Nothing but time can change the decision until then.
            idle_to = min(queue.next_arrival, decision.waits_until, seconds)
            skipped = math.ceil((idle_to - at) / tick_s) - 1
            if skipped > 0:
                at += skipped * tick_s
                follower.unchanged_until(at)
        at += tick_s
    queue.run(seconds)
    return _closed(result, queue, limits)


def replay_chooser(trace: PoolTrace, choose: Chooser, seconds: float, *, tick_s: float = 1.0) -> Replay:
    """Run one pool's trace through any rule, asked at each tick."""
    queue = PoolQueue(trace, trace.limits.min)
    result = Replay(trace.pool, seconds)
    ledger = _Ledger(result, seconds / tick_s)
    at, seen = 0.0, 0
    while at < seconds:
        queue.run(at)
        size = min(max(choose(queue.observe(at, queue.next - seen)), trace.limits.min), trace.limits.max)
        seen = queue.next
        ledger.note(queue, at, size)
        if size != queue.size:
            queue.resize(at, size)
        at += tick_s
    queue.run(seconds)
    return _closed(result, queue, trace.limits)


def replay_static(trace: PoolTrace, size: int, seconds: float) -> Replay:
    """Run one pool's trace with a fixed number of agents."""
    queue = PoolQueue(trace, size)
    result = Replay(trace.pool, seconds, peak=size)
    queue.run(seconds)
    return _closed(result, queue, trace.limits)


def static_for(trace: PoolTrace, wait_p95_s: float, seconds: float, most: int) -> Replay:
    """Return the replay of the smallest fixed size whose p95 wait is no longer; of `most` when none is."""
    low, high = 1, most
    while low < high:
        middle = (low + high) // 2
        if replay_static(trace, middle, seconds).wait_p95_s <= wait_p95_s:
            high = middle
        else:
            low = middle + 1
    return replay_static(trace, low, seconds)


class _Ledger:
    """Notes what a replay's sizes did."""

    def __init__(self, result: Replay, ticks: float) -> None:
        self._result = result
        self._every = max(1, math.ceil(ticks / SERIES_MAX))
        self._ticks = 0
        self._last_move = 0

    def note(self, queue: PoolQueue, at: float, target: int) -> None:
        """Note a decision before it is obeyed."""
        result, size = self._result, queue.size
        if target != size:
            move = 1 if target > size else -1
            result.raised += move > 0
            result.lowered += move < 0
            result.direction_changes += self._last_move == -move
            self._last_move = move
        result.peak = max(result.peak, queue.total)
        if self._ticks % self._every == 0:
            result.series.append((at, target, float(queue.busy + len(queue.waiting))))
        self._ticks += 1


def _closed(result: Replay, queue: PoolQueue, limits: Limits) -> Replay:
    result.unfinished = queue.finish(result.seconds)
    waits = sorted(queue.waits)
    result.tasks = len(waits)
    result.agent_s, result.busy_s, result.drains = queue.agent_s, queue.busy_s, queue.drains
    result.cost = queue.agent_s * limits.cost_per_agent_s
    if waits:
        result.wait_p50_s = waits[len(waits) // 2]
        result.wait_p95_s = waits[min(len(waits) - 1, math.ceil(len(waits) * 0.95) - 1)]
        result.wait_max_s = waits[-1]
    return result
