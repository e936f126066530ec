"""Rows of policies and of the autoscaler's decisions; pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from engine.model.policy_text import policy_table
from engine.model.rows import AdviceRow, PolicyRow, ScalingRow
from engine.model.scaling import Policy
from engine.model.wire import encode
from engine.scaling.autoscaler import AutoScaler, policies_of
from engine.scaling.history import demand
from engine.scaling.optimizer import Recommendation
from engine.scaling.words import explain
from engine.state import FleetState


def policy_rules(policy: Policy) -> str:
    """Return a policy's keys in words, those that equal their default left out."""
    return keys_in_words({key: value for key, value in policy_table(policy).items() if key not in ("id", "name", "pool", "enabled")})


def keys_in_words(table: Mapping[str, Any]) -> str:
    """Return `target 0.7, drain_s 10.0`."""
    return ", ".join(f"{key} {encode(value).decode() if isinstance(value, dict | list) else value}" for key, value in table.items())


def policy_row(state: FleetState, policy: Policy) -> PolicyRow:
    """Return a policy's row."""
    pools = sum(policy in policies_of(state.policies, pool) for pool in state.pools)
    return PolicyRow(policy.id, policy.name, policy.pool, policy.enabled, pools, policy_rules(policy))


def advice_row(one: Recommendation) -> AdviceRow:
    """Return a recommendation's row."""
    return AdviceRow(
        f"{one.pool} {one.kind}",
        one.pool,
        one.kind,
        one.current,
        one.recommended,
        round(one.efficiency, 4),
        round(one.saves_memory_mb, 1),
        round(one.saves_cores, 2),
        one.saves_agents,
        round(one.saves_cost_per_hour, 4),
        one.evidence,
        encode(one.call).decode(),
    )


def scaling_row(state: FleetState, scaler: AutoScaler, pool: str) -> ScalingRow | None:
    """Return what was last decided for a pool, None when nothing was."""
    decision, seen = scaler.decisions.get(pool), scaler.observations.get(pool)
    if decision is None or seen is None or pool not in state.pools:
        return None
    hold = state.pools[pool].hold
    policy = decision.reasons[0].policy if decision.reasons else ""
    drain_s = state.policies[policy].drain_s if policy in state.policies else 1.0
    forecast = min(scaler.forecasts(pool).values(), key=lambda one: one.mape, default=None)
    return ScalingRow(
        pool,
        decision.at,
        decision.size,
        decision.recommended,
        decision.target,
        explain(decision),
        decision.waits_until if math.isfinite(decision.waits_until) else 0.0,
        policy,
        seen.busy,
        seen.waiting,
        round(demand(seen, drain_s), 2),
        -1.0 if seen.service_s is None else round(seen.service_s, 4),
        -1.0 if forecast is None else round(forecast.demand, 2),
        0.0 if forecast is None else forecast.at,
        -1.0 if forecast is None or not math.isfinite(forecast.mape) else round(forecast.mape, 4),
        hold.who if hold else "",
        hold.until if hold else 0.0,
    )
