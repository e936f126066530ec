"""Run a program of the user's with the terminal lent to it until it ends.

Owner: whoever calls owns the process; it is in the session of the caller. Imports nothing of the console.
"""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import sys
import termios
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

READ_BYTES = 65_536

WHY = {
    errno.ENOENT: "there is no such program",
    errno.EACCES: "it may not be run",
    errno.ENOEXEC: "it is no program; a script begins with #!",
    errno.E2BIG: "its arguments are too long together",
}


def find_editor(environment: Mapping[str, str]) -> str:
    """Return the user's editor as a command line, empty when none is set."""
    return environment.get("VISUAL", "").strip() or environment.get("EDITOR", "").strip()


def explain(error: OSError) -> str:
    """Return why a program did not start."""
    return f"not run: {WHY.get(error.errno or 0, error.strerror or str(error))}"


async def run_lent(argv: Sequence[str], environment: Mapping[str, str]) -> tuple[int, str]:
    """Run a program that has the terminal; return its exit code and why it did not run. The console must be suspended."""
    with _as_a_shell_waits(), _terminal_kept():
        try:
            process = await asyncio.create_subprocess_exec(*argv, stdout=sys.__stdout__, stderr=sys.__stderr__, env={**os.environ, **environment})
        except OSError as error:
            return 127, explain(error)
        try:
            return await process.wait(), ""
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    process.terminate()


async def wait_enter(text: str) -> None:
    """Say something on the lent terminal and wait for a line; a terminal that is gone is not waited for."""
    os.write(sys.__stdout__.fileno() if sys.__stdout__ else 1, text.encode())
    loop = asyncio.get_running_loop()
    typed = loop.create_future()
    try:
        loop.add_reader(0, lambda: None if typed.done() else typed.set_result(None))
    except OSError:
        return  # what stands for the terminal cannot be waited on
    try:
        await typed
        with suppress(OSError):
            os.read(0, READ_BYTES)
    finally:
        loop.remove_reader(0)


@contextmanager
def _as_a_shell_waits() -> Iterator[None]:
    """Leave Ctrl-C and Ctrl-\\ to the program, as a shell does while it waits."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGQUIT)}
    for number in before:
        # A handler, not SIG_IGN: what is ignored would stay so in the program.
        signal.signal(number, lambda *_: None)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _terminal_kept() -> Iterator[None]:
    """Put the terminal's modes back as they were, however the program ended."""
    try:
        modes = termios.tcgetattr(0)
    except termios.error:
        yield
        return
    try:
        yield
    finally:
        with suppress(termios.error):
            termios.tcsetattr(0, termios.TCSADRAIN, modes)
