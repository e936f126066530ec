"""Approved pictures of every screen: on a fleet with a bit of everything, on an empty one, and without an engine."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from engine.model.errors import EngineUnavailable
from engine.operations import Operator
from fleet_tui.app import FleetApp
from screens.line_filter import Terminal
from screens.widgets.cells import ASCII

from tests.ui.conftest import Snap
from tests.ui.fleet import Fleet, Seat, sit

SMALL, MIDDLE, LARGE = (80, 24), (120, 40), (200, 60)
TABLES = ("pulse", "pools", "agents", "tasks", "events", "plans", "audit")
DOCUMENTS = (
    ("task", "tasks /check", ("enter",)),
    ("task-result", "tasks /rename", ("enter", "tab", "tab", "tab")),
    ("task-diff", "tasks /rename", ("enter", "tab", "tab", "tab", "tab")),
    ("waiting-task", "tasks /fix", ("X",)),
    ("waiting-on-pool", "tasks /users", ("X", "j")),
    ("failed-task", "tasks /check", ("X",)),
    ("agent-why", "agents /coder-1", ("X", "j")),
    ("pool-why", "pools /tester", ("X",)),
    ("pool-timeline", "pools /database", ("T", "k")),
    ("host", "hosts", ("d",)),
    ("host-why", "hosts", ("X",)),
    ("event", "events", ("d",)),
    ("agent", "agents /coder-1", ("d",)),
    ("agent-tasks", "agents /coder-1", ("enter", "tab", "tab")),
    ("pool", "pools /coder", ("d",)),
    ("plan", "plans /tester", ("enter",)),
    ("audit-line", "audit /pause", ("enter",)),
    ("help", "pools", ("question_mark",)),
    ("commands", "help", ("tab",)),
)


def name_of(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


async def show(seat: Seat, line: str, keys: tuple[str, ...]) -> None:
    """Open a view and press keys, each when the one before has been answered."""
    await seat.open(line)
    for key in keys:
        await seat.press(key)
        await seat.read()
        await seat.until(lambda: not seat.screen._is_loading)


@pytest.mark.parametrize("size", [SMALL, MIDDLE], ids=name_of)
async def test_screens(size: tuple[int, int], snap: Snap) -> None:
    fleet = Fleet()
    async with sit(fleet, size) as seat:
        await fleet.busy()
        await seat.current()
        await seat.forget_the_past()
        for view in TABLES:
            await seat.open(view)
            await snap(seat.pilot, view)


async def test_large_screens(snap: Snap) -> None:
    fleet = Fleet()
    async with sit(fleet, LARGE) as seat:
        await fleet.busy()
        await seat.current()
        await seat.forget_the_past()
        for view in ("pools", "agents", "tasks"):
            await seat.open(view)
            await snap(seat.pilot, view)
        for name, line, keys in DOCUMENTS:
            if "why" in name or name in ("waiting-on-pool", "event", "host"):
                await show(seat, line, keys)
                await snap(seat.pilot, name)


@pytest.mark.parametrize("size", [SMALL, MIDDLE], ids=name_of)
async def test_documents(size: tuple[int, int], snap: Snap) -> None:
    fleet = Fleet()
    async with sit(fleet, size) as seat:
        await fleet.busy()
        await seat.current()
        await seat.forget_the_past()
        for name, line, keys in DOCUMENTS:
            await show(seat, line, keys)
            await snap(seat.pilot, name)


async def test_ascii(snap: Snap) -> None:
    fleet = Fleet()
    async with sit(fleet, SMALL, glyphs=ASCII, terminal=Terminal(is_ascii=True)) as seat:
        await fleet.busy()
        await seat.current()
        await seat.forget_the_past()
        for view in ("pulse", "pools", "agents", "tasks"):
            await seat.open(view)
            assert [line for line in seat.text.splitlines() if not line.isascii()] == []
            await snap(seat.pilot, view)


async def test_an_empty_fleet_says_what_to_do(snap: Snap) -> None:
    fleet = Fleet({"fleet": {"default_pools": {"coder": {"min": 0, "max": 5}}}})
    async with sit(fleet, SMALL) as seat:
        for view, words in (("agents", "no agents yet"), ("tasks", "no tasks yet"), ("plans", "no plan was carried out"), ("audit", "nobody asked")):
            await seat.open(view)
            assert words in seat.text
        await seat.forget_the_past()
        await seat.open("pulse")
        assert "nothing needs you" in seat.text
        await snap(seat.pilot, "pulse")


async def test_without_an_engine_the_console_says_why(snap: Snap) -> None:
    @asynccontextmanager
    async def connect() -> AsyncIterator[Operator]:
        raise EngineUnavailable("no engine answers at /run/fleet.sock; start one with `fleet-tui serve`")
        yield

    fleet = Fleet()
    app = FleetApp(connect, clock=fleet.clock)
    async with app.run_test(size=SMALL) as pilot:
        seat = Seat(fleet, app, pilot)
        await seat.until(lambda: bool(app.feed.error))
        app.open_view("agents")
        await seat.until(lambda: seat.screen.NAME == "agents" and seat.screen.is_mounted and seat.table.empty.startswith("no engine answers"))
        await snap(pilot, "agents")
