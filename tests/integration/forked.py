"""Processes of fleet-tui that are forked from one that has loaded the program: loading is most of the work of a start.

All else is as in a start from a shell: a process of its own with its own environment, signals, limits and end. What a
command line loads by itself, from nothing, is what the tests of the command line and of attaching start.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection

_FORKING = multiprocessing.get_context("forkserver")
_FORKING.set_forkserver_preload(["fleet_tui.cli", "fleet_tui.subcommands", "fleet_tui.serve", __name__])


class Forked:
    """A command line as a process, with what tests use of subprocess.Popen; what it prints to stdout is dropped."""

    def __init__(self, words: Sequence[str], environment: Mapping[str, str], file_bytes_max: int = 0) -> None:
        said, says = _FORKING.Pipe(duplex=False)
        with said:
            with says:
                self._process = _FORKING.Process(target=_run, args=(list(words), dict(environment), file_bytes_max, says), daemon=True)
                self._process.start()
            self.stderr = open(os.dup(said.fileno()), encoding="utf-8")  # noqa: PTH123, SIM115  # closed by who reads it
        assert self._process.pid is not None
        self.pid = self._process.pid

    @property
    def returncode(self) -> int | None:
        """As of subprocess.Popen: the number of the signal that ended it, with a minus; None while it runs."""
        return self._process.exitcode

    def poll(self) -> int | None:
        """Return the exit code; None while it runs."""
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end and return the exit code; subprocess.TimeoutExpired if it takes longer."""
        self._process.join(timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired(str(self.pid), timeout or 0.0)
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        with contextlib.suppress(ProcessLookupError):
            if self.returncode is None:
                os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end, unless it has ended."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it, unless it has ended."""
        self.send_signal(signal.SIGKILL)


def _run(words: list[str], environment: dict[str, str], file_bytes_max: int, says: Connection) -> None:
    from fleet_tui.cli import main

    sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115  # as long as the process
    os.dup2(sys.stdout.fileno(), 1)
    os.dup2(says.fileno(), 2)
    says.close()
    sys.stderr = open(2, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: PTH123, SIM115
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["fleet-tui", *words]
    if file_bytes_max:
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes_max, file_bytes_max))
    main()
