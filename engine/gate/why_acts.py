"""Which act of an operator made a thing as it is, from the plans and the audit that the state keeps; pure."""

from __future__ import annotations

from collections.abc import Collection

from engine.model.explanations import Evidence
from engine.state import FleetState


def find_act(state: FleetState, verbs: Collection[str], words: Collection[str]) -> Evidence | None:
    """Return who last carried out one of some verbs on a thing that one of `words` names; None when nothing kept says.

    The text says who did it and why, such as `by ada: migration tonight`.
    """
    for kept in reversed(state.plans.values()):
        plan = kept.plan
        if any(call.name in verbs and any(value in words for value in call.args.values() if isinstance(value, str)) for call in plan.calls):
            return Evidence(_by(plan.who, plan.reason), at=plan.at, kind="plans", id=plan.id)
    first = state.totals.audited - len(state.audit) + 1
    for number in range(len(state.audit) - 1, -1, -1):
        entry = state.audit[number]
        if entry.action in verbs and entry.target in words and entry.result == "done":
            return Evidence(_by(entry.who, entry.reason), at=entry.at, kind="audit", id=f"aud_{first + number}")
    return None


def _by(who: str, reason: str) -> str:
    return f"by {who or 'somebody unknown'}" + (f": {reason}" if reason else "")


def told(text: str, act: Evidence | None, level: str = "warn") -> Evidence:
    """Return a fact with the act that made it so; without one, that nothing which is kept says who did it."""
    if act is None:
        return Evidence(f"{text}; what is kept of plans and audit does not reach back to it", level)
    return Evidence(f"{text} {act.text}", level, act.at, act.kind, act.id)


def halts_of(state: FleetState, *scopes: str) -> list[Evidence]:
    """Return the emergency stops that hold of some scopes."""
    words = {"scaling": "no size moves by itself", "placing": "nothing is placed", "agents": "nothing is placed"}
    return [
        Evidence(f"{words[halt.scope]}: {halt.who} halted {halt.scope}; `resume` ends it", "warn", halt.at)
        for halt in state.halted.values()
        if halt.scope in scopes
    ]
