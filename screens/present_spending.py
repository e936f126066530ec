"""What work has used against its limits, as lines; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from engine.model.budget_words import measure_of, say_amount, say_limit
from screens.present import BUDGET_BADGES, badge, clock_text, duration, instant_text, unknown
from screens.present_text import Lines, note, title_line
from screens.widgets.cells import Cell, Glyphs
from screens.widgets.cells import Row as Cells

HOURS_SHOWN = 12
DAYS_SHOWN = 31
_FIGURES = f"{'cost':>10}{'tokens':>13}{'turns':>7}{'run time':>10}"
WAYS = "fleet-tui budget cost_per_day 20 [POOL], or [budget] in fleet.toml"


def spending_lines(found: Mapping[str, Any], glyphs: Glyphs) -> Lines:
    """Return limits with what is used of them, then who used what: pools, models, tasks, agents, days and hours."""
    now = found["at"]
    lines: Lines = [title_line("Limits"), *_limits(found["limits"], now, glyphs), ()]
    if not found["total"]["seconds"] and not found["days"]:
        return [*lines, *note("nothing was used yet: tasks tell what they used as they run and when they end")]
    for span in ("day", "hour"):
        rows = [(pool["pool"], pool[span]) for pool in found["pools"]]
        lines += _part(f"Pools, this {span} (UTC)", rows, glyphs)
    lines += _part("Models, this day", [(model["model"] or "not told", model["day"]) for model in found["models"]], glyphs)
    lines += _part("Tasks that used most", [(f"{task['title'] or task['task']} ({task['pool']}, {task['state']})", task) for task in found["tasks"]], glyphs)
    lines += _part("Agents that used most", [(agent["agent"], agent) for agent in found["agents"]], glyphs)
    lines += _part("Days (UTC)", [(instant_text(day["at"])[:10], day) for day in found["days"][:DAYS_SHOWN]], glyphs)
    lines += _part("Hours (UTC)", [(instant_text(hour["at"])[:16], hour) for hour in found["hours"][:HOURS_SHOWN]], glyphs)
    if found["total"]["unpriced"]:
        lines += note(f"? = of {found['total']['unpriced']:,.0f} tokens nobody told the cost; it is in no sum and counts against no limit of cost", "warn")
    return lines


def _limits(rows: Iterable[Mapping[str, Any]], now: float, glyphs: Glyphs) -> Lines:
    lines: Lines = [line for row in rows for line in _limit(row, now, glyphs)]
    return lines or note(f"there are none: {WAYS}")


def _limit(row: Mapping[str, Any], now: float, glyphs: Glyphs) -> Lines:
    measure = measure_of(row["limit"])
    say, most = f"{row['title'] or row['of']:<16.16} {say_limit(row['limit']):<19}", say_amount(measure, row["amount"])
    if row["used"] is None:
        return [(f"{say}{'':>6}{most} each",)]
    share = "" if row["share"] is None else f"{row['share']:.0%}"
    look = badge(BUDGET_BADGES, row["level"], glyphs)
    line: Cells = (f"{say}{share:>5} ", Cell(f"{look.text:<14}", look.role), f"{say_amount(measure, row['used']).removesuffix(f' {measure}')} of {most}")
    ahead = _ahead(row, now) if row["level"] != "open" or row["ends_at"] else ""
    return [line, (Cell(f"{'':<17}{ahead}", "dim"),)] if ahead else [line]


def _ahead(row: Mapping[str, Any], now: float) -> str:
    """Return when it ends at the present rate, and when it begins anew."""
    if row["level"] == "hard":
        ends = "raise it to go on"
    elif row["ends_at"]:
        ends = f"ends in {duration(row['ends_at'] - now)}, at {clock_text(row['ends_at'])}"
    else:
        ends = "not known when it ends" if row["per_hour"] is None and row["renews_at"] else ""
    anew = f"anew in {duration(row['renews_at'] - now)}" if row["renews_at"] else ""
    return ", ".join(part for part in (ends, anew) if part)


def _part(title: str, rows: Iterable[tuple[str, Mapping[str, float]]], glyphs: Glyphs) -> Lines:
    told = [(name, used) for name, used in rows if any(used[one] for one in ("cost", "tokens", "turns", "seconds"))]
    if not told:
        return []
    return [title_line(title), (Cell(f"{'':<34}{_FIGURES}", "dim"),), *(_used(name, used, glyphs) for name, used in told), ()]


def _used(name: str, used: Mapping[str, float], glyphs: Glyphs) -> Cells:
    dash = unknown(glyphs).text
    cost = say_amount("cost", used["cost"]) if used["cost"] or not used["tokens"] else ""
    cost += "?" if used["unpriced"] else ""
    cells = (cost if used["cost"] or used["unpriced"] else dash, f"{used['tokens']:,.0f}" if used["tokens"] else dash, f"{used['turns']:,.0f}" if used["turns"] else dash)
    return (f"{name:<33.33} {cells[0]:>10}{cells[1]:>13}{cells[2]:>7}{duration(used['seconds']) if used['seconds'] else dash:>10}",)
