"""`:topology`: the fleet as a drawn graph, from the processes that carry agents to each agent.

Owner: of which processes somebody opened or folded; all else is the feed's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, cast

from textual import on
from textual.widget import Widget

from engine.model.filters import quote_value
from engine.model.rows import AgentRow, HostRow, PoolRow
from screens.agents import AgentsScreen
from screens.base import FleetScreen
from screens.feed import Changes
from screens.places import Place
from screens.present import AGENT_BADGES, HEALTH_BADGES, badge, plural
from screens.present_rows import pool_state_cell
from screens.present_topology import Carried, draw, find_carried, legend
from screens.things import open_thing
from screens.widgets.cells import Cell
from screens.widgets.graph import Graph, Picture
from screens.widgets.statusbar import ContextBar, Part


class TopologyScreen(FleetScreen):
    """What runs where."""

    NAME: ClassVar[str] = "topology"
    TITLE: ClassVar[str] = "Topology"
    KINDS: ClassVar[tuple[str, ...]] = ("pools", "agents", "hosts")

    def __init__(self, _text: str = "") -> None:
        super().__init__()
        self._carried: list[Carried] = []
        self._chosen: dict[str, bool] = {}
        """Process to whether somebody opened or folded it."""

    def place(self) -> Place:
        """Return where somebody would come back to."""
        return Place(self.NAME)

    def compose_body(self) -> Iterable[Widget]:
        """Yield the graph, and what is pointed at in words."""
        glyphs = self.console.glyphs
        yield Graph(glyphs=glyphs, id="graph")
        yield ContextBar(glyphs=glyphs, id="detail")

    @property
    def _graph(self) -> Graph:
        return self.query_one(Graph)

    def on_mount(self) -> None:
        """Begin at the fleet."""
        super().on_mount()
        self._graph.focus()

    def on_resize(self) -> None:
        """Draw it as wide as the terminal is now."""
        self._call_when_drawn(self._draw)

    def heading(self) -> tuple[Sequence[Part], Sequence[Part]]:
        """Return what the signs mean."""
        return [Cell(self.TITLE, "accent")], list(legend(self.size.width, self.console.glyphs))

    # ---- showing

    def refresh_rows(self, changes: Changes) -> None:
        """Draw what changed."""
        if changes.touches(self.KINDS) or not self._carried:
            self._draw()

    def _draw(self) -> None:
        status, tables, graph = self.feed.status, self.feed.tables, self._graph
        if status is None or not graph.size.width:
            graph.empty = self.feed.error or "connecting to the engine …"
            graph.show(Picture([], []))
            return
        agents = cast("Mapping[str, AgentRow]", tables["agents"])
        self._carried = find_carried(cast("Mapping[str, HostRow]", tables["hosts"]), agents.values(), list(tables["pools"]))
        graph.show(draw(self._carried, status, graph.size.width, self.console.glyphs, self._chosen.get))
        self._show_detail()

    def _show_detail(self) -> None:
        self.query_one("#detail", ContextBar).show(self._detail())

    def _detail(self) -> list[Part]:
        """Return in words what is pointed at."""
        spot, tables, glyphs = self._graph.pointed, self.feed.tables, self.console.glyphs
        status = self.feed.status
        if spot is None or status is None:
            return []
        if spot.kind == "fleet":
            return [Cell(status.name, "accent"), plural(status.agents.total, "agent"), plural(len(status.pools), "pool"), f"in {status.hosts:,} process{'' if status.hosts == 1 else 'es'}"]
        if spot.kind == "hosts":
            host = cast("HostRow | None", tables["hosts"].get(spot.thing))
            if host is None:
                return [Cell(spot.thing or "no process", "accent"), Cell("these agents run in no process now", "dim")]
            return [Cell(host.id, "accent"), badge(HEALTH_BADGES, host.health, glyphs), f"{host.kind} process {host.pid}", Cell(host.evidence, "dim")]
        if spot.kind == "pools":
            pool = cast("PoolRow | None", tables["pools"].get(spot.thing))
            here = sum(len(one.pools.get(spot.pool, ())) for one in self._carried if one.id == spot.host)
            state = pool_state_cell(pool, glyphs) if pool is not None else Cell("", "")
            return [Cell(spot.thing, "accent"), state, f"{here:,} of {plural(pool.agents if pool is not None else here, 'agent')} here"]
        agent = cast("AgentRow | None", tables["agents"].get(spot.thing))
        if agent is None:
            return []
        told = [badge(AGENT_BADGES, agent.status, glyphs), badge(HEALTH_BADGES, agent.health, glyphs), Cell(agent.task_title or agent.reason, "dim")]
        return [Cell(agent.name, "accent"), *told]

    # ---- the pointer

    @on(Graph.Pointed)
    def _follow_pointer(self) -> None:
        self._show_detail()

    @on(Graph.Opened)
    def _open(self) -> None:
        """Go to what is pointed at."""
        spot = self._graph.pointed
        if spot is None or (spot.kind == "hosts" and spot.thing not in self.feed.tables["hosts"]):
            self.console.say("these agents run in no process now", role="warn")
        elif spot.kind == "fleet":
            self.console.open_view("pulse")
        else:
            self.console.drill(open_thing(spot.kind, spot.thing))

    @on(Graph.Folded)
    def _fold(self, event: Graph.Folded) -> None:
        """Open or fold the process that is pointed at, or that carries what is; go to the agents of a pool that are not drawn."""
        spot = self._graph.pointed
        if spot is None or spot.kind == "fleet":
            return
        if event.step > 0 and spot.kind == "pools":  # its agents are counts: here they are
            self.console.drill(AgentsScreen(scope=f"pool={quote_value(spot.pool)}" + (f" host={quote_value(spot.host)}" if spot.host else "")))
            return
        is_open = any(one.kind == "pools" and one.host == spot.host for one in self._graph.spots)
        if event.step > 0 and (is_open or spot.kind != "hosts"):
            return
        self._chosen[spot.host] = not is_open
        self._draw()
