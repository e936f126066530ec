"""Has git push the branch of a task, once it is seen that there is no key in it.

Owner: the git that runs. Limits: LINE_BYTES of a line are looked at together; PLACES_MAX places are told of.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from pathlib import Path

from engine.github.forge import ForgeError
from engine.model.secrets import ENGINE_SECRETS, conceal, has_key

PLACES_MAX = 5
LINE_BYTES = 64 * 1024
LOOK_BYTES = 4 * 1024
"""What is looked at twice of a line that is longer, lest the cut divides a key."""
READ_BYTES = 64 * 1024
SAID_MAX = 300
_COMMIT = re.compile(r"[0-9a-f]{7,64}")


async def push(checkout: Path, remote: str, branch: str, *, timeout_s: float, withheld: Collection[str] = ()) -> None:
    """Have git push a branch to a remote, with the credentials that git has there; a branch that is there already is no error. Raises ForgeError.

    Hooks of the clone are left alone, and it gets no secret of the engine: agents can write there.
    """
    words = ("push", "--quiet", remote, f"refs/heads/{branch}:refs/heads/{branch}")
    try:
        async with asyncio.timeout(timeout_s), _git(checkout, words, withheld) as process:
            _, said = await process.communicate()
    except TimeoutError:
        raise ForgeError(f"git did not push {branch} within {timeout_s:g} s") from None
    if process.returncode:
        raise ForgeError(f"git cannot push {branch} to {remote}: {_told(said)}")


async def places_of_keys(checkout: Path, branch: str, base: str, *, timeout_s: float, withheld: Collection[str] = ()) -> list[str]:
    """Return where the commits that a push of a branch would make known have what can be nothing but a key: files, and messages. Raises ForgeError.

    `base` is the commit that the branch began at; what is on a remote already is looked at no more.
    """
    known = ["--not", "--remotes", *([base] if _COMMIT.fullmatch(base) else [])]
    words = ("log", "--patch", "--cc", "--unified=0", "--no-color", "--no-ext-diff", "--no-textconv", "--no-renames", "--format=commit %h%n%w(0,1,1)%B", f"refs/heads/{branch}", *known, "--")
    looked = _Look()
    try:
        async with asyncio.timeout(timeout_s), _git(checkout, words, withheld) as process:
            assert process.stdout is not None
            while chunk := await process.stdout.read(READ_BYTES):
                looked.feed(chunk)
            looked.feed(b"\n")
            _, said = await process.communicate()
    except TimeoutError:
        raise ForgeError(f"git did not tell within {timeout_s:g} s what is on {branch}") from None
    if process.returncode:
        raise ForgeError(f"git cannot tell what is on {branch}: {_told(said)}")
    return looked.found()


class _Look:
    """Looks for keys in what git tells of commits."""

    def __init__(self) -> None:
        self._held = b""
        self._place = self._before = ""
        self._found: dict[str, None] = {}

    def feed(self, chunk: bytes) -> None:
        """Take a piece."""
        *lines, rest = (self._held + chunk).split(b"\n")
        for line in lines:
            self._line(line.decode("utf-8", "replace"))
        if len(rest) > LINE_BYTES:
            self._line(rest.decode("utf-8", "replace"))
            rest = rest[:1] + rest[-LOOK_BYTES:]
        self._held = rest

    def found(self) -> list[str]:
        """Return the places: the first ones, and how many there are besides."""
        more = len(self._found) - PLACES_MAX
        return [*list(self._found)[:PLACES_MAX], *([f"{more} more"] if more > 0 else [])]

    def _line(self, line: str) -> None:
        if line.startswith("commit "):
            self._place = f"the message of {line.removeprefix('commit ')}"
        elif line.startswith("diff --"):
            self._place = "the name of a file"
        elif line.startswith("+++ ") and self._before.startswith("--- "):
            self._place = conceal(line.removeprefix("+++ ").removeprefix("b/"))
        if not line.startswith(("-", "@@")) and has_key(line):
            self._found[self._place] = None
        self._before = line


@asynccontextmanager
async def _git(checkout: Path, words: Collection[str], withheld: Collection[str]) -> AsyncIterator[Process]:
    """Run git; it is gone afterwards, whatever comes."""
    environment = {name: value for name, value in os.environ.items() if name not in {*ENGINE_SECRETS, *withheld}}
    process = await asyncio.create_subprocess_exec(
        "git", "-c", "core.hooksPath=/dev/null", "-C", str(checkout), *words, stdin=DEVNULL, stdout=PIPE, stderr=PIPE,
        env={**environment, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}, start_new_session=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()


def _told(said: bytes) -> str:
    return conceal(" ".join(said.decode("utf-8", "replace").split()))[:SAID_MAX]
