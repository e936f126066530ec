"""`verify` compares the table of memory with the journal: nothing to say of what an engine wrote, and each forgery is found."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from engine.memory.checking import verify
from engine.model.memory import Permissions, RetrieveOptions
from engine.model.memory_words import Level

from tests.integration.memory_world import ANN, memory_world

FORGED = {
    "UPDATE memory SET value = '\"forged\"' WHERE key = 'plain'": "agt_ann/plain of memory has another value",
    "UPDATE memory SET value = CAST('7' AS BLOB) WHERE key = 'number'": "number of memory has another value",
    "UPDATE memory SET embedding = x'00000000' WHERE key = 'vector'": "vector of memory has another value",
    "UPDATE memory SET head = json_set(head, '$.permissions.level', 'public') WHERE key = 'private'": "private of memory is not as its newest record says: version 2 by agt_ann",
    "UPDATE memory SET acl_level = 'public' WHERE key = 'plain'": "plain of memory is not as",
    "UPDATE memory SET head = '{' WHERE key = 'plain'": "plain of memory is not as",
    "UPDATE memory SET deleted = 1 WHERE key = 'large'": "large of memory is not as",
    "DELETE FROM memory WHERE key = 'plain'": "plain of memory is missing, its newest record says version 2",
    "INSERT INTO memory (key, value, owner_id, created_at, updated_at, changed) VALUES ('new', '1', 'agt_ann', 1, 1, 3)": "new of memory is there, and no record says so",
}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a database with entries of every sort."""
    path = tmp_path_factory.mktemp("verify") / "fleet.db"
    asyncio.run(_write(path))
    return path


async def _write(path: Path) -> None:
    async with memory_world(path) as world:
        for value in ("one", "two"):
            await world.store("plain", value)
        await world.store("number", 1.25)
        await world.store("vector", "v", embedding=(0.5, 0.25))
        await world.store("large", "x" * 40_000)
        await world.store("private", {"a": [1]}, tags=("t",))
        await world.permit("private", Permissions(Level.TEAM, read=("agt_bob",)))
        await world.store("gone", 1)
        await world.memory.delete(ANN, world.memory.find(ANN, "gone", RetrieveOptions()))


def test_what_an_engine_wrote_is_as_its_journal_says(written: Path) -> None:
    verdict = verify(written)
    assert verdict.problems == ()
    assert "6 entries of memory, against the records after 0" in verdict.checked


@pytest.mark.parametrize("sql", FORGED)
def test_a_forged_entry_is_found_whether_all_is_replayed_or_not(written: Path, tmp_path: Path, sql: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = shutil.copy(written, tmp_path / "copy.db")
    with closing(sqlite3.connect(path)) as connection, connection:
        assert connection.execute(sql).rowcount == 1
    assert [FORGED[sql] in problem for problem in verify(path).problems] == [True]
    monkeypatch.setattr("engine.memory.checking.REPLAYED_MAX", 1)
    assert verify(path).problems == (), "only the newest record was asked for"
    assert FORGED[sql] in verify(path, whole=True).problems[0]


def test_a_record_about_memory_that_cannot_be_read_is_named_without_its_content(written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = shutil.copy(written, tmp_path / "copy.db")
    with closing(sqlite3.connect(path)) as connection, connection:
        [(last,)] = connection.execute("SELECT max(id) FROM events WHERE type = 'memory.changed'")
        connection.execute("UPDATE events SET data = '{\"heads\": \"secret\"}' WHERE id = ?", (last,))
    monkeypatch.setattr("engine.memory.checking.REPLAYED_MAX", 1)
    assert verify(path).problems == (f"record {last} about memory cannot be read",)
