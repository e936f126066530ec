"""Agents joining, leaving, draining, restarting, reserved; hosts and pools coming and going."""

from __future__ import annotations

import pytest
from engine.config import parse_config
from engine.coordinator.reports import decide_pools
from engine.model import reports as r
from engine.model.agent_commands import (
    AllocateAgent,
    DrainAgent,
    RegisterAgent,
    ReleaseAgent,
    RestartAgent,
    UndrainAgent,
    UnregisterAgent,
)
from engine.model.agent_events import AgentsRemoved, HostHealth, HostInfo
from engine.model.agents import AGENT_TYPES, Health, Resources
from engine.model.errors import CommandRefused, NotFound, UsageError
from engine.model.fleet_commands import StopEngine
from engine.model.ids import AgentId, HostId
from engine.model.pool_commands import PausePool, ScalePool, UnpausePool
from engine.model.pools import DEFAULT_POOLS
from engine.model.verbs import Command
from tests.unit.core_fleet import CODER, Fleet

POOLS = {  # name: min, max, priority (B3.1)
    "coder": (5, 100, 8), "tester": (3, 80, 7), "reviewer": (2, 50, 6), "architect": (1, 20, 9),
    "researcher": (2, 40, 7), "analyst": (2, 60, 6), "optimizer": (1, 30, 5), "security": (1, 25, 9),
    "performance": (1, 25, 6), "ui": (2, 50, 5), "mobile": (1, 30, 5), "devops": (1, 30, 7),
    "database": (1, 25, 6), "network": (1, 20, 6), "infrastructure": (1, 20, 7), "coordinator": (1, 10, 10),
}  # fmt: skip

TYPES = {  # id: name, category, capabilities, cpu, memory GB, storage GB, speed, accuracy, reliability (A5.3)
    "researcher": ("Research Agent", "core", "information-gathering analysis documentation", 2, 4, 10, "medium", "high", 0.9),
    "coder": ("Development Agent", "core", "coding testing debugging refactoring", 4, 8, 20, "high", "high", 0.85),
    "tester": ("Quality Assurance Agent", "core", "testing validation quality-assurance", 2, 4, 10, "medium", "very-high", 0.95),
    "reviewer": ("Review Agent", "core", "code-review quality-assessment validation", 2, 4, 5, "medium", "very-high", 0.92),
    "coordinator": ("Swarm Coordinator", "coordination", "coordination consensus resource-management", 2, 4, 5, "high", "high", 0.98),
    "security-specialist": (
        "Security Specialist", "specialized", "security-analysis vulnerability-assessment compliance", 3, 6, 10, "medium", "very-high", 0.96,
    ),
    "performance-analyst": (
        "Performance Analyst", "specialized", "performance-analysis optimization benchmarking", 4, 8, 15, "high", "high", 0.9,
    ),
}  # fmt: skip


@pytest.mark.row(*range(75, 92))
def test_sixteen_pools_are_the_seeds() -> None:
    assert {pool.name: (pool.min, pool.max, pool.priority) for pool in DEFAULT_POOLS} == POOLS
    assert len(DEFAULT_POOLS) == 16
    assert sum(pool.min for pool in DEFAULT_POOLS) == 26
    assert sum(pool.max for pool in DEFAULT_POOLS) == 615
    assert {(pool.resources.memory, pool.resources.cpu) for pool in DEFAULT_POOLS} == {(512, 0.5)}


@pytest.mark.row(*range(143, 151))
def test_seven_types_are_the_seeds() -> None:
    found = {
        kind.id: (
            kind.name, kind.category, " ".join(kind.capabilities), kind.resources.cpu, kind.resources.memory // 1024,
            kind.resources.storage // 1024, kind.performance.speed, kind.performance.accuracy, kind.performance.reliability,
        )
        for kind in AGENT_TYPES.values()
    }  # fmt: skip
    assert found == TYPES


def test_pools_start_at_their_min_with_their_types_abilities() -> None:
    fleet = Fleet({"security": {"min": 2, "max": 5, "priority": 9}}, up=False)
    assert [agent.spec.name for agent in fleet.state.agents.values()] == ["security-1", "security-2"]
    spec = fleet.agent("security-1").spec
    assert (spec.type, spec.reliability, spec.capabilities[0]) == ("security-specialist", 0.96, "security")


@pytest.mark.row(49)
def test_register_grows_its_pool() -> None:
    fleet = Fleet()
    asked = RegisterAgent("coder", count=2, capabilities=("lathe",), memory=1024, cpu=2.0)
    [[first, second]] = fleet.do(asked)
    assert fleet.state.pools["coder"].size == 4
    spec = fleet.agent(first).spec
    assert (spec.name, spec.capabilities[-1], spec.resources.memory, spec.resources.cpu) == ("coder-3", "lathe", 1024, 2.0)
    assert fleet.agent("coder-4").spec.id == second
    [single] = fleet.do(RegisterAgent("coder"))
    assert isinstance(single, str)


def test_those_that_leave_are_no_part_of_a_grown_size() -> None:
    fleet = Fleet({"coder": {"min": 1, "max": 4}})
    fleet.do(RegisterAgent("coder"))
    task = fleet.run()
    fleet.do(UnregisterAgent(fleet.task(task).agent_name))
    fleet.do(RegisterAgent("coder"))
    assert fleet.state.pools["coder"].size == 2


@pytest.mark.parametrize(
    ("commands", "text"),
    [
        ([RegisterAgent("coder", count=8)], "coder would have 10 agents, its max is 9; raise pools.coder.max"),
        ([RegisterAgent("coder"), RegisterAgent("coder")], "coder is named twice in one plan; use count"),
        ([RegisterAgent("coder", count=5)], r"2 agents \+ 5 is above fleet.max_agents 6; raise it or scale another pool down"),
        ([RegisterAgent("baker")], "no pool or agent type 'baker'"),
    ],
)
def test_refused_registrations(commands: list[Command], text: str) -> None:
    fleet = Fleet({"coder": {"min": 2, "max": 9}, "ui": {"min": 0, "max": 9}}, fleet={"max_agents": 6, "default_pools": CODER})
    with pytest.raises(CommandRefused, match=text):
        fleet.do(*commands)
    assert fleet.state.pools["coder"].size == 2


@pytest.mark.row(50)
def test_unregister_idle_now_busy_when_it_finishes() -> None:
    fleet = Fleet()
    task = fleet.run()
    busy = fleet.task(task).agent_name
    idle = next(agent.spec.name for agent in fleet.state.agents.values() if agent.spec.name != busy)
    names = fleet.do(UnregisterAgent(idle), UnregisterAgent(busy), UnregisterAgent(busy))
    assert len(names) == 3
    assert fleet.state.agent_named(idle) is None
    assert (fleet.agent(busy).status, fleet.agent(busy).retiring) == ("draining", True)
    assert fleet.state.pools["coder"].size == 0
    fleet.end(task)
    assert fleet.state.agents == {}
    assert fleet.events[-1] == AgentsRemoved((AgentId(names[1]),), "finished its last task")


def test_unknown_agent_is_refused() -> None:
    for verb in (UnregisterAgent, DrainAgent, RestartAgent):
        with pytest.raises(NotFound, match="no agent 'x'; `get agents` lists them"):
            Fleet().do(verb("x"))


def test_drain_and_undrain_idle_and_busy() -> None:
    fleet = Fleet()
    task = fleet.run()
    busy = fleet.agent(fleet.task(task).agent_name)
    idle = next(agent for agent in fleet.state.agents.values() if agent is not busy)
    fleet.do(DrainAgent(busy.spec.name), DrainAgent(idle.spec.id))
    assert (busy.status, idle.status, idle.reason) == ("draining", "drained", "drained by ada")
    fleet.do(UndrainAgent(busy.spec.name))
    assert busy.status == "busy"
    fleet.do(DrainAgent(busy.spec.name))
    fleet.end(task)
    assert busy.status == "drained"
    assert fleet.place() == {}
    fleet.do(UndrainAgent(busy.spec.name), UndrainAgent(idle.spec.name))
    assert (busy.status, idle.status) == ("idle", "idle")


def test_agent_that_leaves_cannot_be_drained() -> None:
    fleet = Fleet()
    name = fleet.task(fleet.run()).agent_name
    fleet.do(UnregisterAgent(name))
    with pytest.raises(CommandRefused, match=f"{name} is leaving or restarting: unregistered by ada"):
        fleet.do(DrainAgent(name))


def test_restart_idle_now_busy_after_its_task() -> None:
    fleet = Fleet()
    task = fleet.run()
    busy = fleet.agent(fleet.task(task).agent_name)
    idle = next(agent for agent in fleet.state.agents.values() if agent is not busy)
    assert len(fleet.do(RestartAgent(busy.spec.name), RestartAgent(idle.spec.name), RestartAgent(idle.spec.name))) == 3
    assert (busy.status, idle.status, idle.host) == ("draining", "starting", None)
    fleet.end(task)
    assert (busy.status, busy.restarting) == ("starting", False)
    fleet.report(r.AgentsUp(HostId("hst_1"), (busy.spec.id, idle.spec.id)))
    assert (busy.status, idle.status) == ("idle", "idle")


def test_agent_that_cannot_start_says_why_and_starts_anew() -> None:
    fleet = Fleet(up=False)
    first, second = fleet.state.agents.values()
    fleet.report(r.AgentsUp(HostId("hst_0"), (first.spec.id,)))
    fleet.report(r.HostUp(HostInfo(HostId("hst_1"), "python", 7), (second.spec.id, AgentId("gone"))))
    fleet.report(r.AgentsFailed((first.spec.id, second.spec.id, AgentId("gone")), "no program"))
    assert (first.status, first.reason, second.status) == ("failed", "no program", "idle")
    fleet.do(RestartAgent(first.spec.name))
    assert first.status == "starting"


def test_agent_that_moved_follows_its_host() -> None:
    fleet = Fleet()
    task = fleet.run()
    agent = fleet.agent(fleet.task(task).agent_name)
    fleet.report(r.HostUp(HostInfo(HostId("hst_2"), "python", 8), (agent.spec.id,)))
    assert (agent.host, agent.status) == ("hst_2", "busy")
    assert agent.spec.id not in fleet.state.hosts[HostId("hst_1")].agents
    fleet.down("hst_2")
    assert fleet.task(task).state == "pending"


def test_lost_host_restarts_those_that_stay_and_removes_those_that_leave() -> None:
    fleet = Fleet()
    name = fleet.task(fleet.run()).agent_name
    fleet.do(UnregisterAgent(name))
    fleet.down()
    assert fleet.state.agent_named(name) is None
    assert [agent.status for agent in fleet.state.agents.values()] == ["starting"]
    assert fleet.down() == []


def test_health_is_noted_once() -> None:
    fleet = Fleet()
    seen = r.HealthSeen(HostId("hst_1"), Health.SLOW, "2 beats missed")
    assert fleet.report(seen) == [HostHealth(HostId("hst_1"), Health.SLOW, "2 beats missed")]
    assert {agent.health for agent in fleet.state.agents.values()} == {Health.SLOW}
    assert fleet.report(seen) == []
    assert fleet.report(r.HealthSeen(HostId("hst_9"), Health.SLOW, "")) == []


@pytest.mark.row(53, 54, 62)
def test_reserve_and_give_back() -> None:
    fleet = Fleet()
    [held] = fleet.do(AllocateAgent("mine", "coder", ("coding",)))
    agent = fleet.state.agents[held.agent]
    assert (agent.status, agent.allocation, held.task_id, held.expires_at) == ("busy", held.id, "mine", 4_600.0)
    assert held.reasoning.endswith("best of 2 free")
    fleet.now += 5
    fleet.do(ReleaseAgent(held.id, ok=False))
    assert (agent.status, agent.failed, agent.busy_s) == ("idle", 1, 5.0)


def test_refused_reservations_leave_every_agent_free() -> None:
    fleet = Fleet()
    free = fleet.free()
    with pytest.raises(CommandRefused, match="no free agent in coder has time; scale it up or wait"):
        fleet.do(*[AllocateAgent("mine", "coder") for _ in range(3)])
    with pytest.raises(NotFound):
        fleet.do(AllocateAgent("mine", "coder"), AllocateAgent("mine", "baker"))
    free.check(fleet.state)
    with pytest.raises(CommandRefused, match="no free agent in coder has flying"):
        fleet.do(AllocateAgent("mine", "coder", ("flying",)))
    with pytest.raises(NotFound, match="no reservation 'alc_x'; it may have expired"):
        fleet.do(ReleaseAgent("alc_x"))
    [held] = fleet.do(AllocateAgent("mine", "coder"))
    with pytest.raises(CommandRefused, match="named twice in one plan"):
        fleet.do(ReleaseAgent(held.id), ReleaseAgent(held.id))


def test_reservation_outlives_its_host_and_ends_without_waking_a_dead_agent() -> None:
    fleet = Fleet()
    [held] = fleet.do(AllocateAgent("mine", "coder"))
    agent = fleet.state.agents[held.agent]
    fleet.down()
    fleet.up("hst_2")
    assert agent.status == "busy"
    fleet.down("hst_2")
    fleet.do(ReleaseAgent(held.id))
    assert (agent.status, agent.is_free()) == ("starting", False)
    fleet.up("hst_3")
    assert agent.is_free()


def test_reserved_agent_that_leaves_goes_at_its_release() -> None:
    fleet = Fleet()
    [held] = fleet.do(AllocateAgent("mine", "coder"))
    fleet.do(UnregisterAgent(held.agent))
    assert fleet.state.agents[held.agent].status == "draining"
    fleet.do(ReleaseAgent(held.id))
    assert held.agent not in fleet.state.agents


@pytest.mark.parametrize(("low", "high", "size"), [(4, 9, 4), (1, 1, 1), (1, 9, 2)])
def test_changed_bounds_bring_the_size_inside(low: int, high: int, size: int) -> None:
    fleet = Fleet()
    config = parse_config({"fleet": {"default_pools": {"coder": {"min": low, "max": high, "priority": 8}}}}, "test")
    fleet.apply(decide_pools(fleet.state, config.pool_specs(), fleet.deciding))
    pool = fleet.state.pools["coder"]
    assert (pool.spec.min, pool.size, len(fleet.state.agents)) == (low, size, size)
    assert decide_pools(fleet.state, config.pool_specs(), fleet.deciding) == []


def test_agents_get_the_new_figures_of_their_pool_and_keep_their_own() -> None:
    fleet = Fleet({"coder": {"min": 1, "max": 9, "capabilities": ["python", "sql"], "cost": 1.0}})
    fleet.do(RegisterAgent("coder", capabilities=("rust", "sql"), memory=4_096))
    pools = {"coder": {"min": 1, "max": 9, "capabilities": ["python", "go"], "cost": 2.0, "resources": {"memory": "1GB", "cpu": 2}}}
    config = parse_config({"fleet": {"default_pools": pools}}, "test")
    fleet.report(r.EngineStarted("eng_2", "1", 2))
    seen = len(fleet.events)
    fleet.apply(decide_pools(fleet.state, config.pool_specs(), fleet.deciding))
    plain, own = (agent.spec for agent in fleet.state.agents.values())
    assert (plain.capabilities, own.capabilities) == (("python", "go"), ("python", "go", "rust"))
    assert (plain.resources, own.resources) == (Resources(1_024, 2.0), Resources(4_096, 2.0))
    assert (plain.cost, own.cost, plain.type, own.type) == (2.0, 2.0, "coder", "coder")
    assert fleet.types(seen) == ["pool.configured", "agent.configured"]
    fleet.up("hst_2")
    task = fleet.submit(capabilities=("go", "rust"))
    assert fleet.place() == {task: own.name}
    assert decide_pools(fleet.state, config.pool_specs(), fleet.deciding) == []


def test_pool_that_is_configured_no_more_may_shrink_to_nothing() -> None:
    fleet = Fleet()
    config = parse_config({"fleet": {"default_pools": {"ui": {"min": 0, "max": 1}}}}, "test")
    fleet.apply(decide_pools(fleet.state, config.pool_specs(), fleet.deciding))
    fleet.do(ScalePool("coder", "0"))
    assert fleet.state.pools["coder"].agents == 0


def test_plan_of_nothing_of_two_kinds_or_of_the_owners_verb_is_refused() -> None:
    fleet = Fleet()
    with pytest.raises(UsageError, match="needs at least one verb"):
        fleet.do()
    with pytest.raises(UsageError, match="one kind of verb; send the others in plans of their own"):
        fleet.do(PausePool("coder"), UnpausePool("coder"))
    with pytest.raises(UsageError, match=r"engine\.stop is carried out by the engine's owner"):
        fleet.do(StopEngine())


def test_reserved_agent_drained_while_it_starts_waits_for_its_host() -> None:
    fleet = Fleet()
    [held] = fleet.do(AllocateAgent("mine", "coder"))
    agent = fleet.state.agents[held.agent]
    fleet.down()
    fleet.do(DrainAgent(agent.spec.name))
    fleet.do(ReleaseAgent(held.id))
    assert agent.status == "starting"
    fleet.up("hst_2")
    assert (agent.status, agent.host) == ("drained", "hst_2")
