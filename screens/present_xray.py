"""The fleet as a tree: fleet, pools, agents, tasks; which nodes are shown, how they hang together, and their cells; pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from engine.model.rows import AgentRow, FleetStatus, PoolRow, TaskRow
from screens.present import (
    AGENT_BADGES,
    HEALTH_BADGES,
    TASK_BADGES,
    age,
    badge,
    count,
    number_cell,
    plural,
    rest_age,
)
from screens.present_rows import AT_REST, STATUS_ORDER, natural, pool_state_cell, ran_s, waited_s
from screens.widgets.cells import Cell, Glyphs, Part
from screens.widgets.cells import Row as Cells
from screens.widgets.columns import Column

FLEET = "fleet"
ENDED_SHOWN = 5
"""Tasks that an agent has done and that are shown below it, the newest ones."""
WAITING_SHOWN = 20
"""Waiting tasks of a pool that are shown; how many more there are is said."""
ENDED = frozenset({"succeeded", "failed", "dead", "cancelled"})

XRAY_COLUMNS: tuple[Column, ...] = (
    Column("thing", "thing", width_min=26, width_max=60, flex=3),
    Column("state", "state", width_min=12),
    Column("what", "what", width_min=14, flex=4),
    Column("health", "health", width_min=9, priority=4),
    Column("for", "for", width_min=4, align="right", priority=2),
    Column("done", "done", width_min=5, align="right", priority=3),
    Column("failed", "failed", width_min=6, align="right"),
)
AGENT_ORDER: Mapping[str, Callable[[AgentRow], Any]] = {
    "thing": lambda row: natural(row.name),
    "state": lambda row: (STATUS_ORDER.get(row.status, 9), natural(row.name)),
    "what": lambda row: (row.task_title or row.reason or "\uffff", natural(row.name)),
    "health": lambda row: (row.health, natural(row.name)),
    "for": lambda row: -row.updated_at,
    "done": lambda row: row.succeeded,
    "failed": lambda row: row.failed,
}
"""Column to what the agents of a pool are sorted by."""


class Node(NamedTuple):
    """One line of the tree."""

    kind: str
    """fleet, pools, agents, tasks, queue (what waits in a pool) or more (what is not shown of it)."""
    thing: str
    """The id of its row; of a queue, and of what is more, the pool."""
    lead: str
    """The branches before it: for each level `|` where there is more below, a space where not; of the last level `+` or `` ` ``."""
    has_children: bool = False
    is_open: bool = False
    number: int = 0
    """Of a queue and of what is more: how many tasks."""

    @property
    def id(self) -> str:
        """Return what it is called in the table; rows of any kind keep their own ids."""
        return self.thing if self.kind in ("agents", "tasks") else f"{self.kind} {self.thing}"


@dataclass(slots=True)
class Fruit:
    """What hangs on the pools."""

    agents: Mapping[str, Sequence[str]]
    """Pool to its agents that are shown, in order; pools that are not here are not shown."""
    tasks: dict[str, Sequence[str]] = field(default_factory=dict)
    """Agent to its tasks."""
    waiting: dict[str, Sequence[str]] = field(default_factory=dict)
    """Pool to the tasks that wait in it."""
    laden: Set[str] = frozenset()
    """Pools in which tasks wait."""


def pick_tasks(fruit: Fruit, rows: Iterable[TaskRow], agents: Mapping[str, AgentRow], *, has_waiting: bool) -> None:
    """Add what each agent holds and did last, and what waits in each pool."""
    by_name = {row.name: id_ for id_, row in agents.items()}
    held: dict[str, list[TaskRow]] = {}
    waiting: dict[str, list[TaskRow]] = {}
    for row in rows:
        if row.state == "pending":
            if has_waiting:
                waiting.setdefault(row.pool, []).append(row)
        elif (agent := by_name.get(row.agent)) is not None:
            held.setdefault(agent, []).append(row)
    for agent, found in held.items():
        now = [row.id for row in found if row.state not in ENDED]
        ended = sorted((row for row in found if row.state in ENDED), key=lambda row: -row.finished_at)
        fruit.tasks[agent] = [*now, *(row.id for row in ended[:ENDED_SHOWN])]
    for pool, found in waiting.items():
        fruit.waiting[pool] = [row.id for row in sorted(found, key=lambda row: (-row.priority, row.submitted_at))]


def grow(fruit: Fruit, is_open: Callable[[str], bool]) -> list[Node]:
    """Return the nodes that are shown, each after the one that it hangs on."""
    nodes = [Node("fleet", "", "", has_children=bool(fruit.agents), is_open=is_open("fleet "))]
    if not nodes[0].is_open:
        return nodes
    pools = list(fruit.agents)
    for number, pool in enumerate(pools):
        is_last = number == len(pools) - 1
        has_children = bool(fruit.agents[pool]) or pool in fruit.laden
        opened = has_children and is_open(f"pools {pool}")
        nodes.append(Node("pools", pool, "`" if is_last else "+", has_children, opened))
        if opened:
            nodes += _grow_pool(pool, fruit, is_open, " " if is_last else "|")
    return nodes


def _grow_pool(pool: str, fruit: Fruit, is_open: Callable[[str], bool], lead: str) -> list[Node]:
    nodes: list[Node] = []
    agents, waiting = fruit.agents[pool], fruit.waiting.get(pool, ())
    for number, agent in enumerate(agents):
        tasks = fruit.tasks.get(agent, ())
        is_last = number == len(agents) - 1 and not waiting
        opened = bool(tasks) and is_open(agent)
        nodes.append(Node("agents", agent, lead + ("`" if is_last else "+"), bool(tasks), opened))
        if opened:
            nodes += _grow_tasks(tasks, lead + (" " if is_last else "|"))
    if waiting:
        opened = is_open(f"queue {pool}")
        nodes.append(Node("queue", pool, f"{lead}`", has_children=True, is_open=opened, number=len(waiting)))
        if opened:
            shown = _grow_tasks(waiting[:WAITING_SHOWN], f"{lead} ")
            more = len(waiting) - len(shown)
            nodes += shown if not more else [*(node._replace(lead=f"{lead} +") for node in shown), Node("more", pool, f"{lead} `", number=more)]
    return nodes


def _grow_tasks(tasks: Sequence[str], lead: str) -> list[Node]:
    return [Node("tasks", task, lead + ("`" if number == len(tasks) - 1 else "+")) for number, task in enumerate(tasks)]


# ---- cells

_BRANCHES = {"|": "│  ", " ": "   ", "+": "├─ ", "`": "└─ "}
_BRANCHES_ASCII = {"|": "|  ", " ": "   ", "+": "|- ", "`": "`- "}


def draw_branches(lead: str, glyphs: Glyphs) -> str:
    """Return the branches before a node; those who hear the tree are told its level by what it is."""
    if glyphs.is_plain:
        return "  " * len(lead)
    return "".join((_BRANCHES_ASCII if glyphs.is_ascii else _BRANCHES)[one] for one in lead)


def fold_sign(node: Node, glyphs: Glyphs) -> str:
    """Return whether a node is open or closed, in two cells; nothing hangs on others."""
    if not node.has_children:
        return "" if node.kind == "more" else "  "
    if glyphs.is_ascii:
        return "- " if node.is_open else "+ "
    return "▾ " if node.is_open else "▸ "


def thing_cell(node: Node, name: str, glyphs: Glyphs) -> Cell:
    """Return the name of a node behind its branches."""
    role = "accent" if node.kind in ("fleet", "pools") else "dim" if node.kind in ("queue", "more") else ""
    if glyphs.is_plain:
        fold = "" if not node.has_children else ", open" if node.is_open else ", closed"
        word = {"pools": "pool ", "agents": "agent ", "tasks": "task ", "fleet": "fleet "}.get(node.kind, "")
        return Cell(draw_branches(node.lead, glyphs) + word + name + fold, role)
    return Cell(draw_branches(node.lead, glyphs) + fold_sign(node, glyphs) + name, role)


def fleet_node_cells(node: Node, status: FleetStatus, glyphs: Glyphs) -> Cells:
    """Return the cells of the fleet."""
    agents, tasks = status.agents, status.tasks
    busy = sum(agents.by_status.get(kind, 0) for kind in ("assigned", "busy", "draining"))
    what = f"{plural(len(status.pools), 'pool')}, {plural(agents.total, 'agent')}, {count(busy)} busy"
    failed = tasks.by_state.get("failed", 0) + tasks.by_state.get("dead", 0)
    state: Part = Cell("read-only", "bad") if status.read_only else Cell("halted", "bad") if status.halted else Cell("works", "good")
    return thing_cell(node, status.name, glyphs), state, what, "", "", number_cell(tasks.succeeded), number_cell(failed, "bad")


def pool_node_cells(node: Node, row: PoolRow, shown: int, glyphs: Glyphs) -> Cells:
    """Return the cells of a pool; `shown` agents of it pass the filter."""
    waiting = row.pending - row.blocked
    parts = [f"{row.busy:,} of {row.agents:,} busy", f"{count(waiting)} waiting" if waiting else "", f"{count(row.blocked)} blocked" if row.blocked else ""]
    what = ", ".join(part for part in (f"{shown:,} shown" if shown != row.agents else "", *parts) if part)
    state = pool_state_cell(row, glyphs)
    return thing_cell(node, row.id, glyphs), state, what, "", "", number_cell(row.succeeded), number_cell(row.failed + row.dead, "bad")


def agent_node_cells(node: Node, row: AgentRow, now: float, glyphs: Glyphs) -> Cells:
    """Return the cells of an agent."""
    since = (rest_age if row.status in AT_REST else age)(now - row.updated_at) if row.updated_at else ""
    return (
        thing_cell(node, row.name, glyphs),
        badge(AGENT_BADGES, row.status, glyphs),
        Cell(row.reason, "warn") if row.reason else row.task_title or Cell(row.task, "dim"),
        badge(HEALTH_BADGES, row.health, glyphs),
        since,
        number_cell(row.succeeded),
        number_cell(row.failed, "bad"),
    )


def task_node_cells(node: Node, row: TaskRow, now: float, glyphs: Glyphs) -> Cells:
    """Return the cells of a task."""
    ran = ran_s(row, now)
    took = rest_age(waited_s(row, now)) if row.state == "pending" else "" if ran is None else age(ran)
    role = "bad" if row.state in ("failed", "dead") else "dim"
    return thing_cell(node, row.title or row.id, glyphs), badge(TASK_BADGES, row.state, glyphs), Cell(row.reason or row.type, role), "", took, "", ""


def other_node_cells(node: Node, glyphs: Glyphs) -> Cells:
    """Return the cells of what waits in a pool, or of what is not shown of it."""
    name = f"{count(node.number)} more" if node.kind == "more" else "waiting"
    what = "open it for all of them" if node.kind == "more" else plural(node.number, "task")
    return thing_cell(node, name, glyphs), "", Cell(what, "dim"), "", "", "", ""
