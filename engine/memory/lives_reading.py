"""When pools had agents, when no engine ran, and how sizes moved, from the rows of agents and events."""

from __future__ import annotations

import sqlite3

from engine.memory.pruning import read_pruned
from engine.model.costs import AgentLife, Lives

_AGENTS = """
SELECT pool, created_at, coalesce(removed_at, 0), coalesce(metadata ->> '$.cost', 0) FROM agents
WHERE removed_at IS NULL OR removed_at > ? ORDER BY rowid DESC LIMIT ?
"""
_ABSENCES = """
SELECT before.timestamp, events.timestamp FROM events JOIN events AS before ON before.id = events.id - 1
WHERE events.type = 'engine.started' AND events.timestamp > ?
"""
_SIZES = """
SELECT pool, coalesce(before, size), size, timestamp, type FROM (
  SELECT type, timestamp, size, pool, lag(size) OVER (PARTITION BY pool ORDER BY id) AS before FROM (
    SELECT id, type, timestamp, data ->> '$.size' AS size, coalesce(data ->> '$.pool', data ->> '$.spec.name') AS pool FROM events
    WHERE type IN ('pool.scaled', 'pool.configured')))
WHERE type = 'pool.scaled' AND timestamp > ?
"""


def read_lives(connection: sqlite3.Connection, since: float, limit: int) -> Lives:
    """Return what is known since an instant, of the newest `limit` agents."""
    agents = [AgentLife(*row) for row in connection.execute(_AGENTS, (since, limit + 1))]
    absences = tuple((before, after) for before, after in connection.execute(_ABSENCES, (since,)))
    sizes = tuple((pool, before, after) for pool, before, after, _, _ in connection.execute(_SIZES, (since,)))
    is_kept = since >= read_pruned(connection).before  # of what was removed for its age nothing is known
    return Lives(tuple(agents[:limit]), absences, sizes, is_whole=is_kept and len(agents) <= limit)
