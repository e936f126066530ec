"""kill -9 of a process that appends: what it said was durable is there, whole and without a gap."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from engine.memory.journal import SqliteJournal
from engine.state import FleetState

from tests.integration.journal_lives import assert_same

ROOT = Path(__file__).parent.parent.parent

APPENDER = """
import asyncio, sys
from pathlib import Path
from engine.memory.journal import SqliteJournal
from tests.integration.journal_lives import Life

async def main():
    journal = await SqliteJournal.open(Path(sys.argv[1]), synchronous="normal")
    life = Life(int(sys.argv[2]))
    while True:
        life.step()
        if life.records and life.rng.random() < 0.5:
            await journal.append(life.batch())
            print(life.state.seq, flush=True)

asyncio.run(main())
"""


async def reopened(path: Path) -> tuple[FleetState, FleetState, list[int]]:
    """Return the state that is loaded, the one that a replay gives, and the sequence numbers."""
    journal = await SqliteJournal.open(path)
    loaded = await journal.load(1_000)
    replayed = FleetState(1_000)
    records = await journal.records(limit=10**6)
    for record in records:
        replayed.apply(record)
    await journal.close()
    return loaded, replayed, [record.seq for record in records]


@pytest.mark.parametrize(("seed", "commits"), [(1, 1), (2, 40), (3, 150)])
def test_nothing_acknowledged_is_lost(tmp_path: Path, seed: int, commits: int) -> None:
    path = tmp_path / "fleet.db"
    with subprocess.Popen(
        [sys.executable, "-c", APPENDER, path, str(seed)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as appender:
        assert appender.stdout is not None
        acknowledged = [int(appender.stdout.readline()) for _ in range(commits)]
        appender.send_signal(signal.SIGKILL)
        acknowledged += [int(line) for line in appender.stdout]
    loaded, replayed, numbers = asyncio.run(reopened(path))
    assert loaded.seq >= acknowledged[-1]
    assert numbers == list(range(1, loaded.seq + 1))
    loaded.check()
    assert_same(loaded, replayed)
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()
