"""Plans: what a list of verbs would do, what it did, who asked, and how to take it back."""

from __future__ import annotations

from dataclasses import dataclass, field

from engine.model.ids import PlanId


@dataclass(frozen=True, slots=True)
class Origin:
    """Who acts, through which face and from where."""

    who: str
    via: str = "api"
    """console, cli, api, library or engine."""
    address: str = ""
    role: int = 1


@dataclass(frozen=True, slots=True)
class Call:
    """A verb by name with its arguments: the form in which it travels and is kept."""

    name: str
    args: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PlanStep:
    """What one verb would change."""

    call: Call
    target: str
    before: str
    after: str
    effect: str = ""
    """What follows from it, in one sentence."""
    warning: str = ""
    changes: bool = True
    """False when the target already is as asked."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Checked and described, not applied; executing it by its id applies exactly this."""

    id: PlanId
    steps: tuple[PlanStep, ...]
    danger: str
    reason: str
    undoable: bool
    at: float
    seq: int
    """State that it was made on."""


@dataclass(frozen=True, slots=True)
class AppliedPlan:
    """A plan that was carried out, with the calls that take it back."""

    id: PlanId
    at: float
    who: str
    via: str
    reason: str
    summary: str
    calls: tuple[Call, ...]
    inverse: tuple[Call, ...]
    undo_until: float
    """Instant until which undo is offered; 0 = cannot be undone."""
    steps: tuple[tuple[str, str, str], ...] = ()
    """(target, before, after), at most 20."""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One line of the audit: who asked for what, from where, why, and what came of it."""

    at: float
    who: str
    via: str
    address: str
    action: str
    target: str
    reason: str
    result: str
    """`done`, or the refusal's own text."""
    plan: str = ""
    before: str = ""
    after: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What executing gave: one value a verb, and the plan under which it can be undone."""

    plan: PlanId
    values: tuple[object, ...]
    seq: int
    summary: str
    undo_until: float = 0.0
