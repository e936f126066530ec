"""Votes as cells and lines; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from engine.model.plans import PlanStep
from engine.model.vote_rows import ProposalRow
from screens.present import VOTE_BADGES, Badge, age, arrow, badge, plural
from screens.present_plan import change_of
from screens.present_rows import Sorted
from screens.present_text import Lines, field_line, title_line
from screens.widgets.cells import Cell, Glyphs
from screens.widgets.cells import Row as Cells
from screens.widgets.columns import Column

BAR = 14
_CHOICES: dict[str, Badge] = {
    "approve": Badge("✓", "+", "good"),
    "reject": Badge("✕", "x", "bad"),
    "abstain": Badge("−", "-", "dim"),
}
_RANK = {"open": 0, "deadlocked": 1, "expired": 2}
NAME_WIDTH = 20
CHOICE_WIDTH = 10



def _urgency(row: ProposalRow) -> tuple[int, float]:
    """Return the order: open ones by their end, undecided ones, then the others, newest first."""
    rank = _RANK.get(row.state, len(_RANK))
    return rank, row.deadline if rank == 0 else -row.closed_at


VOTE_COLUMNS: tuple[Sorted, ...] = (
    (Column("state", "state", width_min=12), _urgency),
    (Column("subject", "subject", width_min=18, flex=2), lambda r: r.subject),
    (Column("votes", "for, needed, against", width_min=26, priority=2), lambda r: r.approve / (r.needed or 1)),
    (Column("ends", "ends in", width_min=8, align="right"), lambda r: r.deadline),
    (Column("now", "if it ended now", width_min=15, priority=4), lambda r: r.projected),
    (Column("rule", "rule", width_min=11, priority=5), lambda r: r.rule),
    (Column("by", "by", width_min=8, priority=6), lambda r: r.who),
    (Column("why", "why", width_min=24, flex=1, priority=3), lambda r: r.reason),
    (Column("vote", "vote", width_min=30, priority=7), lambda r: r.id),
)


def quorum_bar(row: ProposalRow, glyphs: Glyphs, width: int = BAR) -> str:
    """Return the votes for it from the left, those against from the right, and where enough are for it."""
    whole = row.eligible or 1.0
    approving, rejecting = (round(width * share / whole) for share in (row.approve, row.reject))
    free, against, mark = ("-", "x", "|") if glyphs.is_ascii else ("·", "▒", "┃")
    cells = [glyphs.full] * approving + [free] * (width - approving - rejecting) + [against] * rejecting
    place = min(width, max(1, round(width * row.needed / whole)))
    return "".join(cells[:place]) + mark + "".join(cells[place:width])


def vote_counts(row: ProposalRow, glyphs: Glyphs) -> str:
    """Return the bar with its numbers; on a plain terminal the numbers in words."""
    if glyphs.is_plain:
        return f"{row.approve:g} for, {row.needed:g} needed, {row.reject:g} against"
    return f"{quorum_bar(row, glyphs)} {row.approve:g}/{row.needed:g} {row.reject:g}"


def vote_cells(row: ProposalRow, now: float, glyphs: Glyphs) -> Cells:
    """Return a vote's cells."""
    is_open = row.state == "open"
    return (
        badge(VOTE_BADGES, row.state, glyphs),
        row.subject,
        Cell(vote_counts(row, glyphs), "" if is_open else "dim"),
        Cell(age(max(0.0, row.deadline - now))) if is_open else Cell(f"{age(now - row.closed_at)} ago", "dim"),
        badge(VOTE_BADGES, row.projected, glyphs) if is_open else Cell(""),
        row.rule,
        row.who,
        Cell(row.reason, "dim"),
        Cell(row.id, "dim"),
    )


def vote_lines(data: Mapping[str, Any], now: float, glyphs: Glyphs) -> tuple[Lines, int]:
    """Return a vote in full, and the number of the line of its first voter; each voter has one."""
    row = ProposalRow(**{name: data[name] for name in ProposalRow._fields})
    about = [*_about(data, row, now, glyphs), (), title_line("voters")]
    return [*about, *(_voter_line(voter, row, now, glyphs) for voter in data["voters"])], len(about)


def _about(data: Mapping[str, Any], row: ProposalRow, now: float, glyphs: Glyphs) -> Lines:
    terms: Mapping[str, Any] = data["terms"]
    is_open = row.state == "open"
    ends = f"in {age(max(0.0, row.deadline - now))}" if is_open else f"{age(now - row.closed_at)} ago{_by(data)}"
    voided = data["tally"]["void"]
    return [
        field_line("subject", row.subject),
        *[field_line("", line) for line in data["text"].splitlines()],
        field_line("state", badge(VOTE_BADGES, row.state, glyphs)),
        field_line("votes", vote_counts(row, glyphs)),
        field_line("because", data["because"]),
        *([field_line("as it stands", badge(VOTE_BADGES, row.projected, glyphs))] if is_open else []),
        field_line("ends" if is_open else "ended", ends),
        field_line("rule", f"{row.rule}: {row.needed:g} of {row.eligible:g}{', groups' if row.rule == 'distributed' else ''}"),
        field_line("took part", f"{row.turnout}, {data['tally']['turnout_needed']} had to"),
        *([field_line("center", _named(data, terms["center"]))] if terms["center"] else []),
        *([field_line("may veto", ", ".join(_named(data, voter) for voter in terms["vetoers"]))] if terms["vetoers"] else []),
        field_line("votes change", "yes, the last one counts" if terms["may_change"] else "no, the first one counts"),
        field_line("proposed", f"{age(now - row.opened_at)} ago by {row.who}"),
        *([field_line("task", row.task)] if row.task else []),
        *(_does_lines(data["does"], glyphs) if data["does"] else []),
        *(_acted_lines(data["acted"], now) if data["acted"] else []),
        *[field_line("then", f"{age(now - at)} ago: {text}") for at, text in data["notes"]],
        *([field_line("void", Cell(", ".join(_named(data, voter) for voter in voided), "warn"), ": their ballots contradict each other")] if voided else []),
    ]


def _does_lines(does: Mapping[str, Any], glyphs: Glyphs) -> Lines:
    """Return what is done if it is accepted."""
    steps = [PlanStep(**step) for step in does["steps"]]
    told = [(step.target, "; ".join(text for text in (change_of(step), step.effect, step.warning) if text)) for step in steps]
    lines = [field_line("" if number else "if accepted", f"{target} {text}".replace("→", arrow(glyphs))) for number, (target, text) in enumerate(told)]
    return [*lines, field_line("guardrail", f"{does['rule']}{', after ' + ', '.join(does['passed']) if does['passed'] else ''}")]


def _acted_lines(acted: Mapping[str, Any], now: float) -> Lines:
    label = "then" if acted["vote"] else "done" if acted["is_done"] else "not done"
    return [field_line(label, Cell(f"{age(now - acted['at'])} ago: {acted['told']}", "" if acted["is_done"] else "bad"))]


def _by(data: Mapping[str, Any]) -> str:
    return f", by {data['closed_by']}" if data["closed_by"] else ""


def _named(data: Mapping[str, Any], voter: str) -> str:
    return next((str(one["name"]) for one in data["voters"] if one["id"] == voter), voter)


def _voter_line(voter: Mapping[str, Any], row: ProposalRow, now: float, glyphs: Glyphs) -> Cells:
    ballots: Sequence[Mapping[str, Any]] = voter["ballots"]
    name = f"  {voter['name']}".ljust(NAME_WIDTH)
    extra = [*([f"weight {voter['weight']:g}"] if row.rule == "weighted" else []), *([f"group {voter['group']}"] if voter["group"] else [])]
    if not voter["choice"]:
        said = "contradicts itself" if voter["is_void"] else "gone" if voter["is_lost"] else "has not voted"
        return (name, Cell(said.ljust(CHOICE_WIDTH), "dim"), *[Cell(f" {one}", "dim") for one in extra])
    last = ballots[-1]
    choice = badge(_CHOICES, voter["choice"], glyphs)
    changed = [plural(len(ballots) - 1, "change")] if len(ballots) > 1 else []
    facts = " ".join([f"sure {last['confidence']:.0%}", *extra, *changed, f"{age(now - last['at'])} ago"])
    return (name, Cell(choice.text.ljust(CHOICE_WIDTH), choice.role), Cell(f" {facts}", "dim"), *([f"  {last['reasoning']}"] if last["reasoning"] else []))
