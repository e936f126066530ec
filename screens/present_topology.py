"""The fleet as a drawn graph: the fleet, the processes that carry agents, their pools, their agents; pure.

What is drawn is bounded by the terminal's width and by how many processes there are: agents that do not fit into their line are
counts, and many processes are a line each until one is opened.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from engine.model.rows import AgentRow, FleetStatus, HostRow
from screens.present import AGENT_BADGES, HEALTH_BADGES, NO_BADGE, count, megabytes, plural
from screens.present_rows import CPU_REST, STATUS_ORDER, natural
from screens.widgets.cells import PLAIN, Cell, Glyphs, clip, clip_middle, measure
from screens.widgets.graph import Lines, Picture, Spot

OPEN_LINES_MAX = 120
"""Above so many lines processes are a line each, but for those that were opened."""
NO_HOST = "no process"
"""Where agents are that run in none: they wait to start, or start with their task."""
WIDE_FROM = 110
POOL_WIDTH, COUNT_WIDTH = 14, 5
BOX_HEIGHT, JUNCTION = 4, 1
"""Lines of a box, and which of them its connections are at."""

_JOINS = {
    (0, 0, 1, 1): "─", (0, 1, 1, 1): "┬", (1, 0, 1, 1): "┴", (1, 1, 1, 1): "┼", (1, 1, 0, 1): "├", (1, 1, 1, 0): "┤",
    (1, 1, 0, 0): "│", (1, 0, 0, 1): "└", (0, 1, 0, 1): "┌", (1, 0, 1, 0): "┘", (0, 1, 1, 0): "┐", (0, 0, 0, 1): "─", (0, 0, 1, 0): "─",
}  # fmt: skip
"""What connects up, down, left and right."""


@dataclass(slots=True)
class Carried:
    """A process and the agents that it carries, by pool."""

    id: str
    row: HostRow | None
    pools: dict[str, list[AgentRow]] = field(default_factory=dict)

    @property
    def agents(self) -> int:
        """Return how many agents it carries."""
        return sum(map(len, self.pools.values()))

    @property
    def name(self) -> str:
        """Return what it is called."""
        return self.id or NO_HOST


def find_carried(hosts: Mapping[str, HostRow], agents: Iterable[AgentRow], pools: Sequence[str]) -> list[Carried]:
    """Return every process with its agents, in the order of pools and names; agents without a process come last."""
    found = {id_: Carried(id_, row) for id_, row in hosts.items()}
    for row in agents:
        found.setdefault(row.host, Carried(row.host, None)).pools.setdefault(row.pool, []).append(row)
    if "" in found:
        found[""] = found.pop("")
    places = {pool: number for number, pool in enumerate(pools)}
    for one in found.values():
        one.pools = dict(sorted(one.pools.items(), key=lambda item: places.get(item[0], len(places))))
        for members in one.pools.values():
            members.sort(key=lambda row: natural(row.name))
    return list(found.values())


# ---- signs and words


def host_health(one: Carried) -> str:
    """Return how a process is; unknown for one that is not known to run."""
    return one.row.health if one.row is not None else "unknown"


def host_figures(one: Carried, *, is_wide: bool) -> str:
    """Return what a process carries and uses."""
    row = one.row
    parts = [plural(one.agents, "agent") if one.agents < 1_000 or is_wide else f"{count(one.agents)} agents"]
    if row is not None and row.cpu >= 0:
        parts.append(f"{row.cpu * 100:.0f}%" if row.cpu >= CPU_REST else f"<{CPU_REST * 100:.0f}%")
    if row is not None and row.rss_mb >= 0:
        parts.append(megabytes(row.rss_mb))
    if row is not None and is_wide:
        parts.insert(0, row.kind)
    return " ".join(parts)


def agent_sign(row: AgentRow, glyphs: Glyphs) -> Cell:
    """Return an agent as one cell: its health where that is not as it should be, else what it does."""
    look = HEALTH_BADGES[row.health] if row.health in ("slow", "suspect", "lost") else AGENT_BADGES.get(row.status, NO_BADGE)
    return Cell(look.ascii if glyphs.is_ascii else look.sign, look.role)


def counted(members: Iterable[AgentRow], glyphs: Glyphs) -> list[Cell]:
    """Return how many agents are in each state, what needs somebody first."""
    states = Counter(row.health if row.health in ("slow", "suspect", "lost") else row.status for row in members)
    cells = []
    for state in sorted(states, key=lambda state: STATUS_ORDER.get(state, -1)):
        look = AGENT_BADGES.get(state) or HEALTH_BADGES.get(state, NO_BADGE)
        sign = look.ascii if glyphs.is_ascii else look.sign
        cells.append(Cell(f"{states[state]:,} {state}" if glyphs.is_plain else f"{sign} {count(states[state])}", look.role))
    return cells


def legend(width: int, glyphs: Glyphs) -> list[Cell]:
    """Return what the signs of agents mean, the rarer ones where there is room."""
    if glyphs.is_plain:
        return []
    looks = [("busy", AGENT_BADGES["busy"]), ("idle", AGENT_BADGES["idle"]), ("starting", AGENT_BADGES["starting"]), ("failed, lost", AGENT_BADGES["failed"])]
    looks += [("drained", AGENT_BADGES["drained"]), ("suspect", HEALTH_BADGES["suspect"])] if width >= WIDE_FROM else []
    return [Cell(f"{look.ascii if glyphs.is_ascii else look.sign} {word}", look.role or "dim") for word, look in looks]


# ---- drawing


class _Pen:
    """Draws lines from left to right. Owner: of the lines that it made and the spots on them."""

    def __init__(self, status: FleetStatus, width: int, glyphs: Glyphs) -> None:
        self.status, self.width, self.glyphs = status, width, glyphs
        self.is_wide = width >= WIDE_FROM
        self.fleet_width, self.host_width = (24, 34) if self.is_wide else (16, 26)
        self.lines: Lines = []
        self.spots: list[Spot] = []

    def join(self, *, up: bool, down: bool, left: bool, right: bool) -> str:
        sign = _JOINS.get((int(up), int(down), int(left), int(right)), " ")
        if not self.glyphs.is_ascii:
            return sign
        return {"─": "-", "│": "|", " ": " "}.get(sign, "+")

    def border(self, width: int, *, is_top: bool) -> Cell:
        if self.glyphs.is_ascii:
            return Cell("+" + "-" * (width - 2) + "+", "dim")
        return Cell("┌" + "─" * (width - 2) + "┐" if is_top else "└" + "─" * (width - 2) + "┘", "dim")

    def box(self, width: int, texts: Sequence[Cell], *, has_left: bool, has_right: bool) -> Lines:
        """Return the lines of a box; a space before each text is left for the pointer."""
        room = width - 4
        lines = [[self.border(width, is_top=True)]]
        for number, text in enumerate(texts):
            left = self.join(up=True, down=True, left=has_left and number == 0, right=False)
            right = self.join(up=True, down=True, left=False, right=has_right and number == 0)
            shown = clip(text.text, room, self.glyphs.ellipsis)
            lines.append([Cell(f"{left} ", "dim"), Cell(shown, text.role), Cell(" " * (room - measure(shown)) + f" {right}", "dim")])
        return [*lines, [self.border(width, is_top=False)]]

    def fleet_box(self, *, has_hosts: bool) -> Lines:
        agents = self.status.agents
        busy = sum(agents.by_status.get(kind, 0) for kind in ("assigned", "busy", "draining"))
        texts = [Cell(self.status.name, "accent"), Cell(f"{count(agents.total)} agents" + (f" {count(busy)} busy" if self.is_wide else ""))]
        return self.box(self.fleet_width, texts, has_left=False, has_right=has_hosts)

    def host_block(self, one: Carried, first: int, x: int) -> Lines:
        """Return the lines of an open process with its pools."""
        look = HEALTH_BADGES.get(host_health(one), NO_BADGE)
        sign = look.ascii if self.glyphs.is_ascii else look.sign
        name = clip_middle(one.name, self.host_width - 6, self.glyphs.ellipsis)
        texts = [Cell(f"{sign} {name}", look.role if look.role != "dim" else ""), Cell(host_figures(one, is_wide=self.is_wide), "dim")]
        box = self.box(self.host_width, texts, has_left=True, has_right=bool(one.pools))
        self.spots.append(Spot("hosts", one.id, "", one.id, first + JUNCTION, x + 2, measure(texts[0].text)))
        start = 0 if len(one.pools) >= BOX_HEIGHT - 1 else JUNCTION
        pools = list(one.pools.items())
        last = start + len(pools) - 1
        low, high = min(start, JUNCTION), max(last, JUNCTION)
        lines: Lines = []
        for row in range(max(BOX_HEIGHT, last + 1)):
            line = box[row] if row < BOX_HEIGHT else [Cell(" " * self.host_width)]
            if pools and low <= row <= high:
                is_pool = start <= row <= last
                join = self.join(up=row > low, down=row < high, left=row == JUNCTION, right=is_pool)
                line = [*line, Cell((self.join(up=False, down=False, left=True, right=True) if row == JUNCTION else " ") + join, "dim")]
                if is_pool:
                    line = [*line, *self.pool_cells(one, *pools[row - start], first + row, x + self.host_width + 2)]
            lines.append(line)
        return lines

    def pool_cells(self, one: Carried, pool: str, members: Sequence[AgentRow], line: int, x: int) -> list[Cell]:  # noqa: PLR0913, PLR0917  # where and what
        """Return a pool of a process: its name, how many agents, and each of them or counts."""
        name = clip(pool, POOL_WIDTH, self.glyphs.ellipsis)
        dash = self.join(up=False, down=False, left=True, right=True)
        cells = [Cell(f"{dash} ", "dim"), Cell(name), Cell(" " * (POOL_WIDTH - measure(name)) + f"{count(len(members)):>{COUNT_WIDTH}}  ", "dim")]
        self.spots.append(Spot("pools", one.id, pool, pool, line, x + 2, measure(name)))
        at = x + 2 + POOL_WIDTH + COUNT_WIDTH + 2
        room = self.width - at
        if len(members) <= room:
            self.spots += [Spot("agents", one.id, pool, row.id, line, at + number, 1) for number, row in enumerate(members)]
            return [*cells, *(agent_sign(row, self.glyphs) for row in members)]
        return [*cells, *self.fitting(members, room + 2)[1:]]

    def folded(self, one: Carried, line: int, x: int) -> list[Cell]:
        """Return a process as one line."""
        look = HEALTH_BADGES.get(host_health(one), NO_BADGE)
        sign = look.ascii if self.glyphs.is_ascii else look.sign
        name = clip_middle(one.name, self.host_width - 6, self.glyphs.ellipsis)
        self.spots.append(Spot("hosts", one.id, "", one.id, line, x + 2, measure(name) + 2))
        told = f"{host_figures(one, is_wide=self.is_wide)}  {plural(len(one.pools), 'pool')}"
        cells = [Cell("  "), Cell(f"{sign} {name}", look.role if look.role != "dim" else ""), Cell(" " * (self.host_width - 5 - measure(name)) + told, "dim")]
        members = [row for found in one.pools.values() for row in found]
        room = self.width - x - sum(measure(cell.text) for cell in cells)
        return [*cells, *self.fitting(members, room)]

    def fitting(self, members: Sequence[AgentRow], room: int) -> list[Cell]:
        """Return as many counts of states as there is room for, what needs somebody first."""
        cells: list[Cell] = []
        for cell in counted(members, self.glyphs):
            room -= measure(cell.text) + 2
            if room < 0:
                break
            cells += [Cell("  "), cell]
        return cells


def draw(carried: Sequence[Carried], status: FleetStatus, width: int, glyphs: Glyphs, is_open: Callable[[str], bool | None]) -> Picture:  # noqa: PLR0913, PLR0917  # what is drawn, and where
    """Return the graph; `is_open` says of a process what somebody chose, None where nobody did."""
    if glyphs.is_plain:
        return _say(carried, status)
    pen = _Pen(status, width, glyphs)
    many = sum(max(BOX_HEIGHT, len(one.pools)) + 1 for one in carried) > OPEN_LINES_MAX
    pen.spots.append(Spot("fleet", "", "", "", JUNCTION, 2, measure(clip(status.name, pen.fleet_width - 4, glyphs.ellipsis))))
    x = pen.fleet_width + 3
    rights: Lines = []
    junctions: list[int] = []
    for one in carried:
        chosen = is_open(one.id)
        if not many if chosen is None else chosen:
            rights += [[]] if rights else []
            junctions.append(len(rights) + JUNCTION)
            rights += pen.host_block(one, len(rights), x)
        else:
            junctions.append(len(rights))
            rights.append(pen.folded(one, len(rights), x))
    box = pen.fleet_box(has_hosts=bool(carried))
    low, high = min([JUNCTION, *junctions]), max([JUNCTION, *junctions])
    for number in range(max(BOX_HEIGHT, len(rights))):
        left = box[number] if number < BOX_HEIGHT else [Cell(" " * pen.fleet_width)]
        trunk = "   "
        if junctions and low <= number <= high:
            is_host = number in junctions
            join = pen.join(up=number > low, down=number < high, left=number == JUNCTION, right=is_host)
            dash = pen.join(up=False, down=False, left=True, right=True)
            trunk = (dash if number == JUNCTION else " ") + join + (dash if is_host else " ")
        pen.lines.append([*left, Cell(trunk, "dim"), *(rights[number] if number < len(rights) else [])])
    return Picture(pen.lines, pen.spots)


def _say(carried: Sequence[Carried], status: FleetStatus) -> Picture:
    """Return the same in words, a line for each thing."""
    hosts = sum(one.row is not None for one in carried)
    fleet = f"fleet {status.name}: {plural(status.agents.total, 'agent')} in {hosts:,} process{'' if hosts == 1 else 'es'}"
    lines: Lines = [[Cell("  "), Cell(fleet, "accent")]]
    spots = [Spot("fleet", "", "", "", 0, 2, len(fleet))]
    for one in carried:
        health = "" if one.row is None else f", {one.row.health}"
        text = f"process {one.name}{health}: {host_figures(one, is_wide=True)}" if one.id else f"{NO_HOST}: {plural(one.agents, 'agent')}"
        spots.append(Spot("hosts", one.id, "", one.id, len(lines), 4, len(text)))
        lines.append([Cell("    "), Cell(text)])
        for pool, members in one.pools.items():
            told = ", ".join(cell.text for cell in counted(members, PLAIN))
            text = f"pool {pool}: {plural(len(members), 'agent')}, {told}"
            spots.append(Spot("pools", one.id, pool, pool, len(lines), 6, len(text)))
            lines.append([Cell("      "), Cell(text)])
    return Picture(lines, spots)
