"""Brings a database to this version's tables, step by step; the step reached is kept in `PRAGMA user_version`."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from importlib.resources import files

from engine.model.errors import JournalError

APPLICATION_ID = 0x464C5454
"""`FLTT` in the file's header: says that it is ours before anything is written to it."""


def read_sql(name: str) -> str:
    """Return the text of an SQL file of this room."""
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def steps() -> tuple[str, ...]:
    """Return the SQL of every step; the first one makes an empty file a database."""
    names = ("schema", "metrics", "memory", "retention", "episodes", "notifying", "replicas", "votes", "baselines")
    return tuple(read_sql(f"{name}.sql") for name in names)


def newer_text(step: int, known: int = 0) -> str:
    """Return what is wrong with tables of a step that this version does not know."""
    return (
        f"it was written by a newer version (its tables are step {step}, this one knows {known or len(steps())}); "
        "install that version, or restore a backup from before the upgrade"
    )


def migrate(connection: sqlite3.Connection, sql: Sequence[str]) -> int:
    """Apply the steps that a database lacks, each in a transaction of its own; return how many.

    Raises JournalError for a database of a newer version, and sqlite3.Error when a step fails, which then has
    changed nothing.
    """
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version > len(sql):
        raise JournalError(newer_text(version, len(sql)))
    for number in range(version, len(sql)):
        try:
            connection.executescript(
                f"BEGIN IMMEDIATE; {sql[number]}; PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {number + 1}; COMMIT;"
            )
        except sqlite3.Error:
            if connection.in_transaction:
                connection.rollback()
            raise
    return len(sql) - version


def require_ours(connection: sqlite3.Connection) -> None:
    """Raise JournalError unless a database is empty or ours; writes nothing."""
    application = int(connection.execute("PRAGMA application_id").fetchone()[0])
    if application == APPLICATION_ID:
        return
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    tables = int(connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])
    if application or version or tables:
        raise JournalError("it is the database of another program; name another file")
