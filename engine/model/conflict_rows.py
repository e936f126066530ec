"""Conflicts of memory as rows: which versions of an entry lost against the one that everybody reads, never a value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from engine.model.entry_rows import EntryValue


class ConflictRow(NamedTuple):
    """A version that lost, beside the one that won. Instants in epoch seconds, sizes in bytes."""

    id: str
    """Path of the entry and, after a `#`, the name of the version that lost."""
    key: str
    owner: str
    """What people call its owner."""
    namespace: str
    level: str
    """Of the version that won."""
    take: str
    """The name of the version that lost, as `resolve --take` wants it."""
    won_by: str
    """Who wrote the version that won."""
    won_at: float
    won_version: int
    won_size: int
    won_deleted: bool
    lost_by: str
    lost_at: float
    lost_version: int
    lost_size: int
    lost_deleted: bool
    since: float
    """When the conflict was seen here."""
    may_resolve: bool
    owner_id: str


@dataclass(frozen=True, slots=True)
class ConflictSide:
    """One of the versions."""

    name: str
    """As `resolve --take` wants it; empty for the one that won."""
    writer: str
    at: float
    version: int
    level: str
    kind: str
    size: int
    tags: str
    is_deleted: bool
    value: EntryValue


@dataclass(frozen=True, slots=True)
class ConflictSheet:
    """An entry with all its versions, the one that won first."""

    id: str
    """Path of the entry."""
    key: str
    owner: str
    namespace: str
    owner_id: str
    may_resolve: bool
    sides: tuple[ConflictSide, ...]
