"""Regions as cells and lines: pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from engine.model.region_rows import CUT_OFF, DOWN, HEALTHY, SILENT, UNKNOWN, RegionRow, trips_of
from screens.present import REGION_BADGES, age, badge, duration, number_cell, plural, unknown
from screens.present_rows import Sorted
from screens.present_text import Lines, field_line
from screens.widgets.cells import Cell, Glyphs
from screens.widgets.cells import Row as Cells
from screens.widgets.columns import Column, right

ORDER = {DOWN: 0, CUT_OFF: 1, SILENT: 2, UNKNOWN: 3, HEALTHY: 4}
NAME_WIDTH, TRIP_WIDTH = 18, 16
NEVER_S = 1e9
REGION_COLUMNS: tuple[Sorted, ...] = (
    (Column("region", "region", width_min=14, width_max=24, flex=1), lambda r: r.id),
    (Column("health", "health", width_min=10), lambda r: (ORDER.get(r.health, len(ORDER)), r.id)),
    (Column("home", "lives at", width_min=14, width_max=24, priority=1), lambda r: r.home),
    (right("lag", "lag", 6, 1), lambda r: -1 if r.lag_s is None else r.lag),
    (right("p50", "median", 7, 0), lambda r: NEVER_S if r.rtt_s is None else r.rtt_s),
    (right("p99", "p99", 7, 1), lambda r: NEVER_S if r.rtt_p99_s is None else r.rtt_p99_s),
    (right("waiting", "waiting", 7, 1), lambda r: r.waiting),
    (right("free", "free", 5, 2), lambda r: r.free),
    (right("cost", "cost", 5, 3), lambda r: r.cost),
    (Column("residency", "residency", width_min=9, width_max=20, flex=1, priority=2), lambda r: r.residency),
    (Column("location", "location", width_min=10, width_max=24, flex=1, priority=4), lambda r: r.location),
    (Column("console", "console", width_min=7, priority=3), lambda r: not r.is_own),
    (Column("reason", "why", width_min=12, flex=3, priority=5), lambda r: r.reason),
)


def trip_text(seconds: float) -> str:
    """Return a round trip in at most seven characters: 0.31ms, 9.4ms, 81ms, 1.2s."""
    if seconds >= 1:
        return duration(seconds)
    milliseconds = 1_000 * seconds
    return f"{milliseconds:.2f}ms" if milliseconds < 1 else f"{milliseconds:.1f}ms" if milliseconds < 10 else f"{milliseconds:.0f}ms"


def region_cells(row: RegionRow, glyphs: Glyphs) -> Cells:
    """Return the cells of a region."""
    is_heard = bool(row.heard_at)
    return (
        row.id,
        badge(REGION_BADGES, row.health, glyphs),
        _home(row, glyphs),
        _lag(row, glyphs),
        _trip(row.rtt_s, row, glyphs),
        _trip(row.rtt_p99_s, row, glyphs),
        number_cell(row.waiting) if is_heard else unknown(glyphs),
        number_cell(row.free) if is_heard else unknown(glyphs),
        f"{row.cost:g}",
        row.residency or Cell("any", "dim"),
        row.location,
        Cell("here" if row.is_own else "", "dim"),
        Cell(row.reason, "warn"),
    )


def _trip(seconds: float | None, row: RegionRow, glyphs: Glyphs) -> Cell | str:
    """Return a round trip; one that is not measured any more steps back."""
    if seconds is None:
        return unknown(glyphs)
    return Cell(trip_text(seconds), "" if row.health in (HEALTHY, SILENT) else "dim")


def _home(row: RegionRow, glyphs: Glyphs) -> Cell | str:
    """Return whose server a region lives at; its own steps back."""
    return Cell(row.home, "dim" if row.home == row.id else "warn") if row.home else unknown(glyphs)


def _lag(row: RegionRow, glyphs: Glyphs) -> Cell | str:
    return unknown(glyphs) if row.lag_s is None else number_cell(row.lag, "warn")


def _replica(row: RegionRow) -> str:
    """Return how the replica here is."""
    if row.lag_s is None:
        return "none that this engine keeps"
    return f"lacks {plural(row.lag, 'record')}, had all {duration(row.lag_s)} ago" if row.lag else "has all records that there were when it was last looked"


def region_info(row: RegionRow, now: float, glyphs: Glyphs) -> Lines:
    """Return what a region is and how it is."""
    trips = f"median {trip_text(row.rtt_s)}, p99 {trip_text(row.rtt_p99_s or 0)}, over {row.probes:,} probes" if row.rtt_s is not None else unknown(glyphs)
    return [
        field_line("health", badge(REGION_BADGES, row.health, glyphs), row.reason),
        field_line("lives at", f"{row.home}, by its epoch {row.epoch}" if row.home else unknown(glyphs)),
        field_line("replica", _replica(row)),
        field_line("round trip", trips),
        *([field_line("answered", f"{age(now - row.measured_at)} ago")] if row.measured_at and row.health != HEALTHY else []),
        *([field_line("heard", f"{age(now - row.heard_at)} ago" if row.heard_at else "never")] if row.health != HEALTHY else []),
        field_line("leader", row.engine or unknown(glyphs)),
        field_line("journal", f"{row.seq:,} records" if row.heard_at else unknown(glyphs)),
        field_line("waiting", str(row.waiting) if row.heard_at else unknown(glyphs)),
        field_line("free", f"{row.free} agents" if row.heard_at else unknown(glyphs)),
        field_line("cost", f"{row.cost:g} times that of a region of cost 1"),
        field_line("residency", row.residency or "nothing that is bound to a place"),
        field_line("location", row.location or unknown(glyphs)),
        field_line("console", "it is the region that this console asks" if row.is_own else "this console asks another region"),
    ]


def latency_lines(rows: Iterable[RegionRow], glyphs: Glyphs) -> Lines:
    """Return the round trips from every region to every other, as each measured them: median over p99."""
    rows = sorted(rows, key=lambda row: row.id)
    head: Cells = (Cell("from \\ to".ljust(NAME_WIDTH), "dim"), *(Cell(row.id.rjust(TRIP_WIDTH), "dim") for row in rows))
    return [head, *(_latencies_of(row, rows, glyphs) for row in rows), (), (Cell("median/p99, as the engine that leads a region measured to the servers of all", "dim"),)]


def _latencies_of(row: RegionRow, rows: Sequence[RegionRow], glyphs: Glyphs) -> Cells:
    known = {to: f"{trip_text(median_s)}/{trip_text(p99_s)}" for to, (median_s, p99_s) in trips_of(row).items()}
    blank = unknown(glyphs).text
    return (row.id.ljust(NAME_WIDTH), *(Cell(known.get(other.id, blank).rjust(TRIP_WIDTH), "" if row.health == HEALTHY else "dim") for other in rows))
