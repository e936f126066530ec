"""Starts of agents have states and deadlines; what runs is compared with what should run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from engine.agents.launching import BACK_OFF_MAX_S, Launch, back_off_s, launch_of
from engine.clock import Rng
from engine.gate.why_agents import Seen, explain_agent
from engine.model import events as ev
from engine.model.agent_events import AgentsBroken, AgentsRemoved
from engine.model.agents import AgentSpec, AgentStatus
from engine.model.effects import Assignment
from engine.model.ids import AgentId
from engine.model.pool_commands import ScalePool
from engine.model.task_commands import SubmitTask
from engine.model.tasks import Outcome
from engine.simulation.loop import run_virtual
from engine.simulation.world import World

POOLS = {"coder": {"min": 2, "max": 9}}


def ten_seconds(assignment: Assignment, _rng: Rng) -> tuple[float, Outcome]:
    return 10.0, Outcome(assignment.task, assignment.token, ok=True)


def live(story: Callable[[World], Awaitable[None]], *, boot_s: float = 0.0) -> None:
    async def run() -> None:
        world = World({"fleet": {"default_pools": POOLS, "start_deadline_s": 20}}, 3, hosts=1, work=ten_seconds)
        world.agents.boot_s = boot_s
        async with world.running():
            await story(world)
            world.coordinator.check()

    run_virtual(run())


def events(world: World, kind: type) -> list[ev.Record]:
    return [record for record in world.journal.kept if isinstance(record.event, kind)]


def test_a_start_passes_asked_starting_ready() -> None:
    async def story(world: World) -> None:
        [agent, _] = world.state.agents.values()
        assert launch_of(agent, ()) is Launch.ASKED
        assert launch_of(agent, world.runtime.known()) is Launch.STARTING
        await world.until(lambda: agent.status is AgentStatus.IDLE)
        assert launch_of(agent, world.runtime.known()) is Launch.READY

    live(story, boot_s=5.0)


def test_agents_that_miss_their_deadline_are_told_and_replaced_with_back_off() -> None:
    async def story(world: World) -> None:
        first = list(world.state.agents.values())
        await world.until(lambda: bool(events(world, AgentsBroken)), 60)
        [broken] = events(world, AgentsBroken)
        assert broken.event == AgentsBroken(tuple(agent.spec.id for agent in first), first[0].reason, missed=True)
        assert first[0].reason == "it did not start: starting for more than 20 s; it is replaced after a wait"
        said = explain_agent(world.state, first[0], world.clock.now(), Seen(None, 0.0, 1.0, ()))
        assert said.headline.startswith("it cannot start: it did not start")
        await world.until(lambda: len(events(world, AgentsBroken)) == 4, 400)
        lost = [record.at for record in events(world, AgentsBroken)]
        made = [record.at for record in events(world, AgentsRemoved)]
        waits = [round(new - old) for old, new in zip(lost, made, strict=False)]
        assert waits == [2, 4, 8]
        assert [agent.spec.name for agent in world.state.agents.values()] == ["coder-7", "coder-8"]
        assert world.state.pools["coder"].launch_misses == 4
        [host] = world.agents.booting
        world.agents._is_up(host)
        await world.until(lambda: world.state.totals.by_status.get("idle", 0) == 2)
        assert world.state.pools["coder"].launch_misses == 0

    live(story, boot_s=1e6)


def test_the_back_off_is_bounded() -> None:
    assert [back_off_s(misses) for misses in (0, 1, 2, 3)] == [2, 2, 4, 8]
    assert back_off_s(5_000) == BACK_OFF_MAX_S


def test_agents_that_live_and_should_not_are_stopped_and_told() -> None:
    async def story(world: World) -> None:
        await world.until(lambda: world.state.totals.by_status.get("idle", 0) == 2)
        stray = AgentSpec(AgentId("agt_stray"), "stray", "coder")
        world.runtime._kind_of[stray.id] = world.agents
        world.agents.start([(stray, world.state.pools["coder"].spec)])
        await world.until(lambda: bool(world.status().differences), 10)
        assert world.status().differences == ("agent agt_stray that the fleet does not have: stopped",)
        assert stray.id not in world.runtime.known()
        assert all(stray.id not in agents for agents in world.agents.hosts.values())
        await world.until(lambda: not world.status().differences, 90)

    live(story)


def test_agents_that_should_live_and_do_not_are_started_anew_and_their_task_waits_again() -> None:
    async def story(world: World) -> None:
        await world.until(lambda: world.state.totals.by_status.get("idle", 0) == 2)
        [task] = (await world.gate().execute([SubmitTask("noop", "coder")])).values
        await world.until(lambda: world.state.tasks[task].state == "running")
        busy = world.state.tasks[task].agent
        assert busy is not None
        world.runtime.forget([busy])
        await world.until(lambda: world.state.tasks[task].attempt == 2, 30)
        assert f"agent {busy} that should run and did not: started anew" in world.status().differences
        await world.until(lambda: world.state.tasks[task].state == "succeeded", 60)
        assert len(world.state.agents) == 2

    live(story)


def test_a_host_that_is_gone_without_a_word_is_told() -> None:
    async def story(world: World) -> None:
        await world.until(lambda: world.state.totals.by_status.get("idle", 0) == 2)
        [host] = world.agents.hosts
        agents = world.agents.hosts.pop(host)
        await world.until(lambda: bool(world.status().differences), 10)
        assert world.status().differences == (f"host {host} (process 1) cannot be found",)
        world.agents.hosts[host] = set(list(agents)[:1])
        await world.until(lambda: world.status().differences == ("process 1 carries 1 of the 2 agents that it should",), 10)
        world.agents.hosts[host] = agents
        await world.until(lambda: not world.status().differences, 10)

    live(story)


def test_a_fleet_at_work_has_no_differences() -> None:
    async def story(world: World) -> None:
        for size in ("9", "2", "7"):
            await world.gate().execute([SubmitTask("noop", "coder") for _ in range(5)])
            await world.gate().execute([ScalePool("coder", size)])
            began = world.clock.now()
            await world.until(lambda began=began: world.clock.now() > began + 25)  # type: ignore[misc]
            assert world.status().differences == ()
        assert not events(world, AgentsBroken)

    live(story)
