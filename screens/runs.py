"""`:runs`: what the user's own commands did in the background: what was run, how it ended, what it wrote.

Owner: the app owns the runs; screens read them. Limits: each part of a run keeps the newest `bytes_max` of its output.
"""

from __future__ import annotations

import shlex
import signal
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from screens.details import DocumentScreen
from screens.feed import Changes
from screens.present import byte_count, duration, plural
from screens.present_text import Lines, note
from screens.widgets.cells import Cell, Glyphs

LINE_MAX = 8_192
"""Characters; a longer line is cut into several."""


@dataclass(slots=True)
class Output:
    """The newest lines that a program wrote."""

    bytes_max: int
    lines: deque[tuple[bool, str]] = field(default_factory=deque)
    """Whether it is of the standard error, and the text."""
    kept_bytes: int = 0
    left_out_bytes: int = 0

    def add(self, text: str, *, is_error: bool) -> None:
        """Take one line; the oldest ones leave when there are too many bytes."""
        for start in range(0, len(text) or 1, LINE_MAX):
            self.lines.append((is_error, text[start : start + LINE_MAX]))
            self.kept_bytes += _weigh(self.lines[-1][1])
        while self.kept_bytes > self.bytes_max and len(self.lines) > 1:
            weight = _weigh(self.lines.popleft()[1])
            self.kept_bytes -= weight
            self.left_out_bytes += weight


def _weigh(text: str) -> int:
    return len(text.encode(errors="replace")) + 1


@dataclass(slots=True)
class Part:
    """One program of a run."""

    argv: Sequence[str]
    target: str
    """The row or rows it is about; empty for none."""
    output: Output
    started_at: float | None = None
    ended_at: float | None = None
    code: int | None = None
    """As the system has it: negative for a signal."""
    problem: str = ""
    """Why it did not run, or did not end by itself."""

    @property
    def is_good(self) -> bool:
        """Whether it ended as it should."""
        return self.code == 0 and not self.problem

    def outcome(self) -> str:
        """Say how it is or was, in a few words."""
        if self.problem:
            return self.problem
        if self.code is None:
            return "running" if self.started_at is not None else "waiting"
        if self.code < 0:
            return f"killed by {_signal_name(-self.code)}"
        return "done" if self.code == 0 else f"exit {self.code}"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


@dataclass(slots=True)
class Run:
    """One press of the key of a command: one program, or one for each row."""

    number: int
    name: str
    parts: list[Part]
    is_stopping: bool = False

    @property
    def is_over(self) -> bool:
        """Whether nothing of it runs or waits any more."""
        return all(part.code is not None or part.problem for part in self.parts)

    def summary(self) -> str:
        """Say how it went, the failures counted and the first one named."""
        bad = [part for part in self.parts if not part.is_good]
        if not bad:
            return f"{self.name}: done" + (f" for {plural(len(self.parts), 'row')}" if len(self.parts) > 1 else "")
        first = f"{bad[0].outcome()}" + (f" for {bad[0].target}" if bad[0].target else "")
        return f"{self.name}: {first}" if len(self.parts) == 1 else f"{self.name}: {len(bad)} of {len(self.parts)} failed: {first}"


def run_lines(run: Run, now: float, glyphs: Glyphs) -> Lines:
    """Return what a run did, the programs in the order in which they ran."""
    lines: Lines = []
    for part in run.parts:
        lines += [*_part_lines(part, now, glyphs), ()]
    return lines[:-1]


def _part_lines(part: Part, now: float, glyphs: Glyphs) -> Iterable[tuple[Cell | str, ...]]:
    role = "good" if part.is_good else "dim" if part.code is None and not part.problem else "bad"
    took = duration((now if part.ended_at is None else part.ended_at) - part.started_at) if part.started_at is not None else ""
    said = f" {glyphs.separator} ".join(filter(None, (part.target, part.outcome(), took)))
    yield Cell(said, role), Cell(shlex.join(part.argv), "dim")
    if part.output.left_out_bytes:
        yield (Cell(f"  the first {byte_count(part.output.left_out_bytes)} of its output are left out", "warn"),)
    for is_error, text in part.output.lines:
        yield (Cell(f"  {text}", "warn" if is_error else ""),)


class RunsScreen(DocumentScreen):
    """The newest runs of the user's own commands, a tab each."""

    NAME: ClassVar[str] = "runs"
    TITLE: ClassVar[str] = "Runs"
    TAILS: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, _text: str = "") -> None:
        super().__init__("")
        self._was_over = False

    def on_mount(self) -> None:
        """Open on the newest run."""
        self.tab = self.tabs[0]
        super().on_mount()

    @property
    def tabs(self) -> tuple[str, ...]:
        """Return a tab for each run, the newest first."""
        return tuple(f"{run.number} {run.name}" for run in reversed(self.console.runs)) or ("none",)

    @property
    def run_shown(self) -> Run | None:
        """Return the run of this tab; None when it is kept no longer."""
        return next((run for run in self.console.runs if f"{run.number} {run.name}" == self.tab), None)

    def subject(self) -> str:
        """Return what the runs are of."""
        return "Runs of your commands"

    async def read(self, tab: str) -> Lines:
        """Return what a run did; nothing is asked of the engine."""
        run = self.run_shown
        if run is None:
            return note("none of your commands has run in the background; `:keys` lists those in commands.toml" if tab == "none" else "this run is kept no longer")
        self._was_over = run.is_over
        return run_lines(run, self.feed.now(), self.console.glyphs)

    def concerns(self, changes: Changes) -> bool:
        """What happens to the fleet is not shown here."""
        return False

    def is_moving(self) -> bool:
        """A run that is not over goes on writing."""
        if self.tab not in self.tabs:
            self.tab = self.tabs[0]
            return True
        return self.run_shown is not None and not self._was_over

    def action_stop(self) -> None:
        """End the programs of the run."""
        run = self.run_shown
        if run is None or run.is_over:
            self.console.say("it has ended; there is nothing to stop", role="warn")
        else:
            self.console.stop_run(run)
