"""The filter of `:memory`: read here, so that faults and matches are marked, and applied by the engine.

Owner: the screen.
"""

from __future__ import annotations

from engine.model.filters import FilterError, read_terms
from screens.row_filter import RowFilter

NO_REGEX = "-r is not for memory: the engine looks through all entries, and one expression could keep it busy; use words, -f or fields"


class EntryFilter(RowFilter):
    """A scope and a filter without regular expressions."""

    def find_fault(self, text: str) -> FilterError | None:
        """Return what is wrong with a text, None if it is a filter."""
        fault = super().find_fault(text)
        if fault is None:
            wrong = next((placed for placed in read_terms(text) if placed.term.kind == "regex"), None)
            fault = FilterError(NO_REGEX, wrong.start, wrong.end) if wrong else None
        return fault

    @property
    def engine_scope(self) -> str:
        """Return the scope if it can be read, else none."""
        return "" if self.scope_fault is not None else self.scope
