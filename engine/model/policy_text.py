"""Policies as people write them: from TOML, JSON or the seeds' camelCase, checked, and back.

The seeds' names stand for the same things: scaleUpTrigger, sustainedPeriod (milliseconds), step, cooldown, stabilization
(milliseconds). Unknown keys are refused with the nearest known one.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping
from typing import Any

from engine.model.errors import UsageError
from engine.model.scaling import (
    METRIC_NAMES,
    Algorithm,
    Direction,
    Fallback,
    FallbackSize,
    Metric,
    Panic,
    Policy,
    PolicyProblems,
    Prediction,
    Trigger,
)
from engine.model.wire import convert, nearest, to_plain

_SEED_KEYS = {"scaleUpTrigger": "up", "scaleDownTrigger": "down", "maxScaleUpStep": "up_step_max", "maxScaleDownStep": "down_step_max"}
_SEED_MILLISECONDS = {
    "sustainedPeriod": "sustained_s",
    "cooldown": "cooldown_s",
    "stabilization": "stabilization_s",
    "predictionHorizon": "horizon_s",
}
_SEED_PREDICTION = {"windowSize": "window"}
_PARTS: dict[str, type] = {
    "up": Trigger,
    "down": Trigger,
    "scale_up": Direction,
    "scale_down": Direction,
    "panic": Panic,
    "fallback": Fallback,
    "prediction": Prediction,
}
_PLUGINS_METRIC = re.compile(r"[a-z][a-z0-9-]{0,39}\.[a-z][a-z0-9_-]{0,39}")
"""PLUGIN.NAME; whether it is measured shows when the plug-in runs, and until then it counts as unknown."""
SEASON_SAMPLES_MAX = 10_000
_PROMISE_MS = 30_000
"""10 -> 100 agents in less than this is what the fleet promises; a condition that must hold longer cannot keep it."""


def policy_of(data: Mapping[str, Any], *, id: str = "", plugins: frozenset[str] = frozenset()) -> Policy:  # noqa: A002
    """Return the policy that a table describes; `plugins` are further metrics. Raises UsageError that names the place."""
    table = _keys(data, Policy, "policy", _SEED_KEYS)
    for name, kind in _PARTS.items():
        if isinstance(table.get(name), Mapping):
            table[name] = _keys(table[name], kind, f"policy.{name}", _SEED_PREDICTION if name == "prediction" else {})
    _spread_limits(table)
    table.setdefault("id", id)
    table.setdefault("name", table["id"])
    _rename_metrics(table)
    policy = convert(_finite(table, "policy"), Policy)
    found = problems(policy, plugins)
    if found.errors:
        raise UsageError(f"policy {policy.name!r}: " + "; ".join(found.errors))
    return policy


def policy_table(policy: Policy) -> dict[str, Any]:
    """Return the table that describes a policy; what equals its default is left out. policy_of() of it gives the policy."""
    table: dict[str, Any] = part_table(policy)
    return table


def merged(table: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a table with changes laid over it; null takes a key away (JSON merge patch, RFC 7396)."""
    result = dict(table)
    for key, value in changes.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, Mapping):
            result[key] = merged(result[key] if isinstance(result.get(key), Mapping) else {}, value)
        else:
            result[key] = value
    return result


def part_table(part: Any) -> dict[str, Any]:  # noqa: ANN401  # a policy or a part of one
    """Return the table that describes a part of a policy; what equals its default is left out."""
    table: dict[str, Any] = {}
    for spec in dataclasses.fields(part):
        value = getattr(part, spec.name)
        if value == spec.default:
            continue
        table[spec.name] = part_table(value) if dataclasses.is_dataclass(value) else to_plain(value)
    return table


def _keys(data: Mapping[str, Any], kind: type, place: str, others: Mapping[str, str]) -> dict[str, Any]:
    """Return a table with our own keys. Raises UsageError for an unknown one."""
    known = {spec.name for spec in dataclasses.fields(kind)}
    if kind is Policy:
        known |= {"up_step_max", "down_step_max"}
    table: dict[str, Any] = {}
    for key, value in data.items():
        name = others.get(key, _snake(key))
        if key in _SEED_MILLISECONDS and key not in known:
            name, value = _SEED_MILLISECONDS[key], _milliseconds(place, key, value)
        if name not in known:
            raise UsageError(f"{place} has no key {key!r}{nearest(name, known)}")
        table[name] = value
    return table


def _snake(key: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in key)


def _milliseconds(place: str, key: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UsageError(f"{place}.{key} is {value!r}; write milliseconds as a number, such as 300000")
    return value / 1_000


def _spread_limits(table: dict[str, Any]) -> None:
    """Put the seeds' step limits where they belong."""
    for key, direction in (("up_step_max", "scale_up"), ("down_step_max", "scale_down")):
        if key in table:
            default = to_plain(Policy("", "").scale_down) if direction == "scale_down" else {}
            table[direction] = {**default, **table.get(direction, {}), "step_max": table.pop(key)}


def _rename_metrics(table: dict[str, Any]) -> None:
    for part in (table, table.get("up"), table.get("down")):
        if isinstance(part, dict) and isinstance(part.get("metric"), str):
            part["metric"] = METRIC_NAMES.get(part["metric"], part["metric"])


def _finite(value: Any, place: str) -> Any:  # noqa: ANN401  # plain JSON
    if isinstance(value, Mapping):
        return {key: _finite(part, f"{place}.{key}") for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(part, place) for part in value]
    if isinstance(value, float) and not math.isfinite(value):
        raise UsageError(f"{place} is {value}; write a number")
    return value


def problems(policy: Policy, plugins: frozenset[str] = frozenset()) -> PolicyProblems:
    """Return what is wrong with a policy and what is odd about it; pure."""
    found = PolicyProblems()
    errors = found.errors
    if policy.up is None and policy.down is None and not policy.target:
        errors.append("it has neither a target nor a trigger, so it would never do anything; give target, up or down")
    _check_triggers(policy, plugins, found)
    _check_numbers(policy, errors)
    for word, direction in (("scale_up", policy.scale_up), ("scale_down", policy.scale_down)):
        for rate in direction.rates:
            if rate.period_s <= 0 or (rate.agents <= 0 and rate.percent <= 0):
                errors.append(f"{word}.rates: a rate needs period_s above 0 and agents or percent above 0")
    if policy.panic is not None and policy.panic.window_s >= policy.panic.stable_s:
        errors.append("panic.window_s must be shorter than panic.stable_s")
    _check_prediction(policy.prediction, errors)
    if policy.fallback.behaviour is not FallbackSize.CURRENT and policy.fallback.size <= 0:
        errors.append(f"fallback.behaviour {policy.fallback.behaviour} needs fallback.size above 0")
    return found


def _check_triggers(policy: Policy, plugins: frozenset[str], found: PolicyProblems) -> None:
    known = {metric.value for metric in Metric} | plugins
    named = [("metric", policy.metric)] if policy.target else []
    named += [(f"{word}.metric", part.metric) for word, part in (("up", policy.up), ("down", policy.down)) if part]
    for place, metric in named:
        if metric not in known and not _PLUGINS_METRIC.fullmatch(metric):
            found.errors.append(f"{place} {metric!r} is not measured{nearest(metric, known)}")
    up, down = policy.up, policy.down
    if up is not None and down is not None and up.metric == down.metric and down.threshold >= up.threshold:
        found.errors.append(
            f"down.threshold {down.threshold:g} is not below up.threshold {up.threshold:g}: the pool would grow and shrink at once"
        )
    if up is not None and up.sustained_s * 1_000 > _PROMISE_MS:
        found.warnings.append(
            f"up must hold {up.sustained_s:g} s before the first agent is added; a burst waits that long (add a target or panic)"
        )


def _check_numbers(policy: Policy, errors: list[str]) -> None:
    for place, part in (("", policy), *[(f"{name}.", getattr(policy, name)) for name in _PARTS]):
        for spec in dataclasses.fields(part) if part is not None else ():
            value = getattr(part, spec.name)
            if isinstance(value, int | float) and not isinstance(value, bool) and value < 0 and spec.name != "error_max":
                errors.append(f"{place}{spec.name} is {value:g}; it cannot be below 0")
    if policy.target and policy.drain_s <= 0:
        errors.append("drain_s must be above 0")
    for place, trigger in (("up", policy.up), ("down", policy.down)):
        if trigger is not None and trigger.threshold == 0 and not trigger.step:
            errors.append(f"{place}.threshold is 0, so no proportion can be taken; give {place}.step")


def _check_prediction(prediction: Prediction | None, errors: list[str]) -> None:
    if prediction is None:
        return
    if prediction.sample_s <= 0 or prediction.horizon_s <= 0:
        errors.append("prediction.sample_s and horizon_s must be above 0")
    elif prediction.algorithm is Algorithm.SEASONAL:
        samples = prediction.season_s / prediction.sample_s
        if not 2 <= samples <= SEASON_SAMPLES_MAX:
            errors.append(f"a season of {samples:g} samples; season_s / sample_s must be 2..{SEASON_SAMPLES_MAX}")
    if prediction.window < 5:  # noqa: PLR2004  # as many as a line with a deviation needs
        errors.append("prediction.window must be at least 5 samples")


