"""The loads on which policies are compared, and what they ask of any autoscaler: peaks and real changes."""

from __future__ import annotations

import os
from heapq import heappop, heappush
from pathlib import Path
from typing import NamedTuple

from engine.model.scaling import Limits
from engine.scaling.backtest import PoolTrace
from engine.scaling.shapes import SHAPES, trace
from engine.scaling.traces import pool_traces, read_trace

SEED = 1
SEEDS = (1, 2, 3)
"""Of the shapes: a policy that fits one seed only is no good policy."""
SHAPE_S = 7_200.0
SIZE_MAX = 200
PUBLIC = "FLEET_BENCH_TRACE"
"""Environment: the file of a public trace (docs/scaling.md says which formats); nothing is fetched."""
SERVICE_S = 5.0
"""Of a task in a public trace that has no times of its own."""
_WINDOW_S = 120.0
_FACTOR = 2.0


class BenchLoad(NamedTuple):
    """One load: its name, the tasks, and how long it lasts."""

    name: str
    tasks: PoolTrace
    seconds: float


def bench_loads() -> list[BenchLoad]:
    """Return the four shapes by each seed, and the public trace when the environment names one."""
    limits = Limits(1, SIZE_MAX)
    loads = [BenchLoad(f"{shape} {seed}", trace(shape, seed, seconds=SHAPE_S, limits=limits), SHAPE_S) for shape in SHAPES for seed in SEEDS]
    if path := os.environ.get(PUBLIC):
        loads.append(public_load(Path(path)))
    return loads


def public_load(path: Path) -> BenchLoad:
    """Return the load of a trace file; all its tasks go to one pool. Raises UsageError."""
    tasks = [load._replace(pool="coder") for load in read_trace(path, pool="coder", service_s=SERVICE_S)]
    (one,), seconds = pool_traces(tasks, {"coder": Limits(1, SIZE_MAX)}, {})
    return BenchLoad(path.stem, one, seconds)


def peak_demand(load: PoolTrace) -> int:
    """Return the most tasks that are at work at once when none waits: the fixed size for the peak."""
    ends: list[float] = []
    most = 0
    for arrival, service in zip(load.arrivals, load.services, strict=True):
        while ends and ends[0] <= arrival:
            heappop(ends)
        heappush(ends, arrival + service)
        most = max(most, len(ends))
    return most


def real_changes(load: PoolTrace, seconds: float) -> int:
    """Return how often the load really turns: the mean demand of two minutes has doubled after a fall, or halved after a rise.

    A rise by less than two agents is none; neither is one that follows a rise.
    """
    levels = _levels(load, seconds)
    low = high = levels[0]
    changes = heading = 0
    for level in levels:
        low, high = min(low, level), max(high, level)
        if heading <= 0 and level >= max(low * _FACTOR, low + 2.0):
            changes, heading, low, high = changes + 1, 1, level, level
        elif heading >= 0 and level <= min(high / _FACTOR, high - 2.0):
            changes, heading, low, high = changes + 1, -1, level, level
    return changes


def _levels(load: PoolTrace, seconds: float) -> list[float]:
    """Return the agents that work if nothing waits, as means of whole windows; one at least."""
    levels = [0.0] * max(1, int(seconds // _WINDOW_S))
    for arrival, service in zip(load.arrivals, load.services, strict=True):
        at, end = arrival, arrival + service
        while at < end and (window := int(at // _WINDOW_S)) < len(levels):
            until = min(end, (window + 1) * _WINDOW_S)
            levels[window] += (until - at) / _WINDOW_S
            at = until
    return levels
