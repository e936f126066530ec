"""What tasks' programs wrote and say of how far they are: in files here, or asked of the host that joined on which they run.

Owner: nobody; a log is its attempt's. Limits: the last KEPT_BYTES of a log are shown.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

from engine.agents.commands import log_path
from engine.model.ids import TaskId
from engine.model.tasks import Task

KEPT_BYTES = 256 * 1024


class Part(NamedTuple):
    """A piece of a log, and how long the log is."""

    start: int
    size: int
    data: bytes


class Tail(NamedTuple):
    """The end of what a task wrote, or what came after a place in it."""

    text: str
    start: int
    """Bytes of the log before the text."""
    end: int
    """Where what comes next begins."""
    note: str = ""
    """Why it is not all that there is now; empty = it is."""


class Away(Protocol):
    """The way to logs on hosts that joined."""

    async def log(self, host: str, task: TaskId, attempt: int, after: int) -> Tail:
        """Return what a task wrote there after a place; a place below 0 = the last KEPT_BYTES."""
        ...

    async def progress(self, host: str, task: TaskId, attempt: int) -> Mapping[str, object] | None:
        """Return what the agent of a task said last there; None = nothing, or the host does not answer."""
        ...


def read_part(path: Path, after: int, most: int) -> Part | None:
    """Return at most `most` bytes after a place, or from the last KEPT_BYTES on when that is later, or no place of this log; None = there is no log."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            start = after if max(0, size - KEPT_BYTES) <= after <= size else max(0, size - KEPT_BYTES)
            file.seek(start)
            return Part(start, size, file.read(most))
    except OSError:
        return None


def tail_of(part: Part | None, note: str = "", shielded: Callable[[str], str] = str) -> Tail:
    """Return a piece as text; a letter that is not whole yet comes with the next one."""
    if part is None:
        return Tail("", 0, 0, note)
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    text = decoder.decode(part.data)
    return Tail(shielded(text), part.start, part.start + len(part.data) - len(decoder.getstate()[0]), note)


@dataclass(frozen=True, slots=True)
class Output:
    """Where what tasks wrote and say is found."""

    logs: Path
    said: Callable[[TaskId], Mapping[str, object] | None]
    """What the agent of a task here said last of how far it is."""
    away: Callable[[], Away | None]
    """None = this engine does not lead, or has no hosts."""

    async def log(self, task: Task, after: int = -1) -> Tail:
        """Return what the last attempt of a task wrote after a place; a place below 0 = the last KEPT_BYTES."""
        away = self.away()
        if task.machine and away is not None:
            return await away.log(task.machine, task.spec.id, task.attempt, after)
        return tail_of(read_part(log_path(self.logs, task.spec.id), after, KEPT_BYTES))

    async def progress(self, task: Task) -> Mapping[str, object] | None:
        """Return what the agent of a running task said last of how far it is; None = nothing."""
        away = self.away()
        if task.machine and away is not None:
            return await away.progress(task.machine, task.spec.id, task.attempt)
        return self.said(task.spec.id)
