"""Forecasts: exact on what they model, honest about what they cannot, and off by themselves."""

from __future__ import annotations

import math
import random

import pytest
from engine.model.scaling import Algorithm, Prediction
from engine.scaling.history import Forecast
from engine.scaling.predictor import ERRORS_MIN, LinearTrend, Predictor, Seasonal


def feed(predictor: Predictor, demands: list[float], step_s: float = 1.0) -> list[Forecast]:
    found = (predictor.see(at * step_s, demand) for at, demand in enumerate(demands))
    return [forecast for forecast in found if forecast is not None]


def test_a_line_is_continued_exactly() -> None:
    trend = LinearTrend(60)
    for x in range(30):
        trend.see(3.0 + 0.5 * x)
    spread = trend.ahead(10)
    assert spread is not None
    assert spread.value == pytest.approx(3.0 + 0.5 * 39)
    assert spread.deviation == pytest.approx(0.0, abs=1e-6)


def test_nine_of_ten_values_of_a_noisy_line_fall_into_the_interval() -> None:
    chance = random.Random(7)
    inside = 0
    for _ in range(400):
        trend = LinearTrend(60)
        for x in range(60):
            trend.see(10 + 0.2 * x + chance.gauss(0, 2))
        spread = trend.ahead(15)
        assert spread is not None
        actual = 10 + 0.2 * 74 + chance.gauss(0, 2)
        inside += abs(actual - spread.value) <= 1.96 * spread.deviation
    assert 0.92 <= inside / 400 <= 0.98


def test_a_season_is_learned_and_foreseen() -> None:
    season = Seasonal(24)
    for x in range(24 * 6):
        season.see(20 + 10 * math.sin(2 * math.pi * x / 24))
    for steps in (1, 6, 12, 18):
        spread = season.ahead(steps)
        assert spread is not None
        assert spread.value == pytest.approx(20 + 10 * math.sin(2 * math.pi * (24 * 6 - 1 + steps) / 24), abs=0.5)


def test_too_few_samples_foresee_nothing() -> None:
    assert feed(Predictor(Prediction(sample_s=1.0, horizon_s=5.0)), [1.0] * 5) == []


def test_the_error_is_unknown_until_enough_forecasts_could_be_compared() -> None:
    prediction = Prediction(sample_s=1.0, horizon_s=3.0, window=20)
    forecasts = feed(Predictor(prediction), [float(x) for x in range(40)], step_s=1.0)
    assert math.isinf(forecasts[0].mape)
    known = [forecast for forecast in forecasts if math.isfinite(forecast.mape)]
    assert len(forecasts) - len(known) >= ERRORS_MIN
    assert known[-1].mape < 0.05


def test_chance_is_not_foreseen_and_says_so() -> None:
    chance = random.Random(3)
    prediction = Prediction(sample_s=1.0, horizon_s=3.0, window=10)
    demands = [chance.choice((0.0, 40.0)) for _ in range(300)]
    assert feed(Predictor(prediction), demands)[-1].mape > prediction.error_max


def test_a_gap_or_a_jump_back_drops_only_the_sample_under_way() -> None:
    predictor = Predictor(Prediction(sample_s=10.0, horizon_s=30.0))
    feed(predictor, [2.0] * 80)
    assert predictor.see(500.0, 2.0) is None
    assert predictor.see(100.0, 2.0) is None
    assert predictor.see(110.0, 2.0) is not None


def test_a_seasonal_policy_foresees_a_rise_before_it_comes() -> None:
    prediction = Prediction(Algorithm.SEASONAL, sample_s=1.0, horizon_s=5.0, season_s=60.0)
    demands = [30.0 if at % 60 >= 40 else 2.0 for at in range(60 * 8)]
    forecasts = feed(Predictor(prediction), demands)
    before_rise = [forecast for forecast in forecasts if (forecast.at - 5) % 60 in (36, 37, 38)]
    assert all(forecast.demand > 20 for forecast in before_rise[-6:])
