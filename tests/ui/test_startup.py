"""The first frame: what is known is shown at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from engine.operations import Operator
from fleet_tui import app as console

from tests.ui.conftest import screen_text
from tests.ui.fleet import Fleet


async def test_a_fleet_is_shown_as_soon_as_it_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without waiting for a tick: here none comes."""
    monkeypatch.setattr(console, "TICK_S", 3600.0)
    fleet, may_answer = Fleet(), asyncio.Event()

    @asynccontextmanager
    async def connect_late() -> AsyncIterator[Operator]:
        await may_answer.wait()
        async with fleet.connect() as operator:
            yield operator

    app = console.FleetApp(connect_late, clock=fleet.clock)
    async with fleet.world.running(), app.run_test(size=(120, 40)) as pilot, asyncio.timeout(60):
        while "connecting to the engine" not in screen_text(app):
            await pilot.pause(0.01)
        may_answer.set()
        while "LIVE" not in screen_text(app):
            await pilot.pause(0.01)
        assert "architect" in screen_text(app)
