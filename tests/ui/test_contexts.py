"""Several engines side by side: `:ctx`, `@`, history and bookmarks across them; what is of one never reaches another."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest
from engine.model.errors import CommandRefused, EngineUnavailable
from engine.model.plans import Authority
from engine.model.verbs import Role
from engine.operations import Operator
from fleet_tui.app import FleetApp
from fleet_tui.contexts import Context
from fleet_tui.preferences import ContextPreferences, Preferences
from fleet_tui.settings import Paths
from fleet_tui.skins import Skin, make_skin
from fleet_tui.switching import FEEDS_KEPT
from screens.feed import Connect
from screens.present_contexts import (
    CONTEXT_BADGES,
    ContextRow,
    Figures,
    context_cells,
    rtt_text,
    settle_rtt,
)
from screens.widgets.cells import ASCII, UNICODE, Glyphs
from screens.widgets.table import Table

from tests.ui.conftest import Snap
from tests.ui.fleet import Fleet, Seat, StillClock

PLAIN = ContextPreferences()
SIZES = [(80, 24), (120, 40), (200, 60)]
SMALL: dict[str, Any] = {"fleet": {"default_pools": {"coder": {"min": 2, "max": 5}, "tester": {"min": 1, "max": 5}}}}


def context(name: str, look: ContextPreferences = PLAIN, problem: str = "") -> Context:
    directory = Path("/srv") / name
    return Context(name, Paths(directory, None, directory, directory / "engine.sock"), look, problem)


class Lane:
    """One engine of a test, how it is reached, and whether it can be."""

    def __init__(self, name: str, fleet: Fleet, look: ContextPreferences) -> None:
        self.context = context(name, look)
        self.fleet = fleet
        self.lost: Exception | None = None
        self.is_hung = False
        self.is_slow = asyncio.Event()
        self.is_slow.set()
        """Cleared = plans are not answered."""
        self.connections = 0
        self._cut = asyncio.Event()

    def cut(self, error: Exception) -> None:
        """Lose the engine, now and until `mend`."""
        self.lost = error
        self._cut.set()
        self._cut = asyncio.Event()

    def mend(self) -> None:
        self.lost = None

    async def reach(self) -> None:
        if self.lost is not None:
            raise self.lost
        if self.is_hung:
            await asyncio.Event().wait()

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[Operator]:
        await self.reach()
        self.connections += 1
        try:
            yield Line(self)  # type: ignore[misc]
        finally:
            self.connections -= 1

    def __repr__(self) -> str:
        return self.context.name


class Line:
    """A connection: the gate, until the engine is lost."""

    def __init__(self, lane: Lane) -> None:
        self._lane = lane
        read_only = lane.context.look.read_only
        self.authority = Authority("ada", Role.ADMIN, "its context says so") if read_only else lane.fleet.gate.authority

    async def __aenter__(self) -> Self:
        await self._lane.reach()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        return None

    async def plan(self, commands: Sequence[Any], *, reason: str = "") -> Any:
        await self._lane.is_slow.wait()
        return await self._lane.fleet.gate.plan(commands, reason=reason)

    async def execute(self, commands: Any, *, reason: str = "", confirm: str = "") -> Any:
        return await self._lane.fleet.gate.execute(commands, reason=reason, confirm=confirm)

    async def query(self, what: str, **parameters: object) -> object:
        await self._lane.reach()
        return await self._lane.fleet.gate.query(what, **parameters)

    async def ping(self) -> float:
        await self._lane.reach()
        return 0.0004

    @asynccontextmanager
    async def follow(self, kinds: Sequence[str]) -> AsyncIterator[AsyncIterator[Any]]:
        cut = asyncio.ensure_future(self._lane._cut.wait())
        try:
            async with self._lane.fleet.gate.follow(kinds) as frames:
                yield self._frames(frames, cut)
        finally:
            cut.cancel()

    async def _frames(self, frames: Any, cut: asyncio.Future[Any]) -> AsyncIterator[Any]:
        while True:
            coming = asyncio.ensure_future(anext(frames))
            try:
                await asyncio.wait((coming, cut), return_when=asyncio.FIRST_COMPLETED)
            finally:
                if not coming.done():
                    coming.cancel()
                    with contextlib.suppress(asyncio.CancelledError):
                        await coming
            if cut.done():
                assert self._lane.lost is not None
                raise self._lane.lost
            yield coming.result()


class Lanes:
    """The catalogue of a test."""

    def __init__(self, lanes: Sequence[Lane], extra: Sequence[Context] = ()) -> None:
        self.lanes = {lane.context.name: lane for lane in lanes}
        self.home = lanes[0].context
        self.extra = extra

    def contexts(self) -> Sequence[Context]:
        return [*(lane.context for lane in self.lanes.values()), *self.extra]

    def connect(self, context: Context) -> Connect:
        return self.lanes[context.name].connected

    def skin(self, context: Context) -> Skin:
        return make_skin(Preferences(), context.look, "", {})

    def probe(self, context: Context) -> Any:
        return Line(self.lanes[context.name])


class Desk(Seat):
    """Somebody at a console over several engines."""

    lanes: Lanes

    def lane(self, name: str) -> Lane:
        return self.lanes.lanes[name]

    async def here(self, name: str) -> None:
        """Wait until a context is in view and current."""
        self.fleet = self.lane(name).fleet
        await self.until(lambda: self.app.feed.context == name and self.app.feed.status is not None and not self.app.feed.stale_s())
        await self.current()

    async def listed(self, **states: str) -> None:
        """Wait until `:ctx` has contexts in some states."""
        table = self.screen.query_one(Table)
        await self.until(lambda: all(name in table.shown_ids and state in self.row(name) for name, state in states.items()))

    def row(self, name: str) -> str:
        return next((line for line in self.text.splitlines()[2:] if line[2:].startswith(f"{name} ")), "")

    def tick(self) -> None:
        if getattr(self.screen, "NAME", "") == "ctx":
            self.screen._ages_at = 0.0
        super().tick()


PROD = ContextPreferences(theme="gruvbox", bar="bad", read_only=True)


@asynccontextmanager
async def desk(
    size: tuple[int, int] = (120, 40), *, looks: dict[str, ContextPreferences] | None = None, extra: Sequence[Context] = (), glyphs: Glyphs = UNICODE, **more: Any
) -> AsyncIterator[Desk]:
    """Sit at `shop`, with `blog` and `prod` beside it."""
    clock = StillClock()
    looks = {"shop": ContextPreferences(), "blog": ContextPreferences(), "prod": PROD} if looks is None else looks
    lanes = Lanes([Lane(name, Fleet(SMALL, clock), look) for name, look in looks.items()], extra)
    async with AsyncExitStack() as stack:
        for lane in lanes.lanes.values():
            await stack.enter_async_context(lane.fleet.world.running())
            await lane.fleet.ready()
        shop = lanes.lanes["shop"].fleet
        app = FleetApp(lanes.connect(lanes.home), clock=clock, glyphs=glyphs, skin=lanes.skin(lanes.home), catalogue=lanes, **more)
        pilot = await stack.enter_async_context(app.run_test(size=size))
        seat = Desk(shop, app, pilot)
        seat.lanes = lanes
        await seat.here("shop")
        yield seat
        for lane in lanes.lanes.values():
            lane.is_slow.set()


# ---- the list


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
async def test_every_context_is_a_row_in_its_state(size: tuple[int, int], snap: Snap) -> None:
    looks = {name: PROD if name == "prod" else ContextPreferences() for name in ("shop", "blog", "prod", "lab", "far", "hung")}
    async with desk(size, looks=looks, extra=[context("typo", problem="/srv/typo: No such file or directory; it is in [contexts.typo] of console.toml")]) as seat:
        await seat.lane("blog").fleet.submit("index", "coder", "run")
        await seat.lane("blog").fleet.submit("check", "coder", "fail")
        seat.lane("lab").cut(CommandRefused("send the header `Authorization: Bearer …` with the token from the engine's token file"))
        seat.lane("far").cut(EngineUnavailable("no engine runs here (no socket /srv/far/engine.sock): start one with `fleet-tui engine`"))
        seat.lane("hung").is_hung = True
        await seat.open("ctx")
        await seat.listed(shop="live", blog="live", prod="live", lab="denied", far="down", hung="asking", typo="unusable")
        await seat.until(lambda: all(row.figures is None or row.figures.needs is not None for row in seat.app.context_rows()))
        seat.lane("blog").lost = EngineUnavailable("the connection to the engine at /srv/blog/engine.sock was lost")
        await seat.listed(blog="stale")
        seat.app.clock.at += 12  # type: ignore[attr-defined]
        await seat.here("shop")
        await seat.listed(blog="stale 12s", shop="live", hung="asking")
        await snap(seat.pilot, "ctx")


async def test_in_ascii_every_state_has_its_own_shape(snap: Snap) -> None:
    assert len({badge.ascii for badge in CONTEXT_BADGES.values()}) == len({badge.sign for badge in CONTEXT_BADGES.values()}) == len(CONTEXT_BADGES)
    async with desk((80, 24), glyphs=ASCII) as seat:
        await seat.open("ctx")
        await seat.listed(shop="live", blog="live", prod="live")
        await seat.until(lambda: all(row.figures is not None and row.figures.needs is not None for row in seat.app.context_rows()))
        seat.tick()
        await seat.pilot.pause()
        assert [line for line in seat.text.splitlines() if not line[:79].isascii()] == []
        await snap(seat.pilot, "ctx")


async def test_one_that_is_down_or_hangs_holds_up_neither_keys_nor_others() -> None:
    async with desk() as seat:
        seat.lane("blog").is_hung = True
        await seat.open("ctx")
        await seat.listed(shop="live", prod="live", blog="asking")
        await seat.press(":", *"ctx blog", "enter")
        await seat.until(lambda: seat.app.feed.context == "blog")
        await seat.press(":", *"agents", "enter")
        await seat.until(lambda: seat.screen.NAME == "agents" and seat.screen.is_mounted)
        assert "@blog" in seat.text
        assert "connecting to the engine" in seat.text
        await seat.press("question_mark")
        await seat.until(lambda: type(seat.screen).__name__ == "HelpScreen")
        await seat.press("escape", ":", *"ctx shop", "enter")
        await seat.here("shop")
        assert seat.screen.NAME == "ctx" or seat.screen.NAME == "pulse"


async def test_an_engine_that_is_lost_is_stale_at_once_and_live_again_by_itself() -> None:
    async with desk() as seat:
        await seat.open("agents")
        seat.lane("shop").cut(EngineUnavailable("the connection to the engine was lost"))
        await seat.until(lambda: "STALE" in seat.text)
        assert seat.app.clock.now() == seat.fleet.clock.at  # and that took no time by the clock
        assert len(seat.table.shown_ids) == 3  # what is known stays
        await seat.press("j", "j")
        assert seat.table.pointed_id == seat.table.shown_ids[2]
        seat.lane("shop").mend()
        await seat.until(lambda: "LIVE" in seat.text)
        assert "STALE" not in seat.text


async def test_nothing_is_asked_once_the_list_is_left_and_what_was_known_comes_again_at_once() -> None:
    async with desk() as seat:
        await seat.open("ctx")
        await seat.listed(blog="live", prod="live")
        seat.app.open_view("pools")
        await seat.until(lambda: seat.screen.NAME == "pools")
        seat.app._tick()
        assert not seat.app._probing
        seat.lane("blog").is_hung = True
        await seat.open("ctx")
        await seat.listed(blog="asking", prod="live")
        assert " 3 " in seat.row("blog")


# ---- from one to another


async def test_a_line_opens_a_view_of_another_engine_and_the_header_names_it() -> None:
    async with desk() as seat:
        assert seat.text.splitlines()[0].startswith(" @shop")
        await seat.lane("blog").fleet.submit("index", "coder", "run")
        await seat.press(":", *"agents coder /busy @blog", "enter")
        await seat.here("blog")
        await seat.until(lambda: seat.screen.NAME == "agents" and len(seat.table.shown_ids) == 1)
        assert seat.text.splitlines()[0].startswith(" @blog")
        assert (seat.screen.scope_text, seat.screen.filter_text) == ("pool=coder", "busy")
        assert seat.lane("shop").connections == 0
        await seat.press(":", *"pools @shop", "enter")
        await seat.here("shop")
        assert seat.screen.NAME == "pools"
        await seat.until(lambda: seat.lane("blog").connections == 0)


async def test_contexts_complete_and_an_unknown_one_is_refused_with_the_nearest() -> None:
    async with desk() as seat:
        seat.app.contexts()
        await seat.until(lambda: len(seat.app.contexts()) == 3)
        await seat.press(":", *"ctx b", "tab", "enter")
        await seat.here("blog")
        await seat.press(":", *"tasks @sh", "tab", "enter")
        await seat.here("shop")
        await seat.press(":", *"ctx shup", "enter")
        await seat.until(lambda: "no context @shup; did you mean 'shop'?" in seat.told)
        assert seat.app.feed.context == "shop"


async def test_history_walks_across_contexts_and_finds_places_as_they_were() -> None:
    async with desk() as seat:
        await seat.open("agents coder")
        await seat.press("j")
        row = seat.table.held_id
        await seat.press(":", *"pools @blog", "enter")
        await seat.here("blog")
        await seat.press("left_square_bracket")
        await seat.here("shop")
        await seat.until(lambda: seat.screen.NAME == "agents" and seat.table.held_id == row)
        assert seat.screen.scope_text == "pool=coder"
        await seat.press("right_square_bracket")
        await seat.here("blog")
        assert seat.screen.NAME == "pools"
        await seat.press("minus")
        await seat.here("shop")
        assert seat.screen.NAME == "agents"


async def test_coming_back_shows_what_was_known_at_once_and_where_it_was_left() -> None:
    async with desk() as seat:
        await seat.open("agents coder /idle")
        seat.app.open_context("blog")
        await seat.here("blog")
        assert seat.screen.NAME == "pulse"
        seat.lane("shop").is_hung = True  # nothing new comes from there
        seat.app.clock.at += 30  # type: ignore[attr-defined]
        seat.app.open_context("shop")
        await seat.until(lambda: seat.screen.NAME == "agents" and seat.screen.is_mounted and len(seat.table.shown_ids) == 2)
        seat.tick()
        await seat.pilot.pause()
        assert (seat.screen.scope_text, seat.screen.filter_text) == ("pool=coder", "idle")
        assert "STALE 30s" in seat.text


async def test_no_more_rows_are_kept_than_are_said() -> None:
    names = ("shop", "a", "b", "c", "d")
    async with desk(looks=dict.fromkeys(names, ContextPreferences())) as seat:
        for name in (*names[1:], "shop"):
            seat.app.open_context(name)
            await seat.here(name)
            assert len(seat.app._kept) <= FEEDS_KEPT
        assert list(seat.app._kept) == ["c", "d"]
        await seat.until(lambda: [lane.connections for lane in seat.lanes.lanes.values()] == [1, 0, 0, 0, 0])
        assert len(seat.app._followers) == 1
        await seat.until(lambda: [len(feed._watches) for feed in seat.app._kept.values()] == [0, 0])  # nobody collects changes of what is not in view


async def test_bookmarks_open_other_contexts_also_later(tmp_path: Path) -> None:
    memory = tmp_path / "console.json"
    async with desk(memory=memory) as seat:
        await seat.press(":", *"agents tester @blog", "enter")
        await seat.here("blog")
        await seat.press("B", "3")
        await seat.until(lambda: "agents pool=tester @blog" in seat.told)
    async with desk(memory=memory) as seat:
        await seat.press("3")
        await seat.here("blog")
        await seat.until(lambda: seat.screen.NAME == "agents")
        assert seat.screen.scope_text == "pool=tester"


async def test_enter_on_a_row_goes_there_and_ctx_comes_back_to_the_place_before_it() -> None:
    async with desk() as seat:
        await seat.open("pools")
        await seat.open("ctx")
        await seat.listed(shop="live", blog="live")
        seat.screen.query_one(Table).point_at("blog")
        await seat.press("enter")
        await seat.here("blog")
        await seat.press(":", *"ctx shop", "enter")
        await seat.here("shop")
        assert seat.screen.NAME == "pools"


# ---- nothing leaks


async def test_marks_and_staged_changes_stay_behind() -> None:
    async with desk() as seat:
        await seat.open("pools")
        await seat.press("space", "greater_than_sign")
        assert seat.table.marked_ids
        assert seat.screen.staged
        seat.app.open_view("pools @blog")
        await seat.here("blog")
        assert not seat.table.marked_ids
        assert not seat.screen.staged
        seat.app.open_view("pools @shop")
        await seat.here("shop")
        assert not seat.table.marked_ids
        assert not seat.screen.staged


async def test_a_dialog_keeps_the_context_until_it_is_answered() -> None:
    async with desk() as seat:
        await seat.open("pools coder")
        await seat.press("f")
        await seat.until(lambda: type(seat.screen).__name__ == "PlanDialog")
        seat.app.open_view("pools @blog")
        seat.app.open_context("blog")
        assert seat.app.feed.context == "shop"
        await seat.until(lambda: "a dialog waits below" in seat.told)
        await seat.press("enter")
        await seat.until(lambda: seat.lane("shop").fleet.state.pools["coder"].paused)
        assert not seat.lane("blog").fleet.state.pools["coder"].paused


async def test_a_plan_that_comes_after_its_context_was_left_is_dropped() -> None:
    async with desk() as seat:
        seat.lane("shop").is_slow.clear()
        await seat.open("pools coder")
        await seat.press("f")
        seat.app.open_view("pools coder @blog")
        await seat.here("blog")
        assert seat.lane("shop").connections == 1  # its plan is under way
        seat.lane("shop").is_slow.set()
        await seat.until(lambda: "@shop was left before its plan was there; nothing was changed" in seat.told)
        assert type(seat.screen).__name__ == "PoolsScreen"
        await seat.until(lambda: seat.lane("shop").connections == 0)
        for name in ("shop", "blog"):
            assert not seat.lane(name).fleet.state.pools["coder"].paused


async def test_a_plan_is_carried_out_by_the_engine_that_made_it_or_not_at_all() -> None:
    async with desk() as seat:
        await seat.open("pools coder")
        await seat.press("f")
        await seat.until(lambda: type(seat.screen).__name__ == "PlanDialog")
        seat.lane("shop").cut(EngineUnavailable("the connection to the engine was lost"))
        shop, blog = seat.lane("shop").fleet.state, seat.lane("blog").fleet.state
        before = blog.seq
        await seat.press("enter")
        await seat.until(lambda: type(seat.screen).__name__ != "PlanDialog")
        await seat.until(lambda: shop.pools["coder"].paused or "lost" in seat.told)
        assert not blog.pools["coder"].paused
        assert blog.seq == before


async def test_what_needs_somebody_is_of_the_context_in_view() -> None:
    async with desk() as seat:
        await seat.lane("blog").fleet.submit("check", "coder", "fail")
        seat.app.open_context("blog")
        await seat.here("blog")
        await seat.until(lambda: seat.app.feed.needs == 1)
        seat.app.attention.acknowledge(seat.app.attention.open(seat.app.clock.now()))
        assert "inbox@blog" in seat.app._memory._entries
        seat.app.open_context("shop")
        await seat.here("shop")
        assert seat.app.feed.needs == 0
        assert seat.app.attention.put_away() == 0


# ---- production is unmistakable


async def test_theme_bar_and_read_only_come_and_go_with_the_context(snap: Snap) -> None:
    async with desk((80, 24)) as seat:
        assert (seat.app.theme, seat.app.context_bar) == ("fleet-dark", "")
        seat.app.open_view("pools @prod")
        await seat.here("prod")
        assert (seat.app.theme, seat.app.context_bar) == ("gruvbox", "bad")
        await seat.press("f")
        await seat.until(lambda: "this connection is read-only" in seat.told)
        assert not seat.lane("prod").fleet.state.pools["coder"].paused
        await seat.forget_the_past()
        seat.app.clear_notifications()
        await seat.pilot.pause()
        await snap(seat.pilot, "prod")
        seat.app.open_view("pools @shop")
        await seat.here("shop")
        assert (seat.app.theme, seat.app.context_bar) == ("fleet-dark", "")
        await seat.press("f")
        await seat.until(lambda: type(seat.screen).__name__ == "PlanDialog")


async def test_a_protected_context_is_protected_before_its_engine_says_so() -> None:
    async with desk() as seat:
        seat.lane("prod").is_hung = True
        seat.app.open_view("pools @prod")
        await seat.until(lambda: seat.app.feed.context == "prod")
        assert seat.app.feed.authority is not None
        assert "read_only of @prod" in seat.app.feed.authority.read_only
        await seat.press("n")
        await seat.until(lambda: "this connection is read-only" in seat.told)


async def test_a_theme_that_is_chosen_is_of_that_context() -> None:
    async with desk() as seat:
        seat.app.open_context("blog")
        await seat.here("blog")
        seat.app.keep_theme("nord")
        seat.app.open_context("shop")
        await seat.here("shop")
        assert seat.app.theme == "fleet-dark"
        seat.app.open_context("blog")
        await seat.here("blog")
        assert seat.app.theme == "nord"


# ---- words


def rows() -> Iterator[ContextRow]:
    figures = Figures(100.0, "0.1.0", 12, 3, 3, 0, 1, "", 2, 0.0004)
    for state in CONTEXT_BADGES:
        yield ContextRow("shop", "/srv/shop", state, figures=figures if state in ("live", "stale") else None, error="" if state == "live" else "gone")


def test_cells_say_the_state_in_words_and_what_is_not_known_is_not_zero() -> None:
    cells = {row.state: [getattr(cell, "text", cell) for cell in context_cells(row, 112.0, UNICODE)] for row in rows()}
    assert cells["live"] == ["shop", "● live", "12", "3", "3", "0", "2", "<5ms", "0.1.0", "/srv/shop"]
    assert cells["stale"] == ["shop", "◑ stale 12s", "12", "3", "3", "0", "2", "–", "0.1.0", "gone"]
    assert cells["down"] == ["shop", "✕ down", *["–"] * 7, "gone"]
    assert "shop RO" in [getattr(cell, "text", cell) for cell in context_cells(replace(next(rows()), is_read_only=True), 112.0, UNICODE)]


def test_a_round_trip_is_shown_anew_only_when_it_is_another() -> None:
    assert settle_rtt(None, 0.004) == 0.004
    assert settle_rtt(0.004, 0.005) == 0.004
    assert settle_rtt(0.004, 0.007) == 0.007
    assert [rtt_text(seconds) for seconds in (0.0004, 0.0049, 0.0062, 0.12, 1.26)] == ["<5ms", "<5ms", "6ms", "120ms", "1.3s"]


