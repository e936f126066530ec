"""A table whose rows are things with a document: described, why, timeline and YAML are its tabs."""

from __future__ import annotations

from engine.model.rows import Row
from screens.edits import edit_thing
from screens.tables import TableScreen
from screens.things import YAML_TAB, open_thing


class DescribedTable(TableScreen):
    """Opens the document of the row pointed at."""

    def open_row(self, row_id: str) -> None:
        """Describe the row."""
        self.console.drill(open_thing(self.KIND, row_id))

    def _open_tab(self, tab: str) -> None:
        if (row := self.pointed()) is not None:
            self.console.drill(open_thing(self.KIND, row.id, tab))
        else:
            self.console.say(f"there is no {self.NOUN} under the cursor", role="warn")

    def to_edit(self, row: Row) -> tuple[str, str] | None:
        """Return kind and id of what is edited for a row; None when there is nothing."""
        return self.KIND, row.id

    def _thing_to_edit(self) -> tuple[str, str] | None:
        row = self.pointed()
        thing = self.to_edit(row) if row is not None else None
        if thing is None:
            self.console.say(f"there is nothing to edit for this {self.NOUN}; `:policies` has all policies", role="warn")
        return thing

    def action_edit(self) -> None:
        """Edit what is pointed at, in a form."""
        if (thing := self._thing_to_edit()) is not None:
            edit_thing(self, *thing)

    def action_edit_text(self) -> None:
        """Edit what is pointed at as text, in an editor."""
        if (thing := self._thing_to_edit()) is not None:
            self.console.edit_text(*thing)

    def action_describe(self) -> None:
        """Describe the row pointed at."""
        self._open_tab("")

    def action_yaml(self) -> None:
        """Show it as YAML."""
        self._open_tab(YAML_TAB)

    def action_why(self) -> None:
        """Say why it is as it is, with the evidence."""
        self._open_tab("why")

    def action_timeline(self) -> None:
        """Show what happened to it."""
        self._open_tab("timeline")

    def action_log(self) -> None:
        """Show its output."""
        self._open_tab("log")
