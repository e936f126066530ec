"""The key ring in backups: its rows lie in tables of the copy's own, so that a backup is one file, and come back with a restore.

Owner: nobody; functions only. The keys stay wrapped: a backup opens only where the wrapping key is, which no backup holds. What was
destroyed stays destroyed where it was destroyed, whatever a backup brings.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from engine.memory.envelopes import PREFIX, key_id_of
from engine.memory.keys import SCHEMA
from engine.model.errors import JournalError

_PREFIX = "ring_"
_COLUMNS = {"data_keys": "number, id, subject, kek, wrapped, made_at, erased_at", "rotation": "one, after_number, kek_at", "beginning": "one, record"}
_HEAD_BYTES = 200
"""Of an envelope's text, with the id of its key."""
_SEALED = (
    f"SELECT substr(value, 1, {_HEAD_BYTES}) FROM memory WHERE deleted = 0 AND artifact IS NULL UNION ALL "
    f"SELECT substr(data, 1, {_HEAD_BYTES}) FROM artifacts WHERE id IN (SELECT artifact FROM memory)"
)

class Rows(dict[str, list[tuple[Any, ...]]]):
    """The rows of a key ring, by table."""


class Used(NamedTuple):
    """The keys that values of a database are sealed with."""

    values: int
    """How many are sealed."""
    missing: dict[str, int]
    """Keys that are not there -> how many values they open."""
    wrapping: tuple[str, ...]
    """Wrapping keys that open the others."""
    destroyed: int
    """Values whose keys were destroyed."""


def read_ring(ring: Path) -> Rows:
    """Return the rows of a key ring; none when there is no file. Raises sqlite3.Error."""
    if not ring.exists():
        return Rows()
    with closing(sqlite3.connect(f"{ring.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)) as connection:
        connection.execute("BEGIN")
        return _rows(connection, "")


def put_into(copied: sqlite3.Connection, ring: Path) -> int:
    """Put the rows of a key ring into a copy of the database; return how many keys there are. Raises sqlite3.Error."""
    rows = read_ring(ring)
    _drop(copied)  # of a backup that was put in place by hand
    for table, several in rows.items():
        columns = _COLUMNS[table]
        copied.execute(f"CREATE TABLE {_PREFIX}{table} ({columns})")
        copied.executemany(f"INSERT INTO {_PREFIX}{table} VALUES ({', '.join('?' * (columns.count(',') + 1))})", several)  # noqa: S608  # from above
    return len(rows.get("data_keys", ()))


def take_from(copied: sqlite3.Connection) -> Rows:
    """Take the rows of a key ring out of a copy again, and leave no trace of them there. Raises sqlite3.Error."""
    copied.execute("PRAGMA secure_delete = ON")
    rows = _rows(copied, _PREFIX) if has_keys(copied) else Rows()
    _drop(copied)
    return rows


def has_keys(connection: sqlite3.Connection) -> bool:
    """Answer whether a database is a copy with keys."""
    return connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (f"{_PREFIX}data_keys",)).fetchone() is not None


def count(connection: sqlite3.Connection) -> int:
    """Return how many keys that open something a copy has. Raises sqlite3.Error."""
    sql = f"SELECT count(*) FROM {_PREFIX}data_keys WHERE wrapped IS NOT NULL"  # noqa: S608  # from above
    return int(connection.execute(sql).fetchone()[0]) if has_keys(connection) else 0


def merge_into(ring: Path, rows: Rows) -> None:
    """Add keys to a key ring, which is made if need be; those that are there stay as they are, destroyed ones too. Raises sqlite3.Error, OSError."""
    if not rows and not ring.exists():
        return
    os.close(os.open(ring, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    with closing(sqlite3.connect(ring, isolation_level=None)) as connection:
        connection.executescript(f"PRAGMA secure_delete = ON; PRAGMA synchronous = FULL; {SCHEMA} BEGIN IMMEDIATE;")
        known = {id_ for (id_,) in connection.execute("SELECT id FROM data_keys")}
        new = [row for row in rows.get("data_keys", ()) if row[1] not in known]
        # Beside keys that were made here they seal nothing: their numbers are below those of all others.
        below = min((number for (number,) in connection.execute("SELECT number FROM data_keys")), default=0)
        numbered = [(min(0, below) - place, *row[1:]) for place, row in enumerate(new, start=1)] if known else new
        connection.executemany("INSERT INTO data_keys (number, id, subject, kek, wrapped, made_at, erased_at) VALUES (?, ?, ?, ?, ?, ?, ?)", numbered)
        connection.executemany("INSERT OR IGNORE INTO rotation VALUES (?, ?, ?)", rows.get("rotation", ()))
        connection.execute("DELETE FROM beginning")  # where sealing began is told by the database that comes
        connection.executemany("INSERT INTO beginning VALUES (?, ?)", rows.get("beginning", ()))
        connection.execute("COMMIT")


def keys_used(database: sqlite3.Connection, rings: Iterable[Path]) -> Used:
    """Return what opens the values of a database: keys in itself, as in a backup, else in rings. Raises sqlite3.Error, JournalError."""
    known: dict[str, tuple[str, bool]] = {}
    for rows in (_rows(database, _PREFIX) if has_keys(database) else Rows(), *map(_read, rings)):
        known = {row[1]: (row[3], row[4] is not None) for row in rows.get("data_keys", ())} | known
    values, missing, destroyed, wrapping = 0, dict[str, int](), 0, set[str]()
    for key_id in _sealed_with(database):
        values += 1
        kek, is_there = known.get(key_id, ("", False))
        if key_id not in known:
            missing[key_id] = missing.get(key_id, 0) + 1
        elif is_there:
            wrapping.add(kek)
        else:
            destroyed += 1
    return Used(values, missing, tuple(sorted(wrapping)), destroyed)


def _sealed_with(database: sqlite3.Connection) -> Iterator[str]:
    if not database.execute("SELECT 1 FROM pragma_table_info('memory') WHERE name = 'artifact'").fetchone():
        return  # tables from before there were keys
    for (text,) in database.execute(_SEALED):
        begins = text.encode() if isinstance(text, str) else bytes(text or b"")
        if begins.startswith(PREFIX):
            yield key_id_of(begins)


def _read(ring: Path) -> Rows:
    try:
        return read_ring(ring)
    except sqlite3.Error as error:
        raise JournalError(f"{ring} is no key ring ({error}): restore a backup") from error


def _rows(connection: sqlite3.Connection, prefix: str) -> Rows:
    return Rows({table: connection.execute(f"SELECT {columns} FROM {prefix}{table}").fetchall() for table, columns in _COLUMNS.items()})  # noqa: S608  # from above


def _drop(connection: sqlite3.Connection) -> None:
    for table in _COLUMNS:
        connection.execute(f"DROP TABLE IF EXISTS {_PREFIX}{table}")
