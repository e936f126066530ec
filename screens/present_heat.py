"""Heat maps as cells, scales and words: one metric of all pools over time, or of all agents at once; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from math import ceil, floor, log10
from typing import Any, NamedTuple

from engine.model.metrics import CATALOGUE, Label, written_value
from engine.model.rows import AgentRow
from screens.present import AGENT_BADGES, age, badge, duration, plural
from screens.present_rows import natural
from screens.present_trends import DAY_S, RANGES, STALE_STEPS, Found, Range, axis_text
from screens.widgets.cells import Cell, Glyphs
from screens.widgets.heat_layout import Layout, lay_out_rows, lay_out_words
from screens.widgets.heatmap import ABSENT
from screens.widgets.statusbar import Part

POOL_METRICS = tuple(name for name, metric in CATALOGUE.items() if metric.label is Label.POOL)
AGENT_METRICS = {"busy": "agent_busy", "cpu": "agent_cpu", "memory": "agent_rss_mb", "errors": "agent_failed"}
"""What the agents can be compared by, to its metric."""
AGENT_HELP = {
    "busy": "share of the time that it held a task",
    "cpu": "cores of its process; unknown when several agents share it",
    "memory": "memory of its process; unknown when several agents share it",
    "errors": "its tasks that ended badly in this time",
}
AGENT_RANGES = (Range("1m", 60, "%H:%M:%S"), Range("1h", 3_600, "%H:%M"), Range("24h", DAY_S, "%a %H:%M"))
GONE = "left since"
"""The group of agents that there were, and are no longer."""
LEAPS = 8
"""How many leaps to the left make a whole width: between them only one column changes."""
STEPS = {
    "1h": (10, 15, 20, 30, 60, 90, 120, 300),
    "24h": (300, 600, 900, 1_200, 1_800, 3_600),
    "7d": (3_600, 7_200, 10_800, 14_400, 21_600, 43_200),
    "30d": (7_200, 10_800, 14_400, 21_600, 43_200, DAY_S),
}
"""Seconds of a column, for each range: it begins at a time that people use."""
FALLING_SHARE = 0.25
"""A scale shrinks when the greatest value is below this share of it."""
assert STEPS.keys() == {one.name for one in RANGES}


class Window(NamedTuple):
    """Which columns are shown: so many from `begin`, each of `step_s` seconds."""

    begin: int
    step_s: int
    columns: int

    @property
    def end(self) -> int:
        """Return when the last column ends, which may be yet to come."""
        return self.begin + self.step_s * self.columns


def window_of(shown: Range, columns: int, now: float, *, end: float | None = None) -> Window:
    """Return the columns that hold a range at least; they end at `end`, else soon after now, and move in leaps then."""
    leap = max(1, columns // LEAPS)
    needed = shown.last_s / max(1, columns - leap)
    step = next((step for step in STEPS[shown.name] if step >= needed), STEPS[shown.name][-1])
    last = ceil((now // step + 1) / leap) * leap if end is None else round(end / step)
    return Window(int(last - columns) * step, step, columns)


def shares_over_time(found: Found, window: Window, scale: tuple[float, float]) -> list[float | None]:
    """Return the share of each cell, pool by pool; None where nothing was measured."""
    return [share_of(value, scale) for values in found["pools"].values() for value in values_over_time(found, window, values)]


def values_over_time(found: Found, window: Window, values: Sequence[float | None]) -> list[float | None]:
    """Return a value for each column of a window; `ABSENT` for those that are yet to come."""
    since, step = found["since"], found["step_s"]
    places = [int((window.begin + number * window.step_s - since) // step) for number in range(window.columns)]
    return [ABSENT if place >= len(values) else values[place] if place >= 0 else None for place in places]


def share_of(value: float | None, scale: tuple[float, float]) -> float | None:
    """Return where a value stands on a scale."""
    if value is None or value == ABSENT:
        return value
    low, high = scale
    return max(0.0, (value - low) / (high - low))


def decide_scale(before: tuple[float, float] | None, values: Iterable[float | None], unit: str) -> tuple[float, float]:
    """Return the lowest and highest value of a scale: round ones, and those before while they still suit."""
    known = [value for value in values if value is not None and value != ABSENT]
    low, high = min(known, default=0.0), max(known, default=0.0)
    least = 1.0 if unit in ("ratio", "count") else 0.0
    top = max(least, _round_up(high))
    if before is not None and low >= before[0] and before[0] == min(0.0, before[0]) and top <= before[1] and high >= before[1] * FALLING_SHARE:
        return before
    return (-_round_up(-low) if low < 0 else 0.0), top or 1.0


def _round_up(value: float) -> float:
    """Return the next 1, 2 or 5 times a power of ten."""
    if value <= 0:
        return 0.0
    size = 10.0 ** floor(log10(value))
    return next(size * factor for factor in (1, 2, 5, 10) if size * factor >= value * (1 - 1e-9))


class Drawn(NamedTuple):
    """A map of pools over time as its widget takes it."""

    placed: Layout
    keys: list[tuple[str, int]]
    values: list[float | None]
    axis: str
    words: list[str]


def draw_over_time(found: Found, window: Window, shown: Range, height: int, glyphs: Glyphs) -> Drawn:
    """Return a cell for each pool and column, laid out over so many lines with their axis, or as words to be read aloud."""
    pools = found["pools"]
    rows = {pool: values_over_time(found, window, values) for pool, values in pools.items()}
    keys = [(pool, window.begin + number * window.step_s) for pool in pools for number in range(window.columns)]
    values = [value for values in rows.values() for value in values]
    if glyphs.is_plain:
        words = [row_words(pool, one, found["unit"]) for pool, one in rows.items()]
        return Drawn(lay_out_words([(pool, window.columns) for pool in pools], is_open=True), keys, values, "", words)
    placed = lay_out_rows(list(pools), window.columns, height - 1, is_sideways=not glyphs.is_shaded)
    cells = window.columns if glyphs.is_shaded else -(-window.columns // 2)
    return Drawn(placed, keys, values, axis_text(window.begin, window.end, cells, shown), [])


# ---- agents


def group_agents(ids: Sequence[str], rows: Mapping[str, Any], pools: Iterable[str]) -> list[tuple[str, list[str]]]:
    """Return the agents of each pool in the order of their names; those that are no longer there come last."""
    groups: dict[str, list[str]] = {pool: [] for pool in pools}
    for id_ in ids:
        row = rows.get(id_)
        groups.setdefault(GONE if row is None else row.pool, []).append(id_)
    gone = groups.pop(GONE, [])
    found = [(pool, sorted(members, key=lambda id_: natural(rows[id_].name))) for pool, members in groups.items() if members]
    return [*found, *([(GONE, sorted(gone))] if gone else [])]


def pack(groups: Sequence[tuple[str, Sequence[str]]], per_cell: int) -> list[tuple[str, ...]]:
    """Return the agents of each cell, group by group."""
    return [tuple(members[first : first + per_cell]) for _, members in groups for first in range(0, len(members), per_cell)]


def mean_of(values: Iterable[float | None]) -> float | None:
    """Return the mean of what was measured."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


# ---- words


def instant_words(at: float, step_s: float) -> str:
    """Return when a column begins, as exactly as its width asks for."""
    form = "%H:%M:%S" if step_s < 60 else "%H:%M" if step_s < 3_600 else "%a %d %H:%M"
    return datetime.fromtimestamp(at, UTC).strftime(form)


def column_words(at: float, step_s: float) -> str:
    """Return from when to when a column is, in UTC."""
    return f"{instant_words(at, step_s)} to {instant_words(at + step_s, step_s)} UTC"


def value_cell(value: float | None, unit: str) -> Cell:
    """Return a value with its unit."""
    if value == ABSENT:
        return Cell("yet to come", "dim")
    return Cell("not measured", "warn") if value is None else Cell(written_value(value, unit), "accent")


def time_title(found: Found, window: Window, shown: Range, now: float, *, is_live: bool) -> list[Part]:
    """Say what a map over time shows: metric, unit, range, steps, and its age when it is not of now."""
    share = f" p{100 * found['quantile']:.0f}" if found["quantile"] else ""
    span = f"last {shown.name}" if is_live else f"{duration(window.end - window.begin)} until {instant_words(window.end, 3_600)} UTC"
    parts: list[Part] = [
        f"{found['metric']}{share} of every pool",
        Cell(unit_words(found["unit"]), "dim"),
        Cell(span, "accent" if is_live else "warn"),
        Cell(f"a column for {duration(max(window.step_s, found['step_s']))}", "dim"),
    ]
    if found["left_out"]:
        parts.append(Cell(f"{plural(found['left_out'], 'pool')} left out", "warn"))
    return [*parts, *age_parts(found["newest_at"], max(window.step_s, 10), now, is_live=is_live)]


def age_parts(newest: float, step_s: float, now: float, *, is_live: bool) -> list[Part]:
    """Say how old the newest figure is, when it is not of now."""
    if not newest:
        return [Cell("nothing was measured in this time", "warn")]
    if is_live and now - newest > STALE_STEPS * step_s:
        return [Cell(f"newest {age(now - newest)} ago", "warn")]
    return []


def unit_words(unit: str) -> str:
    """Return a unit as it is written."""
    return "%" if unit == "ratio" else unit


def agents_title(found: Found, choice: str, shown: Range, per_cell: int, now: float, *, is_live: bool) -> list[Part]:  # noqa: PLR0913, PLR0917  # what a line says
    """Say what a map of agents shows: metric, how many, over which time, and how many are in a cell."""
    looks = f"mean of {plural(found['looks'], 'look')}" if not found["is_count"] else "in all"
    span = f"last {shown.name}" if is_live else f"{shown.name} until {instant_words(found['newest_at'], 3_600)} UTC"
    parts: list[Part] = [
        f"{choice} of {plural(found['agents'], 'agent')}",
        Cell(unit_words(found["unit"]) if not found["is_count"] else "tasks", "dim"),
        Cell(span, "accent" if is_live else "warn"),
        Cell(looks, "dim"),
    ]
    if per_cell > 1:
        parts.append(Cell(f"a cell is {per_cell} agents, their mean", "warn"))
    return [*parts, *age_parts(found["newest_at"], 60 if shown.last_s > 60 else 10, now, is_live=is_live)]


def agent_words(row: AgentRow, glyphs: Glyphs) -> list[Part]:
    """Say how an agent is now."""
    return [badge(AGENT_BADGES, row.status, glyphs), Cell(row.task_title or row.reason, "dim")]


def members_words(members: Sequence[str], rows: Mapping[str, Any]) -> str:
    """Return which agents a cell stands for."""
    names = [row.name if (row := rows.get(id_)) is not None else id_ for id_ in (members[0], members[-1])]
    return names[0] if len(members) == 1 else f"{names[0]} to {names[1]}"


def row_words(name: str, values: Sequence[float | None], unit: str) -> str:
    """Return a row of a map over time in words, for those who hear it."""
    shown = [value for value in values if value != ABSENT]
    known = [value for value in shown if value is not None]
    if not known:
        return f"{name}: not measured"
    least, most, mean = (written_value(value, unit) for value in (min(known), max(known), sum(known) / len(known)))
    gaps = f", {1 - len(known) / len(shown):.0%} not measured" if len(known) < len(shown) else ""
    return f"{name}: {written_value(known[-1], unit)}, least {least}, most {most}, mean {mean}{gaps}"


def group_words(name: str, members: Sequence[str], values: Mapping[str, float | None], rows: Mapping[str, Any], unit: str) -> str:
    """Return a group of agents in words, for those who hear it."""
    known = {id_: value for id_ in members if (value := values.get(id_)) is not None}
    if not known:
        return f"{name}: {plural(len(members), 'agent')}, not measured"
    top = max(known, key=lambda id_: known[id_])
    mean = written_value(sum(known.values()) / len(known), unit)
    gaps = f", {len(members) - len(known)} not measured" if len(known) < len(members) else ""
    return f"{name}: {plural(len(members), 'agent')}, mean {mean}, most {written_value(known[top], unit)} {members_words([top], rows)}{gaps}"
