"""The single writer: decide, apply, journal, publish, run effects; outcomes come back as reports.

Owner: of what is decided but not durable yet. What gathers while a commit is under way goes into the
next one, so a batch is as large as the load makes it. Limits: tasks.pending_max and fleet.max_agents refuse more.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from engine.agents.registry import decide_after_work, decide_surplus
from engine.coordinator import agenda
from engine.coordinator.effects import effects_of
from engine.coordinator.following import Following
from engine.coordinator.hosts import elsewhere
from engine.coordinator.repairs import NotJsonError, encode_all, repaired
from engine.coordinator.reports import decide_pools, decide_report
from engine.coordinator.tools import CALLING, Tools
from engine.coordinator.verbs import decide_commands
from engine.memory.contract import Journal, JournalBatch, StoredArtifact
from engine.model import effects as fx
from engine.model import events as ev
from engine.model.agent_events import AgentAllocated
from engine.model.errors import JournalError, JournalUncertain, OutcomeUnknown, ReadOnly, UsageError
from engine.model.plain import printable
from engine.model.plans import Origin
from engine.model.reports import EngineStarted, Report, RoomSeen, TimePassed
from engine.model.task_events import TasksLeased
from engine.model.verbs import Command
from engine.monitoring.alerts.builtin import BUILTIN
from engine.monitoring.alerts.rule_verbs import new_rules
from engine.scaling.policy_verbs import new_policies
from engine.scheduling import budgets
from engine.scheduling.router import PLACEMENTS_PER_PASS, decide_placement
from engine.scheduling.timers import Due, decide_due
from engine.state import FleetState, Touched
from engine.state.deciding import Deciding

logger = logging.getLogger(__name__)

ENGINE_ORIGIN = Origin("engine", "engine", "", 2)
TICK_MAX_S = 0.1
"""Longest sleep of the timer; a time-out is at most this late."""
PROBE_INTERVAL_S = 1.0
"""Between two attempts to write a journal that failed."""


@dataclass(slots=True)
class _Pending:
    """What waits for the next commit."""

    records: list[ev.Record] = field(default_factory=list)
    texts: list[bytes] = field(default_factory=list)
    """Their events as JSON."""
    touched: Touched = field(default_factory=Touched)
    reports: list[tuple[Report, tuple[StoredArtifact, ...]]] = field(default_factory=list)
    """Reports decided in this commit; they are decided again when it fails."""
    artifacts: list[StoredArtifact] = field(default_factory=list)
    """Large payloads that commands brought."""
    waiters: list[asyncio.Future[None]] = field(default_factory=list)
    answers: dict[str, bytes] = field(default_factory=dict)
    """To what other engines asked for."""


class Coordinator(Following):
    """Decides what becomes of the fleet."""

    def __init__(self, state: FleetState, journal: Journal, tools: Tools) -> None:
        super().__init__(state, journal, tools)
        self._carry_out: Callable[[Sequence[fx.Effect]], None] = _no_effects
        self._pending = _Pending()
        self._work = asyncio.Event()
        self._gathered = asyncio.Event()
        self._committing = asyncio.Lock()
        """One batch at a time: each goes on from the one before it."""
        self._reports: deque[tuple[Report | asyncio.Future[None], tuple[StoredArtifact, ...]]] = deque()
        self._time_told = False
        """A TimePassed is among the reports."""

    def connect(self, carry_out: Callable[[Sequence[fx.Effect]], None]) -> None:
        """Say who carries out effects; called once, before run()."""
        self._carry_out = carry_out

    def deciding(self, origin: Origin, *, restoring: bool = False) -> Deciding:
        """Return what a decision made now may know."""
        tools = self._tools
        return Deciding(tools.clock.now(), origin, tools.config, tools.ids, tools.rng, tools.classify, tools.room, tools.checked, restoring, tools.memory_verbs)

    def rehearse(self, commands: Sequence[Command], origin: Origin, *, restoring: bool = False) -> Sequence[ev.Event]:
        """Return the events that verbs would make now; nothing changes. Raises FleetError as execute() would."""
        events = decide_commands(self.state, commands, self.deciding(origin, restoring=restoring), self._free).events
        for event in events:
            if isinstance(event, AgentAllocated):  # choosing took it out of the free ones
                self._free.update(self.state.agents[event.allocation.agent])
        return events

    # ---- commands and reports

    async def execute(
        self,
        commands: Sequence[Command],
        origin: Origin,
        account: Callable[[Sequence[object]], Sequence[ev.Event]] | None = None,
        *,
        artifacts: Sequence[StoredArtifact] = (),
        restoring: bool = False,
    ) -> tuple[Sequence[object], int]:
        """Decide and apply verbs; return their values and the state's number when they are durable.

        `account` gets the values and returns the events (plan, audit) that go into the same commit, as the artifacts do.
        Raises FleetError; nothing has then been changed. Cancelling it does not take the verbs back.
        """
        self._require_writable()
        decision = decide_commands(self.state, commands, self.deciding(origin, restoring=restoring), self._free)
        events = list(decision.events)
        if account is not None:
            events += account(decision.values)
        self._apply_for(origin, events)
        self._pending.artifacts += artifacts
        self._pending.artifacts += decision.artifacts
        seq = self.state.seq
        self._answer(decision.values)
        await self._committed()
        return decision.values, seq

    async def record(self, events: Sequence[ev.Event], origin: Origin) -> None:
        """Journal events that change no agent or task (audit, undo marks). Raises ReadOnly."""
        self.keep(events, origin, waiters=())
        self._answer(())
        await self._committed()

    def keep(
        self,
        events: Sequence[ev.Event],
        origin: Origin,
        *,
        waiters: Iterable[asyncio.Future[None]],
        artifacts: Sequence[StoredArtifact] = (),
    ) -> None:
        """Apply events at once; the waiters are told when these are durable, or that they never will be. Raises ReadOnly."""
        self._require_writable()
        self._apply_for(origin, events)
        self._pending.artifacts += artifacts
        self._pending.waiters += waiters
        self._gathered.set()  # there is nothing to place: what is kept changes no agent or task

    async def settled(self) -> None:
        """Wait until everything applied so far is durable, so that nobody is shown what a failure could take back."""
        if self.state.seq == self._durable_seq or self.read_only:
            return
        with contextlib.suppress(ReadOnly):
            await self._committed()

    def report(self, report: Report, artifacts: Sequence[StoredArtifact] = ()) -> None:
        """Take a report; it is decided in order, soon, and kept while the journal cannot be written."""
        self._reports.append((report, tuple(artifacts)))
        self._work.set()

    async def reported(self) -> None:
        """Wait until what was reported until now is decided and durable. Raises ReadOnly: it is decided again, ask again."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._reports.append((waiter, ()))
        self._work.set()
        await waiter

    async def start(self, engine: EngineStarted) -> None:
        """Take over the state: what was held waits again, pools follow the configuration.

        Durable on return. Raises JournalError, and then the engine cannot start.
        """
        self.read_only = ""
        deciding = self.deciding(ENGINE_ORIGIN)
        self._apply(decide_report(self.state, engine, deciding), "engine")
        self._apply(decide_pools(self.state, self._tools.config.pool_specs(), deciding), "engine")
        self._apply(decide_surplus(self.state, deciding), "engine")
        self._apply(decide_report(self.state, RoomSeen(), deciding), "engine")
        self._apply(new_policies(self.state, self._tools.config.policies()), "engine")
        self._apply(budgets.decide_configured(self.state, self._tools.config.budgets()), "engine")
        self._apply(new_rules(self.state, BUILTIN, self._tools.config.alerting.made_rules(), deciding.now), "engine")
        pending, self._pending = self._pending, _Pending()
        await self._write(pending)

    async def stand_by(self, why: str) -> None:
        """Decide nothing until start(), and go back to what is durable. Raises JournalError."""
        self.read_only = why
        pending, self._pending = self._pending, _Pending()
        _refuse(pending, JournalError(why))
        self._reports.clear()
        self._time_told = False
        await self._reload()

    # ---- the loop

    async def run(self) -> None:
        """Decide reports and place tasks until cancelled; commits go on beside it, so that neither waits for the other."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._tick(), name="coordinator timer")
            group.create_task(self._commit_forever(), name="coordinator commits")
            while True:
                await self._work.wait()
                self._work.clear()
                if not self.read_only:
                    self._decide_reports()
                    self._place()
                    self._gathered.set()

    async def _commit_forever(self) -> None:
        while True:
            await self._gathered.wait()
            self._gathered.clear()
            await self._commit()

    async def flush(self) -> None:
        """Commit what has gathered, after the commit that is under way; used at shutdown. What cannot be written is refused."""
        async with self._committing:
            if self.read_only:
                _refuse(self._pending, JournalError(self.read_only))
                return
            self._decide_reports()
            pending, self._pending = self._pending, _Pending()
            try:
                await self._write(pending)
            except JournalError as error:
                logger.exception("journal failed at shutdown", extra={"reason": str(error)})
                _refuse(pending, error)

    async def _tick(self) -> None:
        clock = self._tools.clock
        while True:
            due_at = self._timers.next_at()
            if due_at is None or self._time_told:
                await clock.sleep(TICK_MAX_S)
            else:
                await clock.sleep(min(TICK_MAX_S, max(0.001, due_at - clock.now())))
            due_at = self._timers.next_at()
            if due_at is not None and due_at <= clock.now() and not self._time_told:
                self._time_told = True
                self.report(TimePassed())

    def _decide_reports(self) -> None:
        deciding = self.deciding(ENGINE_ORIGIN)
        while self._reports:
            report, artifacts = self._reports.popleft()
            if isinstance(report, asyncio.Future):
                self._pending.waiters.append(report)
                continue
            if isinstance(report, TimePassed):
                self._time_told = False
                due = self._timers.take_due(deciding.now)
                self._apply(self._decide_time(due, deciding.now), "engine")
                self._apply(agenda.decide_sessions(self.state, due, deciding), "engine")
                for look in budgets.looks(self.state, deciding.now):
                    self._timers.add(look)
                continue
            self._pending.reports.append((report, artifacts))
            try:
                self._apply(decide_report(self.state, report, deciding), "engine")
            except NotJsonError as error:
                logger.error("report cannot be kept as it is", extra={"report": type(report).__name__, "reason": str(error)})  # noqa: TRY400
                self._apply(decide_report(self.state, repaired(report), deciding), "engine")

    def _decide_time(self, due: Sequence[Due], now: float) -> list[ev.Event]:
        for _at, kind, name, _attempt in due:
            task = self.state.tasks.get(name) if kind == "ready" else None  # type: ignore[call-overload]
            if task is not None:
                self._queue.update(task, now)
        return [*decide_due(self.state, due, now), *agenda.decide_due(self.state, due, now)]

    def _place(self) -> None:
        events = decide_placement(self.state, self._queue, self._free, self._tools.clock.now(), self._tools.program_room)
        self._apply(events, "engine")
        for event in events:
            if isinstance(event, TasksLeased) and len(event.leases) >= PLACEMENTS_PER_PASS:
                self._work.set()

    async def _commit(self) -> None:
        pending, self._pending = self._pending, _Pending()
        try:
            async with self._committing:
                await self._write(pending)
        except JournalError as error:
            await self._survive(pending, error)
        except BaseException:
            _refuse(pending, JournalUncertain("this engine ended, or gave up to lead, while it was written"))
            raise

    async def _write(self, pending: _Pending) -> None:
        """Make a batch durable, then tell everybody. Raises JournalError."""
        if pending.records:
            artifacts = [*pending.artifacts, *(artifact for _, named in pending.reports for artifact in named)]
            effects = effects_of(pending.records)

            def begin() -> None:
                due, effects[:] = effects[:], []
                self._carry_out(due)

            await self._journal.append(JournalBatch(pending.records, self.state, pending.touched, pending.texts, artifacts, pending.answers, begin))
            self._durable_seq = pending.records[-1].seq
            self.counters.commits += 1
            self.counters.records += len(pending.records)
            self._tell(pending.records, pending.touched)
            begin()
        for waiter in pending.waiters:
            if not waiter.done():
                waiter.set_result(None)

    def _committed(self) -> asyncio.Future[None]:
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._pending.waiters.append(waiter)
        self._work.set()
        return waiter

    def _answer(self, values: Sequence[object]) -> None:
        """Have the answer to another engine's call become durable together with what it changed."""
        if (calling := CALLING.get()) is not None and (answer := calling.take(values, self.state.seq)) is not None:
            self._pending.answers[calling.id] = answer

    # ---- applying

    def _apply_for(self, origin: Origin, events: Sequence[ev.Event]) -> None:
        """Apply what an operator asked for. Raises UsageError for what JSON cannot hold; nothing has then been changed."""
        try:
            self._apply(events, printable(origin.who))
        except NotJsonError as error:
            for event in events:
                if isinstance(event, AgentAllocated):  # choosing it took it off the index
                    self._free.update(self.state.agents[event.allocation.agent])
            raise UsageError(f"this cannot be kept as JSON: {error}; give plain values and whole texts") from error

    def _apply(self, events: Sequence[ev.Event], cause: str) -> None:
        """Change the state. Raises NotJsonError for what the journal could not keep, before anything is changed."""
        if not events:
            return
        self._pending.texts += encode_all(events)
        state, now = self.state, self._tools.clock.now()
        for event in events:
            record = ev.Record(state.seq + 1, now, cause, event)
            self._fold(record)
            self._pending.records.append(record)
        touched = self._index(events, now)
        self._pending.touched.merge(touched)
        if after := [*decide_after_work(state, list(touched.agents)), *budgets.decide_after(state, events, now)]:
            self._apply(elsewhere(state, after, self.deciding(ENGINE_ORIGIN)), cause)

    # ---- when the journal cannot be written

    def _require_writable(self) -> None:
        if self.read_only:
            raise ReadOnly(f"the engine is read-only: {self.read_only}; nothing was changed")

    async def _survive(self, failed: _Pending, error: JournalError) -> None:
        """Go back to the last durable state, refuse what was not acknowledged, and try until writing works."""
        self.read_only = str(error)
        logger.error("journal failed, engine is read-only", extra={"reason": str(error)})
        _refuse(failed, error)
        _refuse(self._pending, JournalError(str(error)))  # nobody has tried to write these
        again_later = [*failed.reports, *self._pending.reports]
        self._pending = _Pending()
        is_loaded = False
        while True:
            try:
                if not is_loaded:
                    await self._reload()
                    is_loaded = True
                await self._journal.probe()
                break
            except JournalError as again:
                self.read_only = str(again)
                await self._tools.clock.sleep(PROBE_INTERVAL_S)
        self._reports.extendleft(reversed(again_later))
        self.read_only = ""
        logger.warning("journal works again", extra={"reports_kept": len(self._reports)})
        self._work.set()



def _refuse(pending: _Pending, error: JournalError) -> None:
    refusal = OutcomeUnknown(f"whether it is done is not known: {error}") if isinstance(error, JournalUncertain) else ReadOnly(f"not done, nothing was changed: {error}")
    for waiter in pending.waiters:
        if not waiter.done():
            waiter.set_exception(type(refusal)(*refusal.args))


def _no_effects(_effects: Sequence[fx.Effect]) -> None:
    """Carry out nothing; replaced by connect()."""
