"""Programs run through the spawner: how they end, what they print, what stops them."""

from __future__ import annotations

import asyncio
import errno
import os
import resource
import signal
import sys
import time
from pathlib import Path

import psutil
import pytest
from engine.agents.processes import child_process
from engine.agents.processes.spec import ProcessLimits, ProcessSpec, ProcessStartError
from engine.model.errors import EngineStartError

from tests.integration.processes import is_gone, open_host, shell, wait_until


async def test_exit_codes_and_signals_are_told_apart(tmp_path: Path) -> None:
    async with open_host(tmp_path) as host:
        done = await host.run(shell("exit 7", tmp_path), key="t")
        killed = await host.run(shell("kill -TERM $$", tmp_path), key="t")
    assert (done.exit_code, done.signal, done.stopped_reason) == (7, None, None)
    assert (killed.exit_code, killed.signal, killed.stopped_reason) == (None, signal.SIGTERM, None)
    assert done.describe_end() == "exit code 7"
    assert killed.describe_end() == "killed by SIGTERM"
    assert done.ended_at > done.started_at
    assert done.cpu_s > 0
    assert done.max_rss_bytes > 100_000


@pytest.mark.rule(1, "command")
async def test_stdin_is_delivered_whole_and_closed(tmp_path: Path) -> None:
    data = os.urandom(3_000_000)
    async with open_host(tmp_path) as host:
        result = await host.run(
            ProcessSpec(("cat",), cwd=tmp_path, stdin=data, output_max_bytes=4_000_000), key="t"
        )
        ignored = await host.run(ProcessSpec(("true",), cwd=tmp_path, stdin=data), key="t")
    assert result.stdout == data
    assert ignored.exit_code == 0


@pytest.mark.rule(1, "command")
async def test_without_stdin_a_reader_sees_the_end_at_once(tmp_path: Path) -> None:
    async with open_host(tmp_path) as host:
        result = await host.run(shell("cat; readlink /proc/self/fd/0", tmp_path), key="t")
    assert result.stdout == b"/dev/null\n"


@pytest.mark.parametrize(
    ("argv", "stage", "number"),
    [
        (("no-such-program",), "exec", errno.ENOENT),
        (("./missing",), "exec", errno.ENOENT),
        (("./not-executable",), "exec", errno.EACCES),
        (("./bad-interpreter",), "exec", errno.ENOENT),
        (("./no-format",), "exec", errno.ENOEXEC),
        (("true", "x" * 200_000), "exec", errno.E2BIG),
        (("true", *(["x" * 1000] * 17_000)), "exec", errno.E2BIG),
    ],
)
async def test_what_cannot_be_executed_is_reported(
    tmp_path: Path, argv: tuple[str, ...], stage: str, number: int
) -> None:
    (tmp_path / "not-executable").write_text("#!/bin/sh\n")
    for name, text in (("bad-interpreter", "#!/no/such/interpreter\n"), ("no-format", "\0\0\0\0")):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    async with open_host(tmp_path) as host:
        with pytest.raises(ProcessStartError, match="cannot start") as caught:
            await host.run(ProcessSpec(argv, cwd=tmp_path), key="t")
        assert (caught.value.stage, caught.value.errno) == (stage, number)
        assert (await host.run(ProcessSpec(("true",), cwd=tmp_path), key="t")).exit_code == 0


async def test_a_relative_working_directory_is_the_engines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "inner").mkdir()
    monkeypatch.chdir(tmp_path)
    async with open_host(tmp_path) as host:
        result = await host.run(ProcessSpec(("pwd",), cwd=Path("inner")), key="t")
    assert result.stdout_text.strip() == str(tmp_path / "inner")


async def test_bad_working_directory_and_bad_log_are_reported(tmp_path: Path) -> None:
    async with open_host(tmp_path) as host:
        with pytest.raises(ProcessStartError, match="working directory .* must exist") as caught:
            await host.run(ProcessSpec(("true",), cwd=tmp_path / "absent"), key="t")
        assert (caught.value.stage, caught.value.errno) == ("cwd", errno.ENOENT)
        os.mkfifo(tmp_path / "pipe")
        for log in (tmp_path / "absent" / "log", tmp_path / "pipe"):
            with pytest.raises(ProcessStartError, match="must be writable"):
                await host.run(ProcessSpec(("true",), cwd=tmp_path, log_path=log), key="t")


@pytest.mark.parametrize(
    ("argv", "env"),
    [
        ((), {}),
        (("",), {}),
        (("a\0b",), {}),
        (("a", "\ud800"), {}),
        (("a",), {"B=": "c"}),
        (("a",), {"B": "\0"}),
        (("a",), {"B": "\udfff"}),
    ],
)
def test_impossible_specs_are_refused(argv: tuple[str, ...], env: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"argv|NUL|name|Unicode"):
        ProcessSpec(argv, cwd=Path(), env=env)


async def test_impossible_keys_are_refused(tmp_path: Path) -> None:
    async with open_host(tmp_path) as host:
        for key in ("a\0b", "\ud800"):
            with pytest.raises(ValueError, match=r"NUL|Unicode"):
                await host.run(shell("true", tmp_path), key=key)


async def test_bytes_that_are_not_utf8_reach_the_program(tmp_path: Path) -> None:
    name = os.fsdecode(b"\xff\xfe")
    spec = ProcessSpec(("sh", "-c", 'printf "$0$A"', name), cwd=tmp_path, env={"A": name})
    async with open_host(tmp_path) as host:
        assert (await host.run(spec, key=name)).stdout == b"\xff\xfe\xff\xfe"


async def test_a_key_runs_once_at_a_time(tmp_path: Path) -> None:
    async with (
        open_host(tmp_path) as host,
        host.program(shell("cat", tmp_path, is_interactive=True), key="t"),
    ):
        with pytest.raises(ProcessStartError, match="runs already"):
            await host.run(shell("true", tmp_path), key="t")


@pytest.mark.rule(7, "command")
async def test_environment_is_a_choice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "CLAUDECODE",
        "CLAUDE_CODE_ENTRYPOINT",
        "FLEET_TASK_KEY",
        "SECRET_TOKEN",
        "LC_TIME",
    ):
        monkeypatch.setenv(name, "inherited")
    names = 'env | cut -d= -f1 | sort | tr "\\n" " "'
    async with open_host(tmp_path) as host:
        chosen = await host.run(shell(names, tmp_path, env={"OWN": "ä", "TZ": "UTC"}), key="t")
        everything = await host.run(shell(names, tmp_path, inherits=("*",)), key="t")
        marked = await host.run(shell("echo $FLEET_TASK_KEY", tmp_path), key="tsk_ü")
    assert {"OWN", "TZ", "PATH", "HOME", "LC_TIME", "FLEET_TASK_KEY"} <= set(
        chosen.stdout_text.split()
    )
    assert not {"SECRET_TOKEN", "CLAUDECODE"} & set(chosen.stdout_text.split())
    assert "SECRET_TOKEN" in everything.stdout_text
    assert "CLAUDE" not in everything.stdout_text
    assert marked.stdout_text == "tsk_ü\n"


async def test_the_program_gets_a_clean_process(tmp_path: Path) -> None:
    """No signal ignored or blocked, no descriptor but its three, its own session, the limits of the engine."""
    script = "grep -E '^(SigIgn|SigBlk)' /proc/self/status; ulimit -n; ulimit -Hn; ps -o sid= -p $$; echo $$"
    async with open_host(tmp_path) as host:
        lines = (await host.run(shell(script, tmp_path), key="t")).stdout_text.split("\n")
        listed = await host.run(ProcessSpec(("ls", "/proc/self/fd"), cwd=tmp_path), key="t")
    assert listed.stdout_text.split() == ["0", "1", "2", "3"]  # 3 is ls reading the folder
    threads_own = 0b11 << 31  # signals 32 and 33: glibc keeps them and lets nobody change what was inherited
    assert [int(line.split()[1], 16) & ~threads_own for line in lines[:2]] == [0, 0]
    assert tuple(map(int, lines[2:4])) == resource.getrlimit(resource.RLIMIT_NOFILE)
    assert lines[4].strip() == lines[5]


async def test_a_flood_neither_grows_memory_nor_stalls_the_loop(tmp_path: Path) -> None:
    gaps: list[float] = []

    async def watch() -> None:
        while True:
            begin = time.thread_time()
            await asyncio.sleep(0.005)
            gaps.append(time.thread_time() - begin)  # what this thread computed: a busy machine does not count

    spec = ProcessSpec(
        ("sh", "-c", "head -c 200000000 /dev/zero | tr '\\0' x"), cwd=tmp_path, output_max_bytes=10_000, log_path=tmp_path / "log",
        log_max_bytes=1_000_000,
    )  # fmt: skip
    async with open_host(tmp_path) as host, asyncio.TaskGroup() as group:
        watcher = group.create_task(watch())
        before = psutil.Process().memory_info().rss
        result = await host.run(spec, key="t")
        grown = psutil.Process().memory_info().rss - before
        watcher.cancel()
    assert result.exit_code == 0
    assert result.stdout_bytes == 200_000_000
    assert result.truncated
    assert b"\n[\xe2\x80\xa6 199990000 bytes left out \xe2\x80\xa6]\n" in result.stdout
    assert len(result.stdout) < 10_100
    assert (tmp_path / "log").stat().st_size == 1_000_000
    assert grown < 20_000_000
    assert max(gaps) < 0.5


async def test_head_and_tail_are_kept(tmp_path: Path) -> None:
    async with open_host(tmp_path) as host:
        whole = await host.run(shell("printf 0123456789", tmp_path, output_max_bytes=10), key="t")
        cut = await host.run(shell("printf 0123456789ab", tmp_path, output_max_bytes=10), key="t")
        drops = await host.run(
            shell(
                "for i in 1 2 3 4 5 6 7; do printf $i; sleep 0.01; done",
                tmp_path,
                output_max_bytes=4,
            ),
            key="t",
        )
        none = await host.run(
            shell("printf x; printf y >&2", tmp_path, output_max_bytes=0), key="t"
        )
    assert (whole.stdout, whole.truncated) == (b"0123456789", False)
    assert (cut.stdout_text, cut.truncated) == ("01234\n[… 2 bytes left out …]\n789ab", True)
    assert drops.stdout_text == "12\n[… 3 bytes left out …]\n67"
    assert (none.stdout_text, none.stderr_bytes) == ("\n[… 1 bytes left out …]\n", 1)


async def test_binary_output_is_kept_as_it_is_and_shown_with_replacement(tmp_path: Path) -> None:
    async with open_host(tmp_path) as host:
        result = await host.run(shell(r"printf '\377\000ok'; printf '\303' >&2", tmp_path), key="t")
    assert result.stdout == b"\xff\0ok"
    assert result.stdout_text == "\ufffd\0ok"
    assert result.stderr_text == "\ufffd"


async def test_a_slow_disk_makes_the_program_wait_not_the_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from engine.agents.processes.pipes import LogFile

    fast = LogFile.write_now

    def slow(self: LogFile, part: bytes, stream: str) -> None:
        time.sleep(0.002)
        fast(self, part, stream)

    monkeypatch.setattr(LogFile, "write_now", slow)
    spec = ProcessSpec(
        ("sh", "-c", "head -c 8000000 /dev/zero | tr '\\0' x"), cwd=tmp_path, log_path=tmp_path / "log"
    )
    async with open_host(tmp_path) as host:
        result = await host.run(spec, key="t")
    assert result.stdout_bytes == 8_000_000
    assert (tmp_path / "log").stat().st_size == 8_000_000


async def test_a_log_that_cannot_be_written_does_not_stop_the_program(tmp_path: Path) -> None:
    async with open_host(tmp_path) as host:
        result = await host.run(shell("echo x", tmp_path, log_path=Path("/dev/full")), key="t")
    assert (result.exit_code, result.stdout) == (0, b"x\n")


async def test_output_is_seen_as_it_comes(tmp_path: Path) -> None:
    chunks: list[tuple[str, bytes]] = []
    async with open_host(tmp_path) as host:
        spec = shell("echo out; echo err >&2; sleep 300", tmp_path)
        async with host.program(
            spec, key="t", on_output=lambda name, chunk: chunks.append((name, chunk))
        ):
            await wait_until(lambda: len(chunks) == 2)
    assert sorted(chunks) == [("stderr", b"err\n"), ("stdout", b"out\n")]


async def test_an_error_of_the_listener_stops_the_program_and_is_raised(tmp_path: Path) -> None:
    def refuse(name: str, chunk: bytes) -> None:
        raise RuntimeError("cannot parse this")

    async with open_host(tmp_path) as host:
        with pytest.raises(RuntimeError, match="cannot parse this"):
            await host.run(
                shell("echo $$ > pid; echo x; exec sleep 300", tmp_path), key="t", on_output=refuse
            )
        assert is_gone(int((tmp_path / "pid").read_text()))


async def test_conversation_with_an_interactive_program(tmp_path: Path) -> None:
    heard = bytearray()
    spec = shell(
        'while read line; do echo "got $line"; done; echo bye',
        tmp_path,
        stdin=b"one\n",
        is_interactive=True,
    )
    async with open_host(tmp_path) as host:
        async with host.program(
            spec, key="t", on_output=lambda _, chunk: heard.extend(chunk)
        ) as process:
            await wait_until(lambda: b"got one\n" in heard)
            assert process.write(b"two\n")
            await wait_until(lambda: b"got two\n" in heard)
            assert host.pids() == {"t": process.pid}
            process.close_stdin()
            result = await process.wait_result()
            assert not process.write(b"late")
        assert host.pids() == {}
    assert result.stdout == b"got one\ngot two\nbye\n"


async def test_input_that_is_not_read_is_refused_when_there_is_too_much(tmp_path: Path) -> None:
    deaf = shell("exec sleep 300", tmp_path, is_interactive=True, grace_s=0)
    async with open_host(tmp_path) as host, host.program(deaf, key="t") as process:
        taken = sum(process.write(b"x" * 1_000_000) for _ in range(10))
    assert 4 <= taken <= 5


async def test_timeout_stops_with_grace_then_kills(tmp_path: Path) -> None:
    stubborn = "trap '' TERM; echo ready; while :; do sleep 300; done"
    async with open_host(tmp_path) as host:
        polite = await host.run(shell("exec sleep 300", tmp_path, timeout_s=0.1), key="t")
        killed = await host.run(shell(stubborn, tmp_path, timeout_s=0.2, grace_s=0.2), key="t")
    assert (polite.signal, polite.stopped_reason) == (signal.SIGTERM, "timeout")
    assert (killed.signal, killed.stopped_reason) == (signal.SIGKILL, "timeout")
    assert killed.describe_end() == "killed by SIGKILL (timeout)"
    assert killed.ended_at - killed.started_at >= 0.4, "its time and then its grace"


async def test_a_program_may_end_well_when_it_is_stopped(tmp_path: Path) -> None:
    async with open_host(tmp_path) as host:
        result = await host.run(
            shell(
                "trap 'echo saved; exit 0' TERM; echo r; while :; do sleep 0.05; done",
                tmp_path,
                timeout_s=0.3,
            ),
            key="t",
        )
    assert (result.exit_code, result.stdout, result.stopped_reason) == (0, b"r\nsaved\n", "timeout")


@pytest.mark.rule(8, "command")
async def test_silence_is_stopped_and_talk_is_not(tmp_path: Path) -> None:
    async with open_host(tmp_path) as host:
        silent = await host.run(
            shell("echo once; exec sleep 300", tmp_path, idle_timeout_s=0.2), key="t"
        )
        talker = shell(
            "for i in 1 2 3 4 5 6 7 8; do echo $i >&2; sleep 0.1; done",
            tmp_path,
            idle_timeout_s=0.5,
        )
        talking = await host.run(talker, key="t")
    assert (silent.stdout, silent.stopped_reason) == (b"once\n", "no output")
    assert (talking.exit_code, talking.stopped_reason) == (0, None)


async def test_stop_and_signals_by_key(tmp_path: Path) -> None:
    # No child: a shell that has just forked with vfork cannot be stopped before its child has started.
    script = "trap 'echo int' INT; echo ready; while :; do read line; done"
    heard = bytearray()
    async with open_host(tmp_path) as host:
        spec = shell(script, tmp_path, is_interactive=True)
        async with host.program(
            spec, key="t", on_output=lambda _, chunk: heard.extend(chunk)
        ) as process:
            await wait_until(lambda: heard == b"ready\n")
            assert host.signal("t", signal.SIGINT)
            await wait_until(lambda: heard == b"ready\nint\n")
            assert host.signal("t", signal.SIGSTOP)
            await wait_until(lambda: psutil.Process(process.pid).status() == psutil.STATUS_STOPPED)
            assert await host.stop(
                "t", grace_s=5
            )  # TERM reaches a stopped program, because CONT follows it
            result = await process.wait_result()
            assert not host.signal("t", signal.SIGTERM)
            assert not await host.stop("t")
    assert (result.signal, result.stopped_reason) == (signal.SIGTERM, "stopped")


async def test_a_pipe_kept_open_does_not_hold_the_result(tmp_path: Path) -> None:
    script = "(echo $$; exec sleep 300) & echo $! > pid; exit 4"
    async with open_host(tmp_path) as host:
        result = await host.run(shell(script, tmp_path), key="t")
    assert result.exit_code == 4
    assert is_gone(int((tmp_path / "pid").read_text()))


async def test_what_a_helper_says_right_after_the_end_is_kept(tmp_path: Path) -> None:
    async with open_host(tmp_path) as host:
        result = await host.run(shell("(sleep 0.1; echo late) & echo early", tmp_path), key="t")
    assert result.stdout == b"early\nlate\n"


async def test_limits_are_enforced(tmp_path: Path) -> None:
    file = ProcessLimits(file_size_bytes=1000, nice=5)
    memory = ProcessLimits(address_space_bytes=300_000_000)
    async with open_host(tmp_path) as host:
        cut = await host.run(
            shell("nice; head -c 5000 /dev/zero > big", tmp_path, limits=file), key="t"
        )
        hungry = (sys.executable, "-I", "-S", "-c", "bytearray(400_000_000)")
        starved = await host.run(ProcessSpec(hungry, cwd=tmp_path, limits=memory), key="t")
        burner = shell("while :; do :; done", tmp_path, limits=ProcessLimits(cpu_s=1))
        burnt = await host.run(burner, key="t")
    assert (tmp_path / "big").stat().st_size == 1000
    assert cut.stdout == b"5\n"
    assert b"MemoryError" in starved.stderr
    assert burnt.signal == signal.SIGXCPU
    assert burnt.cpu_s > 0.5


async def test_many_at_once(tmp_path: Path) -> None:
    async with open_host(tmp_path) as host, asyncio.TaskGroup() as group:
        specs = [shell(f"echo {number}; exit {number}", tmp_path) for number in range(60)]
        runs = [group.create_task(host.run(spec, key=f"t{n}")) for n, spec in enumerate(specs)]
    assert [run.result().exit_code for run in runs] == list(range(60))
    assert [run.result().stdout for run in runs] == [b"%d\n" % number for number in range(60)]


async def test_no_descriptors_left_is_a_clear_error(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    async with open_host(tmp_path) as host:
        lowest = os.dup(0)
        os.close(lowest)
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest + 3, hard))
        try:
            with pytest.raises(ProcessStartError, match="ulimit -n") as caught:
                await host.run(shell("true", tmp_path), key="t")
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert caught.value.errno == errno.EMFILE
        assert (await host.run(shell("true", tmp_path), key="t")).exit_code == 0


async def test_nothing_leaks(tmp_path: Path) -> None:
    process = psutil.Process()
    before = process.num_fds()
    async with open_host(tmp_path) as host:
        await host.run(shell("true", tmp_path, stdin=b"x", log_path=tmp_path / "log"), key="t")
        settled, spawner = process.num_fds(), psutil.Process(host.spawner_pid)
        held = spawner.num_fds()
        for _ in range(20):
            await host.run(shell("true", tmp_path, stdin=b"x", log_path=tmp_path / "log"), key="t")
            with pytest.raises(ProcessStartError):
                await host.run(ProcessSpec(("absent",), cwd=tmp_path), key="t")
        await wait_until(lambda: process.num_fds() <= settled)
        await wait_until(lambda: spawner.num_fds() == held and spawner.children() == [])
    assert process.num_fds() <= before
    assert (tmp_path / "spawner.log").read_bytes() == b""


async def test_errors_of_the_caller_are_not_wrapped(tmp_path: Path) -> None:
    with pytest.raises(LookupError, match="mine"):
        async with open_host(tmp_path):
            raise LookupError("mine")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05), open_host(tmp_path) as host:
            await host.run(shell("exec sleep 300", tmp_path), key="t")


async def test_an_unusable_state_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EngineStartError, match="cannot start the process spawner"):
        async with open_host(tmp_path / "absent"):
            pass


async def test_a_spawner_that_cannot_run_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(EngineStartError, match="exited at once"):
        async with open_host(tmp_path):
            pass


async def test_nothing_is_started_without_a_ledger_entry(tmp_path: Path) -> None:
    async with open_host(tmp_path) as host:
        ledger = tmp_path / child_process.LEDGER_NAME
        ledger.unlink()
        ledger.mkdir()
        with pytest.raises(ProcessStartError, match="state directory must be writable"):
            await host.run(shell("touch ran", tmp_path), key="t")
        ledger.rmdir()
    assert not (tmp_path / "ran").exists()
