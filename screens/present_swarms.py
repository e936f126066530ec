"""Swarms and their sessions as cells and lines; pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import exp
from typing import Any, NamedTuple

from engine.model.swarm_mail import RATE_S
from engine.model.swarm_rows import SessionRow, SwarmRow
from engine.model.swarm_words import MESH_MAX
from screens.present import (
    AGENT_BADGES,
    CONDITION_BADGES,
    PART_BADGES,
    SESSION_BADGES,
    SWARM_BADGES,
    age,
    badge,
    count,
    number_cell,
    plural,
)
from screens.present_rows import Sorted
from screens.present_text import field_line, title_line
from screens.widgets.cells import Cell, Glyphs
from screens.widgets.cells import Row as Cells
from screens.widgets.columns import Column

LINKS_MAX = 40
"""Links that a document names, those that carried most first."""
DEAD_MAX = 20
"""Dead messages that a document names, the newest first."""
PLACE_WIDTH = 24
BADGE_WIDTH = 11
COUNT_WIDTH = 6
_INPUTS = {
    "enqueue": "waits for its turn",
    "reject": "is refused",
    "interrupt": "begins, and the first ends with what it has",
    "rollback": "begins, and the first ends and counts for nothing",
}
_SWARM_ORDER = ("failed", "initializing", "paused", "active", "completed")
_CONDITION_ORDER = ("unhealthy", "degraded", "healthy")
_SESSION_ORDER = ("integrating", "working", "splitting", "queued", "failed")


class Told(NamedTuple):
    """A line of a document, and the thing that it leads to; an empty id = none."""

    cells: Cells = ()
    kind: str = ""
    id: str = ""


def _place_in(order: Sequence[str], state: str) -> int:
    return order.index(state) if state in order else len(order)


# ---- tables

SWARM_COLUMNS: tuple[Sorted, ...] = (
    (Column("swarm", "swarm", width_min=12, flex=1), lambda r: r.name),
    (Column("state", "state", width_min=14), lambda r: (_place_in(_SWARM_ORDER, r.state), -r.updated_at, r.name)),
    (Column("health", "health", width_min=11, priority=2), lambda r: (_place_in(_CONDITION_ORDER, r.health), r.name)),
    (Column("fit", "fit", width_min=4, align="right", priority=6), lambda r: r.fitness),
    (Column("topology", "topology", width_min=12, priority=3), lambda r: r.topology),
    (Column("busy", "busy", width_min=7, align="right", priority=2), lambda r: (r.busy, r.members)),
    (Column("leader", "leader", width_min=13, priority=5), lambda r: r.leader),
    (Column("term", "term", width_min=4, align="right", priority=8), lambda r: r.term),
    (Column("rate", "msg/s", width_min=6, align="right", priority=4), lambda r: r.rate),
    (Column("waiting", "mail", width_min=5, align="right", priority=9), lambda r: r.waiting),
    (Column("dead", "dead", width_min=5, align="right", priority=6), lambda r: r.dead),
    (Column("objective", "objective", width_min=16, flex=2, priority=1), lambda r: r.sessions),
    (Column("age", "age", width_min=5, align="right", priority=7), lambda r: -r.created_at),
    (Column("why", "why", width_min=24, flex=2, priority=10), lambda r: r.reason),
)
SESSION_COLUMNS: tuple[Sorted, ...] = (
    (Column("objective", "objective", width_min=18, flex=2), lambda r: r.objective),
    (Column("swarm", "swarm", width_min=10, priority=2), lambda r: r.swarm),
    (Column("state", "state", width_min=13), lambda r: (_place_in(_SESSION_ORDER, r.state), -r.ended_at, r.asked_at)),
    (Column("parts", "accepted", width_min=8, align="right", priority=1), lambda r: r.accepted / (r.parts or 1)),
    (Column("votes", "reviewed", width_min=8, align="right", priority=4), lambda r: r.reviewing),
    (Column("tasks", "tasks", width_min=8, align="right", priority=5), lambda r: r.tasks),
    (Column("cost", "cost", width_min=9, align="right", priority=6), lambda r: r.cost),
    (Column("ends", "ends in", width_min=8, align="right", priority=3), lambda r: r.deadline),
    (Column("by", "by", width_min=8, priority=8), lambda r: r.who),
    (Column("why", "why", width_min=20, flex=2, priority=7), lambda r: r.reason),
)


def swarm_cells(row: SwarmRow, objective: str, now: float, glyphs: Glyphs) -> Cells:
    """Return a swarm's cells; the objective is what it works on, empty = nothing."""
    rate = rate_now(row, now)
    more = f" +{row.sessions - 1}" if row.sessions > 1 else ""
    return (
        row.name,
        badge(SWARM_BADGES, row.state, glyphs),
        badge(CONDITION_BADGES, row.health, glyphs) if row.health else "",
        Cell(f"{row.fitness:.2f}", "" if row.fitness else "dim") if row.health else "",
        row.topology,
        Cell(f"{row.busy}/{row.members}", "" if row.busy else "dim"),
        row.leader,
        Cell(str(row.term), "dim"),
        Cell(f"{rate:.1f}", "" if rate >= 0.05 else "dim"),  # noqa: PLR2004  # what is shown as 0.0
        number_cell(row.waiting),
        number_cell(row.dead, "warn"),
        f"{objective}{more}",
        Cell(age(now - row.created_at), "dim"),
        Cell(row.reason, "dim"),
    )


def rate_now(row: SwarmRow, now: float) -> float:
    """Return messages per second over all links, as it has fallen since the row was made."""
    return row.rate * exp(min(0.0, row.rate_at - now) / RATE_S)


def objective_of(swarm: str, sessions: Iterable[SessionRow]) -> str:
    """Return the objective that a swarm works on, or the first that waits for its turn; empty = none."""
    going = [row for row in sessions if row.swarm == swarm and not row.ended_at]
    return min(going, key=lambda row: (row.state == "queued", row.asked_at)).objective if going else ""


def session_cells(row: SessionRow, now: float, glyphs: Glyphs) -> Cells:
    """Return a session's cells."""
    return (
        row.objective,
        row.swarm,
        badge(SESSION_BADGES, row.state, glyphs),
        Cell(f"{row.accepted}/{row.parts}", "" if row.parts else "dim"),
        number_cell(row.reviewing, "accent"),
        f"{row.tasks}/{row.budget_tasks}",
        _cost(row),
        _ends(row, now),
        row.who,
        Cell(row.reason, "dim"),
    )


def _cost(row: SessionRow) -> Cell:
    return Cell(f"{row.cost:.2f}/{row.budget_cost:.2f}" if row.budget_cost else f"{row.cost:.2f}", "" if row.cost else "dim")


def _ends(row: SessionRow, now: float) -> Cell:
    if row.ended_at:
        return Cell(f"{age(now - row.ended_at)} ago", "dim")
    return Cell(age(max(0.0, row.deadline - now)) if row.deadline else "waits", "" if row.deadline else "dim")


# ---- a topology as it is drawn


class Place(NamedTuple):
    """A member where it stands in a topology."""

    lead: str
    """What is drawn before its name."""
    member: Mapping[str, Any]


def drawn(topology: str, members: Sequence[Mapping[str, Any]], glyphs: Glyphs) -> list[Place]:
    """Return the members in the order in which a topology is drawn, a line each: a tree, a ring, or the numbers of a mesh."""
    if glyphs.is_plain or not members:
        return [Place("", member) for member in members]
    if topology == "mesh":
        return [Place(f"{number} ", member) for number, member in enumerate(members, 1)]
    if topology == "ring":
        return _ring(members, glyphs)
    if topology == "star":
        center = [member for member in members if member["is_leader"]]
        around = [member for member in members if not member["is_leader"]]
        return [*(Place("", member) for member in center), *_branches(around, {}, "", glyphs)]
    below: dict[str, list[Mapping[str, Any]]] = {}
    for member in members:
        below.setdefault(member["coordinator"], []).append(member)
    return [place for top in below.get("", []) for place in (Place("", top), *_branches(below.get(top["id"], []), below, "", glyphs))]


def _ring(members: Sequence[Mapping[str, Any]], glyphs: Glyphs) -> list[Place]:
    first, between, last = (".- ", "|  ", "`- ") if glyphs.is_ascii else ("╭─ ", "│  ", "╰─ ")
    return [Place(first if not number else last if number == len(members) - 1 else between, member) for number, member in enumerate(members)]


def _branches(members: Sequence[Mapping[str, Any]], below: Mapping[str, Sequence[Mapping[str, Any]]], before: str, glyphs: Glyphs) -> Iterator[Place]:
    fork, end, bar = ("|- ", "`- ", "|  ") if glyphs.is_ascii else ("├─ ", "╰─ ", "│  ")
    for member in members:
        is_last = member is members[-1]
        yield Place(before + (end if is_last else fork), member)
        yield from _branches(below.get(member["id"], ()), below, before + ("   " if is_last else bar), glyphs)


def _shape_words(row: SwarmRow) -> str:
    """Return who speaks with whom."""
    return {
        "mesh": "everybody with everybody",
        "star": "everybody with the center, which stands first",
        "ring": "each with the one above and the one below, the last with the first",
        "hierarchical": "each with the one it hangs on; those at the top with each other",
    }.get(row.topology, "")


# ---- a swarm in full


def swarm_lines(data: Mapping[str, Any], sessions: Iterable[SessionRow], now: float, glyphs: Glyphs) -> list[Told]:
    """Return a swarm in full: how it is, its topology with its members, what its links carry, its objectives, dead messages."""
    row = SwarmRow(**{name: data[name] for name in SwarmRow._fields})
    names = {member["id"]: str(member["name"]) for member in data["agents"]}
    places = drawn(row.topology, data["agents"], glyphs)
    width = max([PLACE_WIDTH, *(len(lead) + len(member["name"]) + 2 for lead, member in places)])
    return [
        *_about(data, row, now, glyphs),
        *_part("members", [_member_told(place, names, width, glyphs) for place in places]),
        *_part("messages", [Told(cells) for cells in _traffic(data, row, names)]),
        *_part("objectives", [_session_told(one, now, glyphs) for one in _newest(sessions, row.name)]),
        *_part("dead messages", [Told(cells) for cells in _dead(data["dead_messages"], names, now)]),
        *_part("what happened", [Told((Cell(f"  {age(now - at)} ago".ljust(BADGE_WIDTH + 2), "dim"), text)) for at, text in reversed(data["notes"])]),
    ]


def _part(title: str, lines: Sequence[Told]) -> list[Told]:
    return [Told(()), Told(title_line(title)), *lines] if lines else []


def _about(data: Mapping[str, Any], row: SwarmRow, now: float, glyphs: Glyphs) -> list[Told]:
    settings: Mapping[str, Any] = data["settings"]
    chosen = ", chosen by their number" if row.is_auto else ""
    share = f", {settings['threshold']:.0%} must approve" if settings["threshold"] else ""
    lines = [
        field_line("name", row.name),
        field_line("state", badge(SWARM_BADGES, row.state, glyphs), *([f" {row.reason}"] if row.reason else [])),
        *_condition_lines(row, glyphs),
        field_line("topology", f"{row.topology} of {plural(row.members, 'member')}, {plural(row.links, 'link')}{chosen}"),
        field_line("", Cell(_shape_words(row), "dim")),
        field_line("leader", f"{row.leader or 'nobody'}, term {row.term}"),
        field_line("votes", f"{row.rule}{share}, open for {age(settings['vote_timeout_s'])}; {row.votes_open} open, {row.votes_ended} ended"),
        field_line("next input", f"{settings['inputs']}: a second objective {_INPUTS[settings['inputs']]}"),
        field_line("messages", f"{row.sent:,} sent, {row.carried:,} over links, {rate_now(row, now):.1f}/s; {row.dead:,} dead"),
        field_line("mailboxes", f"{plural(row.waiting, 'message')} of it for its members"),
        field_line("made", f"{age(now - row.created_at)} ago by {row.who}, version {data['version']}"),
        field_line("id", row.id),
    ]
    return [Told(cells) for cells in lines]


def _condition_lines(row: SwarmRow, glyphs: Glyphs) -> list[Cells]:
    """Return how a swarm is and how well it suits an objective; nothing of one that somebody ended."""
    if not row.health:
        return []
    health = field_line("health", badge(CONDITION_BADGES, row.health, glyphs), *([f" {row.ill}"] if row.ill else []))
    return [health, field_line("fitness", f"{row.fitness:.2f}", Cell(" match × free × success, for an objective that needs nothing special", "dim"))]


def _member_told(place: Place, names: Mapping[str, str], width: int, glyphs: Glyphs) -> Told:
    lead, member = place
    state = badge(AGENT_BADGES, member["status"], glyphs)
    above = names.get(member["coordinator"], "")
    role = "leads" if member["is_leader"] else f"below {above}" if above and glyphs.is_plain else ""
    cells = (
        Cell(f"  {lead}{member['name']}".ljust(width), "accent" if member["is_leader"] else ""),
        Cell(state.text.ljust(BADGE_WIDTH), state.role),
        Cell(f"{member['reliability']:>4.0%} reliable", "dim"),
        Cell(f"{count(member['mail']):>4} mail", "" if member["mail"] else "dim"),
        *([Cell(f" {role}", "accent" if member["is_leader"] else "dim")] if role else []),
    )
    return Told(cells, "agents", member["id"])


def _traffic(data: Mapping[str, Any], row: SwarmRow, names: Mapping[str, str]) -> list[Cells]:
    links: Sequence[Mapping[str, Any]] = data["traffic"]
    if not links:
        return []
    table = _adjacency(data["agents"], links) if row.topology == "mesh" and len(names) <= MESH_MAX else []
    return [*table, *([()] if table else []), *_link_lines(links, names)]


def _adjacency(members: Sequence[Mapping[str, Any]], links: Sequence[Mapping[str, Any]]) -> list[Cells]:
    """Return what each member sent to each other one, by the numbers of the drawing."""
    sent = {(link["source"], link["target"]): link["messages"] for link in links} | {(link["target"], link["source"]): link["messages_back"] for link in links}
    head = [Cell(f"to {number}".rjust(COUNT_WIDTH), "dim") for number in range(1, len(members) + 1)]
    lines: list[Cells] = [(" " * len("  from 1"), *head)]
    for number, one in enumerate(members, 1):
        counts = [sent.get((one["id"], other["id"])) for other in members]
        cells = [Cell(("" if found is None else count(found)).rjust(COUNT_WIDTH), "" if found else "dim") for found in counts]
        lines.append((Cell(f"  from {number}", "dim"), *cells))
    return lines


def _link_lines(links: Sequence[Mapping[str, Any]], names: Mapping[str, str]) -> list[Cells]:
    most = sorted(links, key=lambda link: -(link["messages"] + link["messages_back"]))[:LINKS_MAX]
    width = max(len(names.get(link[end], link[end])) for link in most for end in ("source", "target"))
    lines: list[Cells] = [_link_line(link, names, width) for link in most]
    left = len(links) - len(most)
    return [*lines, (Cell(f"  and {plural(left, 'link')} that carried no more than these", "dim"),)] if left else lines


def _link_line(link: Mapping[str, Any], names: Mapping[str, str], width: int) -> Cells:
    one, other = (names.get(link[end], link[end]).ljust(width) for end in ("source", "target"))
    there, back = (_carried(link[f"messages{way}"], link[f"rate{way}"]) for way in ("", "_back"))
    return (f"  {one}  {other}", Cell("  there ", "dim"), there, Cell("  back ", "dim"), back)


def _carried(messages: int, rate: float) -> Cell:
    return Cell(f"{count(messages):>5} {rate:>5.1f}/s", "" if messages else "dim")


def _newest(sessions: Iterable[SessionRow], swarm: str) -> list[SessionRow]:
    return sorted((row for row in sessions if row.swarm == swarm), key=lambda row: (bool(row.ended_at), -row.asked_at))


def _session_told(row: SessionRow, now: float, glyphs: Glyphs) -> Told:
    state = badge(SESSION_BADGES, row.state, glyphs)
    facts = f"{row.accepted}/{row.parts} accepted, {age(now - row.asked_at)} ago"
    return Told((" ", Cell(state.text.ljust(BADGE_WIDTH + 2), state.role), Cell(facts.ljust(PLACE_WIDTH), "dim"), row.objective), "sessions", row.id)


def _dead(messages: Sequence[Mapping[str, Any]], names: Mapping[str, str], now: float) -> list[Cells]:
    newest = sorted(messages, key=lambda one: -one["at"])[:DEAD_MAX]
    lines: list[Cells] = []
    for one in newest:
        lost = "; ".join(f"{names.get(member, member)}: {why}" for member, why in one["not_reached"].items())
        lines.append((Cell(f"  {age(now - one['at'])} ago".ljust(BADGE_WIDTH), "dim"), f"{one['type']} from {names.get(one['source'], one['source'])}", Cell(f"  {lost}  {one['id']}", "dim")))
    left = len(messages) - len(newest)
    return [*lines, (Cell(f"  and {left:,} before these", "dim"),)] if left else lines


# ---- a session in full


def session_lines(data: Mapping[str, Any], now: float, glyphs: Glyphs) -> list[Told]:
    """Return a session in full: how far it is, its terms, and every part with its task, vote and reviews."""
    row = SessionRow(**{name: data[name] for name in SessionRow._fields})
    return [*_session_about(data, row, now, glyphs), *_part("parts", [told for part in data["parts_in_full"] for told in _part_told(part, data["plan"], glyphs)])]


def _session_about(data: Mapping[str, Any], row: SessionRow, now: float, glyphs: Glyphs) -> list[Told]:
    plan: Mapping[str, Any] = data["plan"]
    began = f", began {age(now - row.began_at)} ago" if row.began_at else ""
    ends = _ends(row, now).text
    steps = [f"{step} {plan[step]}" for step in ("split", "work", "review", "integrate") if plan[step]]
    return [
        Told(field_line("objective", row.objective)),
        Told(field_line("state", badge(SESSION_BADGES, row.state, glyphs), *([f" {row.reason}"] if row.reason else []))),
        Told(field_line("swarm", row.swarm), "swarms", data["swarm_id"]),
        Told(field_line("parts", f"{row.accepted} of {row.parts} accepted; {row.working} worked on, {row.reviewing} reviewed; {plural(row.attempts, 'attempt')}")),
        Told(field_line("steps", ", ".join(steps))),
        Told(field_line("review", f"up to {plan['reviewers']} reviewers, {plan['attempts']} attempts, an undecided vote waits {age(plan['patience_s'])}")),
        *([Told(field_line("task", data["task"]), "tasks", data["task"])] if data["task"] else []),
        Told(field_line("budget", f"{row.tasks} of {row.budget_tasks} tasks, cost {_cost(row).text}")),
        Told(field_line("ended" if row.ended_at else "ends in", ends if row.deadline or row.ended_at else "it waits for its turn")),
        Told(field_line("asked", f"{age(now - row.asked_at)} ago by {row.who}{began}")),
        Told(field_line("id", row.id)),
    ]


def _part_told(part: Mapping[str, Any], plan: Mapping[str, Any], glyphs: Glyphs) -> list[Told]:
    state = badge(PART_BADGES, part["state"], glyphs)
    prompt = str(part["payload"].get("prompt") or ", ".join(f"{name} {value}" for name, value in part["payload"].items()))
    who = Cell(f"{part['worker_name']}, attempt {part['attempt']} of {plan['attempts']}" if part["attempt"] else "nobody has it yet", "dim")
    task, vote = part["task"], part["proposal"]
    return [
        Told((f"  {part['number']:>2}", Cell(state.text.ljust(BADGE_WIDTH), state.role), prompt, who)),
        *([Told((Cell("     task    ", "dim"), task), "tasks", task)] if task else []),
        *([Told((Cell("     vote    ", "dim"), vote), "proposals", vote)] if vote else []),
        *(Told((Cell("     review  ", "dim"), review), "tasks", review) for review in part["reviews"].values()),
        *(Told((Cell("     against ", "dim"), Cell(reason, "warn"))) for reason in part["reasons"]),
    ]
