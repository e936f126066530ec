"""`:heatmap`: pools over time and every agent at once; a cursor, its value and name, history, gaps, ten thousand agents."""

from __future__ import annotations

import math
from typing import Any

import pytest
from engine.model.errors import UsageError
from engine.model.metrics import CATALOGUE
from screens import heatmap as screen
from screens import present_heat as present
from screens.present_trends import RANGES
from screens.widgets.cells import ASCII, PLAIN, Glyphs
from screens.widgets.heatmap import ABSENT, GAP, LEVELS, Heatmap, make_ramp
from screens.widgets.table import Table
from textual.color import Color
from textual.widgets import OptionList
from themes.contrast import luminance
from themes.palettes import PALETTES

from tests.ui.conftest import Snap
from tests.ui.fleet import Fleet, Seat, sit

NOON = 1_700_049_600.0
SIZES = [(80, 24), (120, 40), (200, 60)]


class Engine:
    """Answers of an engine that had ten minutes without figures, and writes down what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.error = ""
        self.agents = 0
        """How many agents there are beside those of the fleet."""

    @property
    def last(self) -> dict[str, Any]:
        return self.asked[-1][1]

    async def ask(self, seen: Any, what: str, **parameters: Any) -> object:
        self.asked.append((what, parameters))
        if self.error:
            raise UsageError(self.error)
        tables, now = seen.feed.tables, seen.feed.now()
        return self.pools(tables, now, parameters) if what == "pools-heat" else self.grid(tables, now, parameters)

    def pools(self, tables: Any, now: float, asked: dict[str, Any]) -> object:
        points, metric = asked["points"], CATALOGUE[asked["metric"]]
        step = asked["last_s"] // points
        until = int((now - asked["ago_s"]) // step + 1) * step
        since = until - points * step
        size = 1 if metric.unit == "ratio" else 400

        def value(row: int, at: float) -> float | None:
            if NOON - 1_800 <= at < NOON - 1_200:
                return None
            return round(size * (0.5 + 0.5 * math.sin(at / 1_500 + row / 2)) * (row + 1) / 16, 4)

        pools = {pool: [value(row, since + number * step) for number in range(points)] for row, pool in enumerate(tables["pools"])}
        return {
            "metric": metric.name, "unit": metric.unit, "quantile": asked["quantile"] / 100 if metric.kind == "histogram" else 0.0,
            "since": since, "step_s": step, "pools": pools, "left_out": 0, "asked_at": now, "newest_at": now - asked["ago_s"],
        }  # fmt: skip

    def grid(self, tables: Any, now: float, asked: dict[str, Any]) -> object:
        metric = CATALOGUE[asked["metric"]]
        ids = [*tables["agents"], *(["agt_gone"] if asked["ago_s"] else [])]
        if metric.name == "agent_busy":
            values = [None if number % 11 == 5 else round((0.5 + 0.5 * math.sin(number / 3)), 3) for number in range(len(ids))]
        else:
            values = [None if metric.name == "agent_cpu" else float(number % 4) for number in range(len(ids))]
        roster = str(len(ids))
        return {
            "metric": metric.name, "unit": metric.unit, "is_count": metric.kind == "counter", "agents": len(ids), "roster": roster,
            "ids": None if roster == asked["roster"] else ids, "values": values, "looks": 12, "since": now - 60, "newest_at": now, "asked_at": now,
        }  # fmt: skip


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Engine:
    found = Engine()
    monkeypatch.setattr(screen.HeatmapScreen, "ask_engine", lambda self, what, **more: found.ask(self, what, **more))
    return found


def at_noon() -> Fleet:
    fleet = Fleet()
    fleet.clock.at = NOON
    return fleet


async def shown(seat: Seat, text: str, line: str = "heatmap") -> None:
    await seat.current()
    await seat.open(line, "heatmap")
    await seat.until(lambda: text in seat.text)


def heat_of(seat: Seat) -> Heatmap:
    return seat.screen.query_one(Heatmap)


@pytest.mark.row(217, 221)
@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
async def test_looks_as_approved(size: tuple[int, int], snap: Snap, engine: Engine) -> None:
    fleet = at_noon()
    async with sit(fleet, size) as seat:
        await fleet.busy()
        await shown(seat, "last 1h", "heatmap response_ms")
        await seat.press("left", "left", "down", "down")
        await snap(seat.pilot, "pools")
        await seat.press("tab")
        await seat.until(lambda: "busy of" in seat.text)
        await seat.press("right", "down")
        await snap(seat.pilot, "agents")


@pytest.mark.parametrize("glyphs", [ASCII, PLAIN], ids=["ascii", "plain"])
async def test_without_colours_digits_or_words_say_it(glyphs: Glyphs, snap: Snap, engine: Engine) -> None:
    fleet = at_noon()
    async with sit(fleet, (80, 24), glyphs=glyphs) as seat:
        await fleet.busy()
        await shown(seat, "last 1h")
        await snap(seat.pilot, "pools")
        await seat.press("tab")
        await seat.until(lambda: "busy of" in seat.text)
        await snap(seat.pilot, "agents")


async def test_the_cursor_says_what_is_under_it_and_enter_goes_there(engine: Engine) -> None:
    fleet = at_noon()
    async with sit(fleet, (120, 40)) as seat:
        await shown(seat, "last 1h")
        pools = list(seat.app.feed.tables["pools"])
        await seat.press("G")
        await seat.until(lambda: f" {pools[-1]} · " in seat.text)
        assert "not measured" not in seat.text.splitlines()[-4]
        heat = heat_of(seat)
        gap = next(cell for cell in range(len(heat.levels)) if heat.levels[cell] == GAP)
        heat.point_at(gap)
        await seat.until(lambda: f" {pools[0]} · " in seat.text and "· not measured" in seat.text)
        await seat.press("enter")
        await seat.until(lambda: seat.screen.NAME == "pool" and seat.screen.thing == pools[0])
        await seat.press("escape")
        await seat.until(lambda: seat.screen.NAME == "heatmap")
        await seat.press("tab")
        await seat.until(lambda: "busy of" in seat.text)
        await seat.press("right")
        agent = str(heat_of(seat).pointed)
        name = seat.app.feed.tables["agents"][agent].name
        await seat.until(lambda: f" {name} · " in seat.text)
        await seat.press("enter")
        await seat.until(lambda: seat.screen.NAME == "agent" and seat.screen.thing == agent)


async def test_a_click_points_and_two_clicks_open(engine: Engine) -> None:
    fleet = at_noon()
    async with sit(fleet, (120, 40)) as seat:
        await shown(seat, "last 1h")
        heat = heat_of(seat)
        x, y = heat.placed.left + 10, 2
        await seat.pilot.click(Heatmap, offset=(x, y))
        await seat.until(lambda: heat.pointed_cell == heat.placed.cell_at(y, x))
        await seat.pilot.click(Heatmap, offset=(x, y), times=2)
        await seat.until(lambda: seat.screen.NAME == "pool")


async def test_history_is_scrolled_and_escape_comes_back_to_now(engine: Engine) -> None:
    fleet = at_noon()
    async with sit(fleet, (120, 40)) as seat:
        await shown(seat, "last 1h")
        assert engine.last["ago_s"] == 0
        await seat.press("greater_than_sign")
        await seat.until(lambda: "nothing later" in seat.told)
        await seat.press("less_than_sign")
        await seat.until(lambda: engine.last["ago_s"] > 600 and "until" in seat.text)
        ago = engine.last["ago_s"]
        await seat.press("home", "left")
        await seat.until(lambda: engine.last["ago_s"] > ago)
        asked = len(engine.asked)
        fleet.clock.at += 60
        await seat.current()
        assert len(engine.asked) == asked, "what is past stands still"
        await seat.press("escape")
        await seat.until(lambda: engine.last["ago_s"] == 0 and "last 1h" in seat.text)
        await seat.press("tab", "less_than_sign")
        await seat.until(lambda: "left since" in seat.text)
        await seat.press("G")
        await seat.until(lambda: "agt_gone" in seat.text and "no longer there" in seat.text)
        await seat.press("enter")
        await seat.until(lambda: "its past is in" in seat.told)


async def test_keys_choose_metric_range_and_quantile(engine: Engine) -> None:
    async with sit(at_noon(), (120, 40)) as seat:
        await shown(seat, "last 1h")
        await seat.press("percent_sign")
        await seat.until(lambda: "no duration" in seat.told)
        await seat.press("m")
        await seat.until(lambda: type(seat.screen).__name__ == "Picker")
        options = seat.screen.query_one(OptionList)
        options.highlighted = [option.id for option in options.options].index("response_ms")
        await seat.press("enter")
        await seat.until(lambda: "response_ms p95 of every pool" in seat.text)
        await seat.press("percent_sign")
        await seat.until(lambda: "response_ms p99 of every pool" in seat.text)
        for name in ("24h", "7d", "30d", "1h"):
            await seat.press("r")
            await seat.until(lambda name=name: f"last {name}" in seat.text)
        await seat.press("tab")
        await seat.until(lambda: "busy of" in seat.text)
        for name in ("1h", "24h", "1m"):
            await seat.press("r")
            await seat.until(lambda name=name: f"last {name}" in seat.text)
        await shown(seat, "errors of", "heatmap agents errors")
        await shown(seat, "cpu of every pool", "heatmap pools cpuUsage")
        await shown(seat, "cpu of every pool", "heatmap engine_cpu")
        await seat.until(lambda: "engine_cpu is no figure of pools" in seat.told)


async def test_agents_that_do_not_fit_share_cells_and_it_is_said(engine: Engine) -> None:
    pools = {f"pool{number}": {"min": 100, "max": 100} for number in range(12)}
    fleet = Fleet({"fleet": {"default_pools": pools}})
    async with sit(fleet, (80, 24), glyphs=ASCII) as seat:
        await fleet.ready()
        await shown(seat, "busy of 1,200 agents", "heatmap agents")
        await seat.until(lambda: "a cell is 2 agents" in seat.text)
        await seat.press("right")
        await seat.until(lambda: "pool0-3 to pool0-4" in seat.text and "mean of 2 agents" in seat.text)
        await seat.press("enter")
        await seat.until(lambda: seat.screen.NAME == "agents" and seat.screen.scope_text == "pool=pool0" and len(seat.screen.query_one(Table).shown_ids) == 100)


async def test_what_an_engine_refuses_is_said(engine: Engine) -> None:
    engine.error = "no figures are kept: monitoring.enabled is false in the configuration"
    async with sit(Fleet(), (120, 40)) as seat:
        await shown(seat, "monitoring.enabled is false")


async def test_it_asks_again_when_figures_are_old_and_draws_nothing_when_they_are_the_same(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = at_noon()
    async with sit(fleet, (120, 40)) as seat:
        await shown(seat, "busy of", "heatmap agents")
        await seat.current()
        draws: list[object] = []
        monkeypatch.setattr(heat_of(seat), "refresh", lambda *regions, **_: draws.append(regions))
        asked = len(engine.asked)
        fleet.clock.at += 5
        await seat.current()
        assert len(engine.asked) == asked
        fleet.clock.at += 6
        await seat.until(lambda: len(engine.asked) > asked and not seat.screen._is_loading)
        assert draws == []


# ---- pure parts


@pytest.mark.parametrize("columns", [8, 64, 126, 360])
@pytest.mark.parametrize("shown_range", RANGES, ids=lambda one: one.name)
def test_columns_hold_the_range_and_move_in_leaps(columns: int, shown_range: Any) -> None:
    begins = set()
    for second in range(0, 400_000, 997):
        now = NOON + second
        window = present.window_of(shown_range, columns, now)
        assert window.begin % window.step_s == 0
        assert window.begin <= now < window.end
        if shown_range.last_s <= present.STEPS[shown_range.name][-1] * (columns - columns // present.LEAPS - 1):
            assert window.begin <= now - shown_range.last_s + window.step_s
        begins.add(window.begin)
    leaps = max(1, columns // present.LEAPS)
    assert all((begin // window.step_s + columns) % leaps == 0 for begin in begins)
    back = present.window_of(shown_range, columns, NOON, end=NOON - 86_400)
    assert back.end == pytest.approx(NOON - 86_400, abs=window.step_s)


def test_values_stand_in_their_columns_and_what_is_to_come_is_no_gap() -> None:
    found = {"since": 1_000, "step_s": 20}
    window = present.Window(990, 10, 8)
    assert present.values_over_time(found, window, [1.0, None, 3.0]) == [None, 1.0, 1.0, None, None, 3.0, 3.0, ABSENT]


@pytest.mark.parametrize(
    ("before", "values", "unit", "scale"),
    [
        (None, [0.2, None, ABSENT], "ratio", (0.0, 1.0)),
        (None, [1.3], "ratio", (0.0, 2.0)),
        (None, [230.0, 12.0], "ms", (0.0, 500.0)),
        (None, [-0.3, 0.1], "ratio", (-0.5, 1.0)),
        (None, [], "ms", (0.0, 1.0)),
        ((0.0, 500.0), [180.0], "ms", (0.0, 500.0)),
        ((0.0, 500.0), [80.0], "ms", (0.0, 100.0)),
        ((0.0, 500.0), [501.0], "ms", (0.0, 1_000.0)),
        (None, [3.0], "count", (0.0, 5.0)),
        (None, [0.004], "1/s", (0.0, 0.005)),
    ],
)
def test_scales_are_round_and_do_not_flap(before: Any, values: list[float | None], unit: str, scale: tuple[float, float]) -> None:
    assert present.decide_scale(before, values, unit) == pytest.approx(scale)


@pytest.mark.parametrize("name", PALETTES)
def test_ramps_get_steadily_lighter_or_darker_so_that_no_colour_vision_is_needed(name: str) -> None:
    palette = PALETTES[name]
    ramp = make_ramp(*(Color.parse(part) for part in (palette.heat_low, palette.heat_middle, palette.heat_high)))
    assert len(ramp) == LEVELS
    light = [luminance("#" + "".join(f"{part:02x}" for part in color.get_truecolor())) for color in ramp]
    pairs = list(zip(light, light[1:], strict=False))
    assert all(one < other for one, other in pairs) or all(one > other for one, other in pairs), [round(one, 3) for one in light]

