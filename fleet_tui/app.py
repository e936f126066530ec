"""FleetApp: the global keys, plans to agree to, and a clean end; how views are opened is in `navigation`.

Owner: the worker that keeps the feed. `run_console` is what the command line calls; it sets the environment that Textual reads at import, so it imports this module itself late.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

from textual import on
from textual.events import DescendantFocus
from textual.screen import Screen
from textual.widgets import Input
from textual.worker import Worker, WorkerState

from engine.clock import Clock, SystemClock
from engine.model.commands import COMMANDS
from engine.model.errors import FleetError, PlanChanged
from engine.model.fleet_commands import RedoPlan, StopEngine, UndoPlan
from engine.model.plans import Answer, Authority
from engine.model.task_commands import SubmitTask
from engine.model.verbs import Command
from fleet_tui.boards import user_boards
from fleet_tui.jobs import can_be_continued
from fleet_tui.keymap import OWN, Own, facts_of, find_command_file, find_key_file, load_own
from fleet_tui.lent_terminal import find_editor
from fleet_tui.memory import Memory
from fleet_tui.navigation import HOME_VIEW
from fleet_tui.skins import Skin, describe_terminal, glyphs_for, make_skin, theme_problems
from fleet_tui.switching import Catalogue, Switching
from fleet_tui.typeahead import TypeAhead
from screens.base import FleetScreen
from screens.commandline import ViewLine
from screens.dialogs import QuitDialog
from screens.feed import STALE_AFTER_S, Connect, Feed
from screens.forms import VerbForm
from screens.keyed import scopes_of, take_keys_everywhere
from screens.keymap import Keymap
from screens.keys import EAGER_ACTIONS, VERB_OF
from screens.line_filter import Terminal
from screens.palette import FleetCommands, Palette
from screens.plan_dialog import PlanDialog
from screens.prompts import PromptBox
from screens.small import SizeGuard
from screens.widgets.cells import Glyphs
from themes import CSS_PATHS
from themes.palettes import PALETTES

if TYPE_CHECKING:
    from fleet_tui.command_runner import CommandRunner
    from fleet_tui.console import Opening
    from fleet_tui.contexts import Context
    from screens.runs import Run

TICK_S = 0.25
"""Longest that a change waits to be shown."""
HARD_EXIT_S = 2.0
"""After a signal to end: a dead terminal must not keep the console alive."""
BREAKPOINTS = [(0, "-list"), (60, "-stacked"), (100, "-beside")]
"""From which width on panels stand one above the other, and side by side."""
TOAST_S = 4.0
TOAST_PLAIN_S = 20.0
"""As long as it may take until a line is read aloud."""
RELOAD_KEYS = ViewLine("keys", "reload")


class FleetApp(TypeAhead[None], Switching, SizeGuard[None]):
    """The console over one engine at a time."""

    CSS_PATH: ClassVar[Any] = CSS_PATHS
    TITLE = "fleet-tui"
    ENABLE_COMMAND_PALETTE = True
    HORIZONTAL_BREAKPOINTS = BREAKPOINTS
    COMMANDS: ClassVar[set[Any]] = {FleetCommands}
    KEY_SCOPES: ClassVar[tuple[str, ...]] = ("app", "anywhere")

    def __init__(  # noqa: PLR0913  # what differs between the console, tests and the web
        self,
        connect: Connect,
        *,
        clock: Clock | None = None,
        terminal: Terminal = Terminal(),  # noqa: B008  # a value
        glyphs: Glyphs | None = None,
        skin: Skin = Skin(),  # noqa: B008  # a value
        started_engine: bool = False,
        exports: Path | None = None,
        memory: Path | None = None,
        no_diff: bool = False,
        home: str = HOME_VIEW,
        load_own: Callable[[bool], Own] = lambda _is_read_only: OWN,
        facts: Mapping[str, str] = MappingProxyType({}),
        notify: str = "off",
        editor: str | None = "",
        catalogue: Catalogue | None = None,
        problems: Sequence[str] = (),
    ) -> None:
        self.backtest = self._backtest
        self.edit_text = self._edit_text
        self._editor = editor
        super().__init__(
            connect=connect, clock=clock or SystemClock(), catalogue=catalogue,
            notify=notify, memory=Memory(memory), no_diff=no_diff, terminal=terminal, skin=skin,
        )  # fmt: skip
        self.glyphs = glyphs or glyphs_for(terminal)
        self._started_engine = started_engine
        self._exports = exports
        self._home = home
        self._words |= {"quit": lambda _args: self.action_leave(), "export": self._export}
        self._load_own = load_own
        self._authority: Authority | None = None
        self.own = load_own(False)  # noqa: FBT003  # what is not known yet is not refused here; the engine does
        self._in_force = self.own.keymap
        self.take_keys(self.keymap)
        self._facts = facts
        self._problems = problems
        self._runner: CommandRunner | None = None

    # ---- life

    def on_mount(self) -> None:
        """Open the first view, follow the engine, tick."""
        loop = asyncio.get_running_loop()
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGHUP, signal.SIGTERM):
                loop.add_signal_handler(number, self.end)
        self.open_view(self._home)
        self._tell_key_problems()
        if self._problems:
            more = f"; {len(self._problems) - 1} more by `fleet-tui ctx`" if len(self._problems) > 1 else ""
            self.say(f"{self._problems[0]}{more}", role="warn")
        self._follow()
        self.set_interval(TICK_S, self._tick)

    def _tick(self) -> None:
        self._attend()
        self.guard_size()
        # While the app is taken down it ticks on without a screen.
        screen = self.screen if self.screen_stack else None
        if isinstance(screen, FleetScreen):
            screen.tick(self.feed.now())
            self._rest_probes()

    def _show_all(self) -> None:
        self._follow_authority()
        self.contexts()  # so that they are known before they are asked for
        self._tick()
        self.call_after_refresh(_freeze_garbage)

    def _enter(self, name: str, context: Context) -> None:
        super()._enter(name, context)
        self._facts = facts_of(context.paths)
        if self._runner is not None:
            self._runner.facts = self._facts

    def end(self) -> None:
        """End after a signal, surely: what cannot be written to a dead terminal must not keep us alive."""
        watchdog = threading.Timer(HARD_EXIT_S, os._exit, (0,))
        watchdog.daemon = True
        watchdog.start()
        self.exit()

    def on_unmount(self) -> None:
        """Remember sorts, widths, filters and the command line's history."""
        self._memory.save()

    def on_descendant_focus(self, event: DescendantFocus) -> None:
        """Hold the cursor of whatever is typed into still: one that blinks writes for as long as it has the focus."""
        if isinstance(event.widget, Input):
            event.widget.cursor_blink = False

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave keys that would open something to the input or dialog that is in front."""
        if action in EAGER_ACTIONS and (isinstance(self.focused, Input) or not isinstance(self.screen, FleetScreen)):
            return False
        return super().check_action(action, parameters)

    # ---- keys

    @property
    def keymap(self) -> Keymap:
        """Return the keys in force."""
        return self._in_force

    @property
    def runs(self) -> Sequence[Run]:
        """Return the newest runs of the user's own commands."""
        return self._runner.runs if self._runner is not None else ()

    def stop_run(self, run: Run) -> None:
        """End the programs of a run."""
        assert self._runner is not None, "who made the run"
        self._runner.stop(run)

    def action_run_command(self, name: str) -> None:
        """Run a command of the user's own."""
        if self._runner is None:
            from fleet_tui.command_runner import CommandRunner

            self._runner = CommandRunner(self, self._facts)
        self._runner.press(self.own.commands[name])

    def _take_own(self) -> None:
        """Have every screen and widget take the keys of the user's files as they are now, at once."""
        authority = self._authority
        self.own = self._load_own(bool(authority and authority.read_only))
        refused = [binding for binding, verb in VERB_OF.items() if authority and authority.why_not(COMMANDS[verb])]
        self._in_force = self.own.keymap.refusing(refused) if refused else self.own.keymap
        self.take_keys(self.keymap)
        take_keys_everywhere(self.screen_stack, self.keymap)

    def _follow_authority(self) -> None:
        """Offer verbs, and dangerous commands, only to somebody who may."""
        if self.feed.authority != self._authority:
            self._authority = self.feed.authority
            self._take_own()

    def action_refuse(self, binding: str) -> None:
        """Say why a key does nothing here."""
        self._may(COMMANDS[VERB_OF[binding]])

    def _may(self, kind: type[Command]) -> bool:
        """Tell whether a verb may be asked for, and say why if not; the engine judges again."""
        why_not = self._authority.why_not(kind) if self._authority is not None else ""
        if why_not:
            self.say(why_not, role="warn")
        return not why_not

    def reload_keys(self) -> None:
        """Read the user's files anew and take what they say now."""
        self._take_own()
        if self.keymap.problems:
            self._tell_key_problems()
        else:
            self.say(f"keys read anew: preset {self.keymap.preset}", role="good")

    def _tell_key_problems(self) -> None:
        problems = self.keymap.problems
        if problems:
            more = f"; {len(problems) - 1} more in `:keys`" if len(problems) > 1 else ""
            self.say(f"{problems[0]}{more}", role="warn")

    def action_command_palette(self) -> None:
        """Show the palette of views and verbs."""
        if not isinstance(self.screen, Palette):
            self.push_screen(Palette())

    # ---- what opens over views

    def _open_line(self, line: ViewLine) -> None:
        if line == RELOAD_KEYS:
            self.reload_keys()
        super()._open_line(line)

    def action_help(self) -> None:
        """Show the keys of the view in front."""
        self._show_help(on_focus=False)

    def action_help_here(self) -> None:
        """Show the keys of what has the focus; in a dialog and while somebody types, too."""
        self._show_help(on_focus=True)

    def _show_help(self, *, on_focus: bool) -> None:
        from screens.help import HERE, HelpScreen

        screen, tab = self.screen, HERE if on_focus else "keys"
        if isinstance(screen, HelpScreen):
            screen.show_tab(tab)
            return
        scopes = scopes_of(self.focused)
        if not isinstance(screen, FleetScreen):
            scopes += scopes_of(screen)
        self.drill(HelpScreen(screen.NAME if isinstance(screen, FleetScreen) else "", tab, scopes))

    def type_line(self, text: str) -> None:
        """Open the command line with a text to go on from."""
        if isinstance(self.screen, FleetScreen):
            self.screen.query_one("#line", PromptBox).open(text)

    def action_command_line(self) -> None:
        """Ask for a command line."""
        self.type_line("")

    def submit_task(self, pool: str) -> None:
        """Ask for a task to submit, with a pool filled in."""
        self.push_screen(VerbForm(SubmitTask, self.feed.tables, {"pool": pool}), self._submit)

    def _submit(self, command: Command | None) -> None:
        if command is not None:
            self.ask((command,))

    # ---- verbs

    def ask(self, commands: Sequence[Command], *, reason: str = "") -> None:
        """Plan verbs, show the plan, and carry them out when the operator agrees."""
        if self._may(type(commands[0])):
            self.run_worker(self._ask(self.feed, tuple(commands), reason), group="ask", exit_on_error=False)

    async def _ask(self, feed: Feed, commands: tuple[Command, ...], reason: str) -> bool:
        """Tell whether the verbs were carried out by the engine of a feed; what came of them is said."""
        try:
            with self._holding(feed):
                answer = await self._agree(feed, commands, reason)
        except FleetError as error:
            self.say(f"{self._other(feed)}{error}", role="bad")
            return False
        if answer is None:
            return False
        if feed is not self.feed:
            self.say(f"{self._other(feed)}{answer.summary}", role="good")
            return True
        self.say(answer.summary + (self.say_keys(" · {app.undo} undoes it") if answer.undo_until else ""), role="good")
        return True

    @on(Worker.StateChanged)
    def _show_failure(self, event: Worker.StateChanged) -> None:
        """Say what went wrong inside, instead of a key that seems to do nothing."""
        if event.worker.group == "ask" and event.state is WorkerState.ERROR:
            self.say(f"this failed inside the console: {event.worker.error!r}", role="bad")

    def _other(self, feed: Feed) -> str:
        """Return the name to begin with when something is of a context that is not in view any more."""
        return f"@{feed.context}: " if feed is not self.feed else ""

    async def _agree(self, feed: Feed, commands: tuple[Command, ...], reason: str, changed: str = "") -> Answer | None:
        """Show a plan, and carry it out as agreed; None when nothing is to be done. Raises FleetError.

        A plan is of one engine: it is carried out by the connection that made it, and shown only over that engine's views.
        """
        operator = feed.operator
        plan = await operator.plan(commands, reason=reason)
        if feed is not self.feed:
            self.say(f"@{feed.context} was left before its plan was there; nothing was changed", role="warn")
            return None
        if not any(step.changes for step in plan.steps):
            self.say(f"nothing to change: {plan.steps[0].target} is {plan.steps[0].after or plan.steps[0].effect}")
            return None
        agreed = await self.push_screen_wait(PlanDialog(plan, commands[0], self.glyphs, changed=changed))
        if agreed is None:
            return None
        try:
            return await operator.execute(plan.id, reason=agreed.reason or reason, confirm=agreed.confirm)
        except PlanChanged as error:
            return await self._agree(feed, commands, agreed.reason or reason, str(error))

    async def _backtest(self, name: str, policy: Mapping[str, Any]) -> Mapping[str, Any]:
        from fleet_tui.what_if import what_if

        return await what_if(self.feed.operator, name, policy)

    def _edit_text(self, kind: str, id_: str) -> None:
        from fleet_tui.edit_here import editing_of

        self.run_worker(editing_of(self, self._editor, kind, id_), group="ask", exit_on_error=False)

    def action_undo(self) -> None:
        """Undo my last plan."""
        self.ask((UndoPlan(),))

    def action_redo(self) -> None:
        """Apply my last undone plan again."""
        self.ask((RedoPlan(),))

    def say(self, text: str, *, role: str = "") -> None:
        """Show a short text for a moment."""
        shown_s = TOAST_PLAIN_S if self.terminal.is_plain else TOAST_S
        severity: Any = {"bad": "error", "warn": "warning"}.get(role, "information")
        self.notify(text, severity=severity, timeout=shown_s * (2 if role == "bad" else 1), markup=False)

    # ---- leaving, exports, themes

    def action_leave(self) -> None:
        """Leave; when this console started the engine, settle what becomes of it."""
        if isinstance(self.screen, QuitDialog):
            return
        if self._started_engine and self.context:
            self.run_worker(self._leave_from_home(), group="stop", exclusive=True, exit_on_error=False)
            return
        status = self.feed.status
        if not self._started_engine or status is None or self.feed.stale_s():
            self.exit()
            return
        states = status.tasks.by_state
        running = sum(states.get(state, 0) for state in ("running", "leased", "needs_input"))
        waiting = states.get("pending", 0)
        if running or waiting:
            self.push_screen(QuitDialog(running, waiting), self._settle)
        else:
            self._settle("stop")

    async def _leave_from_home(self) -> None:
        """Look at the engine that this console started before it is settled what becomes of it."""
        self.open_context("")
        if self.context:
            return  # a dialog is in the way, and was said to be
        frames, waited_s = self.feed.frames, 0.0
        while self.feed.frames == frames and waited_s < STALE_AFTER_S:
            await self.clock.sleep(TICK_S)
            waited_s += TICK_S
        self.action_leave()

    def _settle(self, word: str | None) -> None:
        if word == "leave":
            self.exit()
        elif word == "stop":
            self.run_worker(self._stop_engine(), group="stop", exit_on_error=False)

    async def _stop_engine(self) -> None:
        try:
            await self.feed.operator.execute([StopEngine()], reason="the console that started it was left")
        except FleetError as error:
            self.say(f"the engine was not stopped: {error}", role="bad")
            return
        self.exit()

    def rewrite_terminal(self) -> None:
        """Write every cell again, whatever another program left on the terminal."""
        self.forget_shadow()

    async def action_to_shell(self) -> None:
        """Go back to the shell, where there is one."""
        if can_be_continued():
            await super().action_to_shell()
        else:
            self.say("there is no shell below to go back to", role="warn")

    def action_next_theme(self) -> None:
        """Take the next colour theme."""
        names = list(PALETTES)
        self.keep_theme(names[(names.index(self.theme) + 1) % len(names)])
        self.say(f"theme {self.theme}")

    def action_export(self) -> None:
        """Ask how what is shown is to be written to a file."""
        self._export(())

    def _export(self, words: tuple[str, ...]) -> None:
        """Write what is shown as the words say (`csv all`); ask when they say nothing."""
        if self._exports is None:
            self.say("no place for exports is set", role="warn")
            return
        from fleet_tui.exports import export

        export(self, self._exports, words)

    def get_system_commands(self, screen: Screen[Any]) -> Any:  # noqa: ANN401  # Textual's own generator type
        """Offer none of Textual's own commands; FleetCommands has ours."""
        return iter(())


def _freeze_garbage() -> None:
    """Keep what start-up made out of later collections: a full one costs 17 ms, a key's worth."""
    gc.collect()
    gc.freeze()


def run_console(opening: Opening) -> None:
    """Open the console on an engine and return when it is left. Raises UsageError for a theme that there is not."""
    from engine.api.client import Caller
    from engine.model.version import version
    from fleet_tui.catalogue import Contexts

    clock = SystemClock()
    ssh = os.environ.get("SSH_CONNECTION", "")
    caller = Caller("console", version(), ssh, name=opening.guise.name, mode=opening.guise.mode)
    catalogue = Contexts(opening, caller, clock)
    preferences, paths = opening.preferences, opening.context.paths
    # Who shares the account by name gets its console, not its programs: `less` alone, or an editor, leads to a shell.
    commands = None if opening.guise.name else find_command_file()
    app = FleetApp(
        catalogue.connect(opening.context),
        clock=clock,
        terminal=describe_terminal(preferences, opening.level, os.environ),
        skin=make_skin(preferences, opening.context.look, opening.theme, os.environ),
        started_engine=opening.attached.started,
        exports=paths.exports,
        memory=paths.state_dir / "console.json",
        load_own=lambda is_read_only: load_own(find_key_file(opening.keys), commands, is_read_only=is_read_only),
        facts=facts_of(paths),
        notify=preferences.notify,
        editor=None if opening.guise.name else find_editor(os.environ),
        catalogue=catalogue,
        problems=[*preferences.problems, *theme_problems(preferences)],
    )
    app.boards = user_boards(os.environ)
    app.run(mouse=preferences.mouse)
