"""The first cache: values that were read lately, as JSON, in this process. Asked only after the ACL has allowed it.

Owner: `ReadCache`, of its entries. Limits: bytes, the least recently read goes first; nothing is older than 30 s, and
an entry goes as soon as a change of it is durable. Own code, for libraries bound caches by number, not by bytes, or
need a wait for a hit.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

from engine.memory.entries import Kept
from engine.model.memory import EntryId

TTL_S = 30.0
OVERHEAD_BYTES = 1_300
"""What an entry takes beside its value: head, id, and the cache's own; by tracemalloc, with a tag and a name on a list."""


@dataclass(slots=True)
class CacheFigures:
    """What a cache has done since it began."""

    hits: int = 0
    misses: int = 0
    evicted: int = 0
    """Gone to make room."""
    invalidated: int = 0
    """Gone because the entry changed."""
    entries: int = 0
    bytes: int = 0

    @property
    def hit_rate(self) -> float | None:
        """Return the share of reads that it answered; None before the first one."""
        asked = self.hits + self.misses
        return self.hits / asked if asked else None


class ReadCache:
    """Entries by id, least recently read first."""

    def __init__(self, max_bytes: int, ttl_s: float = TTL_S) -> None:
        self.figures = CacheFigures()
        self._max_bytes = max_bytes
        self._ttl_s = ttl_s
        self._kept: OrderedDict[EntryId, tuple[float, Kept]] = OrderedDict()

    def get(self, id_: EntryId, now: float) -> Kept | None:
        """Return an entry that was put in within the last 30 s, or None."""
        found = self._kept.get(id_)
        if found is not None and now < found[0]:
            self.figures.hits += 1
            self._kept.move_to_end(id_)
            return found[1]
        self.figures.misses += 1
        if found is not None:
            self._drop(id_)
        return None

    def put(self, kept: Kept, now: float) -> None:
        """Keep an entry as it is in the database; what was read longest ago makes room."""
        id_, size = kept[0].id, _size(kept)
        if id_ in self._kept:
            self._drop(id_)
        if size > self._max_bytes:
            return
        self._kept[id_] = (now + self._ttl_s, kept)
        figures = self.figures
        figures.bytes += size
        figures.entries += 1
        while figures.bytes > self._max_bytes:
            self._drop(next(iter(self._kept)))
            figures.evicted += 1

    def forget(self, ids: Iterable[EntryId]) -> None:
        """Drop entries that have changed."""
        kept = self._kept
        for id_ in ids if kept else ():
            if id_ in kept:
                self._drop(id_)
                self.figures.invalidated += 1

    def clear(self) -> None:
        """Drop everything."""
        self._kept.clear()
        self.figures.entries = self.figures.bytes = 0

    def check(self) -> None:
        """Raise AssertionError if the figures contradict what is kept; for tests."""
        assert self.figures.bytes == sum(_size(kept) for _, kept in self._kept.values()) <= self._max_bytes
        assert self.figures.entries == len(self._kept)

    def _drop(self, id_: EntryId) -> None:
        _, kept = self._kept.pop(id_)
        self.figures.bytes -= _size(kept)
        self.figures.entries -= 1


def _size(kept: Kept) -> int:
    return len(kept[1]) + OVERHEAD_BYTES
