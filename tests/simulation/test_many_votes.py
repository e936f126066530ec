"""Votes by the thousand in a simulated fleet: each ends by its deadline as an oracle counts it, and a seed replays them."""

from __future__ import annotations

import pytest
from engine.model.vote_words import Standing
from engine.simulation.loop import run_virtual

from tests.unit.test_rounds_many import Assembly, assembled


@pytest.mark.parametrize("seed", [8, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 8))])
def test_a_thousand_votes_of_seven_end_as_their_ballots_say(seed: int) -> None:
    """Votes late, twice or not at all, agents that leave, an engine that is killed four times; the seed replays it."""
    assembly: Assembly = run_virtual(assembled(seed, 1_000, 4))
    assert len(assembly.ended) >= 1_000
    standings = {round_.standing for round_ in assembly.ended.values()}
    assert standings >= {Standing.ACCEPTED, Standing.REJECTED, Standing.DEADLOCKED, Standing.EXPIRED}


def test_a_seed_replays_its_votes() -> None:
    lives: list[Assembly] = [run_virtual(assembled(8, 60, 2)) for _ in range(2)]
    first, second = ([(id_, round_.standing, round_.because, round_.closed_at) for id_, round_ in one.ended.items()] for one in lives)
    assert first == second
    assert first
