"""The pipeline of every act: role, plan, exact execution, audit, undo and redo; durable before it is answered."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from engine.gate import PLANS_WAITING_MAX
from engine.gate.library import LibraryCalls
from engine.model.agent_commands import (
    AllocateAgent,
    DrainAgent,
    RegisterAgent,
    UndrainAgent,
    UnregisterAgent,
)
from engine.model.agents import AgentStatus
from engine.model.data_commands import BackUpFleet
from engine.model.errors import CommandRefused, Denied, JournalError, NotFound, ReadOnly, UsageError
from engine.model.events import Audited
from engine.model.fleet_commands import RedoPlan, StopEngine, UndoPlan
from engine.model.plans import Origin
from engine.model.pool_commands import PausePool, ScalePool, UnpausePool
from engine.model.pool_events import PoolPaused
from engine.model.task_commands import CancelTask, PrioritiseTask, SubmitTask
from engine.model.verbs import Command
from engine.simulation.loop import run_virtual
from engine.simulation.world import World, instant_success
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import examples

POOLS = {"coder": {"min": 2, "max": 9, "priority": 8}, "ui": {"min": 1, "max": 4}}
CONFIG = {"fleet": {"default_pools": POOLS, "max_agents": 12}, "alerting": {"channels": [{"name": "hook", "url": "json://127.0.0.1:1/"}]}, "operations": {"undo_window_s": 60.0, "plan_ttl_s": 30.0}}
BOB = Origin("bob", "console", "tty1", 1)
EVE = Origin("eve", "api", "", 0)


def live(work: Callable[[World], Awaitable[Any]]) -> Any:
    """Run a story on a fresh engine whose agents are up."""

    async def story() -> Any:
        world = World(CONFIG, 1, hosts=2, work=instant_success)
        async with world.running():
            await world.until(lambda: world.state.totals.by_status.get("idle", 0) == 3)
            found = await work(world)
            world.coordinator.check()
            return found

    return run_virtual(story())


def audits(world: World) -> list[tuple[str, str, str, str]]:
    found = [record.event.entry for record in world.journal.kept if isinstance(record.event, Audited)]
    return [(entry.who, entry.action, entry.target, entry.result) for entry in found]


def test_verb_is_durable_audited_and_a_plan_when_it_is_answered() -> None:
    async def story(world: World) -> None:
        answer = await world.gate(BOB).execute([ScalePool("coder", "+1")], reason="busy")
        assert answer.values == (3,)
        assert answer.summary == "scale coder 2 → 3"
        assert world.journal.kept[-1].seq >= answer.seq
        assert audits(world) == [("bob", "pool.scale", "coder", "done")]
        plan = world.state.plans[answer.plan].plan
        assert (plan.reason, plan.via, plan.undo_until) == ("busy", "console", answer.undo_until)

    live(story)


def test_viewer_is_refused_and_the_refusal_is_audited() -> None:
    async def story(world: World) -> None:
        with pytest.raises(CommandRefused, match="pool.scale needs the role operator; eve is viewer"):
            await world.gate(EVE).execute([ScalePool("coder", "3")])
        with pytest.raises(CommandRefused, match="engine.stop needs the role admin; bob is operator"):
            await world.gate(BOB).execute([StopEngine()])
        with pytest.raises(CommandRefused):
            await world.gate(EVE).plan([ScalePool("coder", "3")])
        assert [line[:3] for line in audits(world)] == [("eve", "pool.scale", "coder"), ("bob", "engine.stop", "stop")]
        assert world.state.pools["coder"].size == 2

    live(story)


@pytest.mark.parametrize(
    ("commands", "text"),
    [
        ([], "needs at least one verb"),
        ([PausePool("coder"), UnpausePool("ui")], "one kind of verb"),
        ([UndoPlan(), UndoPlan()], "undo stands alone in its plan; send it by itself"),
        ([PausePool("coder"), UndoPlan()], "one kind of verb"),
    ],
)
def test_malformed_plans(commands: Sequence[Command], text: str) -> None:
    async def story(world: World) -> None:
        for ask in (world.gate().plan, world.gate().execute):
            with pytest.raises(UsageError, match=text):
                await ask(commands)

    live(story)


def test_plan_by_its_id_applies_exactly_what_it_said() -> None:
    async def story(world: World) -> None:
        gate = world.gate()
        plan = await gate.plan([ScalePool("coder", "+2")], reason="why")
        assert (plan.steps[0].before, plan.steps[0].after, plan.steps[0].effect) == ("2", "4", "starts 2 agents")
        assert world.state.pools["coder"].size == 2
        answer = await gate.execute(plan.id)
        assert (world.state.pools["coder"].size, answer.plan) == (4, plan.id)
        assert world.state.plans[plan.id].plan.reason == "why"
        with pytest.raises(NotFound, match="was carried out: .*; nothing was changed again"):
            await gate.execute(plan.id)

    live(story)


def test_a_plan_is_carried_out_by_whom_it_was_made_for() -> None:
    async def work(world: World) -> None:
        plan = await world.gate().plan([ScalePool("coder", "3")])
        with pytest.raises(Denied, match="was made for ada"):
            await world.gate(BOB).execute(plan.id)
        assert (await world.gate().execute(plan.id)).values == (3,)

    live(work)


def test_plan_gets_too_old_and_there_are_only_so_many() -> None:
    async def story(world: World) -> None:
        gate = world.gate()
        first = await gate.plan([PausePool("coder")])
        await world.clock.sleep(31)
        with pytest.raises(NotFound, match="too old"):
            await gate.execute(first.id)
        plans = [await gate.plan([PausePool("coder")]) for _ in range(PLANS_WAITING_MAX + 1)]
        with pytest.raises(NotFound):
            await gate.execute(plans[0].id)
        await gate.execute(plans[1].id)

    live(story)


def test_plan_is_not_used_up_by_somebody_who_may_not() -> None:
    async def story(world: World) -> None:
        plan = await world.gate(BOB).plan([PausePool("coder")])
        with pytest.raises(CommandRefused, match="eve is viewer"):
            await world.gate(EVE).execute(plan.id)
        await world.gate(BOB).execute(plan.id)
        assert world.state.pools["coder"].paused

    live(story)


def snapshot(world: World) -> dict[str, Any]:
    state = world.state
    return {
        "pools": {name: (pool.size, pool.paused) for name, pool in state.pools.items()},
        "cordons": {agent.spec.pool: agent.cordoned for agent in state.agents.values()},
        "agents": {name: sum(not agent.retiring for agent in state.agents_in(name)) for name in state.pools},
        "priorities": [task.priority for task in state.tasks.values() if task.state == "pending"],
        "allocations": len(state.allocations),
    }


reversible = st.one_of(
    st.builds(ScalePool, st.sampled_from(["coder", "ui"]), st.sampled_from(["3", "+1", "=max", "=min", "150%"])),
    st.builds(PausePool, st.sampled_from(["coder", "ui"])),
    st.builds(UnpausePool, st.just("coder")),
    st.builds(DrainAgent, st.sampled_from(["coder-1", "ui-1"])),
    st.builds(UndrainAgent, st.just("coder-1")),
    st.builds(RegisterAgent, st.just("coder"), count=st.integers(1, 3)),
    st.builds(AllocateAgent, st.just("mine"), st.just("coder")),
)


@given(reversible)
@settings(max_examples=examples(25), deadline=None)
def test_undo_takes_back_and_redo_does_again(command: Command) -> None:
    async def story(world: World) -> None:
        gate = world.gate(BOB)
        before = snapshot(world)
        answer = await gate.execute([command])
        if answer.plan not in world.state.plans:  # nothing changed, so there is nothing to take back
            assert snapshot(world) == before
            return
        after = snapshot(world)
        for _ in range(2):
            await world.clock.sleep(1)
            await gate.execute([UndoPlan(answer.plan)])
            assert snapshot(world) == before
            with pytest.raises(CommandRefused, match="was undone already"):
                await gate.execute([UndoPlan(answer.plan)])
            await world.clock.sleep(1)
            await gate.execute([RedoPlan()])
            assert snapshot(world) == after
        with pytest.raises(CommandRefused, match="is not undone"):
            await gate.execute([RedoPlan(answer.plan)])

    live(story)


def test_undo_of_task_verbs() -> None:
    async def story(world: World) -> None:
        gate = world.gate(BOB)
        await gate.execute([PausePool("ui")])
        [task] = (await gate.execute([SubmitTask("noop", "ui", title="one")])).values
        await gate.execute([PrioritiseTask(str(task), 9)])
        await gate.execute([UndoPlan()])
        assert world.state.tasks[task].priority == 5  # type: ignore[index]
        cancel = await gate.execute([CancelTask(str(task))])
        await gate.execute([UndoPlan(cancel.plan)])
        assert world.state.tasks[task].state == "pending"  # type: ignore[index]

    live(story)


def test_undo_of_a_submission_done_again_takes_back_the_new_task() -> None:
    async def story(world: World) -> None:
        gate = world.gate(BOB)
        await gate.execute([PausePool("ui")])
        plan = (await gate.execute([SubmitTask("noop", "ui")])).plan
        await gate.execute([UndoPlan(plan)])
        [second] = (await gate.execute([RedoPlan(plan)])).values
        await gate.execute([UndoPlan(plan)])
        assert world.state.tasks[second].state == "cancelled"  # type: ignore[index]

    live(story)


def test_what_cannot_be_undone_says_so() -> None:
    async def story(world: World) -> None:
        gate = world.gate(BOB)
        with pytest.raises(NotFound, match="nothing to undo"):
            await gate.execute([UndoPlan()])
        with pytest.raises(NotFound, match="no plan 'pln_x'"):
            await gate.execute([UndoPlan("pln_x")])
        gone = await gate.execute([UnregisterAgent("coder-1")])
        with pytest.raises(CommandRefused, match="cannot be taken back: an agent that left does not come back"):
            await gate.execute([UndoPlan(gone.plan)])
        with pytest.raises(CommandRefused, match="`plans` lists those before it"):
            await gate.execute([UndoPlan()])
        drained = await gate.execute([DrainAgent("coder-2")])
        await gate.execute([UnregisterAgent("coder-2")])
        with pytest.raises(CommandRefused, match="nothing is left to undo of 'drain coder-2 idle → drained'"):
            await gate.execute([UndoPlan(drained.plan)])
        late = await gate.execute([PausePool("ui")])
        await world.clock.sleep(61)
        with pytest.raises(CommandRefused, match="the undo window of .* has closed; do the opposite by hand"):
            await gate.execute([UndoPlan(late.plan)])

    live(story)


def test_undo_means_my_own_last_plan() -> None:
    async def story(world: World) -> None:
        await world.gate(BOB).execute([PausePool("ui")])
        await world.gate().execute([PausePool("coder")])
        await world.gate(BOB).execute([UndoPlan()])
        assert (world.state.pools["ui"].paused, world.state.pools["coder"].paused) == (False, True)

    live(story)


def test_routine_work_of_programs_is_audited_and_makes_no_plan() -> None:
    async def story(world: World) -> None:
        answer = await world.gate().execute([SubmitTask("noop", "ui")])
        assert (answer.undo_until, world.state.plans) == (0.0, {})
        assert audits(world)[-1] == ("ada", "task.submit", "noop", "done")

    live(story)


def test_full_disk_refuses_loses_nothing_and_goes_on() -> None:
    async def story(world: World) -> None:
        gate = world.gate()
        [kept] = (await gate.execute([SubmitTask("noop", "ui")])).values
        await world.until(lambda: world.state.tasks[kept].state == "succeeded")  # type: ignore[index]
        world.journal.broken = "disk full"
        with pytest.raises(ReadOnly, match="not done, nothing was changed: disk full"):
            await gate.execute([ScalePool("coder", "5")])
        assert world.state.pools["coder"].size == 2
        with pytest.raises(ReadOnly, match="the engine is read-only: disk full; nothing was changed"):
            await gate.execute([ScalePool("coder", "5")])
        assert world.status().read_only == "disk full"
        await world.clock.sleep(30)
        assert len(world.coordinator._reports) <= 1
        world.journal.broken = ""
        await world.until(lambda: not world.coordinator.read_only)
        await gate.execute([ScalePool("coder", "5")])
        assert kept in world.state.tasks

    live(story)


def test_engine_does_not_start_without_its_journal() -> None:
    async def story() -> None:
        world = World(CONFIG, 1, hosts=1, work=instant_success)
        world.journal.broken = "disk full"
        async with world.running():
            raise AssertionError("it started")

    with pytest.raises(ExceptionGroup) as caught:
        run_virtual(story())
    assert caught.group_contains(JournalError, match="disk full")


def test_shutdown_ends_when_the_disk_is_full_and_refuses_what_waits() -> None:
    async def story() -> None:
        world = World(CONFIG, 1, hosts=1, work=instant_success)
        async with world.running():
            await world.until(lambda: world.state.totals.by_status.get("idle", 0) == 3)
        world.journal.broken = "disk full"
        world.coordinator._apply([PoolPaused("coder", True)], "ada")
        waiter = world.coordinator._committed()
        await world.coordinator.flush()
        with pytest.raises(ReadOnly, match="not done, nothing was changed: disk full"):
            await waiter

    run_virtual(story())


class Library(LibraryCalls):
    """The calls of programs on a simulated engine."""

    def __init__(self, world: World) -> None:
        self.coordinator = world.coordinator
        self.operator = world.gate  # type: ignore[method-assign]
        self.status = world.status  # type: ignore[method-assign]


@pytest.mark.row(49, 50, 51, 52, 53, 54, 55, 56, 62)
def test_seeds_calls_from_dicts() -> None:
    async def story(world: World) -> None:
        fleet = Library(world)
        config = {"type": "coder", "priority": 8, "capabilities": ["lathe"], "resources": {"memory": "1GB", "cpu": "500m"}}
        agent_id = await fleet.register_agent(config)
        await world.until(lambda: fleet.get_agent(agent_id).status == "idle")
        agent = fleet.get_agent(agent_id)
        assert (agent.spec.name, agent.spec.resources.memory, "lathe" in agent.spec.capabilities) == ("coder-3", 1024, True)
        assert [found.spec.id for found in fleet.list_agents({"capabilities": ["lathe"]})] == [agent_id]
        assert len(fleet.list_agents({"pool": "coder", "status": "idle"})) == 3
        allocation = await fleet.allocate_agent({"taskId": "mine", "poolType": "coder", "capabilities": ["lathe"]})
        assert (allocation.agent, allocation.task_id) == (agent_id, "mine")
        with pytest.raises(CommandRefused, match="no free agent in coder has lathe"):
            await fleet.allocate_agent({"taskId": "other", "poolType": "coder", "capabilities": ["lathe"]})
        await fleet.release_agent(allocation.id, {"success": True, "seconds": 2.0})
        assert fleet.get_agent(agent_id).by_type == {"allocation": (1, 1)}
        await fleet.scale_pool("coder", 5)
        status = await fleet.get_fleet_status()
        assert (status.agents.total, len(status.pools)) == (6, 2)
        await fleet.unregister_agent(agent_id)
        with pytest.raises(NotFound):
            fleet.get_agent(agent_id)
        agent.status = AgentStatus.FAILED  # a copy: the fleet's own record is not the caller's
        world.state.check()

    live(story)


@pytest.mark.parametrize(
    ("config", "text"),
    [
        ({"typ": "coder"}, "AgentConfig has no field 'typ'; did you mean 'type'"),
        ({}, "AgentConfig: .* missing 1 required positional argument: 'type'"),
        (["coder"], "AgentConfig wanted, or a dict with its fields; got list"),
        ({"type": "coder", "resources": {"memory": 1, "gpu": 2}}, "resources have no field 'gpu'"),
        ({"type": "coder", "resources": {"memory": "lots"}}, "resources: 'lots' is no amount of memory; write 512"),
    ],
)
def test_wrong_dicts_are_refused(config: Any, text: str) -> None:
    async def story(world: World) -> None:
        with pytest.raises(UsageError, match=text):
            await Library(world).register_agent(config)

    live(story)


HERE = Origin("ada", "cli", "pid 7", 2)
AFAR = Origin("ada", "api", "10.0.0.7:4711", 2)


def test_a_backup_is_audited_and_taken_of_an_engine_that_can_write_nothing_else() -> None:
    async def story(world: World) -> None:
        answer = await world.gate(HERE).execute([BackUpFleet("mine.db")], reason="move")
        assert answer.values == ("mine.db",)
        assert world.journal.backups[Path("mine.db")] == world.journal.kept[:-1]
        assert audits(world) == [("ada", "fleet.backup", "fleet", "done")]
        with pytest.raises(CommandRefused, match=r"lies at mine.db already"):
            await world.gate(HERE).execute([BackUpFleet("mine.db")])
        assert len(world.journal.backups[Path("mine.db")]) < len(world.journal.kept) - 1, "the older one is as it was"
        await world.gate(HERE).execute([BackUpFleet("mine.db", force=True)])
        assert world.journal.backups[Path("mine.db")] == world.journal.kept[:-1]
        world.journal.broken = "the disk is full"
        with pytest.raises(ReadOnly):
            await world.gate(HERE).execute([PausePool("ui")])
        assert world.coordinator.read_only
        [name] = (await world.gate(HERE).execute([BackUpFleet()])).values
        assert str(name).startswith("fleet-")
        assert Path(str(name)) in world.journal.backups
        world.journal.broken = ""
        await world.until(lambda: not world.coordinator.read_only)

    live(story)


@pytest.mark.parametrize(
    ("origin", "file", "words"),
    [
        (BOB, "", "needs the role admin"),
        (HERE, "sub/mine.db", "plain name.*whole path"),
        (HERE, "../mine.db", "plain name.*whole path"),
        (HERE, ".hidden", "plain name.*whole path"),
        (AFAR, "/etc/cron.d/mine", "over the network a backup gets a plain name"),
    ],
)
def test_where_a_backup_may_lie(origin: Origin, file: str, words: str) -> None:
    async def story(world: World) -> None:
        for ask in (world.gate(origin).plan, world.gate(origin).execute):
            with pytest.raises((CommandRefused, UsageError), match=words):
                await ask([BackUpFleet(file)])
        assert world.journal.backups == {}

    live(story)
