"""The ledger and the sweep: survivors are killed, strangers never."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from engine.agents.processes import ledger, ledger_lines, process_table
from engine.agents.processes.child_process import LEDGER_NAME
from engine.agents.processes.ledger import EngineMarker, SweepReport, sweep
from engine.agents.processes.ledger_lines import (
    LedgerEntry,
    append_line,
    ended_line,
    parse_ledger,
    rewrite_ledger,
)

from tests.integration.processes import is_gone, open_host, shell

DEAD_ENGINE = (2**22 + 1, 1)  # above the largest pid there can be

Sleeper = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def sleeper() -> Iterator[Sleeper]:
    """Start a process that lives until the test's end."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*, env: dict[str, str] | None = None, **settings: object) -> subprocess.Popen[bytes]:
        started.append(subprocess.Popen(["/bin/sleep", "300"], env=env, **settings))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def entry_of(pid: int, **fields: object) -> LedgerEntry:
    """A ledger entry of a living process, as an engine that is dead now would have written it."""
    engine_pid, engine_start = DEAD_ENGINE
    known = {"pid": pid, "pgid": pid, "start": process_table.read_start(pid), "key": "tsk_1", "engine": "eng_old",
             "engine_pid": engine_pid, "engine_start": engine_start, "boot": process_table.read_boot()}  # fmt: skip
    return LedgerEntry({**known, **fields})


def sweep_entries(tmp_path: Path, *entries: LedgerEntry, with_own: bool = False) -> SweepReport:
    rewrite_ledger(str(tmp_path / "ledger"), entries)
    marker = EngineMarker.of_this_process(tmp_path, "eng_new")
    return sweep(tmp_path / "ledger", marker, with_own=with_own)


def test_a_survivor_is_killed_with_its_group(tmp_path: Path, sleeper: Sleeper) -> None:
    leader = sleeper(process_group=0)
    member = sleeper(process_group=leader.pid)
    report = sweep_entries(tmp_path, entry_of(leader.pid))
    assert {(one.pid, one.key, one.found_by) for one in report.killed} == {
        (leader.pid, "tsk_1", "ledger"),
        (member.pid, "tsk_1", "group"),
    }
    assert is_gone(leader.pid)
    assert is_gone(member.pid)
    assert (report.survivors, report.gone) == ((), 0)
    assert (tmp_path / "ledger").read_bytes() == b""


def test_a_recycled_pid_is_spared(tmp_path: Path, sleeper: Sleeper) -> None:
    """The pid stands in the ledger, but the process that has it now started at another time."""
    stranger = sleeper(process_group=0)
    friend = sleeper(process_group=stranger.pid)
    start = process_table.read_start(stranger.pid)
    assert start is not None
    for recorded in (start - 1, start + 1, None):
        report = sweep_entries(tmp_path, entry_of(stranger.pid, start=recorded))
        assert report.killed == ()
        assert report.gone == 1
    assert not is_gone(stranger.pid)
    assert not is_gone(friend.pid)


def test_another_boot_or_container_is_spared(tmp_path: Path, sleeper: Sleeper) -> None:
    stranger = sleeper()
    report = sweep_entries(tmp_path, entry_of(stranger.pid, boot="another"))
    assert (report.killed, report.gone) == ((), 1)
    assert not is_gone(stranger.pid)


def test_what_a_living_engine_runs_is_spared_and_kept(tmp_path: Path, sleeper: Sleeper) -> None:
    engine, agent = sleeper(), sleeper()
    entry = entry_of(
        agent.pid, engine_pid=engine.pid, engine_start=process_table.read_start(engine.pid)
    )
    report = sweep_entries(tmp_path, entry)
    assert (report.killed, report.gone) == ((), 0)
    assert not is_gone(agent.pid)
    assert [kept.pid for kept in parse_ledger((tmp_path / "ledger").read_bytes()).entries] == [
        agent.pid
    ]


def test_own_processes_are_killed_only_after_the_spawner_died(
    tmp_path: Path, sleeper: Sleeper
) -> None:
    agent = sleeper()
    start = process_table.read_start(os.getpid())
    entry = entry_of(agent.pid, engine_pid=os.getpid(), engine_start=start)
    assert sweep_entries(tmp_path, entry).killed == ()
    assert [one.pid for one in sweep_entries(tmp_path, entry, with_own=True).killed] == [agent.pid]


def test_the_environment_tells_whose_a_process_is(tmp_path: Path, sleeper: Sleeper) -> None:
    marks = {
        "FLEET_TASK_KEY": "tsk_9",
        "FLEET_ENGINE_STATE": str(tmp_path),
        "FLEET_ENGINE_PID": "{}:{}".format(*DEAD_ENGINE),
    }
    mine = sleeper(env=marks)
    elsewhere = sleeper(env={**marks, "FLEET_ENGINE_STATE": "/somewhere/else"})
    engine = sleeper()
    living = sleeper(
        env={**marks, "FLEET_ENGINE_PID": f"{engine.pid}:{process_table.read_start(engine.pid)}"}
    )
    unclear = sleeper(env={**marks, "FLEET_ENGINE_PID": "garbage"})
    report = sweep_entries(tmp_path)
    assert [(one.pid, one.key, one.found_by) for one in report.killed] == [
        (mine.pid, "tsk_9", "environment")
    ]
    assert not any(is_gone(one.pid) for one in (elsewhere, engine, living, unclear))


def test_the_tag_tells_whose_a_process_is(tmp_path: Path, sleeper: Sleeper) -> None:
    tag = process_table.TAG_FLOOR + (77 << process_table.TAG_TASK_BITS)

    def tagged(number: int) -> subprocess.Popen[bytes]:
        limit = (number, resource.RLIM_INFINITY)
        return sleeper(env={}, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_RTTIME, limit))

    mine, other, finite = (
        tagged(tag + 5),
        tagged(tag + (1 << process_table.TAG_TASK_BITS)),
        tagged(1_000_000),
    )
    report = sweep_entries(tmp_path, entry_of(DEAD_ENGINE[0], start=5, tag=tag + 5, key="tsk_5"))
    assert [(one.pid, one.key, one.found_by) for one in report.killed] == [
        (mine.pid, "tsk_5", "tag")
    ]
    assert not is_gone(other.pid)
    assert not is_gone(finite.pid)


def test_an_engine_started_from_an_agents_shell_does_not_sweep_itself(
    tmp_path: Path, sleeper: Sleeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell_of_ours = sleeper()
    monkeypatch.setattr(ledger.os, "getpid", lambda: shell_of_ours.pid)
    report = sweep_entries(tmp_path, entry_of(shell_of_ours.pid))
    assert report.killed == ()
    assert not is_gone(shell_of_ours.pid)


def test_a_process_that_will_not_die_is_reported_and_kept(
    tmp_path: Path, sleeper: Sleeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = sleeper()
    monkeypatch.setattr(ledger, "DEATH_WAIT_S", 0.01)
    monkeypatch.setattr(ledger.signal, "pidfd_send_signal", lambda fd, number: None)
    report = sweep_entries(tmp_path, entry_of(agent.pid))
    assert (report.killed, report.survivors, report.gone) == ((), (agent.pid,), 0)
    assert [kept.pid for kept in parse_ledger((tmp_path / "ledger").read_bytes()).entries] == [
        agent.pid
    ]


def test_without_a_ledger_there_is_nothing_to_sweep(tmp_path: Path) -> None:
    report = sweep(tmp_path / "ledger", EngineMarker.of_this_process(tmp_path, "eng_new"))
    assert report == SweepReport()


@pytest.mark.parametrize("cut", [1, 40, -2])
def test_a_torn_last_line_is_skipped(tmp_path: Path, sleeper: Sleeper, cut: int) -> None:
    survivor, lost = sleeper(), sleeper()
    path = tmp_path / "ledger"
    path.write_bytes(entry_of(survivor.pid).line() + entry_of(lost.pid).line()[:cut])
    report = sweep(path, EngineMarker.of_this_process(tmp_path, "eng_new"))
    assert [one.pid for one in report.killed] == [survivor.pid]
    assert report.torn_lines == 1
    assert not is_gone(lost.pid)


def test_a_line_after_a_torn_one_is_not_lost() -> None:
    first, second = (entry_of(os.getpid(), start=start) for start in (1, 2))
    contents = parse_ledger(first.line()[:30] + second.line())
    assert ([entry.start for entry in contents.entries], contents.torn_lines) == ([2], 1)


@pytest.mark.parametrize(
    "line", [b"[1]\n", b'"x"\n', b'{"pid":"x"}\n', b"{}\n", b"\xff\xfe\n", b'{"ended":"x"}\n']
)
def test_lines_that_mean_nothing_are_counted(line: bytes) -> None:
    contents = parse_ledger(line + entry_of(os.getpid()).line() + b"\n\0\0\n")
    assert (len(contents.entries), contents.torn_lines) == (1, 1)


def test_an_end_closes_only_its_own_entry() -> None:
    first, second = (entry_of(os.getpid(), start=start) for start in (1, 2))
    contents = parse_ledger(first.line() + second.line() + ended_line(os.getpid(), 1))
    assert [entry.start for entry in contents.entries] == [2]


def test_an_entry_comes_back_as_it_was(tmp_path: Path) -> None:
    entry = entry_of(os.getpid(), key='tsk_"{ä}\n')
    append_line(str(tmp_path / "ledger"), entry.line())
    (read,) = parse_ledger((tmp_path / "ledger").read_bytes()).entries
    assert read.line() == entry.line()
    assert (tmp_path / "ledger").stat().st_mode & 0o777 == 0o600


def test_a_full_disk_is_an_error() -> None:
    with pytest.raises(OSError, match="No space"):
        append_line("/dev/full", b"x\n")


async def test_the_ledger_stays_small_and_knows_the_living(tmp_path: Path) -> None:
    path = tmp_path / LEDGER_NAME
    forever = shell("exec sleep 300", tmp_path)
    async with open_host(tmp_path) as host, host.program(forever, key="living") as living:
        for _ in range(5):
            await host.run(shell("true", tmp_path), key="t")
        entries = parse_ledger(path.read_bytes()).entries
        assert [entry.key for entry in entries] == ["", "living"]
        assert [entry.pid for entry in entries] == [host.spawner_pid, living.pid]
        assert entries[1].start == process_table.read_start(entries[1].pid)
        assert entries[1].engine_pid == os.getpid()
    async with open_host(tmp_path) as host:
        assert host.sweep_report.killed == ()
        assert [entry.pid for entry in parse_ledger(path.read_bytes()).entries][-1:] == [
            host.spawner_pid
        ]


async def test_the_spawner_compacts_the_ledger(tmp_path: Path) -> None:
    """Long keys make a ledger that must be rewritten after a few tasks."""
    path = tmp_path / LEDGER_NAME
    forever = shell("exec sleep 300", tmp_path)
    key = "k" * 100_000
    async with open_host(tmp_path) as host, host.program(forever, key="living") as living:
        for _ in range(1 + ledger_lines.COMPACT_AT_BYTES // len(key)):
            await host.run(shell("true", tmp_path), key=key)
        assert path.stat().st_size < len(key)
        pids = [entry.pid for entry in parse_ledger(path.read_bytes()).entries]
        assert pids == [host.spawner_pid, living.pid]


def test_start_time_and_tag_can_be_read_of_any_process(sleeper: Sleeper) -> None:
    ended = sleeper()
    ended.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 5
    while not is_gone(ended.pid) and time.monotonic() < deadline:
        pass
    assert process_table.read_start(ended.pid) is None
    assert process_table.read_start(DEAD_ENGINE[0]) is None
    assert process_table.read_tag(DEAD_ENGINE[0]) is None
    assert process_table.read_children(DEAD_ENGINE[0]) == []
    assert process_table.read_environment(os.getpid())


def test_children_are_found_on_a_kernel_that_does_not_list_them(
    sleeper: Sleeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    child = sleeper().pid
    read = process_table.read_file
    assert child in process_table.read_children(os.getpid())
    monkeypatch.setattr(
        process_table, "read_file", lambda path: None if path.endswith("/children") else read(path)
    )
    assert child in process_table.read_children(os.getpid())
