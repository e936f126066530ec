"""Lists of entries in pages, in any order, forwards and backwards: what a console shows of a store that it never has all of.

Owner: nobody; functions that only read. Limits: LIST_MAX rows a page; one call looks at LOOKED_AT_MAX entries, and tells
where to go on.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from engine.memory.stored import encode_text, head_of
from engine.model.entry_rows import SORTS, EntryPage, EntryRow
from engine.model.errors import UsageError
from engine.model.filters import Filter
from engine.model.memory import WIDENING, Head
from engine.model.wire import decode, nearest

LIST_MAX = 1_000
LOOKED_AT_MAX = 20_000
"""Entries that one call looks at: about a tenth of a second, after which somebody else may read."""
NEVER = 1e18
"""What entries without an end sort as: after all others."""

_LEVELS = " ".join(f"WHEN '{level}' THEN {number}" for number, level in enumerate(WIDENING))
_EXPRESSIONS = {
    "key": "key",
    "owner": "owner_id",
    "namespace": "namespace",
    "level": f"CASE acl_level {_LEVELS} ELSE {len(WIDENING)} END",
    "kind": "kind",
    "size": "size",
    "version": "version",
    "writer": "writer",
    "created_at": "created_at",
    "updated_at": "updated_at",
    "expires_at": f"coalesce(expires_at, {NEVER})",
    "tags": "coalesce(json_extract(head, '$.tags'), '')",
}
_NAME = ("namespace", "owner_id", "key")
_COLUMNS = {"level": "acl_level", "kind": "kind"}
"""Fields whose values the table has in small letters, as filters compare them."""

Place = tuple[object, ...]
"""Where an entry stands in a list: what it is sorted by, and its name."""


@dataclass(frozen=True, slots=True)
class Listing:
    """Which part of a list is asked for."""

    sort: str = ""
    """A field of SORTS; empty = by namespace, owner and key."""
    is_reversed: bool = False
    after: str = ""
    """A cursor of a page before; empty = from the start."""
    limit: int = 200
    is_inclusive: bool = False
    """Whether the page begins with the very row that the cursor stands for, if it is still there."""

    def check(self) -> None:
        """Raise UsageError for what cannot be listed."""
        if self.sort and self.sort not in SORTS:
            raise UsageError(f"entries cannot be sorted by {self.sort!r}{nearest(self.sort, set(SORTS))}; {', '.join(SORTS)} can")
        if not 0 < self.limit <= LIST_MAX:
            raise UsageError(f"limit is {self.limit}; give 1 to {LIST_MAX}")
        _place_of(self)


def read_page(connection: sqlite3.Connection, listing: Listing, wanted: Filter, row_of: Callable[[Head], EntryRow | None], now: float) -> EntryPage:
    """Return the entries that pass a filter, of those that row_of() has a row for. Raises UsageError."""
    rows: list[EntryRow] = []
    places: list[Place] = []
    last: Place = ()
    for looked_at, (head, value) in enumerate(_scan(connection, listing, wanted, now)):
        if len(rows) == listing.limit or looked_at == LOOKED_AT_MAX:
            is_cut = len(rows) < listing.limit
            return EntryPage(tuple(rows), _ends(places), is_more=True, looked_at=_cursor(last) if is_cut else "")
        last = _place(listing, head, value)
        row = row_of(head)
        if row is not None and wanted.passes(row, now):
            rows.append(row)
            places.append(last)
    return EntryPage(tuple(rows), _ends(places), is_more=False, looked_at="")


def _place(listing: Listing, head: Head, value: object) -> Place:
    return (value, *head.id) if listing.sort else tuple(head.id)


def _cursor(place: Place) -> str:
    return encode_text(list(place))


def _ends(places: Sequence[Place]) -> tuple[str, ...]:
    return (_cursor(places[0]), _cursor(places[-1])) if places else ()


def _scan(connection: sqlite3.Connection, listing: Listing, wanted: Filter, now: float) -> Iterator[tuple[Head, object]]:
    """Yield entries in order, with what they are sorted by: first as many as a page takes, since most lists are not filtered."""
    at = _place_of(listing)
    is_inclusive = listing.is_inclusive
    for count in (listing.limit + 1, LOOKED_AT_MAX + 1):
        found = 0
        for text, value in _rows(connection, replace(listing, is_inclusive=is_inclusive), wanted, (at, count, now)):
            head = head_of(text)
            at = _place(listing, head, value)
            found += 1
            yield head, value
        if found < count:
            return
        is_inclusive = False


def _rows(connection: sqlite3.Connection, listing: Listing, wanted: Filter, part: tuple[Place, int, float]) -> sqlite3.Cursor:
    at, count, now = part
    expression = _EXPRESSIONS[listing.sort] if listing.sort else ""
    order = (expression, *_NAME) if expression else _NAME
    direction, beyond = (" DESC", "<") if listing.is_reversed else ("", ">")
    beyond += "=" * listing.is_inclusive
    texts, values = "", list[object]()
    if at:
        texts = f" AND ({', '.join(order)}) {beyond} ({', '.join('?' * len(order))})"
        values += at
    for column, several in _equalities(wanted):
        texts += f" AND {column} IN ({', '.join('?' * len(several))})"
        values += several
    sql = (
        f"SELECT head, {expression or 'NULL'} FROM memory WHERE deleted = 0 AND (expires_at IS NULL OR expires_at > ?){texts} "
        f"ORDER BY {', '.join(f'{column}{direction}' for column in order)} LIMIT ?"
    )
    return connection.execute(sql, (now, *values, count))


def _equalities(wanted: Filter) -> Iterator[tuple[str, Sequence[str]]]:
    """Return what of a filter the table itself can tell; the rows are asked for all of it."""
    for term in wanted.terms:
        if term.kind == "compare" and term.operator == "=" and not term.is_negated and term.field in _COLUMNS:
            yield _COLUMNS[term.field], [value.lower() for value in term.values]


def _place_of(listing: Listing) -> Place:
    """Return the sort's value and the name that a cursor holds; nothing for the start. Raises UsageError."""
    if not listing.after:
        return ()
    found = decode(listing.after)
    size = len(_NAME) + bool(listing.sort)
    if not isinstance(found, list) or len(found) != size or not all(isinstance(part, str | int | float) for part in found):
        raise UsageError("after is no cursor of a page that was sorted so; begin without it")
    return tuple(found)
