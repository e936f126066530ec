"""One SQLite file: opened with care, written by one thread, read from another one and from the loop, copied by a third.

Owner: `Database`, of the file, its lock and its three threads. Limits: each thread has a queue of QUEUE_MAX works and
refuses more; a work that is under way is never interrupted.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import sqlite3
import time
from asyncio import AbstractEventLoop, Future
from collections.abc import Callable, Sequence
from pathlib import Path
from queue import SimpleQueue
from threading import Lock, Thread, Timer
from typing import Any, Literal, TypeVar

from engine.memory.contract import Contents
from engine.memory.copies import back_up, make_folder
from engine.memory.failures import RESTORE, explain, journal_error
from engine.memory.migrations import migrate, read_sql, require_ours, steps
from engine.model.errors import JournalError

Synchronous = Literal["full", "normal"]
"""`full`: a commit survives power loss. `normal`: it survives a killed process only."""

BACKUPS = "backups"
"""Directory beside the database for backups that have a name only."""

QUEUE_MAX = 64

GIVE_WAY_EVERY_S = 0.0015
GIVE_WAY_S = 0.0003
"""While a work lasts, each time that the first has passed the loop stands still for the second."""

BUSY_TIMEOUT_S = 2.0
CHECKED_BYTES_MAX = 32 * 1024 * 1024
CHECK_MAX_S = 0.5
CACHE_KIB = 32 * 1024
CHECKPOINT_PAGES = 4_000
WAL_KEPT_BYTES = 64 * 1024 * 1024
SQLITE_LEAST = (3, 35, 0)

_RESTORE = f"stop the engine and {RESTORE}"

_T = TypeVar("_T")
_Work = Callable[[sqlite3.Connection], Any]


class Lane:
    """A thread with a connection of its own that does one work after the other."""

    def __init__(self, name: str, path: Path, connect: Callable[[], sqlite3.Connection]) -> None:
        self._path = path
        self._connect = connect
        self._works: SimpleQueue[tuple[_Work, AbstractEventLoop, Future[Any]] | None] = SimpleQueue()
        self._waiting = 0
        self._taken = Lock()
        """Held from when a work is given to the idle thread until it has taken it."""
        self._way: asyncio.TimerHandle | None = None
        self._closed = False
        self._thread = Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    async def do(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        """Have a work done, in order. Raises JournalError; cancelling it does not stop the work."""
        if self._closed:
            raise journal_error(self._path, "it is closed", "open it again")
        if self._waiting >= QUEUE_MAX:
            raise journal_error(self._path, f"{QUEUE_MAX} works wait for it", "try again later")
        loop = asyncio.get_running_loop()
        future: Future[_T] = loop.create_future()
        self._taken.acquire(blocking=False)
        self._works.put((work, loop, future))
        self._waiting += 1
        if self._waiting == 1:
            # A loop that went on would keep the interpreter lock, and the work would begin when it next gives way.
            self._taken.acquire(timeout=GIVE_WAY_S)
            self._way = loop.call_later(GIVE_WAY_EVERY_S, self._give_way, loop)
        try:
            return await future
        except (sqlite3.Error, ValueError, OverflowError) as error:
            raise explain(error, self._path) from error

    async def close(self) -> None:
        """Finish what waits and close the connection; again is no harm."""
        if self._closed:
            return
        await self.do(lambda connection: connection.close())
        self.stop()

    def stop(self) -> None:
        """End the thread when it has done what waits; does not wait for it."""
        self._closed = True
        self._works.put(None)

    def _run(self) -> None:
        connection: sqlite3.Connection | None = None
        while (job := self._works.get()) is not None:
            work, loop, future = job
            if self._taken.locked():
                self._taken.release()
            result, error = None, None
            try:
                connection = connection or self._connect()
                result = work(connection)
            except BaseException as raised:  # noqa: BLE001  # the thread's edge: whoever waits gets it
                error = raised
            try:
                loop.call_soon_threadsafe(self._settle, future, result, error)
            except RuntimeError:
                break  # the loop is closed: nobody waits any more
        if connection is not None:
            connection.close()

    def _give_way(self, loop: AbstractEventLoop) -> None:
        """Let the thread have the interpreter lock.

        A busy loop gives the lock back for microseconds at each select, and more often than the switch interval: the
        thread then never gets it in time nor asks for it, for seconds on end (p99 of a commit 5.6 s; so 17 ms).
        """
        time.sleep(GIVE_WAY_S)
        self._way = loop.call_later(GIVE_WAY_EVERY_S, self._give_way, loop)

    def _settle(self, future: Future[Any], result: object, error: BaseException | None) -> None:
        self._waiting -= 1
        if not self._waiting and self._way is not None:
            self._way.cancel()
        if future.cancelled():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)


class Database:
    """The open file."""

    def __init__(self, path: Path, lock: int, lanes: Sequence[Lane], loop_connection: sqlite3.Connection) -> None:
        self.path = path
        self.on_loop = loop_connection
        """Reads only; for the loop's own thread and quick reads."""
        self._lock = lock
        self._writer, self._reader, self._copier = lanes
        self._files = _identities(path)
        self._closed = False
        self._is_unchecked = False
        self.ring: Path | None = None
        """The keys of an encrypted memory, which go into backups."""
        self.damage = ""
        """What is wrong with its pages and what to do, found beside the work; empty = nothing that is known."""

    @classmethod
    async def open(cls, path: Path, *, synchronous: Synchronous = "full") -> Database:
        """Open or make the file; bring its tables up to date.

        Pages are checked (`quick_check`) when the file is at most CHECKED_BYTES_MAX large, or when the last engine
        did not close it (its -wal is still there); in a larger file for CHECK_MAX_S, so that the start stays quick:
        the whole is then left to check_pages(). Raises JournalError that says what is wrong, where, and what to do.
        """
        if sqlite3.sqlite_version_info < SQLITE_LEAST:
            raise JournalError(f"SQLite is {sqlite3.sqlite_version}, the least is {'.'.join(map(str, SQLITE_LEAST))}; use another Python")
        lock = take_lock(path)
        lanes: list[Lane] = []
        unchecked: list[Path] = []
        try:
            for name, connect in (
                ("journal writer", lambda: _open_writer(path, synchronous, unchecked)),
                ("journal reader", lambda: open_reader(path)),
                ("journal copier", lambda: open_reader(path)),
            ):
                lanes.append(Lane(name, path, connect))
                await lanes[-1].do(lambda _connection: None)
            opened = cls(path, lock, lanes, open_reader(path))
        except BaseException:
            for lane in reversed(lanes):
                lane.stop()
            os.close(lock)
            raise
        opened._is_unchecked = bool(unchecked)
        return opened

    async def check_pages(self) -> None:
        """Check the pages if the start had no time for it, beside all else. Raises JournalError when one is damaged."""
        if self._is_unchecked:
            try:
                await self._copier.do(_require_whole)
            except JournalError as error:
                self.damage = str(error)
                with contextlib.suppress(OSError):
                    _damage_mark(self.path).touch(0o600)  # so that the next start looks, too, however this engine ends
                raise
            self._is_unchecked = False
            _damage_mark(self.path).unlink(missing_ok=True)

    async def write(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        """Have a work done by the writer's thread. Raises JournalError; cancelling it does not stop the work."""
        if not self._closed:
            self._require_place()
        return await self._writer.do(work)

    async def settled(self) -> None:
        """Wait until the writer has done what it was given so far."""
        await self._writer.do(lambda _connection: None)

    async def read(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        """Have a longer read done off the loop. Raises JournalError; cancelling it does not stop the work."""
        return await self._reader.do(work)

    async def backup(self, target: Path, *, force: bool = False) -> Contents:
        """Write a whole and consistent copy while writing goes on; it becomes `target` when it is complete, with `force` also over an older backup.

        A relative target is a name in BACKUPS beside the database, a directory that is made when it is missing. Works even when the file itself was deleted under the engine. Raises JournalError.
        """
        folder = self.path.parent / BACKUPS

        def copy(connection: sqlite3.Connection) -> Contents:
            if not target.is_absolute():
                make_folder(folder)
            return back_up(connection, self.path, folder / target, self.ring, force=force)

        return await self._copier.do(copy)

    async def close(self) -> None:
        """Finish what waits, fold the -wal into the file and let go of it; again is no harm."""
        self._closed = True
        self.on_loop.close()
        await self._copier.close()
        await self._reader.close()
        await self._writer.close()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _require_place(self) -> None:
        """Raise JournalError when the file at the path is no longer the one that is open.

        SQLite would go on writing into a deleted file, and all of it would be gone with the engine.
        """
        if _identities(self.path) != self._files:
            raise journal_error(
                self.path,
                "the file, or its -wal, was deleted or replaced while the engine used it",
                "put both back, or stop the engine and restore a backup; a backup taken now still has everything",
            )


def _identities(path: Path) -> list[tuple[int, int]]:
    """Return device and inode of the file and its -wal; zeros for one that is not there."""
    found = []
    for name in (path, f"{path}-wal"):
        try:
            status = os.stat(name)  # noqa: PTH116  # a quarter of the time, and it is asked for every batch
            found.append((status.st_dev, status.st_ino))
        except OSError:
            found.append((0, 0))
    return found


def take_lock(path: Path) -> int:
    """Return the descriptor that holds the lock of the one engine.

    Asked of the system for this process (lockf): it is gone with it however it ends, and children do not inherit it.
    """
    if path.is_dir():
        raise journal_error(path, "it is a directory", "name a file in it")
    name = path.with_name(path.name + "-owner")
    try:
        lock = os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        missing = not path.parent.is_dir()
        remedy = "make that directory" if missing else "make the directory writable for this user, or name another file"
        raise journal_error(path, f"its directory cannot be used ({error})", remedy) from error
    try:
        fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        owner = os.read(lock, 32).decode(errors="replace").strip() or "unknown"
        os.close(lock)
        raise journal_error(path, f"another engine has it open (process {owner})", "attach to that engine, or stop it") from error
    os.ftruncate(lock, 0)
    os.write(lock, f"{os.getpid()}\n".encode())
    return lock


def _open_writer(path: Path, synchronous: Synchronous, unchecked: list[Path]) -> sqlite3.Connection:
    unclean = _size(Path(f"{path}-wal")) > 0 or _damage_mark(path).exists()
    if not path.exists():
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    connection = sqlite3.connect(path, isolation_level=None, timeout=BUSY_TIMEOUT_S)
    try:
        require_ours(connection)
        if not connection.execute("PRAGMA page_count").fetchone()[0]:
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # only an empty file can be told
        if connection.execute("PRAGMA journal_mode = WAL").fetchone()[0] != "wal":
            raise JournalError("its disk cannot keep a write-ahead log; name a file on a local disk")
        connection.execute(f"PRAGMA synchronous = {synchronous}")
        connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        connection.execute("PRAGMA temp_store = MEMORY")
        connection.execute("PRAGMA secure_delete = FAST")  # whatever the build's own is; an erasure overwrites free pages, too
        connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
        connection.execute(f"PRAGMA journal_size_limit = {WAL_KEPT_BYTES}")
        if _size(path) <= CHECKED_BYTES_MAX:
            _require_whole(connection)
        elif unclean and not _has_been_checked(connection):
            unchecked.append(path)
        if not unchecked:
            _damage_mark(path).unlink(missing_ok=True)
        _upgrade(connection, path)
        connection.executescript(read_sql("writing.sql"))
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("COMMIT")
    except JournalError as error:
        connection.close()
        raise JournalError(f"journal {path}: {error}") from error
    except BaseException:
        connection.close()
        raise
    return connection


def _damage_mark(path: Path) -> Path:
    """Return the empty file that says that pages were damaged when they were last checked."""
    return path.with_name(f"{path.name}-damaged")


def _upgrade(connection: sqlite3.Connection, path: Path) -> None:
    """Bring the tables up to date; what an older version left is backed up first. Raises JournalError."""
    known = steps()
    step = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if 0 < step < len(known):
        folder = path.parent / BACKUPS
        make_folder(folder)
        back_up(connection, path, folder / f"{path.stem}-before-step-{step + 1}.db", force=True)
    migrate(connection, known)


def _has_been_checked(connection: sqlite3.Connection) -> bool:
    """Check pages for CHECK_MAX_S; tell whether that was time enough for all. Raises JournalError when one is damaged."""
    alarm = Timer(CHECK_MAX_S, connection.interrupt)
    alarm.start()
    try:
        _require_whole(connection)
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
            raise
        return False
    finally:
        alarm.cancel()
        alarm.join()
    return True


def _require_whole(connection: sqlite3.Connection) -> None:
    found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise JournalError(f"it is damaged ({found}); {_RESTORE}")


def open_reader(path: Path) -> sqlite3.Connection:
    """Open a connection that cannot write."""
    connection = sqlite3.connect(path, isolation_level=None, timeout=BUSY_TIMEOUT_S)
    connection.execute("PRAGMA query_only = 1")
    # Opens the -wal too, so that everything can still be read when the files are deleted under the engine.
    connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    return connection


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
