"""The facts about entries of memory; part of engine.model.events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import msgspec

from engine.model.memory import Dot, EntryId, Head
from engine.model.replication import Carried, Progress


@dataclass(frozen=True, slots=True)
class MemoryChanged:
    """Entries of memory were stored, or deleted: then the head is a tombstone."""

    type: ClassVar[str] = "memory.changed"
    heads: tuple[Head, ...]
    embeddings: dict[int, bytes]
    """Place among the heads -> the entry's embedding as little-endian float32."""
    values: tuple[msgspec.Raw, ...]
    """One for each head: JSON as it is kept, `null` for what is deleted or large. The last field: see projections.py."""


@dataclass(frozen=True, slots=True)
class MemoryPermitted:
    """Others may do something with entries, or no longer; the values stay as they are."""

    type: ClassVar[str] = "memory.permitted"
    heads: tuple[Head, ...]


@dataclass(frozen=True, slots=True)
class MemoryPurged:
    """Tombstones were old enough to go."""

    type: ClassVar[str] = "memory.purged"
    entries: tuple[EntryId, ...]


@dataclass(frozen=True, slots=True)
class MemoryConflicted:
    """Versions lost against others and are kept for people, or are none any more beside what is there now."""

    type: ClassVar[str] = "memory.conflicted"
    heads: tuple[Head, ...]
    """Entries that stay as they are but for their conflicts, with the record that wrote them."""
    losers: tuple[Carried, ...] = ()
    settled: tuple[tuple[EntryId, Dot], ...] = ()
    kept: tuple[Carried, ...] = ()
    """Those of the settled that somebody settled here, in full: undo opens them again."""


@dataclass(frozen=True, slots=True)
class MemoryExchanged:
    """How far this engine and another one know each other's changes."""

    type: ClassVar[str] = "memory.exchanged"
    peer: str
    """Its address."""
    progress: Progress


ABOUT_MEMORY = frozenset({MemoryChanged, MemoryPermitted, MemoryPurged, MemoryConflicted})
