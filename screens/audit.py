"""`:audit`: who asked for what, from where, why, what it changed and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from engine.model.rows import AuditRow
from screens.described import DescribedTable
from screens.present_rows import AUDIT_COLUMNS, audit_cells, columns_over
from screens.widgets.cells import Row as Cells
from screens.widgets.columns import Column


class AuditScreen(DescribedTable):
    """Lines of the audit, newest first; refusals too."""

    NAME: ClassVar[str] = "audit"
    TITLE: ClassVar[str] = "Audit"
    KIND: ClassVar[str] = "audit"
    NOUN: ClassVar[str] = "line"
    KINDS: ClassVar[tuple[str, ...]] = ("audit",)
    EMPTY: ClassVar[str] = "nobody asked for anything yet"
    SORT: ClassVar[tuple[str, bool]] = ("at", True)

    def columns(self) -> Sequence[Column]:
        """Return the columns."""
        return columns_over(AUDIT_COLUMNS, lambda: self.rows)

    def present_row(self, row: AuditRow, now: float) -> Cells:
        """Return the cells of a line."""
        return audit_cells(row, self.console.glyphs)
