"""The words for what goes wrong with a database, and what a batch may not hold."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from engine.memory.contract import JournalBatch
from engine.memory.failures import explain
from engine.memory.projections import Projector
from engine.model import events as ev
from engine.model.errors import JournalError
from engine.model.ids import TaskId
from engine.model.pool_events import PoolConfigured
from engine.model.pools import PoolSpec
from engine.model.task_events import TasksSubmitted
from engine.model.tasks import TaskSpec
from engine.state import FleetState

PATH = Path("/state/fleet.db")


def sqlite_error(code: int, name: str) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("what SQLite says")
    error.sqlite_errorcode, error.sqlite_errorname = code, name
    return error


@pytest.mark.parametrize(
    ("code", "name", "words"),
    [
        (sqlite3.SQLITE_FULL, "SQLITE_FULL", "no room left.*free space"),
        (sqlite3.SQLITE_READONLY_DBMOVED, "SQLITE_READONLY_DBMOVED", "cannot be written.*writable"),
        (sqlite3.SQLITE_IOERR_FSYNC, "SQLITE_IOERR_FSYNC", "input or output error.*dmesg"),
        (sqlite3.SQLITE_CANTOPEN, "SQLITE_CANTOPEN", "cannot be opened.*directory"),
        (sqlite3.SQLITE_BUSY, "SQLITE_BUSY", "holds a lock.*end that program"),
        (sqlite3.SQLITE_LOCKED, "SQLITE_LOCKED", "holds a lock.*end that program"),
        (sqlite3.SQLITE_PERM, "SQLITE_PERM", "may not use it.*writable"),
        (sqlite3.SQLITE_NOTADB, "SQLITE_NOTADB", "not a database.*restore a backup"),
        (sqlite3.SQLITE_CORRUPT, "SQLITE_CORRUPT", "damaged.*restore a backup.*recover"),
        (sqlite3.SQLITE_NOMEM, "SQLITE_NOMEM", "memory.*free memory"),
        (sqlite3.SQLITE_MISUSE, "SQLITE_MISUSE", r"what SQLite says \(SQLITE_MISUSE\)"),
    ],
)
def test_every_failure_says_what_where_and_what_next(code: int, name: str, words: str) -> None:
    error = explain(sqlite_error(code, name), PATH)
    with pytest.raises(JournalError, match=f"(?s)^journal /state/fleet.db: .*{words}"):
        raise error
    assert name in str(error)


def test_a_failure_without_a_code_keeps_its_own_words() -> None:
    assert str(explain(ValueError("embedded null"), PATH)) == "journal /state/fleet.db: embedded null"


@pytest.mark.parametrize("value", [object(), "\ud800", {1j: 0}], ids=["object", "surrogate", "key"])
def test_what_json_cannot_hold_is_refused_by_name(value: object) -> None:
    state = FleetState()
    spec = TaskSpec(TaskId("tsk_1"), "noop", "coder", {"x": value})
    records = [
        ev.Record(1, 1.0, "", PoolConfigured(PoolSpec("coder", 0, 1), 0)),
        ev.Record(2, 1.0, "", TasksSubmitted((spec,))),
    ]
    for record in records:
        state.apply(record)
    with pytest.raises(JournalError, match=r"cannot keep record 2 \(task.submitted\).*plain JSON"):
        Projector().project(JournalBatch(records, state, state.touched))
