"""Whether a database is whole: its pages, its references, and whether its tables say what its journal says.

Owner: nobody; functions only. Reads in one transaction, so an engine may be writing meanwhile.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from engine.memory.contract import Contents
from engine.memory.copies import contents_of
from engine.memory.failures import explain
from engine.memory.key_copies import keys_used
from engine.memory.keys import RING_NAME
from engine.memory.loading import load_state
from engine.memory.memory_checking import unlike_the_journal
from engine.memory.reading import open_to_read
from engine.model.errors import JournalError, UsageError
from engine.model.events import Record
from engine.model.journal_entries import record_of
from engine.state import FleetState

REPLAYED_MAX = 50_000
"""Records up to which a check replays the journal unless it is asked for all."""
ALL_TASKS = 1 << 62
PROBLEMS_MAX = 10

_COMPARED = ("pools", "hosts", "agents", "tasks", "allocations", "plans", "policies", "routers", "alerting", "spending", "halted", "engine", "totals", "at")

# What each ended task came to by its newest record that says so, against its row.
_OUTCOMES = """
WITH said (task, status, id) AS (
  SELECT outcome.value ->> '$.task', 'succeeded', events.id FROM events, json_each(events.data, '$.outcomes') AS outcome
  WHERE events.type = 'task.succeeded' AND events.id > :after
  UNION ALL
  SELECT task.value, 'cancelled', events.id FROM events, json_each(events.data, '$.tasks') AS task
  WHERE events.type = 'task.cancelled' AND events.id > :after
  UNION ALL
  SELECT data ->> '$.outcome.task', iif(data ->> '$.dead', 'dead', 'failed'), id FROM events
  WHERE type = 'task.failed' AND id > :after
  UNION ALL
  SELECT task.value, '', events.id FROM events, json_each(events.data, '$.tasks') AS task
  WHERE events.type = 'task.replayed' AND events.id > :after)
SELECT tasks.id, tasks.status, said.status, max(said.id) FROM said JOIN tasks ON tasks.id = said.task
GROUP BY tasks.id HAVING said.status NOT IN ('', tasks.status) LIMIT :most
"""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check found."""

    contents: Contents
    checked: tuple[str, ...]
    """What was looked at, in words."""
    problems: tuple[str, ...]
    """Empty = all is well."""


def verify(path: Path, *, whole: bool = False, ring: Path | None = None) -> Verdict:
    """Check a database; `whole` = replay its journal whatever its length. Raises JournalError for a file that is none.

    Keys of sealed values are looked for in it, in the ring beside it, and in `ring`.
    """
    with closing(open_to_read(path)) as connection:
        try:
            connection.execute("BEGIN")
            contents = contents_of(connection, path)
            checked: list[str] = []
            problems = list(_damage(connection, checked))
            if not problems:
                problems += _missing_keys(connection, {path.parent / RING_NAME, ring or path.parent / RING_NAME}, checked)
                problems += _contradictions(connection, contents, checked, whole=whole)
        except sqlite3.Error as error:
            raise explain(error, path) from error
    return Verdict(contents, tuple(checked), tuple(problems))


def _damage(connection: sqlite3.Connection, checked: list[str]) -> Iterator[str]:
    checked.append("pages and indices (integrity_check)")
    found = [text for (text,) in connection.execute(f"PRAGMA integrity_check({PROBLEMS_MAX})")]
    yield from (f"damaged: {text}" for text in found if text != "ok")
    checked.append("references between tables (foreign_key_check)")
    for count, (table, row, parent, _) in enumerate(connection.execute("PRAGMA foreign_key_check")):
        if count == PROBLEMS_MAX:
            yield "and more references that lead nowhere"
            return
        yield f"row {row} of {table} refers to {parent}, where there is no such row"


def _missing_keys(connection: sqlite3.Connection, rings: Iterable[Path], checked: list[str]) -> Iterator[str]:
    """Yield the keys that values are sealed with and that are neither in the file, as in a backup, nor in the ring beside it."""
    used = keys_used(connection, rings)
    if used.values:
        gone = f", {used.destroyed} with keys that were destroyed" if used.destroyed else ""
        by = f"; their keys are wrapped by {', '.join(used.wrapping)}" if used.wrapping else ""
        checked.append(f"keys of {used.values} sealed values{gone}{by}")
    if used.missing:
        named = ", ".join(sorted(used.missing)[:PROBLEMS_MAX])
        yield f"{sum(used.missing.values())} values are sealed with keys that are neither here nor in {RING_NAME} beside it: {named}; put that file back"


def _contradictions(connection: sqlite3.Connection, contents: Contents, checked: list[str], *, whole: bool) -> list[str]:
    try:
        loaded, _ = load_state(connection, ALL_TASKS)
        loaded.check()
    except (JournalError, AssertionError) as error:
        return [f"the tables contradict each other: {error}"]
    checked.append(f"all tables read: {len(loaded.tasks)} tasks, {len(loaded.agents)} agents")
    after = max(contents.first - 1, 0 if whole else contents.last - REPLAYED_MAX)
    if after == 0:
        problems = _differences(connection, loaded, checked)
    else:
        checked.append(f"how tasks ended by the records after {after}, against their rows")
        rows = connection.execute(_OUTCOMES, {"after": after, "most": PROBLEMS_MAX})
        problems = [f"task {id_} is {status}, its newest record says {said}" for id_, status, said, _ in rows]
    return problems or list(islice(unlike_the_journal(connection, after, checked), PROBLEMS_MAX))


def _differences(connection: sqlite3.Connection, loaded: FleetState, checked: list[str]) -> list[str]:
    """Return where the tables differ from what a replay of all records makes of them."""
    replayed = FleetState(ALL_TASKS)
    try:
        for record in _records(connection, loaded.seq):
            replayed.apply(record)
    except (AssertionError, KeyError, UsageError) as error:
        return [f"record {replayed.seq} cannot be replayed: {error!r}"]
    checked.append(f"all {replayed.seq} records replayed, and compared with the tables")
    return [
        f"{name} are not as the journal makes them{_first_difference(getattr(loaded, name), getattr(replayed, name))}"
        for name in _COMPARED
        if not _are_alike(name, getattr(loaded, name), getattr(replayed, name))
    ]


def _are_alike(name: str, found: Any, expected: Any) -> bool:  # noqa: ANN401  # tables of any kind
    """Tell whether tables say the same, but for use that is counted only since the version that counts it: records know all of it."""
    if found == expected:
        return True
    if name == "spending":
        return bool(found.budgets == expected.budgets)
    return name in ("agents", "tasks") and _unspent(found) == _unspent(expected)


def _unspent(rows: Mapping[str, Any]) -> dict[str, Any]:
    return {id_: replace(row, spent={}) for id_, row in rows.items()}


def _records(connection: sqlite3.Connection, last: int) -> Iterator[Record]:
    for seq, at, cause, type_, data in connection.execute("SELECT id, timestamp, cause, type, data FROM events WHERE id <= ? ORDER BY id", (last,)):
        yield record_of(seq, float(at), cause, type_, data)


def _first_difference(found: object, expected: object) -> str:
    if not isinstance(found, dict) or not isinstance(expected, dict):
        return ""
    differing = [str(key) for key in {**expected, **found} if found.get(key) != expected.get(key)]
    return f" ({len(differing)} differ, the first is {differing[0]})" if differing else ""
