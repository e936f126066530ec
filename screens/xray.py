"""`:xray`: the fleet as a tree, pools, agents, tasks; branches open and close, verbs act on any of them.

Owner: of which branches are open (of pools it is remembered), and of the order of the agents. Lines are made when they are
seen, so that ten thousand agents cost little more than the ids of those that are open.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, cast

from textual import events, on
from textual.message import Message
from textual.widget import Widget

from engine.model.filters import quote_value
from engine.model.rows import AgentRow, PoolRow, Row, TaskRow
from screens.any_thing import AnyThingTable
from screens.feed import Changes
from screens.places import Place
from screens.present import plural
from screens.present_xray import (
    AGENT_ORDER,
    XRAY_COLUMNS,
    Fruit,
    Node,
    agent_node_cells,
    draw_branches,
    fleet_node_cells,
    grow,
    other_node_cells,
    pick_tasks,
    pool_node_cells,
    task_node_cells,
)
from screens.tasks import TasksScreen
from screens.things import open_thing
from screens.widgets.cells import Part, measure
from screens.widgets.cells import Row as Cells
from screens.widgets.columns import Column
from screens.widgets.table import GUTTER, Table

ROW_KINDS = ("pools", "agents", "tasks")
"""Kinds of nodes that have a row."""


class Tree(Table):
    """A table whose rows hang on one another: it is sorted by who fills it, and branches open and close."""

    KEY_SCOPES: ClassVar[tuple[str, ...]] = ("branches", "rows")

    class Folded(Message):
        """The row pointed at is to open (1), to close (-1), or to do the other of both (0)."""

        def __init__(self, step: int) -> None:
            super().__init__()
            self.step = step

    def sort_by(self, column_id: str | None, *, is_reversed: bool = False) -> None:
        """Note the column; rows stay in the order in which they come."""
        self.sorted_by, self.is_reversed = column_id, is_reversed
        self.refresh()

    def _action_fold(self, step: int) -> None:
        self.post_message(self.Folded(step))


class NodeRows(Mapping[str, Row]):
    """The rows of all nodes that are shown, by the id of the node."""

    def __init__(self, nodes: Mapping[str, Node], tables: Mapping[str, Mapping[str, Row]]) -> None:
        self._nodes = nodes
        self._tables = tables

    def __getitem__(self, id_: str) -> Row:
        """Return the row of a node. Raises KeyError for one that has none."""
        node = self._nodes[id_]
        return self._tables[node.kind][node.thing]

    def __iter__(self) -> Iterator[str]:
        """Return the ids of nodes with rows."""
        return (id_ for id_, node in self._nodes.items() if node.kind in ROW_KINDS and node.thing in self._tables[node.kind])

    def __len__(self) -> int:
        """Return how many rows there are."""
        return sum(1 for _ in self)


class XrayScreen(AnyThingTable):
    """All of the fleet, or the agents of a scope such as `pool=coder`."""

    NAME: ClassVar[str] = "xray"
    TITLE: ClassVar[str] = "X-ray"
    KIND: ClassVar[str] = "agents"
    NOUN: ClassVar[str] = "thing"
    KINDS: ClassVar[tuple[str, ...]] = ROW_KINDS
    SORT: ClassVar[tuple[str, bool]] = ("thing", False)

    def __init__(self, filter_text: str = "", scope: str = "", *, place: Place | None = None) -> None:
        super().__init__(filter_text, scope, place=place)
        self._grown: dict[str, Node] = {}
        self._opened: set[str] = {"fleet "}
        self._order: dict[str, list[str]] = {}
        self._is_ordered = False
        self._shown = Fruit({})

    # ---- the table

    def columns(self) -> Sequence[Column]:
        """Return the columns."""
        return XRAY_COLUMNS

    @property
    def rows(self) -> Any:  # noqa: ANN401  # a mapping, which others only read
        """Return the rows of the nodes that are shown, by the id of the node."""
        return NodeRows(self._grown, self.feed.tables)

    def compose_body(self) -> Iterable[Widget]:
        """Yield the tree."""
        yield Tree(self.columns(), empty=self.EMPTY, glyphs=self.console.glyphs, now=self.feed.now, present=self._present, id="table")

    def on_mount(self) -> None:
        """Open what was open."""
        self._opened.update(self._settings.get("open", ()))
        super().on_mount()

    def _present(self, row_id: str) -> Cells:
        node, glyphs, now, tables = self._grown.get(row_id), self.console.glyphs, self.feed.now(), self.feed.tables
        if node is None:
            return ("",) * len(XRAY_COLUMNS)
        if node.kind == "fleet":
            status = self.feed.status
            return fleet_node_cells(node, status, glyphs) if status is not None else ("",) * len(XRAY_COLUMNS)
        row = tables[node.kind].get(node.thing) if node.kind in ROW_KINDS else None
        if isinstance(row, PoolRow):
            return pool_node_cells(node, row, len(self._shown.agents.get(row.id, ())), glyphs)
        if isinstance(row, AgentRow):
            return agent_node_cells(node, row, now, glyphs)
        return task_node_cells(node, row, now, glyphs) if isinstance(row, TaskRow) else other_node_cells(node, glyphs)

    def refresh_rows(self, changes: Changes) -> None:
        """Show changed rows, and grow or cut branches."""
        changed, removed = changes.changed.get("agents", {}), changes.removed.get("agents", set())
        if changes.is_full or removed or any(id_ not in self._grown for id_ in changed) or self.table.sorted_by != "thing":
            self._is_ordered = False
        self.filter.forget(removed)
        self._regrow()
        seen = {id_: self._present(id_) for id_ in self._visible_ids()}
        told: dict[str, Cells | None] = {id_: None for kind in ROW_KINDS for id_ in changes.changed.get(kind, {}) if id_ in self._grown}
        self.table.update_rows(told | seen)
        self._point_as_wanted()

    def _filter_table(self) -> None:
        """Show what passes."""
        self._is_ordered = False
        self._regrow()

    # ---- growing

    def _regrow(self) -> None:
        """Show the nodes there are now; those whose branches changed are drawn anew."""
        self._show_empty()
        fruit = self._find_fruit()
        nodes = {node.id: node for node in grow(fruit, self._is_open)} if self.feed.status is not None else {}
        before, self._grown, self._shown = self._grown, nodes, fruit
        if list(before) != list(nodes):
            self.table.set_rows(list(nodes))
        elif before != nodes:
            self.table.update_rows({id_: None for id_, node in nodes.items() if before[id_] != node})

    def _find_fruit(self) -> Fruit:
        tables = self.feed.tables
        agents = cast("Mapping[str, AgentRow]", tables["agents"])
        if not self._is_ordered:
            self._order, self._is_ordered = self._sort_agents(agents), True
        order = self._order
        if not self.filter.is_all:
            passed = set(self.filter.select(agents, self.feed.now()))
            order = {pool: found for pool, ids in order.items() if (found := [id_ for id_ in ids if id_ in passed])}
        pools = cast("Mapping[str, PoolRow]", tables["pools"])
        fruit = Fruit(order, laden={pool for pool, row in pools.items() if row.pending})
        if len(self._opened) > 1 or not self.filter.is_all:  # of closed pools nobody sees the tasks
            pick_tasks(fruit, cast("Iterable[TaskRow]", tables["tasks"].values()), agents, has_waiting=self.filter.is_all)
        return fruit

    def _sort_agents(self, agents: Mapping[str, AgentRow]) -> dict[str, list[str]]:
        table = self.table
        found: dict[str, list[str]] = {pool: [] for pool in self.feed.tables["pools"]}
        for id_, row in agents.items():
            found.setdefault(row.pool, []).append(id_)
        key = AGENT_ORDER[table.sorted_by or "thing"]
        for ids in found.values():
            ids.sort(key=lambda id_: key(agents[id_]), reverse=table.is_reversed)
        return found

    def _is_open(self, id_: str) -> bool:
        return id_ in self._opened or (not self.filter.is_all and id_.startswith("pools "))

    def _sort_by(self, column: str, *, is_reversed: bool) -> None:
        super()._sort_by(column, is_reversed=is_reversed)
        self._filter_table()

    @on(Table.Sorted)
    def _sort_again(self) -> None:
        self._filter_table()

    @on(Tree.Folded)
    def _fold(self, event: Tree.Folded) -> None:
        node = self._grown.get(self.table.pointed_id or "")
        if node is None:
            return
        is_open = event.step > 0 if event.step else not node.is_open
        if is_open and node.has_children:
            self._opened.add(node.id)
        elif not is_open and node.is_open and node.id in self._opened:
            self._opened.discard(node.id)
        elif not is_open:
            self._point_at_parent(node)
        self._settings["open"] = sorted(id_ for id_ in self._opened if id_.startswith("pools "))
        self._regrow()
        self.show_chrome()

    def _point_at_parent(self, node: Node) -> None:
        ids = list(self._grown)
        for id_ in reversed(ids[: ids.index(node.id)]):
            if len(self._grown[id_].lead) < len(node.lead):
                self.table.point_at(id_)
                return

    @on(events.Click)
    def _click_sign(self, event: events.Click) -> None:
        """A click on the sign of a branch opens or closes it."""
        node = self._grown.get(self.table.pointed_id or "")
        if event.widget is not self.table or node is None or event.y == 0 or event.chain > 1:
            return
        x = event.x - GUTTER - measure(draw_branches(node.lead, self.console.glyphs))
        if 0 <= x <= 1 and node.has_children:
            self.table.post_message(Tree.Folded(0))

    def action_fold_all(self) -> None:
        """Open all pools, or close all branches."""
        pools = {f"pools {pool}" for pool in self.feed.tables["pools"]}
        self._opened = {"fleet "} if pools <= self._opened else {*self._opened, *pools, "fleet "}
        self._settings["open"] = sorted(id_ for id_ in self._opened if id_ in pools)
        self._regrow()
        self.show_chrome()

    # ---- words

    def _counts(self) -> list[Part]:
        shown = sum(len(ids) for ids in self._shown.agents.values())
        hidden = len(self.feed.tables["agents"]) - shown
        return [plural(shown, "agent"), *([f"{hidden:,} hidden"] if hidden else [])]

    def empty_text(self) -> str:
        """Say that nothing was heard of the engine yet; else there is always the fleet."""
        return self.feed.error or "connecting to the engine …"

    def subjects(self) -> Sequence[Row]:
        """Return the chosen agents."""
        return [row for row in self.chosen() if isinstance(row, AgentRow)]

    # ---- what is done with a node

    def open_row(self, row_id: str) -> None:
        """Go to what a node is."""
        node = self._grown[row_id]
        if node.kind in ROW_KINDS:
            self.console.drill(open_thing(node.kind, node.thing))
        elif node.kind == "fleet":
            self.console.open_view("pulse")
        else:
            self.console.drill(TasksScreen(scope=f"pool={quote_value(node.thing)} state=pending"))

    def _open_tab(self, tab: str) -> None:
        node = self._grown.get(self.table.pointed_id or "")
        if node is None or node.kind not in ROW_KINDS:
            self.console.say("there is no pool, agent or task under the cursor", role="warn")
        elif tab == "log" and node.kind == "pools":
            self.console.say("a pool has no output; its agents and tasks have", role="warn")
        else:
            self.console.drill(open_thing(node.kind, node.thing, tab))
