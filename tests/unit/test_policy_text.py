"""Policies as text: the seeds' form, our own, what is refused and why."""

from __future__ import annotations

import math
from typing import Any

import pytest
from engine.model.errors import UsageError
from engine.model.policy_text import policy_of, policy_table, problems
from engine.model.scaling import Direction, Policy, Prediction, Rate, Trigger
from hypothesis import given
from tests.unit.test_scaling_decide import policies

SEED = {
    "id": "cpu-scaling",
    "name": "CPU-based Auto-Scaling",
    "enabled": True,
    "scaleUpTrigger": {"metric": "cpu", "threshold": 0.8, "sustainedPeriod": 300_000},
    "scaleDownTrigger": {"metric": "cpu", "threshold": 0.3, "sustainedPeriod": 600_000},
}


@pytest.mark.row(69, 70, 71)
def test_the_seeds_policy_means_what_it_says() -> None:
    policy = policy_of(SEED)
    assert (policy.id, policy.name, policy.enabled) == ("cpu-scaling", "CPU-based Auto-Scaling", True)
    assert policy.up == Trigger("cpu", 0.8, 300.0)
    assert policy.down == Trigger("cpu", 0.3, 600.0)
    assert "burst waits" in problems(policy).warnings[0]


@pytest.mark.row(70)
@pytest.mark.parametrize(
    ("theirs", "ours"), [("queueLength", "queue_length"), ("queueDepth", "queue_length"), ("responseTime", "response_time_ms"), ("cpuUsage", "cpu")]
)
def test_metric_names_of_both_seeds_are_taken(theirs: str, ours: str) -> None:
    policy = policy_of({"id": "p", "up": {"metric": theirs, "threshold": 5}})
    assert policy.up is not None
    assert policy.up.metric == ours


@pytest.mark.row(72, 73)
def test_the_seeds_limits_and_prediction_are_taken() -> None:
    policy = policy_of(
        {
            "id": "p",
            "target": 0.85,
            "maxScaleUpStep": 50,
            "maxScaleDownStep": 20,
            "prediction": {"algorithm": "linear_regression", "windowSize": 60, "predictionHorizon": 900_000},
        }
    )
    assert policy.scale_up.step_max == 50
    assert policy.scale_down == Direction(stabilization_s=300.0, step_max=20)
    assert policy.prediction == Prediction(window=60, horizon_s=900.0)


@given(policies)
def test_text_of_a_policy_gives_the_policy_again(policy: Policy) -> None:
    try:
        again = policy_of(policy_table(policy))
    except UsageError:
        assert problems(policy).errors
    else:
        assert again == policy
        assert not problems(policy).errors


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"treshold": 1}, "no key 'treshold'"),
        ({"targt": 1}, "did you mean 'target'"),
        ({"metric": "cup", "target": 0.5}, "'cup' is not measured; did you mean 'cpu'"),
        ({"up": {"metric": "cpu", "threshold": 0.3}, "down": {"metric": "cpu", "threshold": 0.8}}, "grow and shrink at once"),
        ({"up": {"metric": "cpu", "treshold": 0.3}}, "policy.up has no key 'treshold'; did you mean 'threshold'"),
        ({"up": {"metric": "cpu", "threshold": "high"}}, "threshold"),
        ({"target": math.nan}, "policy.target is nan"),
        ({"target": -1}, "target is -1; it cannot be below 0"),
        ({"target": 0.8, "scaleUpTrigger": {"metric": "cpu", "threshold": 1, "sustainedPeriod": "5m"}}, "write milliseconds"),
        ({"target": 0.8, "scale_up": {"rates": [{"period_s": 15.0}]}}, "a rate needs"),
        ({"target": 0.8, "panic": {"window_s": 60, "stable_s": 60}}, "must be shorter"),
        ({"target": 0.8, "prediction": {"algorithm": "seasonal", "sample_s": 1}}, "a season of 86400 samples"),
        ({"target": 0.8, "prediction": {"window": 2}}, "at least 5"),
        ({"target": 0.8, "fallback": {"behaviour": "static"}}, "needs fallback.size"),
        ({"target": 0.8, "drain_s": 0}, "drain_s must be above 0"),
        ({"up": {"metric": "queue_length", "threshold": 0}}, "give up.step"),
        ({}, "neither a target nor a trigger"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_place(change: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError) as error:
        policy_of({"id": "p", **change})
    assert words in str(error.value)


def test_a_plugins_metric_is_known_when_it_is_named() -> None:
    table = {"id": "p", "up": {"metric": "gpu", "threshold": 0.9}}
    assert policy_of(table, plugins=frozenset({"gpu"})).up == Trigger("gpu", 0.9)
    with pytest.raises(UsageError, match="gpu"):
        policy_of(table)


def test_rates_are_lists_of_tables() -> None:
    policy = policy_of({"id": "p", "target": 1, "scale_up": {"rates": [{"period_s": 15, "agents": 4}], "select": "min"}})
    assert policy.scale_up.rates == (Rate(15.0, agents=4),)
