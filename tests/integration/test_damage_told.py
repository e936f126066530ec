"""Damage that is found beside the work, in a database too large to be checked at the start, reaches whoever operates the fleet."""

# A test may hold up its own loop.
# ruff: noqa: ASYNC240

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from engine import FleetManager, SwarmMemory
from engine.fleet import LIBRARY
from engine.memory import database
from engine.model.errors import JournalError

CONFIG = {"fleet": {"default_pools": False}}


async def left_by_a_kill(folder: Path) -> Path:
    """Return the state of an engine that was killed after a commit, with one damaged page that nothing reads."""
    left = folder / "left"
    left.mkdir()
    async with FleetManager(CONFIG, state_dir=folder) as fleet:
        await fleet.journal.database.write(lambda connection: connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall())
        await SwarmMemory(fleet=fleet).store("plan", "kept")
        for name in ("fleet.db", "fleet.db-wal"):
            shutil.copy(folder / name, left / name)
    damage(left / "fleet.db", "dependencies_needed")
    assert (left / "fleet.db-wal").stat().st_size > 0
    return left


def damage(path: Path, index: str) -> None:
    data = bytearray(path.read_bytes())
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro&immutable=1", uri=True)) as connection:
        [page] = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (index,)).fetchone()
        [size] = connection.execute("PRAGMA page_size").fetchone()
    data[(page - 1) * size : (page - 1) * size + 8] = b"\xee" * 8
    path.write_bytes(data)


def large_file(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Have the check at a start come to no end, as in a large file; return what was checked."""
    checked: list[str] = []
    check = database._require_whole

    def slow(connection: sqlite3.Connection) -> None:
        checked.append("begun")
        if len(checked) % 2:
            connection.execute("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n").fetchone()
        check(connection)

    monkeypatch.setattr(database, "CHECKED_BYTES_MAX", 0)
    monkeypatch.setattr(database, "CHECK_MAX_S", 0.3)  # an alarm before the statement begins would go unheard
    monkeypatch.setattr(database, "_require_whole", slow)
    return checked


async def test_damage_is_in_the_status_and_looked_for_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left = await left_by_a_kill(tmp_path)
    checked = large_file(monkeypatch)
    async with FleetManager(CONFIG, state_dir=left) as fleet:
        async with asyncio.timeout(30):
            while not fleet.status().damage:
                await asyncio.sleep(0.01)
        status = await fleet.operator(LIBRARY).query("status")
        assert "damaged" in status.damage  # type: ignore[attr-defined]
        assert "restore" in status.damage  # type: ignore[attr-defined]
        assert await SwarmMemory(fleet=fleet).retrieve("plan") == "kept"
    assert len(checked) == 2
    monkeypatch.undo()  # the end was clean, and yet the next start looks
    monkeypatch.setattr(database, "CHECKED_BYTES_MAX", 0)
    with pytest.raises(JournalError, match="damaged"):
        async with FleetManager(CONFIG, state_dir=left):
            pass
    with closing(sqlite3.connect(left / "fleet.db")) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("DELETE FROM sqlite_master WHERE name = 'dependencies_needed'")
        connection.commit()
        connection.execute("VACUUM")
    async with FleetManager(CONFIG, state_dir=left) as fleet:
        assert not fleet.status().damage
    assert not (left / "fleet.db-damaged").exists()
