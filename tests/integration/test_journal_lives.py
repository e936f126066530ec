"""Whatever a fleet lives through, in whatever batches: what is loaded is what was, and what a replay gives."""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
from pathlib import Path

import pytest
from engine.memory.journal import SqliteJournal
from engine.state import FleetState
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.examples import examples
from tests.integration.journal_lives import Life, as_plain, assert_same


async def live(path: Path, seed: int, steps: int, finished_max: int) -> None:
    life = Life(seed, finished_max)
    journal = await SqliteJournal.open(path, synchronous="normal")
    try:
        artifacts = {}
        for _ in range(steps):
            life.step()
            if life.rng.random() < 0.2 and life.records:
                batch = life.batch()
                artifacts |= {kept.id: kept for kept in reversed(batch.artifacts) if kept.id not in artifacts}
                await journal.append(batch)
        await journal.append(life.batch())
        life.state.check()
        if life.rng.random() < 0.5:
            await journal.close()
            journal = await SqliteJournal.open(path)
        loaded = await journal.load(finished_max)
        loaded.check()
        assert_same(loaded, life.state)
        assert not any(getattr(loaded.touched, name) for name in ("pools", "agents", "tasks", "hosts", "plans"))

        records = await journal.records(limit=10**6)
        assert records == life.all_records
        replayed = FleetState(finished_max)
        for record in records:
            replayed.apply(record)
        replayed.check()
        assert_same(replayed, life.state)
        for task_id, task in life.state.tasks.items():
            assert as_plain(await journal.find_task(task_id)) == as_plain(task)
        for artifact_id, artifact in artifacts.items():
            assert await journal.artifact(artifact_id) == artifact
    finally:
        await journal.close()
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()


@pytest.mark.row(180, 181, 182)
@settings(max_examples=examples(40), deadline=None)
@example(seed=1, steps=400, finished_max=1_000)
@given(
    seed=st.integers(0, 2**32 - 1),
    steps=st.integers(1, 250),
    finished_max=st.sampled_from([1_000, 4, 0]),
)
def test_load_is_the_live_state_and_the_replay(seed: int, steps: int, finished_max: int) -> None:
    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(live(Path(directory) / "fleet.db", seed, steps, finished_max))
