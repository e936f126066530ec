"""A performance report as sections of words and tables, the same for Markdown, HTML and the console; pure.

Owner: nobody; it takes the answer to the query `report`, plain values. Instants are UTC. What was not measured is `unknown`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from engine.model.metrics import unit_word, written_value

Found = Mapping[str, Any]
ALIKE = ("same", "unknown")
POOLS, AT_RISK, ADVICE = "Pools", "Agents at risk", "Recommendations"
"""Titles of the sections whose rows or lines are each about one pool or agent."""
POOL_COLUMNS = (
    ("done", "succeeded", "total", "count"),
    ("errors", "error_rate", "mean", "ratio"),
    ("response", "response_ms", "p95", "ms"),
    ("waiting", "queue_depth", "mean", "count"),
    ("agents", "agents", "mean", "count"),
    ("busy", "utilisation", "mean", "ratio"),
    ("cpu", "cpu", "mean", "ratio"),
    ("memory", "memory", "mean", "ratio"),
)
"""Of a pool: title, metric, which figure of it (of durations what 95 % do not exceed), and its unit."""
_DAY_S, _HOUR_S, _MINUTE_S = 86_400, 3_600, 60


class Section(NamedTuple):
    """A part of a report: what it says, then a table whose first column is text and whose others are figures."""

    title: str
    lines: Sequence[str] = ()
    header: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    texts: int = 1
    """How many columns from the left are words."""


def title_of(report: Found) -> str:
    """Return what a report is called."""
    return f"Performance of {report['fleet']}"


def sections_of(report: Found) -> list[Section]:
    """Return the parts of a report that have something to say."""
    parts = (_short(report), _fleet(report), _pools(report), _changes(report), _risks(report), _advice(report), _unknown(report))
    return [part for part in parts if part.lines or part.rows]


def instant(at: float) -> str:
    """Return a date and time in UTC, to the minute."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M")


def length(span_s: float) -> str:
    """Return a length of time in whole units: 24h, 7d, 90m."""
    for unit_s, unit in ((_DAY_S, "d"), (_HOUR_S, "h"), (_MINUTE_S, "m")):
        if span_s >= unit_s and span_s % unit_s == 0:
            return f"{span_s / unit_s:g}{unit}"
    return f"{span_s:g}s"


def against(report: Found) -> str:
    """Return what a report is compared with."""
    name = report["baseline"]["name"]
    return f"the baseline {name}" if name else "the span before"


def _short(report: Found) -> Section:
    frame = report["timeframe"]
    span, step = frame["until"] - frame["since"], "hour" if frame["step_s"] >= _HOUR_S else "minute"
    lines = [f"{instant(frame['since'])} to {instant(frame['until'])} UTC ({length(span)}), {_share(frame['measured'])} measured, by {step}."]
    if frame["asked_since"] < frame["since"]:
        lines.append(f"{length(frame['until'] - frame['asked_since'])} was asked for; nothing was measured before {instant(frame['since'])}.")
    lines += [_compared_words(report), f"{_count(len(report['risks']), 'agent').capitalize()} at risk, {_count(len(report['recommendations']), 'recommendation')}."]
    if report["left_out"]:
        lines.append(f"Left out are the {len(report['left_out'])} pools that did least: {', '.join(report['left_out'])}.")
    return Section("In short", lines)


def _compared_words(report: Found) -> str:
    verdicts = [one["verdict"] for one in report["comparisons"]]
    known = len(verdicts) - verdicts.count("unknown")
    which = f"{against(report)} (from {instant(report['baseline']['since'])})"
    if not known:
        return f"Nothing can be compared with {which}: ten steps must be known of both."
    told = ", ".join(f"{verdicts.count(word)} {word}" for word in ("regressed", "improved", "changed", "less work", "same") if verdicts.count(word))
    return f"Against {which}: {told}."


def _fleet(report: Found) -> Section:
    trends = {(one["metric"], one["label"]): one for one in report["trends"]}
    rows = [
        (
            one["metric"],
            unit_word(one["unit"]),
            *("" if one[name] is None else written_value(one[name], one["unit"]).removesuffix(f" {unit_word(one['unit'])}") for name in ("mean", "p50", "p95", "p99")),
            "" if one["total"] is None else f"{one['total']:,.0f}",
            trend_words(trends[one["metric"], ""]),
        )
        for one in report["aggregates"]
        if not one["label"] and one["measured"]
    ]
    return Section("The fleet", (), ("metric", "unit", "mean", "p50", "p95", "p99", "total", "trend"), rows, 2)


def trend_words(trend: Found) -> str:
    """Return where a series went in its later half: steady, `+60% worse`."""
    if trend["direction"] in ("steady", "unknown"):
        return str(trend["direction"])
    change = f"{trend['change']:+.0%}" if trend["change"] is not None else str(trend["direction"])
    return f"{change} worse" if trend["is_worse"] else change


def _pools(report: Found) -> Section:
    found = {(one["metric"], one["label"]): one for one in report["aggregates"]}
    pools = list(dict.fromkeys(one["label"] for one in report["aggregates"] if one["label"] and one["measured"]))
    rows = []
    for pool in pools:
        values = [(found.get((metric, pool), {}).get(figure), unit) for _title, metric, figure, unit in POOL_COLUMNS]
        rows.append((pool, *(f"{value:,.0f}" if figure[2] == "total" and value is not None else written_value(value, unit) for (value, unit), figure in zip(values, POOL_COLUMNS, strict=True))))
    return Section(POOLS, (), ("pool", *(title for title, *_rest in POOL_COLUMNS)), rows)


def _changes(report: Found) -> Section:
    order = {"regressed": 0, "less work": 1, "changed": 2, "improved": 3}
    changed = sorted((one for one in report["comparisons"] if one["verdict"] not in ALIKE), key=lambda one: (order[one["verdict"]], one["p"]))
    rows = [
        (
            one["verdict"],
            one["metric"],
            one["label"] or "the fleet",
            written_value(one["before"], one["unit"]),
            written_value(one["now"], one["unit"]),
            "" if one["change"] is None else f"{one['change']:+.0%}",
            f"{one['effect']:+.2f}",
            _chance(one["p"]),
        )
        for one in changed
    ]
    lines = ["Medians; effect: Cliff's delta; p: Mann-Whitney U, corrected."] if rows else []
    return Section(f"What changed against {against(report)}", lines, ("verdict", "metric", "of", "before", "now", "change", "effect", "p"), rows, 3)


def _risks(report: Found) -> Section:
    rows = [(one["name"], f"{one['risk']:.0%}", risk_words(sign)) for one in report["risks"] for sign in one["signs"]]
    return Section(AT_RISK, (), ("agent", "risk", "sign"), rows, 3)


def risk_words(sign: Found) -> str:
    """Return a sign of trouble with its evidence."""
    return f"{sign['kind']}: {sign['text']}"


def _advice(report: Found) -> Section:
    return Section(ADVICE, [advice_line(one) for one in report["recommendations"]])


def advice_line(one: Found) -> str:
    """Return a recommendation as one line; why an agent is at risk is said where it is listed."""
    why = "" if one["kind"] == "risk" else f"; {'; '.join(one['why'])}"
    return f"{one['verb']}: {one['text']}{why}"


def _unknown(report: Found) -> Section:
    names = report["not_measured"]
    return Section("Not measured", [f"Nothing is known of the fleet's {', '.join(names)} in this time."] if names else [])


def _share(value: float) -> str:
    return f"{math.floor(1000 * value) / 10:g} %"


def _chance(p: float) -> str:
    return f"{p:.1g}"


def _count(number: int, thing: str, things: str = "") -> str:
    return f"{number or 'no'} {thing if number == 1 else things or f'{thing}s'}"


def plain_lines(sections: Iterable[Section]) -> list[str]:
    """Return sections as lines of text, tables with their columns aligned."""
    lines: list[str] = []
    for section in sections:
        lines += ["", section.title.upper(), *(f"  {line}" for line in (*section.lines, *table_lines(section)))]
    return lines[1:]


def table_lines(section: Section) -> list[str]:
    """Return the table of a section with its columns aligned, the header first; nothing when it has no rows."""
    if not section.rows:
        return []
    table = [section.header, *section.rows]
    widths = [max(len(row[place]) for row in table) for place in range(len(section.header))]
    return ["  ".join(_set(word, width, left=place < section.texts) for place, (word, width) in enumerate(zip(row, widths, strict=True))).rstrip() for row in table]


def _set(word: str, width: int, *, left: bool) -> str:
    return word.ljust(width) if left else word.rjust(width)
