"""The in-process Operator: authorise, plan, execute, audit, undo; every face goes through it.

Owner: of plans that wait to be executed (`Desk`). Limits: PLANS_WAITING_MAX plans, each for operations.plan_ttl_s.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, fields, replace
from typing import TypeGuard

from engine.config import FleetManagerConfig
from engine.coordinator import Coordinator
from engine.gate import plans as planning
from engine.gate import queries
from engine.model.commands import (
    AllocateAgent,
    Command,
    Danger,
    RedoPlan,
    ReleaseAgent,
    Role,
    ScalePool,
    StopEngine,
    SubmitTask,
    UndoPlan,
)
from engine.model.errors import CommandRefused, FleetError, NotFound, UsageError
from engine.model.events import Audited, Event, PlanApplied, PlanUndone
from engine.model.ids import PLAN_PREFIX, PlanId
from engine.model.plans import Answer, AppliedPlan, AuditEntry, Call, Origin, Plan, PlanStep
from engine.model.rows import Frame
from engine.model.wire import call_of, check_limits, command_of
from engine.state import KeptPlan

PLANS_WAITING_MAX = 200
UNDO_CALLS_MAX = 1_000
"""A plan with more verbs to take back cannot be undone."""
REDO_CALLS_MAX = 50
STEPS_KEPT = 20
MACHINES = frozenset({"library", "engine"})
"""Faces whose routine work (submit, allocate, release) is audited but makes no plan to undo."""
_ROUTINE = (SubmitTask, AllocateAgent, ReleaseAgent)
_ALONE = {UndoPlan, RedoPlan, StopEngine}
_DANGERS = list(Danger)


@dataclass(frozen=True, slots=True)
class _Waiting:
    plan: Plan
    commands: tuple[Command, ...]
    who: str


class Desk:
    """What all gates of an engine share."""

    def __init__(
        self, coordinator: Coordinator, sources: queries.Sources, config: FleetManagerConfig, stop: Callable[[], None]
    ) -> None:
        self.coordinator = coordinator
        self.sources = sources
        self.config = config
        self.stop = stop
        self.waiting: dict[PlanId, _Waiting] = {}

    def now(self) -> float:
        """Return the fleet's instant."""
        return self.sources.clock.now()

    def keep(self, waiting: _Waiting) -> None:
        """Keep a plan until it is executed or too old; the oldest goes when there are too many."""
        self._drop_old()
        if len(self.waiting) >= PLANS_WAITING_MAX:
            del self.waiting[next(iter(self.waiting))]
        self.waiting[waiting.plan.id] = waiting

    def find(self, plan_id: str) -> _Waiting:
        """Return a plan that can still be executed. Raises NotFound."""
        self._drop_old()
        waiting = self.waiting.get(PlanId(plan_id))
        if waiting is None:
            raise NotFound(f"no plan {plan_id!r} is waiting; it was carried out or is too old: make it again")
        return waiting

    def _drop_old(self) -> None:
        oldest = self.now() - self.config.operations.plan_ttl_s
        for plan_id in [key for key, entry in self.waiting.items() if entry.plan.at < oldest]:
            del self.waiting[plan_id]


class Gate:
    """Operator bound to one identity."""

    def __init__(self, desk: Desk, origin: Origin) -> None:
        self._desk = desk
        self.origin = origin

    async def plan(self, commands: Sequence[Command], *, reason: str = "") -> Plan:
        """Check verbs and describe what they would do; nothing changes. Raises FleetError."""
        self._authorise(commands)
        steps = self._describe(commands)
        exact = tuple(
            command_of(step.call) if isinstance(command, ScalePool) else command
            for command, step in zip(commands, steps[: planning.STEPS_MAX], strict=False)
        ) + tuple(commands[planning.STEPS_MAX :])
        plan = Plan(
            PlanId(self._desk.coordinator.deciding(self.origin).ids.new(PLAN_PREFIX)),
            tuple(steps),
            max((command.danger for command in commands), key=_DANGERS.index),
            reason,
            all(command.inverse for command in commands) and len(commands) <= UNDO_CALLS_MAX,
            self._desk.now(),
            self._desk.coordinator.state.seq,
        )
        self._desk.keep(_Waiting(plan, exact, self.origin.who))
        return plan

    async def execute(self, commands: Sequence[Command] | str, *, reason: str = "") -> Answer:
        """Carry out verbs, or a plan by its id; returns when it is durable. Raises FleetError."""
        plan_id = None
        if _is_plan_id(commands):
            waiting = self._desk.find(commands)
            plan_id, reason = waiting.plan.id, reason or waiting.plan.reason
            commands = waiting.commands
        assert not isinstance(commands, str)
        try:
            self._authorise(commands)
            if plan_id is not None:
                self._desk.waiting.pop(plan_id)
            return await self._carry_out(commands, reason, plan_id)
        except CommandRefused as error:
            await self._audit_refusal(commands, reason, error)
            raise

    async def query(self, what: str, **parameters: object) -> object:
        """Return plain values; all but the counts of `status` are durable. Raises FleetError."""
        if what != "status":
            await self._desk.coordinator.settled()
        return await queries.answer(self._desk.sources, what, parameters)

    def follow(self, kinds: Sequence[str]) -> AbstractAsyncContextManager[AsyncIterator[Frame]]:
        """Follow rows of some kinds, conflated."""
        return self._desk.sources.feed.follow(kinds)

    # ---- the pipeline

    def _authorise(self, commands: Sequence[Command]) -> None:
        if not commands:
            raise UsageError("a plan needs at least one verb")
        kinds = {type(command) for command in commands}
        if len(kinds) > 1:
            raise UsageError("a plan holds one kind of verb; send the others in plans of their own")
        if len(commands) > 1 and kinds & _ALONE:
            raise UsageError(f"{commands[0].verb} stands alone in its plan; send it by itself")
        for command in commands:
            check_limits(command)
        for kind in kinds:
            if self.origin.role < kind.role:
                have, need = Role(self.origin.role).name.lower(), kind.role.name.lower()
                raise CommandRefused(f"{kind.name} needs the role {need}; {self.origin.who} is {have}")

    def _describe(self, commands: Sequence[Command]) -> list[PlanStep]:
        state = self._desk.coordinator.state
        first = commands[0]
        if isinstance(first, UndoPlan | RedoPlan):
            kept = self._kept(first)
            calls = kept.plan.inverse if isinstance(first, UndoPlan) else kept.plan.calls
            return planning.describe(state, [command_of(call) for call in calls])
        return planning.describe(state, commands)

    async def _carry_out(self, commands: Sequence[Command], reason: str, plan_id: PlanId | None) -> Answer:
        first = commands[0]
        if isinstance(first, UndoPlan | RedoPlan):
            return await self._undo(first, reason)
        coordinator = self._desk.coordinator
        routine = isinstance(first, _ROUTINE) and self.origin.via in MACHINES
        steps = [] if routine else planning.describe(coordinator.state, commands)
        plan_id = plan_id or PlanId(coordinator.deciding(self.origin).ids.new(PLAN_PREFIX))
        if isinstance(first, StopEngine):
            await coordinator.record([self._audited(commands, steps, reason, "done", plan_id)], self.origin)
            self._desk.stop()
            return Answer(plan_id, ("stopping",), coordinator.state.seq, "stopping the engine")
        inverses = [] if routine else [planning.inverse_of(coordinator.state, command) for command in commands]
        applied: list[AppliedPlan] = []

        def account(values: Sequence[object]) -> list[Event]:
            events: list[Event] = [self._audited(commands, steps, reason, "done", plan_id)]
            if not routine:
                applied.append(self._applied(commands, steps, reason, plan_id, inverses, values))
                events.insert(0, PlanApplied(applied[0]))
            return events

        values, seq = await coordinator.execute(commands, self.origin, account)
        until = applied[0].undo_until if applied else 0.0
        return Answer(plan_id, tuple(values), seq, _summary(commands, steps), until)

    def _applied(  # noqa: PLR0913  # one record from everything that is known of a plan
        self,
        commands: Sequence[Command],
        steps: Sequence[PlanStep],
        reason: str,
        plan_id: PlanId,
        inverses: Sequence[Call | None],
        values: Sequence[object],
    ) -> AppliedPlan:
        back = _calls_back(commands, inverses, values)
        now = self._desk.now()
        return AppliedPlan(
            plan_id,
            now,
            self.origin.who,
            self.origin.via,
            reason,
            _summary(commands, steps),
            tuple(call_of(command) for command in commands) if len(commands) <= REDO_CALLS_MAX else (),
            back,
            self._undo_until() if back else 0.0,
            tuple((step.target, step.before, step.after) for step in steps[:STEPS_KEPT]),
        )

    def _undo_until(self) -> float:
        return self._desk.now() + self._desk.config.operations.undo_window_s

    async def _undo(self, command: UndoPlan | RedoPlan, reason: str) -> Answer:
        undo = isinstance(command, UndoPlan)
        kept = self._kept(command)
        plan = kept.plan
        coordinator = self._desk.coordinator
        commands = [command_of(call) for call in (plan.inverse if undo else plan.calls)]
        before = [planning.inverse_of(coordinator.state, command) for command in commands]
        plan_id = PlanId(coordinator.deciding(self.origin).ids.new(PLAN_PREFIX))
        entry = self._entry(command.name, plan.id, reason, "done", plan_id)
        entry = replace(entry, before=plan.summary)

        def account(values: Sequence[object]) -> list[Event]:
            if undo:
                return [PlanUndone(plan.id, plan_id, undone=True), Audited(entry)]
            # What it makes this time has other ids; taking it back must mean these.
            again = replace(plan, inverse=_calls_back(commands, before, values), undo_until=self._undo_until())
            return [PlanApplied(again), PlanUndone(plan.id, plan_id, undone=False), Audited(entry)]

        values, seq = await coordinator.execute(commands, self.origin, account)
        word = "undid" if undo else "redid"
        return Answer(plan_id, tuple(values), seq, f"{word} {plan.summary}")

    def _kept(self, command: UndoPlan | RedoPlan) -> KeptPlan:
        """Return the plan that undo or redo means. Raises CommandRefused when there is none or it is too late."""
        undo = isinstance(command, UndoPlan)
        plans = self._desk.coordinator.state.plans
        if command.plan:
            kept = plans.get(PlanId(command.plan))
        else:
            mine = [k for k in plans.values() if k.plan.who == self.origin.who and (k.undone_by is None) is undo]
            kept = next((k for k in reversed(mine) if (k.plan.inverse if undo else k.plan.calls)), None)
        if kept is None:
            raise NotFound(f"no plan {command.plan!r}" if command.plan else f"nothing to {command.verb}")
        if (kept.undone_by is None) is not undo:
            raise CommandRefused(f"plan {kept.plan.id} {'was undone already' if undo else 'is not undone'}")
        if not (kept.plan.inverse if undo else kept.plan.calls):
            raise CommandRefused(f"plan {kept.plan.id} ({kept.plan.summary}) cannot be taken back or repeated")
        if undo and self._desk.now() > kept.plan.undo_until:
            raise CommandRefused(f"the undo window of {kept.plan.id} has closed; do the opposite by hand")
        return kept

    # ---- the audit

    def _entry(self, action: str, target: str, reason: str, result: str, plan_id: str) -> AuditEntry:
        origin = self.origin
        return AuditEntry(self._desk.now(), origin.who, origin.via, origin.address, action, target, reason, result, plan_id)

    def _audited(
        self, commands: Sequence[Command], steps: Sequence[PlanStep], reason: str, result: str, plan_id: str
    ) -> Audited:
        rest = f" and {len(commands) - 1} more" if len(commands) > 1 else ""
        target = steps[0].target if steps else _named(commands[0])
        entry = self._entry(commands[0].name, f"{target}{rest}", reason, result, plan_id)
        if steps:
            entry = replace(entry, before=steps[0].before, after=steps[0].after)
        return Audited(entry)

    async def _audit_refusal(self, commands: Sequence[Command], reason: str, error: FleetError) -> None:
        first = commands[0]
        names = [spec.name for spec in fields(first)]
        target = str(getattr(first, names[0])) if names else first.verb
        try:
            await self._desk.coordinator.record([Audited(self._entry(first.name, target, reason, str(error), ""))], self.origin)
        except CommandRefused:
            return  # read-only: the refusal itself cannot be written either, the caller gets the first reason


def _named(command: Command) -> str:
    """Return what people call the thing that a routine verb is about."""
    if isinstance(command, SubmitTask):
        return command.title or command.type
    return command.task_id if isinstance(command, AllocateAgent) else command.verb


def _is_plan_id(commands: Sequence[Command] | str) -> TypeGuard[str]:
    return isinstance(commands, str)


def _calls_back(commands: Sequence[Command], before: Sequence[Call | None], values: Sequence[object]) -> tuple[Call, ...]:
    """Return the calls that take verbs back, last verb first; none when there are too many."""
    if len(commands) > UNDO_CALLS_MAX:
        return ()
    back = [call for call in before if call is not None]
    for command, value in zip(commands, values, strict=True):
        back += planning.inverse_of_value(command, value)
    return tuple(reversed(back))


def _summary(commands: Sequence[Command], steps: Sequence[PlanStep]) -> str:
    first = commands[0]
    if not steps:
        return f"{first.verb} × {len(commands)}"
    step = steps[0]
    change = f" {step.before} → {step.after}" if step.before else ""
    rest = f" and {len(commands) - 1} more" if len(commands) > 1 else ""
    return f"{first.verb} {step.target}{change}{rest}"
