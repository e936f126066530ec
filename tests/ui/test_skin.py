"""`:skin` and what marks a context: worn while pointed at, kept by Enter, taken back by Esc; also the sizes panels go by, and those too small for any."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from engine.model.errors import UsageError
from fleet_tui.app import FleetApp
from fleet_tui.contexts import context_here
from fleet_tui.preferences import ContextPreferences, Preferences
from fleet_tui.settings import find_paths
from fleet_tui.skins import Skin, make_skin, theme_problems
from screens.document import Document
from screens.widgets.statusbar import ContextBar
from screens.widgets.table import Table
from textual.geometry import Region
from themes.palettes import PALETTES

from tests.ui.conftest import Snap
from tests.ui.fleet import Fleet, Seat, sit


async def wear(seat: Seat, theme: str) -> None:
    """Point at a theme, as `j` and `k` do."""
    table = seat.screen.query_one(Table)
    table.point_at(theme)
    await seat.until(lambda: seat.app.theme == theme)


async def test_a_theme_is_worn_while_pointed_at_and_taken_back_by_esc() -> None:
    async with sit(Fleet()) as seat:
        await seat.open("skin")
        assert seat.screen.query_one(Table).pointed_id == "fleet-dark"
        await seat.press("down")
        await seat.until(lambda: seat.app.theme == "fleet-light")
        assert "every day, kept" in seat.text
        await wear(seat, "gruvbox")
        assert f"{PALETTES['gruvbox'].measure_contrast():.1f}:1 at the lowest" in seat.screen.query_one(Document).text
        await seat.press("question_mark")
        await seat.until(lambda: seat.screen.NAME == "help")
        await seat.press("escape", "escape")
        await seat.until(lambda: seat.screen.NAME == "pulse")
        assert seat.app.theme == "fleet-dark"
        assert "theme" not in seat.app.settings_of("skin")


async def test_the_key_for_the_next_theme_moves_what_is_kept() -> None:
    async with sit(Fleet()) as seat:
        await seat.open("skin")
        await seat.press("ctrl+t")
        await seat.until(lambda: "kept: fleet-light" in seat.text)
        seat.fleet.clock.at += 2
        await seat.until(lambda: "fleet-light" in next((line for line in seat.text.splitlines() if ", kept" in line), ""))
        await seat.press("escape")
        await seat.until(lambda: seat.screen.NAME == "pulse")
        assert seat.app.theme == "fleet-light"


async def test_enter_keeps_a_theme_for_the_next_console_on_this_fleet(tmp_path: Path) -> None:
    fleet, memory = Fleet(), tmp_path / "console.json"

    async def in_console(use: Any) -> FleetApp:
        app = FleetApp(fleet.connect, clock=fleet.clock, memory=memory, skin=Skin(usual="modus-light"))
        async with app.run_test(size=(120, 40)) as pilot:
            seat = Seat(fleet, app, pilot)
            await seat.until(lambda: app.feed.status is not None)
            await use(seat)
        return app

    async def keep_nord(seat: Seat) -> None:
        assert seat.app.theme == "modus-light"
        await seat.open("skin nord", "skin")
        await seat.until(lambda: seat.app.theme == "nord")
        await seat.press("enter")
        await seat.until(lambda: seat.screen.NAME == "pulse")

    async def look(seat: Seat) -> None:
        assert seat.app.theme == "nord"

    async with fleet.world.running():
        await in_console(keep_nord)
        await in_console(look)


@pytest.mark.parametrize(
    ("width", "placed"),
    [(50, "alone"), (59, "alone"), (60, "stacked"), (99, "stacked"), (100, "beside"), (200, "beside")],
)
async def test_panels_by_width(width: int, placed: str) -> None:
    async with sit(Fleet(), (width, 30)) as seat:
        await seat.open("skin")
        first, second = seat.screen.query_one(Table).region, seat.screen.query_one(Document).region
        if placed == "alone":
            assert (first.width, second) == (width, Region())
        elif placed == "stacked":
            assert first.bottom == second.y
            assert first.width == second.width == width
        else:
            assert first.right == second.x
            assert first.y == second.y


async def test_a_context_bar_is_filled(snap: Snap) -> None:
    fleet = Fleet()
    async with fleet.world.running():
        app = FleetApp(fleet.connect, clock=fleet.clock, skin=Skin(bar="bad"))
        async with app.run_test(size=(80, 24)) as pilot:
            seat = Seat(fleet, app, pilot)
            await seat.open("pools")
            bar = seat.screen.query_one("#context", ContextBar)
            palette = PALETTES["fleet-dark"]
            assert bar.rich_style.bgcolor.triplet.hex == palette.bad
            assert {style.color.triplet.hex for _, style, _ in bar.render_line(0) if style} == {palette.background}
            await snap(pilot)


# ---- which theme


def skin_here(tmp_path: Path, preferences: Preferences, theme: str = "", environment: dict[str, str] | None = None) -> Skin:
    """Return the skin of the fleet of a directory that is called shop."""
    (tmp_path / "shop").mkdir(exist_ok=True)
    context = context_here(find_paths(tmp_path / "shop", state_dir=tmp_path / "state"), preferences, {"HOME": str(tmp_path)})
    return make_skin(preferences, context.look, theme, environment or {})


def test_a_context_has_its_theme_and_its_bar(tmp_path: Path) -> None:
    preferences = Preferences(theme="nord", contexts={"shop": ContextPreferences("gruvbox", "bad")})
    skin = skin_here(tmp_path, preferences)
    assert (skin.usual, skin.bar, skin.wished) == ("gruvbox", "bad", "")
    exact = Preferences(contexts={"shop": ContextPreferences("gruvbox"), str(tmp_path / "shop"): ContextPreferences("nord")})
    assert skin_here(tmp_path, exact).usual == "nord"
    assert skin_here(tmp_path, Preferences(theme="nord")).usual == "nord"


def test_the_environment_says_light_or_dark_before_the_terminal_does(tmp_path: Path) -> None:
    light = skin_here(tmp_path, Preferences(light="modus-light"), "", {"COLORFGBG": "0;15", "TERM": "xterm"})
    assert (light.is_light, light.can_ask) == (True, True)
    fleet = Fleet()
    assert FleetApp(fleet.connect, skin=light).theme == "modus-light"
    assert FleetApp(fleet.connect, skin=skin_here(tmp_path, Preferences())).theme == "fleet-dark"
    wished = skin_here(tmp_path, Preferences(theme="gruvbox"), "nord")
    assert FleetApp(fleet.connect, skin=wished).theme == "nord"


@pytest.mark.parametrize("preferences", [Preferences(theme="norrd"), Preferences(dark="norrd"), Preferences(light="norrd")])
def test_an_unknown_theme_is_refused_with_the_nearest(tmp_path: Path, preferences: Preferences) -> None:
    with pytest.raises(UsageError, match="no theme 'norrd'; did you mean 'nord'"):
        skin_here(tmp_path, preferences)


def test_an_unknown_theme_of_a_context_is_said_and_stops_nothing(tmp_path: Path) -> None:
    preferences = Preferences(theme="gruvbox", contexts={"shop": ContextPreferences("norrd", "bad")})
    skin = skin_here(tmp_path, preferences)
    assert (skin.usual, skin.bar) == ("gruvbox", "bad")
    assert theme_problems(preferences) == ["contexts.shop.theme: no theme 'norrd'; did you mean 'nord'?"]


# ---- too small


async def test_a_terminal_too_small_says_so_and_gives_keys_to_nobody() -> None:
    async with sit(Fleet(), (80, 24)) as seat:
        await seat.open("pools")
        seat.app.open_view("scale coder +1")
        await seat.until(lambda: type(seat.screen).__name__ == "PlanDialog")
        for size, said in (((39, 24), "39 x 24 is too small"), ((80, 9), "80 x 9 is too small")):
            await seat.pilot.resize_terminal(*size)
            await seat.until(lambda: type(seat.screen).__name__ == "TooSmall")
            assert said in seat.text.replace("\n", " ")
            await seat.press("enter", "escape", "colon")
        await seat.pilot.resize_terminal(40, 10)
        await seat.until(lambda: type(seat.screen).__name__ == "PlanDialog")
        assert seat.fleet.state.pools["coder"].size == 5
        await seat.press("escape")
        await seat.until(lambda: seat.screen.NAME == "pools")


async def test_what_opens_on_a_terminal_too_small_stays_below_the_notice() -> None:
    async with sit(Fleet(), (30, 8)) as seat:
        await seat.until(lambda: type(seat.screen).__name__ == "TooSmall")
        seat.app.open_view("scale coder +1")
        await seat.until(lambda: any(type(screen).__name__ == "PlanDialog" for screen in seat.app.screen_stack))
        await seat.until(lambda: type(seat.screen).__name__ == "TooSmall")
        await seat.press("q")
        await seat.until(lambda: not seat.app.is_running or seat.app._exit)
