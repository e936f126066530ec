"""Real engines that share a fleet are broken under load: what was taken is there, once, and done; one engine leads at a time.

The short runs strike a few times; `CHAOS_SEED=7 make test-long ARGS=tests/integration/test_chaos.py` strikes with every fault, again and again.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from engine.model.errors import EngineUnavailable, UsageError
from fleet_tui.chaos.chance import Chance
from fleet_tui.chaos.faults import FAULTS, faults_of
from fleet_tui.chaos.load import Load
from fleet_tui.chaos.network import Network
from fleet_tui.chaos.processes import Process, Reached, until
from fleet_tui.chaos.recovery import GOALS_S, Blow, recoveries
from fleet_tui.chaos.run import Report, chosen, folder_of, judged
from fleet_tui.chaos.setups import Topology
from fleet_tui.chaos.wall_clock import WallClock
from fleet_tui.chaos.world import Exposure
from fleet_tui.subcommands import run_words

SEED = os.environ.get("CHAOS_SEED", "20261122")


def run(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, object]:
    """Run the command as a user does, and return its report."""
    code = run_words(["chaos", "--seed", SEED, "-o", "json", *words])
    report: dict[str, object] = json.loads(capsys.readouterr().out)
    assert (code, report["broken"]) == (0, []), f"again: fleet-tui chaos --seed {SEED} {' '.join(words)}"
    return report


def test_a_killed_leader_and_one_that_is_cut_off_cost_nothing_that_was_taken(capsys: pytest.CaptureFixture[str]) -> None:
    report = run(capsys, "--fault", "leader-killed", "--fault", "leader-cut")
    assert {blow["fault"]: blow["epochs"] for blow in report["blows"]} == {"leader-killed": 1, "leader-cut": 1}  # type: ignore[attr-defined]
    assert report["tasks"]


@pytest.mark.row(10)
def test_a_leader_that_is_parted_with_its_master_costs_nothing_where_a_replica_is_waited_for(capsys: pytest.CaptureFixture[str]) -> None:
    report = run(capsys, "--topology", "sentinel", "--durability", "replicated", "--fault", "leader-parted")
    assert [blow["epochs"] > 0 for blow in report["blows"]] == [True]  # type: ignore[attr-defined]
    assert report["tasks"]
    assert report["lost"] == 0


@pytest.mark.slow
@pytest.mark.parametrize(("topology", "durability"), [("single", "async"), ("sentinel", "async"), ("sentinel", "replicated"), ("cluster", "async"), ("cluster", "replicated"), ("regions", "async")])
def test_every_fault_again_and_again(capsys: pytest.CaptureFixture[str], topology: str, durability: str) -> None:
    report = run(capsys, "--rounds", "3", "--topology", topology, "--durability", durability)
    took: dict[str, list[float]] = {}
    for blow in report["blows"]:  # type: ignore[attr-defined]
        took.setdefault(blow["fault"], []).append(blow["recovered_s"])
    assert set(took) == set(faults_of(Topology(topology)))
    assert durability == "async" or report["lost"] == 0
    for fault, seconds in took.items():
        print(f"{fault}: median {sorted(seconds)[len(seconds) // 2]:.2f} s, longest {max(seconds):.2f} s")


def test_a_seed_gives_the_same_faults_again_each_once_a_round() -> None:
    order, there = chosen((), 2, Chance(3)), sorted(faults_of(Topology.SINGLE))
    assert order == chosen((), 2, Chance(3)) != chosen((), 2, Chance(4))
    assert sorted(order[: len(there)]) == sorted(order[len(there) :]) == there


def test_an_unknown_fault_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(Exception, match=r"no fault 'leader-kill'.*did you mean 'leader-killed'"):
        run_words(["chaos", "--fault", "leader-kill"])


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--fault", "master-killed"], "no master-killed with --topology single: give --topology sentinel or cluster"),
        (["--topology", "cluster", "--fault", "server-killed"], "no server-killed with --topology cluster: give --topology single"),
        (["--topology", "sentinel", "--fault", "host-killed"], "no host-killed with --topology sentinel: give --topology single"),
        (["--fault", "region-killed"], "no region-killed with --topology single: give --topology regions"),
        (["--topology", "regions", "--durability", "replicated"], "needs a replica"),
        (["--durability", "replicated"], "needs a replica, and a single server has none: give --topology sentinel or cluster"),
    ],
)
def test_what_does_not_go_with_the_servers_is_refused(words: list[str], why: str) -> None:
    with pytest.raises(UsageError, match=why):
        run_words(["chaos", *words])


def test_each_topology_lists_its_own_faults(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_words(["chaos", "--topology", "sentinel", "--fault", "help"]) == 0
    assert "master-killed" in (said := capsys.readouterr().out)
    assert "server-killed" not in said


class Answering(Reached):
    """An engine that takes tasks, or does not yet."""

    def __init__(self, name: str) -> None:
        self._name, self.answers = name, asyncio.Event()

    @property
    def name(self) -> str:
        return self._name

    @contextlib.asynccontextmanager
    async def operator(self) -> AsyncIterator[Any]:
        if not self.answers.is_set():
            raise EngineUnavailable("not yet")
        yield self

    async def execute(self, _commands: object) -> Answer:
        return Answer(values=("tsk_1",))


@dataclass(frozen=True)
class Answer:
    values: tuple[str, ...]


async def test_an_engine_that_goes_on_alone_does_not_keep_the_load_from_the_others() -> None:
    """As one that is parted together with the master: what the others answer is what is waited for."""
    alone, late = Answering("alone"), Answering("late")
    load = Load((alone, late), Chance(1))
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        alone.answers.set()
        writing = group.create_task(load.run())
        await until(lambda: len(load.accepted) >= 10, "no tasks are taken")
        late.answers.set()
        await until(lambda: load.newest_at(["late"]) > 0, "nobody asks the other")
        writing.cancel()


def test_what_the_programs_of_a_run_wrote_stays_where_it_was_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    whole, broken = Report(1, "single", "async"), Report(2, "single", "async", broken=["lost"])
    for report in (whole, broken):
        with folder_of(report) as folder:
            (folder / "engine.log").write_text("said")
    assert whole.kept == []
    assert [(Path(one) / "engine.log").read_text() for one in broken.kept] == ["said"]
    assert len(list(tmp_path.iterdir())) == 1


def test_recoveries_are_told_beside_their_goals() -> None:
    blows = [Blow("leader-killed", "a", took, 1) for took in (2.0, 3.5, 1.0)] + [Blow("server-slow", "all wires", 0.1, 0)]
    leader, slow = recoveries(blows)
    assert (leader.times, leader.median_s, leader.longest_s, leader.goal_s, leader.is_kept) == (3, 2.0, 3.5, 3.0, False)
    assert (slow.goal_s, slow.is_kept) == (None, True)
    assert set(GOALS_S) <= set(FAULTS)


CALLER = "import socket, sys; s = socket.create_connection(('127.0.0.1', int(sys.argv[1]))); s.sendall(sys.argv[2].encode()); s.recv(1)"


async def test_a_cut_holds_what_some_send_and_lets_all_else_through(tmp_path: Path) -> None:
    """Who connects is told by the process, not by the address, which is the same for all."""
    came: asyncio.Queue[bytes] = asyncio.Queue()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await came.put(await reader.read(10))
        writer.close()

    network, one, other, server = Network(), Process(tmp_path / "one"), Process(tmp_path / "other"), Process(tmp_path / "server")
    listener = await asyncio.start_server(take, "127.0.0.1", 0)
    try:
        async with asyncio.timeout(60):
            door = await network.wire(listener.sockets[0].getsockname()[1], server)
            for process in (one, other):
                network.add(process)
            network.cut_off(["one"])
            for process in (one, other):
                process.run(sys.executable, "-c", CALLER, str(door), process.name)
            assert await came.get() == b"other"
            assert came.empty()
            network.cut_off(["one", "server"])
            assert await came.get() == b"one"
    finally:
        for process in (one, other):
            process.kill()
        listener.close()
        await network.close()


def test_a_clock_that_is_set_is_seen_at_once_by_the_program_that_has_it(tmp_path: Path) -> None:
    clock = WallClock.new(tmp_path / "clock")
    assert WallClock(clock.path).ahead_s == 0.0
    clock.jump(-3_600)
    clock.jump(60)
    assert WallClock(clock.path).ahead_s == -3_540.0


GOOD = {"t1": ("one", "succeeded"), "t2": ("two", "succeeded")}


@pytest.mark.parametrize(
    ("found", "leaders", "what"),
    [
        ([GOOD, GOOD], {1: {"a"}, 2: {"b"}}, []),
        ([GOOD, GOOD], {1: {"a", "b"}}, ["more than one said to lead in epoch 1: a, b"]),
        ([GOOD, {"t1": GOOD["t1"]}], {}, ["the engines do not have the same tasks"]),
        ([{"t2": GOOD["t2"]}], {}, ["1 tasks that were taken are lost: one"]),
        ([{**GOOD, "t3": ("two", "succeeded")}], {}, ["1 tasks are there twice: two"]),
        ([{**GOOD, "t2": ("two", "failed")}], {}, ["1 tasks did not succeed: two"]),
        ([{**GOOD, "t3": ("no", "succeeded")}], {}, ["1 tasks are there that were refused: no"]),
        ([{**GOOD, "t3": ("maybe", "succeeded")}], {}, []),
    ],
)
def test_what_was_not_kept_is_found(found: list[dict[str, tuple[str, str]]], leaders: dict[int, set[str]], what: list[str]) -> None:
    load = Load((), Chance(1))
    load.accepted, load.refused, load.unknown = {"one": "t1", "two": "t2"}, {"no"}, {"maybe"}
    assert judged(found, leaders, load) == (0, what)


@pytest.mark.parametrize(
    ("engine", "at", "gone", "what"),
    [
        ("a", 15.0, 1, []),  # by who was alone
        ("b", 9.8, 1, []),  # just before, by anybody
        ("b", 15.0, 0, ["1 tasks that were taken are lost: two"]),
        ("a", 20.5, 0, ["1 tasks that were taken are lost: two"]),
        ("a", 9.0, 0, ["1 tasks that were taken are lost: two"]),
    ],
)
def test_what_was_answered_alone_may_be_lost_and_nothing_else(engine: str, at: float, gone: int, what: list[str]) -> None:
    load = Load((), Chance(1))
    load.accepted, load.answered = {"one": "t1", "two": "t2"}, {"one": ("b", 15.0), "two": (engine, at)}
    assert judged([{"t1": GOOD["t1"]}], {}, load, [Exposure("a", 10.0, 20.0, lag_s=0.5)]) == (gone, what)
