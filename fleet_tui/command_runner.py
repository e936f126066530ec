"""Carry out the user's own commands for the rows that are chosen: ask, run, keep what they wrote, say how it went.

Owner: the newest RUNS_KEPT runs, and their programs until they end or the console does. Full: a run too many is refused.
"""

from __future__ import annotations

import shlex
from collections import deque
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from textual.app import SuspendNotSupported
from textual.worker import Worker

from engine.model.errors import UsageError
from fleet_tui.lent_terminal import run_lent, wait_enter
from fleet_tui.programs import run_kept
from fleet_tui.user_commands import Invocation, UserCommand, invocations
from screens.base import FleetScreen
from screens.dialogs import RunDialog, room_in
from screens.runs import Output, Part, Run

if TYPE_CHECKING:
    from fleet_tui.app import FleetApp

RUNS_KEPT = 9
RUNNING_MAX = 4
RUN_BYTES_MAX = 512 * 1024
"""Output kept of one run; its programs share it."""
PART_BYTES_MIN = 4 * 1024


class CommandRunner:
    """What the keys of the user's own commands do."""

    def __init__(self, app: FleetApp, facts: Mapping[str, str]) -> None:
        self._app = app
        self.facts = facts
        """What every command is told of the fleet in view."""
        self.runs: deque[Run] = deque(maxlen=RUNS_KEPT)
        """Oldest first; one that is not over is not pushed out, for no more than RUNNING_MAX run."""
        self._workers: dict[int, Worker[None]] = {}
        self._count = 0

    def press(self, command: UserCommand) -> None:
        """Run a command for what is chosen on the screen in front, after a question if it wants one."""
        screen = self._app.screen
        rows = screen.subjects() if isinstance(screen, FleetScreen) else ()
        view = screen.NAME if isinstance(screen, FleetScreen) else ""
        kind = screen.KIND if isinstance(screen, FleetScreen) else ""
        try:
            made = invocations(command, kind, rows, {**self.facts, "view": view})
        except UsageError as error:
            self._app.say(str(error), role="warn")
            return
        if not (command.confirm or command.dangerous):
            self._start(command, made)
            return

        def agree(answer: str | None) -> None:
            if answer is not None:
                self._start(command, made)

        lines = [shlex.join(invocation.argv) for invocation in made]
        self._app.push_screen(RunDialog(command.description, lines, room_in(self._app.size.width), is_dangerous=command.dangerous), agree)

    def stop(self, run: Run) -> None:
        """End the programs of a run."""
        run.is_stopping = True
        self._workers[run.number].cancel()

    def _start(self, command: UserCommand, made: Sequence[Invocation]) -> None:
        if not command.background:
            self._app.run_worker(self._lend(command, made), group="terminal", exit_on_error=False)
            return
        if sum(not run.is_over for run in self.runs) >= RUNNING_MAX:
            self._app.say(f"{RUNNING_MAX} commands run already: wait for one, or stop one in `:runs`", role="warn")
            return
        self._count += 1
        bytes_max = max(PART_BYTES_MIN, RUN_BYTES_MAX // len(made))
        run = Run(self._count, command.name, [Part(invocation.argv, invocation.target, Output(bytes_max)) for invocation in made])
        self._forget_oldest()
        self.runs.append(run)
        self._workers[run.number] = self._app.run_worker(self._keep(run, made), group="runs", exit_on_error=False)

    def _forget_oldest(self) -> None:
        """Make room: the oldest run that is over leaves."""
        if len(self.runs) == RUNS_KEPT:
            oldest = next(run for run in self.runs if run.is_over)
            self.runs.remove(oldest)
            self._workers.pop(oldest.number, None)

    async def _keep(self, run: Run, made: Sequence[Invocation]) -> None:
        """Run the programs of a run one after the other, whatever becomes of each, and say how it went."""
        try:
            for part, invocation in zip(run.parts, made, strict=True):
                await run_kept(part, invocation.environment, self._app.clock.now)
        finally:
            for part in run.parts:
                if part.code is None and not part.problem:
                    part.problem = "not run, for the command was stopped"
            is_good = all(part.is_good for part in run.parts)
            self._app.say(f"{run.summary()} · `:runs` shows it", role="good" if is_good else "bad")

    async def _lend(self, command: UserCommand, made: Sequence[Invocation]) -> None:
        """Give the terminal to the programs of a command, one after the other, and take it back."""
        parts = [Part(invocation.argv, invocation.target, Output(0)) for invocation in made]
        try:
            # Without the batch, frames would be written into the program's screen.
            with self._app.batch_update():
                await self._app.wait_answers()
                with self._app.suspend():
                    await self._run_lent(command, parts, made)
        except SuspendNotSupported:
            self._app.say(f"{command.name} needs a terminal, and this console cannot lend one: give it background = true", role="bad")
            return
        finally:
            self._app.rewrite_terminal()
        run = Run(0, command.name, parts)
        self._app.say(run.summary(), role="good" if all(part.is_good for part in parts) else "bad")

    async def _run_lent(self, command: UserCommand, parts: Sequence[Part], made: Sequence[Invocation]) -> None:
        for part, invocation in zip(parts, made, strict=True):
            part.code, part.problem = await run_lent(part.argv, invocation.environment)
            if not part.is_good:
                await wait_enter(f"\r\n{command.name}: {part.outcome()} · enter goes back to the console ")
