"""Charts, gauges, heat maps and bars: what pure functions draw, and how little a new value changes."""

from __future__ import annotations

import math

import pytest
from screens.widgets.braille import (
    Frame,
    Series,
    draw_chart,
    find_ticks,
    find_window,
    format_number,
)
from screens.widgets.cells import ASCII, UNICODE, Cell, Glyphs
from screens.widgets.charts import BrailleChart, Meter, Sparkline, draw_meter, draw_sparkline
from screens.widgets.heat_layout import lay_out_groups, lay_out_rows
from screens.widgets.heatmap import GAP, NO_CELL, Heatmap, follow, shade_text
from screens.widgets.statusbar import ContextBar, KeyHints, choose_hints, lay_out_bar
from textual.app import App, ComposeResult
from textual.geometry import Region
from themes import CSS_PATHS, THEMES

from tests.ui.conftest import Snap, screen_text

HINTS = [("enter", "open"), ("/", "filter"), ("?", "keys")]


def plain(lines: list[list[tuple[str, str]]]) -> list[str]:
    return ["".join(text for text, _ in line) for line in lines]


# Sparkline and gauge


def test_sparkline_takes_the_newest_values_and_blanks_none() -> None:
    assert draw_sparkline([0, 1, 2, 3, 4, 5, 6, 7], 8) == ["▁▂▃▄▅▆▇█"]
    assert draw_sparkline([9, 0, 7], 2) == ["▁█"]
    assert draw_sparkline([5, 5], 4) == ["▁▁"]
    assert draw_sparkline([], 4) == [""]
    assert draw_sparkline([1], 0) == [""]


def test_sparkline_clamps_to_its_scale_and_stacks() -> None:
    assert draw_sparkline([-5, 50, 500], 3, scale=(0, 100)) == ["▁▅█"]
    assert draw_sparkline([0, 50, 100], 3, height=2, scale=(0, 100)) == [" ▁█", "▁██"]
    assert draw_sparkline([0, 100], 2, spark=ASCII.spark) == [".@"]


@pytest.mark.parametrize(
    ("share", "expected"),
    [(0.62, "██████░░░░  62%"), (0.0, "░░░░░░░░░░   0%"), (1.5, "██████████ 150%"), (None, "░░░░░░░░░░   ?%")],
)  # fmt: skip
def test_meter(share: float | None, expected: str) -> None:
    assert draw_meter(share, 15) == expected
    assert draw_meter(0.5, 9, ASCII) == "##..  50%"


# Line chart


def test_ticks_are_round_and_cover_the_values() -> None:
    assert find_ticks(0, 100, 4) == [0, 25, 50, 75, 100]
    assert find_ticks(3, 97, 4) == [0, 25, 50, 75, 100]
    assert find_ticks(5, 5, 2) == [5, 5.5, 6]
    assert find_ticks(-2, 2, 2) == [-2, 0, 2]


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.125, "0.125"), (1500, "1.5k"), (-2_500_000, "-2.5M"), (3e9, "3G")],
)
def test_numbers_are_short(value: float, text: str) -> None:
    assert format_number(value) == text


def test_chart_moves_in_leaps() -> None:
    frame = Frame(width=46, height=8, samples=80)
    assert find_window(1, frame) == (0, 1)
    assert find_window(80, frame) == (0, 1)
    assert find_window(81, frame) == (10, 1)
    assert find_window(90, frame) == (10, 1)
    assert find_window(91, frame) == (20, 1)
    assert find_window(500, Frame(width=46, height=8, samples=300)).samples_per_dot == 4


def test_most_new_samples_change_one_column() -> None:
    frame = Frame(width=46, height=8, samples=80, scale=(0, 100))
    values = [50 + 40 * math.sin(number / 7) for number in range(400)]
    pictures = [
        plain(draw_chart([Series()], [values[:n][-160:]], n, frame))[1:] for n in range(200, 300)
    ]
    changed = [
        sum(
            a != b
            for old, new in zip(one, other, strict=True)
            for a, b in zip(old, new, strict=True)
        )
        for one, other in zip(pictures, pictures[1:], strict=False)
    ]
    assert sorted(changed)[len(changed) // 2] <= 12


def test_chart_draws_all_its_lines_exactly_wide() -> None:
    for height in (1, 2, 3, 4, 10):
        frame = Frame(width=40, height=height, samples=60)
        for values in ([], [1.0], [1.0, None, 2.0], [float(n % 7) for n in range(100)]):
            lines = draw_chart(
                [Series("a"), Series("b", "warn")], [values, values], len(values), frame
            )
            assert len(lines) == height


def test_series_differ_by_shape() -> None:
    frame = Frame(width=26, height=6, samples=40, scale=(0, 10))
    flat = [[5.0] * 40]
    first = plain(draw_chart([Series()], flat, 40, frame))
    both = plain(draw_chart([Series(), Series()], [[9.0] * 40, *flat], 40, frame))
    assert first != both
    letters = plain(
        draw_chart(
            [Series("a"), Series("b")],
            [[9.0] * 20, [1.0] * 20],
            20,
            Frame(26, 6, 20, (0, 10), is_ascii=True),
        )
    )
    assert "*" * 20 in letters[1]
    assert "++  ++" in letters[4]
    assert "".join(letters).isascii()


# Heat map


def test_levels_do_not_flap() -> None:
    assert follow(NO_CELL, 0.5) == 8
    assert follow(8, 8.7 / 15) == 8
    assert follow(8, 8.8 / 15) == 9
    assert follow(3, 7.0) == 15
    assert follow(3, -1.0) == 0


def test_levels_have_shapes() -> None:
    assert shade_text(bytes([0, 15, NO_CELL, 8, GAP]), ASCII) == "09 4-"
    assert len(set(shade_text(bytes(range(16)), UNICODE))) == 9


@pytest.mark.parametrize("has_halves", [True, False])
@pytest.mark.parametrize("size", [(80, 18), (120, 34), (200, 54)], ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("agents", [1, 26, 1_000, 10_000])
def test_ten_thousand_cells_are_packed_into_any_terminal(agents: int, size: tuple[int, int], *, has_halves: bool) -> None:
    width, height = size
    groups = [(f"pool-{number}", agents // 16 + (number < agents % 16)) for number in range(min(16, agents))]
    layout, per_cell = lay_out_groups(groups, width, height, has_halves=has_halves)
    assert layout.cell_count == sum(-(-count // per_cell) for _, count in groups)
    assert len(layout.lines) <= height
    assert all(layout.left + len(track) * layout.wide <= width for track in layout.tracks)
    assert [line.label for line in layout.lines if line.label] == [name for name, _ in groups]
    if has_halves and size == (200, 54):
        assert per_cell == 1, "ten thousand agents have a cell each"
    for cell in range(0, layout.cell_count, 97):
        assert cell in layout.tracks[layout.track_of(cell)]
        line = layout.lines[layout.line_of(cell)]
        assert layout.track_of(cell) in (line.track, line.track + line.is_pair)


def test_more_groups_than_lines_scroll() -> None:
    layout, _ = lay_out_groups([(f"p{number}", 3) for number in range(40)], 80, 10, has_halves=True)
    assert len(layout.lines) == 40


def test_rows_over_time_are_as_high_as_there_is_room() -> None:
    assert [len(lay_out_rows(["a", "b"], 8, height, is_sideways=True).lines) for height in (1, 3, 4, 6, 60)] == [2, 2, 4, 6, 6]


# Bars


def test_bar_fills_its_line_and_keeps_the_right_side() -> None:
    def text(width: int) -> str:
        return "".join(
            cell.text
            for cell in lay_out_bar(
                ["fleet", "", Cell("agents", "accent")], ["12:00", "LIVE"], width
            )
        )

    assert text(40) == " fleet · agents            12:00 · LIVE "
    assert text(26) == " fleet · a…  12:00 · LIVE "
    assert [len(text(width)) for width in range(12)] == list(range(12))


def test_hints_leave_from_the_end() -> None:
    assert choose_hints(HINTS, 80) == HINTS
    assert choose_hints(HINTS, 22) == HINTS[:2]
    assert choose_hints(HINTS, 5) == []
    # What explains all others is left out last.
    assert choose_hints(HINTS, 80, HINTS[-1]) == HINTS
    assert choose_hints(HINTS, 22, HINTS[-1]) == [HINTS[0], HINTS[-1]]
    assert choose_hints(HINTS, 5, HINTS[-1]) == []


# The widgets


class BoardApp(App[None]):
    CSS_PATH = CSS_PATHS
    CSS = "#heat { height: 2; } #chart { height: 1fr; }"

    def __init__(self, glyphs: Glyphs = UNICODE) -> None:
        super().__init__()
        self.context = ContextBar(["fleet"], glyphs=glyphs)
        self.meter = Meter("tokens", glyphs=glyphs)
        self.spark = Sparkline(glyphs=glyphs)
        self.heat = Heatmap(glyphs=glyphs, id="heat")
        self.chart = BrailleChart(
            [Series("load"), Series("plan", "warn")], samples=60, glyphs=glyphs, id="chart"
        )
        self.hints = KeyHints(HINTS)
        self.chosen: list[str] = []
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = "fleet-dark"

    def compose(self) -> ComposeResult:
        yield from (self.context, self.meter, self.spark, self.heat, self.chart, self.hints)

    def on_key_hints_chosen(self, message: KeyHints.Chosen) -> None:
        self.chosen.append(message.key)

    def fill(self) -> None:
        self.context.show(["fleet", "pulse"], [Cell("LIVE", "good"), Cell("2 alerts", "bad")])
        self.meter.show(0.62, "good")
        for number in range(60):
            self.spark.push(number * 37 % 100)
            self.chart.push(
                [50 + 40 * math.sin(number / 8), None if 20 < number < 30 else 30 + number / 2]
            )
        self.fill_heat(60, [number / 44 if number < 45 else None for number in range(60)])

    def fill_heat(self, count: int, shares: list[float | None]) -> int:
        return self.heat.show(lay_out_groups([("all", count)], 40, 2, has_halves=not self.heat.glyphs.is_shaded)[0], range(count), shares)


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII], ids=["unicode", "ascii"])
async def test_looks_as_approved(glyphs: Glyphs, snap: Snap) -> None:
    app = BoardApp(glyphs)
    async with app.run_test(size=(40, 16)) as pilot:
        app.fill()
        await snap(pilot)
        if glyphs.is_ascii:
            assert screen_text(app).isascii()


async def test_nothing_new_draws_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    app = BoardApp()
    async with app.run_test(size=(40, 16)) as pilot:
        app.fill()
        await pilot.pause()
        draws: list[tuple[Region, ...]] = []
        for widget in (app.context, app.meter, app.heat, app.hints, app.spark):
            monkeypatch.setattr(widget, "refresh", lambda *regions, **_: draws.append(regions))
        app.context.show(["fleet", "pulse"], [Cell("LIVE", "good"), Cell("2 alerts", "bad")])
        app.meter.show(0.62, "good")
        app.hints.show(HINTS)
        app.spark.show([number * 37 % 100 for number in range(60)])
        shares: list[float | None] = [number / 44 if number < 45 else None for number in range(60)]
        shares[0], shares[44] = 0.01, 0.99
        assert app.fill_heat(60, shares) == 0
        assert draws == []
        shares[0] = 0.9
        assert app.fill_heat(60, shares) == 1
        assert [regions[0].y for regions in draws] == [0]


async def test_heat_map_takes_more_and_fewer_cells(snap: Snap) -> None:
    app = BoardApp()
    async with app.run_test(size=(40, 16)) as pilot:
        app.fill_heat(130, [number / 129 for number in range(130)])
        app.heat.point_at(129)
        app.fill_heat(70, [number / 69 for number in range(70)])
        assert len(app.heat.levels) == 70
        assert app.heat.pointed == 69
        app.theme = "fleet-light"
        await snap(pilot)


async def test_chart_can_take_a_whole_history() -> None:
    app = BoardApp()
    async with app.run_test(size=(40, 16)) as pilot:
        app.chart.show([[1.0] * 30, [2.0] * 30], count=30)
        await pilot.pause()
        one = screen_text(app)
        app.chart.show([[1.0] * 30, [2.0] * 30], count=31)
        app.chart.show([[1.0] * 30, [2.0] * 30], count=30)
        await pilot.pause()
        assert screen_text(app) == one
        assert "load 1" in one


async def test_hints_can_be_clicked() -> None:
    app = BoardApp()
    async with app.run_test(size=(40, 16)) as pilot:
        await pilot.click(KeyHints, offset=(14, 0))
        await pilot.click(KeyHints, offset=(38, 0))
        await pilot.pause()
        assert app.chosen == ["/"]
