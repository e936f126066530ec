"""The one decision: how many agents a pool should have now, and why; pure.

Each policy recommends a size (engine.scaling.advice) and bounds its own move: stabilization, cooldown, rates, steps. The
highest of them counts; budget, limits and a hold by an operator come last. A policy without an opinion (a lone trigger
that does not hold) neither raises nor keeps a size.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from engine.model.scaling import (
    Decision,
    Direction,
    Limits,
    Observation,
    Policy,
    Rate,
    Reason,
    Select,
    Why,
)
from engine.scaling.advice import recommend, settles_at
from engine.scaling.history import Forecast, History, is_panicking

_HOUR_S = 3_600.0
_NOTHING: Mapping[str, Forecast] = {}


class Move(NamedTuple):
    """What one policy wants and how far it may go now."""

    size: int
    target: int
    reasons: tuple[Reason, ...]
    waits_until: float


def decide(
    now: Observation,
    policies: Sequence[Policy],
    limits: Limits,
    history: History,
    forecasts: Mapping[str, Forecast] = _NOTHING,
) -> Decision:
    """Return the size that a pool should have now; `history` has observed `now` and is only read.

    `forecasts` are by policy. The same arguments give the same decision. min and max of the limits hold whatever the
    policies say.
    """
    if limits.hold is not None and limits.hold.holds(now.at):
        return Decision(now.at, now.size, now.size, now.size, (Reason(Why.HELD),), limits.hold.until or math.inf)
    moves: list[Move] = []
    advised: list[tuple[str, int]] = []
    waits_until = math.inf
    for policy in policies:
        track = history.track(policy)
        if (settles := settles_at(track, policy, now.at)) < waits_until:
            waits_until = settles
        size, reasons = recommend(now, policy, track, forecasts.get(policy.id))
        if size is None:
            continue
        move = _bounded(now, policy, history, Move(size, size, reasons, math.inf))
        if move.waits_until < waits_until:
            waits_until = move.waits_until
        moves.append(move)
        advised.append((policy.id, size))
    if len(moves) == 1:
        best = moves[0]
    elif moves:
        best = max(moves, key=lambda move: (move.target, move.size))
    else:
        best = Move(now.size, now.size, (Reason(Why.STEADY if policies else Why.NO_POLICY),), math.inf)
    target, reasons = _limited(best, policies, limits)
    return Decision(now.at, now.size, best.size, target, reasons, waits_until, tuple(advised))


def _limited(move: Move, policies: Sequence[Policy], limits: Limits) -> tuple[int, tuple[Reason, ...]]:
    """Apply what holds whatever policies say: the budget, then max and min."""
    target, reasons = move.target, move.reasons
    if limits.min <= target <= limits.max and not limits.cost_per_agent_s:
        return target, reasons
    if limits.cost_per_agent_s:
        for policy in policies:
            affordable = policy.cost_per_hour_max / (limits.cost_per_agent_s * _HOUR_S)
            if policy.cost_per_hour_max and target > affordable:
                target = math.floor(affordable)
                reasons = (*reasons, Reason(Why.BUDGET, policy.id, (("cost_per_hour_max", policy.cost_per_hour_max),)))
    if target > limits.max:
        target, reasons = limits.max, (*reasons, Reason(Why.MAX, "", (("max", limits.max),)))
    if target < limits.min:
        target, reasons = limits.min, (*reasons, Reason(Why.MIN, "", (("min", limits.min),)))
    return target, reasons


# ---- how far one policy may go now


def _bounded(now: Observation, policy: Policy, history: History, move: Move) -> Move:
    if move.size == now.size:
        return move
    sign = 1 if move.size > now.size else -1
    direction = policy.scale_up if sign > 0 else policy.scale_down
    if direction.select is Select.DISABLED:
        return _shortened(move, now.size, Reason(Why.DISABLED, policy.id))
    track = history.track(policy)
    panicking = is_panicking(track, policy, now.at)
    if panicking and sign < 0:
        assert policy.panic is not None
        return _shortened(move, now.size, Reason(Why.PANIC_HOLDS, policy.id), track.crossed_at + policy.panic.stable_s)
    if not panicking:
        move = _stabilized(now, policy, history, move)
        move = _cooled(now, policy, direction, history, move)
        move = _rated(now, policy, direction, history, move)
    if direction.step_max and abs(move.target - now.size) > direction.step_max:
        reason = Reason(Why.STEP, policy.id, (("step_max", direction.step_max),))
        move = _shortened(move, now.size + sign * direction.step_max, reason, now.at)
    return move


def _shortened(move: Move, target: int, reason: Reason, until: float = math.inf) -> Move:
    return Move(move.size, target, (*move.reasons, reason), min(move.waits_until, until))


def _stabilized(now: Observation, policy: Policy, history: History, move: Move) -> Move:
    track = history.track(policy)
    if move.size > now.size:
        if not policy.scale_up.stabilization_s:
            return move
        lowest, until = track.lows.best(move.size, now.at)
        target = max(now.size, lowest)
        why = Why.STABILIZED_UP
    else:
        if not policy.scale_down.stabilization_s:
            return move
        highest, until = track.highs.best(move.size, now.at)
        target = min(now.size, highest)
        why = Why.STABILIZED_DOWN
    return move if target == move.target else _shortened(move, target, Reason(why, policy.id), until)


def _cooled(now: Observation, policy: Policy, direction: Direction, history: History, move: Move) -> Move:
    if not direction.cooldown_s or move.target == now.size:
        return move
    rising = move.target > now.size
    last = next((at for at, delta in reversed(history.events) if (delta > 0) is rising), -math.inf)
    if now.at - last >= direction.cooldown_s:
        return move
    reason = Reason(Why.COOLING, policy.id, (("cooldown_s", direction.cooldown_s),))
    return _shortened(move, now.size, reason, last + direction.cooldown_s)


def _rated(now: Observation, policy: Policy, direction: Direction, history: History, move: Move) -> Move:
    if not direction.rates or move.target == now.size:
        return move
    sign = 1 if move.target > now.size else -1
    pick = max if direction.select is Select.MAX else min
    left, until = pick((_moves_left(now, rate, history, sign) for rate in direction.rates), key=lambda bound: bound[0])
    if abs(move.target - now.size) <= left:
        return move
    return _shortened(move, now.size + sign * left, Reason(Why.RATE, policy.id, (("moves_left", left),)), until)


def _moves_left(now: Observation, rate: Rate, history: History, sign: int) -> tuple[int, float]:
    """Return how many agents may still come (or go) in a rate's period, and when that number can rise.

    Counted over events, so that going up and down again uses the budget too. Percent is of the size at the period's
    start, rounded up for more and down for fewer agents, never below one.
    """
    spent = net = 0
    oldest = now.at
    for at, delta in reversed(history.events):
        if at <= now.at - rate.period_s:
            break
        net += delta
        if delta * sign > 0:
            spent += abs(delta)
            oldest = at
    allowed = rate.agents
    if rate.percent:
        share = (now.size - net) * rate.percent / 100
        allowed = max(allowed, math.ceil(share) if sign > 0 else math.floor(share), 1)
    return max(0, allowed - spent), oldest + rate.period_s
