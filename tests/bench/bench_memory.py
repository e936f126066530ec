"""What the fleet remembers: how fast it is stored, read and found."""

from __future__ import annotations

from collections.abc import Callable

from fleet_tui.bench import Goal

from tests.bench import memory_search, memory_second, memory_store

PARTS = (memory_store, memory_second, memory_search)
ROWS = {name: unit for part in PARTS for name, unit in part.ROWS.items()}
GOALS = {
    "memory.store_vs_rowwise": Goal(10),
    "memory.l1_hit_us": Goal(5, is_most=True),
    "memory.hit_rate_zipf": Goal(0.8),
    "memory.vector_10k_ms": Goal(1, is_most=True),
    "memory.vector_100k_ms": Goal(10, is_most=True),
}


def measure(report: Callable[[str, float, int, str], None]) -> None:
    """Report the rows of every part."""
    for part in PARTS:
        part.measure(report)
