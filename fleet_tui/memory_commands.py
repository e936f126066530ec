"""`fleet-tui memory`: the entries that I may read, the value of one of them, its history, or what a search finds.

Owner: nobody; functions only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.model.wire import to_plain
from fleet_tui import output
from fleet_tui.acts import operator_at
from fleet_tui.attach import require_address

if TYPE_CHECKING:
    from fleet_tui.settings import Paths

COLUMNS = ("KEY", "OWNER", "NAMESPACE", "LEVEL", "KIND", "SIZE", "VERSION", "CHANGED", "EXPIRES", "TAGS")
FOUND = ("KEY", "OWNER", "NAMESPACE", "LEVEL", "KIND", "SCORE", "BY", "CHANGED", "SNIPPET")
VERSIONS = ("RECORD", "VERSION", "CHANGED", "WRITER", "LEVEL", "SIZE", "WHAT")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which entries, and in which form."""

    key: str
    history: bool
    form: str
    only: dict[str, object]
    """Parameters of the query that were given."""


def show(paths: Paths, wanted: Wanted) -> None:
    """Print entries, a value or a history. Raises FleetError."""
    if not wanted.key:
        rows = asyncio.run(_ask(paths, "memory", wanted.only))
        _print(rows, wanted.form, entries_table)
    elif wanted.history:
        rows = asyncio.run(_ask(paths, "entry-history", {**wanted.only, "key": wanted.key}))
        _print(rows, wanted.form, history_table)
    else:
        entry = asyncio.run(_ask(paths, "entry", {**wanted.only, "key": wanted.key}))
        output.print_json(entry if wanted.form == "json" else entry["value"])


def search(paths: Paths, asked: dict[str, object], form: str) -> None:
    """Print what a search finds. Raises FleetError."""
    _print(asyncio.run(_ask(paths, "memory-search", asked)), form, found_table)


def totals(paths: Paths, form: str) -> None:
    """Print how much there is of everything. Raises FleetError."""
    found = asyncio.run(_ask(paths, "memory-figures", {}))
    if form == "json":
        output.print_json(found)
    else:
        output.print_lines(totals_lines(found))


def totals_lines(found: dict[str, Any]) -> Iterator[str]:
    """Return figures of memory as lines."""
    kinds, cache, tidied = found["kinds"], found["cache"], found["since_start"]
    yield from aligned(("KIND", "ENTRIES", "BYTES"), [(kind, f"{kinds[kind]['entries']:,}", f"{kinds[kind]['bytes']:,}") for kind in sorted(kinds)])
    yield f"tombstones: {found['tombstones']:,}; entries in conflict: {found['conflicts']:,}"
    yield f"since the engine started: {tidied['expired']:,} entries expired, {tidied['purged']:,} tombstones forgotten"
    asked = cache["hits"] + cache["misses"]
    yield f"first cache: {cache['hit_rate']:.0%} of {asked:,} reads" if asked else "first cache: nothing was read yet"


async def _ask(paths: Paths, what: str, parameters: dict[str, object]) -> Any:  # noqa: ANN401  # plain values
    async with operator_at(require_address(paths)) as operator:
        return to_plain(await operator.query(what, **parameters))


def _print(rows: list[dict[str, Any]], form: str, table: Any) -> None:  # noqa: ANN401  # one of those below
    if form == "json":
        output.print_json(rows)
    else:
        output.print_lines(table(rows))


def entries_table(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Return entries as lines under a heading; one line when there is none."""
    if not rows:
        yield "no entry that you may read"
        return
    yield from aligned(COLUMNS, [_entry_cells(row) for row in rows])


def history_table(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Return the versions of an entry as lines, newest first."""
    yield from aligned(VERSIONS, [_version_cells(row) for row in rows])


def found_table(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Return what a search found as lines, best first; one line when it found nothing."""
    if not rows:
        yield "nothing found among the entries that you may read"
        return
    yield from aligned(FOUND, [_found_cells(row) for row in rows])


def _found_cells(row: dict[str, Any]) -> list[str]:
    words = [str(row[name]) for name in ("key", "owner", "namespace", "level", "kind")]
    return [*words, f"{row['score']:.4f}", "+".join(row["by"]), output.instant(row["updated_at"]), row["snippet"]]


def _entry_cells(row: dict[str, Any]) -> list[str]:
    expires = output.instant(row["expires_at"]) if row["expires_at"] else "never"
    words = [str(row[name]) for name in ("key", "owner", "namespace", "level", "kind", "size", "version")]
    return [*words, output.instant(row["updated_at"]), expires, " ".join(row["tags"])]


def _version_cells(row: dict[str, Any]) -> list[str]:
    what = "deleted" if row["is_deleted"] else "stored" if "value" in row else "permitted, or too large to show"
    words = [str(row[name]) for name in ("record", "version")]
    return [*words, output.instant(row["at"]), row["writer"], row["level"], str(row["size"]), what]


def aligned(heading: Sequence[str], lines: Sequence[Sequence[str]]) -> Iterator[str]:
    """Return a heading and lines with their columns one below the other."""
    cells = [heading, *([output.clean(cell) for cell in line] for line in lines)]
    widths = [max(output.width(line[column]) for line in cells) for column in range(len(heading))]
    for line in cells:
        yield "  ".join(output.pad(cell, size, right=False) for cell, size in zip(line, widths, strict=True)).rstrip()
