"""One task on its way through a session: its words, its log, its end.

Owner: the session that runs it. Limits: OUTPUT_MAX_BYTES of its output are kept, head and tail, LOG_MAX_BYTES of its log.
"""

from __future__ import annotations

import logging
from collections import deque
from pathlib import Path
from typing import NamedTuple

import msgspec

from engine.agents.processes.capture import OutputCapture
from engine.agents.processes.child_process import ProcessHost
from engine.agents.processes.pipes import LogFile
from engine.agents.sessions.messages import Degraded, Failure, Output, Progress, Result
from engine.model.effects import Assignment
from engine.model.ids import TaskId
from engine.model.tasks import Outcome

logger = logging.getLogger(__name__)

OUTPUT_MAX_BYTES = 256 * 1024
LOG_MAX_BYTES = 16 * 1024 * 1024

Attempt = tuple[TaskId, int]


class Seen(NamedTuple):
    """The newest progress of a turn, and when it was told."""

    progress: Progress
    at: float
    trouble: str = ""
    """Why it gets no further at present; empty = it does."""


class Turn:
    """An attempt of a task in a session."""

    def __init__(self, assignment: Assignment, began: float, number: int, repeats_max: int = 0) -> None:
        self.assignment = assignment
        self.began = began
        self.number = number
        """Of this process's tasks, from 1."""
        self.outcome: Outcome | None = None
        self.is_stopping = False
        self.grace_s: float | None = None
        """Longest time for each step of stopping it; None = as the pool says."""
        self.cancel_by: float | None = None
        """Instant of the loop by which a cancelled turn must have ended; None = the agent was not asked yet."""
        self.heard_at = 0.0
        """Instant of the loop of its last message."""
        self.troubled_at: float | None = None
        """Instant of the loop since which its model does not answer; None = it does."""
        self.asking: set[str] = set()
        """What it asked and was not told yet, by its own names."""
        self.seen: Seen | None = None
        self.halted: Failure | None = None
        """Why the engine ends it, whatever the agent says of its end."""
        self.calls: deque[str] = deque(maxlen=2 * repeats_max or 1)
        """The newest uses of tools."""
        self._repeats_max = repeats_max
        self._log: LogFile | None = None
        self._output = OutputCapture(OUTPUT_MAX_BYTES)
        self._text = ""
        self._data: object = None
        self._facts: dict[str, object] = {}

    @property
    def attempt(self) -> Attempt:
        """Return its task and fencing token."""
        return (self.assignment.task, self.assignment.token)

    @property
    def id(self) -> str:
        """Return what the agent calls it: `task.attempt`, so that words about an older attempt are no words about this one."""
        return f"{self.assignment.task}.{self.assignment.token}"

    def open_log(self, host: ProcessHost, path: Path) -> None:
        """Begin its log; without room for one it goes on without."""
        try:
            self._log = host.open_log(path, LOG_MAX_BYTES)
        except OSError as error:
            logger.warning("log not written", extra={"path": str(path), "reason": str(error)})

    def close_log(self) -> None:
        """End its log after what was written."""
        if self._log is not None:
            self._log.close()
            self._log = None

    def note(self, text: str) -> None:
        """Write a line to its log."""
        if self._log is not None and text:
            self._log.add((text if text.endswith("\n") else f"{text}\n").encode("utf-8", "replace"))

    def add_output(self, message: Output) -> None:
        """Keep a piece of its output."""
        self._output.add(message.text.encode("utf-8", "replace"))
        self.note(message.text)

    def add_progress(self, progress: Progress, at: float) -> None:
        """Note how far it is."""
        self.seen = Seen(progress, at)
        if progress.call and self._repeats_max:
            self.calls.append(progress.call)
            if self.halted is None and self.calls.count(progress.call) >= self._repeats_max:
                why = f"it goes in circles: {self._repeats_max} of its last {len(self.calls)} uses of tools were the same: {progress.text}"
                self.halt(why, "loop", retryable=False)
        share = f"{progress.ratio:.0%} " if progress.ratio is not None else ""
        self.note(f"[progress] {share}{progress.text}{f' ({progress.evidence})' if progress.evidence else ''}")

    def halt(self, why: str, kind: str, *, retryable: bool = True) -> None:
        """Have it ended, whatever the agent says of its end."""
        self.halted = Failure(self.id, why, kind, retryable=retryable)
        self.note(f"[engine] {why}")

    def note_trouble(self, message: object) -> None:
        """Note since when its model does not answer. A mere sign of life, an empty piece of output, is no answer."""
        if not isinstance(message, Degraded):
            self.troubled_at = self.troubled_at if isinstance(message, Output) and not message.text else None
        elif self.troubled_at is None:
            self.troubled_at = self.heard_at

    def add_trouble(self, text: str, at: float) -> None:
        """Note that it gets no further: it is still as far as it was."""
        self.seen = Seen(self.seen.progress if self.seen else Progress(self.id, ""), at, text)
        self.note(f"[degraded] {text}")

    def succeed(self, result: Result, now: float) -> None:
        """End it well, unless the engine ends it."""
        if self.halted is not None:
            self.fail(Failure("", "", usage=result.usage, facts=result.facts), now)
        elif self.outcome is None:
            self._text, self._data, self._facts = result.text, result.data, result.facts
            self.outcome = Outcome(*self.attempt, ok=True, started_at=self.began, ended_at=now, usage=result.usage)

    def fail(self, failure: Failure, now: float) -> None:
        """End it badly, unless it has ended."""
        if self.outcome is None:
            if self.halted is not None:
                failure = msgspec.structs.replace(self.halted, usage=failure.usage, facts=failure.facts)
            kind = "stopped" if self.is_stopping else failure.kind
            self._facts = failure.facts
            self.outcome = Outcome(
                *self.attempt, ok=False, error_kind=kind, error=failure.message[:500], retryable=failure.retryable, started_at=self.began, ended_at=now,
                usage=failure.usage,
            )  # fmt: skip

    def result(self) -> dict[str, object]:
        """Return what the task's record keeps."""
        output = self._output.content().decode("utf-8", "replace")
        found: dict[str, object] = {"text": self._text, "turn": self.number, **self._facts}
        if self._data is not None:
            found["data"] = self._data
        if output:
            found |= {"output": output, "truncated_output": self._output.is_truncated}
        return found if self.outcome is not None and (self.outcome.ok or output or self._facts) else {}
