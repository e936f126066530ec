"""What the documents promise of scaling, with the policy that they recommend: use at saturation, savings, no work lost."""

from __future__ import annotations

from statistics import mean

import pytest
from engine.model.scaling import Limits
from engine.scaling.backtest import replay, static_for
from engine.scaling.shapes import SHAPES, trace
from tests.bench.bench_scaling import FOLLOWING

HOUR_S = 3_600.0


@pytest.mark.row(95, 273)
def test_at_saturation_agents_are_in_use_for_85_percent_of_their_time() -> None:
    full = trace("steps", 1, seconds=1_800.0, limits=Limits(1, 8))
    assert replay(full, [FOLLOWING], 1_500.0).utilisation >= 0.85
    half = trace("steps", 1, seconds=1_800.0, limits=Limits(40, 80))
    assert replay(half, [FOLLOWING], 1_500.0).utilisation < 0.85, "the measure can say no"


@pytest.mark.row(95, 274)
def test_40_percent_of_agent_seconds_are_saved_against_a_fixed_size_of_the_same_wait() -> None:
    saved = []
    for shape in SHAPES:
        load = trace(shape, 1, seconds=2 * HOUR_S, limits=Limits(1, 60))
        run = replay(load, [FOLLOWING], 2 * HOUR_S)
        static = static_for(load, run.wait_p95_s, 2 * HOUR_S, 60)
        assert static.wait_p95_s <= run.wait_p95_s
        saved.append(1 - run.agent_s / static.agent_s)
    assert mean(saved) >= 0.40
