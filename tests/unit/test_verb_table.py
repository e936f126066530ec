"""The table of verbs: each has a plan, an audit entry, and an inverse or a reason why there is none; the docs say the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import FrozenInstanceError, fields
from pathlib import Path

import msgspec
import pytest
from engine.model import commands as c
from engine.model.agent_commands import (
    AllocateAgent,
    DrainAgent,
    RegisterAgent,
    ReleaseAgent,
    RestartAgent,
    UndrainAgent,
    UnregisterAgent,
)
from engine.model.alert_commands import (
    AckAlert,
    CreateRule,
    DeleteRule,
    DisableRule,
    EnableRule,
    EndSilence,
    SilenceAlerts,
    UnackAlert,
    UpdateRule,
)
from engine.model.alert_events import AlertsMoved
from engine.model.alert_words import Severity
from engine.model.alerts import Alert, AlertState, fingerprint
from engine.model.booster_commands import AddModule, ClearBoosterCache, RemoveModule
from engine.model.budget_commands import SetBudget
from engine.model.bus_commands import DropEvents, ReplayEvents
from engine.model.channel_commands import RequeueNotifications, TestChannel
from engine.model.consensus_commands import (
    CastVote,
    ExtendProposal,
    OpenProposal,
    SettleProposal,
    WithdrawProposal,
)
from engine.model.data_commands import (
    BackUpFleet,
    DeleteBaseline,
    RecordMetric,
    RotateKeys,
    SaveBaseline,
)
from engine.model.fleet_commands import HaltFleet, RedoPlan, ResumeFleet, StopEngine, UndoPlan
from engine.model.host_commands import CordonHost, HostVerb, UncordonHost
from engine.model.ids import TaskId
from engine.model.memory import Dot, EntryId, Head
from engine.model.memory_commands import (
    ConsolidateMemory,
    EraseOwner,
    ForgetEntry,
    PermitEntry,
    RememberEntry,
    ResolveConflict,
    RestoreEntry,
    SynchronizeMemory,
)
from engine.model.memory_events import MemoryConflicted
from engine.model.notifications import About, Notification
from engine.model.plans import Origin
from engine.model.pool_commands import (
    AskGang,
    CreatePolicy,
    DeletePolicy,
    EditPool,
    EndGang,
    HoldPool,
    PausePool,
    ReleasePool,
    ScalePool,
    UnpausePool,
    UpdatePolicy,
)
from engine.model.question_commands import AnswerTask, AskOperator, ForgetAnswerRule, TellProgress
from engine.model.questions import Ask, TaskAsked
from engine.model.region_commands import FailBack, FailOver
from engine.model.replication import Carried
from engine.model.review_commands import AcceptReview, DiscardReview, ReopenReview
from engine.model.review_events import ReviewOpened
from engine.model.reviews import Work
from engine.model.routing_commands import ForgetRouting, RecallRouting, SetRouting
from engine.model.routing_events import RoutingLearned
from engine.model.swarm_commands import (
    CreateSwarm,
    EditSwarm,
    EndSwarm,
    GiveObjective,
    PauseSwarm,
    ResendMessage,
    SendMessage,
    StopSession,
    TakeMessage,
    UnpauseSwarm,
)
from engine.model.task_commands import CancelTask, PrioritiseTask, RetryTask, SubmitTask
from engine.model.tasks import Outcome
from engine.model.verbs import Command
from engine.monitoring.notifying.grouping import merge
from engine.scheduling.learning import PoolModel
from engine.simulation.world import World
from tests.given_up import give_up
from tests.unit.core_fleet import host_joined
from tests.unit.test_gate import BOB, audits, live
from tests.unit.test_guardrails import ADMIN

DOCS = Path(__file__).parents[2] / "docs" / "operations.md"
KINDS = list(c.COMMANDS.values())


@pytest.mark.parametrize("kind", KINDS, ids=c.COMMANDS)
def test_verb_has_an_inverse_or_says_why_not(kind: type[Command]) -> None:
    assert bool(kind.inverse) is not bool(kind.irreversible), "an inverse, or why there is none; not both"
    assert not kind.inverse or kind.inverse in c.COMMANDS
    assert not (kind.irreversible and kind.undo_note)


def test_words_and_names_mean_one_verb_each() -> None:
    assert len(c.VERBS) == len(c.COMMANDS) == len({kind.verb for kind in KINDS})
    assert not set(c.VERBS) & set(c.COMMANDS)


def verbs_table() -> str:
    """Return the table of the docs about what undo does not restore."""
    lines = ["| verb | undone by | not restored |", "|---|---|---|"]
    for kind in KINDS:
        by = f"`{c.COMMANDS[kind.inverse].verb}`" if kind.inverse else "nothing"
        lines.append(f"| `{kind.verb}` | {by} | {kind.irreversible or kind.undo_note or 'all is restored'} |")
    return "\n".join(lines)


def test_docs_say_what_cannot_be_undone() -> None:
    text = DOCS.read_text("utf-8")
    _, _, rest = text.partition("<!-- verbs -->\n")
    found, end, _ = rest.partition("\n<!-- /verbs -->")
    assert end
    assert found == verbs_table()


async def _task(world: World, *, end: bool = False) -> str:
    await world.gate(ADMIN).execute([HaltFleet("placing")], confirm="placing")
    task = str((await world.gate(BOB).execute([SubmitTask("noop", "ui")])).values[0])
    if end:
        await world.gate(BOB).execute([CancelTask(task)])
    return task


async def _reviewed(world: World, *, decided: bool = False) -> str:
    """Return a task that left work on a branch, which waits for a review, or was accepted."""
    task = TaskId(str((await world.gate(BOB).execute([SubmitTask("noop", "ui")])).values[0]))
    await world.until(lambda: world.state.tasks[task].state == "succeeded")
    await world.coordinator.record([ReviewOpened(task, Work("/repo", f"fleet/{task}", "b0", "h1", "main"))], ADMIN)
    if decided:
        await world.gate(ADMIN).execute([AcceptReview(task)])
    return str(task)


async def _allocation(world: World) -> str:
    [held] = (await world.gate(BOB).execute([AllocateAgent("mine", "ui")])).values
    return str(held.id)  # type: ignore[attr-defined]


async def _running(world: World) -> str:
    """Return a task that runs for long."""
    world.agents._work = lambda assignment, _rng: (1e9, Outcome(assignment.task, assignment.token, ok=True))
    task = TaskId(str((await world.gate(BOB).execute([SubmitTask("noop", "ui")])).values[0]))
    await world.until(lambda: world.state.tasks[task].state == "running")
    return str(task)


async def _asking(world: World) -> str:
    """Return a task whose agent asks for leave to use a tool."""
    task = TaskId(await _running(world))
    world.coordinator.report(TaskAsked(task, 1, Ask("x", "1", tool="Bash")))
    await world.until(lambda: bool(world.state.asking))
    return task


async def _ruled(world: World) -> str:
    """Return a pool that has a rule of an operator."""
    task = await _asking(world)
    await world.gate(ADMIN).execute([AnswerTask(task, "allow", rule="Bash")])
    return "ui"


async def _gang(world: World) -> str:
    return str((await world.gate(BOB).execute([AskGang("ui", 2)])).values[0])


async def _proposal(world: World) -> str:
    return str((await world.gate(BOB).execute([OpenProposal("merge it", (f"@{BOB.who}", f"@{ADMIN.who}"))])).values[0])


async def _message(world: World, target: str = "ui-1", *, dead: bool = False) -> str:
    program = world.gate(Origin("program", "library", "", 2))
    await program.execute([CreateSwarm("pair", ("ui-1",))])
    id_ = str((await program.execute([SendMessage("pair", "hello", target, source="ui-1", ttl_s=1.0)])).values[0])
    if dead:
        await world.clock.sleep(2)
    return id_


async def _session(world: World) -> str:
    await world.gate(ADMIN).execute([CreateSwarm("pair", ("ui-1",))])
    return str((await world.gate(ADMIN).execute([GiveObjective("pair", "ship it", parts=("one",))])).values[0])


async def _paused_swarm(world: World) -> str:
    await world.gate(ADMIN).execute([CreateSwarm("pair", ("ui-1",))])
    await world.gate(ADMIN).execute([PauseSwarm("pair")])
    return "pair"


async def _parked(world: World) -> str:
    told = Notification("ntf_1", "key", About.FIRING, {}, (), world.clock.now())
    letter = world.notifier.outbox.put("hook", told, world.clock.now(), waiting_max=1, join=merge)
    world.notifier.outbox.park(letter, "nobody was there", world.clock.now())
    return letter.id


async def _given_up(world: World) -> str:
    await give_up(world, 1)
    return next(iter(world.dead_events.rows()))


async def _undone(world: World) -> str:
    plan = (await world.gate(ADMIN).execute([PausePool("ui")])).plan
    await world.gate(ADMIN).execute([UndoPlan(plan)])
    return plan


async def _alert(world: World, *, acked: bool = False) -> str:
    alert = Alert(fingerprint("error-rate", {}), "error-rate", {}, Severity.WARNING, AlertState.FIRING, 0.5, 1.0, 1.0)
    await world.coordinator.record([AlertsMoved((alert,))], ADMIN)
    if acked:
        await world.gate(ADMIN).execute([AckAlert(alert.id)])
    return alert.id


async def _silence(world: World) -> str:
    return str((await world.gate(ADMIN).execute([SilenceAlerts("pool=ui", 60.0)])).values[0])


async def _learned(world: World, *, forgotten: bool = False) -> str:
    """Have something learned in a pool, or have it forgotten by a reset."""
    await world.coordinator.record([RoutingLearned((PoolModel("ui").at_rest(),), set_aside=forgotten)], ADMIN)
    return "ui"


async def _conflict(world: World) -> str:
    """Make an entry that was written in another place, too."""
    await world.gate(ADMIN).execute([RememberEntry("plan", "1")])
    id_ = EntryId("default", ADMIN.who, "plan")
    there = world.memory.shelf.heads([id_])[id_]
    lost = Head(id_, version=1, writer="zoe", size=1, lineage=(Dot("life_z", 1),))
    head = msgspec.structs.replace(there, rivals=(Dot("life_z", 1),), heard=(Dot("life_z", 1),))
    await world.coordinator.record([MemoryConflicted((head,), (Carried(lost, msgspec.Raw(b"2")),))], ADMIN)
    return "plan"


async def _measure(world: World) -> None:
    store, now = world.history.recorder.store, world.clock.now()
    for at in (now - 60, now):
        await store.open(at)
        store.put(at, {("agents", ""): 1.0}, {})


async def _command(world: World, kind: type[Command]) -> Command:
    """Return a verb that changes something, after making the world so that it does."""
    before: dict[type[Command], Command] = {
        UnpausePool: PausePool("ui"),
        ReleasePool: HoldPool("ui"),
        UpdatePolicy: CreatePolicy("mine", {"pool": "ui", "target": 0.5}),
        DeletePolicy: CreatePolicy("mine", {"pool": "ui", "target": 0.5}),
        UndrainAgent: DrainAgent("ui-1"),
        UncordonHost: CordonHost("lab"),
        ResumeFleet: HaltFleet("scaling"),
        UndoPlan: PausePool("ui"),
        RemoveModule: AddModule("mine", "/blanks.wasm"),
        UpdateRule: CreateRule("mine", "queue_depth > 5"),
        DeleteRule: CreateRule("mine", "queue_depth > 5"),
        EnableRule: CreateRule("mine", "queue_depth > 5", disabled=True),
        ForgetEntry: RememberEntry("plan", "1"),
        PermitEntry: RememberEntry("plan", "1"),
        RestoreEntry: RememberEntry("plan", "1"),
        ConsolidateMemory: RememberEntry("met", "all went well", kind="episodic"),
        EditSwarm: CreateSwarm("pair", ("ui-1",)),
        PauseSwarm: CreateSwarm("pair", ("ui-1",)),
        EndSwarm: CreateSwarm("pair", ("ui-1",)),
        SendMessage: CreateSwarm("pair", ("ui-1",)),
        GiveObjective: CreateSwarm("pair", ("ui-1",)),
        DeleteBaseline: SaveBaseline("before"),
    }
    if issubclass(kind, HostVerb):
        world.coordinator.report(host_joined("lab"))
        await world.coordinator.reported()
    if kind in (SaveBaseline, DeleteBaseline):
        await _measure(world)
    if kind is FailBack:
        await world.gate(ADMIN).execute([FailOver("there")], confirm="there")
    if kind in before:
        await world.gate(ADMIN).execute([before[kind]], confirm="scaling")
    make: dict[type[Command], Callable[[], object]] = {
        CancelTask: lambda: _task(world),
        PrioritiseTask: lambda: _task(world),
        RetryTask: lambda: _task(world, end=True),
        EndGang: lambda: _gang(world),
        AcceptReview: lambda: _reviewed(world),
        DiscardReview: lambda: _reviewed(world),
        ReopenReview: lambda: _reviewed(world, decided=True),
        RecallRouting: lambda: _learned(world, forgotten=True),
        ForgetRouting: lambda: _learned(world),
        ResolveConflict: lambda: _conflict(world),
        ReleaseAgent: lambda: _allocation(world),
        RedoPlan: lambda: _undone(world),
        AnswerTask: lambda: _asking(world),
        ForgetAnswerRule: lambda: _ruled(world),
        AskOperator: lambda: _running(world),
        TellProgress: lambda: _running(world),
        CastVote: lambda: _proposal(world),
        ExtendProposal: lambda: _proposal(world),
        SettleProposal: lambda: _proposal(world),
        WithdrawProposal: lambda: _proposal(world),
        UnpauseSwarm: lambda: _paused_swarm(world),
        StopSession: lambda: _session(world),
        TakeMessage: lambda: _message(world, f"@{ADMIN.who}"),
        ResendMessage: lambda: _message(world, dead=True),
        AckAlert: lambda: _alert(world),
        UnackAlert: lambda: _alert(world, acked=True),
        EndSilence: lambda: _silence(world),
        RequeueNotifications: lambda: _parked(world),
        ReplayEvents: lambda: _given_up(world),
        DropEvents: lambda: _given_up(world),
    }
    made = await make[kind]() if kind in make else ""  # type: ignore[misc]
    arguments: dict[type[Command], tuple[object, ...]] = {
        ScalePool: ("ui", "2"),
        PausePool: ("ui",),
        UnpausePool: ("ui",),
        EditPool: ("ui", {"cost": 2.0}),
        HoldPool: ("ui", 60.0),
        ReleasePool: ("ui",),
        AskGang: ("ui", 2),
        CreatePolicy: ("mine", {"pool": "ui", "target": 0.5}),
        UpdatePolicy: ("mine", {"target": 0.7}),
        DeletePolicy: ("mine",),
        RegisterAgent: ("ui",),
        AllocateAgent: ("mine", "ui"),
        SubmitTask: ("noop", "ui"),
        PrioritiseTask: (made, 9),
        AnswerTask: (made, "allow"),
        ForgetAnswerRule: (made, "Bash"),
        AskOperator: ("which?", ("a", "b"), made),
        TellProgress: ("half of it", 0.5, made),
        SetRouting: ("on", "ui"),
        SetBudget: ("cost_per_day", "5", "ui"),
        HaltFleet: ("agents",),
        StopEngine: (),
        ClearBoosterCache: (),
        SynchronizeMemory: (),
        BackUpFleet: ("mine.db",),
        AddModule: ("mine", "/blanks.wasm"),
        RemoveModule: ("mine",),
        RememberEntry: ("plan", '{"a": 1}'),
        ForgetEntry: ("plan",),
        PermitEntry: ("plan", "team"),
        RestoreEntry: ("plan", 0),
        ConsolidateMemory: ("", 0.0),
        EraseOwner: ("ada",),
        RotateKeys: (),
        RecordMetric: ("orders.open", 12.0),
        SaveBaseline: ("before",),
        DeleteBaseline: ("before",),
        OpenProposal: ("merge it", ("ui",)),
        CastVote: (made, "approve"),
        SettleProposal: (made, "accept"),
        CreateSwarm: ("pair", ("ui-1",)),
        EditSwarm: ("pair", "", (), "unanimous"),
        PauseSwarm: ("pair",),
        EndSwarm: ("pair",),
        SendMessage: ("pair", "hello"),
        GiveObjective: ("pair", "ship it", "noop", ("one",)),
        CreateRule: ("mine", "queue_depth > 5"),
        UpdateRule: ("mine", {"for_s": 60.0}),
        DeleteRule: ("mine",),
        EnableRule: ("mine",),
        DisableRule: ("error-rate",),
        **dict.fromkeys(HostVerb.__args__, ("lab",)),
        SilenceAlerts: ("pool=ui", 60.0),
        TestChannel: ("hook",),
        FailOver: ("there",),
        FailBack: ("there",),
        UndoPlan: (),
        ResumeFleet: (),
    }
    agents = (UnregisterAgent, DrainAgent, UndrainAgent, RestartAgent)
    return kind(*(("ui-1",) if kind in agents else arguments.get(kind, (made,))))


@pytest.mark.parametrize("kind", KINDS, ids=c.COMMANDS)
def test_verb_has_a_plan_an_audit_entry_and_an_undo_or_none(kind: type[Command]) -> None:
    async def story(world: World) -> None:
        gate = world.gate(ADMIN)
        command = await _command(world, kind)
        plan = await gate.plan([command])
        assert plan.steps and plan.steps[0].target and plan.steps[0].changes
        assert plan.undo_note == (kind.irreversible or kind.undo_note)
        answer = await gate.execute(plan.id, confirm=plan.confirm, reason="a test")
        assert [line[1] for line in audits(world)].count(kind.name) == kind.is_audited
        if issubclass(kind, UndoPlan | RedoPlan):
            assert plan.undoable
            return
        kept = world.state.plans.get(answer.plan)
        assert (kept is not None and bool(kept.plan.inverse)) is plan.undoable is bool(kind.inverse)
        if kind.inverse:
            assert kept is not None
            assert {call.name for call in kept.plan.inverse} == {kind.inverse}
            assert answer.undo_until > world.clock.now()

    live(story)


def test_verbs_compare_and_read_like_dataclasses() -> None:
    one, same, other = PausePool("coder"), PausePool("coder"), PausePool("tester")
    assert (one == same, one == other, one == UnpausePool("coder")) == (True, False, False)
    assert len({one, same, other}) == 2
    assert repr(one) == f"PausePool({', '.join(f'{spec.name}={getattr(one, spec.name)!r}' for spec in fields(one))})"
    with pytest.raises(FrozenInstanceError):
        one.pool = "other"  # type: ignore[misc]
