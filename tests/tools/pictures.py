"""Make docs/pictures from a real engine at work on this project's own code: `make pictures`."""

from __future__ import annotations

import asyncio
import os
import re
import tempfile
from pathlib import Path

from engine.api.client import Caller, connect
from engine.clock import SystemClock
from fleet_tui.app import FleetApp
from textual.pilot import Pilot

from tests.integration.engines import engine

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "pictures"
SIZE = (120, 34)
VIEWS = {"pulse": "pulse", "pools": "pools", "agents": "agents", "tasks": "tasks"}
WARM_UP_S = 12.0
"""Long enough for the pulse's history to show something."""


async def take(app: FleetApp, pilot: Pilot[None]) -> None:
    """Open each view and save what it shows."""
    clock = SystemClock()
    async with asyncio.timeout(60):
        while app.feed.status is None or not app.feed.status.tasks.by_state.get("succeeded"):
            await pilot.pause(0.1)
    began = clock.now()
    while clock.now() - began < WARM_UP_S:
        await pilot.pause(0.25)
    for name, line in VIEWS.items():
        app.open_view(line)
        await pilot.pause(1.0)
        save(app, name)
    await pilot.press("enter")
    await pilot.pause(1.0)
    save(app, "task")
    app.open_view("pools")
    await pilot.pause(0.5)
    app.open_view("scale coder +3")
    await pilot.pause(1.0)
    save(app, "plan")


def save(app: FleetApp, name: str) -> None:
    """Write one picture; its parts are named alike each time, so that only what changed differs."""
    picture = re.sub(r"terminal-\d+", "terminal", app.export_screenshot(title="fleet-tui"))
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
