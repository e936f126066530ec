"""The in-process Operator: authorise, plan, execute, audit, undo; every face goes through it.

Owner: nobody; a gate is one identity at the desk.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, fields, replace
from typing import TypeGuard

from engine.gate import backing, channel_rows, foresight, memory_queries, queries, undo
from engine.gate import plans as planning
from engine.gate.authority import Act, Judgement, authority_of, check_may
from engine.gate.desk import PLANS_WAITING_MAX, Desk, Waiting
from engine.gate.memory_queries import MEMORY_QUERIES
from engine.gate.outlook import outlook
from engine.memory.contract import StoredArtifact
from engine.model.agent_commands import AllocateAgent, ReleaseAgent
from engine.model.booster_commands import AddModule
from engine.model.channel_commands import RequeueNotifications, TestChannel
from engine.model.commands import COMMANDS
from engine.model.data_commands import BackUpFleet, RotateKeys
from engine.model.errors import CommandRefused, FleetError, PlanChanged, ReadOnly, UsageError
from engine.model.events import Audited, Event, PlanApplied, PlanUndone
from engine.model.fleet_commands import RedoPlan, StopEngine, UndoPlan
from engine.model.ids import PLAN_PREFIX, PlanId
from engine.model.memory_commands import EraseOwner, MemoryVerb, SynchronizeMemory
from engine.model.plans import (
    Answer,
    AppliedPlan,
    AuditEntry,
    Authority,
    Call,
    Note,
    Origin,
    Plan,
    PlanStep,
)
from engine.model.replication import Batch, Mark, Taken
from engine.model.rows import Frame
from engine.model.task_commands import SubmitTask
from engine.model.verbs import Command, Danger
from engine.model.wire import call_of, check_limits
from engine.scheduling.submission import with_pool
from engine.state import KeptPlan

__all__ = ["PLANS_WAITING_MAX", "Desk", "Gate"]

STEPS_KEPT = 20
MACHINES = frozenset({"library", "engine"})
"""Faces whose routine work (submit, allocate, release) is audited but makes no plan to undo."""
_ROUTINE = (SubmitTask, AllocateAgent, ReleaseAgent)
_UNDECIDED = (StopEngine, BackUpFleet, SynchronizeMemory, RotateKeys, EraseOwner, TestChannel, RequeueNotifications)
"""Verbs that change no state of the fleet."""
_ALONE = {UndoPlan, RedoPlan, *_UNDECIDED}
_DANGERS = list(Danger)


@dataclass(frozen=True, slots=True)
class _Meant:
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
class _Doing:
    """Verbs on their way into the journal."""

    meant: _Meant
    steps: Sequence[PlanStep]
    """What they do; empty for the routine work of programs, which nobody describes."""
    reason: str
    plan_id: PlanId


class Gate:
    """Operator bound to one identity."""

    def __init__(self, desk: Desk, origin: Origin) -> None:
        self._desk = desk
        self._authority = authority_of(origin, desk.config.operations)
        self.origin = replace(origin, role=self._authority.role)

    @property
    def authority(self) -> Authority:
        """Who this is to the engine."""
        return self._authority

    async def plan(self, commands: Sequence[Command], *, reason: str = "") -> Plan:
        """Check verbs and describe what they would do; nothing changes. Raises FleetError."""
        self._check(commands)
        meant = await self._mean(commands)
        steps = self._describe(meant)
        coordinator = self._desk.coordinator
        is_decided = not isinstance(meant.does[0], _UNDECIDED)
        events = coordinator.rehearse(meant.does, self.origin, restoring=meant.kept is not None) if is_decided else ()
        judgement = self._judge(meant, steps)
        plan = Plan(
            self._new_id(),
            planning.shown(steps),
            max((command.danger for command in meant.does), key=_DANGERS.index),
            reason,
            _is_undoable(meant),
            self._desk.now(),
            coordinator.state.seq,
            len(meant.does),
            judgement.refused,
            judgement.confirm[0] if judgement.confirm else "",
            judgement.needs_reason,
            judgement.demands,
            foresight.capacity_of(coordinator.state, events),
            (*foresight.notes_on(coordinator.state, events, _first_arguments(meant.does), self._desk.now()), *self._conflicts(meant, steps)),
            _undo_note(meant),
        )
        if not judgement.refused:
            self._desk.keep(Waiting(plan, meant.asked, self.origin.who, _substance(steps)))
        return plan

    async def execute(self, commands: Sequence[Command] | str, *, reason: str = "", confirm: str = "") -> Answer:
        """Carry out verbs, or a plan by its id; returns when it is durable. Raises FleetError."""
        waiting = None
        if _is_plan_id(commands):
            waiting = self._desk.take(commands)
            reason = reason or waiting.plan.reason
            commands = waiting.commands
        assert not isinstance(commands, str)
        try:
            self._check(commands)
            meant = await self._mean(commands, lays_out=True)
            steps = self._describe(meant) if waiting or not self._is_routine(meant) or self._is_ruled(meant) else []
            if waiting is not None and _substance(steps) != waiting.substance:
                raise PlanChanged(_changed(waiting.plan.steps, steps))
            self._judge(meant, steps).check(confirm, reason)
            return await self._carry_out(_Doing(meant, steps, reason, waiting.plan.id if waiting else self._new_id()))
        except FleetError as error:
            if waiting is not None:  # nothing was changed, so it can still be done
                self._desk.keep(waiting)
            if isinstance(error, CommandRefused):
                await self._audit_refusal(commands, reason, error)
            raise
        finally:
            self._desk.modules.tidy(commands)

    async def query(self, what: str, **parameters: object) -> object:
        """Return plain values; all but the counts of `status` are durable. Raises FleetError."""
        if what == "can-i":
            return self._outlook(**parameters)
        if what != "status":
            await self._desk.coordinator.settled()
        if what in MEMORY_QUERIES:
            return await memory_queries.answer(self._desk.sources, self.origin, what, parameters)
        return await queries.answer(self._desk.sources, what, parameters)

    def allow(self, kind: type[Command], commands: Iterable[Command]) -> None:
        """Check role and guardrails for what a program does directly, without a plan. Raises Denied, Unconfirmed."""
        check_may(self._authority, kind)
        if self._desk.rules.matter(self.origin, (kind,)):
            meant = tuple(commands)
            steps = [PlanStep(call_of(command), _first_word(command), "", "") for command in meant]
            self._judge(_Meant(meant, meant), steps).check("", "")

    def _outlook(self, verb: object = "", target: object = "") -> object:
        desk = self._desk
        return outlook(
            desk.coordinator.state, desk.rules, self.origin, self._authority, word=str(verb), target=str(target), now=desk.now()
        )

    def follow(self, kinds: Sequence[str]) -> AbstractAsyncContextManager[AsyncIterator[Frame]]:
        """Follow rows of some kinds, conflated."""
        return self._desk.sources.feed.follow(kinds)

    async def changes_since(self, mark: Mark) -> Batch:
        """Return what changed in memory since a mark, for another engine. Raises Denied, FleetError."""
        check_may(self._authority, SynchronizeMemory)
        await self._desk.coordinator.settled()
        return await backing.require_peers(self._desk.sources).changes_since(mark)

    async def offer(self, batch: Batch) -> Taken:
        """Take in what changed in another engine's memory. Raises Denied, FleetError."""
        check_may(self._authority, SynchronizeMemory)
        return await backing.require_peers(self._desk.sources).take(batch, self.origin)

    # ---- the pipeline

    def _check(self, commands: Sequence[Command]) -> None:
        """Check what can be told from the verbs alone. Raises UsageError, Denied."""
        if not commands:
            raise UsageError("a plan needs at least one verb")
        kinds = {type(command) for command in commands}
        if len(kinds) > 1:
            raise UsageError("a plan holds one kind of verb; send the others in plans of their own")
        if len(commands) > 1 and kinds & _ALONE:
            raise UsageError(f"{commands[0].verb} stands alone in its plan; send it by itself")
        for command in commands:
            check_limits(command)
            if isinstance(command, BackUpFleet):
                backing.check_place(command, self.origin)
        check_may(self._authority, kinds.pop())
        backing.check_memory(self._desk.sources, commands[0])

    def _new_id(self) -> PlanId:
        return PlanId(self._desk.coordinator.deciding(self.origin).ids.new(PLAN_PREFIX))

    async def _mean(self, commands: Sequence[Command], *, lays_out: bool = False) -> _Meant:
        """Resolve what verbs come to, once the modules that they name are at hand; from there on nothing waits. Raises FleetError."""
        modules = self._desk.modules
        commands = await modules.pin(commands)
        meant = self._understand(commands)
        if not any(isinstance(command, AddModule) for command in meant.does):
            return meant
        artifacts = await modules.fetch(meant.does, lays_out=lays_out)
        return replace(self._understand(commands), artifacts=artifacts)

    def _understand(self, commands: Sequence[Command]) -> _Meant:
        """Resolve what verbs come to now. Raises FleetError."""
        state, first = self._desk.coordinator.state, commands[0]
        if isinstance(first, UndoPlan | RedoPlan):
            kept = undo.find_kept(state, first, self.origin.who, self._desk.now())
            does = undo.left_to_do(state, kept, undo=isinstance(first, UndoPlan))
            for command in does:
                check_may(self._authority, type(command))
            return _Meant((replace(first, plan=kept.plan.id),), tuple(does), kept)
        meant = tuple(planning.exact(state, command) for command in commands)
        return _Meant(meant, meant)

    def _describe(self, meant: _Meant) -> list[PlanStep]:
        coordinator = self._desk.coordinator
        if channel_rows.is_about_channels(meant.does[0]):
            return [channel_rows.describe(self._desk.sources.notifier, command) for command in meant.does]
        return planning.describe(coordinator.state, meant.does, coordinator.deciding(self.origin, restoring=meant.kept is not None))

    def _is_routine(self, meant: _Meant) -> bool:
        kinds = MemoryVerb.__args__ if self.origin.attempt else _ROUTINE if self.origin.via in MACHINES else ()
        return isinstance(meant.asked[0], kinds)

    def _is_ruled(self, meant: _Meant) -> bool:
        return self._desk.rules.matter(self.origin, meant.kinds)

    def _judge(self, meant: _Meant, steps: Sequence[PlanStep]) -> Judgement:
        if not self._is_ruled(meant):
            return Judgement()
        coordinator = self._desk.coordinator
        deciding = coordinator.deciding(self.origin)
        acts = [Act(with_pool(coordinator.state, command, deciding), step) for command, step in zip(meant.does, steps, strict=True)]
        return self._desk.rules.judge(coordinator.state, self.origin, acts, meant.asked[0], self._desk.now())

    def _conflicts(self, meant: _Meant, steps: Sequence[PlanStep]) -> list[Note]:
        others = [(waiting.who, waiting.plan) for waiting in self._desk.others(self.origin.who)]
        return foresight.conflicts(self._desk.coordinator.state, meant.does, steps, others, self._desk.now())

    # ---- carrying out

    async def _carry_out(self, doing: _Doing) -> Answer:
        meant = doing.meant
        if meant.kept is not None:
            return await self._undo(doing, meant.kept)
        coordinator, commands = self._desk.coordinator, meant.asked
        if isinstance(commands[0], StopEngine):
            await coordinator.record([self._audited(doing)], self.origin)
            self._desk.stop()
            return Answer(doing.plan_id, ("stopping",), coordinator.state.seq, "stopping the engine")
        if isinstance(commands[0], BackUpFleet):
            return await self._back_up(doing, commands[0])
        if isinstance(commands[0], RotateKeys | EraseOwner | SynchronizeMemory):
            told = await backing.work(self._desk.sources, commands[0], self.origin)
            await coordinator.record([self._audited(doing)], self.origin)
            return Answer(doing.plan_id, (), coordinator.state.seq, told)
        if channel_rows.is_about_channels(commands[0]):
            told = await channel_rows.carry_out(self._desk.sources.notifier, commands, self.origin.who)
            await coordinator.record([self._audited(doing)], self.origin)
            return Answer(doing.plan_id, (), coordinator.state.seq, told)
        is_plan = not self._is_routine(meant) and any(step.changes for step in doing.steps)
        before = [undo.backs(coordinator.state, command) for command in commands] if is_plan else []
        applied: list[AppliedPlan] = []

        def account(values: Sequence[object]) -> list[Event]:
            if not is_plan:
                return [self._audited(doing)]
            applied.append(self._applied(doing, undo.calls_back(commands, before, values), undo.calls_again(commands, values)))
            return [PlanApplied(applied[0]), self._audited(doing)]

        values, seq = await coordinator.execute(commands, self.origin, account, artifacts=meant.artifacts)
        return Answer(doing.plan_id, tuple(values), seq, _summary(doing), applied[0].undo_until if applied else 0.0)

    async def _back_up(self, doing: _Doing, command: BackUpFleet) -> Answer:
        """Take a backup, above all of an engine that can write nothing else any more: then only the audit is missing."""
        desk = self._desk
        contents = await backing.back_up(desk.sources.journal, command, desk.now())
        with contextlib.suppress(ReadOnly):
            await desk.coordinator.record([self._audited(doing)], self.origin)
        return Answer(doing.plan_id, (contents.path,), desk.coordinator.state.seq, backing.told(contents))

    def _applied(self, doing: _Doing, back: Sequence[undo.Back], again: Sequence[Call]) -> AppliedPlan:
        commands = doing.meant.does if again else ()
        state = self._desk.coordinator.state
        return AppliedPlan(
            doing.plan_id,
            self._desk.now(),
            self.origin.who,
            self.origin.via,
            doing.reason,
            _summary(doing),
            tuple(again),
            tuple(call for call, _ in back),
            self._undo_until() if back else 0.0,
            tuple((step.target, step.before, step.after) for step in doing.steps[:STEPS_KEPT]),
            tuple(left for _, left in back),
            tuple(undo.found_by(state, command) for command in commands),
        )

    def _undo_until(self) -> float:
        return self._desk.now() + self._desk.config.operations.undo_window_s

    async def _undo(self, doing: _Doing, kept: KeptPlan) -> Answer:
        plan, does, coordinator = kept.plan, doing.meant.does, self._desk.coordinator
        is_undo = isinstance(doing.meant.asked[0], UndoPlan)
        before = [undo.backs(coordinator.state, command) for command in does]
        entry = self._entry(doing.meant.asked[0].name, plan.id, doing.reason, "done", doing.plan_id)
        entry = replace(entry, before=plan.summary)

        def account(values: Sequence[object]) -> list[Event]:
            if is_undo:
                return [PlanUndone(plan.id, doing.plan_id, undone=True), Audited(entry)]
            # What it makes this time has other ids; taking it back must mean these.
            back = undo.calls_back(does, before, values)
            inverse, left = tuple(call for call, _ in back), tuple(left for _, left in back)
            again = replace(plan, inverse=inverse, left=left, undo_until=self._undo_until())
            return [PlanApplied(again), PlanUndone(plan.id, doing.plan_id, undone=False), Audited(entry)]

        values, seq = await coordinator.execute(does, self.origin, account, artifacts=doing.meant.artifacts, restoring=True)
        return Answer(doing.plan_id, tuple(values), seq, f"{'undid' if is_undo else 'redid'} {plan.summary}")

    # ---- the audit

    def _entry(self, action: str, target: str, reason: str, result: str, plan_id: str) -> AuditEntry:
        origin = self.origin
        who = origin.attempt.partition("/")[0] if action.startswith("memory.") else ""
        return AuditEntry(self._desk.now(), who or origin.who, origin.via, origin.address, action, target, reason, result, plan_id)

    def _audited(self, doing: _Doing) -> Audited:
        commands, steps = doing.meant.asked, doing.steps
        rest = f" and {len(commands) - 1} more" if len(commands) > 1 else ""
        target = steps[0].target if steps else _routine_name(commands[0])
        entry = self._entry(commands[0].name, f"{target}{rest}", doing.reason, "done", doing.plan_id)
        return Audited(replace(entry, before=steps[0].before, after=steps[0].after) if steps else entry)

    async def _audit_refusal(self, commands: Sequence[Command], reason: str, error: FleetError) -> None:
        first = commands[0]
        names = [spec.name for spec in fields(first)]
        target = str(getattr(first, names[0])) if names else first.verb
        try:
            await self._desk.coordinator.record([Audited(self._entry(first.name, target, reason, str(error), ""))], self.origin)
        except CommandRefused:
            return  # read-only: the refusal itself cannot be written either, the caller gets the first reason


def _first_word(command: Command) -> str:
    return str(getattr(command, fields(command)[0].name))


def _routine_name(command: Command) -> str:
    """Return what people call the thing that a routine verb is about."""
    if isinstance(command, SubmitTask):
        return command.title or command.type
    return command.task_id if isinstance(command, AllocateAgent) else command.verb


def _is_plan_id(commands: Sequence[Command] | str) -> TypeGuard[str]:
    return isinstance(commands, str)


def _is_undoable(meant: _Meant) -> bool:
    """Tell whether what verbs do can be taken back; an undo can, by redo, while the plan's verbs are known."""
    if meant.kept is not None:
        return bool(meant.kept.plan.calls)
    return all(command.inverse for command in meant.does) and len(meant.does) <= undo.UNDO_CALLS_MAX


def _undo_note(meant: _Meant) -> str:
    """Return what an undo does not restore, or why there is none; for an undo itself, of the plan that it is about."""
    kept = meant.kept
    kinds = {COMMANDS[call.name] for call in kept.plan.calls} if kept is not None else {type(command) for command in meant.does}
    return "; ".join(sorted({kind.irreversible or kind.undo_note for kind in kinds} - {""}))


def _first_arguments(commands: Sequence[Command]) -> frozenset[str]:
    """Return the ids that verbs name themselves."""
    return frozenset(str(undo.command_values(command)[0]) for command in commands if fields(command))


def _substance(steps: Sequence[PlanStep]) -> int:
    return hash(tuple(planning.substance(step) for step in steps))


def _changed(before: Sequence[PlanStep], now: Sequence[PlanStep]) -> str:
    """Return in words how a plan differs from what it said."""
    for old, new in zip(before, now, strict=False):
        if planning.substance(old) != planning.substance(new):
            told = "; ".join(dict.fromkeys(text for text in (_in_words(new), new.effect, new.warning) if text))
            return f"the fleet changed since this plan was made: {old.target} was {_in_words(old)}, now {told}; {_LOOK_AGAIN}"
    return f"the fleet changed since this plan was made: it would touch {len(now)} things; {_LOOK_AGAIN}"


_LOOK_AGAIN = "nothing was changed, look at the new plan"


def _in_words(step: PlanStep) -> str:
    return f"{step.before} → {step.after}" if step.before else step.after


def _summary(doing: _Doing) -> str:
    commands, steps = doing.meant.asked, doing.steps
    first = commands[0]
    if not steps:
        return f"{first.verb} × {len(commands)}"
    step = steps[0]
    change = f" {step.before} → {step.after}" if step.before else ""
    rest = f" and {len(commands) - 1} more" if len(commands) > 1 else ""
    return f"{first.verb} {step.target}{change}{rest}"
