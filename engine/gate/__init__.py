"""The in-process Operator: authorise, plan, execute, audit, undo; every face goes through it.

Owner: nobody; a gate is one identity at the desk.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import fields, replace
from typing import TypeGuard, TypeVar

from engine.agents.joined.door import Door
from engine.coordinator.tools import CALLING
from engine.gate import (
    audit_lines,
    backing,
    foresight,
    mail,
    memory_queries,
    queries,
    undecided,
    undo,
)
from engine.gate import plans as planning
from engine.gate.authority import Act, Judgement, authority_of, check_may, check_own
from engine.gate.desk import PLANS_WAITING_MAX, Desk, Waiting
from engine.gate.discretion import Discretion
from engine.gate.doing import Asked, Doing, Meant, is_undoable, summary_of, undo_note
from engine.gate.four_eyes import round_of, with_plan
from engine.gate.memory_queries import MEMORY_QUERIES
from engine.gate.outlook import outlook
from engine.gate.plans import Said
from engine.gate.reviewing import Reviewing
from engine.model.agent_commands import AllocateAgent, ReleaseAgent
from engine.model.booster_commands import AddModule
from engine.model.consensus import Acted, Proposal, VotedPlan
from engine.model.consensus_commands import CastVote
from engine.model.consensus_events import ProposalActed, ProposalOpened
from engine.model.data_commands import BackUpFleet
from engine.model.errors import CommandRefused, Denied, FleetError, ReadOnly, UsageError
from engine.model.events import Audited, Event, PlanApplied, PlanUndone
from engine.model.fleet_commands import RedoPlan, StopEngine, UndoPlan
from engine.model.guardrails import NEVER_VOTED, Guardrail
from engine.model.ids import PLAN_PREFIX, PROPOSAL_PREFIX, PlanId, ProposalId
from engine.model.memory_commands import SynchronizeMemory
from engine.model.plans import (
    Answer,
    AppliedPlan,
    Authority,
    Call,
    Note,
    Origin,
    Plan,
    PlanStep,
)
from engine.model.replication import Batch, Mark, Taken
from engine.model.rows import Frame
from engine.model.swarm_commands import SendMessage, TakeMessage
from engine.model.task_commands import SubmitTask
from engine.model.verbs import Command, Danger, Role
from engine.model.wire import call_of, check_limits, command_of
from engine.scheduling.submission import with_pool
from engine.state import KeptPlan

__all__ = ["PLANS_WAITING_MAX", "Desk", "Gate", "Reviewing"]

STEPS_KEPT = 20
VOTED_CALLS_MAX = 1_000
"""Verbs of a plan that is voted on: it is kept with its vote."""
MACHINES = frozenset({"library", "engine"})
"""Faces whose routine work (submit, allocate, release, vote, send, take) is audited but makes no plan to undo, as all that agents' programs do."""
_ROUTINE = (SubmitTask, AllocateAgent, ReleaseAgent, CastVote, SendMessage, TakeMessage)
_ALONE = {UndoPlan, RedoPlan, *undecided.ALONE}
_DANGERS = list(Danger)
_Said = TypeVar("_Said", bound=Answer | FleetError)


class Gate:
    """Operator bound to one identity."""

    def __init__(self, desk: Desk, origin: Origin) -> None:
        self._desk = desk
        self._authority = authority_of(origin, desk.config.operations)
        self.origin = replace(origin, role=self._authority.role)
        self._discretion = Discretion(desk.sources.memory, self.origin, lambda: desk.coordinator.state.plans)

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
        is_decided = not isinstance(meant.does[0], undecided.UNDECIDED)
        events = coordinator.rehearse(meant.does, self.origin, restoring=meant.kept is not None) if is_decided else ()
        judgement = self._judge(meant, steps)
        plan = Plan(
            self._new_id(),
            planning.shown(steps),
            max((command.danger for command in meant.does), key=_DANGERS.index),
            reason,
            is_undoable(meant),
            self._desk.now(),
            coordinator.state.seq,
            len(meant.does),
            judgement.refused,
            judgement.confirm[0] if judgement.confirm else "",
            judgement.needs_reason,
            judgement.demands,
            foresight.capacity_of(coordinator.state, events),
            (*foresight.notes_on(coordinator.state, events, _first_arguments(meant.does), self._desk.now()), *self._conflicts(meant, steps)),
            undo_note(meant),
        )
        if not judgement.refused:
            self._desk.keep(Waiting(plan, meant.asked, self.origin.actor, Said.by(steps)))
        return plan

    async def execute(self, commands: Sequence[Command] | str, *, reason: str = "", confirm: str = "") -> Answer:
        """Carry out verbs, or a plan by its id; returns when it is durable. Raises FleetError."""
        if not _is_plan_id(commands):
            assert not isinstance(commands, str)
            calling = CALLING.get()
            return await self._execute(Asked(commands, reason, confirm, calling.id if calling else self._new_id()))
        waiting = self._desk.take(commands)
        plan = waiting.plan
        try:
            return await self._execute(Asked(waiting.commands, reason or plan.reason, confirm, plan.id, waiting.said, waiting.who))
        except FleetError:
            self._desk.keep(waiting)  # nothing was changed, so it can still be done
            raise

    async def execute_voted(self, proposal: Proposal, because: str) -> Answer:
        """Carry out the plan that a vote has accepted; what became of it is noted with the vote. Raises FleetError."""
        plan = proposal.plan
        assert plan is not None
        reason = f"{plan.reason}; " * bool(plan.reason) + f"vote {proposal.id}: {because}"
        commands = [command_of(call) for call in plan.calls]
        said = Said(plan.steps, plan.substance)
        return await self._execute(Asked(commands, reason, plan.confirm, plan.id, said, self.origin.actor, proposal.id, (*plan.passed, plan.rule)))

    async def _execute(self, asked: Asked) -> Answer:
        try:
            self._check(asked.commands)
            if asked.who not in ("", self.origin.actor):
                raise Denied(f"plan {asked.plan_id} was made for {asked.who}; make your own. Nothing was changed")
            meant = await self._mean(asked.commands, lays_out=True)
            steps = self._describe(meant) if asked.said or not self._is_routine(meant) or self._is_ruled(meant) else []
            if asked.said is not None:
                asked.said.check(steps)
            judgement = self._judge(meant, steps, asked.passed)
            judgement.check(asked.confirm, asked.reason)
            doing = Doing(meant, steps, asked)
            if judgement.votes:
                return await self._put_to_vote(doing, judgement.votes[0])
            async with self._desk.reviewing.carried_out(meant.does):
                return await self._carry_out(doing)
        except CommandRefused as error:
            await self._audit_refusal(asked, error)
            raise
        finally:
            self._desk.modules.tidy(asked.commands)

    async def query(self, what: str, **parameters: object) -> object:
        """Return plain values; all but the counts of `status` are durable. Raises FleetError."""
        check_own(self._desk.coordinator.state, self.origin)
        if what == "can-i":
            return self._outlook(**parameters)
        if what != "status":
            await self._desk.coordinator.settled()
        if what == "mail":
            return mail.mail_of(self._desk.coordinator.state, self.origin, str(parameters.get("agent", "")))
        if what in MEMORY_QUERIES:
            return await memory_queries.answer(self._desk.sources, self.origin, what, parameters)
        return await queries.answer(self._desk.sources, what, parameters, self._discretion)

    def laid_down(self, plan: PlanId) -> Waiting | None:
        """Return a plan that waits."""
        return self._desk.waiting(plan)

    def lay_down(self, waiting: Waiting) -> None:
        """Have a plan wait here that was made elsewhere, unless it does already."""
        if self._desk.waiting(waiting.plan.id) is None:
            self._desk.keep(waiting)

    def allow(self, kind: type[Command], commands: Iterable[Command]) -> None:
        """Check role and guardrails for what a program does directly, without a plan. Raises Denied, Unconfirmed."""
        check_may(self._authority, kind)
        if self._desk.rules.matter(self.origin, (kind,)):
            meant = tuple(commands)
            steps = [PlanStep(call_of(command), _first_word(command), "", "") for command in meant]
            judgement = self._judge(Meant(meant, meant), steps)
            judgement.check("", "")
            if judgement.votes:
                raise Denied(f"{kind.verb} is put to the vote by {judgement.votes[0].name!r}; ask for it as a verb. Nothing was changed")

    def _outlook(self, verb: object = "", target: object = "") -> object:
        desk = self._desk
        return outlook(
            desk.coordinator.state, desk.rules, self.origin, self._authority, word=str(verb), target=str(target), now=desk.now()
        )

    @asynccontextmanager
    async def follow(self, kinds: Sequence[str]) -> AsyncIterator[AsyncIterator[Frame]]:
        """Follow rows of some kinds, conflated. Raises Denied for the program of an attempt that is over."""
        check_own(self._desk.coordinator.state, self.origin)
        async with self._desk.sources.feed.follow(kinds) as frames, aclosing(self._discretion.each(frames)) as told:
            yield told

    async def changes_since(self, mark: Mark) -> Batch:
        """Return what changed in memory since a mark, for another engine. Raises Denied, FleetError."""
        check_may(self._authority, SynchronizeMemory)
        await self._desk.coordinator.settled()
        return await backing.require_peers(self._desk.sources).changes_since(mark)

    async def offer(self, batch: Batch) -> Taken:
        """Take in what changed in another engine's memory. Raises Denied, FleetError."""
        check_may(self._authority, SynchronizeMemory)
        return await backing.require_peers(self._desk.sources).take(batch, self.origin)

    def door(self) -> Door:
        """Return the way of hosts that join this engine. Raises Denied for who is no admin, CommandRefused where hosts join by Redis."""
        if self._authority.role < Role.ADMIN or self._authority.is_agent or self._authority.read_only:
            raise Denied(f"hosts get every task's payload and tell how tasks end: they join as an admin who may change things, and {self._authority.who} is not")
        if self._desk.sources.door is None:
            raise CommandRefused("this engine shares its fleet by Redis: join there, with `--join redis://…`")
        return self._desk.sources.door

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
        check_own(self._desk.coordinator.state, self.origin, commands)
        backing.check_memory(self._desk.sources, commands[0])

    def _new_id(self) -> PlanId:
        return PlanId(self._desk.coordinator.deciding(self.origin).ids.new(PLAN_PREFIX))

    async def _mean(self, commands: Sequence[Command], *, lays_out: bool = False) -> Meant:
        """Resolve what verbs come to, once the modules that they name are at hand; from there on nothing waits. Raises FleetError."""
        modules = self._desk.modules
        commands = await self._desk.reviewing.pin(await modules.pin(commands))
        meant = self._understand(commands)
        if not any(isinstance(command, AddModule) for command in meant.does):
            return meant
        artifacts = await modules.fetch(meant.does, lays_out=lays_out)
        return replace(self._understand(commands), artifacts=artifacts)

    def _understand(self, commands: Sequence[Command]) -> Meant:
        """Resolve what verbs come to now. Raises FleetError."""
        state, first = self._desk.coordinator.state, commands[0]
        if isinstance(first, UndoPlan | RedoPlan):
            kept = undo.find_kept(state, first, self.origin.who, self._desk.now())
            self._discretion.check(kept)
            does = undo.left_to_do(state, kept, undo=isinstance(first, UndoPlan))
            for command in does:
                check_may(self._authority, type(command))
            return Meant((replace(first, plan=kept.plan.id),), tuple(does), kept)
        meant = tuple(planning.exact(state, command) for command in commands)
        return Meant(meant, meant)

    def _describe(self, meant: Meant) -> list[PlanStep]:
        coordinator = self._desk.coordinator
        if (steps := undecided.describe(self._desk.sources, meant.does)) is not None:
            return steps
        return planning.describe(coordinator.state, meant.does, coordinator.deciding(self.origin, restoring=meant.kept is not None))

    def _is_routine(self, meant: Meant) -> bool:
        return bool(self.origin.agent) or (self.origin.via in MACHINES and isinstance(meant.asked[0], _ROUTINE))

    def _is_ruled(self, meant: Meant) -> bool:
        return self._desk.rules.matter(self.origin, meant.kinds)

    def _judge(self, meant: Meant, steps: Sequence[PlanStep], passed: Sequence[str] = ()) -> Judgement:
        if not self._is_ruled(meant):
            return Judgement()
        coordinator = self._desk.coordinator
        deciding = coordinator.deciding(self.origin)
        acts = [Act(with_pool(coordinator.state, command, deciding), step) for command, step in zip(meant.does, steps, strict=True)]
        return self._desk.rules.judge(coordinator.state, self.origin, acts, meant.asked[0], self._desk.now(), passed=passed)

    def _conflicts(self, meant: Meant, steps: Sequence[PlanStep]) -> list[Note]:
        others = [(waiting.who, waiting.plan) for waiting in self._desk.others(self.origin.actor)]
        return foresight.conflicts(self._desk.coordinator.state, meant.does, steps, others, self._desk.now())

    # ---- carrying out

    async def _put_to_vote(self, doing: Doing, guardrail: Guardrail) -> Answer:
        """Open the vote that a rule demands; the engine goes on when it is accepted."""
        coordinator, asked, summary = self._desk.coordinator, doing.asked, summary_of(doing)
        if len(doing.meant.asked) > VOTED_CALLS_MAX or any(command.name in NEVER_VOTED for command in doing.meant.does):
            raise Denied(f"this cannot be put to the vote: it is about entries of memory, or more than {VOTED_CALLS_MAX} verbs; nothing was changed")
        round_ = round_of(coordinator.state, guardrail, self.origin, self._desk.now())
        calls, said = tuple(call_of(command) for command in doing.meant.asked), Said.by(doing.steps)
        plan = VotedPlan(asked.plan_id, guardrail.name, self.origin, calls, asked.reason, asked.confirm, tuple(said.steps), said.substance, asked.passed)
        id_ = ProposalId(coordinator.deciding(self.origin).ids.new(PROPOSAL_PREFIX))
        told = f"put to the vote {id_} ({guardrail.name}); nothing is done before it is accepted"
        entry = replace(self._audited(doing).entry, result=told)
        says = _promised(lambda _values, seq: Answer(asked.plan_id, (), seq, f"{summary}: {told}", vote=id_))
        await coordinator.record([ProposalOpened(with_plan(round_, plan, id_, summary)), Audited(entry), *self._acted(asked, told, vote=id_)], self.origin)
        return says((), coordinator.state.seq)

    async def _carry_out(self, doing: Doing) -> Answer:
        meant = doing.meant
        if meant.kept is not None:
            return await self._undo(doing, meant.kept)
        coordinator, commands = self._desk.coordinator, meant.asked
        if isinstance(commands[0], StopEngine):
            with contextlib.suppress(ReadOnly):  # it can be stopped all the same; then only the audit is missing
                await coordinator.record(self._accounts(doing), self.origin)
            self._desk.stop()
            return Answer(doing.plan_id, ("stopping",), coordinator.state.seq, "stopping the engine")
        if isinstance(commands[0], BackUpFleet):
            return await self._back_up(doing, commands[0])
        if isinstance(commands[0], undecided.WORK):
            return await self._told(doing, await undecided.carry_out(self._desk.sources, commands, self.origin))
        is_plan = not self._is_routine(meant) and any(step.changes for step in doing.steps)
        before = [undo.backs(coordinator.state, command) for command in commands] if is_plan else []
        applied: list[AppliedPlan] = []

        def account(values: Sequence[object]) -> list[Event]:
            if not is_plan:
                return self._accounts(doing, values)
            applied.append(self._applied(doing, undo.calls_back(commands, before, values), undo.calls_again(commands, values)))
            return [PlanApplied(applied[0]), *self._accounts(doing, values)]

        says = _promised(lambda values, seq: Answer(doing.plan_id, tuple(values), seq, summary_of(doing), applied[0].undo_until if applied else 0.0))
        return says(*await coordinator.execute(commands, self.origin, account, artifacts=meant.artifacts))

    async def _told(self, doing: Doing, told: str) -> Answer:
        """Record a verb that changed no state of the fleet; what it did is answered in words."""
        coordinator = self._desk.coordinator
        says = _promised(lambda _values, seq: Answer(doing.plan_id, (), seq, told))
        if doing.meant.asked[0].is_audited or doing.asked.vote:
            await coordinator.record(self._accounts(doing), self.origin)
        return says((), coordinator.state.seq)

    async def _back_up(self, doing: Doing, command: BackUpFleet) -> Answer:
        """Take a backup, above all of an engine that can write nothing else any more: then only the audit is missing."""
        desk = self._desk
        contents = await backing.back_up(desk.sources.journal, command, desk.now())
        with contextlib.suppress(ReadOnly):
            await desk.coordinator.record(self._accounts(doing), self.origin)
        return Answer(doing.plan_id, (contents.path,), desk.coordinator.state.seq, backing.told(contents))

    def _applied(self, doing: Doing, back: Sequence[undo.Back], again: Sequence[Call]) -> AppliedPlan:
        commands = doing.meant.does if again else ()
        state = self._desk.coordinator.state
        return AppliedPlan(
            doing.plan_id,
            self._desk.now(),
            self.origin.who,
            self.origin.via,
            doing.reason,
            summary_of(doing),
            tuple(again),
            tuple(call for call, _ in back),
            self._undo_until() if back else 0.0,
            tuple((step.target, step.before, step.after) for step in doing.steps[:STEPS_KEPT]),
            tuple(left for _, left in back),
            tuple(undo.found_by(state, command) for command in commands),
        )

    def _undo_until(self) -> float:
        return self._desk.now() + self._desk.config.operations.undo_window_s

    async def _undo(self, doing: Doing, kept: KeptPlan) -> Answer:
        plan, does, coordinator = kept.plan, doing.meant.does, self._desk.coordinator
        is_undo = isinstance(doing.meant.asked[0], UndoPlan)
        before = [undo.backs(coordinator.state, command) for command in does]
        entry = audit_lines.taken_back(self._by(doing.reason, doing.plan_id), doing.meant.asked[0], plan)
        noted = [Audited(entry), *self._acted(doing.asked, summary_of(doing))]

        def account(values: Sequence[object]) -> list[Event]:
            if is_undo:
                return [PlanUndone(plan.id, doing.plan_id, undone=True), *noted]
            # What it makes this time has other ids; taking it back must mean these.
            back = undo.calls_back(does, before, values)
            inverse, left = tuple(call for call, _ in back), tuple(left for _, left in back)
            again = replace(plan, inverse=inverse, left=left, undo_until=self._undo_until())
            return [PlanApplied(again), PlanUndone(plan.id, doing.plan_id, undone=False), *noted]

        says = _promised(lambda values, seq: Answer(doing.plan_id, tuple(values), seq, f"{'undid' if is_undo else 'redid'} {plan.summary}"))
        return says(*await coordinator.execute(does, self.origin, account, artifacts=doing.meant.artifacts, restoring=True))

    # ---- the audit

    def _accounts(self, doing: Doing, values: Sequence[object] = ()) -> list[Event]:
        made = tuple(value for value in values[:STEPS_KEPT] if isinstance(value, str))
        audited = [self._audited(doing)] if doing.meant.asked[0].is_audited or doing.asked.vote else []
        return [*audited, *self._acted(doing.asked, summary_of(doing), made=made)]

    def _acted(self, asked: Asked, told: str, *, is_done: bool = True, made: tuple[str, ...] = (), vote: str = "") -> list[Event]:
        """Return what a vote is told of the plan that it accepted."""
        return [ProposalActed(asked.vote, Acted(self._desk.now(), is_done, told, made, vote))] if asked.vote else []

    def _audited(self, doing: Doing) -> Audited:
        return Audited(audit_lines.done(self._by(doing.reason, doing.plan_id), doing.meant.asked, doing.steps))

    async def _audit_refusal(self, asked: Asked, error: FleetError) -> None:
        if not (asked.commands[0].is_audited or asked.vote or isinstance(error, Denied)):
            return
        coordinator, plan = self._desk.coordinator, asked.plan_id if asked.vote else ""
        try:
            entry = audit_lines.refused(self._by(asked.reason, plan), asked.commands[0], str(error), coordinator.state.plans)
            if not isinstance(error, ReadOnly):  # what could not be written may be done by who leads next
                _promised(lambda _values, _seq: error)
            await coordinator.record([Audited(entry), *self._acted(asked, str(error), is_done=False)], self.origin)
        except CommandRefused:
            return  # read-only: the refusal itself cannot be written either, the caller gets the first reason

    def _by(self, reason: str, plan: str) -> audit_lines.By:
        return audit_lines.By(self.origin, self._desk.now(), reason, plan)


def _promised(says: Callable[[Sequence[object], int], _Said]) -> Callable[[Sequence[object], int], _Said]:
    """Have the next commit carry what another engine is answered, if this is its call; return the same."""
    if (calling := CALLING.get()) is not None:
        calling.promise(says)
    return says


def _first_word(command: Command) -> str:
    return str(getattr(command, fields(command)[0].name))


def _is_plan_id(commands: Sequence[Command] | str) -> TypeGuard[str]:
    return isinstance(commands, str)


def _first_arguments(commands: Sequence[Command]) -> frozenset[str]:
    """Return the ids that verbs name themselves."""
    return frozenset(str(undo.command_values(command)[0]) for command in commands if fields(command))
