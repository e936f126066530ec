"""What can be asked of the journal: records, the story of an id, the audit, tasks and artifacts that the state forgot."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from engine.memory.contract import Journal, StoredArtifact
from engine.memory.journal import SqliteJournal
from engine.model import events as ev
from engine.model.agent_events import (
    AgentsCordoned,
    AgentsReady,
    AgentsRegistered,
    AgentsRemoved,
    AgentsRetiring,
    HostInfo,
)
from engine.model.agents import AgentSpec
from engine.model.errors import JournalError
from engine.model.ids import AgentId, HostId, TaskId
from engine.model.plans import AuditEntry
from engine.model.pool_events import PoolConfigured
from engine.model.pools import PoolSpec
from engine.model.task_events import (
    TaskFailed,
    TasksLeased,
    TasksReplayed,
    TasksSubmitted,
    TasksSucceeded,
)
from engine.model.tasks import Lease, Outcome, Placement, TaskSpec
from engine.state import FleetState

from tests.integration.journal_lives import Life


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[SqliteJournal]:
    opened = await SqliteJournal.open(tmp_path / "fleet.db", synchronous="normal")
    yield opened
    await opened.close()


def spec(task_id: str, pool: str = "coder") -> TaskSpec:
    return TaskSpec(TaskId(task_id), "noop", pool, {"n": 1})


async def work(journal: SqliteJournal, life: Life, *, tasks: int) -> None:
    """Run tasks tsk_0… one after the other on agt_1; every second one in the pool `tester`, every third one fails."""
    agent = AgentId("agt_1")
    for pool in ("coder", "tester"):
        life.do(PoolConfigured(PoolSpec(pool, 0, 9), 1))
    life.do(AgentsRegistered((AgentSpec(agent, "coder-1", "coder"),)))
    life.do(AgentsReady(HostInfo(HostId("hst_1"), "light", 7), (agent,)))
    for number in range(tasks):
        task = TaskId(f"tsk_{number}")
        life.do(TasksSubmitted((spec(task, ("coder", "tester")[number % 2]),)))
        life.do(TasksLeased((Lease(task, agent, 1, Placement(1.0, (1.0, 1.0, 1.0, 1.0, 1.0))),)))
        await journal.append(life.batch())
        if number % 3:
            life.do(TasksSucceeded((Outcome(task, 1, True, {"number": number}),)))
        else:
            life.do(TaskFailed(Outcome(task, 1, False), dead=True))
        life.do(ev.Audited(AuditEntry(life.at, "ann", "cli", "", "task.submit", task, "", "done", plan=f"pln_{number}")))
        await journal.append(life.batch())


async def test_an_empty_journal(journal: SqliteJournal) -> None:
    checked: Journal = journal
    state = await checked.load(10)
    assert (state.seq, state.tasks, state.pools) == (0, {}, {})
    assert state.finished_max == 10
    assert await checked.records() == []
    assert await checked.story("tsk_1") == []
    assert await checked.find_task(TaskId("tsk_1")) is None
    assert await checked.artifact("none") is None
    assert await journal.audit() == []
    assert await journal.finished_tasks() == []
    await checked.probe()
    assert (await checked.load(10)).seq == 0


async def test_records_in_ranges(journal: SqliteJournal) -> None:
    life = Life(1)
    await work(journal, life, tasks=5)
    everything = life.all_records
    assert await journal.records() == everything
    assert await journal.records(after=3) == everything[3:]
    assert await journal.records(before=9) == everything[:8]
    assert await journal.records(after=3, before=9, limit=2) == everything[6:8]
    assert await journal.records(limit=4) == everything[-4:]
    assert await journal.records(after=len(everything)) == []


async def test_the_story_of_an_id(journal: SqliteJournal) -> None:
    life = Life(1)
    await work(journal, life, tasks=11)
    words = [record.event.type for record in await journal.story("tsk_1")]
    assert words == ["task.submitted", "task.leased", "task.succeeded", "audit"]
    assert [record.event.type for record in await journal.story("tsk_1", limit=2)] == words[-2:]
    assert len(await journal.story("agt_1")) == 2 + 11
    assert [record.event.type for record in await journal.story("pln_3")] == ["audit"]
    assert len(await journal.story("tester")) == 1 + 5

    life.do(AgentsCordoned((AgentId("agt_1"),), True, ""), cause="pln_9")
    life.do(AgentsRetiring((AgentId("agt_1"),), ""))
    life.do(AgentsRemoved((AgentId("agt_1"),), "too many"))
    await journal.append(life.batch())
    assert [record.event.type for record in await journal.story("agt_1", limit=3)] == [
        "agent.cordoned",
        "agent.retiring",
        "agent.removed",
    ]
    assert [record.event.type for record in await journal.story("pln_9")] == ["audit", "agent.cordoned"]
    assert list((await journal.load(10)).agents) == []


async def test_finished_tasks_page_by_page(journal: SqliteJournal) -> None:
    life = Life(1)
    await work(journal, life, tasks=7)
    life.do(TasksSubmitted((spec("tsk_waits"),)))
    await journal.append(life.batch())

    async def ids(**only: object) -> list[str]:
        return [task.spec.id for task in await journal.finished_tasks(**only)]

    assert await ids() == [f"tsk_{number}" for number in range(6, -1, -1)]
    assert await ids(limit=2) == ["tsk_6", "tsk_5"]
    assert await ids(limit=2, before=TaskId("tsk_5")) == ["tsk_4", "tsk_3"]
    assert await ids(state="dead") == ["tsk_6", "tsk_3", "tsk_0"]
    assert await ids(pool="tester") == ["tsk_5", "tsk_3", "tsk_1"]
    assert await ids(state="dead", pool="tester") == ["tsk_3"]
    assert (await journal.finished_tasks(limit=1, state="succeeded"))[0].result == {"number": 5}


async def test_a_state_holds_the_newest_finished_tasks(journal: SqliteJournal) -> None:
    life = Life(1)
    await work(journal, life, tasks=7)
    state = await journal.load(3)
    state.check()
    assert list(state.finished) == ["tsk_4", "tsk_5", "tsk_6"]
    assert state.totals.submitted == 7
    assert sum(state.totals.by_state.values()) == 3
    forgotten = await journal.find_task(TaskId("tsk_1"))
    assert forgotten is not None
    assert forgotten.result == {"number": 1}
    assert [what for _, what, _ in forgotten.history] == ["submitted", "leased", "succeeded"]


async def test_a_finished_task_is_held_for_one_that_depends_on_it(journal: SqliteJournal) -> None:
    life = Life(1)
    await work(journal, life, tasks=3)
    needs = (TaskId("tsk_0"), TaskId("tsk_a"))
    life.do(TasksSubmitted((spec("tsk_a"), TaskSpec(TaskId("tsk_b"), "noop", "coder", {}, depends_on=needs))))
    await journal.append(life.batch())
    state = await journal.load(0)
    state.check()
    assert (list(state.tasks), list(state.needed)) == (["tsk_0", "tsk_a", "tsk_b"], ["tsk_0"])
    assert state.tasks[TaskId("tsk_b")].waiting_on == 1


async def test_a_task_waits_on_one_that_was_replayed(journal: SqliteJournal) -> None:
    life = Life(1)
    await work(journal, life, tasks=1)
    needs = (TaskId("tsk_0"), TaskId("tsk_a"))
    life.do(TasksSubmitted((spec("tsk_a"), TaskSpec(TaskId("tsk_b"), "noop", "coder", {}, depends_on=needs))))
    life.do(TasksReplayed((TaskId("tsk_0"),)))
    await journal.append(life.batch())
    state = await journal.load(10)
    state.check()
    assert state.awaited_by(state.tasks[TaskId("tsk_b")]) == ["tsk_0", "tsk_a"]


async def test_the_audit(journal: SqliteJournal) -> None:
    life = Life(1)
    await work(journal, life, tasks=4)
    lines = list(life.state.audit)
    assert await journal.audit() == lines[::-1]
    assert await journal.audit(limit=2) == lines[:1:-1]
    second = next(record.seq for record in life.all_records if record.event == ev.Audited(lines[1]))
    assert await journal.audit(before=second) == lines[:1]
    rows = await journal._database.read(
        lambda connection: connection.execute("SELECT who, action, target, plan FROM audit ORDER BY id LIMIT 1").fetchall()
    )
    assert rows == [("ann", "task.submit", "tsk_0", "pln_0")]


async def test_an_artifact_is_kept_once(journal: SqliteJournal) -> None:
    life = Life(1)
    await work(journal, life, tasks=1)
    for task in ("tsk_0", ""):
        life.act_audit()
        batch = life.batch()
        batch.artifacts = [StoredArtifact("sha", "text/plain", b"large", task)]
        await journal.append(batch)
    assert await journal.artifact("sha") == StoredArtifact("sha", "text/plain", b"large", "tsk_0")


async def test_columns_for_people(journal: SqliteJournal) -> None:
    life = Life(1)
    await work(journal, life, tasks=2)
    columns = "agent_id, status, type, pool, attempts, result, completed_at > created_at, deadline"
    rows = await journal._database.read(
        lambda connection: connection.execute(f"SELECT {columns} FROM tasks ORDER BY rowid").fetchall()
    )
    assert rows == [
        ("agt_1", "dead", "noop", "coder", 1, None, 1, 0),
        ("agt_1", "succeeded", "noop", "tester", 1, '{"number":1}', 1, 0),
    ]


async def test_a_record_of_a_newer_version(journal: SqliteJournal) -> None:
    await journal._database.write(
        lambda connection: connection.execute("INSERT INTO events VALUES (1, 'task.teleported', NULL, 1, '{}', '')")
    )
    with pytest.raises(JournalError, match=r"unknown type 'task.teleported'; it is from a newer version"):
        await journal.records()


async def test_a_row_that_cannot_be_read(journal: SqliteJournal) -> None:
    await work(journal, Life(1), tasks=1)
    await journal._database.write(lambda connection: connection.execute("UPDATE tasks SET spec = '{'"))
    with pytest.raises(JournalError, match="truncated"):
        await journal.find_task(TaskId("tsk_0"))


async def test_plans_are_bounded(tmp_path: Path) -> None:
    path = tmp_path / "fleet.db"
    life = Life(5)
    journal = await SqliteJournal.open(path, synchronous="normal")
    for _ in range(210):
        life.act_plan()
        await journal.append(life.batch())
    assert list((await journal.load(1)).plans) == list(life.state.plans)
    await journal.close()
    journal = await SqliteJournal.open(path)
    count = await journal._database.read(
        lambda connection: connection.execute("SELECT count(*) FROM resources WHERE kind = 'plan'").fetchone()[0]
    )
    assert count == len(life.state.plans) == 200
    state = await journal.load(1)
    assert isinstance(state, FleetState)
    assert list(state.plans) == list(life.state.plans)
    await journal.close()
