"""Random keys, words and resizes against a living fleet: no crash, nothing done unasked, no screen that is not fresh."""

from __future__ import annotations

import os

import pytest

from tests.ui.fleet import Fleet, sit
from tests.ui.fuzz import Fuzz

SEEDS = [int(os.environ["FUZZ_SEED"])] if "FUZZ_SEED" in os.environ else [1, 2, 3]
PRESSES = 400
LONG_PRESSES = 100_000


async def fuzz(seed: int, presses: int) -> Fuzz:
    fleet = Fleet()
    run = Fuzz(fleet, seed)
    async with sit(fleet, (120, 40)) as seat:
        await fleet.busy()
        await seat.current()
        await run.run(seat, presses)
        assert seat.app.is_running, run.story()
    return run


@pytest.mark.parametrize("seed", SEEDS)
async def test_random_keys_break_nothing_and_do_nothing_unasked(seed: int) -> None:
    run = await fuzz(seed, PRESSES)
    assert len(run.screens) > 5, f"the run saw little: {run.screens}"


# What long runs have found: sizes, then keys.
STORIES = {
    "a plan that just fits has no bar": ([(60, lines) for lines in range(16, 26)], "colon h a l t enter"),
    "a hint longer than its field": ([(120, 40)], "colon p u l s e enter n i ctrl+u"),
}


@pytest.mark.parametrize("story", STORIES)
async def test_screens_are_as_drawn_anew(story: str) -> None:
    sizes, keys = STORIES[story]
    fleet = Fleet()
    run = Fuzz(fleet, 1)
    async with sit(fleet, (120, 40)) as seat:
        await fleet.busy()
        await seat.current()
        for size in sizes:
            await seat.pilot.resize_terminal(*size)
            await run.press(seat, *keys.split())
            await run.look(seat)
            await run.press(seat, "escape")


@pytest.mark.slow
@pytest.mark.timeout(0)
async def test_a_hundred_thousand_random_keys() -> None:
    run = await fuzz(int(os.environ.get("FUZZ_SEED", "20261121")), LONG_PRESSES)
    assert run.witness.carried_out > 100
