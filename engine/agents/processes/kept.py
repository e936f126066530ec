"""Programs that may outlive the engine: each under a keeper of its own, found and followed by the next engine.

Owner: `Keepers`, of the directory `kept/` in the state directory and of the runs in it, on the engine's loop. Its limit is
that of its callers: each run is somebody waiting; what is left of an ended run lies there until it is discarded.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import errno
import json
import logging
import os
import select
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import cast, get_args

from engine.agents.processes import keeping, process_table
from engine.agents.processes.cgroups import Groups
from engine.agents.processes.ledger import EngineMarker, is_same, sweep
from engine.agents.processes.ledger_lines import LedgerEntry, parse_ledger
from engine.agents.processes.spawner_link import open_log
from engine.agents.processes.spec import (
    ProcessResult,
    ProcessSpec,
    ProcessStartError,
    StopReason,
    build_environment,
    explain_start_failure,
)
from engine.clock import Clock

logger = logging.getLogger(__name__)

FOLDER_NAME = "kept"
LOG_NAME = "keeper.log"
START_TIMEOUT_S = 10.0
END_TIMEOUT_S = 12.0
"""On top of the grace: what the keeper takes to kill what is left and to write the end down."""
LAST_WAIT_S = 0.5
"""How long the end of a keeper that was killed just now may block."""
POLL_S = 0.25
"""Between two looks at a keeper where the platform cannot tell of its end."""

# The folder above the engine goes last on the path; of it the keeper imports a few modules that need the standard library only.
_PROGRAM = "import sys; sys.path.append(sys.argv.pop(1)); from engine.agents.processes.keeper import main; main()"


class KeptRun:
    """One program under its keeper, started by this engine or an earlier one."""

    def __init__(self, folder: Path, clock: Clock, groups: Groups, spec: ProcessSpec | None = None) -> None:
        self.key = folder.name
        self._groups = groups
        self.started_at = 0.0
        self._folder = folder
        self._clock = clock
        self._grace_s = spec.grace_s if spec is not None else 0.0
        self._child: subprocess.Popen[bytes] | None = None
        self._is_stopping = False
        self._entries = _read_entries(folder)
        self._note_started()

    @property
    def pid(self) -> int | None:
        """Return the program's process id, None if it never ran."""
        started = keeping.read_record(str(self._folder / keeping.STARTED_NAME))
        return int(str(started["pid"])) if started else None

    @property
    def entries(self) -> list[LedgerEntry]:
        """Return the ledger's lines of keeper and program."""
        return self._entries

    def is_alive(self) -> bool:
        """Answer whether its keeper is."""
        return any(entry.key == "" and is_same(entry) for entry in self._entries)

    def has_ended(self) -> bool:
        """Answer whether its end is written down."""
        return (self._folder / keeping.ENDED_NAME).exists()

    def running_pid(self) -> int | None:
        """Return the program's process id, None once it has ended."""
        return next((entry.pid for entry in self._entries if entry.key == self.key and is_same(entry)), None)

    def quiet_s(self, now: float) -> float | None:
        """Return for how long the program has said nothing, by the monotonic clock; None = that is not known."""
        try:
            return max(0.0, now - (self._folder / keeping.HEARD_NAME).stat().st_mtime)
        except OSError:
            return None

    def stop(self) -> None:
        """TERM to the program, after its grace KILL to all of it. Returns at once."""
        self._is_stopping = True
        self._signal(signal.SIGTERM)

    def cut(self, reason: StopReason, why: str, grace_s: float) -> None:
        """Stop the program, unless it is being stopped, and have its result say why; also where another engine takes that. Returns at once."""
        if self._is_stopping:
            return
        try:
            keeping.write_record(str(self._folder / keeping.ENDING_NAME), {"reason": reason, "why": why, "grace_s": grace_s})
        except OSError as error:
            logger.warning("a program that is to be ended goes on: why cannot be written down", extra={"key": self.key, "reason": str(error)})
            return
        self.stop()

    async def wait_result(self) -> ProcessResult:
        """Wait for the end and return the result. Safe to cancel."""
        await self._wait_gone()
        try:
            result = self._read_result()
        except (OSError, KeyError, TypeError, ValueError) as error:
            logger.warning("what a keeper wrote cannot be read", extra={"key": self.key, "reason": str(error)})
            result = None
        if result is None:
            await asyncio.to_thread(self._sweep)
            return self._lost()
        return result

    async def end(self) -> None:
        """Stop the program and wait until nothing of it runs; without its grace if this is cancelled."""
        try:
            async with asyncio.timeout(self._grace_s + END_TIMEOUT_S):
                self._signal(signal.SIGTERM if self._grace_s else signal.SIGUSR1)
                await self._wait_gone()
        except TimeoutError:
            logger.error("keeper does not end", extra={"key": self.key})  # noqa: TRY400  # there is no more to say
        finally:
            if self.is_alive():
                self._signal(signal.SIGKILL)  # the program dies with it
                self._sweep()
            if self._child is not None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._child.wait(LAST_WAIT_S)

    def leave(self) -> None:
        """Have nobody wait for its keeper."""
        if self._child is not None:
            self._child.returncode = 0  # or the interpreter complains about a child that it should have waited for

    # ---- inside

    def adopt(self, child: subprocess.Popen[bytes]) -> None:
        """Take the keeper that was just started."""
        self._child = child
        self._entries = _read_entries(self._folder)
        self._note_started()

    def _note_started(self) -> None:
        started = keeping.read_record(str(self._folder / keeping.STARTED_NAME))
        if started is not None:
            self.started_at = float(str(started["at"]))
            self._grace_s = float(str(started["grace_s"]))

    def _signal(self, number: int) -> None:
        """Send a signal to the keeper, if it is still the one of the ledger."""
        for entry in self._entries:
            if entry.key == "" and is_same(entry):
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(entry.pid, number)

    async def _wait_gone(self) -> None:
        for entry in self._entries:
            if entry.key == "":
                await _wait_gone(entry, self._clock)
        if self._child is not None:
            self._child.wait()  # has ended: only its status is taken

    def _read_result(self) -> ProcessResult | None:
        """Return what the keeper has written down, None if it did not come to that."""
        record = keeping.read_record(str(self._folder / keeping.ENDED_NAME))
        if record is None:
            return None
        out, err = ((self._folder / name).read_bytes() for name in keeping.STREAM_NAMES)
        survivors = record["survivors"]
        reason, detail = record["stopped_reason"], str(record.get("stopped_detail", ""))
        if not reason and record["signal"] == signal.SIGKILL and (why := self._groups.outgrown(self.key)):
            reason, detail = "memory limit", why
        return ProcessResult(
            exit_code=_whole(record["exit_code"]),
            signal=_whole(record["signal"]),
            stdout=out,
            stderr=err,
            stdout_bytes=_whole(record["stdout_bytes"]) or 0,
            stderr_bytes=_whole(record["stderr_bytes"]) or 0,
            truncated=bool(record["truncated"]),
            started_at=float(str(record["started_at"])),
            ended_at=float(str(record["ended_at"])),
            cpu_s=float(str(record["cpu_s"])),
            max_rss_bytes=_whole(record["max_rss_bytes"]) or 0,
            stopped_reason=cast("StopReason", reason) if reason in get_args(StopReason) else None,
            stopped_detail=detail,
            survivors=tuple(survivors) if isinstance(survivors, list) else (),
        )

    def _sweep(self) -> None:
        """Kill what a keeper has left that was killed itself."""
        with contextlib.suppress(OSError):
            sweep(self._folder / keeping.LEDGER_NAME, EngineMarker.of_this_process(self._folder.parent.parent, ""))

    def _lost(self) -> ProcessResult:
        now = self._clock.now()
        return ProcessResult(
            exit_code=None,
            signal=None,
            stdout=b"",
            stderr=b"",
            stdout_bytes=0,
            stderr_bytes=0,
            truncated=False,
            started_at=self.started_at or now,
            ended_at=now,
            cpu_s=0.0,
            max_rss_bytes=0,
            stopped_reason="keeper lost",
        )


class Keepers:
    """All runs under keepers in a state directory."""

    def __init__(self, marker: EngineMarker, clock: Clock, groups: Groups) -> None:
        self._groups = groups
        self._found: dict[str, KeptRun] = {}
        """What former engines have left."""
        self._marker = marker
        self._clock = clock
        self._folder = Path(marker.state_dir) / FOLDER_NAME
        self._runs: dict[str, KeptRun] = {}
        self._is_leaving = False

    def claim(self) -> list[LedgerEntry]:
        """Tell the keepers that an engine is there, and find what they keep; return all lines of their ledgers.

        Blocks for some small files. Raise OSError.
        """
        self._folder.mkdir(mode=0o700, exist_ok=True)
        keeping.write_owner(str(self._folder / keeping.OWNER_NAME), os.getpid())
        found = [KeptRun(folder, self._clock, self._groups) for folder in sorted(self._folder.iterdir()) if folder.is_dir()]
        self._found = {run.key: run for run in found}
        return [entry for run in found for entry in run.entries]

    def survivors(self) -> dict[str, KeptRun]:
        """Return what can be adopted: runs that go on, and runs that came to their end while no engine was there."""
        return {key: run for key, run in self._found.items() if run.is_alive() or run.has_ended()}

    async def settle(self, adopted: set[str]) -> None:
        """Follow the survivors that are adopted from now on; end and forget all else that was found."""
        async with asyncio.TaskGroup() as group:
            for key, run in self._found.items():
                if key in adopted:
                    self._runs[key] = run
                else:
                    group.create_task(self._drop(run), name=f"end {key}")
        self._found = {}

    async def start(self, spec: ProcessSpec, key: str, *, adopt_within_s: float) -> KeptRun:
        """Start a program under a keeper. Raise ProcessStartError; when cancelled, nothing of it is left."""
        folder = self._folder / key
        run = self._runs[key] = KeptRun(folder, self._clock, self._groups, spec)
        loop = asyncio.get_running_loop()
        starting = loop.run_in_executor(None, self._start, spec, folder, self._groups.make(key), adopt_within_s)
        try:
            run.adopt(await asyncio.shield(starting))
        except asyncio.CancelledError:
            with contextlib.suppress(ProcessStartError):
                run.adopt(await starting)
            await self.end(run)
            raise
        except ProcessStartError:
            self.discard(key)
            raise
        return run

    def stop(self, key: str) -> bool:
        """Stop a program with its grace; False if none with this key runs. Returns at once."""
        run = self._runs.get(key)
        if run is not None:
            run.stop()
        return run is not None

    def pids(self) -> dict[str, int]:
        """Return the process id of every program that runs, by key."""
        return {key: pid for key, run in self._runs.items() if (pid := run.running_pid()) is not None}

    def quiet(self, now: float) -> dict[str, float]:
        """Return for how many seconds each program has said nothing, by key; `now` is the monotonic clock's."""
        return {key: quiet_s for key, run in self._runs.items() if (quiet_s := run.quiet_s(now)) is not None}

    def cut(self, key: str, reason: StopReason, why: str, grace_s: float) -> bool:
        """Stop a program of which nothing good is expected, with little grace; False if none with this key runs. Returns at once."""
        run = self._runs.get(key)
        if run is not None:
            run.cut(reason, why, grace_s)
        return run is not None

    def leave(self) -> None:
        """Leave all runs to the next engine, because this one has broken: from now on nothing ends them but their keepers."""
        self._is_leaving = True
        (self._folder / keeping.OWNER_NAME).unlink(missing_ok=True)
        for run in self._runs.values():
            run.leave()

    async def end(self, run: KeptRun) -> None:
        """Leave nothing of a run behind, neither its processes nor its directory; unless all are left to the next engine."""
        if self._is_leaving:
            return
        try:
            await run.end()
        finally:
            self.discard(run.key)

    def discard(self, key: str) -> None:
        """Forget a run that has ended, and remove its directory."""
        self._runs.pop(key, None)
        self._groups.remove(key)
        shutil.rmtree(self._folder / key, ignore_errors=True)

    async def _drop(self, run: KeptRun) -> None:
        await run.end()
        self._groups.remove(run.key)
        await asyncio.to_thread(shutil.rmtree, self._folder / run.key, ignore_errors=True)

    def _start(self, spec: ProcessSpec, folder: Path, cgroup: str, adopt_within_s: float) -> subprocess.Popen[bytes]:
        """Start a keeper and wait until it says whether the program runs. Blocks; raise ProcessStartError."""
        try:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(mode=0o700)
            with open_log(Path(self._marker.state_dir) / LOG_NAME) as log:
                child = subprocess.Popen(
                    [sys.executable, "-I", "-S", "-c", _PROGRAM, str(Path(__file__).parents[3])],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    cwd="/",
                    env={},
                    start_new_session=True,
                )
        except OSError as error:
            raise explain_start_failure(spec, stage="keeper", number=error.errno or 0) from error
        told = _converse(child, self._order(spec, folder, cgroup, adopt_within_s))
        if "pid" in told:
            return child
        child.kill()
        child.wait()
        raise explain_start_failure(spec, stage=str(told["stage"]), number=_whole(told["errno"]) or 0)

    def _order(self, spec: ProcessSpec, folder: Path, cgroup: str, adopt_within_s: float) -> dict[str, object]:
        environment = build_environment(spec, os.environ) | self._marker.environment(folder.name)
        return {
            "key": folder.name,
            "folder": str(folder),
            "program": {
                "argv": list(spec.argv),
                "cwd": str(spec.cwd.absolute()),
                "limits": spec.limits.as_order(),
                "nice": spec.limits.nice,
                "cgroup": cgroup,
            },
            "environment": environment,
            "has_stdin": spec.stdin is not None,
            "stdin": base64.b64encode(spec.stdin or b"").decode(),
            "output_max_bytes": spec.output_max_bytes,
            "log_path": str(spec.log_path or ""),
            "log_max_bytes": spec.log_max_bytes,
            "idle_timeout_s": spec.idle_timeout_s or 0.0,
            "grace_s": spec.grace_s,
            "adopt_within_s": adopt_within_s,
        }


def _converse(child: subprocess.Popen[bytes], order: dict[str, object]) -> dict[str, object]:
    """Give a keeper its order and return its answer; one that does not answer in time is no keeper."""
    assert child.stdin is not None
    assert child.stdout is not None
    answer = b""
    with child.stdin, child.stdout:
        try:
            child.stdin.write(json.dumps(order).encode("ascii"))
            child.stdin.close()
            while select.select([child.stdout], [], [], START_TIMEOUT_S)[0] and (part := os.read(child.stdout.fileno(), 4096)):
                answer += part
            told = json.loads(answer or b"null")
        except (OSError, ValueError) as error:
            return {"stage": "keeper", "errno": getattr(error, "errno", None) or errno.EPROTO}
    return told if isinstance(told, dict) else {"stage": "keeper", "errno": errno.ETIMEDOUT}


async def _wait_gone(entry: LedgerEntry, clock: Clock) -> None:
    """Wait until the process of a ledger's line has ended. Safe to cancel."""
    if not hasattr(os, "pidfd_open"):
        while is_same(entry):
            await clock.sleep(POLL_S)
        return
    try:
        fd = os.pidfd_open(entry.pid)
    except OSError:
        return
    loop, gone = asyncio.get_running_loop(), asyncio.Event()
    try:
        if is_same(entry):  # looked at after the number was pinned
            loop.add_reader(fd, gone.set)
            await gone.wait()
    finally:
        loop.remove_reader(fd)
        os.close(fd)


def _read_entries(folder: Path) -> list[LedgerEntry]:
    data = process_table.read_file(str(folder / keeping.LEDGER_NAME))
    boot = process_table.read_boot()
    return [entry for entry in parse_ledger(data).entries if entry.boot == boot] if data else []


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) else None
