"""What the comparison of policies rests on: the loads, their real changes, and the fixed sizes beside them."""

from __future__ import annotations

import math
from array import array
from pathlib import Path

import pytest
from engine.model.scaling import Limits
from engine.scaling.backtest import PoolTrace, replay, replay_static
from engine.scaling.shapes import trace

from tests.bench.bench_scaling import FOLLOWING, missing
from tests.bench.scaling_loads import (
    PUBLIC,
    SEEDS,
    SHAPE_S,
    BenchLoad,
    bench_loads,
    peak_demand,
    public_load,
    real_changes,
)
from tests.bench.scaling_table import HEADING, beside_fixed, say
from tests.bench.scaling_traces import FUNCTIONS, MINUTES, azure_functions_table

PUBLIC_TABLE = Path(__file__).parent.parent / "corpus" / "traces" / "azure_functions_seed1.csv"


def test_the_shipped_table_is_made_from_its_seed() -> None:
    assert PUBLIC_TABLE.read_text("utf-8") == azure_functions_table(1)


def test_the_environment_names_a_public_load(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(PUBLIC, raising=False)
    shapes = bench_loads()
    assert [load.name for load in shapes] == [f"{shape} {seed}" for shape in ("daily", "bursts", "steps", "sawtooth") for seed in SEEDS]
    assert f"{PUBLIC}=FILE" in missing(shapes)
    monkeypatch.setenv(PUBLIC, str(PUBLIC_TABLE))
    public = bench_loads()
    assert missing(public) == ""
    rows = [row.split(",") for row in PUBLIC_TABLE.read_text("utf-8").splitlines()[1:]]
    assert (len(rows), len(rows[0])) == (len(FUNCTIONS), 4 + MINUTES)
    assert public[-1].name == PUBLIC_TABLE.stem
    assert len(public[-1].tasks.arrivals) == sum(int(cell) for row in rows for cell in row[4:])


def test_all_pools_of_a_public_trace_are_one_load(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text("at,pool,service_s\n0,a,1\n5,b,2\n", "utf-8")
    load = public_load(path)
    assert (list(load.tasks.arrivals), list(load.tasks.services), load.seconds) == ([0.0, 5.0], [1.0, 2.0], 5.0)


@pytest.mark.parametrize(("shape", "changes"), [("daily", 2), ("bursts", 10), ("steps", 2), ("sawtooth", 7)])
def test_a_shape_turns_as_often_as_it_is_drawn(shape: str, changes: int) -> None:
    assert real_changes(trace(shape, 1, seconds=SHAPE_S), SHAPE_S) == changes


def test_noise_is_no_change() -> None:
    every_second = PoolTrace("coder", array("d", [float(n) for n in range(3_600)]), array("d", [4.0, 6.0] * 1_800), Limits(1, 50))
    assert real_changes(every_second, 3_600.0) == 0


def test_nobody_waits_at_the_peak_and_somebody_does_below() -> None:
    load = trace("bursts", 2, seconds=900.0)
    peak = peak_demand(load)
    assert replay_static(load, peak, 900.0).wait_max_s == 0
    assert replay_static(load, peak - 1, 900.0).wait_max_s > 0


@pytest.mark.row(95, 274)
def test_savings_are_against_the_size_of_equal_wait_and_against_the_peak() -> None:
    """C15: efficiency is agent-seconds saved against a fixed size, at an equal p95 wait, and against the peak."""
    load = BenchLoad("steps", trace("steps", 1, seconds=1_800.0, limits=Limits(1, 50)), 1_800.0)
    (row,) = beside_fixed(load, {"fleet-tui": lambda one: replay(one.tasks, [FOLLOWING], one.seconds)})
    assert row.fixed.wait_p95_s <= row.run.wait_p95_s
    assert replay_static(load.tasks, row.fixed.peak - 1, load.seconds).wait_p95_s > row.run.wait_p95_s
    assert row.peak_agent_s == row.peak * load.seconds
    assert row.saved == pytest.approx(1 - row.run.agent_s / (row.fixed.peak * load.seconds))
    assert 0 < row.saved < row.at_most < 1
    assert row.saved < row.saved_of_peak
    assert math.isclose(row.turns_each, row.run.direction_changes / real_changes(load.tasks, load.seconds))
    assert len(say(row)) == len(HEADING)
