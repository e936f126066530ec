"""How the layers answer that memory reads through, as counts since the engine began."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CacheLayer:
    """One layer: `L1` the process, `L2` Redis, `L3` the database."""

    hits: int
    misses: int
    """Reads that it had no answer for; of L2 also those that it did not answer in time."""
    hit_rate: float | None
    """The share that it answered of what it was asked; None before the first read."""
    is_asked: bool = True
    """Whether reads go to it now."""


def cache_layer(hits: int, misses: int, *, is_asked: bool = True) -> CacheLayer:
    """Return a layer that answered so many reads, and so many not."""
    return CacheLayer(hits, misses, hits / (hits + misses) if hits or misses else None, is_asked)
