"""The load that the fleet has seen, from the rows of its tasks: when each could first run, and how long it held an agent."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from engine.model.scaling import Load

_SQL = """
SELECT tasks.pool,
       max(tasks.created_at, coalesce((
         SELECT max(needed.completed_at) FROM dependencies JOIN tasks AS needed ON needed.id = dependencies.depends_on
         WHERE dependencies.task_id = tasks.id), 0)),
       tasks.progress ->> '$.finished_at' - tasks.progress ->> '$.started_at'
FROM tasks
WHERE tasks.created_at >= ? AND tasks.progress ->> '$.started_at' > 0 AND tasks.progress ->> '$.finished_at' > 0
ORDER BY tasks.rowid DESC LIMIT ?
"""


def read_load(connection: sqlite3.Connection, since: float, limit: int) -> Sequence[Load]:
    """Return the tasks accepted since an instant that have run, in order of when they could; of a retried one the last run."""
    rows = connection.execute(_SQL, (since, limit))
    return sorted((Load(at, pool, max(0.0, service)) for pool, at, service in rows), key=lambda load: load.at)
