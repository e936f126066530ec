"""A pool's size over time: target, agents, what was and is foreseen with its interval; its range, gaps and ages are said."""

from __future__ import annotations

import math
from typing import Any

import pytest
from engine.model.errors import UsageError
from screens import pool_details as screen
from screens.present_size import METRICS, Sizes, axis_line, drawn, size_lines, title_parts
from screens.present_trends import RANGES
from screens.widgets.cells import split_cell
from screens.widgets.charts import BrailleChart

from tests.ui.conftest import Snap
from tests.ui.fleet import Fleet, Seat, sit

NOON = 1_700_049_600.0
AHEAD_S = 900.0
STEP_S = 30.0


def load(at: float) -> float:
    return 12 + 8 * math.sin(at / 600)


def history(name: str, last_s: float = 3_600.0, step_s: float = STEP_S, newest_at: float = NOON) -> dict[str, Any]:
    """Return an hour of a pool with a gap from its 40th to its 52nd point."""
    since, points = NOON - last_s, int(last_s / step_s)
    shape = {
        "desired": lambda at: math.ceil(load(at)), "agents": lambda at: math.ceil(load(at - 90)), "foreseen": lambda at: load(at + 60),
        "foreseen_low": lambda at: load(at + 60) - 2, "foreseen_high": lambda at: load(at + 60) + 2,
    }[name]  # fmt: skip
    values = [None if 40 <= number < 52 else float(shape(since + number * step_s)) for number in range(points)]
    gaps = [[since + 40 * step_s, since + 52 * step_s]]
    return {"metric": name, "unit": "count", "since": since, "step_s": step_s, "values": values, "newest_at": newest_at, "gaps": gaps, "quantile": 0.0}


def outlook(mape: float | None = 0.12, *, width: float = 2.0) -> dict[str, Any]:
    ahead = [
        {"at": NOON + 60.0 * n, "ends_at": NOON + 60.0 * n + 120, "demand": load(NOON + 60 * n), "low": load(NOON + 60 * n) - width - n / 5,
         "high": load(NOON + 60 * n) + width + n / 5, "mape": mape, "policy": "coder-demand"}
        for n in range(int(AHEAD_S / 60) + 1)
    ]  # fmt: skip
    return {"pool": "coder", "error_max": {"coder-demand": 0.3}, "ahead": ahead, "is_measured": True, "asked_at": NOON}


def sizes(**more: Any) -> Sizes:
    return Sizes({name: history(name) for name in METRICS}, outlook(**more))


class Engine:
    """Answers of an engine that has measured a pool for an hour, and writes down what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.outlook: dict[str, Any] | None = outlook()

    async def ask(self, own: Any, what: str, **parameters: Any) -> object:
        if what not in ("history", "foreseen"):
            return await own.feed.operator.query(what, **parameters)
        self.asked.append((what, parameters))
        if self.outlook is None:
            raise UsageError("no figures are kept: monitoring.enabled is false in the configuration")
        last_s = parameters.get("last_s", 3_600)
        return self.outlook if what == "foreseen" else history(parameters["metric"], last_s, last_s / 120)


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Engine:
    found = Engine()
    monkeypatch.setattr(screen.PoolDetails, "ask_engine", lambda self, what, **more: found.ask(self, what, **more))
    return found


async def opened(seat: Seat) -> None:
    await seat.current()
    await seat.open("pools /coder")
    await seat.press("d")
    await seat.read()
    await seat.press("r")
    await seat.until(lambda: seat.screen.tab == "size" and not seat.screen._is_loading)


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)], ids=lambda size: f"{size[0]}x{size[1]}")
async def test_looks_as_approved(size: tuple[int, int], snap: Snap, engine: Engine) -> None:
    fleet = Fleet()
    fleet.clock.at = NOON
    async with sit(fleet, size) as seat:
        await opened(seat)
        await seat.until(lambda: "last 1h" in seat.text and "now" in seat.text)
        await snap(seat.pilot, "pool-size")


async def test_the_key_goes_through_the_ranges_and_other_tabs_have_no_chart(engine: Engine) -> None:
    fleet = Fleet()
    fleet.clock.at = NOON
    async with sit(fleet, (120, 40)) as seat:
        await opened(seat)
        for name in ("24h", "7d", "30d", "1h"):
            await seat.press("r")
            await seat.until(lambda name=name: f"last {name}" in seat.text)
        assert {parameters["metric"] for what, parameters in engine.asked if what == "history"} == set(METRICS)
        await seat.press("d")
        await seat.until(lambda: "capabilities" in seat.text)
        assert not seat.screen.query_one("#chart", BrailleChart).display or seat.screen.query_one("#chart").size.height == 0
        assert "95 % up to" not in seat.text


async def test_it_asks_again_only_when_a_point_has_passed(engine: Engine) -> None:
    fleet = Fleet()
    fleet.clock.at = NOON
    async with sit(fleet, (120, 40)) as seat:
        await opened(seat)
        asked = len(engine.asked)
        for _ in range(5):
            fleet.clock.at += 5
            await seat.current()
        assert len(engine.asked) == asked
        fleet.clock.at += 6
        await seat.until(lambda: len(engine.asked) > asked)


async def test_another_width_is_read_anew_with_its_words(engine: Engine) -> None:
    engine.outlook = outlook(width=500.0)
    fleet = Fleet()
    fleet.clock.at = NOON
    async with sit(fleet, (120, 40)) as seat:
        await opened(seat)
        await seat.until(lambda: "the chart is drawn for less" in seat.text)
        narrow = engine.asked[-1][1]["points"]
        await seat.pilot.resize_terminal(200, 60)
        await seat.until(lambda: engine.asked[-1][1].get("points", 0) == narrow + 160)


async def test_what_an_engine_refuses_is_said(engine: Engine) -> None:
    engine.outlook = None
    async with sit(Fleet(), (80, 24)) as seat:
        await opened(seat)
        await seat.until(lambda: "monitoring.enabled is false" in seat.text)
        assert "95 % up to" not in seat.text


def test_the_chart_has_the_past_the_gap_and_what_comes() -> None:
    found = drawn(sizes(), 150)
    target, agents, foreseen, interval = found.lines
    assert all(len(line) == 300 for line in found.lines)
    assert target[80:104] == agents[80:104] == foreseen[80:104] == interval[80:104] == [None] * 24
    assert target[240:] == agents[240:] == [None] * 60, "nobody knows the size to come"
    assert None not in foreseen[240:]
    assert all(low is not None and high is not None and low < high for low, high in zip(interval[240::2], interval[241::2], strict=True))
    assert foreseen[-1] == pytest.approx(load(NOON + 840))
    assert not found.is_cut


def test_an_interval_without_end_does_not_press_the_lines_flat() -> None:
    found = drawn(sizes(width=500.0), 150)
    top = max(value for line in found.lines[:3] for value in line if value is not None)
    assert found.is_cut and found.scale == (0.0, 2 * top)


def test_the_axis_marks_now_and_halves_no_instant() -> None:
    line = axis_line(sizes(), 80, RANGES[0])
    assert abs(line.index("now") - 5 - 64) <= 1
    assert line.endswith("UTC") and len(line) == 85
    assert all(len(word) in (3, 5) for word in line.split())
    alone = Sizes({name: history(name) for name in METRICS}, {**outlook(), "ahead": []})
    assert "now" not in axis_line(alone, 80, RANGES[0])


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({}, "it can raise the target"),
        ({"ahead": []}, "too few samples"),
        ({"error_max": {}}, "no policy of this pool foresees"),
        ({"ahead": outlook(mape=0.45)["ahead"]}, "more than the 30% that its policy allows: it does not count"),
        ({"ahead": outlook(mape=None)["ahead"]}, "not known yet"),
        ({"error_max": {"another": 0.3}}, "no longer predicts"),
    ],
)
def test_words_say_how_sure_it_is_and_whether_it_counts(changed: dict[str, Any], words: str) -> None:
    lines = size_lines(Sizes({name: history(name) for name in METRICS}, {**outlook(), **changed}), NOON)
    assert words in "\n".join(" ".join(split_cell(cell)[0] for cell in line) for line in lines)


def test_its_age_and_gaps_are_said() -> None:
    told = [split_cell(part)[0] for part in title_parts(sizes(), RANGES[0], NOON + 400)]
    assert "newest 6m ago" in told and "6m00s of it not measured: gaps" in told
    never = Sizes({name: history(name, newest_at=0.0) for name in METRICS}, outlook())
    assert "nothing was measured in this time" in [split_cell(part)[0] for part in title_parts(never, RANGES[0], NOON)]
