"""Events that a group of the bus gave up on as cells and lines: pure functions."""

from __future__ import annotations

from engine.model.bus_rows import DeadEventRow
from screens.linked import Link, Linked
from screens.present import byte_count, instant_text, number_cell, plural, rest_age
from screens.present_rows import Sorted, natural
from screens.present_text import Lines, field_line, title_line
from screens.widgets.cells import Cell
from screens.widgets.cells import Row as Cells
from screens.widgets.columns import Column, right

DEAD_EVENT_COLUMNS: tuple[Sorted, ...] = (
    (right("age", "age", 4, 0), lambda r: (-r.dead_at, natural(r.id))),
    (Column("group", "group", width_min=10, width_max=24, flex=1), lambda r: r.group),
    (Column("type", "event", width_min=14, flex=1), lambda r: r.type),
    (Column("key", "about", width_min=16, flex=1), lambda r: r.key),
    (right("deliveries", "given", 5, 1), lambda r: r.deliveries),
    (Column("consumer", "last to", width_min=10, flex=1, priority=3), lambda r: r.consumer),
    (right("size", "size", 7, 4), lambda r: r.size_bytes),
    (Column("id", "id", width_min=15, priority=2), lambda r: natural(r.id)),
)

_LINKED = {"task": "tasks", "agent": "agents", "host": "hosts"}
"""First word of an event's type to the kind of what it is about."""
_ABOUT = 2


def dead_event_cells(row: DeadEventRow, now: float) -> Cells:
    """Return a dead event's cells."""
    return (
        rest_age(now - row.dead_at),
        row.group,
        row.type,
        row.key,
        number_cell(row.deliveries),
        Cell(row.consumer, "dim"),
        byte_count(row.size_bytes),
        Cell(row.id, "dim"),
    )


def dead_event_info(row: DeadEventRow, now: float) -> Linked:
    """Return a dead event in full; a line leads to what it is about."""
    lines: Lines = [
        field_line("event", row.type),
        field_line("given up by", row.group),
        field_line("about", row.key),
        field_line("happened", f"{instant_text(row.at)}, {rest_age(now - row.at)} ago"),
        field_line("dead since", f"{instant_text(row.dead_at)}, {rest_age(now - row.dead_at)} ago"),
        field_line("given", f"{plural(row.deliveries, 'time')}, last to {row.consumer}"),
        field_line("number", f"{row.number}"),
        field_line("id", Cell(row.id, "dim")),
        (),
        title_line(f"what is told, {byte_count(row.size_bytes)}" + (", its beginning" if len(row.data.encode()) < row.size_bytes else "")),
        (f"  {row.data}",),
    ]
    kind = _LINKED.get(row.type.partition(".")[0], "")
    return Linked(lines, {_ABOUT: Link(kind, row.key)} if kind else {})
