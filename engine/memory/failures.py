"""What went wrong with the database, in words: what, where, and what to do next."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from engine.model.errors import JournalError

RESTORE = (
    "restore a backup: `fleet-tui backups` lists them, `fleet-tui restore FILE` puts one back and keeps the damaged file; "
    "`sqlite3 FILE .recover` saves what can still be read"
)

# By SQLite's primary result code: what is wrong, and what to do.
_WORDS = {
    sqlite3.SQLITE_FULL: (
        "there is no room left for it",
        "free space on that disk (or raise the quota); writing goes on by itself",
    ),
    sqlite3.SQLITE_READONLY: (
        "it cannot be written",
        "make the file and its directory writable for this user, and the disk not read-only",
    ),
    sqlite3.SQLITE_IOERR: (
        "the disk reports an input or output error",
        "look at the system's log (dmesg) and at the limits on file size, and keep a backup elsewhere",
    ),
    sqlite3.SQLITE_CANTOPEN: (
        "it cannot be opened",
        "see that its directory exists and that this user may write there",
    ),
    sqlite3.SQLITE_BUSY: ("another program holds a lock on it", "end that program (fuser shows it) or wait"),
    sqlite3.SQLITE_LOCKED: ("another program holds a lock on it", "end that program (fuser shows it) or wait"),
    sqlite3.SQLITE_PERM: ("this user may not use it", "make the file and its directory writable for this user"),
    sqlite3.SQLITE_NOTADB: (
        "it is not a database",
        f"move it away or name another file; for a fleet's database that was damaged, {RESTORE}",
    ),
    sqlite3.SQLITE_CORRUPT: (
        "it is damaged",
        f"stop the engine and {RESTORE}",
    ),
    sqlite3.SQLITE_NOMEM: ("there is not enough memory for it", "free memory"),
}


def journal_error(path: Path, what: str, remedy: str) -> JournalError:
    """Return the error for a database, worded like all others."""
    return JournalError(f"journal {path}: {what}; {remedy}")


def explain(error: Exception, path: Path) -> JournalError:
    """Return a JournalError for what sqlite3 raised, or for a value that it cannot hold."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:
        return JournalError(f"journal {path}: {error}")
    name = getattr(error, "sqlite_errorname", "")
    words = _WORDS.get(code & 0xFF)
    if words is None:
        return JournalError(f"journal {path}: {error} ({name})")
    return journal_error(path, f"{words[0]} ({name}: {error})", words[1])
