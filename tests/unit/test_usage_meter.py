"""What programs use is counted whole: those that run, those that ended between two looks, and those that a look missed."""

from __future__ import annotations

from typing import NamedTuple

import pytest
from engine.agents import program_usage
from engine.agents.processes.cgroups import Groups
from engine.agents.program_usage import ProgramSample
from engine.gate.programs_seen import ProgramsSeen
from engine.gate.usage import UsageMeter, Used
from engine.model import events as ev
from engine.scaling.observer import PoolObserver
from engine.state import Touched
from tests.unit.core_fleet import Fleet

POOLS = {"kept": {"kind": "session", "session": {"argv": ["true"]}, "min": 2, "max": 2}, "tool": {"kind": "command", "command": {"argv": ["true"]}, "min": 4, "max": 4, "resources": {"cpu": 0.5, "memory": 100}}}


class Tree(NamedTuple):
    cpu_s: float
    rss_mb: float


class Watched(Fleet):
    """A fleet of programs whose processes are a table."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.meter: UsageMeter | None = None
        super().__init__(POOLS)
        self.meter = UsageMeter(lambda: self.state)
        self.trees: dict[int, Tree] = {}
        self.pids: dict[str, int] = {}
        monkeypatch.setattr(program_usage, "read_tree", lambda pid: self.trees.get(pid))

    def apply(self, events: list[ev.Event]) -> list[ev.Event]:
        done = super().apply(events)
        if self.meter is not None:
            self.meter.publish([ev.Record(number, self.now, "test", event) for number, event in enumerate(events, 1)], Touched())
        return done

    def program(self, pid: int) -> str:
        task = self.run(pool="tool")
        self.pids[f"{task}.1"] = pid
        self.trees[pid] = Tree(0.0, 10.0)
        return task

    def finish(self, task: str, cpu_s: float, *, ok: bool = True) -> None:
        self.pids.pop(f"{task}.1")
        self.end(task, ok=ok, usage={"cpu_s": cpu_s}, started_at=self.task(task).started_at, retryable=False)

    def look(self) -> tuple[float | None, float | None]:
        assert self.meter is not None
        self.meter.look([], self.pids, self.now)
        used = self.meter.used.pools["tool"]
        return used.cores, used.rss_mb


@pytest.fixture
def fleet(monkeypatch: pytest.MonkeyPatch) -> Watched:
    return Watched(monkeypatch)


def test_before_two_looks_nothing_is_known(fleet: Watched) -> None:
    fleet.program(11)
    assert fleet.look() == (None, 10.0)


def test_cores_are_cpu_seconds_since_the_last_look(fleet: Watched) -> None:
    first, _second = fleet.program(11), fleet.program(12)
    fleet.look()
    fleet.now += 2.0
    fleet.trees |= {11: Tree(1.5, 30.0), 12: Tree(0.5, 20.0)}
    assert fleet.look() == (1.0, 50.0)
    assert fleet.meter is not None
    assert fleet.meter.used.programs[fleet.task(first).spec.id] == 30.0
    fleet.now += 2.0
    fleet.program(13)
    fleet.trees[13] = Tree(1.0, 5.0)
    assert fleet.look() == (0.5, 55.0), "a new one has begun since"


@pytest.mark.parametrize("ok", [True, False])
def test_programs_that_end_between_looks_count_with_what_no_look_saw(fleet: Watched, ok: bool) -> None:
    seen = fleet.program(11)
    fleet.look()
    fleet.now += 2.0
    fleet.trees[11] = Tree(1.0, 10.0)
    assert fleet.look() == (0.5, 10.0)
    fleet.now += 1.0
    short = fleet.program(12)
    fleet.finish(short, 0.6, ok=ok)
    fleet.finish(seen, 1.4, ok=ok)
    fleet.now += 1.0
    assert fleet.look() == (pytest.approx((0.6 + 0.4) / 2), 0.0)
    fleet.now += 2.0
    assert fleet.look() == (0.0, 0.0)


def test_an_end_that_is_told_after_a_look_is_counted_once(fleet: Watched) -> None:
    task = fleet.program(11)
    fleet.look()
    fleet.now += 2.0
    fleet.trees[11] = Tree(1.0, 10.0)
    fleet.look()
    fleet.now += 2.0
    del fleet.trees[11]
    assert fleet.look() == (0.0, 0.0)
    fleet.finish(task, 1.5)
    fleet.now += 2.0
    assert fleet.look()[0] == pytest.approx(0.25)


def test_what_began_before_all_looks_is_not_guessed(fleet: Watched) -> None:
    task = fleet.program(11)
    fleet.now += 50.0
    del fleet.trees[11]
    fleet.look()
    fleet.finish(task, 40.0)
    fleet.now += 2.0
    assert fleet.look() == (0.0, 0.0)


def test_programs_that_are_kept_over_tasks_are_their_agents(fleet: Watched) -> None:
    first, second = (agent.spec.id for agent in fleet.state.agents_in("kept"))
    fleet.pids |= {f"session.{first}.1": 11, f"session.{second}.7": 12, "session.agt_gone.1": 13}
    fleet.trees |= {11: Tree(0.0, 10.0), 12: Tree(0.0, 20.0), 13: Tree(0.0, 40.0)}
    fleet.look()
    fleet.now += 2.0
    fleet.trees[11] = Tree(1.0, 30.0)
    fleet.look()
    assert fleet.meter is not None
    used = fleet.meter.used
    assert (used.programs, used.names[first]) == ({first: 30.0, second: 20.0}, f"session.{first}.1")
    assert (used.agents[first], used.pools["kept"].rss_mb, used.pools["kept"].cores) == ((0.5, 30.0), 50.0, 0.5)


def test_what_another_machine_measured_counts_for_agent_and_pool_and_is_told_with_its_age_once_that_is_silent(fleet: Watched) -> None:
    assert fleet.meter is not None
    task, agent = fleet.program(11), fleet.task(fleet.program(12)).agent
    there = ProgramSample(f"{fleet.task(task).spec.id}.1", 0.25, 64.0, 9.0, 30.0, fleet.now)
    del fleet.pids[there.name]
    told = ProgramsSeen()

    def look() -> Used:
        fleet.meter.look([], fleet.pids, fleet.now, [there])  # type: ignore[union-attr]
        told.take(fleet.meter.used.told())  # type: ignore[union-attr]
        return fleet.meter.used  # type: ignore[union-attr]

    owner = fleet.task(task).agent
    assert owner is not None
    look()
    fleet.now += 2.0
    used = look()
    assert (used.agents[owner], used.pools["tool"].cores, used.pools["tool"].rss_mb) == ((0.25, 64.0), 0.25, 74.0)
    assert there.name not in used.names.values(), "it takes nothing of this machine"
    assert [(run.agent, run.cpu_s, run.quiet_s) for run in fleet.meter.runs({}).values()] == [(owner, 9.0, 32.0)]
    fleet.now += 30.0
    used = look()
    assert owner not in used.agents
    assert "tool" not in used.pools, "half of what the pool uses is unknown"
    assert (told.used[owner], told.used[agent][2]) == ((0.25, 64.0, there.at), 0.0)  # type: ignore[index]
    assert fleet.meter.runs({}) == {}
    there = there._replace(at=fleet.now)
    look()
    assert told.used[owner] == (0.25, 64.0, 0.0)


def test_a_program_in_a_control_group_is_measured_by_it_and_held_to_what_its_pool_allows(fleet: Watched) -> None:
    assert fleet.meter is not None
    groups = Groups("state")
    groups.measure = lambda key: (7.0, 33.0) if key == grouped else None  # type: ignore[method-assign]
    fleet.meter.follow(groups)
    grouped, _ = f"{fleet.program(11)}.1", fleet.program(12)
    fleet.look()
    assert sorted(fleet.meter.used.programs.values()) == [10.0, 33.0]
    assert groups.pool_of(grouped) is fleet.state.pools["tool"].spec
    assert groups.pool_of("tsk_none.1") is None


@pytest.mark.row(66)
def test_the_autoscaler_sees_what_programs_use_of_what_is_granted(fleet: Watched) -> None:
    fleet.program(11)
    fleet.look()
    fleet.now += 2.0
    fleet.trees[11] = Tree(2.0, 200.0)
    fleet.look()
    assert fleet.meter is not None
    observer = PoolObserver(lambda: fleet.state, lambda _pool: 0, lambda: fleet.meter.used.pools)  # type: ignore[union-attr]
    seen = observer.observe(fleet.state.pools["tool"], fleet.now)
    assert (seen.cpu, seen.memory) == (1.0 / (4 * 0.5), 200.0 / (4 * 100))
