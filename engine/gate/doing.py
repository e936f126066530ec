"""What an act of an operator is on its way through a gate: asked for, understood, and about to be done.

Owner: nobody; everything here is frozen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engine.gate import undo
from engine.gate.plans import Said
from engine.memory.contract import StoredArtifact
from engine.model.commands import COMMANDS
from engine.model.ids import PlanId, ProposalId
from engine.model.plans import PlanStep
from engine.model.verbs import Command
from engine.state import KeptPlan


@dataclass(frozen=True, slots=True)
class Meant:
    """What verbs come to once relative sizes, undo and redo are resolved."""

    asked: tuple[Command, ...]
    does: tuple[Command, ...]
    """The same, or what undo and redo do."""
    kept: KeptPlan | None = None
    """The plan that undo or redo is about."""
    artifacts: Sequence[StoredArtifact] = ()
    """What the journal is to keep of them."""

    @property
    def kinds(self) -> tuple[type[Command], ...]:
        """Return the verbs that rules may be about."""
        return (type(self.does[0]), type(self.asked[0]))


@dataclass(frozen=True, slots=True)
class Asked:
    """Verbs that are to be carried out."""

    commands: Sequence[Command]
    reason: str
    confirm: str
    plan_id: PlanId
    said: Said | None = None
    """What their plan said; None = nobody made one."""
    who: str = ""
    """For whom the plan was made; empty = there is none."""
    vote: ProposalId | None = None
    """The vote that has accepted them."""
    passed: tuple[str, ...] = ()
    """The rules whose votes did."""


@dataclass(frozen=True, slots=True)
class Doing:
    """Verbs on their way into the journal."""

    meant: Meant
    steps: Sequence[PlanStep]
    """What they do; empty for the routine work of programs, which nobody describes."""
    asked: Asked

    @property
    def reason(self) -> str:
        """Return why."""
        return self.asked.reason

    @property
    def plan_id(self) -> PlanId:
        """Return the plan that they are."""
        return self.asked.plan_id


def is_undoable(meant: Meant) -> bool:
    """Tell whether what verbs do can be taken back; an undo can, by redo, while the plan's verbs are known."""
    if meant.kept is not None:
        return bool(meant.kept.plan.calls)
    return all(command.inverse for command in meant.does) and len(meant.does) <= undo.UNDO_CALLS_MAX


def undo_note(meant: Meant) -> str:
    """Return what an undo does not restore, or why there is none; for an undo itself, of the plan that it is about."""
    kept = meant.kept
    kinds = {COMMANDS[call.name] for call in kept.plan.calls} if kept is not None else {type(command) for command in meant.does}
    return "; ".join(sorted({kind.irreversible or kind.undo_note for kind in kinds} - {""}))


def summary_of(doing: Doing) -> str:
    """Return in a line what an act does."""
    commands, steps = doing.meant.asked, doing.steps
    first = commands[0]
    if not steps:
        return f"{first.verb} × {len(commands)}"
    step = steps[0]
    change = f" {step.before} → {step.after}" if step.before else ""
    rest = f" and {len(commands) - 1} more" if len(commands) > 1 else ""
    return f"{first.verb} {step.target}{change}{rest}"
