"""`:pulse`, home: what needs somebody first, then the pools and the last minute, then the processes under them.

Owner: the history of the last minute, filled every SAMPLE_S seconds, also while another screen is in front.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import ClassVar, cast

from textual import on
from textual.widget import Widget

from engine.model.rows import HostRow, PoolRow
from screens.agents import AgentsScreen
from screens.audit import AuditScreen
from screens.base import FleetScreen
from screens.details import TaskDetails
from screens.feed import Changes
from screens.pools import PoolsScreen
from screens.present import unknown
from screens.present_pulse import (
    NEED_COLUMNS,
    PULSE_COLUMNS,
    SAMPLE_S,
    TASKS_SHOWN,
    History,
    Need,
    find_needs,
    health_parts,
    hosts_parts,
    need_cells,
    pulse_cells,
)
from screens.present_rows import HOST_COLUMNS, columns_over, host_cells
from screens.widgets.cells import Cell, Glyphs
from screens.widgets.statusbar import ContextBar, Part
from screens.widgets.table import Table

NEEDS_SHARE = 3
"""The list of needs takes at most one third of the body; it scrolls."""
HOSTS_SHOWN = 4
ROOMY_HEIGHT = 32
"""From this height of the terminal each host has a line of its own."""


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
    KINDS: ClassVar[tuple[str, ...]] = ("pools", "tasks", "agents", "hosts")

    def __init__(self, text: str = "") -> None:
        super().__init__()
        self.history = History()
        self._needs: dict[str, Need] = {}
        self._frames_seen = -1
        self._text = text

    def compose_body(self) -> Iterable[Widget]:
        """Yield needs, pools and hosts."""
        glyphs = self.console.glyphs
        tables = self.feed.tables
        needs = PulseTable(NEED_COLUMNS, glyphs=glyphs, empty="nothing needs you", id="needs")
        needs.display = False
        yield needs
        yield PulseTable(columns_over(PULSE_COLUMNS, lambda: tables["pools"]), glyphs=glyphs, empty="connecting to the engine …", id="pools")
        hosts = PulseTable(columns_over(HOST_COLUMNS, lambda: tables["hosts"]), glyphs=glyphs, empty="no process carries agents", id="hosts")
        hosts.display = False
        yield hosts
        yield ContextBar(glyphs=glyphs, id="machines")

    def on_mount(self) -> None:
        """Begin to remember the last minute."""
        super().on_mount()
        self.query_one("#pools", Table).focus()
        self.set_interval(SAMPLE_S / 2, self._sample)

    def _sample(self) -> None:
        """Take the newest frame into the history, once; a lost engine leaves a gap."""
        feed = self.feed
        if feed.status is None or feed.frames == self._frames_seen:
            return
        self._frames_seen = feed.frames
        self.history.see(feed.status, cast("Iterable[PoolRow]", feed.tables["pools"].values()))

    def refresh_rows(self, changes: Changes) -> None:
        """Show what changed."""
        self._sample()
        if self.feed.status is None:
            self.query_one("#pools", Table).empty = self.feed.error or "connecting to the engine …"
            return
        if changes.touches(("pools", "tasks", "hosts")) or not self._needs:
            self._find_needs()
        self._show_needs()
        self._show_pools(changes)
        self._show_hosts()

    def _find_needs(self) -> None:
        status = self.feed.status
        assert status is not None
        self._needs = {need.id: need for need in find_needs(status, self.feed.tables, self.console.glyphs)}

    def _show_needs(self) -> None:
        table = self.query_one("#needs", Table)
        now, glyphs = self.feed.now(), self.console.glyphs
        table.display = bool(self._needs)
        if not self._needs:
            if self.focused is table:
                self.query_one("#pools", Table).focus()
            return
        table.styles.height = min(len(self._needs), max(2, self.query_one("#body").size.height // NEEDS_SHARE)) + 1
        cells = {id_: need_cells(need, now, glyphs) for id_, need in self._needs.items()}
        if list(table.shown_ids) == list(cells):
            table.update_rows(cells)
        else:
            table.set_rows(list(cells), list(cells.values()))

    def _show_pools(self, changes: Changes) -> None:
        table, now = self.query_one("#pools", Table), self.feed.now()
        table.empty = "no pools are configured"
        pools = cast("dict[str, PoolRow]", self.feed.tables["pools"])
        cells = {id_: pulse_cells(row, self.history.load_of(id_, now), self.console.glyphs) for id_, row in pools.items()}
        if changes.is_full:
            table.set_rows(list(cells), list(cells.values()))
        else:
            table.update_rows(cells, changes.removed.get("pools", ()))

    def _show_hosts(self) -> None:
        hosts = cast("dict[str, HostRow]", self.feed.tables["hosts"])
        now, glyphs = self.feed.now(), self.console.glyphs
        bar, table = self.query_one("#machines", ContextBar), self.query_one("#hosts", Table)
        bar.show(hosts_parts(list(hosts.values()), glyphs))
        table.display = bool(hosts) and self.size.height >= ROOMY_HEIGHT
        if table.display:
            table.styles.height = min(len(hosts), HOSTS_SHOWN) + 1
            cells = {id_: host_cells(row, now, glyphs) for id_, row in hosts.items()}
            table.update_rows(cells, [id_ for id_ in table.shown_ids if id_ not in hosts])

    def heading(self) -> tuple[Sequence[Part], Sequence[Part]]:
        """Say in words how the fleet is, and how fast it works."""
        status = self.feed.status
        if status is None:
            return [Cell(self.TITLE, "accent")], []
        states = status.tasks.by_state
        bad = states.get("failed", 0) + states.get("dead", 0)
        more = max(0, bad - TASKS_SHOWN)
        rate = self.history.succeeded_per_s()
        speed: Part = Cell(f"{unknown(self.console.glyphs).text} done/s", "dim") if rate is None else f"{rate:.1f} done/s in 10 s"
        return [Cell(self.TITLE, "accent"), *health_parts(status, len(self._needs), more)], [speed]

    @on(Table.Opened, "#needs")
    def _open_need(self, event: Table.Opened) -> None:
        need = self._needs.get(event.row_id)
        if need is None:
            return
        if need.view == "task":
            self.console.drill(TaskDetails(need.thing))
        elif need.view == "agents":
            self.console.drill(AgentsScreen(scope=f"pool={need.thing} status=failed"))
        elif need.view == "host":
            self.console.drill(AgentsScreen(scope=f"host={need.thing}"))
        elif need.view == "pool":
            self.console.drill(PoolsScreen(scope=f"id={need.thing}"))
        else:
            self.console.drill(AuditScreen())

    @on(Table.Opened, "#pools")
    def _open_pool(self, event: Table.Opened) -> None:
        self.console.drill(AgentsScreen(scope=f"pool={event.row_id}"))

    @on(Table.Opened, "#hosts")
    def _open_host(self, event: Table.Opened) -> None:
        self.console.drill(AgentsScreen(scope=f"host={event.row_id}"))
