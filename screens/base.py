"""The chrome that every screen shares.

A screen shows the feed and asks the app for everything else: `Console` is what it may ask. The app calls tick() on
the screen in front at most four times a second; a screen draws only when something it shows has changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, cast

from textual import on
from textual.app import ComposeResult
from textual.containers import Container
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Input

from engine.model.rows import Row
from engine.model.verbs import Command
from screens.attention import Attention
from screens.commandline import find_fault
from screens.completion import Known, complete_line, explain_line
from screens.feed import Changes, Clock, Feed, Watch
from screens.key_names import read_key
from screens.keyed import Keyed
from screens.keymap import Keymap
from screens.keys import CONTEXTS, EAGER_ACTIONS, ELSEWHERE
from screens.places import Bookmarks, Place
from screens.present import context_parts
from screens.present_contexts import ContextRow
from screens.prompts import Grammar, PromptBox
from screens.widgets.cells import Cell, Glyphs
from screens.widgets.statusbar import ContextBar, KeyHints, Part
from screens.widgets.table import Table

if TYPE_CHECKING:
    from engine.model.dashboards import Dashboard
    from screens.runs import Run

SECONDS_BETWEEN_AGES = 1.0
"""Ages in rows are recomputed this often; what did not change in words is not drawn."""


class Navigator(Protocol):
    """How a screen leads to others."""

    bookmarks: Bookmarks
    context: str
    """The context in view as `@` names it; empty for the one that the console was opened on."""

    def open_view(self, line: str) -> None:
        """Open what a command line names: a view with scope and filter, or a verb."""
        ...

    def open_place(self, place: Place) -> None:
        """Open a view as somebody left it."""
        ...

    def drill(self, screen: FleetScreen) -> None:
        """Put a screen on top; Esc comes back."""
        ...

    def back(self) -> None:
        """Leave the screen on top."""
        ...

    def breadcrumb(self) -> Sequence[str]:
        """Return the titles of the screens below and the one on top."""
        ...

    def contexts(self) -> Sequence[str]:
        """Return the names that `@` takes."""
        ...

    def use_context(self, name: str) -> bool:
        """Look at another engine; False, and it was said why, when that cannot be."""
        ...

    def open_context(self, name: str) -> None:
        """Look at another engine where it was left."""
        ...

    def context_rows(self) -> Sequence[ContextRow]:
        """Return how each engine is, and go on asking for as long as that is looked at."""
        ...

    def drop_bookmark(self, slot: int) -> None:
        """Empty a digit."""
        ...


class Boards(Protocol):
    """Where dashboards come from."""

    def get(self, name: str) -> Dashboard:
        """Return a dashboard. Raises FleetError."""
        ...

    def listed(self) -> Sequence[tuple[str, str]]:
        """Return the name of each, and its title or what is wrong with it."""
        ...


class Editors(Protocol):
    """How things are edited beside a form."""

    async def backtest(self, name: str, policy: Mapping[str, Any]) -> Mapping[str, Any]:
        """Replay the load of the last day through a policy and those in force, beside the console. Raises FleetError."""
        ...

    def edit_text(self, kind: str, id_: str) -> None:
        """Have a thing edited as text in the user's own editor, and ask for the change."""
        ...


class Console(Navigator, Editors, Protocol):
    """What a screen may ask of the app."""

    feed: Feed
    clock: Clock
    glyphs: Glyphs
    boards: Boards
    """The dashboards that there are."""
    keymap: Keymap
    """The keys in force."""
    runs: Sequence[Run]
    """The newest runs of the user's own commands, oldest first."""
    lines: list[str]
    """History of the command line."""

    @property
    def context_bar(self) -> str:
        """Return the part whose colour fills the context line; empty for the usual one."""
        ...

    @property
    def chosen_theme(self) -> str:
        """Return the theme that is kept, perhaps `auto`."""
        ...

    def resolve_theme(self, name: str) -> str:
        """Return the theme that a choice means on this terminal."""
        ...

    def preview_theme(self, name: str) -> None:
        """Wear a theme without keeping it."""
        ...

    def keep_theme(self, name: str) -> None:
        """Wear a theme, now and for the next time on this fleet."""
        ...

    def ask(self, commands: Sequence[Command], *, reason: str = "") -> None:
        """Plan verbs, show the plan, and carry them out when the operator agrees."""
        ...

    @property
    def attention(self) -> Attention:
        """Return what needs somebody."""
        ...

    def type_line(self, text: str) -> None:
        """Open the command line with a text to go on from."""
        ...

    def submit_task(self, pool: str) -> None:
        """Ask for a task to submit, with a pool filled in."""
        ...

    def reload_keys(self) -> None:
        """Read the user's keys and commands anew."""
        ...

    def stop_run(self, run: Run) -> None:
        """End the programs of a run of the user's own command."""
        ...

    def rewrite_terminal(self) -> None:
        """Write every cell again, whatever another program left on the terminal."""
        ...

    def say(self, text: str, *, role: str = "") -> None:
        """Show a short text for a moment."""
        ...

    def settings_of(self, view: str) -> dict[str, Any]:
        """Return what is remembered of a view (sort, filter, width); changing the dict is remembering."""
        ...


class FleetScreen(Keyed, Screen[None]):
    """Context line, heading, body, breadcrumb and key hints."""

    DEFAULT_CSS = "FleetScreen { layers: base prompt; }"

    NAME: ClassVar[str] = ""
    """The view's word on the command line; also the scope of its keys."""
    TITLE: ClassVar[str] = ""
    KIND: ClassVar[str] = ""
    """Kind of the rows that the view is about; empty for none."""
    KINDS: ClassVar[tuple[str, ...]] = ()
    """Kinds of rows whose change makes refresh_rows() worth a call."""
    AUTO_FOCUS: ClassVar[str | None] = None

    def __init__(self) -> None:
        super().__init__()
        self._feed: Feed | None = None
        self._watch: Watch | None = None
        self._ages_at = 0.0
        self._paused = False

    @property
    def console(self) -> Console:
        """Return the app, as far as screens know it."""
        return cast("Console", self.app)

    @property
    def feed(self) -> Feed:
        """Return what the console knows of the engine that was in view when this screen was made."""
        if self._feed is None:
            self._feed = self.console.feed
        return self._feed

    @property
    def _settings(self) -> dict[str, Any]:
        """Return what is remembered with the view; changing the dict is remembering."""
        return self.console.settings_of(self.NAME)

    # ---- what a screen fills in

    def compose_body(self) -> Iterable[Widget]:
        """Yield the widgets between heading and breadcrumb."""
        return ()

    def refresh_rows(self, changes: Changes) -> None:
        """Show what changed; called by tick() when one of KINDS did, and about each second for ages."""

    def heading(self) -> tuple[Sequence[Part], Sequence[Part]]:
        """Return the left and right parts of the heading line."""
        return [Cell(self.TITLE, "accent")], []

    def place(self) -> Place | None:
        """Return where somebody would come back to; None for what is not a view of its own."""
        return None

    def pool_in_view(self) -> str:
        """Return the pool that a new task would most likely be for; empty when there is none in view."""
        return ""

    def subjects(self) -> Sequence[Row]:
        """Return the rows of KIND that a verb would be about: marked, pointed at, or the one of the document."""
        return ()

    # ---- the chrome

    def compose(self) -> ComposeResult:
        """Lay out the chrome around the body, and the prompts over it."""
        glyphs = self.console.glyphs
        yield ContextBar(glyphs=glyphs, id="context", fill=self.console.context_bar)
        yield ContextBar(glyphs=glyphs, id="heading")
        yield Container(*self.compose_body(), id="body")
        yield ContextBar(glyphs=glyphs, id="crumbs")
        yield KeyHints(id="keys")
        yield from self.compose_prompts()

    def compose_prompts(self) -> Iterable[PromptBox]:
        """Yield the lines that can be opened in place of breadcrumb and key hints."""
        known, tables = Known(self.feed.tables, self.console.contexts), self.feed.tables
        grammar = Grammar(lambda line: complete_line(line, known), lambda line: find_fault(line, tables), explain_line)
        yield PromptBox(grammar, self.console.lines, placeholder="a view, or a verb with its arguments", glyphs=self.console.glyphs, id="line")

    def on_mount(self) -> None:
        """Begin to collect changes and show the first state."""
        if self._watch is not None:
            return  # Textual calls this after a view's own on_mount has: a second collector would never be dropped
        self._watch = self.feed.watch()
        self._show_keys(self.console.keymap)
        self._show_bars()
        self.tick(self.feed.now())

    def on_unmount(self) -> None:
        """Collect no more."""
        if self._watch is not None:
            self.feed.unwatch(self._watch)
        self._watch = None

    def on_screen_resume(self) -> None:
        """Catch up with what changed while another screen was in front."""
        if self._watch is not None:
            self._show_bars()
            self.tick(self.feed.now())

    def tick(self, now: float) -> None:
        """Draw what changed since the last tick; draws nothing when nothing did."""
        if self._watch is None or not self._is_up:
            return
        self.show_chrome()
        if self._paused:
            return
        changes = self._watch.take()
        aged = now - self._ages_at >= SECONDS_BETWEEN_AGES
        if changes.touches(self.KINDS) or aged:
            self._ages_at = now if aged else self._ages_at
            self.refresh_rows(changes)
            self.show_chrome()

    @property
    def _is_up(self) -> bool:
        # A screen that is being taken down is not displayed: its parts are gone before it is.
        return self.is_attached and self.display

    def _call_when_drawn(self, callback: Callable[..., object], *args: object) -> None:
        """Call something when what changed is laid out, unless the screen is taken down by then."""
        self.call_after_refresh(lambda: callback(*args) if self._is_up else None)

    def show_chrome(self) -> None:
        """Bring the lines above and below the body up to date."""
        left, right = context_parts(self.feed, paused=self._paused)
        self._show_keys(self.console.keymap)
        title, counts = self.heading()
        if self._is_compact:
            self.query_one("#heading", ContextBar).show(title, [*counts, *right])
            return
        self.query_one("#context", ContextBar).show(left, right)
        self.query_one("#heading", ContextBar).show(title, counts)
        crumbs = [Cell(name, "dim") for name in self.console.breadcrumb()]
        self.query_one("#crumbs", ContextBar).show(crumbs)

    @property
    def _is_compact(self) -> bool:
        """Whether all chrome but one line is hidden, on every view."""
        return bool(self.console.settings_of("console").get("compact"))

    def _show_bars(self) -> None:
        """Show all lines around the body, or just the heading."""
        for name in ("#context", "#crumbs", "#keys"):
            self.query_one(name).display = not self._is_compact

    def action_compact(self) -> None:
        """Hide all chrome but one line, or show it again."""
        self.console.settings_of("console")["compact"] = not self._is_compact
        self._show_bars()
        self.show_chrome()

    # ---- keys

    def key_scopes(self) -> tuple[str, ...]:
        """Return the scopes of this view; those of the app and of the widget that has the focus are theirs."""
        return tuple(scope for scope in CONTEXTS[self.NAME] if scope not in ELSEWHERE)

    def _hint_scopes(self) -> tuple[str, ...]:
        """Return the scopes whose keys are worth a hint now."""
        return CONTEXTS[self.NAME]

    def _show_keys(self, keymap: Keymap) -> None:
        for hints in self.query(KeyHints):  # none before the screen is laid out
            hints.show(keymap.hints_in(self._hint_scopes()), keymap.hint_of("app.help"))

    @on(KeyHints.Chosen)
    def _press_hint(self, event: KeyHints.Chosen) -> None:
        """A click on a hint is its key."""
        self.app.simulate_key(read_key(event.key)[0])

    # ---- prompts

    @on(PromptBox.Taken, "#line")
    def _take_line(self, event: PromptBox.Taken) -> None:
        self.console.open_view(event.text)

    # ---- keys that every screen has

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave keys that would open something to the input that somebody types into."""
        if action in EAGER_ACTIONS and isinstance(self.focused, Input):
            return False
        return super().check_action(action, parameters)

    def action_back(self) -> None:
        """Close what is typed into, then clear what is in the way, then leave this screen."""
        box = next((box for box in self.query(PromptBox) if box.display), None)
        if box is not None:
            box.drop()
        elif not self.clear():
            self.console.back()

    def clear(self) -> bool:
        """Clear the innermost thing that Esc clears before it leaves; False when there is none."""
        return False

    @on(Table.Unsettled)
    def _say_unsettled(self, event: Table.Unsettled) -> None:
        self.console.say(event.text, role="warn")

    def action_submit_task(self) -> None:
        """Ask for a task to submit; texts have n for the next match, so this is not the app's."""
        self.console.submit_task(self.pool_in_view())

    def action_pause(self) -> None:
        """Hold the view still, or let it follow again; data keeps arriving."""
        self._paused = not self._paused
        self.tick(self.feed.now())

    def action_redraw(self) -> None:
        """Read everything anew."""
        if self._watch is not None:
            self.feed.unwatch(self._watch)
        self._watch = self.feed.watch()
        self.console.rewrite_terminal()
        self.tick(self.feed.now())
