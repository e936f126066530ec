"""Traces of load, from files in our own and in public formats.

    *.jsonl   our own: {"at": 12.5, "pool": "coder", "service_s": 3.2} a line; `at` in seconds, any begin
    *.csv     our own with the header at,pool,service_s; or an Azure Functions 2019 invocation table (HashOwner,HashApp,
              HashFunction,Trigger,1..1440): its counts a minute are spread evenly, the service time is given by the caller
    *.swf     Standard Workload Format of the Parallel Workloads Archive: submit time (field 2) and run time (field 4)

Limits: TASKS_MAX tasks.
"""

from __future__ import annotations

import csv
import json
import math
from array import array
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from engine.model.errors import UsageError
from engine.model.scaling import Limits, Load
from engine.scaling.backtest import PoolTrace

TASKS_MAX = 5_000_000
START_S = 0.5
"""From a decision to an agent that works, unless measured."""
_OWN = ["at", "pool", "service_s"]
_MINUTE_S = 60.0


def read_trace(path: Path, *, pool: str, service_s: float) -> list[Load]:
    """Return the tasks of a trace file in order; `pool` and `service_s` are for formats that have none.

    Raises UsageError that names the line.
    """
    readers = {".jsonl": _jsonl, ".csv": _csv, ".swf": _swf}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise UsageError(f"{path}: no trace format {path.suffix!r}; there are {', '.join(readers)}")
    loads: list[Load] = []
    try:
        with path.open(encoding="utf-8", errors="replace", newline="") as file:
            for load in reader(path, file, pool, service_s):
                loads.append(_sound(load, path, len(loads) + 1))
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    if not loads:
        raise UsageError(f"{path} has no tasks")
    loads.sort()
    return loads


def _sound(load: Load, path: Path, number: int) -> Load:
    if not (math.isfinite(load.at) and math.isfinite(load.service_s) and load.service_s >= 0):
        raise UsageError(f"{path}: task {number} has at {load.at} and service_s {load.service_s}; both must be finite, none below 0")
    if number > TASKS_MAX:
        raise UsageError(f"{path} has more than {TASKS_MAX} tasks; cut it")
    return load


def pool_traces(loads: Iterable[Load], limits: Mapping[str, Limits], start_s: Mapping[str, float]) -> tuple[list[PoolTrace], float]:
    """Return one trace a pool, times from the first task, and the seconds until the last one arrives.

    A pool without limits gets 1..1000.
    """
    by_pool: dict[str, tuple[array[float], array[float]]] = {}
    first: float | None = None
    last = 0.0
    for load in loads:
        first = load.at if first is None else first
        last = load.at - first
        arrivals, services = by_pool.setdefault(load.pool, (array("d"), array("d")))
        arrivals.append(last)
        services.append(load.service_s)
    traces = [
        PoolTrace(pool, arrivals, services, limits.get(pool, Limits(1, 1_000)), start_s.get(pool, START_S))
        for pool, (arrivals, services) in by_pool.items()
    ]
    return traces, max(1.0, last)


def _jsonl(path: Path, lines: Iterable[str], pool: str, service_s: float) -> Iterator[Load]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
            yield Load(float(entry["at"]), str(entry.get("pool", pool)), float(entry.get("service_s", service_s)))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise UsageError(f'{path}:{number}: not {{"at": seconds, "pool": name, "service_s": seconds}}: {error}') from error


def _csv(path: Path, lines: Iterable[str], pool: str, service_s: float) -> Iterator[Load]:
    rows = csv.reader(lines)
    header = next(rows, [])
    if header[:4] == ["HashOwner", "HashApp", "HashFunction", "Trigger"]:
        yield from _azure(path, rows, pool, service_s)
    elif header == _OWN:
        for number, row in enumerate(rows, 2):
            try:
                at, name, service = row
                yield Load(float(at), name, float(service))
            except ValueError as error:
                raise UsageError(f"{path}:{number}: not at,pool,service_s: {error}") from error
    else:
        raise UsageError(f"{path}: the header is neither {','.join(_OWN)} nor that of an Azure Functions invocation table")


def _azure(path: Path, rows: Iterable[list[str]], pool: str, service_s: float) -> Iterator[Load]:
    counts: list[int] = []
    for number, row in enumerate(rows, 2):
        try:
            minutes = [int(cell or 0) for cell in row[4:]]
        except ValueError as error:
            raise UsageError(f"{path}:{number}: a count is no number: {error}") from error
        counts += [0] * (len(minutes) - len(counts))
        for minute, count in enumerate(minutes):
            counts[minute] += count
    for minute, count in enumerate(counts):
        for n in range(count):
            yield Load((minute + (n + 0.5) / count) * _MINUTE_S, pool, service_s)


def _swf(path: Path, lines: Iterable[str], pool: str, _service_s: float) -> Iterator[Load]:
    for number, line in enumerate(lines, 1):
        fields = line.split()
        if not fields or fields[0].startswith(";"):
            continue
        try:
            submitted, ran = float(fields[1]), float(fields[3])
        except (ValueError, IndexError) as error:
            raise UsageError(f"{path}:{number}: not a line of the Standard Workload Format: {error}") from error
        if ran >= 0:  # -1 = not known
            yield Load(submitted, pool, ran)
