"""A performance report as the lines of a document, with a way to the agents and pools that it names; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from engine.model.report_sections import ADVICE, AT_RISK, POOLS, Section, sections_of, table_lines
from screens.linked import Link, Linked
from screens.present_text import Lines
from screens.widgets.cells import Cell

ROLES = {"regressed": "bad", "improved": "good", "less work": "dim"}


def report_lines(report: Mapping[str, Any]) -> Linked:
    """Return a report as lines, and which of them name something."""
    lines: Lines = []
    links: dict[int, Link] = {}
    advised = [Link("agents" if one["kind"] == "risk" else "pools", str(one["target"])) for one in report["recommendations"]]
    for section in sections_of(report):
        if lines:
            lines.append(("",))
        lines.append((Cell(section.title, "accent"),))
        for number, text in enumerate(section.lines):
            if section.title == ADVICE:
                links[len(lines)] = advised[number]
            lines.append((f"  {text}",))
        named = {POOLS: [Link("pools", row[0]) for row in section.rows], AT_RISK: [Link("agents", str(one["id"])) for one in report["risks"] for _sign in one["signs"]]}
        _add_table(section, lines, links, named.get(section.title, ()))
    return Linked(lines, links)


def _add_table(section: Section, lines: Lines, links: dict[int, Link], named: Sequence[Link]) -> None:
    for number, text in enumerate(table_lines(section)):
        if not number:
            lines.append((Cell(f"  {text}", "dim"),))
            continue
        if named:
            links[len(lines)] = named[number - 1]
        role = ROLES.get(section.rows[number - 1][0])
        lines.append((Cell(f"  {text}", role) if role else f"  {text}",))
