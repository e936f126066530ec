"""Backups: whole while writing goes on, never over anything else, put back without losing what was there; checks that find damage."""

# A test may hold up its own loop.
# ruff: noqa: ASYNC220, ASYNC240

from __future__ import annotations

import asyncio
import json
import os
import re
import sqlite3
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
from engine import FleetManager, SwarmMemory
from engine.memory import copies
from engine.memory.checking import verify
from engine.memory.copies import restore
from engine.memory.journal import SqliteJournal
from engine.memory.loading import load_state
from engine.model.errors import CommandRefused, JournalError
from engine.state import FleetState

from tests.integration.engines import EngineProcess, engine
from tests.integration.journal_lives import Life, plain_state

ROOT = Path(__file__).parent.parent.parent
SECRET = "hunter2-of-a-payload"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "fleet.db"


@pytest.fixture
async def journal(path: Path) -> AsyncIterator[SqliteJournal]:
    opened = await SqliteJournal.open(path)
    yield opened
    await opened.close()


async def live(journal: SqliteJournal, life: Life, steps: int = 80) -> None:
    for _ in range(steps):
        life.step()
    await journal.append(life.batch())


async def made(path: Path, seed: int = 3) -> Life:
    """Make a database that nobody has open."""
    journal = await SqliteJournal.open(path)
    life = Life(seed)
    life.act_pool()
    await live(journal, life)
    await journal.close()
    return life


def kept_in(path: Path) -> dict[str, bytes]:
    return {entry.name: entry.read_bytes() for entry in path.parent.iterdir() if entry.is_file() and not entry.name.endswith(("-owner", "-shm", "-wal"))}


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# ---- taking one


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_a_backup_is_of_one_moment_while_writing_goes_on(journal: SqliteJournal, tmp_path: Path, seed: int) -> None:
    life = Life(seed)
    await live(journal, life)
    targets = [tmp_path / f"{number}.db" for number in range(4)]
    written = asyncio.Event()

    async def write() -> None:
        while not written.is_set():
            life.act_audit()
            life.step()
            await journal.append(life.batch())

    async with asyncio.TaskGroup() as group:
        group.create_task(write())
        found = [await journal.backup(target) for target in targets]
        written.set()
    assert found[0].last < found[-1].last
    for target, contents in zip(targets, found, strict=True):
        verdict = verify(target)
        assert (verdict.problems, verdict.contents) == ((), contents)
        assert any("replayed" in line for line in verdict.checked)
        assert mode_of(target) == 0o600
    assert verify(Path(journal._database.path)).problems == ()
    assert not list(tmp_path.glob("*.part"))


async def test_a_name_goes_beside_the_database(journal: SqliteJournal, path: Path) -> None:
    await live(journal, Life(1))
    contents = await journal.backup(Path("mine.db"))
    assert contents.path == str(path.parent / "backups" / "mine.db")
    assert mode_of(path.parent / "backups") == 0o700


async def test_only_an_older_backup_is_replaced_and_only_when_that_is_asked_for(journal: SqliteJournal, path: Path, tmp_path: Path) -> None:
    await live(journal, Life(1))
    (tmp_path / "letter").write_text("dear reader")
    newer, foreign = tmp_path / "newer.db", tmp_path / "foreign.db"
    await journal.backup(newer)
    for file, sql in ((newer, "PRAGMA user_version = 99"), (foreign, "CREATE TABLE bookmarks (url)")):
        with closing(sqlite3.connect(file)) as other:
            other.execute(sql)
    (tmp_path / "link").symlink_to(tmp_path / "letter")
    before = {name: (tmp_path / name).read_bytes() for name in ("letter", "newer.db", "foreign.db")}
    for name, words in {
        "letter": "not a database.*nothing was written",
        "link": "not a database.*nothing was written",
        "newer.db": "written by a newer version .*step 99",
        "foreign.db": "no fleet's database.*nothing was written",
        "fleet.db": "it is the database itself",
        ".": "it is a directory",
    }.items():
        for force in (True, False):
            with pytest.raises(JournalError, match=words):
                await journal.backup(tmp_path / name, force=force)
    assert {name: (tmp_path / name).read_bytes() for name in before} == before
    older = tmp_path / "older.db"
    first = await journal.backup(older)
    there = older.read_bytes()
    with pytest.raises(CommandRefused, match=r"a backup lies at .*older\.db already; nothing was written.*--force"):
        await journal.backup(older)
    assert older.read_bytes() == there
    (tmp_path / "older.db.part").write_text("left by a crash")
    assert (await journal.backup(older, force=True)).last == first.last
    assert not (tmp_path / "older.db.part").exists()


FULL_DISK = """
import asyncio, resource, sys
from pathlib import Path
from engine.memory.journal import SqliteJournal
from engine.model.errors import JournalError
from tests.integration.test_backups import live
from tests.integration.journal_lives import Life
from tests.integration.test_journal_failures import large_batch

async def main():
    folder = Path(sys.argv[1])
    journal = await SqliteJournal.open(folder / "fleet.db")
    life = Life(3)
    life.act_pool()
    await live(journal, life)
    await journal.backup(folder / "kept.db")
    kept = (folder / "kept.db").read_bytes()
    await journal.append(large_batch(life))
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, hard))
    try:
        await journal.backup(folder / "kept.db", force=True)
    except JournalError as error:
        print(error)
    assert (folder / "kept.db").read_bytes() == kept
    assert not (folder / "kept.db.part").exists()
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    await journal.probe()
    print((await journal.backup(folder / "kept.db", force=True)).last)
    await journal.close()

asyncio.run(main())
"""


def test_a_disk_that_is_full_keeps_the_older_backup(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", FULL_DISK, tmp_path], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    error, last = done.stdout.splitlines()
    assert "the backup cannot be written" in error
    assert "make room there, or name another place" in error
    assert verify(tmp_path / "kept.db").contents.last == int(last)


# ---- putting one back


async def restored(source: Path, path: Path) -> dict[str, object]:
    restore(source, path, aside=path.with_name("aside.db"))
    journal = await SqliteJournal.open(path)
    state = plain_state(await journal.load(1_000))
    await journal.close()
    return state


async def test_a_restore_keeps_what_was_there(path: Path, tmp_path: Path) -> None:
    life = await made(path)
    journal = await SqliteJournal.open(path)
    life.state = await journal.load(1_000)
    before = plain_state(life.state)
    await journal.backup(tmp_path / "backup.db")
    await live(journal, life)
    later = plain_state(life.state)
    await journal.close()
    assert await restored(tmp_path / "backup.db", path) == before
    assert mode_of(path) == 0o600
    assert await restored(tmp_path / "aside.db", tmp_path / "again.db") == later


async def test_a_restore_keeps_what_the_wal_of_a_killed_engine_held(path: Path, tmp_path: Path) -> None:
    await made(tmp_path / "backup.db", seed=5)
    journal = await SqliteJournal.open(tmp_path / "source.db")
    life = Life(4)
    await live(journal, life)
    for suffix in ("", "-wal"):  # as a killed engine leaves them: nothing is folded in
        Path(f"{path}{suffix}").write_bytes(Path(f"{tmp_path / 'source.db'}{suffix}").read_bytes())
    await journal.close()
    assert Path(f"{path}-wal").stat().st_size > 0
    await restored(tmp_path / "backup.db", path)
    assert await restored(tmp_path / "aside.db", tmp_path / "again.db") == plain_state(life.state)


async def test_a_restore_over_a_damaged_database_keeps_its_files(path: Path, tmp_path: Path) -> None:
    life = await made(tmp_path / "backup.db")
    path.write_bytes(b"damaged beyond recognition" * 400)
    Path(f"{path}-wal").write_bytes(b"and so is this")
    before = path.read_bytes()
    assert await restored(tmp_path / "backup.db", path) == plain_state(life.state)
    assert (tmp_path / "aside.db").read_bytes() == before
    assert Path(tmp_path / "aside.db-wal").read_bytes() == b"and so is this"


@pytest.mark.parametrize("step", ["_copy", "_put_aside", "sync"])
async def test_a_restore_that_fails_leaves_what_was_there(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    life = await made(path)
    await made(tmp_path / "backup.db", seed=5)

    def fails(*_: object) -> None:
        raise OSError("the disk is gone")

    monkeypatch.setattr(copies, step, fails)
    with pytest.raises(JournalError, match=r"cannot be restored from .*the disk is gone.*still there"):
        restore(tmp_path / "backup.db", path, aside=tmp_path / "aside.db")
    monkeypatch.undo()
    journal = await SqliteJournal.open(path)
    assert plain_state(await journal.load(1_000)) == plain_state(life.state)
    await journal.close()
    assert not list(tmp_path.glob("*.part"))


async def test_a_restore_of_itself_or_of_what_is_none_is_refused(path: Path, tmp_path: Path) -> None:
    await made(path)
    before = kept_in(path)
    (tmp_path / "letter").write_text("dear reader")
    for source, words in ((path, "in use; name a backup"), (tmp_path / "letter", "not a database"), (tmp_path, "it is a directory")):
        with pytest.raises(JournalError, match=words):
            restore(source, path, aside=tmp_path / "aside.db")
    (tmp_path / "letter").unlink()
    assert kept_in(path) == before


# ---- checking


def changed(path: Path, sql: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute(sql)


CONTRADICTIONS = {
    "UPDATE tasks SET result = '{\"forged\": 1}' WHERE id = (SELECT max(id) FROM tasks)": "tasks are not as the journal makes them .1 differ, the first is tsk_",
    "DELETE FROM agents": "refers to agents, where there is no such row",
    "DELETE FROM events WHERE id = (SELECT max(id) FROM events)": "tables are as of record",
    "DELETE FROM events WHERE id = 9": "record 8 cannot be replayed|refers to events",
    "UPDATE events SET data = '{}' WHERE id = 5": "cannot be replayed",
    "UPDATE resources SET data = json_set(data, '$.totals.submitted', 7777) WHERE kind = 'fleet'": "totals are not as the journal makes them",
}


@pytest.mark.parametrize("sql", CONTRADICTIONS)
async def test_a_check_finds_tables_that_the_journal_did_not_make(path: Path, sql: str) -> None:
    await made(path)
    assert verify(path).problems == ()
    changed(path, sql)
    problems = verify(path).problems
    assert problems
    assert re.search(CONTRADICTIONS[sql], problems[0]), problems


FORGED = [
    "UPDATE events SET data = substr(data, 1, length(data) - 3) WHERE type = 'memory.changed'",
    f"UPDATE events SET data = json_object('{SECRET}', '{SECRET}') WHERE type = 'memory.changed'",
    f"UPDATE events SET data = json_set(data, '$.heads', '{SECRET}') WHERE type = 'memory.changed'",
]


@pytest.mark.parametrize("sql", FORGED)
async def test_a_check_says_nothing_of_what_a_damaged_record_holds(tmp_path: Path, sql: str) -> None:
    async with FleetManager({"fleet": {"default_pools": False}}, directory=tmp_path, state_dir=tmp_path) as fleet:
        await SwarmMemory(fleet=fleet).store(f"key-{SECRET}", {"text": SECRET}, {"tags": [f"tag-{SECRET}"]})
        await fleet.journal.backup(tmp_path / "copy.db")
    changed(tmp_path / "copy.db", sql)
    [problem] = verify(tmp_path / "copy.db").problems
    assert "cannot be replayed" in problem
    assert SECRET not in problem


async def test_a_check_of_a_long_journal_compares_how_tasks_ended(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.memory.checking.REPLAYED_MAX", 100)
    journal = await SqliteJournal.open(path)
    life = Life(3)
    while life.state.seq < 160 or not any(record.event.type == "task.succeeded" for record in life.all_records[-90:]):
        life.step()
    await journal.append(life.batch())
    await journal.close()
    assert verify(path).problems == verify(path, whole=True).problems == ()
    changed(path, "UPDATE tasks SET status = 'dead' WHERE status = 'succeeded'")
    assert "is dead, its newest record says succeeded" in verify(path).problems[0]
    assert any("tasks are not as the journal makes them" in problem for problem in verify(path, whole=True).problems)


async def test_a_check_beside_writing_compares_one_moment(journal: SqliteJournal, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    life, loop = Life(3), asyncio.get_running_loop()
    life.act_pool()
    await live(journal, life)
    seen = life.state.seq

    def load_later(connection: sqlite3.Connection, finished_max: int) -> tuple[FleetState, int]:
        asyncio.run_coroutine_threadsafe(live(journal, life), loop).result()
        return load_state(connection, finished_max)

    monkeypatch.setattr("engine.memory.checking.load_state", load_later)
    verdict = await asyncio.to_thread(verify, path, whole=True)
    assert (verdict.problems, verdict.contents.last) == ((), seen)
    assert life.state.seq > seen


async def test_a_check_finds_damaged_pages(path: Path) -> None:
    await made(path)
    data = bytearray(path.read_bytes())
    for page in range(8, len(data) // 4_096):
        data[page * 4_096 : page * 4_096 + 64] = os.urandom(64)
    path.write_bytes(data)
    try:
        problems = verify(path).problems
    except JournalError as error:
        problems = (str(error),)
    assert "damaged" in problems[0]


# ---- from the command line


def run_at(subject: EngineProcess, *words: str, code: int = 0) -> str:
    done = subject.run(*words)
    assert done.returncode == code, (words, done.stdout, done.stderr)
    return done.stdout + done.stderr


def test_an_operator_backs_up_checks_and_restores(tmp_path: Path) -> None:
    with engine(tmp_path) as subject:
        task = run_at(subject, "submit", "echo", "coder", "--payload", json.dumps({"text": SECRET})).split()[0]
        run_at(subject, "remember", f"key-{SECRET}", json.dumps({"text": SECRET}), "--tags", f"tag-{SECRET}")
        whole = tmp_path / "whole.db"
        assert str(whole) in run_at(subject, "backup", str(whole), "--reason", "before the move")
        assert "before the move" in run_at(subject, "get", "audit", "-o", "json")
        assert f"a backup lies at {whole} already" in run_at(subject, "backup", str(whole), code=4)
        run_at(subject, "backup", str(whole), "--force")
        assert "replayed" in run_at(subject, "verify", str(whole))
        assert "the engine runs; nothing was changed: stop it first" in run_at(subject, "restore", str(whole), code=4)
        run_at(subject, "backup")
        listed = run_at(subject, "backups", "-o", "json")
        assert len(json.loads(listed)) == 1
        assert json.loads(listed)[0]["rows"]["memory"] == 1
        shown = [run_at(subject, *words, *form) for words in (["backups"], ["verify"], ["verify", str(whole)], ["backup"]) for form in ([], ["-o", "json"])]
        assert not [text for text in (listed, *shown) if SECRET in text], "no listing says what only retrieve may"
        run_at(subject, "submit", "noop", "coder")
        run_at(subject, "stop", "--yes")
        answer = run_at(subject, "restore", str(whole))
        assert "what was there is kept as" in answer
        assert SECRET not in answer
        [aside] = subject.root.glob("state/**/fleet-before-restore-*.db")
        assert verify(aside).contents.rows["tasks"] == 2
        assert verify(whole).contents.rows["tasks"] == 1
        assert "no engine runs" not in run_at(subject, "verify")
    with engine(tmp_path) as subject:
        assert [row["id"] for row in subject.get("tasks")] == [task]

