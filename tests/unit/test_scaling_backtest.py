"""A replay keeps its books: every task once, agent-seconds as provisioned, the same with and without skipped ticks."""

from __future__ import annotations

import math
from array import array
from dataclasses import replace

import pytest
from engine.model.scaling import Direction, Limits, Observation, Policy, Prediction
from engine.scaling import backtest
from engine.scaling.backtest import PoolTrace, replay, replay_chooser, replay_static, static_for
from engine.scaling.shapes import SHAPES, trace
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import examples

FOLLOWING = Policy("pol_f", "follow", target=0.85, average_s=30.0, drain_s=10.0, tolerance=0.2, scale_down=Direction(stabilization_s=60.0))
LIMITS = Limits(1, 30, cost_per_agent_s=0.01)

loads = st.lists(st.tuples(st.floats(0.01, 200), st.floats(0.01, 30)), max_size=60).map(
    lambda gaps: PoolTrace(
        "coder",
        array("d", [sum(gap for gap, _ in gaps[: n + 1]) for n in range(len(gaps))]),
        array("d", [service for _, service in gaps]),
        LIMITS,
    )
)


@given(loads, st.integers(1, 5))
@settings(max_examples=examples(150), deadline=None)
def test_every_task_is_begun_once_or_unfinished(load: PoolTrace, size: int) -> None:
    seconds = load.arrivals[-1] + 1.0 if load.arrivals else 10.0
    result = replay_static(load, size, seconds)
    assert result.agent_s == pytest.approx(size * seconds)
    assert 0 <= result.busy_s <= result.agent_s + 1e-6
    assert result.tasks == len(load.arrivals)
    assert result.wait_p50_s <= result.wait_p95_s <= result.wait_max_s


@given(loads)
@settings(max_examples=examples(100), deadline=None)
def test_skipping_quiet_ticks_changes_nothing(load: PoolTrace) -> None:
    seconds = 2_000.0
    policy = replace(FOLLOWING, zero_after_s=0.0)
    every_tick = replace(policy, prediction=Prediction(error_max=-1.0))  # it looks at each tick and foresees nothing
    skipped, full = replay(load, [policy], seconds), replay(load, [every_tick], seconds)
    assert skipped.agent_s == pytest.approx(full.agent_s)
    assert (skipped.raised, skipped.lowered, skipped.drains) == (full.raised, full.lowered, full.drains)
    assert skipped.wait_p95_s == full.wait_p95_s


@pytest.mark.parametrize("shape", SHAPES)
def test_a_busy_agent_finishes_before_it_leaves(shape: str) -> None:
    load = trace(shape, 1, seconds=1_800.0)
    result = replay(load, [FOLLOWING], 1_800.0)
    assert result.tasks == len(load.arrivals)
    assert result.busy_s + 1e-6 >= math.fsum(load.services) - 30 * result.unfinished
    assert result.agent_s >= result.busy_s


def test_a_rule_that_shrinks_at_random_loses_no_work() -> None:
    load = trace("bursts", 3, seconds=900.0)
    sizes = iter(range(10**6))

    def wild(_now: Observation) -> int:
        return 1 + (next(sizes) * 7) % 20

    result = replay_chooser(load, wild, 900.0)
    assert result.tasks == len(load.arrivals)
    assert result.drains > 0


def test_the_static_size_of_equal_wait_is_the_smallest() -> None:
    load = trace("steps", 5, seconds=900.0)
    size = static_for(load, 1.0, 900.0, 100).peak
    assert replay_static(load, size, 900.0).wait_p95_s <= 1.0
    assert replay_static(load, size - 1, 900.0).wait_p95_s > 1.0


def test_the_cost_is_that_of_the_agents_that_were_there() -> None:
    result = replay_static(PoolTrace("coder", array("d"), array("d"), LIMITS), 3, 100.0)
    assert result.cost == pytest.approx(3 * 100 * 0.01)


def test_a_long_replay_keeps_a_bounded_series() -> None:
    result = replay(trace("daily", 2, seconds=3_600.0), [FOLLOWING], 3_600.0)
    assert 0 < len(result.series) <= backtest.SERIES_MAX + 1


def test_a_seeded_trace_is_the_same_each_time() -> None:
    assert trace("daily", 4).arrivals == trace("daily", 4).arrivals
    assert trace("daily", 4).arrivals != trace("daily", 5).arrivals
