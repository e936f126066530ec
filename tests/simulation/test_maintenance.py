"""Predictive maintenance on made-up days: how often a warning is right, and how many faults it finds before the agent fails."""

from __future__ import annotations

from statistics import median

import pytest
from engine.monitoring.maintenance import Kind

from tests.simulation.made_agents import judge, made_day

SEEN = (1, 2, 3)
"""Days that were looked at when the thresholds were set."""
UNSEEN = (11, 12, 13)


@pytest.mark.row(235)
@pytest.mark.parametrize("seed", [*SEEN, *UNSEEN])
def test_warnings_of_a_day_are_right_and_in_time(seed: int) -> None:
    score = judge(made_day(seed))
    told = f"seed {seed}: precision {score.precision:.2f}, recall {score.recall:.2f} of {score.faults} faults, {median(score.leads_min)} min before"
    assert score.precision >= 0.85, told
    assert score.recall >= 0.85, told
    assert median(score.leads_min) >= 30, told


def test_a_day_without_faults_warns_of_nobody_nearly_always() -> None:
    healthy = [made_day(seed, has_faults=False) for seed in (31, 32, 33)]
    assert not any(day.faults for day in healthy)
    assert sum(judge(day).warnings for day in healthy) <= 1


def test_every_kind_of_fault_is_among_them() -> None:
    assert {fault.kind for seed in SEEN for fault in made_day(seed).faults} == set(Kind)
