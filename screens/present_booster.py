"""The booster and its instances in words: lines for its head, cells for its table; pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from engine.model.rows import BoosterRow, InstanceRow, ModuleRow
from screens.present import (
    AGENT_BADGES,
    badge,
    byte_count,
    count,
    meter_cell,
    number_cell,
    plural,
    rest_age,
    unknown,
)
from screens.present_rows import METER_WIDTH, STATUS_ORDER, Sorted
from screens.widgets.cells import Cell, Glyphs, Part
from screens.widgets.cells import Row as Cells
from screens.widgets.columns import Column, right

RELEASE_CHARACTERS = 8
"""Of the module's version, which may be a hash."""
NO_BOOSTER = "no booster: `enabled = false` in [booster], or not built (docs/booster.md)"


INSTANCE_COLUMNS: tuple[Sorted, ...] = (
    (Column("instance", "instance", width_min=11), lambda r: r.agent),
    (Column("state", "state", width_min=10), lambda r: STATUS_ORDER.get(r.state, len(STATUS_ORDER))),
    (right("memory", "memory", 7, 3), lambda r: r.memory_bytes),
    (right("ops", "ops/s", 5, 0), lambda r: r.ops_per_s),
    (right("p50", "p50", 6, 1), lambda r: r.p50_s),
    (Column("use", "in use", width_min=METER_WIDTH, priority=6), lambda r: r.load),
    (right("calls", "calls", 5, 0), lambda r: r.calls),
    (right("failed", "failed", 6, 0), lambda r: r.failures),
    (right("anew", "anew", 4, 7), lambda r: r.restarts),
    (right("age", "age", 4, 4), lambda r: -r.created_at),
    (Column("error", "last error", width_min=14, flex=1, priority=2), lambda r: r.last_error),
)


def short_time(seconds: float) -> str:
    """Return how long a call took, in at most six characters: 850µs has no place in ASCII, so 0.85ms, 4.2ms, 42ms, 1.3s."""
    if seconds < 0.01:
        return f"{seconds * 1_000:.2f}ms" if seconds < 0.001 else f"{seconds * 1_000:.1f}ms"
    return f"{seconds * 1_000:.0f}ms" if seconds < 0.9995 else f"{seconds:.1f}s"


def rate(per_s: float) -> str:
    """Return a rate: 0.4, 12, 1.2k; 0 only for none at all."""
    return f"{per_s:.1f}" if 0 < per_s < 10 else count(round(per_s))


def times(ratio: float) -> str:
    """Return how many times: 0.8, 3.4, 54, 1,204."""
    return f"{ratio:.1f}" if ratio < 10 else f"{ratio:,.0f}"


def instance_cells(row: InstanceRow, now: float, glyphs: Glyphs) -> Cells:
    """Return an instance's cells."""
    trouble = f"{rest_age(now - row.last_error_at)} ago: {row.last_error}" if row.last_error_at else ""
    return (
        row.agent,
        badge(AGENT_BADGES, row.state, glyphs),
        byte_count(row.memory_bytes) if row.memory_bytes else unknown(glyphs),
        Cell(rate(row.ops_per_s), "" if row.ops_per_s else "dim"),
        short_time(row.p50_s) if row.p50_s >= 0 else unknown(glyphs),
        meter_cell(round(row.load * 1_000), 1_000, METER_WIDTH, glyphs),
        number_cell(row.calls),
        number_cell(row.failures, "bad"),
        number_cell(row.restarts, "warn"),
        Cell(rest_age(now - row.created_at)) if row.created_at else unknown(glyphs),
        Cell(trouble, "bad") if trouble else unknown(glyphs),
    )


# ---- the head


class HeadLine(NamedTuple):
    """One line above the table."""

    left: Sequence[Part]
    right: Sequence[Part] = ()


def head_lines(row: BoosterRow, now: float) -> list[HeadLine]:
    """Return what is known of the whole booster, a subject a line; no line for what there is none of."""
    lines = [_speed(row, now), _work(row), _memory(row), _handed_on(row)]
    if row.breakers:
        lines.append(HeadLine([Cell(f"left to regular agents for now: {row.breakers}", "warn")]))
    if row.last_error_at:
        said = Cell(f"{plural(row.failures, 'failure')}, newest {rest_age(now - row.last_error_at)} ago: {row.last_error}", "bad")
        lines.append(HeadLine([said, Cell(f"fleet-tui repeat {row.reproducer}" if row.reproducer else "", "dim")]))
    if row.differences:
        said = Cell(f"{plural(row.differences, 'answer')} differed from a regular agent's, newest {rest_age(now - row.difference_at)} ago", "bad")
        lines.append(HeadLine([said, Cell(f"fleet-tui repeat {row.difference}" if row.difference else "", "dim")]))
    return lines


def module_line(rows: Sequence[ModuleRow]) -> list[HeadLine]:
    """Return the line of the modules of operators, those that failed first; none when there are none."""
    ordered = sorted(rows, key=lambda row: (not row.failures, row.id))
    return [HeadLine([plural(len(rows), "module"), *map(_module, ordered)])] if rows else []


def _module(row: ModuleRow) -> Cell:
    failed = f", {count(row.failures)} failed" if row.failures else ""
    return Cell(f"{row.id} {row.sha256[:8]}, {byte_count(row.size_bytes)}, {plural(row.calls, 'call')}{failed}", "bad" if row.failures else "")


def _speed(row: BoosterRow, now: float) -> HeadLine:
    name, _, release = row.module.partition(" ")
    module = [Cell(f"{name} {release[:RELEASE_CHARACTERS]}" if name else "no word of the module yet", "dim")]
    if not row.samples:
        return HeadLine([Cell("no sample yet: its speed beside a regular agent's is not measured", "dim")], module)
    fast = Cell(f"{times(row.speed_up)} times a regular agent's speed", "accent")
    return HeadLine([fast, f"median of {plural(row.samples, 'sample')}, {rest_age(now - row.sampled_at)} ago"], module)


def _work(row: BoosterRow) -> HeadLine:
    waiting = Cell(f"{plural(row.waiting, 'task')} wait{'s' if row.waiting == 1 else ''}", "warn" if row.waiting else "dim")
    used = f"{row.utilization:.0%} in use" if row.utilization >= 0 else ""
    return HeadLine([f"{rate(row.ops_per_s)} ops/s", f"{row.busy} of {plural(row.instances, 'instance')} busy, at most {row.size_max}", waiting, used])


def _memory(row: BoosterRow) -> HeadLine:
    asked = row.cache_hits + row.cache_misses
    cache = f"cache answered {row.cache_hits / asked:.0%} of {count(asked)} reads, holds {byte_count(row.cache_bytes)}" if asked else Cell("cache not asked yet", "dim")
    memory = f"memory {row.efficiency:.0%} used of {byte_count(row.memory_bytes)}" if row.efficiency >= 0 else Cell("memory not measured yet", "dim")
    return HeadLine([cache, memory])


def _handed_on(row: BoosterRow) -> HeadLine:
    if not row.handed_on:
        where = f"what it is not certain of goes to {row.fallback}" if row.fallback else "no pool takes what it is not certain of"
        return HeadLine([Cell("nothing handed on", "dim"), Cell(where, "dim")])
    asked = row.answered + row.handed_on
    to = f" to {row.fallback}" if row.fallback else ""
    return HeadLine([f"{count(row.handed_on)} of {count(asked)} tasks handed on{to}", *row.reasons.split("; ")])


