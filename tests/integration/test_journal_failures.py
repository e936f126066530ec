"""What can go wrong with the file: each is a JournalError in words, loses nothing, and ends when its cause ends."""

# A test may hold up its own loop.
# ruff: noqa: ASYNC220, ASYNC240

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from engine.memory import database
from engine.memory.contract import JournalBatch, StoredArtifact
from engine.memory.journal import SqliteJournal
from engine.memory.projections import WRITING
from engine.model.errors import JournalError
from engine.model.ids import TaskId
from engine.model.task_events import TasksSubmitted
from engine.model.tasks import TaskSpec

from tests.integration.journal_lives import Life, assert_same, plain_state

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "fleet.db"


@pytest.fixture
async def journal(path: Path) -> AsyncIterator[SqliteJournal]:
    opened = await SqliteJournal.open(path)
    yield opened
    await opened.close()


def lived(steps: int = 60, seed: int = 3) -> Life:
    life = Life(seed)
    life.act_pool()
    for _ in range(steps):
        life.step()
    return life


def large_batch(life: Life, size: int = 400_000) -> JournalBatch:
    pool = next(iter(life.state.pools))
    life.do(TasksSubmitted((TaskSpec(TaskId(life.new_id("tsk")), "noop", pool, {"x": "y" * size}),)))
    return life.batch()


async def pragma(journal: SqliteJournal, sql: str) -> int:
    return await journal._database.write(lambda connection: connection.execute(f"PRAGMA {sql}").fetchone()[0])


async def refuses(journal: SqliteJournal, batch: JournalBatch, before: dict[str, object], words: str) -> None:
    """Check that a batch is refused with words, that nothing of it is there, and that the probe says the same."""
    with pytest.raises(JournalError, match=words):
        await journal.append(batch)
    with pytest.raises(JournalError, match=words):
        await journal.probe()
    assert plain_state(await journal.load(1_000)) == before
    assert await journal.records(after=batch.records[0].seq - 1) == []


async def test_a_full_disk_refuses_and_goes_on_when_there_is_room(journal: SqliteJournal) -> None:
    life = lived()
    await journal.append(life.batch())
    before = plain_state(life.state)
    most = await pragma(journal, "max_page_count")
    await pragma(journal, f"max_page_count = {await pragma(journal, 'page_count') + 2}")
    batch = large_batch(life)
    await refuses(journal, batch, before, r"(?s)journal .*no room left.*SQLITE_FULL.*free space")
    await pragma(journal, f"max_page_count = {most}")
    await journal.probe()
    await journal.append(batch)
    assert_same(await journal.load(1_000), life.state)


async def test_artifacts_are_part_of_the_batch_that_fails(journal: SqliteJournal) -> None:
    life = lived(0)
    await journal.append(life.batch())
    await pragma(journal, f"max_page_count = {await pragma(journal, 'page_count') + 40}")
    life.act_submit()
    batch = life.batch()
    batch.artifacts = [StoredArtifact("sha_large", "text/plain", bytes(400_000), "")]
    with pytest.raises(JournalError, match="no room left"):
        await journal.append(batch)
    assert await journal.records(after=batch.records[0].seq - 1) == []
    assert await journal.artifact("sha_large") is None
    batch.artifacts = []
    await journal.append(batch)
    assert_same(await journal.load(1_000), life.state)


FILE_LIMIT = """
import asyncio, resource, sys
from pathlib import Path
from engine.memory.journal import SqliteJournal
from engine.model.errors import JournalError
from tests.integration.test_journal_failures import assert_same, large_batch, lived, plain_state

async def main():
    path = Path(sys.argv[1])
    journal = await SqliteJournal.open(path)
    life = lived()
    await journal.append(life.batch())
    before = plain_state(life.state)
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (Path(f"{path}-wal").stat().st_size + 10_000, hard))
    batch = large_batch(life)
    try:
        await journal.append(batch)
    except JournalError as error:
        print(error)
    assert plain_state(await journal.load(1_000)) == before
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    await journal.probe()
    await journal.append(batch)
    assert_same(await journal.load(1_000), life.state)
    await journal.close()
    print("whole again")

asyncio.run(main())
"""


def test_a_write_that_the_system_refuses(path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", FILE_LIMIT, path], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    error, whole = done.stdout.splitlines()
    assert "input or output error" in error or "no room left" in error
    assert whole == "whole again"


async def test_a_file_that_turned_read_only(journal: SqliteJournal) -> None:
    life = lived()
    await journal.append(life.batch())
    before = plain_state(life.state)
    await journal._database.write(lambda connection: connection.execute("PRAGMA query_only = 1").close())
    batch = large_batch(life, 10)
    await refuses(journal, batch, before, r"cannot be written.*SQLITE_READONLY.*writable")
    await journal._database.write(lambda connection: connection.execute("PRAGMA query_only = 0").close())
    await journal.append(batch)
    assert_same(await journal.load(1_000), life.state)


async def test_another_program_that_locks_the_file(journal: SqliteJournal, path: Path) -> None:
    life = lived()
    await journal.append(life.batch())
    before = plain_state(life.state)
    await pragma(journal, "busy_timeout = 0")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    batch = large_batch(life, 10)
    await refuses(journal, batch, before, r"another program holds a lock.*SQLITE_BUSY.*end that program")
    other.close()
    await journal.append(batch)
    assert_same(await journal.load(1_000), life.state)


async def test_a_file_deleted_under_the_engine(journal: SqliteJournal, path: Path, tmp_path: Path) -> None:
    life = lived()
    await journal.append(life.batch())
    before = plain_state(life.state)
    away = tmp_path / "away.db"
    path.rename(away)
    batch = large_batch(life, 10)
    await refuses(journal, batch, before, "deleted or replaced.*put both back.*backup")
    backup = tmp_path / "backup.db"
    await journal.backup(backup)
    saved = await SqliteJournal.open(backup)
    assert plain_state(await saved.load(1_000)) == before
    await saved.close()
    path.write_bytes(b"another file at its place")
    await refuses(journal, batch, before, "deleted or replaced")
    path.unlink()
    away.rename(path)
    await journal.append(batch)
    assert_same(await journal.load(1_000), life.state)


async def test_a_batch_after_a_gap_or_twice_is_refused(journal: SqliteJournal) -> None:
    life = lived(0)
    await journal.append(life.batch())
    life.act_submit()
    lost = life.batch()
    life.act_submit()
    later = life.batch()
    with pytest.raises(JournalError, match=r"newest record is 1, the batch starts at 3; load"):
        await journal.append(later)
    await journal.append(lost)
    with pytest.raises(JournalError, match=r"newest record is 2, the batch starts at 2"):
        await journal.append(lost)


async def test_what_json_cannot_hold_leaves_the_journal_in_use(journal: SqliteJournal) -> None:
    life = lived()
    await journal.append(life.batch())
    pool = next(iter(life.state.pools))
    life.do(TasksSubmitted((TaskSpec(TaskId("tsk_bad"), "noop", pool, {"x": object()}),)))
    with pytest.raises(JournalError, match="plain JSON"):
        await journal.append(life.batch())
    life.state = await journal.load(1_000)
    life.act_submit()
    await journal.append(life.batch())
    assert_same(await journal.load(1_000), life.state)


async def test_a_value_that_sqlite_cannot_take(journal: SqliteJournal) -> None:
    with pytest.raises(JournalError, match="surrogates"):
        await journal._database.write(lambda connection: connection.execute("SELECT ?", ("\ud800",)))
    await journal.probe()


async def test_a_cancelled_append_is_written_whole_before_what_follows(journal: SqliteJournal) -> None:
    life = lived()
    await journal.append(life.batch())
    go = threading.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(journal._database.write(lambda connection: go.wait(10)))
        life.act_submit()
        append = group.create_task(journal.append(life.batch()))
        await asyncio.sleep(0)
        append.cancel()
        life.act_submit()
        load = group.create_task(journal.load(1_000))
        await asyncio.sleep(0)
        go.set()
    assert append.cancelled()
    assert load.result().seq == life.state.seq - 1
    await journal.append(life.batch())
    assert_same(await journal.load(1_000), life.state)


async def test_a_cancelled_append_that_fails_is_seen_by_what_follows(journal: SqliteJournal) -> None:
    life = lived()
    await journal.append(life.batch())
    await pragma(journal, f"max_page_count = {await pragma(journal, 'page_count') + 2}")
    batch = large_batch(life)
    append = asyncio.ensure_future(journal.append(batch))
    await asyncio.sleep(0)
    append.cancel()
    life.act_submit()
    with pytest.raises(JournalError, match=r"newest record is \d+, the batch starts at \d+; load the state again"):
        await journal.append(life.batch())
    assert append.cancelled()


async def test_of_a_batch_whose_entries_cannot_be_written_nothing_stays(journal: SqliteJournal) -> None:
    columns = WRITING.count("?")
    values = (1, 1, 0.0, b"{}", '[[1,"audit",null,0,"engine",1,2]]', *[None] * 10, '[["default","agt_ann",null]]')
    with pytest.raises(JournalError, match="NOT NULL"):
        await journal._database.write(lambda connection: connection.execute(WRITING, (*values, *[None] * (columns - len(values)))))
    assert await journal._database.read(lambda connection: connection.execute("SELECT count(*) FROM events").fetchone()) == (0,)


async def test_works_that_gather_are_refused_at_the_limit(journal: SqliteJournal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "QUEUE_MAX", 3)
    go = threading.Event()
    async with asyncio.TaskGroup() as group:
        for _ in range(3):
            group.create_task(journal._database.write(lambda connection: go.wait(10)))
        await asyncio.sleep(0)
        with pytest.raises(JournalError, match="3 works wait.*try again"):
            await journal.probe()
        go.set()
    await journal.probe()


async def test_the_loop_gives_way_while_a_work_lasts(journal: SqliteJournal, monkeypatch: pytest.MonkeyPatch) -> None:
    go = threading.Event()
    stands: list[float] = []

    def stand(seconds: float) -> None:
        stands.append(seconds)
        if len(stands) == 3:
            go.set()

    monkeypatch.setattr(database.time, "sleep", stand)
    assert await journal._database.write(lambda connection: go.wait(10))
    given = len(stands)
    assert stands[:3] == [database.GIVE_WAY_S] * 3
    await asyncio.sleep(3 * database.GIVE_WAY_EVERY_S)
    assert len(stands) == given


async def test_the_loop_goes_on_when_the_idle_writer_has_taken_its_work(journal: SqliteJournal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "GIVE_WAY_S", 10)
    monkeypatch.setattr(database, "GIVE_WAY_EVERY_S", 60)
    go = threading.Event()
    first, second = (asyncio.ensure_future(journal._database.write(lambda connection: go.wait(10))) for _ in range(2))
    await asyncio.sleep(0)
    assert journal._database._writer._works.qsize() == 1  # nobody waits for the thread to take the second
    go.set()
    assert await first
    assert await second


async def test_a_closed_journal_says_so(path: Path) -> None:
    journal = await SqliteJournal.open(path)
    await journal.close()
    await journal.close()
    with pytest.raises(JournalError, match="it is closed"):
        await journal.probe()
    with pytest.raises(JournalError):
        await journal.find_task(TaskId("tsk_1"))
    assert not Path(f"{path}-wal").exists()


async def test_a_backup_to_nowhere(journal: SqliteJournal, tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="backup cannot be written.*name another place"):
        await journal.backup(tmp_path / "none" / "backup.db")
    (tmp_path / "full.db.part").mkdir()
    with pytest.raises(JournalError, match="backup cannot be written"):
        await journal.backup(tmp_path / "full.db")


# ---- opening


async def test_places_that_cannot_hold_a_journal(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for place, words in (
        (tmp_path / "none" / "fleet.db", "No such file or directory.*make that directory"),
        (tmp_path / "file" / "fleet.db", "Not a directory.*make that directory"),
        (tmp_path, "it is a directory; name a file in it"),
        (Path("/proc/fleet.db"), "cannot be used.*name another file"),
    ):
        with pytest.raises(JournalError, match=words):
            await SqliteJournal.open(place)


async def test_files_that_are_no_journal(path: Path) -> None:
    path.write_bytes(os.urandom(20_000))
    with pytest.raises(JournalError, match="it is not a database.*move it away"):
        await SqliteJournal.open(path)
    path.unlink()
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE bookmarks (url)")
    other.close()
    before = path.read_bytes()
    with pytest.raises(JournalError, match=rf"journal {path}: it is the database of another program"):
        await SqliteJournal.open(path)
    assert path.read_bytes() == before


async def test_a_newer_journal(path: Path) -> None:
    await (await SqliteJournal.open(path)).close()
    with sqlite3.connect(path) as newer:
        newer.execute("PRAGMA user_version = 99")
    newer.close()
    with pytest.raises(JournalError, match=rf"journal {path}: it was written by a newer version"):
        await SqliteJournal.open(path)


async def damaged(path: Path) -> None:
    """Make a journal and write over every page but the first of its tables."""
    journal = await SqliteJournal.open(path)
    await journal.append(large_batch(lived(), 40_000))
    await journal.close()
    data = bytearray(path.read_bytes())
    for page in range(1, len(data) // 4_096):
        data[page * 4_096 : page * 4_096 + 64] = os.urandom(64)
    path.write_bytes(data)


async def test_a_damaged_file(path: Path) -> None:
    await damaged(path)
    with pytest.raises(JournalError, match="it is damaged.*restore a backup"):
        await SqliteJournal.open(path)


async def test_a_large_file_is_checked_after_an_unclean_end_only(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "CHECKED_BYTES_MAX", 0)
    checked: list[str] = []
    check = database._require_whole
    monkeypatch.setattr(database, "_require_whole", lambda connection: (checked.append("checked"), check(connection)))
    journal = await SqliteJournal.open(path)
    await journal.append(lived().batch())
    await journal.close()
    await (await SqliteJournal.open(path)).close()
    assert checked == []
    Path(f"{path}-wal").write_bytes(b"left behind")
    await (await SqliteJournal.open(path)).close()
    assert checked == ["checked"]


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("DELETE FROM resources WHERE kind = 'fleet'", "the fleet's own row is missing"),
        ("DELETE FROM events WHERE id = (SELECT max(id) FROM events)", r"tables are as of record \d+, the newest record is"),
        ("UPDATE tasks SET spec = '{}'", "a row cannot be read"),
        ("UPDATE tasks SET status = 'sleeping'", "a row cannot be read.*sleeping"),
        ("UPDATE tasks SET ended = 7 WHERE ended IS NULL", "is pending but counts as ended"),
        ("DELETE FROM resources WHERE kind = 'pool'", "a row cannot be read"),
    ],
)
async def test_tables_that_contradict_each_other(path: Path, sql: str, words: str) -> None:
    journal = await SqliteJournal.open(path)
    life = lived(0)
    life.act_scale()
    await journal.append(large_batch(life, 10))
    await journal.close()
    with sqlite3.connect(path) as other:
        other.execute(sql)
    other.close()
    journal = await SqliteJournal.open(path)
    with pytest.raises(JournalError, match=rf"journal {path}: .*{words}.*restore a backup"):
        await journal.load(1_000)
    await journal.close()


HOLD = """
import asyncio, sys
from pathlib import Path
from engine.memory.journal import SqliteJournal

async def main():
    await SqliteJournal.open(Path(sys.argv[1]))
    print("open", flush=True)
    sys.stdin.read()

asyncio.run(main())
"""


async def test_a_journal_that_another_engine_has(path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, path], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as engine:
        try:
            assert engine.stdout is not None
            assert engine.stdout.readline() == "open\n"
            with pytest.raises(JournalError, match=rf"another engine has it open \(process {engine.pid}\); attach"):
                await SqliteJournal.open(path)
        finally:
            engine.send_signal(signal.SIGKILL)
    await (await SqliteJournal.open(path)).close()
