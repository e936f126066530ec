"""Entries of memory as rows: what lists show of them, never a value. They are asked for in pages and never followed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from engine.model.errors import UsageError
from engine.model.memory import DEFAULT_NAMESPACE, EntryId, Permissions


class EntryRow(NamedTuple):
    """An entry that somebody may know of, and what they may do with it. Instants in epoch seconds, 0 = none; size in bytes."""

    id: str
    """Its path: see path_of()."""
    key: str
    owner: str
    """What people call its owner: an agent's name, else the id."""
    namespace: str
    level: str
    kind: str
    size: int
    version: int
    writer: str
    """Who wrote this version, as people call them."""
    created_at: float
    updated_at: float
    expires_at: float
    tags: str
    """With blanks between; empty for whoever may not read the entry."""
    owner_id: str
    record: int
    """Number of the record that wrote this version."""
    previous: int
    """Number of the record that wrote the version before; 0 = none."""
    may_read: bool
    may_write: bool
    may_delete: bool
    may_permit: bool


SORTS = ("key", "owner", "namespace", "level", "kind", "size", "version", "writer", "created_at", "updated_at", "expires_at", "tags")
"""Fields that the engine sorts by; owners and writers in the order of their ids."""


class EntryPage(NamedTuple):
    """A part of a list of entries."""

    rows: tuple[EntryRow, ...]
    cursors: tuple[str, ...]
    """Where the first and the last row stand, for pages before and after them: two, or none without rows."""
    is_more: bool
    """Whether others may follow, or were not looked at yet."""
    looked_at: str
    """Where to go on when entries were looked at and none of them passed; empty otherwise."""


def path_of(id_: EntryId) -> str:
    """Return an entry's name as one text: namespace/owner/key, a slash in the first two as %2F."""
    return "/".join((*(part.replace("%", "%25").replace("/", "%2F") for part in id_[:2]), id_.key))


def entry_at(path: str) -> EntryId:
    """Return the entry that a path names. Raises UsageError."""
    try:
        namespace, owner, key = path.split("/", 2)
    except ValueError as error:
        raise UsageError(f"{path!r} is no path of an entry: namespace/owner/key") from error
    namespace, owner = (part.replace("%2F", "/").replace("%25", "%") for part in (namespace, owner))
    return EntryId(namespace, owner, key)


def name_of(row: EntryRow) -> str:
    """Return what people call an entry."""
    place = "" if row.namespace == DEFAULT_NAMESPACE else f"{row.namespace}/"
    return f"{place}{row.owner}/{row.key}"


@dataclass(frozen=True, slots=True)
class EntryValue:
    """A value as far as it is shown."""

    refused: str = ""
    """Why there is none; empty = here it is."""
    is_bytes: bool = False
    text: str = ""
    """Its JSON, or the base64 of bytes; the beginning of it where that is long."""
    left_out: int = 0
    """Characters that the text lacks."""


@dataclass(frozen=True, slots=True)
class EntrySheet:
    """All that somebody may see of an entry."""

    row: EntryRow
    permissions: Permissions
    team: str
    """The owner's pool when it was stored."""
    ttl_s: float
    """0 = for ever."""
    metadata: dict[str, object]
    """Empty for whoever may not read the entry."""
    value: EntryValue


@dataclass(frozen=True, slots=True)
class EntryVersion:
    """A version of an entry without its value."""

    record: int
    version: int
    at: float
    writer: str
    """Who wrote it, as people call them."""
    level: str
    kind: str
    size: int
    did: str
    """stored, permitted or deleted."""
    reason: str
    """Why, as the audit has it; empty = nobody said, or a program did it."""
    plan: str
    """The plan that did it; empty = none."""


@dataclass(frozen=True, slots=True)
class Access:
    """Who may do something with an entry now."""

    action: str
    """read, write or delete."""
    agents: tuple[str, ...]
    """Their names: the first of them."""
    agents_count: int
    operators: tuple[str, ...]
    """Roles, then names beyond those."""
