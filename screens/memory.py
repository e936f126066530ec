"""`:memory`: what the fleet remembers, of any size: the engine filters and sorts, the console has the pages around what is seen.

Owner: the screen owns its window on the list and what it is about to ask for. One question is under way at a time; while
the store changes, at most a tenth of the time is spent on reading it again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum, auto
from typing import ClassVar, cast

from textual import on
from textual.widget import Widget

from engine.model.entry_rows import EntryPage, EntryRow, name_of
from engine.model.errors import FleetError
from engine.model.memory_commands import ForgetEntry, RememberEntry, RestoreEntry
from engine.model.rows import Row
from engine.model.verbs import Command
from engine.model.wire import convert
from screens.entry_filter import EntryFilter
from screens.entry_forms import edit_value, permit
from screens.entry_window import MARKED_MAX, PAGE, Window, joined
from screens.feed import Changes
from screens.forms import VerbForm, ask_by
from screens.memory_found import FoundDetails
from screens.paged_table import PagedTable
from screens.places import Place
from screens.present import plural
from screens.present_memory import ENTRY_COLUMNS, SORTED_BY, entry_cells, hit_rates
from screens.prompts import Grammar, PromptBox
from screens.tables import TableScreen
from screens.things import open_thing
from screens.widgets.cells import Cell
from screens.widgets.cells import Row as Cells
from screens.widgets.columns import Column
from screens.widgets.statusbar import Part
from screens.widgets.table import Table

SHARE_OF_TIME = 0.1
"""Most of the time that reading again may take."""
ROOMY_WIDTH = 100
"""Columns from which the heading has room for how the caches do."""


class Wish(Enum):
    """What is to be read next."""

    BEGIN = auto()
    END = auto()
    ABOVE = auto()
    BELOW = auto()
    AGAIN = auto()


_ANEW = (Wish.BEGIN, Wish.END)


class MemoryScreen(TableScreen):
    """Entries that the operator may know of."""

    NAME: ClassVar[str] = "memory"
    TITLE: ClassVar[str] = "Memory"
    KIND: ClassVar[str] = "memory"
    NOUN: ClassVar[str] = "entry"
    EMPTY: ClassVar[str] = "nothing is remembered that you may know of; {memory.remember} stores something"

    def __init__(self, filter_text: str = "", scope: str = "", *, place: Place | None = None) -> None:
        super().__init__(filter_text, scope, place=place)
        self.filter: EntryFilter = EntryFilter(self.KIND, self.scope_text, self.filter_text)
        self._window = Window()
        self._wish: Wish | None = None
        self._is_reading = False
        self._is_read = False
        """Whether anything came yet, since the list was last asked for anew."""
        self._is_outdated = False
        self._read_at = 0.0
        self._took_s = 0.0
        self._problem = ""
        self._goes_first = False
        """Whether somebody asked for the first row of all, wherever they are."""

    # ---- the table

    @property
    def rows(self) -> dict[str, Row]:
        """Return the entries that are here."""
        return cast("dict[str, Row]", self._window.rows)

    @property
    def paged(self) -> PagedTable:
        """Return the table widget."""
        return self.query_one("#table", PagedTable)

    def columns(self) -> Sequence[Column]:
        """Return the columns."""
        return ENTRY_COLUMNS

    def compose_body(self) -> Iterable[Widget]:
        """Yield the table."""
        now, glyphs = self.feed.now, self.console.glyphs
        yield PagedTable(self.columns(), empty=self.EMPTY, glyphs=glyphs, now=now, present=self._present, id="table")

    def present_row(self, row: EntryRow, now: float) -> Cells:
        """Return an entry's cells."""
        return entry_cells(row, now, self.console.glyphs)

    def compose_prompts(self) -> Iterable[PromptBox]:
        """Yield also the line for what is looked for in contents."""
        yield from super().compose_prompts()
        asked: list[str] = self._settings.setdefault("searches", [])
        grammar = Grammar(lambda _text: [], lambda _text: None)
        words = 'words of keys, tags and values; all of them, "together" in quotes'
        yield PromptBox(grammar, asked, placeholder=words, glyphs=self.console.glyphs, id="search")

    @on(PromptBox.Taken, "#search")
    def _search(self, event: PromptBox.Taken) -> None:
        if event.text.strip():
            self.console.drill(FoundDetails(event.text.strip()))

    def action_search(self) -> None:
        """Ask for words to look for in what is remembered."""
        self.query_one("#search", PromptBox).open("")

    def refresh_rows(self, changes: Changes) -> None:
        """Read again when something was stored, deleted or permitted; ages grow by themselves."""
        touched = changes.is_full or any(event.type.startswith("memory.") for event in changes.events)
        self._is_outdated = self._is_outdated or touched or self.filter.has_clock or bool(self._problem)
        self._show_empty()
        now = self.feed.now()
        if self._is_outdated and not self._is_reading and now - self._read_at >= self._took_s / SHARE_OF_TIME:
            self._want(Wish.AGAIN if self._is_read else Wish.BEGIN)
        table = self.paged
        table.update_rows({id_: self.present_row(cast("EntryRow", self.rows[id_]), now) for id_ in self._visible_ids() if id_ in self.rows})
        self._want_more()

    def heading(self) -> tuple[Sequence[Part], Sequence[Part]]:
        """Say also when what is shown could not be read."""
        left, right = super().heading()
        if self._problem and self.rows:
            left = [*left, Cell(self._problem, "bad")]
        return left, right

    def _hit_rates(self) -> list[Part]:
        """Return what share of reads each cache answered, where there is room for it."""
        status = self.feed.status
        text = hit_rates(status.layers) if status is not None else ""
        return [Cell(text, "dim")] if text and self.size.width >= ROOMY_WIDTH else []

    def _counts(self) -> list[Part]:
        window, parts = self._window, self._hit_rates()
        if self._is_read:
            sides = [word for word, there in (("above", window.has_before), ("below", window.has_after)) if there]
            more = f", more {' and '.join(sides)}" if sides else ""
            parts.append(f"{plural(len(window.rows), self.NOUN)}{more}")
        elif self._is_reading:
            parts.append(Cell("looking …", "dim"))
        hidden = self.table.hidden_column_count
        if hidden and not self.table.is_wide:
            parts.append(Cell(f"{self.say_keys('{table.wide}: ')}{plural(hidden, 'more column')}", "dim"))
        return parts

    def empty_text(self) -> str:
        """Return what to say when no entry is shown."""
        if self._problem:
            return self._problem
        if self.feed.status is None or not self._is_read:
            return "reading …" if self.feed.status is not None else self.feed.error or "connecting to the engine …"
        if not self.filter.is_all:
            return f"no entry passes {self.scope_text} {self.filter_text}".replace("  ", " ") + (self.say_keys("; {screen.back} clears the filter") if self.filter_text else "")
        return self.say_keys(self.EMPTY)

    # ---- filter and sort: the engine's

    def _filter_table(self) -> None:
        self.table.filter_by(None, None, self.filter.find_marks if self.filter.has_marks else None)
        self._want(Wish.BEGIN)

    def _sort_by(self, column: str, *, is_reversed: bool) -> None:
        super()._sort_by(column, is_reversed=is_reversed)
        self._want(Wish.BEGIN)

    @on(Table.Sorted)
    def _read_sorted(self) -> None:
        self._want(Wish.BEGIN)

    def _order(self, *, backwards: bool) -> dict[str, object]:
        """Return sort and direction as the engine takes them."""
        column = self.table.sorted_by or ""
        field, is_turned = SORTED_BY.get(column, (column, False))
        return {"sort": field, "reverse": (self.table.is_reversed and bool(column)) ^ is_turned ^ backwards}

    # ---- reading

    def _want(self, wish: Wish) -> None:
        """Read something next; a list that is begun anew needs nothing else."""
        if self._wish is None or wish in _ANEW:
            self._wish = wish
        if not self._is_reading and self.feed.status is not None:
            self._is_reading = True
            self.run_worker(self._read(), group="entries", exit_on_error=False)

    async def _read(self) -> None:
        try:
            while self._wish is not None:
                wish, self._wish = self._wish, None
                began = self.feed.now()
                await self._fulfil(wish)
                self._read_at, self._problem = self.feed.now(), ""
                self._took_s = self._read_at - began
        except FleetError as error:
            self._problem = str(error)
            self._read_at = self.feed.now()
        finally:
            self._is_reading = False
        if self.is_attached:
            self._show_empty()
            self.show_chrome()

    async def _fulfil(self, wish: Wish) -> None:
        window, table = self._window, self.paged
        if wish is Wish.BEGIN:
            self._is_read = self._is_outdated = False
            held = table.held_id
            await self._page("", window.begin)
            if self._is_read and (held not in window.rows or self._goes_first):
                table.go_to_edge(0)
            self._goes_first = False
        elif wish is Wish.END:
            await self._page("", window.end_with, backwards=True)
            table.go_to_edge(-1)
        elif wish is Wish.AGAIN:
            self._is_outdated = False
            await self._read_again()
        elif wish is Wish.BELOW and window.has_after:
            await self._page(window.last, lambda page: window.append(page, keeps_all=bool(table.marked_ids)))
        elif wish is Wish.ABOVE and window.has_before:
            await self._page(window.first, self._prepend, backwards=True)

    def _prepend(self, page: EntryPage) -> None:
        added = self._window.prepend(page, keeps_all=bool(self.table.marked_ids))
        self.paged.show_rows(list(self._window.rows), added_above=added)

    async def _page(self, after: str, take: Callable[[EntryPage], object], *, backwards: bool = False) -> None:
        """Read one page and show it, unless another list is wanted by then."""
        page = await self._ask_whole(after, backwards=backwards)
        if self._wish not in _ANEW and self.is_attached:
            take(page)
            self._is_read = True
            self.paged.show_rows(list(self._window.rows))

    async def _ask_whole(self, after: str, *, backwards: bool = False, is_inclusive: bool = False) -> EntryPage:
        """Return a page in as many pieces as the engine gives it: it looks at so many entries at a time."""
        pages: list[EntryPage] = []
        while not pages or (pages[-1].looked_at and self._wish not in _ANEW):
            missing = PAGE - sum(len(page.rows) for page in pages)
            how = {**self._order(backwards=backwards), "inclusive": is_inclusive and not pages}
            pages.append(await self._ask(pages[-1].looked_at if pages else after, missing, how))
        return joined(pages)

    async def _ask(self, after: str, limit: int, how: Mapping[str, object]) -> EntryPage:
        terms = f"{self.filter.engine_scope} {self.filter_text}".strip()
        found = await self.feed.operator.query("entries", filter=terms, after=after, limit=limit, **how)
        return convert(found, EntryPage)

    async def _read_again(self) -> None:
        """Read all that is here again, as it is by now."""
        window, fresh = self._window, Window()
        has_before, wanted = window.has_before and bool(window.rows), len(window.rows)
        page = await self._ask_whole(window.first if has_before else "", is_inclusive=has_before)
        fresh.begin(page, has_before=has_before)
        while fresh.has_after and len(fresh.rows) < wanted and self._wish not in _ANEW:
            fresh.append(await self._ask_whole(fresh.last), keeps_all=True)
        if self._wish not in _ANEW and self.is_attached:
            self._window = fresh
            self.paged.show_rows(list(fresh.rows))

    @on(Table.Pointed)
    def _want_more(self) -> None:
        """Ask for what comes next before anybody gets there."""
        if not self._is_read or self._wish is not None:
            return
        table, window = self.paged, self._window
        if table.marked_ids and len(window.rows) >= MARKED_MAX:
            return
        if window.has_after and table.rows_below < table.margin:
            self._want(Wish.BELOW)
        elif window.has_before and table.rows_above < table.margin:
            self._want(Wish.ABOVE)

    @on(PagedTable.EdgeWanted)
    def _go_to_edge(self, event: PagedTable.EdgeWanted) -> None:
        is_here = not (self._window.has_after if event.position else self._window.has_before)
        if is_here:
            self.paged.go_to_edge(event.position)
        elif self.table.marked_ids:
            self.console.say("that would take the marked rows out of view: clear the marks first", role="warn")
        else:
            self._goes_first = not event.position
            self._want(Wish.END if event.position else Wish.BEGIN)

    # ---- verbs

    def open_row(self, row_id: str) -> None:
        """Show the entry."""
        self.console.drill(open_thing("memory", row_id))

    def action_describe(self) -> None:
        """Show the entry pointed at."""
        if (row := self.pointed()) is not None:
            self.open_row(row.id)

    def action_yaml(self) -> None:
        """Show it as YAML."""
        if (row := self.pointed()) is not None:
            self.console.drill(open_thing("memory", row.id, "yaml"))

    def action_forget(self) -> None:
        """Ask to delete the chosen entries."""
        self.ask_each(lambda row: forget_of(cast("EntryRow", row)))

    def action_restore(self) -> None:
        """Ask to give the chosen entries back what they were before their last change."""
        self.ask_each(lambda row: restore_of(cast("EntryRow", row)))

    def action_remember(self) -> None:
        """Ask for a value to store, in a form."""
        ask_by(self, VerbForm(RememberEntry, self.feed.tables))

    def action_permit(self) -> None:
        """Ask who may use the chosen entries, in a form that begins as the first of them is."""
        rows = [cast("EntryRow", row) for row in self.chosen()]
        if rows:
            permit(self, rows)

    def action_edit(self) -> None:
        """Edit the entry pointed at, in a form."""
        if (row := self.pointed()) is not None:
            edit_value(self, cast("EntryRow", row))

    def action_edit_text(self) -> None:
        """Edit its value as text, in an editor."""
        if (row := self.pointed()) is not None:
            self.console.edit_text("memory", row.id)

    def action_copy(self) -> None:
        """Copy the names of the chosen entries to the clipboard (OSC 52)."""
        names = [name_of(cast("EntryRow", row)) for row in self.chosen()]
        if names:
            self.app.copy_to_clipboard("\n".join(names))
            self.console.say(f"copied {names[0]}" + (f" and {len(names) - 1} more" if len(names) > 1 else ""))


def forget_of(row: EntryRow) -> Command | None:
    """Return the verb that deletes an entry; None for whoever may not."""
    return ForgetEntry(row.key, namespace=row.namespace, owner=row.owner_id) if row.may_delete else None


def restore_of(row: EntryRow) -> Command | None:
    """Return the verb that takes an entry's last change back; None where there is nothing before it, or for whoever may not."""
    if not row.previous or not row.may_write:
        return None
    return RestoreEntry(row.key, row.previous, row.record, row.namespace, row.owner_id)
