"""Run a program of the user's: with its output kept, or with the terminal lent to it until it ends.

Owner: whoever calls owns the process; it is in a session of its own when its output is kept, and in the console's when it
has the terminal. Limits: output is bounded by its `Output`; a program that is stopped has STOP_S to end by itself.
"""

from __future__ import annotations

import asyncio
import codecs
import errno
import os
import signal
import sys
import termios
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import BinaryIO

from screens.runs import LINE_MAX, Output, Part

READ_BYTES = 65_536
OPEN_OUTPUT_S = 1.0
"""How long output is awaited of programs that the ended one left behind."""
STOP_S = 2.0

WHY = {
    errno.ENOENT: "there is no such program",
    errno.EACCES: "it may not be run",
    errno.ENOEXEC: "it is no program; a script begins with #!",
    errno.E2BIG: "its arguments are too long together",
}


def explain(error: OSError) -> str:
    """Return why a program did not start."""
    return f"not run: {WHY.get(error.errno or 0, error.strerror or str(error))}"


async def run_kept(part: Part, environment: Mapping[str, str], now: Callable[[], float]) -> None:
    """Run a program to its end and keep what it writes. Cancelling ends it, and whatever it started in its session."""
    part.started_at = now()
    try:
        async with _pipe() as (out, to_out), _pipe() as (err, to_err):
            await _run_kept(part, environment, (out, err), (to_out, to_err))
    except OSError as error:
        part.problem = explain(error)
    except asyncio.CancelledError:
        part.problem = "stopped"
        raise
    finally:
        part.ended_at = now()


@asynccontextmanager
async def _pipe() -> AsyncIterator[tuple[asyncio.StreamReader, BinaryIO]]:
    """Give both ends of a pipe.

    With pipes of asyncio's own, the end of a process is awaited until the pipes are closed, also by what it left behind.
    """
    to_read, to_write = os.pipe()
    stream = asyncio.StreamReader()
    with os.fdopen(to_read, "rb") as read, os.fdopen(to_write, "wb") as write:
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stream), read)
        try:
            yield stream, write
        finally:
            transport.close()


async def _run_kept(
    part: Part, environment: Mapping[str, str], streams: Sequence[asyncio.StreamReader], ends: Sequence[BinaryIO]
) -> None:
    process = await asyncio.create_subprocess_exec(
        *part.argv,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=ends[0],
        stderr=ends[1],
        env={**os.environ, **environment},
        start_new_session=True,
    )
    for end in ends:
        end.close()
    try:
        async with asyncio.TaskGroup() as group:
            readers = [group.create_task(_read(stream, part.output, is_error=is_error)) for stream, is_error in zip(streams, (False, True), strict=True)]
            part.code = await process.wait()
            _, open_still = await asyncio.wait(readers, timeout=OPEN_OUTPUT_S)
            for reader in open_still:
                reader.cancel()
    finally:
        if process.returncode is None:
            await _end(process)


async def _read(stream: asyncio.StreamReader, output: Output, *, is_error: bool) -> None:
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    held = ""
    while data := await stream.read(READ_BYTES):
        *lines, held = (held + decoder.decode(data)).split("\n")
        for line in lines:
            output.add(line.removesuffix("\r"), is_error=is_error)
        if len(held) > LINE_MAX:
            output.add(held, is_error=is_error)
            held = ""
    if held:
        output.add(held, is_error=is_error)


async def _end(process: asyncio.subprocess.Process) -> None:
    """End a process and its session: asked first, then made to."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(TimeoutError):
            async with asyncio.timeout(STOP_S):
                await process.wait()
                return


# ---- with the terminal


async def run_lent(argv: Sequence[str], environment: Mapping[str, str]) -> tuple[int, str]:
    """Run a program that has the terminal; return its exit code and why it did not run. The console must be suspended."""
    with _as_a_shell_waits(), _terminal_kept():
        try:
            process = await asyncio.create_subprocess_exec(*argv, env={**os.environ, **environment})
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
