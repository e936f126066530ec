"""Lines of the audit in the making: who asked for what, and what came of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import NamedTuple

from engine.gate.discretion import entries_of
from engine.model.agent_commands import AllocateAgent
from engine.model.consensus_commands import CastVote, WithdrawProposal
from engine.model.entry_rows import path_of
from engine.model.fleet_commands import RedoPlan, UndoPlan
from engine.model.ids import PlanId
from engine.model.memory import EntryId
from engine.model.memory_commands import (
    ForgetEntry,
    PermitEntry,
    RememberEntry,
    ResolveConflict,
    RestoreEntry,
)
from engine.model.plans import AppliedPlan, AuditEntry, Origin, PlanStep
from engine.model.secrets import conceal
from engine.model.task_commands import CancelTask, SubmitTask
from engine.model.verbs import Command
from engine.state import KeptPlan


class By(NamedTuple):
    """Who acts, when, why, and under which plan."""

    origin: Origin
    now: float
    reason: str
    plan: str

    def line(self, action: str, target: str, result: str = "done") -> AuditEntry:
        """Return a line."""
        origin = self.origin
        return AuditEntry(self.now, origin.actor, origin.via, origin.address, action, conceal(target), self.reason, conceal(result), self.plan)


def done(by: By, commands: Sequence[Command], steps: Sequence[PlanStep]) -> AuditEntry:
    """Return the line of verbs that were carried out; `steps` = what their plan said, empty for routine work."""
    rest = f" and {len(commands) - 1} more" if len(commands) > 1 else ""
    target = steps[0].target if steps else _routine_name(commands[0])
    line = by.line(commands[0].name, f"{target}{rest}")
    return replace(line, before=conceal(steps[0].before), after=conceal(steps[0].after), entry=steps[0].entry) if steps else line


def taken_back(by: By, command: Command, kept: AppliedPlan) -> AuditEntry:
    """Return the line of an undo or redo of a plan."""
    line = by.line(command.name, kept.id)
    return replace(line, before=kept.summary, entry=_entry_of(kept))


def refused(by: By, command: Command, why: str, plans: Mapping[PlanId, KeptPlan]) -> AuditEntry:
    """Return the line of a verb that was refused."""
    names = [spec.name for spec in fields(command)]
    target = str(getattr(command, names[0])) if names else command.verb
    line = by.line(command.name, target, why)
    if isinstance(command, UndoPlan | RedoPlan):
        kept = plans.get(PlanId(command.plan))
        return replace(line, entry=_entry_of(kept.plan)) if kept else line
    if isinstance(command, RememberEntry | ForgetEntry | PermitEntry | RestoreEntry | ResolveConflict):
        return replace(line, entry=path_of(EntryId(command.namespace, command.owner or line.who, command.key)))
    return line


def _entry_of(plan: AppliedPlan) -> str:
    return next(map(path_of, entries_of(plan)), "")


def _routine_name(command: Command) -> str:
    """Return what people call the thing that a routine verb is about."""
    if isinstance(command, SubmitTask):
        return command.title or command.type
    if isinstance(command, CastVote | WithdrawProposal):
        return command.proposal
    if isinstance(command, CancelTask):
        return command.task
    return command.task_id if isinstance(command, AllocateAgent) else command.verb
