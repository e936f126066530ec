"""Programs under keepers: what comes back of them, their limits, and how they end."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import psutil
import pytest
from engine.agents.processes import keeping
from engine.agents.processes.child_process import ProcessHost
from engine.agents.processes.kept import KeptRun
from engine.agents.processes.spec import ProcessResult, ProcessSpec, ProcessStartError
from engine.clock import SystemClock

from tests.integration.processes import is_gone, open_host, read_pids, shell, wait_until


async def start(host: ProcessHost, spec: ProcessSpec, key: str = "tsk_1.1") -> KeptRun:
    """Start a kept program."""
    return await host.keepers.start(spec, key, adopt_within_s=60)


async def run(host: ProcessHost, spec: ProcessSpec) -> ProcessResult:
    """Run a kept program to its end."""
    kept = await start(host, spec)
    try:
        return await kept.wait_result()
    finally:
        await host.keepers.end(kept)


def keeper_of(run_: KeptRun) -> int:
    """The keeper's process id."""
    return next(entry.pid for entry in run_.entries if entry.key == "")


async def test_result_is_that_of_a_program_under_the_spawner(tmp_path: Path) -> None:
    spec = shell("cat; echo err >&2; printf '\\0\\377'; env | sort; exit 3", tmp_path, stdin=b"in\n" * 100_000, output_max_bytes=2_000, env={"A": "b"})
    async with open_host(tmp_path) as host:
        kept, plain = await run(host, spec), await host.run(spec, key="tsk_2.1")
        assert not list((tmp_path / "kept").glob("tsk*"))
    for name in ("exit_code", "signal", "stderr", "stderr_bytes", "truncated", "stopped_reason", "survivors"):
        assert getattr(kept, name) == getattr(plain, name), name
    assert kept.stdout[:1_000] == plain.stdout[:1_000] == (b"in\n" * 400)[:1_000]
    assert b"A=b\n" in kept.stdout
    assert kept.stdout.endswith(plain.stdout[-5:])
    assert plain.stdout_bytes - 50 <= kept.stdout_bytes <= plain.stdout_bytes + 50  # the marks in its environment differ
    assert kept.cpu_s > 0
    assert kept.max_rss_bytes > 100_000
    assert kept.ended_at >= kept.started_at > 0


async def test_flood_of_output_is_bounded_in_memory_and_log(tmp_path: Path) -> None:
    spec = shell("head -c 300000000 /dev/zero | tr '\\0' x", tmp_path, log_path=tmp_path / "log", log_max_bytes=10_000, output_max_bytes=1_000)
    async with open_host(tmp_path) as host:
        kept = await start(host, spec)
        keeper = psutil.Process(keeper_of(kept))
        largest = 0
        waiting = asyncio.ensure_future(kept.wait_result())
        while not waiting.done():
            try:
                largest = max(largest, keeper.memory_info().rss)
            except psutil.NoSuchProcess:
                break
            await asyncio.sleep(0.01)
        result = await waiting
        await host.keepers.end(kept)
    assert (result.stdout_bytes, result.truncated) == (300_000_000, True)
    assert b"299999000 bytes left out" in result.stdout
    assert (tmp_path / "log").stat().st_size == 10_000
    assert 0 < largest < 40_000_000


@pytest.mark.parametrize(
    ("spec", "stage"),
    [
        (ProcessSpec(("no-such-program",), cwd=Path("/")), "exec"),
        (ProcessSpec(("true",), cwd=Path("/no/such/directory")), "cwd"),
        (ProcessSpec(("true",), cwd=Path("/"), log_path=Path("/no/such/directory/log")), "log"),
    ],
)
async def test_program_that_cannot_be_started(tmp_path: Path, spec: ProcessSpec, stage: str) -> None:
    async with open_host(tmp_path) as host:
        with pytest.raises(ProcessStartError) as caught:
            await start(host, spec)
        assert caught.value.stage == stage
        assert not list((tmp_path / "kept").glob("tsk*"))


@pytest.mark.parametrize(("script", "says"), [("kill -SEGV $$", "killed by SIGSEGV"), ("sleep 60", "killed by SIGTERM (no output)")])
async def test_ends(tmp_path: Path, script: str, says: str) -> None:
    async with open_host(tmp_path) as host:
        assert (await run(host, shell(script, tmp_path, idle_timeout_s=0.3))).describe_end() == says


async def test_program_that_is_cut_says_why_also_to_another_engine_and_has_little_grace(tmp_path: Path) -> None:
    script = "trap '' TERM; echo begun; echo $$ > leader; while true; do sleep 60; done"
    async with open_host(tmp_path) as host:
        kept = await start(host, shell(script, tmp_path, grace_s=3600))
        [pid] = await read_pids_when_there(tmp_path, "leader")
        assert host.pids() == {kept.key: pid}
        assert host.quiet()[kept.key] >= 0
        assert not host.end("tsk_9.1", "stalled", "nobody")
        assert host.end(kept.key, "memory limit", "it had too much")
        assert host.end(kept.key, "stalled", "it was ended for something else before")
        other = KeptRun(tmp_path / "kept" / kept.key, SystemClock(), host.groups)
        for run_ in (kept, other):
            assert (await run_.wait_result()).describe_end() == "killed by SIGKILL (it had too much)"
        assert host.pids() == {}
        await host.keepers.end(kept)


async def read_pids_when_there(folder: Path, name: str) -> list[int]:
    """Return what a program has told of itself."""
    await wait_until(lambda: (folder / name).exists() and bool((folder / name).read_text()))
    return read_pids(folder, [name])


async def test_stop_gives_its_grace_and_leaves_nothing(tmp_path: Path) -> None:
    script = "trap '' TERM; (setsid sleep 60 & echo $! > child); echo $$ > leader; sleep 60; sleep 60"
    async with open_host(tmp_path) as host:
        kept = await start(host, shell(script, tmp_path, grace_s=0.3))
        await wait_until(lambda: read_pids(tmp_path, ("child", "leader")))
        pids = read_pids(tmp_path, ("child", "leader"))
        assert host.keepers.stop("tsk_1.1")
        result = await kept.wait_result()
        assert result.describe_end() == "killed by SIGKILL (stopped)"
        assert all(is_gone(pid) for pid in pids)
        await host.keepers.end(kept)
        assert not host.keepers.stop("tsk_1.1")


async def test_what_a_program_leaves_behind_ends_with_it(tmp_path: Path) -> None:
    script = "(setsid sh -c 'echo $$ > child; exec sleep 60' >/dev/null 2>&1 &); while [ ! -s child ]; do sleep 0.01; done"
    async with open_host(tmp_path) as host:
        result = await run(host, shell(script, tmp_path))
        assert (result.exit_code, result.survivors) == (0, ())
        await wait_until(lambda: all(is_gone(pid) for pid in read_pids(tmp_path, ("child",))))


async def test_cancelled_start_and_cancelled_wait_leave_nothing(tmp_path: Path) -> None:
    spec = shell("echo $$ >> pids; sleep 60", tmp_path, grace_s=0.2)
    async with open_host(tmp_path) as host:
        starting = asyncio.ensure_future(start(host, spec))
        await asyncio.sleep(0)
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
        kept = await start(host, spec, "tsk_2.1")
        waiting = asyncio.ensure_future(kept.wait_result())
        await wait_until(lambda: (tmp_path / "pids").exists())
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert not is_gone(kept.pid or 0), "to stop waiting is not to stop the program"
        await host.keepers.end(kept)
        assert not list((tmp_path / "kept").glob("tsk*"))
        assert all(is_gone(int(pid)) for pid in (tmp_path / "pids").read_text().split())


async def test_killed_keeper_is_told_and_nothing_of_its_program_is_left(tmp_path: Path) -> None:
    script = "(setsid env -i sleep 60 & echo $! > child); echo $$ > leader; sleep 60"
    async with open_host(tmp_path) as host:
        kept = await start(host, shell(script, tmp_path))
        await wait_until(lambda: read_pids(tmp_path, ("child", "leader")))
        pids = read_pids(tmp_path, ("child", "leader"))
        os.kill(keeper_of(kept), signal.SIGKILL)
        result = await kept.wait_result()
        assert (result.exit_code, result.stopped_reason) == (None, "keeper lost")
        await wait_until(lambda: all(is_gone(pid) for pid in pids))
        await host.keepers.end(kept)


async def test_end_that_cannot_be_written_is_written_later(tmp_path: Path) -> None:
    """What stands in the way of the record, as a full disk does, is waited out."""
    async with open_host(tmp_path) as host:
        kept = await start(host, shell("while [ ! -e go ]; do sleep 0.02; done; echo said", tmp_path))
        blocker = tmp_path / "kept" / "tsk_1.1" / "stdout"
        blocker.mkdir()
        (tmp_path / "go").touch()
        await wait_until(lambda: is_gone(kept.pid or 0))
        waiting = asyncio.ensure_future(kept.wait_result())
        done, _ = await asyncio.wait({waiting}, timeout=0.3)
        assert not done
        blocker.rmdir()
        assert (await waiting).stdout == b"said\n"
        await host.keepers.end(kept)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"exit_code": 0}'])
async def test_torn_record_counts_as_none(tmp_path: Path, text: str) -> None:
    async with open_host(tmp_path) as host:
        kept = await start(host, shell("exit 0", tmp_path))
        await kept.wait_result()
        (tmp_path / "kept" / "tsk_1.1" / keeping.ENDED_NAME).write_text(text)
        assert (await kept.wait_result()).stopped_reason == "keeper lost"
        await host.keepers.end(kept)


def test_engine_is_there_only_with_its_start_and_boot(tmp_path: Path) -> None:
    owner = str(tmp_path / "engine")
    assert not keeping.has_engine(owner)
    keeping.write_owner(owner, os.getpid())
    assert keeping.has_engine(owner)
    record = keeping.read_record(owner)
    assert record is not None
    for name in ("start", "boot"):
        keeping.write_record(owner, {**record, name: 1})
        assert not keeping.has_engine(owner)
