"""What a decision knows of the past of one pool: since when conditions hold, what was recommended, what was changed.

Owner: of itself; the autoscaler (or a backtest) keeps one for each pool and is its only writer. Everything in it is
bounded by the longest window of the policies. Times that run backwards begin it anew.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from engine.model.scaling import Decision, Metric, Observation, Policy, Trigger, is_known

GAP_TICKS = 3
"""An observation that is later than so many ticks has samples missing before it."""
EVENTS_MAX = 4_096
"""Moves of the size remembered for rates; older ones are forgotten, which can only allow more."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """Demand foreseen for an instant, in agents, with a 95 % interval and the running error of such forecasts."""

    at: float
    demand: float
    low: float
    high: float
    mape: float
    """Mean absolute percentage error so far, a ratio; inf = none could be compared yet."""


class Extremes:
    """The highest (or lowest) value of a sliding window, by a monotonic queue."""

    def __init__(self, window_s: float, *, highest: bool) -> None:
        self._window_s = window_s
        self._sign = 1 if highest else -1
        self._kept: deque[tuple[int, float]] = deque()
        """(value, last instant at which it was seen), best first."""

    def see(self, value: int, at: float) -> None:
        """Take a value; instants do not fall."""
        kept, sign = self._kept, self._sign
        while kept and sign * kept[-1][0] <= sign * value:
            kept.pop()
        kept.append((value, at))
        while kept[0][1] < at - self._window_s:
            kept.popleft()

    def best(self, value: int, at: float) -> tuple[int, float]:
        """Return the best of a value and of those in the window before `at`, and when it leaves the window."""
        for known, seen_at in self._kept:
            if seen_at >= at - self._window_s:
                better = known if self._sign * known > self._sign * value else value
                return better, (seen_at if better == known else at) + self._window_s
        return value, at + self._window_s


class Mean:
    """The mean over time of a sliding window; a value holds since the one before it."""

    def __init__(self, window_s: float) -> None:
        self._window_s = window_s
        self._kept: deque[tuple[float, float]] = deque()
        """(instant until which it held, value)."""
        self._from = 0.0
        """Since when the first of them held."""
        self._area = 0.0

    def see(self, value: float, at: float) -> float:
        """Take a value and return the mean of the window that ends with it."""
        kept = self._kept
        if not kept:
            self._from = at
        else:
            self._area += value * (at - kept[-1][0])
        if len(kept) > 1 and kept[-1][1] == value == kept[-2][1]:
            kept.pop()
        kept.append((at, value))
        begin = at - self._window_s
        while self._from < begin:
            until, known = kept[0]
            if until > begin:
                self._area -= known * (begin - self._from)
                self._from = begin
            else:
                self._area -= known * (until - self._from)
                self._from = until
                kept.popleft()
        if len(kept) == 1 or at == self._from:
            self._area = value * (at - self._from)  # rounding errors end here
            return value
        return max(0.0, self._area) / (at - self._from)


@dataclass(slots=True)
class Track:
    """What one policy has seen of one pool."""

    lows: Extremes
    """What it recommended within the window of stabilization upwards."""
    highs: Extremes
    mean: Mean
    """Of the tracked metric."""
    panic: Mean
    """Of demand, over the panic window."""
    up_since: float | None = None
    down_since: float | None = None
    idle_since: float | None = None
    missing: int = 0
    """Observations in a row without a metric that the policy needs."""
    crossed_at: float = -math.inf
    """When demand last crossed the panic threshold."""
    panic_demand: float = 0.0
    """Mean demand of the panic window, in agents."""
    value: float | None = None
    """The tracked metric, as last measured or as its mean."""
    is_settling: bool = False
    """A mean still moves although the present does not."""


class History:
    """The past of one pool."""

    def __init__(self, tick_s: float = 1.0) -> None:
        self.tracks: dict[str, Track] = {}
        self.events: deque[tuple[float, int]] = deque(maxlen=EVENTS_MAX)
        """(instant, agents more or fewer) of every change of size, an operator's included."""
        self.last: Observation | None = None
        self.decision: Decision | None = None
        self._gap_s = GAP_TICKS * tick_s

    def track(self, policy: Policy) -> Track:
        """Return what a policy has seen."""
        found = self.tracks.get(policy.id)
        if found is None:
            lows = Extremes(policy.scale_up.stabilization_s, highest=False)
            highs = Extremes(policy.scale_down.stabilization_s, highest=True)
            found = self.tracks[policy.id] = Track(
                lows, highs, Mean(policy.average_s), Mean(policy.panic.window_s if policy.panic else 0.0)
            )
        return found

    def observe(self, now: Observation, policies: Sequence[Policy]) -> None:
        """Take an observation; decide() is asked afterwards, at the same instant."""
        last = self.last
        if last is not None and now.at < last.at:
            self._begin_anew()
        elif last is not None and now.at - last.at > self._gap_s:
            self._forget_conditions(policies)
        if last is not None and now.size != last.size:
            self.events.append((now.at, now.size - last.size))
        self.last = now
        for policy in policies:
            self._follow(self.track(policy), policy, now)

    def decided(self, decision: Decision) -> None:
        """Note a decision; its move is seen with the next observation."""
        self.decision = decision
        for policy_id, size in decision.advised:
            track = self.tracks[policy_id]
            track.lows.see(size, decision.at)
            track.highs.see(size, decision.at)
        if decision.target == decision.size:
            return
        for track in self.tracks.values():  # what held at the old size has to hold at the new one
            track.up_since = track.down_since = None

    def unchanged_until(self, at: float, policies: Sequence[Policy]) -> None:
        """Take it that the pool stayed as last observed, with the same decision, until an instant."""
        if self.last is None or at <= self.last.at:
            return
        self.last = self.last._replace(at=at)
        for policy in policies:
            self._follow(self.track(policy), policy, self.last)
        for policy_id, size in self.decision.advised if self.decision else ():
            track = self.tracks[policy_id]
            track.lows.see(size, at)
            track.highs.see(size, at)

    def forget(self, policy_id: str) -> None:
        """Forget what a policy saw; it changed or is gone."""
        self.tracks.pop(policy_id, None)

    def _begin_anew(self) -> None:
        self.tracks.clear()
        self.events.clear()
        self.decision = None

    def _forget_conditions(self, policies: Sequence[Policy]) -> None:
        for policy in policies:
            if not policy.hold_on_missing:
                track = self.track(policy)
                track.up_since = track.down_since = track.idle_since = None

    def _follow(self, track: Track, policy: Policy, now: Observation) -> None:
        needed = missing = track.is_settling = False
        if policy.up is not None:
            value = measured(now, policy.up.metric, policy.drain_s)
            needed, missing = True, value is None
            track.up_since = _since(track.up_since, policy.up, value, now.at, policy, above=True)
        if policy.down is not None:
            value = measured(now, policy.down.metric, policy.drain_s)
            needed, missing = True, missing or value is None
            track.down_since = _since(track.down_since, policy.down, value, now.at, policy, above=False)
        if policy.target:
            track.value = value = measured(now, policy.metric, policy.drain_s)
            needed, missing = True, missing or value is None
            if policy.average_s and value is not None:
                track.value = track.mean.see(value, now.at)
                track.is_settling = track.value != value
        track.missing = track.missing + 1 if needed and missing else 0
        if policy.zero_after_s:
            idle = not now.busy and not now.waiting
            track.idle_since = (now.at if track.idle_since is None else track.idle_since) if idle else None
        if policy.panic is not None:
            value = demand(now, policy.drain_s)
            track.panic_demand = track.panic.see(value, now.at)
            track.is_settling |= track.panic_demand != value
            if track.panic_demand >= policy.panic.threshold * max(1, now.ready):
                track.crossed_at = now.at


def measured(now: Observation, metric: str, drain_s: float) -> float | None:
    """Return a metric of an observation, None when it was not measured. O(1)."""
    if metric == Metric.DEMAND:
        return demand(now, drain_s)
    if metric == Metric.UTILISATION:
        return now.busy / now.ready if now.ready else (1.0 if now.waiting else 0.0)
    value = getattr(now, _FIELDS[metric]) if metric in _FIELDS else dict(now.custom).get(metric)
    return value if is_known(value) else None


_FIELDS = {
    Metric.CPU.value: "cpu",
    Metric.MEMORY.value: "memory",
    Metric.QUEUE_LENGTH.value: "waiting",
    Metric.RESPONSE_TIME.value: "response_time_ms",
    Metric.OLDEST_WAITING.value: "oldest_waiting_s",
}


def demand(now: Observation, drain_s: float) -> float:
    """Return the agents that the present work needs: busy ones, and those that empty the queue in drain_s.

    Never more than one for each task. While the time of a task is not known yet, each waiting one counts as an agent.
    """
    waiting = float(now.waiting)
    if now.service_s is not None and math.isfinite(now.service_s) and now.service_s < drain_s:
        waiting *= now.service_s / drain_s
    return now.busy + waiting


def _since(  # noqa: PLR0913  # a condition: what holds, since when, at which value
    since: float | None, trigger: Trigger, value: float | None, at: float, policy: Policy, *, above: bool
) -> float | None:
    if value is None:
        return since if policy.hold_on_missing else None
    holds = value > trigger.threshold if above else value < trigger.threshold
    if not holds:
        return None
    return at if since is None else since


def is_panicking(track: Track, policy: Policy, at: float) -> bool:
    """Tell whether the threshold was crossed within the stable window."""
    return policy.panic is not None and at - track.crossed_at < policy.panic.stable_s

