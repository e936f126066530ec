"""Contexts in rows: one for each engine that may be looked at, as it was when it last answered; pure functions."""

from __future__ import annotations

from dataclasses import dataclass

from engine.model.rows import FleetStatus
from screens.present import Badge, age, count, unknown
from screens.widgets.cells import Cell, Glyphs
from screens.widgets.cells import Row as Cells
from screens.widgets.columns import Column

CONTEXT_BADGES: dict[str, Badge] = {
    "live": Badge("●", "@", "good"),
    "asking": Badge("◌", ":", "dim"),
    "stale": Badge("◑", "(", "warn"),
    "down": Badge("✕", "x", "bad"),
    "denied": Badge("‡", "#", "bad"),
    "unusable": Badge("?", "?", "bad"),
}
"""State of a context: it answers; it was not heard of since somebody looked; it answered once; it never did; it refuses us; its entry is wrong."""

NEAR_S = 0.005
RTT_STEP = 1.5
"""A round trip is shown anew when it is so many times longer or shorter: jitter is no news."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What an engine said of itself, and when by our clock."""

    at: float
    version: str
    agents: int
    busy: int
    running: int
    queued: int
    failed: int
    read_only: str
    needs: int | None = None
    """Things that need somebody; None = not asked yet."""
    rtt_s: float | None = None
    """Round trip, the shortest of the last few."""


@dataclass(frozen=True, slots=True)
class ContextRow:
    """One context as far as it is known."""

    name: str
    where: str
    state: str
    """A word of CONTEXT_BADGES."""
    is_here: bool = False
    is_read_only: bool = False
    """As the console would look at it, whatever its engine says."""
    error: str = ""
    """Why it does not answer; empty while it does."""
    figures: Figures | None = None


def figures_of(status: FleetStatus, at: float, before: Figures | None = None) -> Figures:
    """Return what a status says; needs and round trip are of other questions and stay as they were."""
    agents, tasks = status.agents, status.tasks.by_state
    return Figures(
        at, status.version, agents.total,
        busy=sum(agents.by_status.get(word, 0) for word in ("assigned", "busy", "draining")),
        running=sum(tasks.get(state, 0) for state in ("running", "leased", "needs_input")),
        queued=tasks.get("pending", 0),
        failed=tasks.get("failed", 0) + tasks.get("dead", 0),
        read_only=status.read_only,
        needs=before.needs if before else None,
        rtt_s=before.rtt_s if before else None,
    )  # fmt: skip


def settle_rtt(shown: float | None, measured: float) -> float:
    """Return the round trip to show: the one shown already, as long as the measured one is about the same."""
    if shown is not None and shown / RTT_STEP < measured < shown * RTT_STEP:
        return shown
    return measured


def rtt_text(seconds: float) -> str:
    """Return a round trip in a few characters: <5ms, 42ms, 1.2s; whoever is near is near, and its jitter costs no byte."""
    if seconds < NEAR_S:
        return f"<{NEAR_S * 1_000:.0f}ms"
    return f"{seconds * 1_000:.0f}ms" if seconds < 0.9995 else f"{seconds:.1f}s"



CONTEXT_COLUMNS = (
    Column("name", "context", width_min=10, width_max=32, flex=2),
    Column("state", "state", width_min=12),
    Column("agents", "agents", width_min=6, align="right"),
    Column("busy", "busy", width_min=5, align="right"),
    Column("running", "run", width_min=5, align="right"),
    Column("queued", "queue", width_min=5, align="right"),
    Column("needs", "needs", width_min=5, align="right"),
    Column("rtt", "trip", width_min=5, align="right", priority=1),
    Column("version", "version", width_min=9, priority=2),
    Column("note", "where, or what is wrong", width_min=16, flex=4),
)


def context_cells(row: ContextRow, now: float, glyphs: Glyphs) -> Cells:
    """Return the cells of a context; counts of an earlier time step back."""
    look = CONTEXT_BADGES[row.state]
    figures = row.figures
    since = f" {age(now - figures.at)}" if figures and row.state == "stale" else ""
    state = Cell(f"{look.ascii if glyphs.is_ascii else look.sign} {row.state}{since}", look.role)
    name = Cell(f"{row.name}{' RO' if row.is_read_only else ''}", "accent" if row.is_here else "")
    note = Cell(row.error, "bad" if row.state in ("down", "denied", "unusable") else "warn") if row.error else Cell(row.where, "dim")
    if figures is None:
        return (name, state, *[unknown(glyphs)] * 7, note)
    is_old = row.state != "live"
    numbers = [_number(value, is_old=is_old) for value in (figures.agents, figures.busy, figures.running, figures.queued)]
    needs = unknown(glyphs) if figures.needs is None else _number(figures.needs, is_old=is_old, role="warn")
    trip = unknown(glyphs) if figures.rtt_s is None or is_old else Cell(rtt_text(figures.rtt_s))
    return (name, state, *numbers, needs, trip, Cell(figures.version, "dim"), note)


def _number(value: int, *, is_old: bool, role: str = "") -> Cell:
    return Cell(count(value), "dim" if is_old or not value else role)


def summary_parts(rows: list[ContextRow]) -> list[Cell | str]:
    """Return how many contexts there are in which state."""
    found = {state: sum(row.state == state for row in rows) for state in CONTEXT_BADGES}
    return [Cell(f"{number} {state}", CONTEXT_BADGES[state].role) for state, number in found.items() if number]
