"""No agent outlives its engine by accident: cancellation, kill -9 of the engine, kill -9 of the spawner."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from engine.agents.processes import process_table, spawner_link
from engine.agents.processes.child_process import LEDGER_NAME, ProcessHost
from engine.agents.processes.ledger import EngineMarker, sweep
from engine.agents.processes.ledger_lines import parse_ledger
from engine.agents.processes.spec import ProcessSpec, ProcessStartError

from tests.integration.processes import (
    FAMILY,
    FAMILY_SCRIPT,
    is_gone,
    kill_quietly,
    open_host,
    read_pids,
    shell,
    wait_until,
)

ROOT = Path(__file__).parents[2]
FAMILY_WAITS = FAMILY_SCRIPT + "exec sleep 300\n"
KILLED_WITHIN_S = 5.0

ENGINE = """
import asyncio, os, signal, sys
from pathlib import Path
from engine.agents.processes.child_process import ProcessHost
from engine.agents.processes.spec import ProcessSpec
from engine.clock import SystemClock

async def main():
    state = Path(sys.argv[1])
    async with ProcessHost(state, engine_id="eng_stand_in", clock=SystemClock()) as host:
        if "--fork" in sys.argv and os.fork() == 0:
            signal.pause()
        print(host.spawner_pid, flush=True)
        await host.run(ProcessSpec(("/bin/sh", "-c", sys.argv[2]), cwd=state), key="tsk_orphan")

asyncio.run(main())
"""


@contextmanager
def stand_in(state: Path, *options: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """An engine in a process of its own that runs the family; yields it and its spawner's pid."""
    command = [sys.executable, "-c", ENGINE, str(state), FAMILY_WAITS, *options]
    engine = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, start_new_session=True)
    try:
        assert engine.stdout is not None
        yield engine, int(engine.stdout.readline())
    finally:
        kill_quietly(read_pids(state, FAMILY))
        with contextlib.suppress(ProcessLookupError):
            os.killpg(engine.pid, signal.SIGKILL)
        engine.communicate()


@pytest.fixture
async def host(tmp_path: Path) -> AsyncIterator[ProcessHost]:
    async with open_host(tmp_path) as opened:
        yield opened
    kill_quietly(read_pids(tmp_path, FAMILY))


async def start_family(
    host: ProcessHost, folder: Path, group: asyncio.TaskGroup, **settings: object
) -> asyncio.Task:
    run = group.create_task(host.run(shell(FAMILY_WAITS, folder, **settings), key="t"))
    await wait_until(lambda: read_pids(folder, FAMILY))
    return run


async def test_cancellation_leaves_nothing_of_the_family(host: ProcessHost, tmp_path: Path) -> None:
    async with asyncio.TaskGroup() as group:
        run = await start_family(host, tmp_path, group)
        pids = read_pids(tmp_path, FAMILY)
        assert not any(is_gone(pid) for pid in pids)
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
    assert [name for name, pid in zip(FAMILY, pids, strict=True) if not is_gone(pid)] == []
    assert host.pids() == {}


async def test_a_second_cancellation_does_not_wait_for_the_grace(
    host: ProcessHost, tmp_path: Path
) -> None:
    script = "trap '' TERM; echo $$ > leader; while :; do sleep 300; done"
    async with asyncio.TaskGroup() as group:
        run = group.create_task(host.run(shell(script, tmp_path, grace_s=300), key="t"))
        await wait_until(lambda: read_pids(tmp_path, ["leader"]))
        run.cancel()
        await asyncio.sleep(0)
        assert not run.done()
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
    await wait_until(lambda: is_gone(read_pids(tmp_path, ["leader"])[0]))


async def test_cancellation_while_starting(host: ProcessHost, tmp_path: Path) -> None:
    async with asyncio.TaskGroup() as group:
        for turns in range(12):
            run = group.create_task(
                host.run(shell("echo $$ >> pids; exec sleep 300", tmp_path), key="t")
            )
            for _ in range(turns):
                await asyncio.sleep(0)
            run.cancel()
            with pytest.raises(asyncio.CancelledError):
                await run
    assert host.pids() == {}
    pids = (tmp_path / "pids").read_text().split() if (tmp_path / "pids").exists() else []
    assert all(is_gone(int(pid)) for pid in pids)


@pytest.mark.parametrize("stage", ["while it is started", "before it serves"])
async def test_a_host_cancelled_as_it_opens_leaves_no_spawner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    begun, go_on = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()
    links: list[spawner_link.SpawnerLink] = []

    def start(marker: EngineMarker, ledger: Path) -> spawner_link.SpawnerLink:
        if stage == "while it is started":
            loop.call_soon_threadsafe(begun.set)
            go_on.wait()
        links.append(really_start(marker, ledger))
        return links[0]

    def listen(link: spawner_link.SpawnerLink, **callbacks: Any) -> None:  # noqa: ANN401  # as it takes them
        begun.set()
        really_listen(link, **callbacks)

    really_start, really_listen = spawner_link.SpawnerLink.start, spawner_link.SpawnerLink.listen
    monkeypatch.setattr(spawner_link.SpawnerLink, "start", start)
    monkeypatch.setattr(spawner_link.SpawnerLink, "listen", listen)
    async with asyncio.TaskGroup() as group:
        opening = group.create_task(open_host(tmp_path).__aenter__())
        await begun.wait()
        opening.cancel()
        loop.call_soon(go_on.set)
        with pytest.raises(asyncio.CancelledError):
            await opening
    assert is_gone(links[0].pid)
    assert not links[0].is_open


@pytest.mark.rule(6, "command")
async def test_the_end_of_the_program_ends_its_family(host: ProcessHost, tmp_path: Path) -> None:
    script = (
        FAMILY_SCRIPT
        + "until [ -s member ] && [ -s daemon ] && [ -s scrubbed ]; do sleep 0.01; done; echo done"
    )
    result = await host.run(shell(script, tmp_path), key="t")
    assert (result.exit_code, result.stdout, result.survivors) == (0, b"done\n", ())
    assert [
        name
        for name, pid in zip(FAMILY, read_pids(tmp_path, FAMILY), strict=True)
        if not is_gone(pid)
    ] == []


async def test_the_end_of_one_program_spares_the_daemon_of_another(
    host: ProcessHost, tmp_path: Path
) -> None:
    async with asyncio.TaskGroup() as group:
        run = await start_family(host, tmp_path, group)
        pids = read_pids(tmp_path, FAMILY)
        assert (await host.run(shell("sleep 0.05 & exit 0", tmp_path), key="other")).exit_code == 0
        assert not any(is_gone(pid) for pid in pids)
        await host.stop("t", grace_s=1)
        await run
    assert all(is_gone(pid) for pid in pids)


async def test_a_freeze_holds_daemons_too(host: ProcessHost, tmp_path: Path) -> None:
    def states() -> set[str]:
        return {process_table.read_stat(pid).state for pid in pids}

    async with asyncio.TaskGroup() as group:
        run = await start_family(host, tmp_path, group)
        pids = read_pids(tmp_path, FAMILY)
        host.signal("t", signal.SIGSTOP)
        await wait_until(lambda: states() == {"T"})
        host.signal("t", signal.SIGCONT)
        await wait_until(lambda: "T" not in states())
        await host.stop("t")
        await run


async def test_a_program_that_forks_while_it_is_killed(host: ProcessHost, tmp_path: Path) -> None:
    script = 'echo x >> pids; while :; do setsid sh -c "echo \\$\\$ >> pids; exec sleep 300" & sleep 0.002; done'
    async with asyncio.TaskGroup() as group:
        run = group.create_task(host.run(shell(script, tmp_path, grace_s=0.0), key="t"))
        await wait_until(
            lambda: (
                (tmp_path / "pids").exists() and (tmp_path / "pids").read_text().count("\n") > 10
            )
        )
        await host.stop("t", grace_s=0.0)
        await run
    pids = [int(text) for text in (tmp_path / "pids").read_text().split() if text.isdigit()]
    assert [pid for pid in pids if not is_gone(pid)] == []


async def test_leaving_the_host_kills_everything_and_ends_the_runs(tmp_path: Path) -> None:
    async with asyncio.TaskGroup() as group:
        async with open_host(tmp_path) as host:
            run = await start_family(host, tmp_path, group)
            pids = read_pids(tmp_path, FAMILY)
        assert all(is_gone(pid) for pid in pids)
        result = await run
    assert result.stopped_reason == "host closed"
    assert result.describe_end() == "exit code unknown (host closed)"
    assert (
        parse_ledger((tmp_path / LEDGER_NAME).read_bytes()).entries[1:] == []
    )  # the spawner's own line stays


@pytest.mark.parametrize("options", [[], ["--fork"]])
async def test_kill_9_of_the_engine_leaves_nothing(tmp_path: Path, options: list[str]) -> None:
    """--fork: a worker process forked by the engine still holds the engine's end of the socket."""
    with stand_in(tmp_path, *options) as (engine, spawner):
        await wait_until(lambda: read_pids(tmp_path, FAMILY))
        pids = [spawner, *read_pids(tmp_path, FAMILY)]
        assert not any(is_gone(pid) for pid in pids)
        engine.kill()
        await wait_until(lambda: all(is_gone(pid) for pid in pids), KILLED_WITHIN_S)


async def test_kill_9_of_engine_and_spawner_at_once(tmp_path: Path) -> None:
    """The program dies with the spawner at once, its descendants in the sweep of the next engine."""
    with stand_in(tmp_path) as (engine, spawner):
        await wait_until(lambda: read_pids(tmp_path, FAMILY))
        pids = dict(zip(FAMILY, read_pids(tmp_path, FAMILY), strict=True))
        os.kill(spawner, signal.SIGSTOP)  # so that it cannot clean up in between
        engine.kill()
        os.kill(spawner, signal.SIGKILL)
        await wait_until(lambda: is_gone(engine.pid) and is_gone(pids["leader"]))
        assert not is_gone(pids["daemon"])
        async with open_host(tmp_path) as host:
            killed = {one.pid: one for one in host.sweep_report.killed}
            assert set(killed) == {pids["member"], pids["daemon"], pids["scrubbed"]}
            assert {one.key for one in killed.values()} == {"tsk_orphan"}
            assert (
                killed[pids["scrubbed"]].found_by == "tag"
            )  # it has neither group nor environment
            assert host.sweep_report.survivors == ()
            assert all(is_gone(pid) for pid in pids.values())


async def test_a_frozen_spawner_of_a_dead_engine_is_swept(tmp_path: Path) -> None:
    with stand_in(tmp_path) as (engine, spawner):
        await wait_until(lambda: read_pids(tmp_path, FAMILY))
        os.kill(spawner, signal.SIGSTOP)
        engine.kill()
        await wait_until(lambda: is_gone(engine.pid))
        marker = EngineMarker.of_this_process(tmp_path, "eng_next")
        report = await asyncio.to_thread(sweep, tmp_path / LEDGER_NAME, marker)
        assert spawner in {one.pid for one in report.killed}
        assert all(is_gone(pid) for pid in (spawner, *read_pids(tmp_path, FAMILY)))


async def test_kill_9_of_the_spawner_leaves_nothing_and_recovers(
    host: ProcessHost, tmp_path: Path
) -> None:
    async with asyncio.TaskGroup() as group:
        run = await start_family(host, tmp_path, group)
        pids = read_pids(tmp_path, FAMILY)
        before = host.spawner_pid
        assert before is not None
        os.kill(before, signal.SIGKILL)
        result = await run
    assert (result.exit_code, result.signal, result.stopped_reason) == (None, None, "spawner lost")
    assert [name for name, pid in zip(FAMILY, pids, strict=True) if not is_gone(pid)] == []
    assert (await host.run(shell("echo back", tmp_path), key="t")).stdout == b"back\n"
    assert host.spawner_pid != before


async def test_starts_wait_for_the_new_spawner(host: ProcessHost, tmp_path: Path) -> None:
    for _ in range(3):
        assert host.spawner_pid is not None
        os.kill(host.spawner_pid, signal.SIGKILL)
        # The order may be on its way when the spawner dies; the caller hears of it one way or the other.
        with contextlib.suppress(ProcessStartError):
            result = await host.run(shell("echo x", tmp_path), key="t")
            assert result.stdout == b"x\n" or result.stopped_reason == "spawner lost"
        await wait_until(lambda: host.spawner_pid)
    assert (await host.run(shell("echo x", tmp_path), key="t")).stdout == b"x\n"


async def test_agents_do_not_hold_the_spawners_socket(host: ProcessHost, tmp_path: Path) -> None:
    result = await host.run(shell("ls -l /proc/self/fd", tmp_path), key="t")
    assert "socket:" not in result.stdout_text


async def test_the_terminals_signals_do_not_reach_the_spawner(
    host: ProcessHost, tmp_path: Path
) -> None:
    assert host.spawner_pid is not None
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(host.spawner_pid, number)
    assert (await host.run(shell("echo x", tmp_path), key="t")).stdout == b"x\n"


async def test_a_fleet_run_by_an_agent_ends_with_it(host: ProcessHost, tmp_path: Path) -> None:
    """The inner spawner is killed with the inner engine; what it adopted comes to the outer spawner."""
    inner = tmp_path / "inner"
    inner.mkdir()
    spec = ProcessSpec(
        (sys.executable, "-c", ENGINE, str(inner), FAMILY_WAITS), cwd=ROOT, grace_s=0.0
    )
    async with asyncio.TaskGroup() as group:
        run = group.create_task(host.run(spec, key="t"))
        await wait_until(lambda: read_pids(inner, FAMILY))
        pids = read_pids(inner, FAMILY)
        await host.stop("t")
        result = await run
    assert result.survivors == ()
    await wait_until(lambda: all(is_gone(pid) for pid in pids))


# A spawner whose SIGKILL does nothing, as with another user's process or one stuck in the kernel.
POWERLESS = """
import sys; sys.path.append(sys.argv.pop(1))
from processes import spawner
send = spawner._send_signal
spawner._send_signal = lambda pid, number: number == 9 or send(pid, number)
spawner.GIVE_UP_S = 0.2
spawner.main(sys.argv[1:])
"""


async def test_what_will_not_die_is_named_and_holds_nobody_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spawner_link, "_PROGRAM", POWERLESS)
    monkeypatch.setattr(spawner_link, "EXIT_WAIT_S", 0.1)
    async with open_host(tmp_path) as host:
        try:
            left = await host.run(shell("sleep 300 & echo $! > member; exit 3", tmp_path), key="t")
            assert (left.exit_code, left.survivors) == (3, tuple(read_pids(tmp_path, ["member"])))
            script = "trap '' TERM; echo $$ > leader; exec sleep 300"
            stuck = await host.run(shell(script, tmp_path, timeout_s=0.2, grace_s=0.1), key="t")
            assert (stuck.exit_code, stuck.signal, stuck.stopped_reason) == (None, None, "timeout")
            assert stuck.survivors == tuple(read_pids(tmp_path, ["leader"]))
            assert (await host.run(shell("exit 4", tmp_path), key="t")).exit_code == 4
        finally:
            kill_quietly(read_pids(tmp_path, ["leader"]) + read_pids(tmp_path, ["member"]))


# A spawner as it is where there is no /proc, no prctl and no waitid: groups and its socket only.
PORTABLE = """
import os, sys; sys.path.append(sys.argv.pop(1))
from processes import launch, process_table, spawner
process_table.HAS_PROC = False
process_table.read_children = lambda pid: []
launch._libc = None
del os.waitid
spawner.main(sys.argv[1:])
"""


async def test_without_proc_groups_are_still_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spawner_link, "_PROGRAM", PORTABLE)
    script = "sleep 300 & echo $! > member; echo $$ > leader"
    async with asyncio.TaskGroup() as group:
        async with open_host(tmp_path) as host:
            ended = await host.run(shell(script + "; exit 3", tmp_path), key="t")
            assert (ended.exit_code, ended.stopped_reason) == (3, None)
            await wait_until(lambda: is_gone(read_pids(tmp_path, ["member"])[0]))
            stopped = await host.run(shell("exec sleep 300", tmp_path, timeout_s=0.1), key="t")
            assert (stopped.signal, stopped.stopped_reason) == (signal.SIGTERM, "timeout")
            (tmp_path / "leader").unlink()
            group.create_task(host.run(shell(script + "; exec sleep 300", tmp_path), key="t"))
            await wait_until(lambda: read_pids(tmp_path, ["leader", "member"]))
            await wait_until(lambda: "t" in host.pids())  # it may write before the host has heard that it began
        await wait_until(
            lambda: all(is_gone(pid) for pid in read_pids(tmp_path, ["leader", "member"]))
        )
