"""Whole copies of the database: taken while writing goes on, and put back in place of what is there.

Owner: nobody; functions only. A copy appears under its name when it is complete, checked and on the disk, or not at
all; only its user can read it. A backup replaces nothing, with `force` an older backup; what a restore replaces is kept aside.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from engine.memory import key_copies
from engine.memory.contract import Contents
from engine.memory.failures import journal_error
from engine.memory.migrations import APPLICATION_ID
from engine.memory.pruning import read_pruned
from engine.memory.reading import open_to_read, read_step
from engine.model.errors import CommandRefused, JournalError

_PROBLEMS_MAX = 3
_COUNTED = ("events", "tasks", "agents", "audit", "memory", "artifacts")


def contents_of(connection: sqlite3.Connection, path: Path) -> Contents:
    """Return what a database holds: counts and spans, no values. Raises sqlite3.Error."""
    rows = {name: int(connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0]) for name in _COUNTED}  # noqa: S608  # names from above
    last, at = connection.execute("SELECT coalesce(max(id), 0), coalesce(max(timestamp), 0) FROM events").fetchone()
    words = ("page_size", "page_count", "freelist_count", "user_version")
    page, pages, free, step = (int(connection.execute(f"PRAGMA {word}").fetchone()[0]) for word in words)
    pruned = read_pruned(connection)
    return Contents(str(path), pages * page, step, pruned.upto + 1, int(last), float(at), rows, pruned.rows, free * page, key_copies.count(connection))


def back_up(connection: sqlite3.Connection, database: Path, target: Path, ring: Path | None = None, *, force: bool = False) -> Contents:
    """Write a whole and consistent copy, which gets the name `target` when it is complete and was checked; `force` replaces an older backup.

    The keys of an encrypted memory, the ring, go into it as they are: wrapped. `connection` reads the database, also when its file was deleted. Raises JournalError, CommandRefused.
    """
    _require_target(database, target, force=force)
    part = target.with_name(target.name + ".part")
    try:
        contents = _copy(connection, part, lambda copied: key_copies.put_into(copied, ring) if ring else None)
        part.replace(target)
        sync(target.parent)
    except (OSError, sqlite3.Error, JournalError) as error:
        with contextlib.suppress(OSError):
            part.unlink()
        raise journal_error(target, f"the backup cannot be written ({error})", "make room there, or name another place") from error
    return replace(contents, path=str(target))


def make_folder(folder: Path) -> None:
    """Make a directory for backups when it is missing. Raises JournalError."""
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise journal_error(folder, f"the directory cannot be made ({error.strerror})", "name another place") from error


def restore(source: Path, path: Path, *, aside: Path, ring: Path | None = None) -> Contents:
    """Put a copy of `source` in place of the database at `path`, whose lock the caller holds; the former one becomes `aside`.

    Keys that the source has are added to the ring, first: more keys than are needed do no harm. A crash at any point leaves the former database or the new one in place, whole. Raises JournalError.
    """
    part, keys = path.with_name(path.name + ".part"), key_copies.Rows()
    with closing(open_to_read(source)) as connection:
        if path.exists() and source.samefile(path):
            raise journal_error(source, "it is the database that is in use", "name a backup")
        try:
            contents = _copy(connection, part, lambda copied: keys.update(key_copies.take_from(copied)))
            if ring is not None:
                key_copies.merge_into(ring, keys)
                sync(ring.parent)
            _put_aside(path, aside)
            part.replace(path)
            sync(path.parent)
        except (OSError, sqlite3.Error, JournalError) as error:
            with contextlib.suppress(OSError):
                part.unlink()
            raise journal_error(path, f"it cannot be restored from {source} ({error})", "what was there is still there") from error
    return replace(contents, path=str(path), keys=len(keys.get("data_keys", ())))


def sync(path: Path) -> None:
    """Have a file or a directory on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _require_target(database: Path, target: Path, *, force: bool) -> None:
    """Raise JournalError unless there is nothing at `target`, or an older copy of a fleet; for that CommandRefused, unless forced."""
    with contextlib.suppress(OSError):
        if target.samefile(database):
            raise journal_error(target, "it is the database itself", "name another file for the backup")
    if target.is_dir():
        raise journal_error(target, "it is a directory", "name a file in it")
    if target.exists() or target.is_symlink():
        try:
            read_step(target)
        except JournalError as error:
            raise JournalError(f"{error}; nothing was written: only an older backup is replaced") from error
        if not force:
            raise CommandRefused(f"a backup lies at {target} already; nothing was written: name another file, or replace it with --force (force over the API)")


def _copy(connection: sqlite3.Connection, part: Path, change: Callable[[sqlite3.Connection], object]) -> Contents:
    part.unlink(missing_ok=True)
    os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    with closing(sqlite3.connect(part, isolation_level=None)) as copied:
        connection.backup(copied)
        copied.execute("PRAGMA journal_mode = DELETE")
        change(copied)
        _require_whole(copied)
        contents = contents_of(copied, part)
    sync(part)
    return contents


def _require_whole(copied: sqlite3.Connection) -> None:
    if copied.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        raise JournalError("it holds no fleet")
    found = [text for (text,) in copied.execute(f"PRAGMA integrity_check({_PROBLEMS_MAX})")]
    if found != ["ok"]:
        raise JournalError(f"the copy is damaged, and so is what was copied: {'; '.join(found)}")


def _put_aside(path: Path, aside: Path) -> None:
    """Give the database a second name; what its -wal holds goes with it. Raises OSError."""
    wal, shared = Path(f"{path}-wal"), Path(f"{path}-shm")
    if not path.exists():
        for left in (wal, shared):  # a new database must not read the -wal of an old one
            left.unlink(missing_ok=True)
        return
    # A file that is none is not opened: SQLite would take away the -wal beside it.
    with contextlib.suppress(JournalError, sqlite3.Error):
        read_step(path)
        with closing(sqlite3.connect(path, isolation_level=None)) as former:
            former.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    os.link(path, aside)
    if wal.exists():  # it cannot be folded in, because one of them is damaged: both are kept
        wal.replace(f"{aside}-wal")
    shared.unlink(missing_ok=True)
    sync(path.parent)
