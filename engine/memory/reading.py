"""A database file as it lies there: what its header says, and a connection that never writes.

Owner: nobody; functions only.
"""

from __future__ import annotations

import sqlite3
import stat
import struct
from pathlib import Path

from engine.memory.failures import explain, journal_error
from engine.memory.migrations import APPLICATION_ID, newer_text, steps
from engine.model.errors import JournalError

_MAGIC = b"SQLite format 3\x00"
_HEADER_BYTES = 100
_STEP_AT, _APPLICATION_AT = 60, 68
_NUMBER = struct.Struct(">I")
_NAME = "name the file of a fleet's database"


def read_step(path: Path) -> int:
    """Return the step of a closed fleet's database from its header; 0 = an empty file. Raises JournalError for any other file.

    Not for a database that this process has open: closing any handle of a file gives up SQLite's locks on it.
    """
    try:
        _require_file(path)
        with path.open("rb") as file:
            header = file.read(_HEADER_BYTES)
    except OSError as error:
        raise journal_error(path, f"it cannot be read ({error.strerror})", _NAME) from error
    if not header:
        return 0
    if len(header) < _HEADER_BYTES or not header.startswith(_MAGIC):
        raise journal_error(path, "it is not a database, or its header is damaged", _NAME)
    application, step = (int(_NUMBER.unpack_from(header, place)[0]) for place in (_APPLICATION_AT, _STEP_AT))
    _require_known(path, application, step)
    return step


def open_to_read(path: Path) -> sqlite3.Connection:
    """Open a fleet's database for reading only; an engine may be writing it. Raises JournalError."""
    try:
        _require_file(path)
        try:
            connection = _open(path, "mode=ro")
        except sqlite3.OperationalError:
            if Path(f"{path}-wal").exists():
                raise
            # Without a directory that can be written there is no shared memory, and so no other reader or writer.
            connection = _open(path, "immutable=1")
    except OSError as error:
        raise journal_error(path, f"it cannot be read ({error.strerror})", _NAME) from error
    except sqlite3.Error as error:
        raise explain(error, path) from error
    try:
        _require_known(path, *(int(connection.execute(f"PRAGMA {word}").fetchone()[0]) for word in ("application_id", "user_version")))
    except BaseException:
        connection.close()
        raise
    return connection


def _require_file(path: Path) -> None:
    if not stat.S_ISREG(path.stat().st_mode):
        raise journal_error(path, "it is a directory" if path.is_dir() else "it is no file", _NAME)


def _require_known(path: Path, application: int, step: int) -> None:
    if application != APPLICATION_ID:
        raise journal_error(path, "it is no fleet's database", _NAME)
    if step > len(steps()):
        raise JournalError(f"journal {path}: {newer_text(step)}")


def _open(path: Path, mode: str) -> sqlite3.Connection:
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?{mode}", uri=True, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection
