"""The tables: the seeds' twelve with their columns, and how a database gets them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import pytest
from engine.memory.migrations import APPLICATION_ID, migrate, require_ours, steps
from engine.model.errors import JournalError

SEED_TABLES = (
    ["agents", "events", "tasks", "memory", "consensus", "resources", "permissions", "audit", "metrics", "dependencies", "conflicts", "artifacts"]
)
# Seed B 5.1: column -> type, * = NOT NULL. `events.id` is the record's number (C33: keys that grow).
SEED_COLUMNS = {
    "agents": "id:TEXT* type:TEXT* status:TEXT* pool:TEXT* created_at:INTEGER* updated_at:INTEGER* metadata:JSON",
    "events": "id:INTEGER type:TEXT* agent_id:TEXT timestamp:INTEGER* data:JSON",
    "tasks": "id:TEXT* agent_id:TEXT status:TEXT* priority:INTEGER created_at:INTEGER* completed_at:INTEGER result:JSON",
    "memory": "key:TEXT* value:JSON* acl_level:TEXT owner_id:TEXT* created_at:INTEGER* updated_at:INTEGER* ttl:INTEGER",
    "consensus": "id:TEXT* task_id:TEXT agent_id:TEXT confidence:REAL* reasoning:TEXT timestamp:INTEGER*",
}
# C33 to C38: what the seeds forgot.
ADDED_COLUMNS = {
    "events": {"cause"},
    "tasks": {"type", "pool", "title", "attempts", "deadline", "idempotency_key", "spec", "progress"},
    "memory": {"namespace", "version", "expires_at"},
    "resources": {"kind", "id", "data"},
    "dependencies": {"task_id", "depends_on"},
    "audit": {"timestamp", "who", "via", "address", "action", "target", "reason", "result", "plan", "before", "after"},
    "artifacts": {"id", "task_id", "media", "size", "data", "created_at"},
    "permissions": {"owner_id", "key", "agent_id", "action"},
    "metrics": {"name", "timestamp", "value"},
    "conflicts": {"namespace", "owner_id", "key", "value", "version", "agent_id"},
}


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    made = sqlite3.connect(":memory:", isolation_level=None)
    yield made
    made.close()


def columns(connection: sqlite3.Connection, table: str) -> dict[str, tuple[str, str | None, int]]:
    """Return name -> (type, * if NOT NULL), default, place in the primary key."""
    found = connection.execute(f"PRAGMA table_xinfo({table})").fetchall()
    return {name: (kind + "*" * bool(needed), default, key) for _, name, kind, needed, default, key, _hidden in found}


@pytest.mark.row(180, 181, 182, 183, 184, 185)
def test_the_twelve_tables_have_the_seeds_columns(connection: sqlite3.Connection) -> None:
    migrate(connection, steps())
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert tables >= set(SEED_TABLES)
    for table, words in SEED_COLUMNS.items():
        found = columns(connection, table)
        assert {name: found[name][0] for name in found if name in words.replace(":", " ").split()} == dict(
            word.split(":") for word in words.split()
        )
    for table, added in ADDED_COLUMNS.items():
        assert added <= columns(connection, table).keys()


@pytest.mark.row(180, 181, 182, 183, 184)
def test_keys_defaults_and_references(connection: sqlite3.Connection) -> None:
    migrate(connection, steps())
    assert columns(connection, "tasks")["priority"][1] == "5"
    assert columns(connection, "memory")["acl_level"][1] == "'private'"
    for table in ("agents", "events", "tasks", "consensus"):
        assert columns(connection, table)["id"][2] == 1
    assert [columns(connection, "memory")[name][2] for name in ("namespace", "owner_id", "key")] == [1, 2, 3]
    references = {
        (table, row[3], row[2])
        for table in SEED_TABLES
        for row in connection.execute(f"PRAGMA foreign_key_list({table})")
    }
    assert references >= {
        ("events", "agent_id", "agents"),
        ("tasks", "agent_id", "agents"),
        ("consensus", "task_id", "tasks"),
        ("consensus", "agent_id", "agents"),
        ("dependencies", "depends_on", "tasks"),
        ("artifacts", "task_id", "tasks"),
    }


def test_migrations_take_an_empty_or_an_older_database_up(connection: sqlite3.Connection) -> None:
    old = (*steps(), "CREATE TABLE later (x); INSERT INTO later VALUES (1)")
    new = (*old, "ALTER TABLE later ADD COLUMN y DEFAULT 7", "UPDATE later SET x = x + y")
    require_ours(connection)
    assert migrate(connection, old) == len(old)
    assert migrate(connection, old) == 0
    assert migrate(connection, new) == 2
    require_ours(connection)
    assert connection.execute("SELECT x, y FROM later").fetchall() == [(8, 7)]
    assert connection.execute("PRAGMA user_version").fetchone() == (len(new),)
    assert connection.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)


def test_a_step_that_fails_changes_nothing(connection: sqlite3.Connection) -> None:
    migrate(connection, steps())
    broken = (*steps(), "CREATE TABLE half (x); INSERT INTO nowhere VALUES (1)")
    with pytest.raises(sqlite3.OperationalError, match="nowhere"):
        migrate(connection, broken)
    assert connection.execute("PRAGMA user_version").fetchone() == (len(steps()),)
    assert connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'half'").fetchone() == (0,)
    assert migrate(connection, (*steps(), "CREATE TABLE half (x)")) == 1


def test_a_newer_database_is_refused(connection: sqlite3.Connection) -> None:
    migrate(connection, (*steps(), "CREATE TABLE later (x)"))
    with pytest.raises(JournalError, match=rf"newer version .*step {len(steps()) + 1}, this one knows {len(steps())}.*install that version"):
        migrate(connection, steps())


@pytest.mark.parametrize("sql", ["CREATE TABLE bookmarks (url)", "PRAGMA user_version = 3", "PRAGMA application_id = 7"])
def test_another_programs_database_is_refused(connection: sqlite3.Connection, sql: str) -> None:
    connection.execute(sql)
    with pytest.raises(JournalError, match="another program"):
        require_ours(connection)
