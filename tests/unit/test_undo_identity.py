"""Undo is the inverse of apply, on any state and in any depth: what operators decided is as it was, step by step back."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import msgspec
import pytest
from engine.model import commands as c
from engine.model.agent_commands import AllocateAgent, DrainAgent, RegisterAgent, UndrainAgent
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
from engine.model.booster_commands import AddModule, RemoveModule
from engine.model.budget_commands import SetBudget
from engine.model.consensus_commands import OpenProposal
from engine.model.errors import CommandRefused, FleetError
from engine.model.fleet_commands import HaltFleet, RedoPlan, ResumeFleet, UndoPlan
from engine.model.host_commands import HostVerb
from engine.model.ids import TaskId
from engine.model.memory import Dot, EntryId, Head
from engine.model.memory_commands import (
    ForgetEntry,
    PermitEntry,
    RememberEntry,
    ResolveConflict,
    RestoreEntry,
)
from engine.model.memory_events import MemoryConflicted
from engine.model.pool_commands import (
    AskGang,
    CreatePolicy,
    DeletePolicy,
    EditPool,
    HoldPool,
    PausePool,
    ReleasePool,
    ScalePool,
    UnpausePool,
    UpdatePolicy,
)
from engine.model.replication import Carried
from engine.model.review_commands import AcceptReview, DiscardReview
from engine.model.review_events import ReviewOpened
from engine.model.reviews import Work
from engine.model.routing_commands import ForgetRouting, SetRouting
from engine.model.routing_events import RoutingLearned
from engine.model.swarm_commands import (
    CreateSwarm,
    EditSwarm,
    GiveObjective,
    PauseSwarm,
    UnpauseSwarm,
)
from engine.model.task_commands import CancelTask, PrioritiseTask, RetryTask, SubmitTask
from engine.model.verbs import Command
from engine.monitoring.alerts.rule_verbs import create_args
from engine.scheduling.learning import PoolModel
from engine.scheduling.routing_verbs import mode_set
from engine.simulation.loop import run_virtual
from engine.simulation.world import World, instant_success
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.examples import examples
from tests.unit.core_fleet import host_joined
from tests.unit.test_gate import POOLS
from tests.unit.test_guardrails import ADMIN

CONFIG = {"fleet": {"default_pools": POOLS, "max_agents": 14}, "operations": {"undo_window_s": 3_600.0, "plan_ttl_s": 30.0}}
STEPS = 12
NAMED = (RegisterAgent, DrainAgent, UndrainAgent, CreateSwarm, EditSwarm)
APART = ((ScalePool, AskGang), NAMED)
"""Never both in one life: an agent that left comes back as a new one, as the table of verbs says of `scale`, so that what was
done to it by name cannot be taken back. It says, too, that a size stays where other bounds had put it: they are left alone."""
ALONE = (UndoPlan, RedoPlan)
SAMPLES: dict[type[Command], Callable[[World, random.Random], Command]] = {
    ScalePool: lambda _, chance: ScalePool(pool(chance), chance.choice(["3", "+1", "-1", "=max", "=min", "150%"])),
    PausePool: lambda _, chance: PausePool(pool(chance)),
    UnpausePool: lambda _, chance: UnpausePool(pool(chance)),
    EditPool: lambda _, chance: EditPool(pool(chance), {chance.choice(["cost", "priority", "memory", "cpu"]): chance.choice([4, 7, 9, None])}),
    HoldPool: lambda _, chance: HoldPool(pool(chance), float(chance.randrange(60, 9_000))),
    ReleasePool: lambda _, chance: ReleasePool(pool(chance)),
    AskGang: lambda _, chance: AskGang(pool(chance), chance.randrange(1, 3), keep_s=9_000.0),
    CreatePolicy: lambda _, chance: CreatePolicy(chance.choice("pq"), {"pool": pool(chance), "target": chance.choice([0.5, 0.8])}),
    UpdatePolicy: lambda _, chance: UpdatePolicy(chance.choice("pq"), {chance.choice(["target", "safety"]): chance.choice([0.6, 0.7, None])}),
    DeletePolicy: lambda _, chance: DeletePolicy(chance.choice("pq")),
    RegisterAgent: lambda _, chance: RegisterAgent(pool(chance), count=chance.randrange(1, 3)),
    DrainAgent: lambda world, chance: DrainAgent(agent(world, chance)),
    UndrainAgent: lambda world, chance: UndrainAgent(agent(world, chance)),
    AllocateAgent: lambda _, chance: AllocateAgent("mine", pool(chance)),
    **{kind: lambda *_, kind=kind: kind("lab") for kind in HostVerb.__args__},  # type: ignore[misc]
    SubmitTask: lambda _, chance: SubmitTask("noop", pool(chance), priority=chance.randrange(1, 11)),
    CancelTask: lambda world, chance: CancelTask(task(world, chance)),
    RetryTask: lambda world, chance: RetryTask(task(world, chance)),
    PrioritiseTask: lambda world, chance: PrioritiseTask(task(world, chance), chance.randrange(1, 11)),
    AcceptReview: lambda world, chance: AcceptReview(reviewed(world, chance), onto=chance.choice(["", "other"])),
    DiscardReview: lambda world, chance: DiscardReview(reviewed(world, chance)),
    OpenProposal: lambda *_: OpenProposal("merge it", ("@ada",)),
    CreateSwarm: lambda world, chance: CreateSwarm(chance.choice("pq"), (agent(world, chance),)),
    EditSwarm: lambda world, chance: chance.choice(
        [EditSwarm(chance.choice("pq"), rule=chance.choice(["quorum", "unanimous"])), EditSwarm(chance.choice("pq"), members=(agent(world, chance),))]
    ),
    GiveObjective: lambda _, chance: GiveObjective(chance.choice("pq"), "ship it", "noop", ("one",)),
    PauseSwarm: lambda _, chance: PauseSwarm(chance.choice("pq")),
    UnpauseSwarm: lambda _, chance: UnpauseSwarm(chance.choice("pq")),
    HaltFleet: lambda _, chance: HaltFleet(chance.choice(["scaling", "agents"])),
    SetRouting: lambda _, chance: SetRouting(chance.choice(["on", "off", "shadow", "configured"]), chance.choice([*POOLS, "all"])),
    SetBudget: lambda _, chance: SetBudget(chance.choice(["cost_per_day", "tokens_per_task", "soft"]), chance.choice(["0.5", "1", "configured"]), chance.choice([*POOLS, "fleet"])),
    ForgetRouting: lambda _, chance: ForgetRouting(chance.choice([*POOLS, "all"])),
    AddModule: lambda _, chance: AddModule(chance.choice("mn"), chance.choice(["/a/one.wasm", "/b/one.wasm", "/a/two.wasm"])),
    RemoveModule: lambda _, chance: RemoveModule(chance.choice("mn")),
    RememberEntry: lambda _, chance: RememberEntry(chance.choice("pq"), chance.choice(["1", "[2]", "x" * 20_000])),
    ForgetEntry: lambda _, chance: ForgetEntry(chance.choice("pq")),
    PermitEntry: lambda _, chance: PermitEntry(chance.choice("pq"), chance.choice(["private", "team"]), ("agt_x",)),
    RestoreEntry: lambda world, chance: RestoreEntry(chance.choice("pq"), chance.randrange(world.state.seq + 1)),
    ResolveConflict: lambda _, chance: ResolveConflict("p", *chance.choice([("", ""), ("1", ""), ("", "[3]")])),
    ResumeFleet: lambda _, chance: ResumeFleet(chance.choice(["scaling", "agents"])),
    CreateRule: lambda _, chance: CreateRule(chance.choice("pq"), f"queue_depth > {chance.randrange(9)}", for_s=60.0, labels=("team=core",), disabled=chance.random() < 0.5),
    UpdateRule: lambda _, chance: UpdateRule(chance.choice("pq"), {chance.choice(["for_s", "keep_firing_for_s"]): chance.choice([6.0, None])}),
    DeleteRule: lambda _, chance: DeleteRule(chance.choice("pq")),
    EnableRule: lambda _, chance: EnableRule(chance.choice("pq")),
    DisableRule: lambda _, chance: DisableRule(chance.choice("pq")),
    AckAlert: lambda _, chance: AckAlert(ALERT.id, chance.choice(["mine", "soon"])),
    UnackAlert: lambda _, __: UnackAlert(ALERT.id),
    SilenceAlerts: lambda _, chance: SilenceAlerts(f"pool={pool(chance)}", 9_000.0),
    EndSilence: lambda world, chance: EndSilence(chance.choice([*world.state.alerting.silences, "none"])),
}
ALERT = Alert(fingerprint("error-rate", {}), "error-rate", {}, Severity.WARNING, AlertState.FIRING, 0.5, 1.0, 1.0)


def pool(chance: random.Random) -> str:
    return chance.choice(list(POOLS))


def agent(world: World, chance: random.Random) -> str:
    return str(chance.choice([one.spec.id for one in world.state.agents.values()]))


def reviewed(world: World, chance: random.Random) -> str:
    return str(chance.choice([id_ for id_, one in world.state.tasks.items() if one.review]))


async def leave_work(world: World) -> None:
    """Have two tasks end whose work waits for a review."""
    tasks = [TaskId(str(id_)) for id_ in (await world.gate(ADMIN).execute([SubmitTask("noop", next(iter(POOLS)))] * 2)).values]
    await world.until(lambda: all(world.state.tasks[id_].state == "succeeded" for id_ in tasks))
    await world.coordinator.record([ReviewOpened(id_, Work("/repo", f"fleet/{id_}", "b0", f"of {id_}", "main")) for id_ in tasks], ADMIN)


def task(world: World, chance: random.Random) -> str:
    """One that somebody submitted: what a session gave out it gives to somebody else when that is cancelled, and undo says so."""
    sessions = world.state.swarming.sessions
    return str(chance.choice([*(id_ for id_, one in world.state.tasks.items() if one.spec.fairness_key not in sessions), "none"]))


def remembered(world: World) -> dict[str, Any]:
    """Return what the entries of memory are, whatever their versions, and what is in conflict with them, whatever its names."""
    ids = [EntryId("default", ADMIN.who, key) for key in "pq"]
    kept = [world.memory.entries.one(id_) for id_ in ids]
    conflicts = {f"against {one[0].id}": [bytes(loser.value) for loser in world.memory.shelf.losers(one[0])] for one in kept if one and one[0].rivals}
    return conflicts | {str(one[0].id): (one[0].permissions, one[0].kind, one[1]) for one in kept if one and not one[0].is_deleted}


async def another_wrote(world: World, key: str) -> None:
    """Store an entry, and take in what another engine wrote at the same time."""
    await world.gate(ADMIN).execute([RememberEntry(key, "1")])
    id_, name = EntryId("default", ADMIN.who, key), Dot("life_z", 1)
    head = msgspec.structs.replace(world.memory.shelf.heads([id_])[id_], rivals=(name,), heard=(name,))
    lost = Head(id_, version=1, writer="zoe", size=1, lineage=(name,))
    await world.coordinator.record([MemoryConflicted((head,), (Carried(lost, msgspec.Raw(b"2")),))], ADMIN)


def decided(world: World) -> dict[str, Any]:
    """Return all that operators decide; what a verb's table says that undo does not restore is left out."""
    state = world.state
    alive = [one for one in state.agents.values() if not one.retiring]
    # What a session waits for it gave out itself, and gives to somebody else when its swarm changes.
    given = {id_ for session in state.swarming.sessions.values() for id_ in session.open_tasks()}
    return {
        "sizes": {name: one.size for name, one in state.pools.items()},
        "paused": {name: one.paused for name, one in state.pools.items()},
        "holds": {name: one.hold and one.hold.until for name, one in state.pools.items()},
        "specs": {name: (asdict(one.spec), dict(one.overrides)) for name, one in state.pools.items()},
        "policies": {name: one.enabled for name, one in state.policies.items()} | {f"{name} in full": str(one) for name, one in state.policies.items()},
        "agents": {name: sum(one.spec.pool == name for one in alive) for name in state.pools},
        "gangs": {id_: one.is_waiting for id_, one in state.gangs.items()},
        "cordoned": {name: sum(one.spec.pool == name and one.cordoned for one in alive) for name in state.pools},
        "hosts": {id_: host.cordon for id_, host in state.hosts.items() if host.info.joined},
        "allocated": sorted(str(one.pool) for one in state.allocations.values()),
        "waiting": sorted((str(one.spec.id), one.priority) for one in state.tasks.values() if one.state == "pending" and one.spec.id not in given),
        "modules": {name: one.facts.sha256 for name, one in state.modules.items()},
        "swarms": {one.name: (one.status, one.settings, one.topology.members) for one in state.swarming.swarms.values() if not one.is_over},
        "routing": {name: (mode_set(state, name), (record := state.routers.get(name)) is not None and record.model is not None) for name in state.pools},
        "votes": sum(one.is_open for one in state.rounds.values()),
        "rules": {id_: (rule.enabled, create_args(rule)) for id_, rule in state.alerting.rules.items()},
        "acked": {id_: (one.acked_by, one.ack_why) for id_, one in state.alerting.alerts.items()},
        "silences": sorted((one.matchers, one.until) for one in state.alerting.silences.values()),
        "reviews": {id_: one.review.state for id_, one in state.tasks.items() if one.review},
        "branches": ({name: at for name, at in world.reviewer.branches.items() if at != "b0"}, sorted(world.reviewer.gone)),
        "halted": sorted(one.scope for one in state.halted.values()),
        "memory": remembered(world),
    }


def test_a_cancelled_task_of_a_session_stays_cancelled_where_the_session_gave_it_out_again() -> None:
    async def story() -> None:
        world = World(CONFIG, 1, hosts=2, work=instant_success)
        async with world.running():
            world.coordinator.report(host_joined("lab", kinds=("command",)))  # which none of the agents is
            await world.until(lambda: world.state.totals.by_status.get("idle", 0) == 3 and "lab" in world.state.hosts)
            gate = world.gate(ADMIN)
            await gate.execute([HaltFleet("placing")], confirm="placing")
            await gate.execute([CreateSwarm("p", tuple(str(one.spec.id) for one in world.state.agents.values()))])
            await gate.execute([GiveObjective("p", "ship it", "noop", ("one",))])
            await world.until(lambda: bool(world.state.tasks))
            [first] = world.state.tasks
            answer = await gate.execute([CancelTask(str(first))])
            await world.until(lambda: any(one.state == "pending" for one in world.state.tasks.values()))
            with pytest.raises(CommandRefused, match="nothing is left to undo"):
                await gate.plan([UndoPlan(answer.plan)])
            assert [one.spec.id for one in world.state.tasks.values() if one.state == "pending"] != [first]

    run_virtual(story())


def test_every_verb_that_can_be_undone_is_tried() -> None:
    assert set(SAMPLES) | {*ALONE} == {kind for kind in c.COMMANDS.values() if kind.inverse} | {RetryTask, *ALONE}


@given(st.integers(0, 2**32))
@example(68_103)  # a swarm's members change while its session has given out work
@settings(max_examples=examples(150))
def test_undoing_all_goes_back_step_by_step(seed: int) -> None:
    """The seed replays it."""

    async def story() -> None:
        chance = random.Random(seed)
        left_out = chance.choice(APART)
        kinds = [kind for kind in SAMPLES if kind not in left_out]
        world = World(CONFIG, seed, hosts=2, work=instant_success)
        async with world.running():
            await world.until(lambda: world.state.totals.by_status.get("idle", 0) == 3)
            gate = world.gate(ADMIN)
            await leave_work(world)
            # What waits stays where it is, so that only operators change anything.
            await gate.execute([HaltFleet("placing")], confirm="placing")
            await another_wrote(world, "p")
            await world.coordinator.record([AlertsMoved((ALERT,)), RoutingLearned(tuple(PoolModel(name).at_rest() for name in POOLS))], ADMIN)
            trail: list[tuple[str, dict[str, Any]]] = []
            while len(trail) < STEPS:
                before = decided(world)
                command = SAMPLES[chance.choice(kinds)](world, chance)
                try:
                    plan = await gate.plan([command])
                    answer = await gate.execute(plan.id, confirm=plan.confirm)
                except FleetError:
                    assert decided(world) == before, command
                    trail.append(("", before))
                    continue
                trail.append((answer.plan if answer.plan in world.state.plans else "", before))
                await world.clock.sleep(1)
            for name, before in reversed(trail):
                if name:
                    plan = await gate.plan([UndoPlan(name)])
                    await gate.execute(plan.id, confirm=plan.confirm)
                    await world.clock.sleep(1)
                assert decided(world) == before, (name, world.state.plans.get(name))
            world.coordinator.check()

    run_virtual(story())


@pytest.mark.parametrize("kind", ALONE)
def test_undo_and_redo_are_each_others_inverse(kind: type[Command]) -> None:
    assert c.COMMANDS[kind.inverse] in ALONE
