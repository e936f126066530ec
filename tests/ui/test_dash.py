"""`:dash`: figures, charts, maps and rows as a file describes them; folded on narrow terminals, drawn only where they change."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from engine.model.errors import UsageError
from engine.model.metrics import CATALOGUE
from fleet_tui.boards import Boards
from screens import asking
from screens.panels import ChartPanel, FigurePanel, HeatPanel, TablePanel
from screens.widgets.charts import BrailleChart
from screens.widgets.heatmap import Heatmap
from screens.widgets.table import Table
from textual.widgets import OptionList

from tests.ui.conftest import Snap
from tests.ui.fleet import Fleet, Seat, sit

NOON = 1_700_049_600.0
MINE = """
name = "Mine"
refresh_s = 5
columns = 2
[[widgets]]
kind = "number"
metric = "queue_depth"
of = "coder"
warn = 1
[[widgets]]
kind = "gauge"
metric = "utilisation"
[[widgets]]
kind = "text"
text = "who is on call: nobody"
[[widgets]]
id = "bad"
kind = "table"
rows = "tasks"
filter = "state=failed"
"""


class Engine:
    """Answers of an engine whose figures swing, and writes down what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.refused = ""
        """A metric that it refuses to tell."""
        self.at = 0.0

    async def ask(self, seen: Any, what: str, **parameters: Any) -> object:
        if what == "metrics":
            return [{**metric._asdict(), "now": None, "sources": []} for metric in CATALOGUE.values()]
        self.asked.append((what, parameters))
        if parameters["metric"] == self.refused:
            raise UsageError(f"nothing is kept of {self.refused}")
        metric, points, now = CATALOGUE[parameters["metric"]], parameters["points"], seen.feed.now()
        step = parameters["last_s"] / points
        since = now - parameters.get("ago_s", 0) - step * points
        size = 1 if metric.unit == "ratio" else 400
        values = [round(size * (0.5 + 0.4 * math.sin((number + self.at) / 9)), 4) for number in range(points)]
        shared = {"metric": metric.name, "unit": metric.unit, "quantile": 0.95 if metric.kind == "histogram" else 0.0, "since": since, "step_s": step, "asked_at": now, "newest_at": now}
        if what == "pools-heat":
            return {**shared, "pools": {pool: [*values[row:], *values[:row]] for row, pool in enumerate(seen.feed.tables["pools"])}, "left_out": 0}
        return {**shared, "label": parameters["label"], "values": values, "lows": values, "highs": values, "resolution_s": 1, "gaps": []}


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Engine:
    found = Engine()
    monkeypatch.setattr(asking.AskingScreen, "ask_engine", lambda self, what, **more: found.ask(self, what, **more))
    return found


async def shown(seat: Seat, line: str, text: str) -> None:
    await seat.open(line, "dash")
    await seat.until(lambda: text in seat.text)


@pytest.mark.row(219, 222, 228)
@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)], ids=lambda size: f"{size[0]}x{size[1]}")
async def test_looks_as_approved(size: tuple[int, int], snap: Snap, engine: Engine) -> None:
    fleet = Fleet()
    fleet.clock.at = NOON
    async with sit(fleet, size) as seat:
        await seat.current()
        await shown(seat, "dash work", "submission to result")
        panels = [panel for kind in (FigurePanel, ChartPanel, HeatPanel) for panel in seat.screen.query(kind)]
        await seat.until(lambda: all(panel.found is not None and panel.asked_points == panel.points() for panel in panels) and not seat.screen._is_loading)
        await snap(seat.pilot, "dash")


async def test_a_file_of_the_user_is_shown_and_read_again_when_it_is_opened_again(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(MINE)
    fleet = Fleet()
    async with sit(fleet, (120, 40)) as seat:
        seat.app.boards = Boards(tmp_path)
        await fleet.busy()
        await seat.current()
        await shown(seat, "dash mine", "who is on call: nobody")
        await seat.until(lambda: "queue_depth of coder" in seat.text and "! " in seat.text)
        assert ("history", "coder") in {(what, parameters.get("label")) for what, parameters in engine.asked}
        failed = [row for row in seat.app.feed.tables["tasks"].values() if row.state == "failed"]
        await seat.until(lambda: f"{len(failed)} task" in seat.text)
        assert set(seat.screen.query_one(TablePanel).query_one(Table).shown_ids) == {row.id for row in failed}
        (tmp_path / "mine.toml").write_text(MINE.replace("nobody", "everybody"))
        await shown(seat, "dash", "who is on call: everybody")


async def test_what_is_wrong_with_a_file_is_shown_in_its_place(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(MINE.replace("gauge", "gouge"))
    async with sit(Fleet(), (120, 40)) as seat:
        seat.app.boards = Boards(tmp_path)
        await shown(seat, "dash mine", "line 11: widget 2: kind is one of")
        await seat.open("dash nosuch", "dash")
        await seat.until(lambda: "no dashboard 'nosuch'" in seat.text)
        await seat.press("z", "r", "tab", "escape")
        await seat.until(lambda: seat.screen.NAME == "pulse")


async def test_a_figure_that_is_refused_says_so_and_the_others_are_shown(engine: Engine) -> None:
    engine.refused = "utilisation"
    async with sit(Fleet(), (120, 40)) as seat:
        await seat.current()
        await shown(seat, "dash work", "nothing is kept of utilisation")
        await seat.until(lambda: seat.screen.query(ChartPanel).first().found is not None)


async def test_keys_choose_range_focus_zoom_and_another_dashboard(engine: Engine) -> None:
    async with sit(Fleet(), (120, 40)) as seat:
        await seat.current()
        await shown(seat, "dash work", "submission to result")
        await seat.press("r", "r")
        await seat.until(lambda: "all over 24h" in seat.text and engine.asked[-1][1]["last_s"] >= 86_400)
        for _ in range(3):
            await seat.press("r")
        await seat.until(lambda: "all over" not in seat.text)
        for _ in range(3):
            await seat.press("tab")
        chart = seat.screen.query(BrailleChart).first()
        low = chart.size.height
        await seat.press("z")
        await seat.until(lambda: chart.size.height > low)
        assert [panel.id for panel in seat.screen.panels if panel.display] == ["chart-4"]
        await seat.press("z")
        await seat.until(lambda: chart.size.height == low)
        await seat.press("enter")
        await seat.until(lambda: seat.screen.NAME == "trends" and "load of the fleet" in seat.text)
        await shown(seat, "dash", "submission to result")
        await seat.press("o")
        await seat.until(lambda: bool(seat.app.screen.query(OptionList)))
        await seat.press("e", "enter")
        await seat.until(lambda: "event to durable" in seat.text)


async def test_a_map_leads_to_its_pool_and_rows_to_their_things(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(MINE)
    fleet = Fleet()
    async with sit(fleet, (120, 40)) as seat:
        seat.app.boards = Boards(tmp_path)
        await fleet.busy()
        await seat.current()
        await shown(seat, "dash work", "submission to result")
        map_ = seat.screen.query_one(Heatmap)
        map_.focus()
        await seat.until(lambda: map_.pointed is not None)
        await seat.press("down", "enter")
        await seat.until(lambda: seat.screen.NAME == "pool")
        await shown(seat, "dash mine", "who is on call")
        seat.screen.query_one(Table).focus()
        await seat.until(lambda: bool(seat.screen.query_one(Table).shown_ids))
        fleet.clock.at += 2
        await seat.press("down", "enter")
        await seat.until(lambda: seat.screen.NAME == "task")


@pytest.mark.row(228)
async def test_it_asks_again_when_its_time_has_come_and_draws_nothing_when_nothing_changed(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(MINE)
    fleet = Fleet()
    async with sit(fleet, (120, 40)) as seat:
        seat.app.boards = Boards(tmp_path)
        await seat.current()
        await shown(seat, "dash mine", "utilisation")
        await seat.until(lambda: len(engine.asked) >= 2 and not seat.screen._is_loading)
        asked = len(engine.asked)
        fleet.clock.at += 4
        seat.screen.tick(fleet.clock.at)
        assert len(engine.asked) == asked
        fleet.clock.at += 2
        seat.screen.tick(fleet.clock.at)
        await seat.until(lambda: len(engine.asked) == asked + 2)


async def test_the_pulse_may_be_the_users_own(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "pulse.toml").write_text(MINE)
    async with sit(Fleet(), (120, 40)) as seat:
        await seat.current()
        await seat.open("pulse")
        assert [panel.id for panel in seat.screen.panels] == ["needs", "pools", "hosts", "machines"]
        seat.app.boards = Boards(tmp_path)
        await seat.open("pools")
        await seat.open("pulse")
        await seat.until(lambda: "who is on call" in seat.text and "tasks done/s" in seat.text)
        (tmp_path / "pulse.toml").write_text("columns = 77\n")
        await seat.open("pools")
        await seat.open("pulse")
        await seat.until(lambda: "pulse.toml line 1" in seat.told)
        assert [panel.id for panel in seat.screen.panels] == ["needs", "pools", "hosts", "machines"]


async def test_a_dashboard_that_is_left_before_it_was_laid_out_is_not_laid_out() -> None:
    async with sit(Fleet(), (120, 40)) as seat:
        await seat.open("pulse")
        left = seat.screen
        asked: list[bool] = []
        await left.query_one("#board").remove()
        left.on_resize()
        left.call_after_refresh(lambda: asked.append(left.display))
        left.remove()
        await seat.open("pools")
        assert seat.app.is_running
        assert asked == [False]
