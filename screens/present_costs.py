"""What pools cost, as lines; pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from screens.present import instant_text, unknown
from screens.present_text import Lines, note, title_line
from screens.widgets.cells import Cell, Glyphs
from screens.widgets.cells import Row as Cells

HEAD = f"{'pool':<15}{'agent-h':>8}{'in use':>7}{'cost':>10}{'peak':>5}{'at peak':>10}{'saved':>6}{'up':>4}{'down':>5}{'right':>6}"
NAMED_MAX = 2


def cost_lines(report: Mapping[str, Any], glyphs: Glyphs) -> Lines:
    """Return the report: pools against a fixed size at their peak, then the hours, the newest first."""
    pools = report["pools"]
    if not pools:
        return note("no agent was there in this time")
    lines: Lines = [title_line(f"{instant_text(report['since'])} to {instant_text(report['until'])}, an engine ran {report['running_s'] / 3_600:.1f} h of it")]
    lines += [(Cell(HEAD, "dim"),), *(_line(pool["pool"], pool, glyphs) for pool in pools)]
    lines += [_line("all", report["total"], glyphs), ()]
    lines += note("in use: by tasks that have ended; at peak: the cost of a fixed size that holds the peak; right: of the prediction")
    if not report["is_whole"]:
        lines += note("there were more agents than are counted here: the figures are too low", "warn")
    lines += [(), title_line("By hour (UTC), the newest first")]
    for at, hours in sorted(_by_hour(report["hours"]).items(), reverse=True):
        most = sorted(hours, key=lambda one: (-one["cost"], -one["agent_s"]))
        total, agent_h = sum(one["cost"] for one in hours), sum(one["agent_s"] for one in hours) / 3_600
        named = ", ".join(f"{one['pool']} {one['agent_s'] / 3_600:.2f} h" for one in most[:NAMED_MAX])
        rest = f" and {len(most) - NAMED_MAX} more" if len(most) > NAMED_MAX else ""
        lines.append((f"{instant_text(at)[:16]}{agent_h:>7.2f} h{money(total):>10}  ", Cell(f"{named}{rest}", "dim")))
    return lines


def _line(name: str, pool: Mapping[str, Any], glyphs: Glyphs) -> Cells:
    dash = unknown(glyphs).text
    used = dash if pool["busy_s"] < 0 or not pool["agent_s"] else f"{pool['busy_s'] / pool['agent_s']:.0%}"
    foreseen = dash if pool["accuracy"] < 0 else f"{pool['accuracy']:.0%}"
    text = f"{name:<14.14} {pool['agent_s'] / 3_600:>8.2f}{used:>7}{money(pool['cost']):>10}{pool['peak']:>5}{money(pool['static_cost']):>10}"
    return (f"{text}{pool['saved']:>6.0%}{pool['ups']:>4}{pool['downs']:>5}{foreseen:>6}",)


def money(amount: float) -> str:
    """Return a cost with as many digits as tell something."""
    return f"{amount:,.2f}" if abs(amount) >= 1 or not amount else f"{amount:.4f}"


def _by_hour(hours: list[dict[str, Any]]) -> dict[float, list[dict[str, Any]]]:
    found: dict[float, list[dict[str, Any]]] = {}
    for one in hours:
        found.setdefault(one["at"], []).append(one)
    return found
