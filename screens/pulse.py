"""`:pulse`, home: what needs somebody first, then the pools and the last minute, then the processes under them.

Owner: what it found to need somebody, and which of its lists fills the view. The last minute is the feed's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import ClassVar, cast

from textual import on
from textual.widget import Widget

from engine.model.filters import quote_value
from engine.model.rows import HostRow, PoolRow
from screens.agents import AgentsScreen
from screens.audit import AuditScreen
from screens.base import FleetScreen
from screens.booster import BoosterScreen
from screens.feed import Changes
from screens.places import Place
from screens.pools import PoolsScreen
from screens.present import unknown
from screens.present_pulse import (
    NEED_COLUMNS,
    PULSE_COLUMNS,
    Need,
    find_needs,
    health_parts,
    hosts_parts,
    need_cells,
    pulse_cells,
)
from screens.present_rows import HOST_COLUMNS, columns_over, host_cells
from screens.tables import TableScreen
from screens.tasks import TasksScreen
from screens.things import open_thing
from screens.widgets.cells import Cell, Glyphs
from screens.widgets.statusbar import ContextBar, Part
from screens.widgets.table import Table

NEEDS_SHARE = 3
"""The list of needs takes at most one third of the body; it scrolls."""
HOSTS_SHOWN = 4
ROOMY_HEIGHT = 32
"""From this height of the terminal each host has a line of its own."""


LISTS = ("needs", "pools", "hosts")


def screen_of(need: Need) -> FleetScreen:
    """Return the screen that shows a need."""
    if need.view == "task":
        return open_thing("tasks", need.thing)
    if need.view == "vote":
        return open_thing("proposals", need.thing)
    tables: dict[str, type[TableScreen]] = {"tasks": TasksScreen, "agents": AgentsScreen, "pools": PoolsScreen, "audit": AuditScreen, "booster": BoosterScreen}
    return tables[need.view](scope=need.thing)


class PulseTable(Table):
    """One of several lists: it points only while it has the focus."""

    @property
    def glyphs(self) -> Glyphs:
        """The signs, without a pointer while another list has the focus."""
        return self._glyphs if self.has_focus else replace(self._glyphs, pointer=" ")

    @glyphs.setter
    def glyphs(self, glyphs: Glyphs) -> None:
        self._glyphs = glyphs


class PulseScreen(FleetScreen):
    """The fleet in one look."""

    NAME: ClassVar[str] = "pulse"
    TITLE: ClassVar[str] = "Pulse"
    KINDS: ClassVar[tuple[str, ...]] = ("pools", "tasks", "agents", "hosts", "boosters", "proposals")

    def __init__(self, _text: str = "") -> None:
        super().__init__()
        self._needs: dict[str, Need] = {}
        self._has_looked = False

    def place(self) -> Place:
        """Return where somebody would come back to."""
        return Place(self.NAME)

    def compose_body(self) -> Iterable[Widget]:
        """Yield needs, pools and hosts."""
        glyphs, tables, now = self.console.glyphs, self.feed.tables, self.feed.now
        yield PulseTable(NEED_COLUMNS, glyphs=glyphs, empty="nothing needs you", now=now, id="needs")
        pools = columns_over(PULSE_COLUMNS, lambda: tables["pools"])
        yield PulseTable(pools, glyphs=glyphs, empty="connecting to the engine …", now=now, id="pools")
        hosts = columns_over(HOST_COLUMNS, lambda: tables["hosts"])
        yield PulseTable(hosts, glyphs=glyphs, empty="no process carries agents", now=now, id="hosts")
        yield ContextBar(glyphs=glyphs, id="machines")

    def on_mount(self) -> None:
        """Begin at the pools, or at the list that fills the view."""
        super().on_mount()
        self.query_one(f"#{self._zoomed or 'pools'}", Table).focus()

    @property
    def _zoomed(self) -> str:
        """Which list fills the view; empty if all share it."""
        name = str(self.console.settings_of(self.NAME).get("zoom", ""))
        return name if name in LISTS else ""

    def action_zoom(self) -> None:
        """Let the list with the focus fill the view, or show all lists again."""
        focused = self.focused.id if isinstance(self.focused, PulseTable) else "pools"
        self.console.settings_of(self.NAME)["zoom"] = "" if self._zoomed else str(focused)
        self._show_lists()

    def _show_lists(self) -> None:
        """Give each list the lines that it needs, all of them to the one that fills the view."""
        zoomed, height = self._zoomed, self.query_one("#body").size.height
        hosts = len(self.feed.tables["hosts"])
        shown = {"needs": bool(self._needs), "pools": True, "hosts": bool(hosts) and self.size.height >= ROOMY_HEIGHT}
        lines = {"needs": min(len(self._needs), max(2, height // NEEDS_SHARE)) + 1, "hosts": min(hosts, HOSTS_SHOWN) + 1}
        for name in LISTS:
            table = self.query_one(f"#{name}", Table)
            table.display = name == zoomed if zoomed else shown[name]
            table.styles.height = "1fr" if name == zoomed or name not in lines else lines[name]
        self.query_one("#machines").display = zoomed in ("", "hosts")
        if self.focused is None or not self.focused.display:
            self.query_one(f"#{zoomed or 'pools'}", Table).focus()

    def refresh_rows(self, changes: Changes) -> None:
        """Show what changed."""
        if self.feed.status is None:
            self.query_one("#pools", Table).empty = self.feed.error or "connecting to the engine …"
            self._show_lists()
            return
        if changes.touches(("pools", "tasks", "hosts")) or not self._has_looked:
            self._has_looked = True
            self._find_needs()
        self._show_needs()
        self._show_pools(changes)
        self._show_hosts()
        self._show_lists()

    def _find_needs(self) -> None:
        status = self.feed.status
        assert status is not None
        self._needs = {need.id: need for need in find_needs(status, self.feed.tables, self.console.glyphs)}

    def _show_needs(self) -> None:
        table = self.query_one("#needs", Table)
        now, glyphs = self.feed.now(), self.console.glyphs
        cells = {id_: need_cells(need, now, glyphs) for id_, need in self._needs.items()}
        if list(table.shown_ids) == list(cells):
            table.update_rows(cells)
        else:
            table.set_rows(list(cells), list(cells.values()))

    def _show_pools(self, changes: Changes) -> None:
        table, now = self.query_one("#pools", Table), self.feed.now()
        table.empty = "no pools are configured"
        pools = cast("dict[str, PoolRow]", self.feed.tables["pools"])
        cells = {id_: pulse_cells(row, self.feed.history.load_of(id_, now), self.console.glyphs) for id_, row in pools.items()}
        if changes.is_full:
            table.set_rows(list(cells), list(cells.values()))
        else:
            table.update_rows(cells, changes.removed.get("pools", ()))

    def _show_hosts(self) -> None:
        hosts = cast("dict[str, HostRow]", self.feed.tables["hosts"])
        now, glyphs = self.feed.now(), self.console.glyphs
        self.query_one("#machines", ContextBar).show(hosts_parts(list(hosts.values()), glyphs))
        table = self.query_one("#hosts", Table)
        cells = {id_: host_cells(row, now, glyphs) for id_, row in hosts.items()}
        table.update_rows(cells, [id_ for id_ in table.shown_ids if id_ not in hosts])

    def heading(self) -> tuple[Sequence[Part], Sequence[Part]]:
        """Say in words how the fleet is, and how fast it works."""
        status = self.feed.status
        if status is None:
            return [Cell(self.TITLE, "accent")], []
        rate = self.feed.history.succeeded_per_s()
        speed: Part = Cell(f"{unknown(self.console.glyphs).text} tasks done/s", "dim") if rate is None else f"{rate:.1f} tasks done/s in 10 s"
        return [Cell(self.TITLE, "accent"), *health_parts(status, len(self._needs))], [speed]

    @on(Table.Opened, "#needs")
    def _open_need(self, event: Table.Opened) -> None:
        need = self._needs.get(event.row_id)
        if need is not None:
            self.console.drill(screen_of(need))

    @on(Table.Opened, "#pools")
    def _open_pool(self, event: Table.Opened) -> None:
        self.console.drill(AgentsScreen(scope=f"pool={quote_value(event.row_id)}"))

    @on(Table.Opened, "#hosts")
    def _open_host(self, event: Table.Opened) -> None:
        self.console.drill(AgentsScreen(scope=f"host={quote_value(event.row_id)}"))
