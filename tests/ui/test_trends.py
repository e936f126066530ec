"""`:trends`: a metric picked from all of them, its range, the same time yesterday beside it, gaps that are seen."""

from __future__ import annotations

import math
from typing import Any

import pytest
from engine.model.errors import UsageError
from engine.model.metrics import CATALOGUE, Label, find_metric
from screens import trends as screen
from screens.history import History
from screens.present_trends import RANGES, axis_text, chart_scale, chart_values, gap_words
from screens.widgets.charts import BrailleChart
from screens.widgets.table import Table

from tests.ui.conftest import Snap
from tests.ui.fleet import Fleet, Seat, sit

NOON = 1_700_049_600.0


class Engine:
    """Answers of an engine that had a day with a night without it, and writes down what it was asked."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.recorded: dict[str, list[str]] = {}
        self.error = ""

    async def ask(self, _screen: object, what: str, **parameters: Any) -> object:
        if self.error:
            raise UsageError(self.error)
        if what == "metrics":
            rows = [metric._asdict() for metric in CATALOGUE.values()]
            measured = [{**row, "now": None if number % 5 == 4 else round(1.7**(number % 9), 2), "sources": []} for number, row in enumerate(rows)]
            return [*measured, *({**find_metric(name)._asdict(), "now": None, "sources": sources} for name, sources in self.recorded.items())]
        assert what == "history"
        self.asked.append(parameters)
        points, last_s, ago_s = 120, parameters["last_s"], parameters.get("ago_s", 0)
        step = last_s / points
        since = NOON - ago_s - last_s
        metric = find_metric(parameters["metric"])
        values: list[float | None] = [
            None if 40 <= number < 52 else round((0.5 + 0.4 * math.sin((number + ago_s / 9_000) / 9)) * (1 if metric.unit == "ratio" else 400), 4)
            for number in range(points)
        ]
        return {
            "metric": metric.name, "label": parameters["label"], "unit": metric.unit, "quantile": parameters["quantile"] / 100 if metric.kind == "histogram" else 0.0,
            "since": since, "step_s": step, "values": values, "lows": values, "highs": values, "resolution_s": 1,
            "asked_at": NOON, "newest_at": NOON - ago_s, "gaps": [[since + 40 * step, since + 52 * step]],
        }  # fmt: skip


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Engine:
    found = Engine()
    monkeypatch.setattr(screen.TrendsScreen, "ask_engine", lambda self, what, **more: found.ask(self, what, **more))
    return found


async def shown(seat: Seat, engine: Engine, text: str, line: str = "trends") -> None:
    await seat.open(line, "trends")
    await seat.until(lambda: text in seat.text)


@pytest.mark.row(9, 203)
@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)], ids=lambda size: f"{size[0]}x{size[1]}")
async def test_looks_as_approved(size: tuple[int, int], snap: Snap, engine: Engine) -> None:
    fleet = Fleet()
    fleet.clock.at = NOON
    async with sit(fleet, size) as seat:
        await seat.current()
        await shown(seat, engine, "last 1h", "trends response_ms coder")
        await seat.press("r", "c")
        await seat.until(lambda: "last 24h" in seat.text and "yesterday" in seat.text)
        await snap(seat.pilot, "trends")


async def test_keys_choose_range_pool_quantile_and_what_is_beside(engine: Engine) -> None:
    async with sit(Fleet(), (120, 40)) as seat:
        await seat.current()
        await shown(seat, engine, "of the fleet", "trends response_ms")
        assert engine.asked[-1]["last_s"] == 3_600 and engine.asked[-1]["quantile"] == 95
        await seat.press("o")
        await seat.until(lambda: bool(engine.asked[-1]["label"]))
        first = engine.asked[-1]["label"]
        await seat.until(lambda: f"response_ms p95 of {first}" in seat.text)
        await seat.press("O")
        await seat.until(lambda: engine.asked[-1]["label"] == "")
        await seat.press("percent_sign")
        await seat.until(lambda: "p99" in seat.text)
        for name in ("24h", "7d", "30d", "1h"):
            await seat.press("r")
            await seat.until(lambda name=name: f"last {name}" in seat.text)
        await seat.press("c")
        await seat.until(lambda: engine.asked[-1].get("ago_s") == 86_400)
        await seat.press("r", "r")
        await seat.until(lambda: engine.asked[-1].get("ago_s") == 7 * 86_400 and "7d before" in seat.text)


async def test_pointing_at_a_metric_shows_it_and_enter_gives_the_chart_all_of_the_view(engine: Engine) -> None:
    async with sit(Fleet(), (120, 40)) as seat:
        await seat.current()
        await shown(seat, engine, "last 1h")
        table = seat.screen.query_one(Table)
        assert list(table.shown_ids) == [name for name, metric in CATALOGUE.items() if metric.label is not Label.AGENT]
        table.point_at("engine_cpu")
        await seat.until(lambda: "engine_cpu of the fleet" in seat.text)
        await seat.press("o")
        await seat.until(lambda: "one series only: the fleet" in seat.told)
        low = seat.screen.query_one(BrailleChart).size.height
        await seat.press("enter")
        await seat.until(lambda: seat.screen.query_one(BrailleChart).size.height > low)
        await seat.press("escape")
        await seat.until(lambda: seat.screen.query_one(BrailleChart).size.height == low)
        await seat.press("escape")
        await seat.until(lambda: seat.screen.NAME == "pulse")
        await shown(seat, engine, "engine_cpu of the fleet")


@pytest.mark.row(222, 224)
async def test_what_a_program_recorded_is_shown_by_its_sources(engine: Engine) -> None:
    engine.recorded = {"recorded.orders": ["shop", "web"], "recorded.plain": [""]}
    async with sit(Fleet(), (120, 40)) as seat:
        await seat.current()
        await shown(seat, engine, "recorded.orders of shop", "trends recorded.orders")
        await seat.press("o")
        await seat.until(lambda: "recorded.orders of web" in seat.text)
        await seat.press("o")
        await seat.until(lambda: "recorded.orders of shop" in seat.text)
        seat.screen.query_one(Table).point_at("recorded.plain")
        await seat.until(lambda: "recorded.plain of the fleet" in seat.text)


async def test_what_an_engine_refuses_is_said(engine: Engine) -> None:
    engine.error = "no figures are kept: monitoring.enabled is false in the configuration"
    async with sit(Fleet(), (120, 40)) as seat:
        await seat.current()
        await shown(seat, engine, "monitoring.enabled is false")


async def test_it_asks_again_only_when_a_point_has_passed(engine: Engine) -> None:
    fleet = Fleet()
    async with sit(fleet, (120, 40)) as seat:
        await seat.current()
        await shown(seat, engine, "last 1h")
        asked = len(engine.asked)
        for _ in range(5):
            fleet.clock.at += 5
            await seat.current()
        assert len(engine.asked) == asked
        fleet.clock.at += 6
        await seat.until(lambda: len(engine.asked) > asked)


def test_values_fill_the_chart_and_gaps_stay_gaps() -> None:
    found = {"unit": "ratio", "values": [0.1, None, 0.3], "gaps": [(10.0, 20.0)], "step_s": 10.0}
    assert chart_values(found, 6) == [10.0, 10.0, None, None, pytest.approx(30.0), pytest.approx(30.0)]
    assert gap_words(found) == "10s of it not measured: gaps"
    assert gap_words({**found, "gaps": []}) == ""
    assert chart_scale([[3.0, None], [7.0]]) == (0.0, 7.0)
    assert chart_scale([[None]]) == (0.0, 1.0)
    assert chart_scale([[-2.0, 1.0]]) == (-2.0, 1.0)


@pytest.mark.parametrize("width", [4, 20, 74, 194])
@pytest.mark.parametrize("shown_range", RANGES, ids=lambda one: one.name)
def test_an_axis_is_as_wide_as_its_chart(width: int, shown_range: Any) -> None:
    text = axis_text(NOON - shown_range.last_s, NOON, width, shown_range)
    assert len(text) == width
    assert text.endswith("UTC")


def test_the_pulse_recalls_what_its_engine_kept_and_believes_what_it_saw() -> None:
    history = History()
    history.loads[int(NOON // 2)] = {"coder": 5}
    history.recall(NOON - 4, 2, {"coder": [1.0, None, 9.0], "tester": [None, 2.4, None]})
    assert history.load_of("coder", NOON)[-3:] == [1, None, 5]
    assert history.load_of("tester", NOON)[-3:] == [None, 2, None]
