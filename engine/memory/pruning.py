"""What is over and too old, and the small works that remove it; in the words of SQL.

Owner: nobody; functions only. `find_…` read, for the reader's thread, and may take long. `delete_…` are works for the
writer's thread: at most BATCH rows each, all or nothing.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import msgspec

BATCH = 200
"""Rows that one work removes: about 2 ms."""
EVENTS_KEPT_MIN = 10_000
AUDIT_KEPT_MIN = 1_000
"""Lines of the audit that a start loads."""
FREE_SHARE, FREE_PAGES_MIN = 0.1, 1_000
"""Free pages that stay in the file, for what comes next."""

_SIZES = ("pool.scaled", "pool.configured")


class Pruned(msgspec.Struct):
    """What was removed since the database was made; kept in its row `retention`."""

    upto: int = 0
    """Newest record that was removed; of those before it only audited ones are left, and sizes of pools."""
    before: float = 0.0
    """Its instant."""
    sizes: list[int] = []
    """Records up to there that say the size that a pool had then."""
    rows: dict[str, int] = {}
    """How many, by table."""


class Span(msgspec.Struct, frozen=True):
    """What a pass is about."""

    events: int
    """Newest record that is too old."""
    before: float
    sizes: list[int]
    """Of these the newest of each pool that says its size."""
    audit: int
    ended: int
    """Tasks whose `ended` is at most this are too old."""


def read_pruned(connection: sqlite3.Connection) -> Pruned:
    """Return what was removed so far."""
    row = connection.execute("SELECT data FROM resources WHERE kind = 'retention'").fetchone()
    return Pruned() if row is None else msgspec.json.decode(row[0], type=Pruned)


# ---- finding


def find_span(connection: sqlite3.Connection, instants: tuple[float, float, float], finished_max: int) -> Span:
    """Return what is older than instants for events, audit and tasks (0 = nothing is)."""
    events_before, audit_before, tasks_before = instants
    last = int(connection.execute("SELECT coalesce(max(id), 0) FROM events").fetchone()[0])
    events = min(_newest_before(connection, ("events", "id", "timestamp"), events_before), last - EVENTS_KEPT_MIN)
    # How long no engine ran is told by the record before a start: the two stay together.
    follower = connection.execute("SELECT type FROM events WHERE id = ?", (events + 1,)).fetchone()
    events -= follower is not None and follower[0] == "engine.started"
    events = max(0, events)
    at = connection.execute("SELECT timestamp FROM events WHERE id <= ? ORDER BY id DESC LIMIT 1", (events,)).fetchone()
    return Span(
        events,
        float(at[0]) if at else 0.0,
        _sizes_at(connection, events),
        _newest_before(connection, ("audit", "id", "timestamp"), audit_before, spare=AUDIT_KEPT_MIN),
        _newest_before(connection, ("tasks", "ended", "completed_at"), tasks_before, spare=finished_max),
    )


def find_agents(connection: sqlite3.Connection, before: float, upto: int) -> list[str]:
    """Return agents that left before an instant, of which neither a record nor a task is left."""
    sql = "SELECT id FROM agents WHERE removed_at < ? AND last_record <= ?"
    found = [id_ for (id_,) in connection.execute(sql, (before, upto))]
    if not found:
        return []
    used = {id_ for (id_,) in connection.execute("SELECT DISTINCT agent_id FROM tasks")}
    return [id_ for id_ in found if id_ not in used]


def find_artifacts(connection: sqlite3.Connection, before: float) -> list[str]:
    """Return payloads from before an instant that neither a task nor memory refers to."""
    sql = (
        "SELECT id FROM artifacts WHERE task_id IS NULL AND created_at < ? AND id NOT IN (SELECT artifact FROM memory WHERE artifact IS NOT NULL)"
        " AND id NOT IN (SELECT artifact FROM conflicts WHERE artifact IS NOT NULL)"
    )
    found = [id_ for (id_,) in connection.execute(sql, (before,))]
    if not found:
        return []
    used = {id_ for (id_,) in connection.execute("SELECT progress ->> '$.artifact' FROM tasks")}
    return [id_ for id_ in found if id_ not in used]


def _newest_before(connection: sqlite3.Connection, names: tuple[str, str, str], instant: float, *, spare: int = 0) -> int:
    """Return the largest key of a table whose instant is before one, 0 if there is none; the largest `spare` are left out.

    Keys grow with time, so it takes a few looks, not a scan.
    """
    table, key, at = names
    newest = f"SELECT {key} FROM {table} WHERE {key} IS NOT NULL ORDER BY {key} DESC LIMIT 1 OFFSET ?"  # noqa: S608  # names from above
    row = connection.execute(newest, (spare,)).fetchone()
    if row is None or not instant:
        return 0
    low, high = 0, int(row[0])
    look = f"SELECT {key}, {at} FROM {table} WHERE {key} > ? AND {key} <= ? ORDER BY {key} LIMIT 1"  # noqa: S608
    while low < high:
        middle = (low + high) // 2
        found = connection.execute(look, (middle, high)).fetchone()
        if found is not None and found[1] < instant:
            low = int(found[0])
        else:
            high = middle
    return low


def _sizes_at(connection: sqlite3.Connection, upto: int) -> list[int]:
    pool = "coalesce(data ->> '$.pool', data ->> '$.spec.name')"
    sql = f"SELECT max(id) FROM events WHERE id <= ? AND type IN (?, ?) GROUP BY {pool}"  # noqa: S608  # from above
    return sorted(id_ for (id_,) in connection.execute(sql, (upto, *_SIZES)))


# ---- removing


@contextmanager
def _all_or_nothing(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.rollback()
        raise


def delete_events(connection: sqlite3.Connection, pruned: Pruned, span: Span) -> tuple[Pruned, bool]:
    """Remove the next records up to the span's; return what was removed by now, and whether there are more."""
    upto = min(span.events, pruned.upto + BATCH)
    at = connection.execute("SELECT timestamp FROM events WHERE id <= ? ORDER BY id DESC LIMIT 1", (upto,)).fetchone()
    older = [] if upto < span.events else [id_ for id_ in pruned.sizes if id_ not in span.sizes]
    with _all_or_nothing(connection):
        count = connection.execute(
            "DELETE FROM events WHERE id > ? AND id <= ? AND type <> 'audit' AND id NOT IN (SELECT value FROM json_each(?))",
            (pruned.upto, upto, json.dumps(span.sizes)),
        ).rowcount
        count += connection.execute("DELETE FROM events WHERE id IN (SELECT value FROM json_each(?))", (json.dumps(older),)).rowcount
        connection.execute("DELETE FROM consensus WHERE timestamp <= ?", at or (0.0,))  # the ballots go with the records of their casting
        # Until all are gone both the sizes of the last pass and those of this one are there.
        sizes = span.sizes if upto == span.events else sorted({*pruned.sizes, *span.sizes})
        now = Pruned(upto, float(at[0]) if at else pruned.before, sizes, pruned.rows)
        now = _counted(connection, now, "events", count)
    return now, upto < span.events


def delete_audit(connection: sqlite3.Connection, pruned: Pruned, upto: int) -> tuple[Pruned, bool]:
    """Remove the oldest lines of the audit up to one, with their records."""
    ids = json.dumps([id_ for (id_,) in connection.execute("SELECT id FROM audit WHERE id <= ? ORDER BY id LIMIT ?", (upto, BATCH))])
    with _all_or_nothing(connection):
        count = connection.execute("DELETE FROM audit WHERE id IN (SELECT value FROM json_each(?))", (ids,)).rowcount
        connection.execute("DELETE FROM events WHERE id IN (SELECT value FROM json_each(?)) AND type = 'audit'", (ids,))
        return _counted(connection, pruned, "audit", count), count == BATCH


def delete_tasks(connection: sqlite3.Connection, pruned: Pruned, below: int) -> tuple[Pruned, int]:
    """Remove tasks that ended before a turn, the newest first: so none goes that another one depends on.

    Return what was removed by now, and below which turn to go on; 0 = there are no more.
    """
    rows = connection.execute("SELECT id, ended FROM tasks WHERE ended < ? ORDER BY ended DESC LIMIT ?", (below, BATCH)).fetchall()
    count = 0
    with _all_or_nothing(connection):
        for id_, _ in rows:  # one by one: with a task goes what kept those that it depended on
            sql = "DELETE FROM tasks WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM dependencies WHERE depends_on = ?1)"
            if connection.execute(sql, (id_,)).rowcount:
                connection.execute("UPDATE artifacts SET task_id = NULL WHERE task_id = ?", (id_,))
                connection.execute("DELETE FROM dependencies WHERE task_id = ?", (id_,))
                count += 1
        pruned = _counted(connection, pruned, "tasks", count)
    return pruned, int(rows[-1][1]) if len(rows) == BATCH else 0


def delete_agents(connection: sqlite3.Connection, pruned: Pruned, ids: Sequence[str]) -> Pruned:
    """Remove agents that left."""
    with _all_or_nothing(connection):
        sql = "DELETE FROM agents WHERE id IN (SELECT value FROM json_each(?)) AND removed_at IS NOT NULL"
        return _counted(connection, pruned, "agents", connection.execute(sql, (json.dumps(list(ids)),)).rowcount)


def delete_artifacts(connection: sqlite3.Connection, pruned: Pruned, ids: Sequence[str], before: float) -> Pruned:
    """Remove payloads; one that somebody has stored again meanwhile is younger now and stays."""
    with _all_or_nothing(connection):
        sql = "DELETE FROM artifacts WHERE id IN (SELECT value FROM json_each(?)) AND task_id IS NULL AND created_at < ?"
        return _counted(connection, pruned, "artifacts", connection.execute(sql, (json.dumps(list(ids)), before)).rowcount)


def give_back(connection: sqlite3.Connection) -> bool:
    """Give some free pages back to the disk; tell whether there are more than shall stay."""
    mode, free, pages = (int(connection.execute(f"PRAGMA {word}").fetchone()[0]) for word in ("auto_vacuum", "freelist_count", "page_count"))
    if mode != 2 or free <= max(FREE_PAGES_MIN, pages * FREE_SHARE):  # noqa: PLR2004  # SQLite's number for `incremental`
        return False
    connection.execute(f"PRAGMA incremental_vacuum({BATCH})").fetchall()
    return True


def _counted(connection: sqlite3.Connection, pruned: Pruned, table: str, count: int) -> Pruned:
    """Write down what was removed, in the transaction that removes it."""
    now = Pruned(pruned.upto, pruned.before, pruned.sizes, {**pruned.rows, table: pruned.rows.get(table, 0) + count})
    if count or now.upto:
        connection.execute(
            "INSERT INTO resources (kind, id, data) VALUES ('retention', 'retention', ?) ON CONFLICT (kind, id) DO UPDATE SET data = excluded.data",
            (msgspec.json.encode(now).decode(),),
        )
    return now
