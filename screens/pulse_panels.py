"""The parts of a dashboard that show the fleet's own lists: what needs somebody, pools, processes, machines.

Owner: each list owns its rows; the needs are found anew when something they are made of changed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import cast

from textual import on

from engine.model.dashboards import Widget as Spec
from engine.model.filters import quote_value
from engine.model.rows import HostRow, PoolRow
from screens.agents import AgentsScreen
from screens.attention import needs_of
from screens.base import FleetScreen
from screens.feed import Changes
from screens.panel import Panel
from screens.places import Place
from screens.present_pulse import (
    NEED_COLUMNS,
    NEED_KINDS,
    PULSE_COLUMNS,
    Need,
    hosts_parts,
    need_cells,
    pulse_cells,
)
from screens.present_rows import HOST_COLUMNS, columns_over, host_cells
from screens.things import open_thing
from screens.views import open_screen
from screens.widgets.cells import Glyphs
from screens.widgets.columns import Column
from screens.widgets.statusbar import ContextBar
from screens.widgets.table import Table

NEEDS_SHARE = 3
"""The list of needs takes at most one third of the body; it scrolls."""


def screen_of(need: Need) -> FleetScreen:
    """Return the screen that shows a need."""
    kind = {"task": "tasks", "vote": "proposals", "alert": "alerts", "channel": "channels"}.get(need.view)
    return open_thing(kind, need.thing) if kind else open_screen(Place(need.view, need.thing))


class PulseTable(Panel, Table):
    """One of several lists: it points only while it has the focus."""

    def __init__(self, spec: Spec, columns: Iterable[Column], screen: FleetScreen, *, empty: str) -> None:
        self.spec = spec
        super().__init__(tuple(columns), glyphs=screen.console.glyphs, empty=empty, now=screen.feed.now, id=spec.id)

    @property
    def glyphs(self) -> Glyphs:
        """The signs, without a pointer while another list has the focus."""
        return self._glyphs if self.has_focus else replace(self._glyphs, pointer=" ")

    @glyphs.setter
    def glyphs(self, glyphs: Glyphs) -> None:
        self._glyphs = glyphs

    def lines(self, body: int) -> int:
        """Return a line for each row that the widget may have, and one for the titles; 0 = what is left."""
        return self.spec.lines and min(self.spec.lines, len(self.shown_ids)) + 1


class NeedsPanel(PulseTable):
    """What needs somebody, the most pressing first; not there when nothing does."""

    def __init__(self, spec: Spec, screen: FleetScreen) -> None:
        super().__init__(spec, NEED_COLUMNS, screen, empty="nothing needs you")
        self.needs: dict[str, Need] | None = None
        """Need by its id; None before the first look."""

    def is_due(self, height: int) -> bool:
        """Tell also whether there are any."""
        return bool(self.needs) and super().is_due(height)

    def lines(self, body: int) -> int:
        """Return a line for each, up to a share of the body, and one for the titles."""
        return min(len(self.needs or ()), self.spec.lines or max(2, body // NEEDS_SHARE)) + 1

    def refresh_rows(self, changes: Changes) -> None:
        """Look for needs when something changed that they are made of."""
        feed, glyphs = self.on_screen.feed, self.console.glyphs
        if feed.status is None:
            return
        if self.needs is None or changes.touches(NEED_KINDS):
            self.needs = {need.id: need for need in needs_of(feed, glyphs)}
        cells = {id_: need_cells(need, feed.now(), glyphs) for id_, need in self.needs.items()}
        if list(self.shown_ids) == list(cells):
            self.update_rows(cells)
        else:
            self.set_rows(list(cells), list(cells.values()))

    @on(Table.Opened)
    def _open(self, event: Table.Opened) -> None:
        event.stop()
        need = (self.needs or {}).get(event.row_id)
        if need is not None:
            self.console.drill(screen_of(need))


class PoolsPanel(PulseTable):
    """Every pool with the load of its last minute."""

    def __init__(self, spec: Spec, screen: FleetScreen) -> None:
        tables = screen.feed.tables
        super().__init__(spec, columns_over(PULSE_COLUMNS, lambda: tables["pools"]), screen, empty="connecting to the engine …")

    def refresh_rows(self, changes: Changes) -> None:
        """Show the pools."""
        feed = self.on_screen.feed
        now, glyphs = feed.now(), self.console.glyphs
        if feed.status is None:
            self.empty = feed.error or "connecting to the engine …"
            return
        self.empty = "no pools are configured"
        pools = cast("dict[str, PoolRow]", feed.tables["pools"])
        cells = {id_: pulse_cells(row, feed.history.load_of(id_, now), glyphs) for id_, row in pools.items()}
        if changes.is_full:
            self.set_rows(list(cells), list(cells.values()))
        else:
            self.update_rows(cells, changes.removed.get("pools", ()))

    @on(Table.Opened)
    def _open(self, event: Table.Opened) -> None:
        event.stop()
        self.console.drill(AgentsScreen(scope=f"pool={quote_value(event.row_id)}"))


class HostsPanel(PulseTable):
    """The processes that carry agents, where there is room."""

    def __init__(self, spec: Spec, screen: FleetScreen) -> None:
        tables = screen.feed.tables
        super().__init__(spec, columns_over(HOST_COLUMNS, lambda: tables["hosts"]), screen, empty="no process carries agents")

    def is_due(self, height: int) -> bool:
        """Tell also whether there are any."""
        return bool(self.on_screen.feed.tables["hosts"]) and super().is_due(height)

    def refresh_rows(self, changes: Changes) -> None:
        """Show the processes."""
        feed = self.on_screen.feed
        if feed.status is None:
            return
        hosts = cast("dict[str, HostRow]", feed.tables["hosts"])
        cells = {id_: host_cells(row, feed.now(), self.console.glyphs) for id_, row in hosts.items()}
        self.update_rows(cells, [id_ for id_ in self.shown_ids if id_ not in hosts])

    @on(Table.Opened)
    def _open(self, event: Table.Opened) -> None:
        event.stop()
        self.console.drill(AgentsScreen(scope=f"host={quote_value(event.row_id)}"))


class MachinesPanel(Panel, ContextBar):
    """The machines below, in one line."""

    def __init__(self, spec: Spec, screen: FleetScreen) -> None:
        self.spec = spec
        super().__init__(glyphs=screen.console.glyphs, id=spec.id)

    def lines(self, body: int) -> int:
        """Return one."""
        return 1

    def refresh_rows(self, changes: Changes) -> None:
        """Say what they use."""
        if self.on_screen.feed.status is not None:
            hosts = cast("dict[str, HostRow]", self.on_screen.feed.tables["hosts"])
            self.show(hosts_parts(list(hosts.values()), self.console.glyphs))
