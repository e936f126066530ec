"""The screen that every kind of row is shown on: marks, and verbs on what is marked or pointed at."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from textual import on

from engine.model.rows import Row
from engine.model.verbs import Command
from screens.table_view import TableView
from screens.widgets.cells import Cell
from screens.widgets.statusbar import Part
from screens.widgets.table import Table


class TableScreen(TableView):
    """Rows of one kind: marks, and verbs on what is marked or pointed at."""

    def open_row(self, row_id: str) -> None:
        """Drill into a row."""

    def heading(self) -> tuple[Sequence[Part], Sequence[Part]]:
        """Say also how many rows are marked."""
        left, right = super().heading()
        marked = self.table.marked_ids
        if marked:
            hidden = len(marked.difference(self.table.shown_ids))
            right = [Cell(f"{len(marked):,} marked" + (f", {hidden:,} of them hidden" if hidden else ""), "warn"), *right]
        return left, right

    def clear(self) -> bool:
        """Clear the filter, then the marks."""
        if super().clear():
            return True
        if not self.table.marked_ids:
            return False
        self.table.clear_marks()
        self.show_chrome()
        return True

    def chosen(self) -> list[Row]:
        """Return the marked rows that are shown, else the row pointed at; none where a key would act on what nobody saw."""
        rows, table = self.rows, self.table
        if table.marked_ids:
            marked = [rows[id_] for id_ in table.shown_ids if id_ in table.marked_ids and id_ in rows]
            if not marked:
                self.console.say(self.say_keys("all marked rows are hidden by the filter; {screen.back} clears it"), role="warn")
            return marked
        problem = table.settle()
        if problem:
            self.console.say(problem, role="warn")
            return []
        pointed = self.pointed()
        if pointed is None:
            self.console.say(f"there is no {self.NOUN} under the cursor", role="warn")
        return [pointed] if pointed is not None else []

    def pointed(self) -> Row | None:
        """Return the row pointed at."""
        return self.rows.get(self.table.pointed_id or "")

    def subjects(self) -> Sequence[Row]:
        """Return the chosen rows."""
        return self.chosen()

    def pool_in_view(self) -> str:
        """Return the pool that the row pointed at is, or belongs to."""
        row = self.pointed()
        return str(row.id if self.KIND == "pools" else getattr(row, "pool", "")) if row is not None else ""

    def ask_each(self, make: Callable[[Row], Command | None]) -> None:
        """Ask for one verb on each chosen row; rows for which make() gives None are left out."""
        rows = self.chosen()
        commands = [command for command in map(make, rows) if command is not None]
        if commands:
            self.console.ask(commands)
        elif rows:
            self.console.say(f"nothing to do here: this key is not for {'such rows' if len(rows) > 1 else f'this {self.NOUN}'} as they are", role="warn")

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
