"""Pure functions from rows to cells, badges and texts; no Textual app, no I/O, instants are passed in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from screens.widgets.cells import Cell
from screens.widgets.statusbar import Part

if TYPE_CHECKING:
    from screens.feed import Feed


def age(seconds: float) -> str:
    """Return a span in at most four characters: 0s, 59s, 3m, 2h, 4d."""
    whole = max(0, int(seconds))
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if whole >= size:
            return f"{whole // size}{unit}"
    return f"{whole}s"


def count(number: int) -> str:
    """Return a count in at most five characters: 999, 1.2k, 34k, 1.2M."""
    if number < 1_000:
        return str(number)
    for unit, size in (("M", 1_000_000), ("k", 1_000)):
        if number >= size:
            value = number / size
            return f"{value:.1f}{unit}" if value < 10 else f"{int(value)}{unit}"
    return str(number)


def context_parts(feed: Feed, *, paused: bool) -> tuple[Sequence[Part], Sequence[Part]]:
    """Return the context line: which fleet and how much of it, and whether what is shown is current."""
    status = feed.status
    if status is None:
        return ["fleet-tui", Cell(feed.error or "connecting to the engine …", "warn")], []
    busy = sum(status.agents.by_status.get(kind, 0) for kind in ("assigned", "busy", "draining"))
    tasks = status.tasks.by_state
    left: list[Part] = [
        Cell(status.name, "accent"),
        f"{count(status.agents.total)} agents {count(busy)} busy",
        f"{count(tasks.get('running', 0))} running {count(tasks.get('pending', 0))} waiting",
    ]
    bad = tasks.get("failed", 0) + tasks.get("dead", 0)
    if bad:
        left.append(Cell(f"{count(bad)} failed", "bad"))
    right: list[Part] = []
    if status.read_only:
        right.append(Cell(f"READ-ONLY {status.read_only}", "bad"))
    if paused:
        right.append(Cell("PAUSED", "warn"))
    stale = feed.stale_s()
    right.append(Cell(f"STALE {age(stale)}", "bad") if stale else Cell("LIVE", "good"))
    return left, right
