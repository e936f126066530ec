"""The seeds' MonitoringSystem for programs that embed the engine: dashboards as data, and collectors of their own figures.

Owner: a MonitoringSystem, of its dashboards and of the task that asks its collectors, between start_monitoring() and shutdown().
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

from engine.fleet import FleetManager
from engine.library_monitor import FleetMonitor
from engine.model.dashboards import Dashboard, Widget, look, read_dashboard, read_widget, to_values
from engine.model.errors import FleetError, NotFound, UsageError
from engine.model.wire import nearest
from engine.supervisor import call_listener

log = logging.getLogger(__name__)

Collector = Callable[[], Awaitable[Mapping[str, float]]]
"""Gives figures by their names; each becomes the metric `recorded.NAME` with the collector's name as its source."""
INTERVAL_MS = 10_000
LEAST_MS = 1_000
MOST_MS = 30_000
"""A recorded figure stands for a minute: a collector is asked more often than that."""
_KEYS = {"collectors", "dashboards", "aggregationInterval", "healthCheckInterval"}


class MonitoringSystem(FleetMonitor):
    """Dashboards and collectors on top of what the fleet measures itself."""

    def __init__(self, config: Mapping[str, Any] | None = None, *, fleet: FleetManager | None = None) -> None:
        """Take a fleet, or check the configuration of one of its own. Raises ConfigError, UsageError."""
        super().__init__(config, fleet=fleet)
        self.collectors: dict[str, Collector] = {}
        self.dashboards: dict[str, Dashboard] = {}
        self.health: dict[str, Any] | None = None
        """The newest health check; None before the first."""
        self._begun = contextlib.AsyncExitStack()
        self._is_begun = False

    async def start_monitoring(self, config: Mapping[str, Any]) -> None:
        """Make dashboards and begin to ask collectors and to check health, from {collectors, dashboards, aggregationInterval, healthCheckInterval} in ms.

        Collectors are a mapping of names to async functions. Raises FleetError; nothing was begun then.
        """
        if unknown := config.keys() - _KEYS:
            raise UsageError(f"monitoring has no key {min(unknown)!r}; it has {', '.join(sorted(_KEYS))}")
        if self._is_begun:
            raise UsageError("monitoring has begun; shutdown() ends it")
        every = {key: _interval(key, config.get(key, INTERVAL_MS)) for key in ("aggregationInterval", "healthCheckInterval")}
        boards = [_board_of(one) for one in config.get("dashboards", ())]
        self.dashboards |= {board.id: board for board in boards}
        self.collectors |= dict(config.get("collectors", {}))
        self.health = await self._check_health()
        group = await self._begun.enter_async_context(asyncio.TaskGroup())
        self._is_begun = True
        for act, every_s in ((self._collect, every["aggregationInterval"]), (self._note_health, every["healthCheckInterval"])):
            self._begun.callback(group.create_task(self._repeat(act, every_s), name=act.__name__).cancel)

    async def shutdown(self) -> None:
        """Ask no more, and stop the fleet when it is one of its own; in the task that began it."""
        await self._begun.aclose()
        self._is_begun = False
        await super().shutdown()

    async def create_dashboard(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """Keep a dashboard {id, name, widgets, columns, refreshInterval in ms}; return it with its layout. Raises UsageError."""
        board = _board_of(config)
        self.dashboards[board.id] = board
        return _plain(board)

    async def create_widget(self, config: Mapping[str, Any]) -> Widget:
        """Return a checked widget, to be part of a dashboard. Raises UsageError."""
        return read_widget(config)

    async def get_dashboard(self, dashboard: str, *, points: int = 60) -> dict[str, Any]:
        """Return a dashboard with what each widget shows now. Raises NotFound."""
        board = self.dashboards.get(dashboard)
        if board is None:
            raise NotFound(f"no dashboard {dashboard!r}{nearest(dashboard, set(self.dashboards))}; create_dashboard() makes one")
        return {**_plain(board), "widgets": await look(board, self.fleet.operator().query, points)}

    async def get_real_time_metrics(self) -> dict[str, Any]:
        """Return `timestamp`, `metrics` by the six groups, the `alerts` that are pending or fire, and `status`. Raises UsageError."""
        return {**await super().get_real_time_metrics(), "alerts": await self.list_alerts()}

    # ---- what repeats

    async def _repeat(self, act: Callable[[], Awaitable[None]], every_s: float) -> None:
        while True:
            await act()
            await self.fleet.clock.sleep(every_s)

    async def _collect(self) -> None:
        """Ask every collector; one that fails is said in the log and delays no other."""
        asked = (call_listener(name, partial(self._collect_from, name, collector)) for name, collector in self.collectors.items())
        await asyncio.gather(*asked)

    async def _collect_from(self, name: str, collector: Collector) -> None:
        for kind, value in (await collector()).items():
            await self.record_metric({"type": kind, "value": value, "source": name})

    async def _note_health(self) -> None:
        try:
            self.health = await self._check_health()
        except FleetError as error:
            log.warning("the health of the fleet is not known: %s", error)

    async def _check_health(self) -> dict[str, Any]:
        found = await self.get_real_time_metrics()
        firing = [alert for alert in found["alerts"] if alert["status"] == "active"]
        return {"timestamp": found["timestamp"], "status": found["status"], "alerts": len(firing), "isHealthy": found["status"] == "running" and not firing}


def _board_of(config: Mapping[str, Any]) -> Dashboard:
    values = {key: value for key, value in config.items() if key not in ("id", "layout")}
    layout = config.get("layout", {})
    id_ = str(config.get("id") or str(config.get("name", "")).lower().replace(" ", "-"))
    return read_dashboard(id_, {**(layout if isinstance(layout, Mapping) else {"columns": layout}), **values})


def _plain(board: Dashboard) -> dict[str, Any]:
    values = to_values(board)
    return {
        "id": board.id, "name": board.name, "widgets": values["widgets"], "layout": {"columns": board.columns},
        "refreshInterval": round(board.refresh_s * 1_000),
    }  # fmt: skip


def _interval(key: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not LEAST_MS <= value <= MOST_MS:
        raise UsageError(f"{key} is {value!r}; give milliseconds from {LEAST_MS:,} to {MOST_MS:,}")
    return value / 1_000
