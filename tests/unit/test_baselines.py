"""Baselines: kept by name with gaps and seven digits, listed, deleted; no name twice, and not too many."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import pytest
from engine.memory.migrations import migrate, steps
from engine.model.errors import CommandRefused, NotFound
from engine.monitoring import baselines as module
from engine.monitoring.baselines import Baseline, Baselines, Saved, packed, unpacked
from tests.histories import Direct

NOON = 1_800_000_000
STEPS = {("response_ms", "coder"): [123.456789, None, 0.1], ("agents", ""): [4.0, 4.0, None]}


@pytest.fixture
def kept() -> Iterator[Baselines]:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection, steps())
    yield Baselines(Direct(connection))
    connection.close()


def saved(name: str, at: float = NOON) -> Baseline:
    return Baseline(Saved(name, at, "ada", NOON - 180, NOON, 60), STEPS)


def test_values_come_back_with_their_gaps() -> None:
    assert unpacked(packed(STEPS)) == {("response_ms", "coder"): [123.4568, None, 0.1], ("agents", ""): [4.0, 4.0, None]}


@pytest.mark.row(233)
async def test_a_baseline_is_kept_until_it_is_deleted(kept: Baselines, monkeypatch: pytest.MonkeyPatch) -> None:
    await kept.save(saved("before"))
    await kept.save(saved("after", NOON + 1))
    assert [one.name for one in await kept.listed()] == ["after", "before"]
    found = await kept.find("before")
    assert found.saved == saved("before").saved and found.steps["agents", ""] == [4.0, 4.0, None]
    with pytest.raises(CommandRefused, match="there is a baseline 'before'"):
        await kept.save(saved("before"))
    monkeypatch.setattr(module, "BASELINES_MAX", 2)
    with pytest.raises(CommandRefused, match="2 baselines"):
        await kept.save(saved("third"))
    await kept.delete("after")
    with pytest.raises(NotFound, match="did you mean 'before'"):
        await kept.find("befor")
    with pytest.raises(NotFound, match="no baseline 'after'"):
        await kept.delete("after")
