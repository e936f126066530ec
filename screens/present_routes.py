"""Learned routing as cells and lines; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from engine.model.routing_rows import RouteRow
from screens.present import Badge, age, badge, number_cell, plural, unknown
from screens.present_rows import Sorted
from screens.present_text import Lines, field_line, title_line
from screens.widgets.cells import Cell, Glyphs
from screens.widgets.cells import Row as Cells
from screens.widgets.columns import Column, right

ROUTE_BADGES: dict[str, Badge] = {
    "deciding": Badge("●", "@", "good"),
    "watching": Badge("◐", "(", "accent"),
    "learning": Badge("○", "o"),
    "held back": Badge("‡", "#", "warn"),
    "off": Badge("–", "-", "dim"),
}
_RANK = {word: number for number, word in enumerate(("held back", "deciding", "watching", "learning", "off"))}
WEIGHTS_SHOWN = 6
NAME_WIDTH, KIND_WIDTH, BY_WIDTH = 14, 14, 9


def _known(value: float | None) -> float:
    return value if value is not None else float("-inf")


ROUTE_COLUMNS: tuple[Sorted, ...] = (
    (Column("pool", "pool", width_min=14), lambda r: r.id),
    (Column("state", "state", width_min=11), lambda r: (_RANK.get(r.state, len(_RANK)), r.id)),
    (right("outcomes", "learned of", 10, 5), lambda r: r.outcomes),
    (right("agreed", "agrees", 6, 4), lambda r: r.agreed / (r.looked or 1)),
    (right("learned", "learned", 7, 1), lambda r: _known(r.learned)),
    (right("scored", "scores", 6, 1), lambda r: _known(r.scored)),
    (Column("gain", "gain, 95 %", width_min=21, priority=2), lambda r: _known(r.gain)),
    (right("regret", "regret", 6, 6), lambda r: _known(r.regret)),
    (right("scored_regret", "of scores", 9, 7), lambda r: _known(r.scored_regret)),
    (right("guard", "guard", 6, 8), lambda r: r.account),
    (Column("why", "why", width_min=24, flex=1, priority=3), lambda r: r.reason),
)


def route_cells(row: RouteRow, glyphs: Glyphs) -> Cells:
    """Return a pool's cells."""
    return (
        row.id,
        badge(ROUTE_BADGES, row.state, glyphs),
        number_cell(row.outcomes),
        share_cell(row.agreed, row.looked, glyphs),
        reward_cell(row.learned, glyphs),
        reward_cell(row.scored, glyphs),
        gain_cell(row, glyphs),
        regret_cell(row.regret, glyphs),
        regret_cell(row.scored_regret, glyphs),
        Cell(f"{row.account:.1f}", "warn" if row.state == "held back" else ""),
        Cell(row.reason, "dim"),
    )


def share_cell(part: int, whole: int, glyphs: Glyphs) -> Cell:
    """Return a share of decisions; unknown while there is none."""
    return Cell(f"{part / whole:.0%}") if whole else unknown(glyphs)


def reward_cell(value: float | None, glyphs: Glyphs) -> Cell:
    """Return a reward."""
    return Cell(f"{value:.3f}") if value is not None else unknown(glyphs)


def regret_cell(value: float | None, glyphs: Glyphs) -> Cell:
    """Return a regret for 100 decisions."""
    return Cell(f"{value:.1f}") if value is not None else unknown(glyphs)


def gain_cell(row: RouteRow, glyphs: Glyphs) -> Cell:
    """Return by how much learned routing is ahead, with its interval; coloured only when that does not hold zero."""
    if row.gain is None or row.gain_low is None or row.gain_high is None:
        return unknown(glyphs)
    role = "good" if row.gain_low > 0 else "bad" if row.gain_high < 0 else ""
    gain, low, high = (f"{round(value, 3) + 0.0:+.3f}" for value in (row.gain, row.gain_low, row.gain_high))  # + 0.0: none is -0.000
    return Cell(f"{gain} {low}..{high}", role)


# ---- one pool in full


def route_lines(data: Mapping[str, Any], now: float, glyphs: Glyphs) -> Lines:
    """Return learned routing of a pool in full; each decision has a line from `decisions_from` on."""
    row = RouteRow(**{name: data[name] for name in RouteRow._fields})
    return [
        *_about(data, row, glyphs),
        *_knowledge(data, glyphs),
        (),
        title_line("newest decisions"),
        *(_decision_line(one, now, glyphs) for one in data["decisions"]),
    ]


def decisions_from(data: Mapping[str, Any], now: float, glyphs: Glyphs) -> int:
    """Return the number of the line of the newest decision."""
    return len(route_lines(data, now, glyphs)) - len(data["decisions"])


def _about(data: Mapping[str, Any], row: RouteRow, glyphs: Glyphs) -> Lines:
    logged = int(data["decisions_logged"])
    support = f"; {data['support']:.0%} of them took its agent" if data["support"] is not None else ""
    lines: Lines = [
        field_line("pool", row.id),
        field_line("state", badge(ROUTE_BADGES, row.state, glyphs), row.reason),
        field_line("learned of", f"{plural(row.outcomes, 'outcome')}; its expectations err by {data['error']:.2f}"),
        field_line("looked at", f"{plural(row.looked, 'decision')} since the engine started"),
        field_line("agrees", share_cell(row.agreed, row.looked, glyphs),"of them with the scores"),
        field_line("decided", f"{row.decided}, {row.explored} by chance, to learn"),
        field_line("rewards", f"of {plural(logged, 'decision')} with an outcome{support}"),
        field_line("learned", reward_cell(row.learned, glyphs), _ips(data["ips_learned"])),
        field_line("scores", reward_cell(row.scored, glyphs), _ips(data["ips_scored"])),
        field_line("gain", gain_cell(row, glyphs)),
        field_line("regret", regret_cell(row.regret, glyphs), "for 100 decisions; scores", regret_cell(row.scored_regret, glyphs)),
        field_line("guard", f"{row.account:.1f} rewards may be lost before scores decide alone"),
    ]
    if row.poisoned:
        lines.append(field_line("no fault", f"{plural(row.poisoned, 'failure')} of tasks that failed on others, too"))
    if data["can_recall"]:
        lines.append(field_line("set aside", "what the last reset forgot; R takes it up again"))
    return lines


def _ips(value: float | None) -> str:
    return f" {value:.3f} by what was seen alone" if value is not None else ""


def _knowledge(data: Mapping[str, Any], glyphs: Glyphs) -> Lines:
    lines: Lines = []
    agents: Sequence[Mapping[str, Any]] = data["agents"]
    if agents:
        lines += [(), title_line("agents, best first")]
        lines += [(f"  {one['name']}".ljust(NAME_WIDTH + 2), f"{one['reward']:.3f}", Cell(f"  of {one['weight']:.1f} recent outcomes", "dim")) for one in agents]
    kinds: Mapping[str, Mapping[str, Any]] = data["kinds"]
    if kinds:
        lines += [(), title_line("kinds of tasks")]
        lines += [(f"  {kind}".ljust(NAME_WIDTH + 2), f"{one['reward']:.3f}", Cell(_usually(one["usual_s"]), "dim")) for kind, one in sorted(kinds.items())]
    weights = sorted(data["weights"].items(), key=lambda item: -abs(item[1]))[:WEIGHTS_SHOWN]
    if any(weight for _, weight in weights):
        lines += [(), title_line("what moves it most"), (f"  {', '.join(f'{name} {weight:+.2f}' for name, weight in weights)}",)]
    return lines


def _usually(seconds: float) -> str:
    return f"  usually {seconds:.3g} s" if seconds else "  no time known"


def _decision_line(one: Mapping[str, Any], now: float, glyphs: Glyphs) -> Cells:
    ended = f"{one['ended']} {one['reward']:.2f}" if one["reward"] is not None else one["ended"] or "not ended"
    who = str(one["agent"]).ljust(NAME_WIDTH)
    said = f"learned {one['learned']} {one['learned_expected']:.2f}, scores {one['scored']} {one['scored_expected']:.2f}"
    if one["learned"] == one["scored"]:
        said = f"both {one['learned']} {one['learned_expected']:.2f}"
    return (
        f"  {age(now - one['at']).rjust(4)} ",
        str(one["kind"])[:KIND_WIDTH].ljust(KIND_WIDTH + 1),
        who,
        Cell(f" by {one['by']}".ljust(BY_WIDTH + 4), "accent" if one["by"] == "learned" else ""),
        Cell(f" {ended}".ljust(18)),
        Cell(f" {said}, {one['confidence']:.2f} sure", "dim"),
    )
