"""Databases of released versions: real files that their code wrote, brought up to this version's tables, or left as they were."""

# A test may hold up its own loop.
# ruff: noqa: ASYNC240

from __future__ import annotations

import asyncio
import gzip
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from engine.memory import database, migrations
from engine.memory.checking import verify
from engine.memory.copies import restore
from engine.memory.journal import SqliteJournal
from engine.model.errors import JournalError

from tests.integration.journal_lives import Life, plain_state

RELEASED = sorted((Path(__file__).parent / "released").glob("step-*.db.gz"))
"""Written by the code of their time: a random life of 250 steps, closed well."""


@pytest.fixture(params=RELEASED, ids=lambda path: path.name.removesuffix(".db.gz"))
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "fleet.db"
    path.write_bytes(gzip.decompress(request.param.read_bytes()))
    return path


def step_of(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])


def tables_of(path: Path) -> dict[str, list[str]]:
    """Return the columns of every table, and what indices there are."""
    with closing(sqlite3.connect(path)) as connection:
        names = connection.execute("SELECT type, name, tbl_name FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' ORDER BY name").fetchall()
        return {f"{kind} {name} of {table}": sorted(row[1] for row in connection.execute(f"PRAGMA table_info({name})")) for kind, name, table in names}


async def opened_and_closed(path: Path) -> None:
    await (await SqliteJournal.open(path)).close()


def test_there_is_a_file_of_the_first_step() -> None:
    assert [path.name for path in RELEASED][:1] == ["step-1.db.gz"]


async def test_an_old_database_is_brought_up_and_lives_on(old: Path, tmp_path: Path) -> None:
    step = step_of(old)
    journal = await SqliteJournal.open(old)
    state = await journal.load(1_000)
    state.check()
    assert verify(old).problems == ()
    life = Life(5)
    life.state, life.at, life.count = state, state.at, 10_000
    for _ in range(80):
        life.step()
    await journal.append(life.batch())
    assert plain_state(await journal.load(1_000)) == plain_state(life.state)
    await journal.close()
    assert step_of(old) == len(migrations.steps())
    verdict = verify(old)
    assert verdict.problems == ()
    assert any("replayed" in line for line in verdict.checked)
    await opened_and_closed(tmp_path / "new.db")
    assert tables_of(old) == tables_of(tmp_path / "new.db")
    [backup] = (tmp_path / "backups").iterdir()
    assert step_of(backup) == step
    assert backup.stat().st_mode & 0o777 == 0o600


async def test_the_backup_of_an_upgrade_can_be_put_back(old: Path, tmp_path: Path) -> None:
    before = verify(old).contents.rows
    await opened_and_closed(old)
    [backup] = (tmp_path / "backups").iterdir()
    restore(backup, old, aside=tmp_path / "aside.db")
    assert verify(old).contents.rows == before
    await opened_and_closed(old)


async def test_an_upgrade_that_fails_leaves_the_file_as_it_was(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    step, tables = step_of(old), tables_of(old)
    broken = (*migrations.steps()[:step], "CREATE TABLE half (x); INSERT INTO nowhere VALUES (1)")
    monkeypatch.setattr(database, "steps", lambda: broken)
    with pytest.raises(JournalError, match=rf"journal {old}: .*nowhere"):
        await SqliteJournal.open(old)
    assert (step_of(old), tables_of(old)) == (step, tables)
    monkeypatch.undo()
    await opened_and_closed(old)
    assert verify(old).problems == ()


async def test_no_upgrade_without_its_backup(old: Path, tmp_path: Path) -> None:
    step = step_of(old)
    (tmp_path / "backups").write_text("in the way")
    with pytest.raises(JournalError, match=r"backups: the directory cannot be made .*name another place|cannot be upgraded"):
        await SqliteJournal.open(old)
    assert step_of(old) == step


async def test_an_older_version_refuses_the_file_of_a_newer_one(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await opened_and_closed(old)
    before = old.read_bytes()
    monkeypatch.setattr(database, "steps", lambda: migrations.steps()[:1])
    with pytest.raises(JournalError, match=r"written by a newer version \(its tables are step \d+, this one knows 1\); install that version, or restore a backup from before the upgrade"):
        await SqliteJournal.open(old)
    assert old.read_bytes() == before


# ---- files that were damaged


async def lived(path: Path, batches: int = 6) -> list[tuple[int, int]]:
    """Leave a file as a killed engine does, with all in its -wal; return for each batch where the -wal ended, and its last record."""
    source = path.with_name("source.db")
    journal = await SqliteJournal.open(source)
    life, ends = Life(3), []
    for _ in range(batches):
        for _ in range(20):
            life.step()
        await journal.append(life.batch())
        ends.append((Path(f"{source}-wal").stat().st_size, life.state.seq))
    for suffix in ("", "-wal"):
        Path(f"{path}{suffix}").write_bytes(Path(f"{source}{suffix}").read_bytes())
    await journal.close()
    return ends


NOISE = -1


@pytest.mark.parametrize("cut", [0, 1, 2, NOISE])
async def test_a_torn_wal_gives_what_was_whole_in_it(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "fleet.db"
    ends = await lived(path)
    wal = Path(f"{path}-wal")
    torn = bytearray(wal.read_bytes())
    if cut == NOISE:
        end, last = ends[-2]
        torn[end + 40 : end + 400] = os.urandom(360)
    else:
        end, last = ends[-2 - cut]
        del torn[end + 1_000 :]
    wal.write_bytes(torn)
    whole = await SqliteJournal.open(path)
    state = await whole.load(1_000)
    await whole.close()
    assert verify(path).problems == ()
    assert state.seq == last


@pytest.mark.parametrize("place", [0, 16, 28, 100])
async def test_a_damaged_header_is_said_with_what_to_do(tmp_path: Path, place: int) -> None:
    path = tmp_path / "fleet.db"
    journal = await SqliteJournal.open(path)
    life = Life(3)
    for _ in range(80):
        life.step()
    await journal.append(life.batch())
    await journal.close()
    data = bytearray(path.read_bytes())
    data[place : place + 12] = bytes(255 - byte for byte in data[place : place + 12])
    path.write_bytes(data)
    with pytest.raises(JournalError) as refused:
        await SqliteJournal.open(path)
    text = str(refused.value)
    assert str(path) in text
    assert "restore" in text or "name another file" in text
    assert path.read_bytes() == bytes(data), "a damaged file is not touched"


async def test_a_large_file_is_checked_for_a_while_at_the_start_and_then_beside_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "fleet.db"
    await lived(path, batches=40)
    monkeypatch.setattr(database, "CHECKED_BYTES_MAX", 0)
    monkeypatch.setattr(database, "CHECK_MAX_S", 0.3)  # an alarm before the statement begins would go unheard
    interrupted: list[str] = []

    def check(connection: sqlite3.Connection) -> None:
        if not interrupted:  # until it is interrupted, as a check of a large file is
            interrupted.append("once")
            connection.execute("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n").fetchone()
        interrupted.append("whole")

    monkeypatch.setattr(database, "_require_whole", check)
    journal = await SqliteJournal.open(path)
    assert interrupted == ["once"]
    await journal.database.check_pages()
    await journal.database.check_pages()
    assert interrupted == ["once", "whole"]
    await journal.close()


@pytest.mark.skipif(os.getuid() == 0, reason="root may read and write everything")
def test_a_file_that_this_user_may_not_use(tmp_path: Path) -> None:
    path = tmp_path / "fleet.db"
    asyncio.run(opened_and_closed(path))
    path.chmod(0o000)
    with pytest.raises(JournalError, match=r"cannot be opened|may not use it"):
        asyncio.run(opened_and_closed(path))
