"""What the tests of processes share: a host, waiting for a condition, and whether a process has gone."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
from engine.agents.processes.child_process import ProcessHost
from engine.agents.processes.spec import ProcessSpec
from engine.clock import SystemClock

DEADLINE_S = 60.0


@asynccontextmanager
async def open_host(tmp_path: Path) -> AsyncIterator[ProcessHost]:
    """A process host whose state directory is the test's own."""
    async with ProcessHost(tmp_path, engine_id="eng_test", clock=SystemClock()) as host:
        yield host


def shell(script: str, cwd: Path, **settings: object) -> ProcessSpec:
    """A spec that runs a shell script in `cwd`."""
    return ProcessSpec(("/bin/sh", "-c", script), cwd=cwd, **settings)


def is_gone(pid: int) -> bool:
    """True if no such process runs; a zombie that nobody reaps has gone, too."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True
    return "\nState:\tZ" in status or "\nState:\tX" in status


def command_line(process: psutil.Process) -> str:
    """The words of a process; none once it has ended."""
    with contextlib.suppress(psutil.NoSuchProcess):  # a zombie, too
        return " ".join(process.cmdline())
    return ""


def read_pids(folder: Path, names: Iterable[str]) -> list[int]:
    """The pids that a script wrote into files of these names; empty until all are there."""
    texts = [(folder / name).read_text() if (folder / name).exists() else "" for name in names]
    return [int(text) for text in texts] if all(text.endswith("\n") for text in texts) else []


async def wait_until(condition: Callable[[], object], deadline_s: float = DEADLINE_S) -> float:
    """Wait for a condition and return the seconds it took; fail after the deadline."""
    begin = time.monotonic()
    while not condition():
        assert time.monotonic() - begin < deadline_s, "waited too long"
        await asyncio.sleep(0.01)
    return time.monotonic() - begin


def kill_quietly(pids: Iterable[int]) -> None:
    """Clean up after a test that may have failed."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


# A program with every kind of descendant: one in its group, one that left the session by a double fork (a daemon),
# one that did so without its environment. Each writes its pid, then sleeps.
FAMILY = ("leader", "member", "daemon", "scrubbed")
FAMILY_SCRIPT = """
sh -c 'echo $$ > member; exec sleep 300' &
(setsid sh -c 'echo $$ > daemon; exec sleep 300' >/dev/null 2>&1 &)
(env -i PATH="$PATH" setsid sh -c 'echo $$ > scrubbed; exec sleep 300' >/dev/null 2>&1 &)
echo $$ > leader
"""
