"""What heat maps ask for: one metric of all pools over time, or of all agents at once; gaps, limits, sizes of answers."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import pytest
from engine.gate import heat
from engine.gate.heat import LOOKS, heat_of_agents, heat_of_pools
from engine.gate.history import History
from engine.memory.migrations import migrate, steps
from engine.model import wire
from engine.model.errors import UsageError
from engine.model.ids import AgentId
from engine.model.metrics import Span
from engine.monitoring.agents import Looked, packed
from engine.simulation.loop import VirtualClock, run_virtual
from engine.state import Touched
from tests.unit.core_fleet import Fleet
from tests.unit.test_monitoring import NOON, Files

SECONDS_KEPT = 90


class At(VirtualClock):
    """A clock that stands at an instant."""

    def __init__(self, at: float) -> None:
        self.at = at

    def now(self) -> float:
        return self.at


@pytest.fixture
def files() -> Iterator[Files]:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection, steps())
    yield Files(connection)
    connection.close()


def history_of(files: Files, fleet: Fleet, second: float, *, enabled: bool = True) -> History:
    return History(files, lambda: fleet.state, At(NOON + second), enabled=enabled)


def sample(history: History, fleet: Fleet, seconds: int, changes: dict[int, dict[str, int]] | None = None) -> None:
    """Let seconds go by; `changes` are the agents' counts of tasks that failed from then on."""
    for second in range(seconds):
        for name, failed in (changes or {}).get(second, {}).items():
            fleet.state.agents[AgentId(name)].failed = failed
            history.agents.note(Touched(agents={AgentId(name): None}))
        history.agents.sample(fleet.state, Looked({}, {}), NOON + second + 0.1)


def test_every_pool_has_the_same_steps_and_what_was_not_measured_is_a_gap(files: Files) -> None:
    async def run() -> dict[str, object]:
        await history.recorder.archive.open()
        await history.recorder.store.open(NOON)
        for second in range(120):
            values = {("utilisation", "coder"): 0.25} | ({("utilisation", "tester"): 1 / 3} if second >= 60 else {})
            history.recorder.store.put(NOON + second, values, {})
        history.recorder.sampled_at = NOON + 119.0
        return await heat_of_pools(history, "utilization", Span(last_s=180, points=6))

    fleet = Fleet({"coder": {"min": 1, "max": 1}, "tester": {"min": 1, "max": 1}})
    history = history_of(files, fleet, 119.5)
    found = run_virtual(run())
    assert (found["metric"], found["unit"], found["step_s"], found["since"]) == ("utilisation", "ratio", 30, NOON - 60)
    assert found["pools"] == {"coder": [None, None, 0.25, 0.25, 0.25, 0.25], "tester": [None, None, None, None, 0.33333, 0.33333]}
    assert (found["newest_at"], found["left_out"]) == (NOON + 119, 0)


def test_an_answer_is_bounded_and_says_what_it_left_out(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heat, "POOLS_MAX", 1)
    fleet = Fleet({"coder": {"min": 1, "max": 1}, "tester": {"min": 1, "max": 1}})
    history = history_of(files, fleet, 0)

    async def run() -> dict[str, object]:
        await history.recorder.archive.open()
        return await heat_of_pools(history, "load", Span())

    found = run_virtual(run())
    assert isinstance(found["pools"], dict)
    assert (list(found["pools"]), found["left_out"]) == (["coder"], 1)


def test_agents_are_the_mean_of_looks_over_the_last_minute_and_a_count_is_what_it_grew_by(files: Files) -> None:
    fleet = Fleet()
    first, second = fleet.state.agents
    history = history_of(files, fleet, SECONDS_KEPT)
    sample(history, fleet, SECONDS_KEPT, {5: {first: 2}, 50: {first: 3}, 70: {first: 7}})
    found = run_virtual(heat_of_agents(history, "agent_failed", last_s=60, ago_s=0, roster=""))
    assert found["ids"] == [first, second]
    assert (found["values"], found["is_count"], found["looks"]) == ([5.0, 0.0], True, LOOKS)
    idle = run_virtual(heat_of_agents(history, "agent_idle", last_s=60, ago_s=0, roster=str(found["roster"])))
    assert idle["ids"] is None, "the asker has them already"
    assert idle["values"] == [float(agent.is_free()) for agent in fleet.state.agents.values()]
    assert (idle["newest_at"], idle["since"]) == (NOON + SECONDS_KEPT, NOON + SECONDS_KEPT - 55)
    cpu = run_virtual(heat_of_agents(history, "agent_cpu", last_s=60, ago_s=0, roster=""))
    assert cpu["values"] == [None, None], "a process that several agents share is nobody's: unknown, not 0"


def test_agents_of_the_past_are_those_that_there_were(files: Files) -> None:
    fleet = Fleet()
    first, second = fleet.state.agents
    history = history_of(files, fleet, 300)

    async def run() -> dict[str, object]:
        archive = history.recorder.archive
        await archive.open()

        async def save() -> None:
            while history.agents.pending:
                begin, columns = history.agents.pending.popleft()
                await archive.save_agents(begin, [(name, packed(data, name)) for name, data in columns])

        sample(history, fleet, 130)
        await save()
        gone = fleet.state.agents.pop(first)
        history.agents.note(Touched(removed_agents=[gone]))
        for second in range(130, 250):
            history.agents.sample(fleet.state, Looked({}, {}), NOON + second + 0.1)
        await save()
        return await heat_of_agents(history, "agent_idle", last_s=240, ago_s=60, roster="")

    found = run_virtual(run())
    values = dict(zip(found["ids"], found["values"], strict=True))  # type: ignore[call-overload]
    assert values.keys() == {first, second}
    assert values[first] is not None, "it has left, but it was there"
    assert (found["newest_at"], found["looks"]) == (NOON + 240, 4)


def test_ten_thousand_agents_are_an_answer_of_a_bounded_size(files: Files) -> None:
    fleet = Fleet(fleet={"max_agents": 10_000, "default_pools": {"coder": {"min": 10_000, "max": 10_000}}})
    history = history_of(files, fleet, 60)
    sample(history, fleet, 60)
    found = run_virtual(heat_of_agents(history, "agent_busy", last_s=60, ago_s=0, roster=""))
    assert found["agents"] == 10_000
    assert len(wire.encode(found)) < 10_000 * 48
    again = run_virtual(heat_of_agents(history, "agent_busy", last_s=60, ago_s=0, roster=str(found["roster"])))
    assert len(wire.encode(again)) < 10_000 * 10


@pytest.mark.parametrize("metric", ["engine_cpu", "agent_busy"])
def test_only_figures_of_pools_are_told_by_pool(files: Files, metric: str) -> None:
    with pytest.raises(UsageError, match="no figure of pools"):
        run_virtual(heat_of_pools(history_of(files, Fleet(), 0), metric, Span()))


def test_what_cannot_be_asked_is_refused(files: Files) -> None:
    history = history_of(files, Fleet(), 0)
    with pytest.raises(UsageError, match="agent_"):
        run_virtual(heat_of_agents(history, "cpu", last_s=60, ago_s=0, roster=""))
    with pytest.raises(UsageError, match="60 seconds at least"):
        run_virtual(heat_of_agents(history, "agent_busy", last_s=5, ago_s=0, roster=""))
    with pytest.raises(UsageError, match="points"):
        run_virtual(heat_of_pools(history, "load", Span(points=0)))
    with pytest.raises(UsageError, match="monitoring.enabled"):
        run_virtual(heat_of_agents(history_of(files, Fleet(), 0, enabled=False), "agent_busy", last_s=60, ago_s=0, roster=""))
