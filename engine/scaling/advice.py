"""What one policy recommends for a pool, before anything bounds the move; pure."""

from __future__ import annotations

import math
from collections.abc import Callable

from engine.model.scaling import FallbackSize, Metric, Observation, Policy, Reason, Trigger, Why
from engine.scaling.history import Forecast, Track, demand, is_panicking, measured

PER_AGENT = frozenset({Metric.CPU.value, Metric.MEMORY.value, Metric.UTILISATION.value})
"""Metrics that are means over the agents that are ready."""
ABSOLUTE = frozenset({Metric.DEMAND.value, Metric.QUEUE_LENGTH.value})
"""Metrics whose value / goal is a number of agents."""
_ROUNDING = 1e-9

Advice = tuple[int | None, tuple[Reason, ...]]
"""A size, None = no opinion, and why."""


def recommend(now: Observation, policy: Policy, track: Track, forecast: Forecast | None) -> Advice:
    """Return the size that a policy would have; a forecast can only raise it."""
    size, reason = _reactive(now, policy, track)
    if track.missing:
        size, reason = _without_metric(now, policy, track, size, reason)
    if size is None:
        return None, (reason,)
    return _foreseen(size, reason, now, policy, forecast)


def settles_at(track: Track, policy: Policy, at: float) -> float:
    """Return when a condition that holds now will have held long enough; now while a mean moves; inf when nothing is on its way."""
    if track.is_settling:
        return at
    ends = []
    if policy.up is not None and track.up_since is not None:
        ends.append(track.up_since + policy.up.sustained_s)
    if policy.down is not None and track.down_since is not None:
        ends.append(track.down_since + policy.down.sustained_s)
    if policy.zero_after_s and track.idle_since is not None:
        ends.append(track.idle_since + policy.zero_after_s)
    if policy.panic is not None:
        ends.append(track.crossed_at + policy.panic.stable_s)
    return min([end for end in ends if end > at], default=math.inf) if ends else math.inf


def _reactive(now: Observation, policy: Policy, track: Track) -> tuple[int | None, Reason]:
    if now.size == 0:
        return _from_zero(now, policy, track)
    if policy.zero_after_s and track.idle_since is not None and now.at - track.idle_since >= policy.zero_after_s:
        return 0, Reason(Why.TO_ZERO, policy.id, (("idle_s", now.at - track.idle_since),))
    if is_panicking(track, policy, now.at):
        needed = math.ceil(track.panic_demand / (policy.target or 1.0) - _ROUNDING)
        if needed > now.size:
            return needed, Reason(Why.PANIC, policy.id, (("demand", track.panic_demand), ("ready", now.ready)))
    size, reason = _by_condition(now, policy, track)
    # Only idleness leads to zero: a pool with one agent answers at once, an empty one does not.
    return (max(1, size) if size is not None else None), reason


def _from_zero(now: Observation, policy: Policy, track: Track) -> tuple[int, Reason]:
    if now.waiting < max(1, policy.activation):
        return 0, Reason(Why.STEADY, policy.id)
    known = policy.target and policy.metric in ABSOLUTE and track.value is not None
    size = _tracked(now, policy, track.value)[0] if known and track.value is not None else 1
    return max(1, size), Reason(Why.ACTIVATED, policy.id, (("waiting", now.waiting),))


def _by_condition(now: Observation, policy: Policy, track: Track) -> tuple[int | None, Reason]:
    up, down = policy.up, policy.down
    if up is not None and _holds(up, track.up_since, now.at):
        value = measured(now, up.metric, policy.drain_s)
        more = up.step or max(1, _in_proportion(now, up, value, math.ceil) - now.size)
        return now.size + more, _triggered(Why.TRIGGER_UP, policy, up, value)
    tracked = _tracked(now, policy, track.value) if policy.target and track.value is not None else None
    if down is not None and _holds(down, track.down_since, now.at):
        value = measured(now, down.metric, policy.drain_s)
        fewer = down.step or max(1, now.size - _in_proportion(now, down, value, math.floor))
        size = now.size - fewer
        return (max(size, tracked[0]) if tracked else size), _triggered(Why.TRIGGER_DOWN, policy, down, value)
    if tracked is not None:
        return tracked
    sustaining = track.down_since is not None or track.up_since is not None
    reason = Reason(Why.SUSTAINING if sustaining else Why.STEADY, policy.id)
    return (None if down is None and not policy.target else now.size), reason


def _holds(trigger: Trigger, since: float | None, at: float) -> bool:
    return since is not None and at - since >= trigger.sustained_s


def _in_proportion(now: Observation, trigger: Trigger, value: float | None, rounded: Callable[[float], int]) -> int:
    if value is None or trigger.threshold <= 0:
        return now.size
    return rounded(now.size * value / trigger.threshold)


def _triggered(why: Why, policy: Policy, trigger: Trigger, value: float | None) -> Reason:
    known = ((trigger.metric, value),) if value is not None else ()
    return Reason(why, policy.id, (*known, ("threshold", trigger.threshold), ("sustained_s", trigger.sustained_s)))


def _tracked(now: Observation, policy: Policy, value: float) -> tuple[int, Reason]:
    """Return the size at which the tracked metric would be at its goal: size * value / goal, as the HPA has it."""
    goal = policy.target
    name = f"mean_{policy.metric}" if policy.average_s else policy.metric
    figures: tuple[tuple[str, float], ...] = ((name, value), ("goal", goal))
    wanted = value / goal if policy.metric in ABSOLUTE else now.size * value / goal
    if policy.safety and policy.metric == Metric.DEMAND:
        spare = policy.safety * math.sqrt(value)
        wanted += spare
        figures = (*figures, ("spare", spare))
    if policy.average_s and policy.metric == Metric.DEMAND and now.waiting:
        # Headroom is for the mean; what waits at this moment needs no more than itself.
        present = demand(now, policy.drain_s)
        if present > wanted:
            wanted, figures = present, ((Metric.DEMAND.value, present), ("goal", 1.0))
    if now.size and abs(wanted / now.size - 1.0) <= policy.tolerance:
        return now.size, Reason(Why.TOLERATED, policy.id, figures)
    if policy.metric in PER_AGENT:
        ratio, starting = value / goal, max(0, now.size - now.ready)
        # Those that start do no work yet when the pool grows, and might be fully used when it shrinks.
        wanted = max(now.size, now.ready * ratio) if ratio > 1 else min(now.size, now.ready * ratio + starting)
    return math.ceil(wanted - _ROUNDING), Reason(Why.TARGET, policy.id, figures)


def _without_metric(
    now: Observation, policy: Policy, track: Track, size: int | None, reason: Reason
) -> tuple[int | None, Reason]:
    """A metric is missing: what the others say may raise the size, not lower it; after some time the fallback counts."""
    fallback = policy.fallback
    figures = (("missing", float(track.missing)),)
    if track.missing < fallback.failures or fallback.behaviour is FallbackSize.CURRENT:
        return (size, reason) if size is not None and size > now.size else (now.size, Reason(Why.UNKNOWN, policy.id, figures))
    aim = fallback.size
    if fallback.behaviour is FallbackSize.CURRENT_IF_HIGHER:
        aim = max(aim, now.size)
    elif fallback.behaviour is FallbackSize.CURRENT_IF_LOWER:
        aim = min(aim, now.size)
    return aim, Reason(Why.FALLBACK, policy.id, figures)


def _foreseen(size: int, reason: Reason, now: Observation, policy: Policy, forecast: Forecast | None) -> Advice:
    """Raise a size to what is foreseen; a forecast that has been wrong too often, or is over, says nothing."""
    prediction = policy.prediction
    if prediction is None or forecast is None or forecast.at < now.at or not forecast.mape <= prediction.error_max:
        return size, (reason,)
    goal = policy.target if policy.target and policy.metric in (Metric.DEMAND, Metric.UTILISATION) else 1.0
    floor = math.ceil(forecast.demand / goal - _ROUNDING)
    if floor <= size:
        return size, (reason,)
    figures = (("demand", forecast.demand), ("in_s", forecast.at - now.at), ("mape", forecast.mape))
    return floor, (reason, Reason(Why.PREDICTED, policy.id, figures))
