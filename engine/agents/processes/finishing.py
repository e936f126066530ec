"""Programs that come to their end whatever becomes of the engine: git, while it changes what people work with.

All else that an engine starts dies with it. A git that is killed half way leaves locks that stop its next one, and files of which
some are old and some are new; one that is left alone is done in a moment. So these have neither death signal nor mark nor pipe,
and the next engine of the directory waits for them before it changes anything.
Owner: `Finishers`, of `finishing.lock` in the state directory: each such program, with all it starts, shares its lock till it ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import logging
import os
import signal
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from engine.agents.processes.spec import ProcessSpec, build_environment, explain_start_failure
from engine.clock import Clock

logger = logging.getLogger(__name__)

LOCK_NAME = "finishing.lock"
FORMER_WAIT_S = 120.0
"""How long what a former engine began is waited for; after that it hangs, and would for ever."""
POLL_S = 0.05


@dataclass(frozen=True, slots=True)
class Finished:
    """How a program ended."""

    exit_code: int
    """Negative: the signal that ended it."""
    stdout_text: str
    stderr_text: str

    def describe_end(self) -> str:
        """Return how it ended in words for people."""
        return f"exit code {self.exit_code}" if self.exit_code >= 0 else f"killed by signal {-self.exit_code}"


class Finishers:
    """Runs such programs."""

    def __init__(self, state_dir: Path, clock: Clock) -> None:
        self._path = state_dir / LOCK_NAME
        self._clock = clock
        self._turn = asyncio.Lock()
        self._is_settled = False

    async def run(self, spec: ProcessSpec) -> Finished:
        """Run a program to its end, or stop it after `timeout_s`; argv, cwd, env, inherits, stdin and grace_s count, too.

        When this is cancelled the program ends first. Raises ProcessStartError.
        """
        await self.wait_for_former()
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            given.write(spec.stdin or b"")
            given.seek(0)
            starting = asyncio.get_running_loop().run_in_executor(None, self._start, spec, (given, out, err))
            try:
                child = await asyncio.shield(starting)
            except asyncio.CancelledError:
                await self._wait(await starting, spec)
                raise
            try:
                await self._wait(child, spec)
            except asyncio.CancelledError:
                await self._wait(child, spec)
                raise
            return Finished(child.returncode, _text(out), _text(err))

    async def wait_for_former(self) -> None:
        """Wait until nothing runs any more that a former engine of this directory began. Safe to cancel."""
        async with self._turn:
            if self._is_settled:
                return
            end = self._clock.now() + FORMER_WAIT_S
            with self._open() as lock:
                while not _is_taken(lock):
                    if self._clock.now() >= end:
                        logger.error("a program of a former engine does not end", extra={"lock": str(self._path)})
                        break
                    await self._clock.sleep(POLL_S)
            self._is_settled = True

    def _open(self) -> IO[bytes]:
        return self._path.open("ab")

    def _start(self, spec: ProcessSpec, streams: tuple[IO[bytes], IO[bytes], IO[bytes]]) -> subprocess.Popen[bytes]:
        """Start a program that has the lock. Blocks for some ms; raises ProcessStartError."""
        try:
            with self._open() as lock:
                fcntl.flock(lock, fcntl.LOCK_SH)
                return subprocess.Popen(
                    spec.argv,
                    stdin=streams[0],
                    stdout=streams[1],
                    stderr=streams[2],
                    cwd=spec.cwd,
                    env=build_environment(spec, os.environ),
                    pass_fds=(lock.fileno(),),
                    start_new_session=True,
                )
        except OSError as error:
            stage = "exec" if spec.cwd.is_dir() else "cwd"
            raise explain_start_failure(spec, stage=stage, number=error.errno or errno.EINVAL) from error

    async def _wait(self, child: subprocess.Popen[bytes], spec: ProcessSpec) -> None:
        """Wait for a program's end; after its time, ask it to end, and after its grace, kill it."""
        for limit_s, number in ((spec.timeout_s, signal.SIGTERM), (spec.grace_s, signal.SIGKILL)):
            try:
                async with asyncio.timeout(limit_s):
                    await self._wait_gone(child)
                    return
            except TimeoutError:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(child.pid, number)
        await self._wait_gone(child)

    async def _wait_gone(self, child: subprocess.Popen[bytes]) -> None:
        """Wait until a program has ended. Safe to cancel."""
        if not hasattr(os, "pidfd_open"):
            while child.poll() is None:
                await self._clock.sleep(POLL_S)
            return
        if child.poll() is not None:
            return
        loop, gone, fd = asyncio.get_running_loop(), asyncio.Event(), os.pidfd_open(child.pid)
        try:
            loop.add_reader(fd, gone.set)
            await gone.wait()
        finally:
            loop.remove_reader(fd)
            os.close(fd)
        child.wait()  # has ended: only its status is taken


def _is_taken(lock: IO[bytes]) -> bool:
    """Try to have a lock alone, and tell whether that went; it goes with the file."""
    with contextlib.suppress(BlockingIOError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False


def _text(stream: IO[bytes]) -> str:
    stream.seek(0)
    return stream.read().decode("utf-8", "replace")
