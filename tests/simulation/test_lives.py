"""Whole fleet lives from seeds: kills, full disks, operators at random; the checkers are engine.simulation.checkers."""

from __future__ import annotations

from pathlib import Path

import pytest
from engine.simulation import runner

CORPUS = Path(__file__).with_name("corpus.txt")
CHUNKS = 6
SEEDS = 12


def corpus() -> list[tuple[int, int]]:
    """Return the seeds and steps that found something once; a line is a seed, its steps, and what it found."""
    lines = [line.split() for line in CORPUS.read_text("utf-8").splitlines() if line and not line.startswith("#")]
    return [(int(seed), int(steps)) for seed, steps, *_found in lines]


def replay(seed: int) -> str:
    return f"seed {seed}; again: make sim SEED={seed}"


@pytest.mark.row(22, 29, 62, 64, 203)
@pytest.mark.parametrize("first", range(1, SEEDS + 1, SEEDS // CHUNKS))
def test_lives_keep_what_the_engine_promises(first: int) -> None:
    adopted = 0
    objectives = 0
    for seed in range(first, first + SEEDS // CHUNKS):
        try:
            summary = runner.simulate(seed)
        except Exception as error:
            error.add_note(replay(seed))
            raise
        assert summary.succeeded > 0 and summary.done > 0 and summary.votes > 0, replay(seed)
        adopted += summary.adopted
        objectives += summary.objectives
    assert adopted > 0, "no task outlived its engine"
    assert objectives > 0, "no swarm had anything to do"


@pytest.mark.parametrize(("seed", "steps"), corpus())
def test_what_a_seed_found_stays_mended(seed: int, steps: int) -> None:
    runner.simulate(seed, steps)


def test_same_seed_is_the_same_life() -> None:
    assert runner.simulate(5, steps=60, lives=2) == runner.simulate(5, steps=60, lives=2)


def test_command_says_how_a_life_went() -> None:
    said: list[str] = []
    assert runner.main(["--seed", "2", "--steps", "30", "--lives", "1"], said.append) == 0
    assert said[0].startswith("seed 2: ")


def test_command_says_how_to_repeat_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: object) -> None:
        raise AssertionError("a checker speaks")

    monkeypatch.setattr(runner, "simulate", fail)
    said: list[str] = []
    assert runner.main(["--seed", "3"], said.append) == 1
    assert "a checker speaks" in said[0]
    assert "make sim SEED=3" in said[1]


@pytest.mark.slow
@pytest.mark.parametrize("first", range(1_000, 2_000, 50))
def test_many_lives(first: int) -> None:
    for seed in range(first, first + 50):
        try:
            runner.simulate(seed)
        except Exception as error:
            error.add_note(replay(seed))
            raise


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_long_life(seed: int) -> None:
    runner.simulate(seed, steps=1_500, lives=6)
