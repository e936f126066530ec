"""Having a module of an operator checked, in a process of its own; the engine only waits, and never loads the runtime for it.

Owner: of that process, until it has told or `CHECK_MAX_S` are over.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
import sys
from pathlib import Path
from typing import Final

import msgspec

from engine.booster.check_process import CPU_MAX_S, Told
from engine.model.errors import CommandRefused
from engine.model.modules import ModuleFacts

CHECK_MAX_S: Final = 30.0
ANSWER_MAX_BYTES: Final = 16 * 1024 * 1024
_BOOT: Final = (
    "import sys; sys.path[:] = sys.argv[3:]; "
    "from engine.booster.check_process import main; main(sys.argv[1], int(sys.argv[2]))"
)


async def check_file(path: Path) -> tuple[ModuleFacts, bytes]:
    """Return what the module in a file is, and its bytes. Raises CommandRefused, which says what is wrong with it."""
    told = await _ask(path)
    if told.facts is None:
        raise _refusal(path, told.problem)
    if hashlib.sha256(told.wasm).hexdigest() != told.facts.sha256:
        raise _refusal(path, "its check told the hash of something else")
    return told.facts, told.wasm


async def _ask(path: Path) -> Told:
    search = [entry or str(Path.cwd()) for entry in sys.path]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-c", _BOOT, str(path), str(os.getpid()), *search,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    assert process.stdout is not None, "asked for above"
    try:
        async with asyncio.timeout(CHECK_MAX_S):
            answer = await _read(process.stdout)
            status = await process.wait()
    except TimeoutError:
        raise _refusal(path, f"its check took longer than {CHECK_MAX_S:g} s") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if status:
        raise _refusal(path, _why_ended(status))
    try:
        return msgspec.msgpack.decode(answer, type=Told)
    except msgspec.MsgspecError as error:
        raise _refusal(path, f"its check told what cannot be read ({error})") from None


async def _read(stream: asyncio.StreamReader) -> bytes:
    """Return all that comes, up to a bound; what is cut off cannot be read."""
    pieces, size = [], 0
    while size <= ANSWER_MAX_BYTES and (piece := await stream.read(1 << 18)):
        pieces.append(piece)
        size += len(piece)
    return b"".join(pieces)


def _why_ended(status: int) -> str:
    if status in (-signal.SIGXCPU, -signal.SIGKILL):
        return f"it took more than {CPU_MAX_S} s of processor time to check"
    if status == -signal.SIGABRT:
        return "it takes too much memory to compile"
    return f"its check ended with status {status}"


def _refusal(path: Path, problem: str) -> CommandRefused:
    return CommandRefused(f"the module in {path} cannot be taken: {problem.rstrip('.')}; docs/modules.md says what a module may be")
