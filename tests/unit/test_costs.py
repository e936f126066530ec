"""What pools cost: agent-seconds by pool and hour, absences, peaks and savings; from a real journal, too."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from engine import FleetManager
from engine.api import openapi
from engine.api.rest import typed_parameters
from engine.model.costs import AgentLife, Lives
from engine.model.pool_commands import ScalePool
from engine.model.scaling import Load
from engine.model.wire import to_plain
from engine.scaling.costs import report
from hypothesis import given
from hypothesis import strategies as st
from screens.present_costs import cost_lines, money
from screens.widgets.cells import UNICODE

H = 3_600.0


def text_of(found: object) -> str:
    plain = to_plain(found)
    assert isinstance(plain, dict)
    return "\n".join("".join(cell if isinstance(cell, str) else cell.text for cell in line) for line in cost_lines(plain, UNICODE))


@pytest.mark.row(205, 277)
def test_agent_seconds_cost_peak_and_saving() -> None:
    lives = Lives((AgentLife("ui", 0, 0, 0.01), AgentLife("ui", H, 2 * H, 0.01), AgentLife("db", 0, H, 0.0)), (), (("ui", 1, 2), ("ui", 2, 1), ("db", 1, 1)))
    found = report(lives, [Load(0, "ui", 0.5 * H), Load(1.5 * H, "ui", H)], 0, 4 * H, {"ui": 0.9})
    db, ui = found.pools
    assert (ui.agent_s, ui.cost, ui.peak, ui.static_s, ui.static_cost) == (5 * H, pytest.approx(0.05 * H), 2, 8 * H, pytest.approx(0.08 * H))
    assert (ui.saved, ui.ups, ui.downs, ui.accuracy) == (3 / 8, 1, 1, 0.9)
    assert ui.busy_s == 1.5 * H
    assert (db.agent_s, db.cost, db.accuracy) == (H, 0.0, -1.0)
    assert found.total.agent_s == 6 * H
    assert found.total.saved == 1 - 6 / 12
    assert [(one.at, one.pool, one.agent_s) for one in found.hours][:3] == [(0, "db", H), (0, "ui", H), (H, "ui", 2 * H)]


def test_nothing_costs_while_no_engine_runs() -> None:
    found = report(Lives((AgentLife("ui", 0, 0, 1.0),), ((H, 3 * H),), ()), None, 0, 4 * H, {})
    assert (found.pools[0].agent_s, found.running_s, found.pools[0].busy_s) == (2 * H, 2 * H, -1.0)
    assert found.pools[0].saved == 0


def test_a_replaced_agent_makes_no_higher_peak() -> None:
    found = report(Lives((AgentLife("ui", 0, H, 0), AgentLife("ui", H, 0, 0)), (), ()), [], 0, 2 * H, {})
    assert found.pools[0].peak == 1


@given(st.lists(st.tuples(st.floats(0, 1e5), st.floats(0, 1e5), st.floats(0, 5)), max_size=8), st.lists(st.tuples(st.floats(0, 1e5), st.floats(0, 1e4)), max_size=3))
def test_hours_add_up_and_a_fixed_size_is_never_less(spans: list[tuple[float, float, float]], gaps: list[tuple[float, float]]) -> None:
    lives = tuple(AgentLife("ui", begin, begin + length, cost) for begin, length, cost in spans)
    found = report(Lives(lives, tuple((at, at + length) for at, length in gaps), ()), [], 1_000, 9e4, {})
    assert sum(one.agent_s for one in found.hours) == pytest.approx(found.total.agent_s)
    assert sum(one.cost for one in found.hours) == pytest.approx(found.total.cost)
    assert found.total.static_s >= found.total.agent_s - 1e-6


def test_the_report_reads_well() -> None:
    lives = Lives((AgentLife("ui", 0, 0, 0.01), AgentLife("db", 0, H, 0.0)), (), ())
    found = report(lives, None, 0, 2 * H, {})
    text = text_of(found)
    assert "an engine ran 2.0 h of it" in text
    assert "72.00" in text
    assert "the figures are too low" not in text
    assert "the figures are too low" in text_of(dataclasses.replace(found, is_whole=False))
    assert text_of(report(Lives((), (), ()), [], 0, H, {})) .strip() == "no agent was there in this time"
    assert [money(amount) for amount in (0, 0.0123, 1_234.5)] == ["0.00", "0.0123", "1,234.50"]


@pytest.mark.row(205)
async def test_a_real_journal_tells_it_over_restarts(tmp_path: Path) -> None:
    config = {"fleet": {"workers": 1, "default_pools": {"ui": {"min": 1, "max": 9, "cost": 2.0}}}}
    async with FleetManager(config, state_dir=tmp_path) as fleet:
        await fleet.operator().execute([ScalePool("ui", "3")])
        await fleet.operator().execute([ScalePool("ui", "1")])
        first = await fleet.operator().query("cost", last_s=60)
    async with FleetManager(config, state_dir=tmp_path) as fleet:
        await fleet.operator().execute([ScalePool("ui", "2")])
        second = await fleet.operator().query("cost", last_s=60)
    assert isinstance(first, dict)
    assert isinstance(second, dict)
    [pool] = first["pools"]
    assert (pool["pool"], pool["peak"], pool["ups"], pool["downs"]) == ("ui", 3, 1, 1)
    assert 0 < pool["agent_s"] <= 3 * first["running_s"]
    assert pool["cost"] == pytest.approx(2 * pool["agent_s"])
    assert 0 < pool["saved"] < 1
    [later] = second["pools"]
    assert (later["peak"], later["ups"], later["downs"]) == (3, 2, 1), "what was before the restart counts"
    assert 0 < second["running_s"] < second["until"] - second["since"]


@pytest.mark.parametrize("what", ["cost", "load"])
async def test_the_length_of_time_may_come_from_a_web_address(tmp_path: Path, what: str) -> None:
    parameters = typed_parameters({"last_s": "60"}, openapi.QUERY_PARAMETERS[what])
    async with FleetManager({"fleet": {"workers": 1, "default_pools": {"ui": {"min": 1, "max": 2}}}}, state_dir=tmp_path) as fleet:
        assert await fleet.operator().query(what, **parameters) is not None
