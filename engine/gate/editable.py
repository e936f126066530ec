"""The query `editable`: what of a pool, a policy or an alert rule may be changed, made from the models that check its configuration."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import textwrap
from collections.abc import Iterator
from enum import StrEnum
from functools import cache
from typing import Any, get_type_hints

import annotated_types
from pydantic.fields import FieldInfo

from engine.model.config_sections import PoolConfig
from engine.model.editing import EDITED, Editable, EditField
from engine.model.errors import UsageError
from engine.model.policy_text import part_table, policy_table
from engine.model.pools import EDITABLE, PoolSpec
from engine.model.resource_config import ResourcesConfig
from engine.model.rule_editing import rule_fields
from engine.model.scaling import Direction, Fallback, Metric, Panic, Policy, Prediction, Trigger
from engine.model.wire import nearest, to_plain
from engine.monitoring.alerts.rule_verbs import check_changeable, create_args, find_rule
from engine.scaling.policies import find_pool
from engine.scaling.policy_verbs import find_policy
from engine.state import FleetState

_RESOURCES = frozenset(ResourcesConfig.model_fields)
_TYPES: dict[Any, str] = {int: "whole", float: "number", bool: "flag", str: "text"}
_QUANTITIES = {"memory": "megabytes", "storage": "megabytes", "cpu": "cores"}
_PARTS: dict[str, type] = {
    "up": Trigger,
    "down": Trigger,
    "scale_up": Direction,
    "scale_down": Direction,
    "panic": Panic,
    "fallback": Fallback,
    "prediction": Prediction,
}
_MAY_BE_NEGATIVE = frozenset({"error_max"})


def editable(state: FleetState, kind: str, word: str) -> Editable:
    """Return a thing as somebody begins to edit it. Raises UsageError for a kind that is not edited, NotFound."""
    if kind == "pools":
        pool = find_pool(state, word)
        return Editable(kind, word, tuple(_pool_fields(pool.spec, pool.configured or pool.spec)))
    if kind == "policies":
        return Editable(kind, word, tuple(_policy_fields(find_policy(state, word))))
    if kind == "rules":
        return Editable(kind, word, tuple(rule_fields(create_args(check_changeable(find_rule(state, word))))))
    raise UsageError(f"{kind!r} cannot be edited{nearest(kind, set(EDITED))}; {', '.join(EDITED)} can")


# ---- pools


def _pool_fields(spec: PoolSpec, configured: PoolSpec) -> Iterator[EditField]:
    for key in EDITABLE:
        in_resources = key in _RESOURCES
        info = (ResourcesConfig if in_resources else PoolConfig).model_fields[key]
        value, default = (getattr(one.resources if in_resources else one, key) for one in (spec, configured))
        ge, le = _bounds(info)
        yield EditField(key, _QUANTITIES.get(key) or _TYPES[info.annotation], value, default, info.description or "", ge, le)


def _bounds(info: FieldInfo) -> tuple[float | None, float | None]:
    """Return the least and the largest value that a model takes."""
    ge = next((limit.ge for limit in info.metadata if isinstance(limit, annotated_types.Ge)), None)
    le = next((limit.le for limit in info.metadata if isinstance(limit, annotated_types.Le)), None)
    return ge, le  # type: ignore[return-value]  # of numbers


# ---- policies


def _policy_fields(policy: Policy) -> Iterator[EditField]:
    table = policy_table(policy)
    yield from (_field("", spec, table) for spec in _specs(Policy) if spec.name not in ("id", *_PARTS))
    for name, kind in _PARTS.items():
        default = next(spec.default for spec in dataclasses.fields(Policy) if spec.name == name)
        implied = {} if name in table or default is None else part_table(default)
        for spec in _specs(kind):
            field = _field(f"{name}.", spec, table.get(name) or implied)
            yield dataclasses.replace(field, is_implied=spec.name in implied)


@dataclasses.dataclass(frozen=True, slots=True)
class _Spec:
    """A field of a dataclass with its type and what is said of it."""

    name: str
    hint: Any
    default: Any
    help: str


@cache
def _specs(kind: type) -> tuple[_Spec, ...]:
    hints, helps = get_type_hints(kind), _docs(kind)
    return tuple(_Spec(spec.name, hints[spec.name], spec.default, helps.get(spec.name, "")) for spec in dataclasses.fields(kind))


def _docs(kind: type) -> dict[str, str]:
    """Return the sentences below the fields of a dataclass."""
    [node] = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    assert isinstance(node, ast.ClassDef)
    found = {}
    for spec, below in zip(node.body, node.body[1:], strict=False):
        if isinstance(spec, ast.AnnAssign) and isinstance(spec.target, ast.Name) and isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant):
            found[spec.target.id] = " ".join(str(below.value.value).split()).rstrip(".")
    return found


def _field(before: str, spec: _Spec, table: dict[str, Any]) -> EditField:
    plain = None if spec.default is dataclasses.MISSING else to_plain(spec.default)
    help_ = spec.help or _FURTHER.get(spec.name, "")
    if isinstance(spec.hint, type) and issubclass(spec.hint, StrEnum):
        return EditField(before + spec.name, "choice", table.get(spec.name), plain, help_, choices=tuple(spec.hint))
    type_ = _TYPES.get(spec.hint, "json")
    ge = 0 if type_ in ("whole", "number") and spec.name not in _MAY_BE_NEGATIVE else None
    value = table.get(spec.name)
    value, plain = (list(one) if isinstance(one, tuple) else one for one in (value, plain))
    return EditField(before + spec.name, type_, value, plain, help_, ge)


_FURTHER = {
    "name": "what people call it",
    "enabled": "whether it decides",
    "metric": f"what it looks at: {', '.join(Metric)}, or a plug-in's",
    "threshold": "beyond it the condition holds",
    "sustained_s": "for so long without a break, seconds",
    "failures": "observations in a row without the metric",
    "size": "agents to aim for meanwhile",
    "behaviour": "which size to aim for",
    "algorithm": "how the demand is foreseen",
    "window_s": "the short window, seconds",
    "horizon_s": "how far ahead, seconds",
    "period_s": "seconds",
}
"""What is to be said of fields whose dataclass says nothing, since their names do."""
