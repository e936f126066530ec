"""Acceptance of the main job: the seeds' own calls and promises on a real engine, by row."""

from __future__ import annotations

import asyncio
import sqlite3
import tomllib
from pathlib import Path

import engine
import pytest
from engine import FleetManager
from engine.gate import Gate
from engine.memory.journal import SqliteJournal
from engine.model.agent_commands import ReleaseAgent
from engine.model.commands import COMMANDS
from engine.model.errors import CommandRefused, NotFound
from engine.model.plans import Origin
from engine.model.task_commands import SubmitTask

SMALL = {"fleet": {"defaultPools": {"coder": {"min": 2, "max": 10}}}}
WITHIN_S = 60.0


async def settle(fleet: FleetManager, *, agents: int = 0, finished: int = 0) -> None:
    """Wait until so many agents are idle and so many tasks have ended."""
    async with asyncio.timeout(WITHIN_S):
        while True:
            status = fleet.status()
            states = status.tasks.by_state
            ended = sum(states.get(word, 0) for word in ("succeeded", "failed", "cancelled", "dead"))
            if status.agents.by_status.get("idle", 0) >= agents and ended >= finished:
                return
            await asyncio.sleep(0.005)


@pytest.mark.row(47, 48, 49, 53, 55, 289, 313)
async def test_the_usage_example_works_as_written(tmp_path: Path) -> None:
    """Construct, initialize, register, allocate, status, shutdown: the seeds' example with Python names."""
    fleet = FleetManager(
        {
            "redis": {"host": "localhost", "port": 6379},
            "fleet": {
                "maxAgents": 1000,
                "defaultPools": [{"type": "coder", "min": 5, "max": 100, "priority": 8, "resources": {"memory": 512, "cpu": 0.5}}],
            },
            "autoScaling": {
                "enabled": True,
                "policies": [
                    {
                        "id": "cpu-scaling",
                        "name": "CPU-based Auto-Scaling",
                        "enabled": True,
                        "scaleUpTrigger": {"metric": "cpu", "threshold": 0.8, "sustainedPeriod": 300000},
                        "scaleDownTrigger": {"metric": "cpu", "threshold": 0.3, "sustainedPeriod": 600000},
                    }
                ],
            },
        },
        state_dir=tmp_path,
    )
    await fleet.initialize()
    try:
        agent_id = await fleet.register_agent(
            {"type": "coder", "priority": 8, "capabilities": ["javascript", "typescript"], "resources": {"memory": 512, "cpu": 0.5}}
        )
        await settle(fleet, agents=6)
        allocation = await fleet.allocate_agent({"taskId": "task-123", "poolType": "coder", "capabilities": ["typescript"]})
        assert allocation.agent == agent_id
        status = await fleet.get_fleet_status()
        assert (status.agents.total, len(status.pools)) == (6, 1)
    finally:
        await fleet.shutdown()


@pytest.mark.row(50, 51, 52, 54, 56)
async def test_agents_are_looked_up_listed_released_scaled_and_unregistered(tmp_path: Path) -> None:
    """The rest of the seeds' FleetManager calls change what they say they change."""
    async with FleetManager(SMALL, state_dir=tmp_path) as fleet:
        await settle(fleet, agents=2)
        agent = fleet.get_agent("coder-1")
        assert fleet.get_agent(agent.spec.id).spec.name == "coder-1"
        assert {entry.spec.pool for entry in fleet.list_agents({"pool": "coder", "status": "idle"})} == {"coder"}
        allocation = await fleet.allocate_agent({"taskId": "t", "poolType": "coder"})
        assert fleet.get_agent(allocation.agent).allocation == allocation.id
        await fleet.release_agent(allocation.id, {"success": True, "seconds": 1.5})
        assert fleet.get_agent(allocation.agent).succeeded == 1
        with pytest.raises(NotFound):
            await fleet.operator().execute([ReleaseAgent(allocation.id)])
        await fleet.scale_pool("coder", 4)
        await settle(fleet, agents=4)
        await fleet.unregister_agent("coder-1")
        assert [entry.spec.name for entry in fleet.list_agents()] == ["coder-2", "coder-3", "coder-4"]


@pytest.mark.row(53, 156)
async def test_an_allocation_explains_itself_and_is_refused_with_the_reason(tmp_path: Path) -> None:
    """The answer carries score and reasoning; no free agent is a refusal that says what to do."""
    async with FleetManager(SMALL, state_dir=tmp_path) as fleet:
        await settle(fleet, agents=2)
        first = await fleet.allocate_agent({"taskId": "a", "poolType": "coder"})
        assert first.score > 0
        assert "best of 2 free" in first.reasoning
        await fleet.allocate_agent({"taskId": "b", "poolType": "coder"})
        with pytest.raises(CommandRefused, match="scale it up or wait"):
            await fleet.allocate_agent({"taskId": "c", "poolType": "coder"})


@pytest.mark.row(57)
async def test_listeners_hear_events_until_they_are_taken_off(tmp_path: Path) -> None:
    """on() and off(), sync and async, and a listener that fails disturbs nobody."""
    heard: list[str] = []
    async with FleetManager(SMALL, state_dir=tmp_path) as fleet:
        await settle(fleet, agents=2)

        async def listen(record: object) -> None:
            heard.append(record.event.type)  # type: ignore[attr-defined]

        def fail(_record: object) -> None:
            raise ValueError("a listener's own mistake")

        fleet.on("*", listen)
        fleet.on("pool.scaled", fail)
        await fleet.scale_pool("coder", 3)
        async with asyncio.timeout(WITHIN_S):
            while "pool.scaled" not in heard:
                await asyncio.sleep(0.005)
        fleet.off("*", listen)
        await settle(fleet, agents=3)
        heard.clear()
        await fleet.scale_pool("coder", 4)
        await settle(fleet, agents=4)
        assert heard == []


@pytest.mark.row(265)
async def test_every_event_reaches_a_listener_once_and_in_order(tmp_path: Path) -> None:
    """Events of a burst, one by one; how long they take is a row of `fleet-tui bench events`."""
    heard: list[int] = []
    async with FleetManager(SMALL, state_dir=tmp_path) as fleet:
        await settle(fleet, agents=2)
        fleet.on("*", lambda record: heard.append(record.seq))
        first = fleet.coordinator.state.seq
        operator = fleet.operator()
        for _ in range(20):
            await operator.execute([SubmitTask("noop", "coder")] * 50)
        await settle(fleet, finished=1_000)
        async with asyncio.timeout(WITHIN_S):
            while not heard or heard[-1] < fleet.coordinator.state.seq:
                await asyncio.sleep(0.005)
    later = [seq for seq in heard if seq > first]
    assert later == list(range(first + 1, later[-1] + 1))


@pytest.mark.row(22, 24, 29, 64, 203, 296)
async def test_a_command_becomes_a_task_is_routed_run_and_kept(tmp_path: Path) -> None:
    """Command entry, orchestration, execution, result and persistence, each of them seen."""
    async with FleetManager(SMALL, state_dir=tmp_path) as fleet:
        operator = fleet.operator()
        answer = await operator.execute([SubmitTask("echo", "coder", payload={"word": "hello"}), SubmitTask("no.such.type", "coder")])
        await settle(fleet, finished=2)
        good = await operator.query("task", id=answer.values[0])
        assert good["state"] == "succeeded"
        assert [what for _, what, _ in good["history"]][:2] == ["submitted", "leased"]
        assert any("capability match" in line for line in good["why"])
        bad = await operator.query("task", id=answer.values[1])
        assert (bad["state"], bad["error"]["kind"]) == ("failed", "unknown_type")
        status = fleet.status()
        assert (status.tasks.submitted, status.tasks.succeeded, status.tasks.failed) == (2, 1, 1)
        pool = await operator.query("pool", id="coder")
        assert (pool["succeeded"], pool["failed"]) == (1, 1)
    async with FleetManager(SMALL, state_dir=tmp_path) as again:
        assert (await again.operator().query("task", id=answer.values[0]))["state"] == "succeeded"


@pytest.mark.row(37, 151, 152)
async def test_the_router_counts_what_became_of_its_tasks(tmp_path: Path) -> None:
    """Six counters; what is not there to be measured is None, not 0."""
    async with FleetManager(SMALL, state_dir=tmp_path) as fleet:
        await settle(fleet, agents=2)
        assert fleet.get_routing_stats().avg_task_duration == 0.0
        await fleet.operator().execute(
            [SubmitTask("sleep", "coder", payload={"seconds": 0.05}), SubmitTask("no.such.type", "coder")]
        )
        await settle(fleet, finished=2)
        stats = fleet.get_routing_stats()
        assert (stats.total_tasks, stats.successful_tasks, stats.failed_tasks, stats.rerouted_tasks) == (2, 1, 1, 0)
        assert stats.avg_task_duration >= 0.02
        assert stats.wasm_utilization is None


@pytest.mark.row(26, 180, 181, 184, 185)
async def test_the_database_has_the_twelve_tables_and_can_be_backed_up_online(tmp_path: Path) -> None:
    """The seeds' tables with their columns, and a backup that opens."""
    async with FleetManager(SMALL, state_dir=tmp_path) as fleet:
        await settle(fleet, agents=2)
        assert isinstance(fleet.journal, SqliteJournal)
        await fleet.journal.backup(tmp_path / "backup.db")
    connection = sqlite3.connect(tmp_path / "backup.db")
    try:
        tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        assert tables >= {
            "agents", "events", "tasks", "memory", "consensus", "resources",
            "permissions", "audit", "metrics", "dependencies", "conflicts", "artifacts",
        }  # fmt: skip
        wanted = {
            "agents": {"id", "type", "status", "pool", "created_at", "updated_at", "metadata"},
            "events": {"id", "type", "agent_id", "timestamp", "data"},
            "tasks": {"id", "agent_id", "status", "priority", "created_at", "completed_at", "result"},
            "consensus": {"id", "task_id", "agent_id", "confidence", "reasoning", "timestamp"},
        }
        for table, columns in wanted.items():
            assert {row[1] for row in connection.execute(f"PRAGMA table_xinfo({table})")} >= columns
        assert connection.execute("SELECT count(*) FROM agents").fetchone() == (2,)
    finally:
        connection.close()


@pytest.mark.row(264, 266, 267, 272, 278, 283)
async def test_fifteen_hundred_agents_register_and_answer(tmp_path: Path) -> None:
    """Above the seeds' largest load; the figures are rows of `fleet-tui bench register status`."""
    config = {"fleet": {"maxAgents": 2000, "defaultPools": {"coder": {"min": 0, "max": 2000}}}}
    async with FleetManager(config, state_dir=tmp_path) as fleet:
        await fleet.scale_pool("coder", 1_500)
        await settle(fleet, agents=1_500)
        status = await fleet.get_fleet_status()
        assert (status.agents.total, status.agents.peak) == (1_500, 1_500)
        assert len({agent.spec.name for agent in fleet.list_agents()}) == 1_500


@pytest.mark.row(264, 269, 279)
async def test_ten_thousand_tasks_are_each_run_once(tmp_path: Path) -> None:
    """The seeds' second load test; the latencies are rows of `fleet-tui bench dispatch`."""
    config = {"fleet": {"maxAgents": 2000, "defaultPools": {"coder": {"min": 500, "max": 500}}}}
    async with FleetManager(config, state_dir=tmp_path) as fleet:
        operator = fleet.operator()
        for _ in range(40):
            await operator.execute([SubmitTask("noop", "coder")] * 250)
        await settle(fleet, finished=10_000)
        status = fleet.status()
        assert (status.tasks.submitted, status.tasks.succeeded, status.tasks.retried) == (10_000, 10_000, 0)
        assert fleet.coordinator.state.totals.late == 0


@pytest.mark.row(19, 30)
async def test_each_part_works_without_the_others(tmp_path: Path) -> None:
    """The engine alone, an operator in process, the verbs' one table with its help."""
    assert all(kind.help and kind.verb and kind.name for kind in COMMANDS.values())
    async with FleetManager(SMALL, state_dir=tmp_path) as fleet:
        viewer = Gate(fleet.desk, Origin("eve", "api", "", 0))
        with pytest.raises(CommandRefused, match="needs the role operator"):
            await viewer.execute([SubmitTask("noop", "coder")])
        assert len(await viewer.query("pools")) == 1


@pytest.mark.row(35, 42, 313)
def test_the_public_names_are_importable() -> None:
    """What programs import, lazily and by name; an unknown one is refused."""
    for name in engine.__all__:
        assert getattr(engine, name) is not None
    with pytest.raises(AttributeError, match="no attribute"):
        engine.NoSuchName  # noqa: B018  # the access is the test


@pytest.mark.row(46, 287, 288)
def test_the_package_says_what_it_is_and_how_to_start() -> None:
    """Metadata for the index, and a quick start of two commands."""
    root = Path(__file__).parents[2]
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    assert (project["name"], project["requires-python"]) == ("fleet-tui", ">=3.11")
    assert project["scripts"] == {"fleet-tui": "fleet_tui.cli:main"}
    readme = (root / "README.md").read_text("utf-8")
    assert "make run" in readme
    assert "make test" in readme
