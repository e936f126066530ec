"""What filters can ask of each kind of row: its own fields, the columns by the names they have on the screen, and times.

Owner: nobody; values and pure functions. `kind_of(name)` is the only way in.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from operator import itemgetter
from typing import Any, Literal, get_type_hints

from engine.model.rows import row_type

_NUMBER = re.compile(r"(-?\d+(?:\.\d+)?)([A-Za-z%]*)")
_TIMES = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}
_UNITS: dict[str, dict[str, float]] = {
    "": {"": 1.0, "k": 1e3, "M": 1e6},
    "s": _TIMES,
    "%": {"": 0.01, "%": 0.01},
    "B": {"": 1.0, "B": 1.0, "kB": 1e3, "MB": 1e6, "GB": 1e9, "k": 1e3, "M": 1e6, "G": 1e9},
    "MB": {"": 1.0, "kB": 1e-3, "MB": 1.0, "GB": 1e3, "k": 1e-3, "M": 1.0, "G": 1e3},
}
_EXAMPLES = {"": "a number such as 7 or 2k", "s": "a time such as 30s, 5m, 2h or 1d", "%": "a percentage such as 80", "B": "an amount such as 200, 16kB or 1.5MB", "MB": "an amount such as 200 or 1.5GB"}
_WORDS = {"true": 1.0, "yes": 1.0, "false": 0.0, "no": 0.0}

Read = Callable[[Any, float], Any]


@dataclass(frozen=True, slots=True)
class Field:
    """One thing that can be compared."""

    read: Read
    """Row and instant to the value: a text, a number, or a truth."""
    type: Literal["text", "number", "bool"]
    unit: str = ""
    """`s`, `%` (of 1), `MB`, or empty: what a bare number means, and which endings it may have."""
    has_clock: bool = False
    """Whether it changes with time alone."""
    is_unknown: Callable[[Any], bool] | None = None
    """Tells rows whose value is not known: they meet no comparison of numbers."""

    def number_of(self, text: str) -> float | None:
        """Return what a value means, None if it means nothing here."""
        if self.type == "bool":
            return _WORDS.get(text.lower())
        match = _NUMBER.fullmatch(text)
        factor = _UNITS[self.unit].get(match[2]) if match else None
        return float(match[1]) * factor if match and factor is not None else None

    def describe_values(self) -> str:
        """Return what a value looks like."""
        return "yes or no" if self.type == "bool" else _EXAMPLES[self.unit]


@dataclass(frozen=True, slots=True)
class Kind:
    """What filters know of one kind of row."""

    name: str
    fields: Mapping[str, Field]
    name_index: int
    """Which field of a row names it."""
    strings: Callable[[Any], Iterable[str]]
    """Row to its texts."""
    columns: Mapping[str, int]
    """Fields of the row itself, to their places in it."""

    def texts(self, row: Any) -> str:  # noqa: ANN401  # the kind's own row
        """Return all texts of a row in lower case, each on a line of its own."""
        return "\n".join(self.strings(row)).lower()

    def values_of(self, name: str, rows: Iterable[Any]) -> list[str]:
        """Return the texts that a field has in some rows, in order; none for numbers."""
        known = self.fields.get(name)
        if known is None or known.type != "text":
            return []
        return sorted({str(known.read(row, 0.0)) for row in rows} - {""})


_UNIT_OF = {"cpu": "%", "rss_mb": "MB", "busy_s": "s", "mean_task_s": "s", "p50_s": "s", "last_s": "s", "load": "%", "utilization": "%", "efficiency": "%"}
_UNIT_IN_KIND = {("memory", "size"): "B", ("dead-events", "size_bytes"): "B"}
_NOT_MEASURED = frozenset({"cpu", "rss_mb", "p50_s", "speed_up", "utilization", "efficiency"})
_NAMES = ("name", "title", "key", "summary", "target", "subject", "agent", "id")
"""What names a row: the first of these that it has."""

_ALIASES: dict[str, dict[str, str]] = {
    "pools": {"pool": "id", "free": "idle", "done": "succeeded", "waiting": "pending"},
    "agents": {"agent": "name", "state": "status", "done": "succeeded", "mean": "mean_task_s", "worked": "busy_s"},
    "tasks": {"task": "title", "status": "state", "pri": "priority", "try": "attempt", "why": "reason", "by": "submitted_by"},
    "hosts": {"host": "id", "memory": "rss_mb"},
    "engines": {"engine": "id"},
    "plugins": {"plugin": "id"},
    "regions": {"region": "id", "p50": "rtt_s", "p99": "rtt_p99_s"},
    "advice": {"used": "efficiency", "what": "kind", "memory": "saves_memory_mb", "cores": "saves_cores"},
    "gangs": {"gang": "id", "pri": "priority", "by": "who", "why": "reason"},
    "reviews": {"review": "title", "task": "title", "into": "onto", "added": "insertions", "deleted": "deletions"},
    "plans": {"plan": "summary"},
    "memory": {"ver": "version", "by": "writer", "tag": "tags"},
    "alerts": {"alert": "message", "reads": "value"},
    "rules": {"rule": "id", "condition": "expr", "for": "for_s"},
    "silences": {"silence": "matchers"},
    "channels": {"channel": "id"},
    "notifications": {"notification": "title"},
    "dead-events": {"event": "type", "about": "key", "size": "size_bytes"},
    "instances": {"instance": "agent", "p50": "p50_s", "use": "load", "failed": "failures", "error": "last_error"},
}
"""Kind to what a column is called on the screen, to the field of the row behind it."""


def _field(kind: str, index: int, name: str, hint: type) -> Field:
    get = itemgetter(index)
    type_: Literal["text", "number", "bool"] = "bool" if hint is bool else "text" if hint is str else "number"
    unknown = (lambda row: row[index] < 0) if name in _NOT_MEASURED else None
    return Field(lambda row, _now: get(row), type_, _UNIT_IN_KIND.get((kind, name)) or _UNIT_OF.get(name, ""), is_unknown=unknown)


def _since(index: int) -> Field:
    return Field(lambda row, now: now - row[index], "number", "s", has_clock=True, is_unknown=lambda row: not row[index])


def _ran(row: Any, now: float) -> float:  # noqa: ANN401  # a TaskRow
    return float((row.finished_at if row.finished_at >= row.started_at else now) - row.started_at)


def _computed(kind: str, columns: Mapping[str, int]) -> dict[str, Field]:
    """Return what is not a field of the row, but follows from it."""
    found: dict[str, Field] = {}
    born = next((columns[name] for name in ("created_at", "submitted_at", "at") if name in columns), None)
    if born is not None:
        found["age"] = _since(born)
    if kind == "agents":
        found["for"] = _since(columns["updated_at"])
    if kind == "pools":
        found["queue"] = Field(lambda row, _now: row.pending - row.blocked, "number")
        found["oldest"] = _since(columns["oldest_pending_at"])
        found["use"] = Field(lambda row, _now: row.busy / row.agents, "number", "%", is_unknown=lambda row: not row.agents)
    if kind == "alerts":
        found["standing"] = Field(lambda row, _now: standing_of(row), "text")
        found["for"] = _since(columns["began_at"])
    if kind == "silences":
        found["ends"] = Field(lambda row, now: row.until - now, "number", "s", has_clock=True)
    if kind == "memory":
        found["changed"] = _since(columns["updated_at"])
        found["expires"] = Field(lambda row, now: row.expires_at - now, "number", "s", has_clock=True, is_unknown=lambda row: not row.expires_at)
    if kind == "tasks":
        found["wait"] = Field(lambda row, now: (row.leased_at or row.finished_at or now) - row.submitted_at, "number", "s", has_clock=True)
        found["run"] = Field(_ran, "number", "s", has_clock=True, is_unknown=lambda row: not row.started_at)
        found["error"] = Field(lambda row, _now: error_of(row), "text")
    return found


def error_of(row: Any) -> str:  # noqa: ANN401  # a TaskRow
    """Return the kind of error that a task ended with, empty if it did not: `timeout` of `timeout: took longer than 4 s`."""
    return row.reason.partition(":")[0] if row.state in ("failed", "dead") else ""


def standing_of(row: Any) -> str:  # noqa: ANN401  # an AlertRow
    """Return how an alert stands as far as somebody has to do with it.

    One of `firing`, `taken` (somebody takes care of it), `pending`, `silenced`, `explained` (by a graver one, or a halt), `resolved`.
    """
    if row.state == "resolved":
        return "resolved"
    if row.silenced_by:
        return "silenced"
    if row.inhibited_by:
        return "explained"
    return "taken" if row.acked_by and row.state == "firing" else str(row.state)


@cache
def kind_of(name: str) -> Kind:
    """Return what filters know of a kind of row."""
    row = row_type(name)
    hints = get_type_hints(row)
    columns = {field: index for index, field in enumerate(row._fields)}
    fields = {field: _field(name, index, field, hints[field]) for field, index in columns.items()}
    fields |= _computed(name, columns)
    fields |= {alias: fields[field] for alias, field in _ALIASES.get(name, {}).items()}
    texts = [index for field, index in columns.items() if hints[field] is str]
    assert len(texts) > 1
    name_index = next(columns[field] for field in _NAMES if field in columns)
    return Kind(name, fields, name_index, itemgetter(*texts), columns)
