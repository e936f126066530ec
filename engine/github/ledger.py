"""What was taken in and what was posted, in a small database of its own beside the fleet's: it outlives tasks that are forgotten.

Owner: `Ledger`, of the file. Blocks: call it in a thread, one call at a time. Limits: DELIVERIES_MAX delivery ids, the oldest go.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

DATABASE = "github.db"
"""In the state directory."""
DELIVERIES_MAX = 50_000
FAILURES_MAX = 20
_SCHEMA = """
CREATE TABLE IF NOT EXISTS taken (node TEXT PRIMARY KEY, task TEXT NOT NULL, place TEXT NOT NULL, at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS posted (task TEXT PRIMARY KEY, url TEXT NOT NULL, at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS failed (task TEXT PRIMARY KEY, error TEXT NOT NULL, times INTEGER NOT NULL, at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS etags (url TEXT PRIMARY KEY, etag TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS deliveries (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, at REAL NOT NULL);
"""


class Ledger:
    """The file."""

    def __init__(self, root: Path) -> None:
        """Open it in a state directory, or make it, readable by the engine's account alone."""
        path = root / DATABASE
        path.touch(mode=0o600, exist_ok=True)
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.executescript(_SCHEMA)

    def is_taken(self, node: str) -> bool:
        """Answer whether an item has become a task."""
        return self._has("SELECT 1 FROM taken WHERE node = ?", node)

    def take(self, node: str, task: str, place: str, at: float) -> None:
        """Note that an item has become a task."""
        self._connection.execute("INSERT OR IGNORE INTO taken VALUES (?, ?, ?, ?)", (node, task, place, at))

    def is_posted(self, task: str) -> bool:
        """Answer whether the result of a task is where it belongs."""
        return self._has("SELECT 1 FROM posted WHERE task = ?", task)

    def post(self, task: str, url: str, at: float) -> None:
        """Note that the result of a task is where it belongs."""
        self._connection.execute("INSERT OR IGNORE INTO posted VALUES (?, ?, ?)", (task, url, at))
        self._connection.execute("DELETE FROM failed WHERE task = ?", (task,))

    def fail(self, task: str, error: str, at: float) -> None:
        """Note that the result of a task could not be posted."""
        self._connection.execute("INSERT INTO failed VALUES (?, ?, 1, ?) ON CONFLICT (task) DO UPDATE SET error = excluded.error, times = times + 1, at = excluded.at", (task, error, at))

    def etag(self, url: str) -> str:
        """Return the ETag of an address as last seen; empty = none."""
        row = self._connection.execute("SELECT etag FROM etags WHERE url = ?", (url,)).fetchone()
        return row[0] if row else ""

    def see(self, url: str, etag: str) -> None:
        """Note the ETag of an address, once all that was there is taken in."""
        self._connection.execute("INSERT OR REPLACE INTO etags VALUES (?, ?)", (url, etag))

    def is_delivered(self, delivery: str) -> bool:
        """Answer whether a webhook's delivery was dealt with."""
        return self._has("SELECT 1 FROM deliveries WHERE id = ?", delivery)

    def deliver(self, delivery: str, at: float) -> None:
        """Note that a webhook's delivery was dealt with."""
        cursor = self._connection.execute("INSERT OR IGNORE INTO deliveries (id, at) VALUES (?, ?)", (delivery, at))
        self._connection.execute("DELETE FROM deliveries WHERE number <= ?", ((cursor.lastrowid or 0) - DELIVERIES_MAX,))

    def _has(self, question: str, value: str) -> bool:
        return self._connection.execute(question, (value,)).fetchone() is not None

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


def failures_in(root: Path) -> list[tuple[str, str, int]]:
    """Return the tasks whose results wait, why, and how often they were tried: the newest first, FAILURES_MAX at most; none when nothing can be read."""
    try:
        with closing(sqlite3.connect(f"file:{quote(str(root / DATABASE))}?mode=ro", uri=True)) as connection:
            return connection.execute("SELECT task, error, times FROM failed ORDER BY at DESC LIMIT ?", (FAILURES_MAX,)).fetchall()
    except sqlite3.Error:
        return []
