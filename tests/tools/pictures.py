"""Make docs/pictures from a real engine at work on this project's own code: `make pictures`."""

from __future__ import annotations

import asyncio
import os
import re
import tempfile
from collections.abc import Callable
from pathlib import Path

from engine.api.client import Caller, connect
from engine.clock import SystemClock
from fleet_tui.app import FleetApp
from screens.base import FleetScreen
from screens.document import Document
from screens.plan_dialog import PlanDialog
from screens.widgets.table import Table
from textual.pilot import Pilot

from tests.integration.engines import engine

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "pictures"
SIZE = (120, 34)
VIEWS = ("pulse", "pools", "agents", "tasks")
WARM_UP_S = 45.0
"""Long enough for the pulse's last minute to show the tide of the work."""
BUSY_MIN = 2
"""Agents at work in a picture of a fleet at work."""


async def take(app: FleetApp, pilot: Pilot[None]) -> None:
    """Open each view and save what it shows."""
    began = app.clock.now()
    await until(pilot, lambda: app.clock.now() - began > WARM_UP_S)
    for name in VIEWS:
        # The pulse is home: opened anew, it would have forgotten its last minute.
        if not shows(app, name):
            app.open_view(name)
        await until(pilot, lambda name=name: shows(app, name) and is_busy(app))
        await save(app, pilot, name)
    await pilot.press("enter")
    await until(pilot, lambda: shows(app, "task") and bool(app.screen.query_one(Document).text))
    await save(app, pilot, "task")
    app.open_view("pools")
    await until(pilot, lambda: shows(app, "pools"))
    app.open_view("scale coder +3")
    await until(pilot, lambda: isinstance(app.screen, PlanDialog))
    await save(app, pilot, "plan")


async def until(pilot: Pilot[None], condition: Callable[[], bool]) -> None:
    """Wait until the console shows or knows something."""
    async with asyncio.timeout(120):
        while not condition():
            await pilot.pause(0.05)


def shows(app: FleetApp, name: str) -> bool:
    """Tell whether a view is in front and has something in it."""
    screen = app.screen
    if not isinstance(screen, FleetScreen) or not screen.is_mounted:
        return False
    return name == screen.NAME and all(table.shown_ids for table in screen.query(Table) if table.display)


def is_busy(app: FleetApp) -> bool:
    """Tell whether several agents work."""
    status = app.feed.status
    return status is not None and status.agents.by_status.get("busy", 0) >= BUSY_MIN


async def save(app: FleetApp, pilot: Pilot[None], name: str) -> None:
    """Write one picture of what is known now; its parts are named alike each time, so that only what changed differs."""
    if isinstance(app.screen, FleetScreen):
        app.screen.tick(app.feed.now())
    await pilot.pause()
    picture = re.sub(r"terminal-\d+", "terminal", app.export_screenshot(title="fleet-tui"))
    # Without this some viewers drop the spaces that columns begin with.
    picture = picture.replace("<text ", '<text xml:space="preserve" ')
    (FOLDER / f"{name}.svg").write_text(picture, "utf-8")


async def main() -> None:
    """Run an engine with the demo, look at it, and end it."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    os.environ["TEXTUAL_ANIMATIONS"] = "none"
    with tempfile.TemporaryDirectory() as folder, engine(Path(folder), args=("--demo", str(ROOT / "engine"))) as subject:
        socket = next((Path(folder) / "run").rglob("engine.sock"))
        clock = SystemClock()
        app = FleetApp(lambda: connect(socket, clock=clock, caller=Caller("console")), clock=clock)
        async with app.run_test(size=SIZE) as pilot:
            await take(app, pilot)
        assert subject.pid


if __name__ == "__main__":
    asyncio.run(main())
