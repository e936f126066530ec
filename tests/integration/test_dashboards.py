"""Dashboards of a real fleet: what a program gets of them, its own collectors, and the command line that prints one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from engine import FleetManager, MonitoringSystem
from engine.model.errors import NotFound, UsageError

from tests.integration.engines import engine as engine_process
from tests.integration.engines import until as until_shown

CONFIG = {"fleet": {"default_pools": {"coder": {"min": 2, "max": 4}}}}
BOARD = {
    "id": "mine",
    "name": "Mine",
    "layout": {"columns": 3},
    "refreshInterval": 5_000,
    "widgets": [
        {"kind": "number", "metric": "agents", "of": "coder"},
        {"kind": "number", "metric": "recorded.stock", "of": "shop", "warn": 5, "bad": 2},
        {"kind": "table", "rows": "agents", "filter": "pool=coder"},
    ],
}


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.05)


@pytest.mark.row(227, 228)
async def test_monitoring_begins_with_dashboards_and_collectors_whose_figures_they_show(tmp_path: Path) -> None:
    async def stock() -> dict[str, float]:
        return {"stock": 4.0}

    async def broken() -> dict[str, float]:
        raise RuntimeError("the shop is closed")

    async with FleetManager(CONFIG, state_dir=tmp_path) as fleet:
        monitor = MonitoringSystem(fleet=fleet)
        await monitor.start_monitoring({"collectors": {"shop": stock, "broken": broken}, "dashboards": [BOARD], "aggregationInterval": 1_000, "healthCheckInterval": 1_000})
        try:
            assert set(monitor.collectors) == {"shop", "broken"} and list(monitor.dashboards) == ["mine"]
            await until(lambda: ("recorded.stock", "shop") in fleet.history.recorder.store.keys)
            await until(lambda: fleet.history.recorder.newest.get(("agents", "coder")) == 2)
            found = await monitor.get_dashboard("mine")
            assert (found["id"], found["name"], found["layout"], found["refreshInterval"]) == ("mine", "Mine", {"columns": 3}, 5_000)
            agents, figure, rows = found["widgets"]
            assert agents["value"] == 2 and agents["severity"] == "ok"
            assert (figure["value"], figure["severity"]) == (4.0, "warn")
            assert len(rows["rows"]) == 2
            assert monitor.health is not None and monitor.health["status"] == "running"
            with pytest.raises(UsageError, match="has begun"):
                await monitor.start_monitoring({})
        finally:
            await monitor.shutdown()
        await monitor.start_monitoring({})
        await monitor.shutdown()


@pytest.mark.row(228)
async def test_dashboards_and_widgets_are_made_and_what_is_wrong_is_refused(tmp_path: Path) -> None:
    async with FleetManager(CONFIG, state_dir=tmp_path) as fleet:
        monitor = MonitoringSystem(fleet=fleet)
        made = await monitor.create_dashboard({"name": "All of it", "widgets": [{"kind": "gauge", "metric": "utilisation"}]})
        assert (made["id"], made["refreshInterval"], made["layout"]) == ("all-of-it", 30_000, {"columns": 2})
        assert (await monitor.create_widget({"kind": "chart", "metric": "load"})).last == "1h"
        for wrong in ({"widgets": []}, {"name": "x", "widgets": [{"kind": "pie"}]}, {"name": "Ärger", "widgets": [{"kind": "text", "text": "x"}]}):
            with pytest.raises(UsageError):
                await monitor.create_dashboard(wrong)
        with pytest.raises(NotFound, match="did you mean 'all-of-it'"):
            await monitor.get_dashboard("all-of-i")
        for config in ({"colectors": {}}, {"aggregationInterval": 60_000}, {"healthCheckInterval": True}):
            with pytest.raises(UsageError):
                await monitor.start_monitoring(config)


@pytest.mark.row(40, 229)
async def test_real_time_metrics_have_six_groups_alerts_and_a_status(tmp_path: Path) -> None:
    async with FleetManager(CONFIG, state_dir=tmp_path) as fleet:
        await until(lambda: bool(fleet.history.recorder.sampled_at))
        found = await MonitoringSystem(fleet=fleet).get_real_time_metrics()
        assert set(found) == {"timestamp", "metrics", "alerts", "status"}
        assert set(found["metrics"]) == {"system", "swarms", "agents", "tasks", "performance", "resources"}
        assert (found["status"], found["alerts"]) == ("running", [])


@pytest.mark.row(228)
def test_the_command_line_prints_what_a_dashboard_shows_now(tmp_path: Path) -> None:
    with engine_process(tmp_path, "[fleet.default_pools.coder]\nmin = 2\nmax = 4\n") as subject:

        def agents() -> str:
            found = json.loads(subject.run("dashboards", "show", "engine", "-o", "json").stdout)
            return str(next(one for one in found["widgets"] if one["title"].startswith("engine's memory"))["value"])

        until_shown(lambda: agents() != "None")
        shown = subject.run("dashboards", "show", "work")
        assert shown.returncode == 0 and "agents in use: " in shown.stdout and "ended badly: 0" in shown.stdout
        missing = subject.run("dashboards", "show", "wrok")
        assert missing.returncode == 4 and "did you mean 'work'" in missing.stderr
