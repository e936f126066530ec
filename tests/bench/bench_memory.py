"""What the fleet remembers: how fast it is stored, read and found."""

from __future__ import annotations

from collections.abc import Callable

from tests.bench import memory_search, memory_store

PARTS = (memory_store, memory_search,)
ROWS = {name: unit for part in PARTS for name, unit in part.ROWS.items()}


def measure(report: Callable[[str, float, int, str], None]) -> None:
    """Report the rows of every part."""
    for part in PARTS:
        part.measure(report)
