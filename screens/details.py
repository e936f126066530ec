"""Documents: tabs, find, copy and YAML; read by queries in a worker, errors shown as text. Those about a thing of the fleet
say why it is as it is and what happened to it, and lead to what they name.

Owner: each screen owns what it has read of its thing. It reads again when the thing's row changes, one query at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from textual import on
from textual.widget import Widget
from textual.widgets import Input
from textual.worker import Worker, WorkerState

from engine.model.errors import FleetError
from engine.model.rows import Row
from engine.model.verbs import Command
from screens.asking import AskingScreen
from screens.document import Document
from screens.edits import edit_thing
from screens.export import PAPER_FORMS
from screens.feed import Changes
from screens.linked import Link, Linked, LinkedDocument
from screens.present import age
from screens.present_text import WHY_HEAD, Lines, note, timeline, why_lines, yaml_lines
from screens.things import YAML_TAB, open_thing
from screens.widgets.cells import Cell
from screens.widgets.line import Line
from screens.widgets.statusbar import Part

WHY_EVERY_S = 1.0
"""Facts behind a why are of many things; they are asked for no more often than this."""
LINKED_KINDS = ("agents", "tasks", "pools", "hosts", "policies", "plans")
"""Kinds among which a name in an event or in the audit is looked for."""


class DocumentScreen(AskingScreen):
    """One thing in full."""

    TABS: ClassVar[tuple[str, ...]] = ("info",)
    TAILS: ClassVar[frozenset[str]] = frozenset({"log", "timeline"})
    """Tabs whose end matters most."""
    HAS_YAML: ClassVar[bool] = False
    FORMS: ClassVar[tuple[str, ...]] = PAPER_FORMS
    """In which it can be exported."""

    def __init__(self, thing: str, tab: str = "") -> None:
        super().__init__()
        self.thing = thing
        """Id of what it is about."""
        self.tab = tab or self.TABS[0]
        self._shown_tab = ""
        self._read_at: float | None = None
        self._question = 0
        """Counts up when something else is asked of the same thing, so that a late answer to the former is not shown."""

    # ---- what a document fills in

    async def read(self, tab: str) -> Lines | Linked:
        """Return the lines of a tab. Raises FleetError."""
        raise NotImplementedError

    async def read_plain(self) -> object:
        """Return the thing as plain values, for YAML. Raises FleetError."""
        row = self.row
        return dict(zip(row._fields, row, strict=True)) if row is not None else {}

    def subject(self) -> str:
        """Return what the document is about."""
        return self.thing

    # ---- reading

    @property
    def row(self) -> Row | None:
        """Return the thing's row, None when the console has none."""
        return self.feed.tables[self.KIND].get(self.thing) if self.KIND else None

    def subjects(self) -> Sequence[Row]:
        """Return the row of the thing."""
        row = self.row
        return () if row is None else (row,)

    @property
    def tabs(self) -> tuple[str, ...]:
        """Return all tabs."""
        return (*self.TABS, YAML_TAB) if self.HAS_YAML else self.TABS

    async def read_all(self) -> None:
        """Read the tab and show it, unless it was left or something else was asked meanwhile."""
        tab, question = self.tab, self._question
        try:
            found = await self._lines_of(tab)
        except FleetError as error:
            found = note(str(error), "bad")
        if (tab, question) == (self.tab, self._question):
            is_new, self._shown_tab = self._shown_tab != tab, tab
            self._read_at = self.feed.now()
            self._show_text(found, is_tail=tab in self.TAILS, is_new=is_new)
            self.show_chrome()

    def _read_anew(self) -> None:
        """Read something else of the same thing: what is shown is no longer true of it, and goes."""
        self._question += 1
        self._read_at = None
        self.query_one(Document).show((), is_new=True)
        self.show_chrome()
        self._reload()

    def _show_text(self, found: Lines | Linked, *, is_tail: bool, is_new: bool) -> None:
        """Show what was read."""
        lines = found.lines if isinstance(found, Linked) else found
        self.query_one(Document).show(lines, is_tail=is_tail, is_new=is_new)

    async def _lines_of(self, tab: str) -> Lines | Linked:
        if tab == YAML_TAB:
            return [(line,) for line in yaml_lines(await self.read_plain())]
        return await self.read(tab)

    @on(Worker.StateChanged)
    def _show_failure(self, event: Worker.StateChanged) -> None:
        if event.worker.group == "read" and event.state is WorkerState.ERROR:
            self.query_one(Document).show(note(f"this cannot be shown: {event.worker.error!r}", "bad"), is_new=True)

    def refresh_rows(self, changes: Changes) -> None:
        """Read again when the thing changed, or may have; ages grow by themselves."""
        if (self._read_at is None and not self._is_loading) or changes.is_full or self.concerns(changes) or self.is_moving():
            self._reload()

    def concerns(self, changes: Changes) -> bool:
        """Tell whether what is shown changed."""
        return bool(self.KIND) and (self.thing in changes.changed.get(self.KIND, ()) or self.thing in changes.removed.get(self.KIND, ()))

    def is_moving(self) -> bool:
        """Tell whether what is shown grows without the row changing, as the output of a running task does."""
        return False

    # ---- the chrome

    def compose_body(self) -> Iterable[Widget]:
        """Yield the text and the find line."""
        yield self._make_text()
        line = Line(placeholder="find", id="find", classes="command-line", compact=True)
        line.display = False
        yield line

    def _make_text(self) -> Document:
        """Return the text."""
        return Document(glyphs=self.console.glyphs, id="text")

    def on_mount(self) -> None:
        """Begin to read."""
        self.TITLE = self.subject()  # type: ignore[misc]  # the breadcrumb names the thing, not the class
        super().on_mount()
        self.query_one(Document).focus()

    def heading(self) -> tuple[Sequence[Part], Sequence[Part]]:
        """Name the thing and its tabs; say how old a text is that can no longer be read."""
        tabs = [Cell(f"[{tab}]", "accent") if tab == self.tab else Cell(tab, "dim") for tab in self.tabs]
        right: list[Part] = []
        if self._read_at is not None and self.feed.stale_s():
            right.append(Cell(f"read {age(self.feed.now() - self._read_at)} ago", "warn"))
        elif self._read_at is None:
            right.append(Cell("reading …", "dim"))
        return [Cell(self.subject(), "accent"), *tabs], right

    # ---- keys

    def show_tab(self, tab: str) -> None:
        """Show a tab."""
        self.tab = tab
        self.show_chrome()
        self._reload()

    def action_next_tab(self, step: int) -> None:
        """Show the next tab or the one before."""
        tabs = self.tabs
        self.show_tab(tabs[(tabs.index(self.tab) + step) % len(tabs)])

    def action_yaml(self) -> None:
        """Show the thing as YAML, or its first tab again."""
        self.show_tab(self.TABS[0] if self.tab == YAML_TAB else YAML_TAB)

    def action_find(self) -> None:
        """Open the find line."""
        line = self.query_one("#find", Input)
        line.display = True
        line.focus()

    @on(Input.Changed, "#find")
    def _find(self, event: Input.Changed) -> None:
        self.query_one(Document).search(event.value)

    @on(Input.Submitted, "#find")
    def _leave_find(self) -> None:
        self.query_one("#find", Input).display = False
        self.query_one(Document).focus()

    def action_next_match(self, step: int) -> None:
        """Go to another match."""
        self.query_one(Document).move_match(step)

    def action_copy(self) -> None:
        """Copy the text to the clipboard (OSC 52)."""
        text = self.query_one(Document).text
        self.app.copy_to_clipboard(text)
        self.console.say(f"copied {text.count(chr(10)) + 1} lines")

    def clear(self) -> bool:
        """End the search before leaving."""
        line, document = self.query_one("#find", Input), self.query_one(Document)
        if line.display or document.is_searching:
            line.value = ""
            line.display = False
            document.search("")
            document.focus()
            return True
        return super().clear()

    def ask_about(self, command: Command | None, refusal: str) -> None:
        """Ask for a verb on the thing, or say why there is nothing to ask for."""
        if command is not None:
            self.console.ask([command])
        else:
            self.console.say(refusal, role="warn")


class LinkedScreen(DocumentScreen):
    """A document whose lines lead to the things that they name."""

    def _make_text(self) -> Document:
        """Return the text."""
        return LinkedDocument(glyphs=self.console.glyphs, id="text")

    def _show_text(self, found: Lines | Linked, *, is_tail: bool, is_new: bool) -> None:
        """Show what was read, with a pointer where it names things."""
        self.query_one(LinkedDocument).link(found.links if isinstance(found, Linked) else {}, is_tail=is_tail, is_new=is_new)
        super()._show_text(found, is_tail=is_tail, is_new=is_new)

    @on(LinkedDocument.Opened)
    def _open_link(self, event: LinkedDocument.Opened) -> None:
        self.open_link(event.link)

    def open_link(self, link: Link | None) -> None:
        """Open what the line pointed at names; None = it names nothing."""
        if link is None:
            self.console.say("this line names nothing that can be opened", role="warn")
        else:
            self.console.drill(open_thing(link.kind, link.id))


class ThingDocument(LinkedScreen):
    """A thing of the fleet: described, why it is so, what happened to it, as YAML. Lines lead to the things they name."""

    HAS_YAML: ClassVar[bool] = True

    # ---- what a document fills in

    async def read_own(self, tab: str) -> Lines | Linked:
        """Return the lines of a tab that this kind of thing alone has. Raises FleetError."""
        raise NotImplementedError

    # ---- reading

    async def read(self, tab: str) -> Lines | Linked:
        """Read a tab."""
        if tab == "why":
            found: Mapping[str, Any] = await self.ask_engine("explain", kind=self.KIND, id=self.thing)
            named = {number: Link(fact["kind"], fact["id"]) for number, fact in enumerate(found["evidence"], WHY_HEAD)}
            here = Link(self.KIND, self.thing)
            return Linked(why_lines(found), {number: link for number, link in named.items() if link.kind and link != here})
        if tab == "timeline":
            return self._told(await self.ask_engine("timeline", id=self.thing))
        return await self.read_own(tab)

    def _told(self, rows: Sequence[Mapping[str, Any]]) -> Linked:
        """Return events as lines; each leads to the event in full."""
        return Linked(timeline(rows, self.console.glyphs), {number: Link("events", str(row["id"])) for number, row in enumerate(rows)})

    def link_of(self, word: str) -> Link | None:
        """Return the thing of the fleet that has a word for its id; None when the console knows of none."""
        tables = self.feed.tables
        return next((Link(kind, word) for kind in LINKED_KINDS if word in tables[kind]), None)

    def is_moving(self) -> bool:
        """Facts behind a why are of other things, too."""
        return self.tab == "why" and self._read_at is not None and self.feed.now() - self._read_at >= WHY_EVERY_S

    # ---- the chrome and its keys

    def action_describe(self) -> None:
        """Show the first tab."""
        self.show_tab(self.TABS[0])

    def action_why(self) -> None:
        """Show why it is as it is."""
        self.show_tab("why")

    def action_timeline(self) -> None:
        """Show what happened to it."""
        self.show_tab("timeline")

    def to_edit(self) -> tuple[str, str] | None:
        """Return kind and id of what is edited here; None when there is nothing."""
        return self.KIND, self.thing

    def _thing_to_edit(self) -> tuple[str, str] | None:
        thing = self.to_edit()
        if thing is None:
            self.console.say("there is nothing to edit here; `:policies` has all policies", role="warn")
        return thing

    def action_edit(self) -> None:
        """Edit it, in a form."""
        if (thing := self._thing_to_edit()) is not None:
            edit_thing(self, *thing)

    def action_edit_text(self) -> None:
        """Edit it as text, in an editor."""
        if (thing := self._thing_to_edit()) is not None:
            self.console.edit_text(*thing)

    def action_log(self) -> None:
        """Show the output of its task."""
        self.show_tab("log")
