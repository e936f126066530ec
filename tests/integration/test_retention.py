"""What is too old goes, in small works between the commits; what a start loads, and what is asked of the rest, stays right."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
from engine.clock import SystemClock
from engine.fleet import FleetManager
from engine.memory import pruning, retention
from engine.memory.checking import verify
from engine.memory.journal import SqliteJournal
from engine.memory.lives_reading import read_lives
from engine.memory.retention import Retention
from engine.model import events as ev
from engine.model.errors import JournalError
from engine.model.ids import TaskId
from engine.model.retention_config import RetentionSection
from engine.model.task_events import TasksCancelled, TasksSubmitted
from engine.model.tasks import TaskSpec
from fleet_tui.doctor import examine
from fleet_tui.settings import find_paths
from pydantic import ValidationError

from tests.integration.journal_lives import Life, plain_state

DAY_S = 86_400.0
FINISHED_MAX = 5


class Later(SystemClock):
    """A clock that says another time and does not wait."""

    def __init__(self, at: float) -> None:
        super().__init__()
        self.at = at

    def now(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "fleet.db"


@pytest.fixture
async def journal(path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SqliteJournal]:
    monkeypatch.setattr(pruning, "EVENTS_KEPT_MIN", 10)
    monkeypatch.setattr(pruning, "AUDIT_KEPT_MIN", 5)
    monkeypatch.setattr(pruning, "BATCH", 17)
    opened = await SqliteJournal.open(path)
    yield opened
    await opened.close()


async def live(journal: SqliteJournal, life: Life, steps: int) -> None:
    """Live so many steps; a month passes in the middle."""
    for half in (0, 1):
        for _ in range(steps // 2):
            life.step()
            if life.records and life.rng.random() < 0.5:
                await journal.append(life.batch())
        life.at += 40 * DAY_S * (1 - half)
    if life.records:
        await journal.append(life.batch())


async def prune(journal: SqliteJournal, at: float, **days: float) -> pruning.Pruned:
    return await Retention(journal.database, RetentionSection(**days), FINISHED_MAX, Later(at)).prune()


def rows_of(path: Path, sql: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as database:
        return database.execute(sql).fetchall()


@pytest.mark.parametrize("seed", range(1, 9))
async def test_a_start_finds_the_same_state_and_the_file_is_whole(journal: SqliteJournal, path: Path, seed: int) -> None:
    life = Life(seed, FINISHED_MAX)
    await live(journal, life, 600)
    before = plain_state(await journal.load(FINISHED_MAX))
    counts = {table: rows_of(path, f"SELECT count(*) FROM {table}")[0][0] for table in ("events", "tasks")}
    pruned = await prune(journal, life.at)
    assert plain_state(await journal.load(FINISHED_MAX)) == before
    assert pruned.rows["events"] > 50
    for table, count in counts.items():
        assert rows_of(path, f"SELECT count(*) FROM {table}") == [(count - pruned.rows.get(table, 0),)]  # type: ignore[operator]
    verdict = verify(path)
    assert verdict.problems == ()
    assert (verdict.contents.first, verdict.contents.removed) == (pruned.upto + 1, pruned.rows)
    left = rows_of(path, f"SELECT DISTINCT type FROM events WHERE id <= {pruned.upto}")
    assert {type_ for (type_,) in left} <= {"audit", "pool.scaled", "pool.configured"}
    again = await prune(journal, life.at)
    assert (again.upto, again.rows["events"]) == (pruned.upto, pruned.rows["events"])
    life.state, life.state.finished_max = await journal.load(FINISHED_MAX), FINISHED_MAX
    life.do(ev.EngineTookOver("eng_next", "0.1", 7))
    await journal.append(life.batch())
    assert plain_state(await journal.load(FINISHED_MAX)) == plain_state(life.state)


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
async def test_what_is_asked_of_the_time_that_is_kept_is_answered_as_before(journal: SqliteJournal, path: Path, seed: int) -> None:
    life = Life(seed, FINISHED_MAX)
    await live(journal, life, 600)
    with closing(sqlite3.connect(path)) as database:
        since = life.at - 20 * DAY_S
        lives, load = read_lives(database, since, 10_000), await journal.load_since(since, limit=10_000)
        records = await journal.records(limit=200)
        tasks = [id_ for (id_,) in database.execute("SELECT id FROM tasks WHERE ended IS NULL OR completed_at > ?", (since,))]
        stories = {id_: [record for record in await journal.story(id_, limit=10_000) if record.at > since] for id_ in tasks}
        pruned = await prune(journal, life.at)
        assert read_lives(database, since, 10_000) == lives
        assert lives.is_whole
        assert not read_lives(database, pruned.before - 1, 10_000).is_whole
        assert await journal.load_since(since, limit=10_000) == load
        assert [record for record in records if record.seq > pruned.upto] == [record for record in await journal.records(limit=200) if record.seq > pruned.upto]
        for id_, story in stories.items():
            assert [record for record in await journal.story(id_, limit=10_000) if record.at > since] == story
        assert await journal.find_task(TaskId(tasks[0])) is not None


async def test_the_audit_is_kept_longest(journal: SqliteJournal, path: Path) -> None:
    life = Life(3, FINISHED_MAX)
    for _ in range(30):
        life.act_audit()
    await journal.append(life.batch())
    entries = await journal.audit(limit=100)
    life.at += 100 * DAY_S
    for _ in range(20):
        life.act_engine()
    await journal.append(life.batch())
    await prune(journal, life.at)
    assert await journal.audit(limit=100) == entries
    pruned = await prune(journal, life.at + 365 * DAY_S)
    assert pruned.rows["audit"] == 25
    assert await journal.audit(limit=100) == entries[:5]
    assert verify(path).problems == ()


async def test_nothing_goes_that_somebody_depends_on(journal: SqliteJournal, path: Path) -> None:
    life = Life(3, FINISHED_MAX)
    life.act_pool()
    pool = next(iter(life.state.pools))
    first, chain = TaskId("tsk_first"), [TaskId(f"tsk_{number}") for number in range(40)]
    life.do(TasksSubmitted((TaskSpec(first, "noop", pool, {}),)))
    life.do(TasksSubmitted(tuple(TaskSpec(id_, "noop", pool, {}, depends_on=(chain[number - 1],) if number else ()) for number, id_ in enumerate(chain))))
    life.do(TasksSubmitted((TaskSpec(TaskId("tsk_waits"), "noop", pool, {}, depends_on=(first,)),)))
    life.do(TasksCancelled((first,), "over"))
    life.do(TasksCancelled(tuple(chain), "over"))
    for number in range(FINISHED_MAX + 10):
        life.do(TasksSubmitted((TaskSpec(TaskId(f"tsk_more_{number}"), "noop", pool, {}),)))
        life.do(TasksCancelled((TaskId(f"tsk_more_{number}"),), "over"))
    await journal.append(life.batch())
    pruned = await prune(journal, life.at + 40 * DAY_S)
    left = {id_ for (id_,) in rows_of(path, "SELECT id FROM tasks")}
    assert left == {first, "tsk_waits", *(f"tsk_more_{number}" for number in range(10, FINISHED_MAX + 10))}
    assert pruned.rows["tasks"] == len(chain) + 10
    assert rows_of(path, "SELECT task_id FROM dependencies") == [("tsk_waits",)]


async def test_payloads_that_nobody_refers_to_go(journal: SqliteJournal, path: Path) -> None:
    life = Life(1, FINISHED_MAX)
    await live(journal, life, 2_400)
    stored = {id_ for (id_,) in rows_of(path, "SELECT id FROM artifacts")}
    pruned = await prune(journal, life.at)
    left = {id_ for (id_,) in rows_of(path, "SELECT id FROM artifacts")}
    used = {id_ for (id_,) in rows_of(path, "SELECT progress ->> '$.artifact' FROM tasks")}
    assert len(stored - left) == pruned.rows["artifacts"] > 0
    assert stored & used <= left


async def test_zero_keeps_for_ever(journal: SqliteJournal, path: Path) -> None:
    life = Life(3, FINISHED_MAX)
    await live(journal, life, 300)
    before = rows_of(path, "SELECT (SELECT count(*) FROM events), (SELECT count(*) FROM tasks), (SELECT count(*) FROM agents)")
    pruned = await prune(journal, life.at + 1e10, events_days=0, tasks_days=0, agents_days=0, audit_days=0)
    assert not any(pruned.rows.values())
    assert rows_of(path, "SELECT (SELECT count(*) FROM events), (SELECT count(*) FROM tasks), (SELECT count(*) FROM agents)") == before


async def test_free_pages_go_back_to_the_disk(journal: SqliteJournal, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pruning, "FREE_PAGES_MIN", 10)
    life = Life(3, FINISHED_MAX)
    life.act_pool()
    pool = next(iter(life.state.pools))
    for number in range(60):
        life.do(TasksSubmitted((TaskSpec(TaskId(f"tsk_{number}"), "noop", pool, {"filler": "x" * 40_000}),)))
        life.do(TasksCancelled((TaskId(f"tsk_{number}"),), "over"))
    await journal.append(life.batch())
    before = verify(path).contents
    await prune(journal, life.at + 40 * DAY_S)
    after = verify(path).contents
    assert after.bytes < before.bytes / 2
    assert after.free <= max(11 * 4_096, after.bytes * pruning.FREE_SHARE)


async def test_a_disk_that_refuses_leaves_all_as_it_was(journal: SqliteJournal, path: Path) -> None:
    life = Life(3, FINISHED_MAX)
    await live(journal, life, 300)
    await journal.database.write(lambda connection: connection.execute("PRAGMA query_only = 1").close())
    with pytest.raises(JournalError, match="cannot be written"):
        await prune(journal, life.at)
    await journal.database.write(lambda connection: connection.execute("PRAGMA query_only = 0").close())
    assert (await prune(journal, life.at)).rows["events"] > 0
    assert verify(path).problems == ()


async def test_an_engine_removes_what_is_too_old_and_doctor_says_so(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "FIRST_S", 0.0)
    monkeypatch.setattr(pruning, "EVENTS_KEPT_MIN", 10)
    old = await SqliteJournal.open(path)
    await live(old, Life(4, FINISHED_MAX), 400)  # of 2023
    await old.close()
    async with FleetManager({"fleet": {"defaultPools": {}}}, state_dir=tmp_path) as fleet, asyncio.timeout(30):
        while not (removed := await fleet.journal.database.read(pruning.read_pruned)).rows.get("agents"):
            await asyncio.sleep(0.02)
        assert removed.rows["events"] > 50
        newest = await fleet.journal.records(limit=5)
        assert newest[-1].seq > removed.upto
    assert verify(path).problems == ()
    [found] = [finding for finding in examine(find_paths(tmp_path, state_dir=tmp_path), {}) if finding.what == "database"]
    assert found.state == "ok"
    assert f"{removed.rows['events']:,} events" in found.text


def test_doctor_says_what_is_wrong_with_a_database(path: Path, tmp_path: Path) -> None:
    path.write_bytes(b"no database" * 100)
    [found] = [finding for finding in examine(find_paths(tmp_path, state_dir=tmp_path), {}) if finding.what == "database"]
    assert found.state == "wrong"
    assert "fleet-tui restore FILE" in found.text


def test_a_policy_that_makes_no_sense_is_refused() -> None:
    for given, words in (({"audit_days": 10}, "audit_days is below events_days"), ({"events_days": 0}, "audit_days is below"), ({"tasks_days": 0.01}, "0.1 days at least")):
        with pytest.raises(ValidationError, match=words):
            RetentionSection(**given)
