"""The screen that every kind of row is shown on: filter, sort, marks, verbs on what is marked or pointed at."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar

from textual import on
from textual.widget import Widget
from textual.widgets import Input

from engine.model.commands import Command
from engine.model.rows import ROW_KINDS, Row
from screens.base import FleetScreen
from screens.feed import Changes
from screens.filters import FilterError, Test, parse_filter
from screens.widgets.cells import Cell
from screens.widgets.cells import Row as Cells
from screens.widgets.columns import Column
from screens.widgets.line import Line
from screens.widgets.statusbar import Part
from screens.widgets.table import Table


class TableScreen(FleetScreen):
    """Rows of one kind: filter, sort, marks, verbs on what is marked or pointed at."""

    KIND: ClassVar[str] = ""
    EMPTY: ClassVar[str] = "nothing here"
    SORT: ClassVar[tuple[str, bool]] = ("", False)
    """Column sorted by at first, and whether it is reversed."""

    def __init__(self, filter_text: str = "", scope: str = "") -> None:
        super().__init__()
        self.filter_text = filter_text
        self.scope_text = scope
        """A filter that Esc does not clear: what was drilled into."""
        self._test: Test | None = None
        self._filter_error = ""

    # ---- what a table fills in

    def columns(self) -> Sequence[Column]:
        """Return the columns; keys take a row's id."""
        raise NotImplementedError

    def present_row(self, row: Any, now: float) -> Cells:  # noqa: ANN401  # the screen's own kind of row
        """Return a row's cells, one for each column."""
        raise NotImplementedError

    def open_row(self, row_id: str) -> None:
        """Drill into a row."""

    # ---- the table

    @property
    def table(self) -> Table:
        """Return the table widget."""
        return self.query_one(Table)

    @property
    def rows(self) -> dict[str, Row]:
        """Return all rows of the kind, by id."""
        return self.feed.tables[self.KIND]

    def compose_body(self) -> Iterable[Widget]:
        """Yield the table and the filter line."""
        yield Table(self.columns(), empty=self.EMPTY, glyphs=self.console.glyphs, id="table")
        line = Line(placeholder="word  !not  -r regex  field=value  field>80  age<2h", id="filter", classes="command-line")
        line.display = False
        yield line

    def on_mount(self) -> None:
        """Restore what is remembered, then show the rows."""
        kept = self.console.settings_of(self.NAME)
        self.table.is_wide = bool(kept.get("wide", False))
        self._apply_filter(self.filter_text)
        column, is_reversed = kept.get("sort", self.SORT)
        if column in {known.id for known in self.table.columns}:
            self.table.sort_by(column, is_reversed=is_reversed)
        super().on_mount()
        self.table.focus()

    def refresh_rows(self, changes: Changes) -> None:
        """Show changed rows; every row when everything may have changed."""
        now, table, rows = self.feed.now(), self.table, self.rows
        self._show_empty()
        if changes.is_full:
            table.set_rows(list(rows), [self.present_row(row, now) for row in rows.values()])
            self._filter_table()
            return
        changed = {id_: rows[id_] for id_ in changes.changed.get(self.KIND, ()) if id_ in rows}
        for id_ in self._visible_ids():
            if id_ in rows:
                changed.setdefault(id_, rows[id_])
        table.update_rows({id_: self.present_row(row, now) for id_, row in changed.items()}, changes.removed.get(self.KIND, ()))
        if "age" in f"{self.scope_text} {self.filter_text}":
            self._filter_table()  # rows enter and leave a filter on time without changing

    def _visible_ids(self) -> Sequence[str]:
        """Return the ids on the screen, whose ages may have to be shown anew."""
        table = self.table
        top = table.scroll_offset.y
        return table.shown_ids[top : top + table.size.height]

    def heading(self) -> tuple[Sequence[Part], Sequence[Part]]:
        """Return title, scope and filter; and how many rows are shown and marked."""
        left: list[Part] = [Cell(self.TITLE, "accent")]
        if self.scope_text:
            left.append(self.scope_text)
        if self._filter_error:
            left.append(Cell(self._filter_error, "bad"))
        elif self.filter_text:
            left.append(Cell(f"/{self.filter_text}", "accent"))
        table = self.table
        right: list[Part] = []
        if table.marked_ids:
            right.append(Cell(f"{len(table.marked_ids)} marked", "warn"))
        if self.feed.status is None:
            return left, []  # how many there are is not known
        shown, there = len(table.shown_ids), len(self.rows)
        right.append(f"{shown} of {there}" if shown != there else str(there))
        if table.hidden_column_count and not table.is_wide:
            more = table.hidden_column_count
            right.append(Cell(f"{self.say_keys('{table.wide}: ')}{more} more column{'s' if more > 1 else ''}", "dim"))
        return left, right

    # ---- filter

    def _set_filter(self, text: str) -> None:
        """Filter the rows; a filter that cannot be read is shown as an error and filters nothing."""
        self._apply_filter(text)
        self._filter_table()
        self.show_chrome()

    def _apply_filter(self, text: str) -> None:
        self.filter_text = text.strip()
        self._filter_error = ""
        fields = ROW_KINDS[self.KIND]._fields
        try:
            self._test = parse_filter(f"{self.scope_text} {self.filter_text}", fields)
        except FilterError as error:
            self._filter_error = str(error)
            self._test = parse_filter(self.scope_text, fields) if self.scope_text else None

    def empty_text(self) -> str:
        """Return why no row is shown: not connected, filtered away, or there is none."""
        if self.feed.status is None:
            return self.feed.error or "connecting to the engine …"
        if self.rows and (self.filter_text or self.scope_text):
            return f"no row passes {self.scope_text} {self.filter_text}".strip() + (self.say_keys("; {screen.back} clears the filter") if self.filter_text else "")
        return self.say_keys(self.EMPTY)

    def _show_empty(self) -> None:
        text = self.empty_text()
        if text != self.table.empty:
            self.table.empty = text
            self.table.refresh()

    def _filter_table(self) -> None:
        self._show_empty()
        test, rows = self._test, self.rows
        if test is None or not (self.scope_text or self.filter_text):
            self.table.filter_by(None)
            return
        self.table.filter_by(lambda id_: id_ in rows and test(rows[id_], self.feed.now()))

    def action_filter(self) -> None:
        """Open the filter line."""
        line = self.query_one("#filter", Input)
        line.display = True
        line.value = self.filter_text
        line.cursor_position = len(line.value)
        self.set_focus(line)

    @on(Input.Changed, "#filter")
    def _take_filter(self, event: Input.Changed) -> None:
        if self.query_one("#filter", Input).display:
            self._set_filter(event.value)

    @on(Input.Submitted, "#filter")
    def _leave_filter(self) -> None:
        self.query_one("#filter", Input).display = False
        self.table.focus()

    def clear(self) -> bool:
        """Close the filter line, clear the filter, then the marks."""
        line = self.query_one("#filter", Input)
        if line.display:
            line.display = False
            self._set_filter("")
            self.table.focus()
        elif self.filter_text:
            self._set_filter("")
        elif self.table.marked_ids:
            self.table.clear_marks()
            self.show_chrome()
        else:
            return super().clear()
        return True

    # ---- marks, sorting, width

    def chosen(self) -> list[Row]:
        """Return the marked rows, else the row pointed at; empty when there is none."""
        rows = self.rows
        ids = [id_ for id_ in self.table.shown_ids if id_ in self.table.marked_ids]
        if not ids and self.table.pointed_id is not None:
            ids = [self.table.pointed_id]
        return [rows[id_] for id_ in ids if id_ in rows]

    def pointed(self) -> Row | None:
        """Return the row pointed at."""
        return self.rows.get(self.table.pointed_id or "")

    def pool_in_view(self) -> str:
        """Return the pool that the row pointed at is, or belongs to."""
        row = self.pointed()
        return str(row.id if self.KIND == "pools" else getattr(row, "pool", "")) if row is not None else ""

    def ask_each(self, make: Callable[[Row], Command | None]) -> None:
        """Ask for one verb on each chosen row; rows for which make() gives None are left out."""
        commands = [command for command in map(make, self.chosen()) if command is not None]
        if commands:
            self.console.ask(commands)
        else:
            self.console.say("nothing to do here: no row is chosen that this key is for", role="warn")

    def action_sort(self) -> None:
        """Sort by the next column."""
        ids = [column.id for column in self.table.columns]
        at = ids.index(self.table.sorted_by) if self.table.sorted_by in ids else -1
        self._sort_by(ids[(at + 1) % len(ids)], is_reversed=False)

    def action_invert_sort(self) -> None:
        """Turn the order round."""
        column = self.table.sorted_by or self.table.columns[0].id
        self._sort_by(column, is_reversed=not self.table.is_reversed)

    def _sort_by(self, column: str, *, is_reversed: bool) -> None:
        self.table.sort_by(column, is_reversed=is_reversed)
        self.console.settings_of(self.NAME)["sort"] = (column, is_reversed)

    @on(Table.Sorted)
    def _remember_sort(self, event: Table.Sorted) -> None:
        self.console.settings_of(self.NAME)["sort"] = (event.column_id, event.is_reversed)

    def action_wide(self) -> None:
        """Show every column, or only those that fit."""
        self.table.is_wide = not self.table.is_wide
        self.console.settings_of(self.NAME)["wide"] = self.table.is_wide
        self.show_chrome()

    @on(Table.Marked)
    def _show_marks(self) -> None:
        self.show_chrome()

    @on(Table.Opened)
    def _open(self, event: Table.Opened) -> None:
        self.open_row(event.row_id)

    def action_copy(self) -> None:
        """Copy the names of the chosen rows to the clipboard (OSC 52)."""
        names = [str(row[0]) for row in self.chosen()]
        if names:
            self.app.copy_to_clipboard("\n".join(names))
            self.console.say(f"copied {names[0]}" + (f" and {len(names) - 1} more" if len(names) > 1 else ""))


