"""Forecasts kept until their time has come: what was foreseen for now, and what is for later."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from engine.gate.forecasts_ahead import AHEAD_MAX, ForecastsAhead
from engine.model.pool_commands import CreatePolicy
from engine.scaling.autoscaler import AutoScaler
from engine.scaling.history import Forecast
from tests.unit.core_fleet import Fleet

SAMPLE_S, HORIZON_S = 10.0, 60.0


@dataclass
class Scaler:
    """Gives what it is told to foresee."""

    by_policy: dict[str, Forecast] = field(default_factory=dict)

    def forecasts(self, pool: str) -> dict[str, Forecast]:
        return self.by_policy if pool == "coder" else {}

    def foresee(self, at: float, demand: float, policy: str = "trend", mape: float = 0.1) -> None:
        self.by_policy[policy] = Forecast(at, demand, demand - 1, demand + 1, mape)


@pytest.fixture
def fleet() -> Fleet:
    found = Fleet()
    table = {"pool": "coder", "target": 0.8, "prediction": {"sample_s": SAMPLE_S, "horizon_s": HORIZON_S}}
    for id_ in ("trend", "season"):
        found.do(CreatePolicy(id_, table))
    return found


def note(ahead: ForecastsAhead, fleet: Fleet, scaler: Scaler, now: float) -> None:
    ahead.note(fleet.state, cast("AutoScaler", scaler), now)


def told(ahead: ForecastsAhead) -> list[Any]:
    return [(one["at"], one["demand"]) for one in ahead.of_pool("coder")]


def test_what_was_foreseen_for_an_instant_is_known_when_it_comes(fleet: Fleet) -> None:
    ahead, scaler = ForecastsAhead(), Scaler()
    for now in range(0, 61):
        if now % 10 == 0:
            scaler.foresee(now + HORIZON_S, now / 10)
        note(ahead, fleet, scaler, now)
        assert ahead.of_now("coder", now) == (None if now < 60 else Forecast(60.0, 0.0, -1.0, 1.0, 0.1))
    assert told(ahead) == [(60.0 + 10 * n, float(n)) for n in range(7)]
    note(ahead, fleet, scaler, 75)
    found = ahead.of_now("coder", 75)
    assert found is not None and found.demand == 1.0 and told(ahead)[0] == (70.0, 1.0)


def test_a_forecast_stands_for_two_samples_at_most_then_there_is_a_gap(fleet: Fleet) -> None:
    ahead, scaler = ForecastsAhead(), Scaler()
    scaler.foresee(60.0, 4.0)
    note(ahead, fleet, scaler, 0)
    for now, is_known in ((59, False), (60, True), (79, True), (80, False)):
        assert (ahead.of_now("coder", now) is not None) is is_known
    scaler.by_policy.clear()
    note(ahead, fleet, scaler, 80)
    assert told(ahead) == []


def test_the_least_wrong_policy_speaks_and_an_unknown_error_is_none(fleet: Fleet) -> None:
    ahead, scaler = ForecastsAhead(), Scaler()
    scaler.foresee(60.0, 4.0, "trend", 0.4)
    scaler.foresee(60.0, 6.0, "season", 0.2)
    note(ahead, fleet, scaler, 0)
    assert told(ahead) == [(60.0, 6.0)] and ahead.of_pool("coder")[0]["policy"] == "season"
    scaler.by_policy.clear()
    scaler.foresee(30.0, 5.0, "trend", math.inf)
    note(ahead, fleet, scaler, 1)
    assert told(ahead) == [(30.0, 5.0)], "one that looks less far ahead speaks anew of what comes after it"
    assert ahead.of_pool("coder")[0]["mape"] is None


def test_it_is_bounded_and_forgets_pools_that_went(fleet: Fleet) -> None:
    ahead, scaler = ForecastsAhead(), Scaler()
    for number in range(AHEAD_MAX + 10):
        scaler.foresee(1e6 + number, 1.0)
        note(ahead, fleet, scaler, 0)
    assert len(told(ahead)) == AHEAD_MAX
    fleet.state.pools.pop("coder")
    note(ahead, fleet, scaler, 0)
    assert told(ahead) == []
