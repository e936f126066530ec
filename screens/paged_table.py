"""A table of which only a part is here: it asks for more at its edges, and shows the order that the engine gave it.

Owner: as any table; which part it is, the screen knows.
"""

from __future__ import annotations

from collections.abc import Sequence

from screens.widgets.table import Table

MARGIN_SCREENS = 2
"""Rows beyond what is seen, in screens: with fewer of them left, more are asked for."""


class PagedTable(Table):
    """Rows in the order in which they came."""

    class EdgeWanted(Table.TableMessage):
        """Somebody goes to the first row of all (0), or to the last (-1)."""

        def __init__(self, table: Table, position: int) -> None:
            super().__init__(table)
            self.position = position

    def sort_by(self, column_id: str | None, *, is_reversed: bool = False) -> None:
        """Say by which column the rows are sorted that are shown next."""
        self.sorted_by, self.is_reversed = column_id, is_reversed
        self.refresh()

    def _action_edge(self, position: int) -> None:
        self.post_message(self.EdgeWanted(self, position))

    def go_to_edge(self, position: int) -> None:
        """Go to the first or the last row that is here."""
        super()._action_edge(position)

    def show_rows(self, ids: Sequence[str], *, added_above: int = 0) -> None:
        """Show these rows; what somebody looks at stays where it is when others came above it."""
        if list(self.shown_ids) == list(ids):
            self.update_rows(dict.fromkeys(ids))
            return
        top = self.scroll_offset.y
        self.set_rows(ids)
        if added_above and self.pointed_id is not None:
            self.scroll_to(y=top + added_above, animate=False, immediate=True, force=True)

    @property
    def rows_above(self) -> int:
        """Rows that are here above what is seen."""
        return int(self.scroll_offset.y)

    @property
    def rows_below(self) -> int:
        """Rows that are here below what is seen."""
        return len(self.shown_ids) - int(self.scroll_offset.y) - self.size.height

    @property
    def margin(self) -> int:
        """With fewer rows than this above or below, more are worth asking for."""
        return MARGIN_SCREENS * self.size.height
