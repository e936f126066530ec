"""How much the journal that engines share holds at most, whatever its records tell of, how seldom a large file is copied for it, and when a batch is in it."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from engine.memory.database import Database
from engine.memory.shared_journal import SharedJournal
from engine.model.ids import TaskId
from engine.model.journal_entries import Entry, Leadership
from engine.model.pool_events import PoolConfigured
from engine.model.pools import PoolSpec
from engine.model.task_events import TasksSubmitted
from engine.model.tasks import TaskSpec

from tests.integration.journal_lives import Life

RECORD_BYTES = 20_000


class Kept:
    """Keeps what the server would."""

    def __init__(self) -> None:
        self.steps: list[str] = []
        self.entries: deque[Entry] = deque()
        self.snapshots: list[int] = []

    async def append(self, entry: Entry, *, deadline_s: float, fence: Leadership | None = None) -> None:  # noqa: ARG002  # as the server's
        self.entries.append(entry)
        self.steps.append("shared")

    async def snapshot_last(self) -> int:
        return self.snapshots[-1] if self.snapshots else 0

    async def put_snapshot(self, last: int, file: Path, *, by: Leadership) -> None:  # noqa: ARG002  # as the server's
        assert file.stat().st_size  # noqa: ASYNC240  # it may hold up the loop
        self.snapshots.append(last)

    async def trim(self, *, keep: int) -> int:
        upto = min(self.snapshots[-1], self.entries[-1].last - max(1, keep))
        while self.entries[0].last <= upto:
            self.entries.popleft()
        return upto

    @property
    def bytes(self) -> int:
        return sum(len(text) for entry in self.entries for text in entry.texts)


class Writing:
    """A leader that writes one record a commit, and looks after each whether a snapshot is due."""

    def __init__(self, journal: SharedJournal, kept: Kept) -> None:
        self.journal, self.kept, self.life = journal, kept, Life(1)
        self.life.do(PoolConfigured(PoolSpec("work", 0, 1), 0))

    async def write(self, times: int) -> None:
        for _ in range(times):
            spec = TaskSpec(TaskId(self.life.new_id("tsk")), "noop", "work", {"x": "y" * RECORD_BYTES})
            self.life.do(TasksSubmitted((spec,)))
            await self.journal.append(self.life.batch())
            await self.journal.keep_short(self.life.state.seq)


@pytest.fixture
async def writing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Writing]:
    monkeypatch.setattr("engine.memory.shared_journal.SNAPSHOT_BYTES", 10 * RECORD_BYTES)
    monkeypatch.setattr("engine.memory.shared_journal.KEPT_BYTES", 4 * RECORD_BYTES)
    journal, kept = await SharedJournal.open(tmp_path / "fleet.db", synchronous="normal"), Kept()
    journal.share(kept, "local", lambda: Leadership(1, "eng_a"), is_new=False)  # type: ignore[arg-type]  # what writing needs of it
    yield Writing(journal, kept)
    await journal.close()


async def test_few_large_records_are_dropped_behind_a_snapshot_as_many_small_ones_are(writing: Writing) -> None:
    most = 0
    for _ in range(60):
        await writing.write(1)
        most = max(most, writing.kept.bytes)
    assert most < 16 * RECORD_BYTES, "what was written since the last snapshot, and what is kept behind it"
    assert 4 <= len(writing.kept.snapshots) <= 6, "one for each ten records"
    assert writing.kept.entries[-1].last == writing.life.state.seq


async def test_a_large_file_is_copied_when_its_part_was_written_and_not_before(writing: Writing) -> None:
    await writing.write(100)
    await writing.journal.database.write(lambda connection: connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall())
    assert writing.journal.database.path.stat().st_size > 90 * RECORD_BYTES
    await writing.journal.snapshot()
    before = len(writing.kept.snapshots)
    await writing.write(10)
    assert len(writing.kept.snapshots) == before, "as much as a small file would have been copied for"
    await writing.write(30)
    assert len(writing.kept.snapshots) > before


async def test_a_batch_is_durable_when_it_is_shared_before_the_copy_has_it(writing: Writing, monkeypatch: pytest.MonkeyPatch) -> None:
    steps, write = writing.kept.steps, Database.write

    async def copy(files: Database, work: Any) -> Any:
        steps.append("copied")
        return await write(files, work)

    monkeypatch.setattr(Database, "write", copy)
    batch = writing.life.batch()
    batch.when_durable = lambda: steps.append("durable")
    await writing.journal.append(batch)
    assert steps == ["shared", "durable", "copied"]
