"""A table of rows of one kind: which of them are shown, in which order and how wide; what is done with them is `tables`.

Owner: each view owns its filter, and the place that it is to be opened at until its rows have come.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

from textual import on
from textual.widget import Widget

from engine.model.rows import Row
from screens.base import FleetScreen
from screens.completion import Known, complete_filter
from screens.feed import Changes
from screens.pickers import SortPicker
from screens.places import Place
from screens.present import plural
from screens.prompts import Grammar, PromptBox
from screens.row_filter import RowFilter
from screens.widgets.cells import Cell
from screens.widgets.cells import Row as Cells
from screens.widgets.columns import Column
from screens.widgets.rows import Present
from screens.widgets.statusbar import Part
from screens.widgets.table import Table
from screens.widgets.table_lines import Sort, find_direction


class TableView(FleetScreen):
    """Rows of one kind: scope, filter, sort, width."""

    NOUN: ClassVar[str] = "row"
    """What one row is, for counts."""
    EMPTY: ClassVar[str] = "nothing here"
    SORT: ClassVar[tuple[str, bool]] = ("", False)
    """Column sorted by at first, and whether it is reversed."""

    def __init__(self, filter_text: str = "", scope: str = "", *, place: Place | None = None) -> None:
        super().__init__()
        self._place = place or Place(self.NAME, scope, filter_text)
        self._wanted_row = self._place.row_id
        self.filter = RowFilter(self.KIND, self._place.scope, self._place.filter_text)

    # ---- what a table fills in

    def columns(self) -> Sequence[Column]:
        """Return the columns; keys take a row's id."""
        raise NotImplementedError

    def present_row(self, row: Any, now: float) -> Cells:  # noqa: ANN401  # the screen's own kind of row
        """Return a row's cells, one for each column."""
        raise NotImplementedError

    # ---- the table

    @property
    def table(self) -> Table:
        """Return the table widget."""
        return self.query_one("#table", Table)

    @property
    def rows(self) -> dict[str, Row]:
        """Return all rows of the kind, by id."""
        return self.feed.tables[self.KIND]

    @property
    def filter_text(self) -> str:
        """The filter in force."""
        return self.filter.text

    @property
    def scope_text(self) -> str:
        """What was drilled into: a filter that Esc does not clear."""
        return self.filter.scope

    def compose_body(self) -> Iterable[Widget]:
        """Yield the table."""
        now, glyphs = self.feed.now, self.console.glyphs
        yield Table(self.columns(), empty=self.EMPTY, glyphs=glyphs, now=now, present=self._present, id="table")

    def _present(self, row_id: str) -> Cells:
        """Return the cells of a row; one that has gone since the last tick is empty until the next one takes it away."""
        row = self.rows.get(row_id)
        return self.present_row(row, self.feed.now()) if row is not None else ("",) * len(self.table.columns)

    def compose_prompts(self) -> Iterable[PromptBox]:
        """Yield the command line and the filter line."""
        yield from super().compose_prompts()
        known = Known(self.feed.tables)
        grammar = Grammar(lambda text: complete_filter(text, self.NAME, known), self.filter.find_fault, is_live=True)
        typed: list[str] = self._settings.setdefault("filters", [])
        words = "word  !not  -r regex  -f fuzzy  field=value  field>80  age<2h"
        yield PromptBox(grammar, typed, placeholder=words, glyphs=self.console.glyphs, id="filter")

    def on_mount(self) -> None:
        """Restore what is remembered, then show the rows."""
        table, kept = self.table, self._settings
        table.is_wide = bool(kept.get("wide", False))
        self._filter_table()
        column, is_reversed = self._place.sort or kept.get("sort", self.SORT)
        if column in {known.id for known in table.columns}:
            table.sort_by(column, is_reversed=is_reversed)
        super().on_mount()
        table.focus()

    def place(self) -> Place:
        """Return where somebody would come back to."""
        if not self.query("#table"):
            return self._place  # it is not laid out yet
        table = self.table
        sort = (table.sorted_by, table.is_reversed) if table.sorted_by else None
        return Place(self.NAME, self.scope_text, self.filter_text, self.console.context, sort, table.held_id or "")

    def refresh_rows(self, changes: Changes) -> None:
        """Show changed rows; every row when everything may have changed."""
        table, rows = self.table, self.rows
        self._show_empty()
        if changes.is_full:
            table.set_rows(list(rows))
            self._filter_table()
            self._point_as_wanted()
            return
        self.filter.forget(changes.removed.get(self.KIND, set()))
        show_changes(table, self.KIND, rows, changes, self._present)
        if self.filter.has_clock:
            self._filter_table()  # rows enter and leave a filter on time without changing

    def _point_as_wanted(self) -> None:
        """Point at the row that the place names, once it is there."""
        if self._wanted_row and self.rows:
            self.table.point_at(self._wanted_row)
            self._wanted_row = ""

    def _visible_ids(self) -> Sequence[str]:
        """Return the ids on the screen, whose ages may have to be shown anew."""
        return visible_ids(self.table)

    def heading(self) -> tuple[Sequence[Part], Sequence[Part]]:
        """Return title, scope and filter; and how many rows are shown and hidden."""
        left: list[Part] = [Cell(self.TITLE, "accent")]
        if self.filter.scope_fault is not None:
            left.append(Cell(f"{self.scope_text}: {self.filter.scope_fault}", "bad"))
        elif self.scope_text:
            left.append(self.scope_text)
        if self.filter_text:
            left.append(Cell(f"/{self.filter_text}", "accent"))
        if self.feed.status is None:
            return left, []  # how many there are is not known
        return left, self._counts()

    def _counts(self) -> list[Part]:
        table = self.table
        shown = len(table.shown_ids)
        parts: list[Part] = [plural(shown, self.NOUN)]
        hidden = self.filter.count(self.rows) - shown
        if hidden > 0:
            parts.append(f"{hidden:,} hidden")
        if table.hidden_column_count and not table.is_wide:
            parts.append(Cell(f"{self.say_keys('{table.wide}: ')}{plural(table.hidden_column_count, 'more column')}", "dim"))
        return parts

    # ---- filter

    def empty_text(self) -> str:
        """Return what to say when no row is shown: what is missing, filtered away, or that there is none."""
        if self.feed.status is None:
            return self.feed.error or "connecting to the engine …"
        if self.rows and not self.filter.is_all:
            return f"no {self.NOUN} passes {self.scope_text} {self.filter_text}".strip() + (self.say_keys("; {screen.back} clears the filter") if self.filter_text else "")
        return self.say_keys(self.EMPTY)

    def _show_empty(self) -> None:
        text = self.empty_text()
        if text != self.table.empty:
            self.table.empty = text
            self.table.refresh()

    def _filter_table(self) -> None:
        self._show_empty()
        filter_rows(self.table, self.filter, self.rows, self.feed.now)

    def _set_filter(self, text: str) -> None:
        """Filter the rows."""
        self.filter.type(text)
        self._filter_table()
        self.show_chrome()

    def action_filter(self) -> None:
        """Open the filter line."""
        self.query_one("#filter", PromptBox).open(self.filter_text)

    @on(PromptBox.Typed, "#filter")
    def _take_filter(self, event: PromptBox.Typed) -> None:
        self._set_filter(event.text)

    @on(PromptBox.Dropped, "#filter")
    def _drop_filter(self) -> None:
        self._set_filter("")

    def clear(self) -> bool:
        """Clear the filter before leaving."""
        if not self.filter_text:
            return super().clear()
        self._set_filter("")
        return True

    # ---- sort, width

    def action_sort(self) -> None:
        """Ask for a column to sort by."""
        table = self.table
        now = Sort(table.sorted_by, table.is_reversed)

        def sort(column: str | None) -> None:
            if column is not None:
                self._sort_by(column, is_reversed=find_direction(table.columns, now, column))

        self.app.push_screen(SortPicker(table.columns, now, glyphs=self.console.glyphs), sort)

    def action_invert_sort(self) -> None:
        """Turn the order round."""
        column = self.table.sorted_by or self.table.columns[0].id
        self._sort_by(column, is_reversed=not self.table.is_reversed)

    def _sort_by(self, column: str, *, is_reversed: bool) -> None:
        self.table.sort_by(column, is_reversed=is_reversed)
        self._settings["sort"] = (column, is_reversed)

    @on(Table.Sorted)
    def _remember_sort(self, event: Table.Sorted) -> None:
        self._settings["sort"] = (event.column_id, event.is_reversed)

    def action_wide(self) -> None:
        """Show every column, or only those that fit."""
        self.table.is_wide = not self.table.is_wide
        self._settings["wide"] = self.table.is_wide
        self.show_chrome()


def visible_ids(table: Table) -> Sequence[str]:
    """Return the ids of the rows on the screen."""
    top = table.scroll_offset.y
    return table.shown_ids[top : top + table.size.height]


def show_changes(table: Table, kind: str, rows: Mapping[str, Row], changes: Changes, present: Present) -> None:
    """Show rows of a kind that changed, and the ages of those on the screen."""
    changed: dict[str, Cells | None] = {id_: None for id_ in changes.changed.get(kind, ()) if id_ in rows}
    changed |= {id_: present(id_) for id_ in visible_ids(table) if id_ in rows}
    table.update_rows(changed, changes.removed.get(kind, set()))


def filter_rows(table: Table, filter_: RowFilter, rows: Mapping[str, Any], now: Callable[[], float]) -> None:
    """Show the rows that pass a filter, and mark what met it."""
    if filter_.is_all:
        table.filter_by(None)
        return
    marks = filter_.find_marks if filter_.has_marks else None
    table.filter_by(lambda id_: filter_.passes(id_, rows.get(id_), now()), filter_.select(rows, now()), marks)
