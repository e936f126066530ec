"""Run a program of the user's with its output kept.

Owner: whoever calls owns the process; it is in a session of its own. Limits: output is bounded by its `Output`; a program
that is stopped has STOP_S to end by itself.
"""

from __future__ import annotations

import asyncio
import codecs
import os
import signal
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import BinaryIO

from fleet_tui.lent_terminal import explain
from screens.runs import LINE_MAX, Output, Part

READ_BYTES = 65_536
OPEN_OUTPUT_S = 1.0
"""How long output is awaited of programs that the ended one left behind."""
STOP_S = 2.0

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
