"""`:memory` on a real engine and its socket: thousands of entries in pages, and nothing closed among the bytes that a viewer's console gets."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from engine import FleetManager, SwarmMemory
from engine.api.client import Caller, connect
from engine.api.gateway import Gateway
from engine.clock import SystemClock
from engine.model.memory_commands import PermitEntry, RememberEntry
from engine.model.plans import Origin
from engine.operations import Operator
from fleet_tui.app import FleetApp
from screens.entry_window import ROWS_MAX
from screens.memory import MemoryScreen
from textual.pilot import Pilot

from tests.ui.conftest import screen_text

CONFIG = {"fleet": {"default_pools": {"coder": {"min": 1, "max": 1}}, "workers": 1}}
OPEN, CLOSED = "for all to see", "hush-hush"
ADA, VIC = Origin("ada", "console", "", 2), Origin("vic", "console", "", 0)


class Tap:
    """Passes on what a socket says, and keeps what the engine sent."""

    def __init__(self, behind: Path) -> None:
        self.sent = bytearray()
        self._behind = behind

    async def pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        theirs, mine = await asyncio.open_unix_connection(str(self._behind))

        async def pipe(source: asyncio.StreamReader, target: asyncio.StreamWriter, kept: bytearray | None) -> None:
            with contextlib.suppress(ConnectionError):
                while data := await source.read(65_536):
                    if kept is not None:
                        kept += data
                    target.write(data)
                    await target.drain()
            target.close()

        await asyncio.gather(pipe(reader, mine, None), pipe(theirs, writer, self.sent))


@asynccontextmanager
async def console(fleet: FleetManager, folder: Path, origin: Origin) -> AsyncIterator[tuple[Pilot[None], FleetApp, Tap]]:
    """Open a console over a socket that is listened to."""
    async with Gateway(folder / "engine", lambda _origin: fleet.operator(origin), version="1"):
        tap = Tap(folder / "engine")
        server = await asyncio.start_unix_server(tap.pass_on, str(folder / "tap"))

        def at_engine() -> contextlib.AbstractAsyncContextManager[Operator]:
            return connect(folder / "tap", clock=SystemClock(), caller=Caller("console"))

        app = FleetApp(at_engine)
        async with server, app.run_test(size=(120, 40)) as pilot:
            yield pilot, app, tap


async def until(pilot: Pilot[None], condition: object) -> None:
    assert callable(condition)
    async with asyncio.timeout(20):
        while not condition():
            await pilot.pause(0.02)
    await pilot.pause()


async def open_memory(pilot: Pilot[None], app: FleetApp) -> MemoryScreen:
    await until(pilot, lambda: app.feed.status is not None)
    app.open_view("memory")
    await until(pilot, lambda: isinstance(app.screen, MemoryScreen) and app.screen._is_read)
    assert isinstance(app.screen, MemoryScreen)
    return app.screen


@pytest.mark.row(188, 189, 190)
async def test_a_viewers_console_is_sent_no_value_above_its_level(tmp_path: Path) -> None:
    async with FleetManager(CONFIG, directory=tmp_path, state_dir=tmp_path) as fleet:
        admin = fleet.operator(ADA)
        for level in ("private", "team", "swarm", "public", "system"):
            value = OPEN if level in ("swarm", "public") else CLOSED
            await admin.execute([RememberEntry(f"{level} one", f'{{"text": "{value} {level}"}}', level=level, tags=(f"{value[:4]}-tag",))])
        await admin.execute([RememberEntry("once closed", f"{CLOSED} before")])
        await admin.execute([RememberEntry("once closed", f"{OPEN} now", level="public")])
        await admin.execute([PermitEntry("team one", level="team", write=("vic",))])
        async with console(fleet, tmp_path, VIC) as (pilot, app, tap):
            screen = await open_memory(pilot, app)
            keys = {getattr(row, "key", "") for row in screen.rows.values()}
            assert keys == {"team one", "swarm one", "public one", "once closed"}
            for id_ in list(screen.rows):
                screen.table.point_at(id_)
                await pilot.press("enter")
                await until(pilot, lambda: getattr(app.screen, "NAME", "") == "entry" and not app.screen._is_loading)
                for _tab in app.screen.tabs:  # type: ignore[attr-defined]
                    await pilot.press("tab")
                    await until(pilot, lambda: not app.screen._is_loading)
                if id_.endswith("team one"):
                    assert "viewers read levels swarm and public" in screen_text(app)
                await pilot.press("escape")
                await until(pilot, lambda: app.screen is screen)
            for view in ("events", "audit", "plans"):
                app.open_view(view)
                await until(pilot, lambda view=view: getattr(app.screen, "NAME", "") == view)
            sent = bytes(tap.sent)
    assert OPEN.encode() in sent, "nothing hides what is sent from this test"
    assert b"team one" in sent
    for closed in (CLOSED, "hush-tag"):
        assert closed.encode() not in sent


@pytest.mark.row(193)
async def test_a_search_finds_contents_and_leads_to_them(tmp_path: Path) -> None:
    async with FleetManager(CONFIG, directory=tmp_path, state_dir=tmp_path) as fleet:
        admin = fleet.operator(ADA)
        await admin.execute([RememberEntry("release", "the parser ships on monday", level="swarm")])
        await admin.execute([RememberEntry("other", "the parser is closed", level="private")])
        async with console(fleet, tmp_path, VIC) as (pilot, app, tap):
            await open_memory(pilot, app)
            await pilot.press("s", *"parser", "enter")
            await until(pilot, lambda: "the parser ships on monday" in screen_text(app))
            assert "ada/release" in screen_text(app)
            await pilot.press("enter")
            await until(pilot, lambda: getattr(app.screen, "NAME", "") == "entry" and "Value" in screen_text(app))
            assert b"parser is closed" not in bytes(tap.sent)


@pytest.mark.row(178)
async def test_a_long_list_opens_with_a_page_and_goes_on_from_either_end(tmp_path: Path) -> None:
    async with FleetManager(CONFIG, directory=tmp_path, state_dir=tmp_path) as fleet:
        memory = SwarmMemory(fleet=fleet)
        for part in range(3):
            await memory.store_many([(f"k{part * 1_000 + number:05d}", "x" * 200, {"level": "swarm"}) for number in range(1_000)])
        async with console(fleet, tmp_path, VIC) as (pilot, app, _tap):
            screen = await open_memory(pilot, app)
            table = screen.paged
            shown = [screen.rows[id_].key for id_ in table.shown_ids]  # type: ignore[union-attr]
            assert shown[:2] == ["k00000", "k00001"]
            assert len(shown) < ROWS_MAX
            assert "more below" in screen_text(app)
            await pilot.press("G")
            await until(pilot, lambda: "k02999" in screen_text(app))
            assert len(screen.rows) < ROWS_MAX
            for _page in range(60):
                await pilot.press("pageup")
                await until(pilot, lambda: not screen._is_reading)
            pointed = screen.rows[table.pointed_id or ""].key  # type: ignore[union-attr]
            height = table.size.height - 2  # without the titles, and with a row in common
            assert pointed == f"k{2_999 - 60 * height:05d}"
            assert f" {pointed} " in screen_text(app)
            assert len(screen.rows) <= ROWS_MAX
            await pilot.press("g")
            await until(pilot, lambda: "k00000" in screen_text(app))
            screen._set_filter("k0217")
            await until(pilot, lambda: len(screen.rows) == 10 and not screen._is_reading)
            assert "10 entries" in screen_text(app)
