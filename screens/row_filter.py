"""Which rows of a table are shown: those of its scope that also pass the filter, as far as that can be read.

Owner: the screen whose table it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.model.fields import kind_of
from engine.model.filters import (
    Filter,
    FilterError,
    Span,
    Texts,
    format_terms,
    parse_filter,
    split_words,
)


class RowFilter:
    """A scope, which Esc does not take away, and a filter typed within it."""

    def __init__(self, kind: str, scope: str, text: str) -> None:
        self._kind = kind_of(kind)
        self._texts = Texts(self._kind)
        self.scope = ""
        self.scope_fault: FilterError | None = None
        self._scope = Filter()
        self._filter = Filter()
        self._in_scope: set[str] = set()
        self.narrow(scope)
        self.type(text)

    def narrow(self, scope: str) -> None:
        """Take another scope; one that cannot be read is no scope, and scope_fault says why."""
        self.scope = scope.strip()
        try:
            self._scope, self.scope_fault = parse_filter(self.scope, self._kind), None
        except FilterError as error:
            self._scope, self.scope_fault = Filter(), error

    def find_fault(self, text: str) -> FilterError | None:
        """Return what is wrong with a text, None if it is a filter."""
        try:
            parse_filter(text, self._kind)
        except FilterError as error:
            return error
        return None

    def type(self, text: str) -> None:
        """Take a filter; of one that cannot be read the words before the first wrong one."""
        fault = self.find_fault(text)
        if fault is not None:
            good = [start for _, start, end in split_words(text) if start <= fault.start < end]
            text = text[: good[0]] if good else ""
        self._filter = parse_filter(text.removesuffix("-r ").removesuffix("-f "), self._kind, self._texts)

    @property
    def text(self) -> str:
        """The filter in force, as it would be written."""
        return format_terms(self._filter.terms)

    @property
    def is_all(self) -> bool:
        """Whether every row passes."""
        return not self._scope.tests and not self._filter.tests

    @property
    def has_clock(self) -> bool:
        """Whether rows may come and go with time alone."""
        return self._scope.has_clock or self._filter.has_clock

    @property
    def has_marks(self) -> bool:
        """Whether parts of texts are worth a mark."""
        return bool(self._filter.patterns or self._filter.fuzzy)

    def find_marks(self, column: int, text: str) -> list[Span]:
        """Return what the filter met in the text of a cell; the first column holds the name."""
        return self._filter.find_marks(text, is_name=column == 0)

    def select(self, rows: Mapping[str, Any], now: float) -> list[str]:
        """Return the ids of the rows that pass now."""
        in_scope = self._scope.select(rows, rows, now)
        passed = self._filter.select(in_scope, rows, now) if self._filter.tests else in_scope
        self._in_scope = set(in_scope)
        return passed

    def passes(self, id_: str, row: object | None, now: float) -> bool:
        """Tell whether a row passes now; None is one that is gone."""
        is_in_scope = row is not None and self._scope.passes(row, now)
        (self._in_scope.add if is_in_scope else self._in_scope.discard)(id_)
        return is_in_scope and self._filter.passes(row, now)

    def forget(self, ids: set[str]) -> None:
        """Forget rows that are gone."""
        self._in_scope -= ids
        self._texts.forget(ids)

    def count(self, rows: Mapping[str, Any]) -> int:
        """Return how many rows the scope has."""
        return len(rows) if self.is_all else len(self._in_scope)
