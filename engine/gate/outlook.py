"""What somebody may do and why not: every verb with its role, its rules and their hours; pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from engine.gate.authority import Rules, names_by
from engine.model.commands import COMMANDS, VERBS
from engine.model.errors import UsageError
from engine.model.guardrails import Guardrail
from engine.model.plans import Authority, Origin
from engine.model.verbs import Command
from engine.model.wire import nearest
from engine.state import FleetState


def verbs_named(word: str) -> list[type[Command]]:
    """Return the verb of a word or full name, all of them for an empty one. Raises UsageError with the nearest."""
    if not word:
        return list(COMMANDS.values())
    kind = VERBS.get(word) or COMMANDS.get(word)
    if kind is None:
        raise UsageError(f"no verb {word[:64]!r}{nearest(word[:64], {**VERBS, **COMMANDS})}")
    return [kind]


def outlook(  # noqa: PLR0913  # who, on which fleet, under which rules, and when
    state: FleetState, rules: Rules, origin: Origin, authority: Authority, *, word: str, target: str, now: float
) -> list[dict[str, Any]]:
    """Return for each verb whether it may be asked for, why not, and under which conditions. Raises UsageError."""
    names = _names(state, target)
    return [_about(kind, rules.about(origin, kind, names), authority, narrow=bool(target), now=now) for kind in verbs_named(word)]


def _names(state: FleetState, target: str) -> tuple[str, ...]:
    """Return everything that a thing is called, whatever it is."""
    if not target:
        return ()
    return tuple(dict.fromkeys(name for kind in ("pools", "agents", "tasks", "policies") for name in names_by(state, kind, target)))


def _about(kind: type[Command], rules: Sequence[Guardrail], authority: Authority, *, narrow: bool, now: float) -> dict[str, Any]:
    why = authority.why_not(kind)
    conditions: list[str] = []
    for guardrail in rules:
        where = "" if narrow or not guardrail.rule.targets else f" on {', '.join(guardrail.rule.targets)}"
        for text, refuses in _effects(guardrail, now):
            said = f"{guardrail.name}{where}: {text}"
            if refuses and not where:
                why = why or said
            else:
                conditions.append(said)
    return {"verb": kind.verb, "name": kind.name, "may": not why, "why": why, "conditions": conditions, "help": kind.help}


def _effects(guardrail: Guardrail, now: float) -> list[tuple[str, bool]]:
    rule = guardrail.rule
    found: list[tuple[str, bool]] = []
    if rule.deny:
        found.append((f"refused: {rule.deny}", True))
    if rule.window is not None:
        found.append((rule.window.describe(now), not rule.window.is_open(now)))
    if rule.max_bulk is not None:
        found.append((f"at most {rule.max_bulk} at once", False))
    if rule.confirm:
        found.append(("the target's name is typed", False))
    if rule.reason_required:
        found.append(("a reason is given", False))
    if rule.vote is not None:
        found.append((f"others vote on it: {', '.join(rule.vote.voters)}", False))
    return found
