"""What the fleet remembers: entries, who may see them, and how they are stored, asked for and filtered."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

import msgspec

from engine.model.memory_words import Kind, Level
from engine.model.verbs import Role

DEFAULT_NAMESPACE = "default"
KEY_MAX = 512
"""Characters of a namespace, an owner or a key."""

WIDENING = (Level.PRIVATE, Level.TEAM, Level.SWARM, Level.PUBLIC)
"""The levels from the narrowest to the widest."""


class Action(StrEnum):
    """What somebody does with an entry."""

    READ = "read"
    CREATE = "create"
    WRITE = "write"
    """Overwrite."""
    DELETE = "delete"
    PERMIT = "permit"
    """Change who may do what."""


@dataclass(frozen=True, slots=True)
class Permissions:
    """The level of an entry, and who may do more than it says (ids of agents, names of operators)."""

    level: Level = Level.PRIVATE
    read: tuple[str, ...] = ()
    write: tuple[str, ...] = ()
    delete: tuple[str, ...] = ()


class EntryId(NamedTuple):
    """What names an entry; two owners may use the same key."""

    namespace: str
    owner: str
    key: str

    def __str__(self) -> str:
        """Return it as people read it."""
        place = "" if self.namespace == DEFAULT_NAMESPACE else f"{self.namespace}/"
        return f"{place}{self.owner}/{self.key}"


NO_PERMISSIONS = Permissions()
JSON = "application/json"


class Dot(NamedTuple):
    """Names a version of an entry for all engines: who made it, and when by its own count."""

    life: str
    """An engine from one start to the next; with a `-` before it, the end by age of a version of that engine."""
    number: int
    """Grows with every version of an entry that the engine makes in this life."""


class Head(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """All of an entry but its value: enough to decide. What is as by default takes no room in its JSON."""

    id: EntryId
    kind: Kind = Kind.SEMANTIC
    permissions: Permissions = NO_PERMISSIONS
    team: str = ""
    """The owner's pool when it was stored."""
    swarm: str = ""
    """The owner's swarm when it was stored."""
    writer: str = ""
    """Who wrote this version."""
    version: int = 1
    created_at: float = 0.0
    updated_at: float = 0.0
    ttl_s: float | None = None
    expires_at: float | None = None
    is_deleted: bool = False
    """A tombstone: it keeps the version, so that an older copy never comes back."""
    tags: tuple[str, ...] = ()
    metadata: dict[str, object] = {}
    media: str = JSON
    size: int = 0
    """Bytes of the value's JSON."""
    artifact: str = ""
    """Where a large value is; empty = with the entry."""
    value_version: int = 0
    """The version that brought the value, if a later one only changed who may use it; 0 = this one."""
    embedder: str = ""
    """What made the embedding; empty = there is none."""
    record: int = 0
    """Number of the record that wrote this version; 0 in the record itself."""
    previous: int = 0
    """Number of the record that wrote the version before: the way back through its history; 0 = none."""
    lineage: tuple[Dot, ...] = ()
    """What its writer knew of the entry: the newest version of each life, at last its own name; empty = from before there was one."""
    spared: tuple[Dot, ...] = ()
    """Versions that the lineage covers and this one does not replace: conflicts that its writer left open."""
    rivals: tuple[Dot, ...] = ()
    """The conflicts that this engine keeps of the entry; no part of the version, and never sent."""
    heard: tuple[Dot, ...] = ()
    """What the rivals' writers knew beside the lineage; no part of the version, and never sent."""

    def is_there(self, now: float) -> bool:
        """Answer whether it is neither deleted nor expired."""
        return not self.is_deleted and (self.expires_at is None or now < self.expires_at)


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry with its value."""

    head: Head
    value: Any


@dataclass(frozen=True, slots=True)
class ChangedEntry:
    """What a verb about an entry answers."""

    namespace: str
    owner: str
    key: str
    version: int
    record: int
    previous: int
    """The record that wrote the version before; 0 = none."""
    conflicts: int = -1
    """What takes back what it did to conflicts of the entry, as `memory.restore` wants it; -1 = nothing was done to them."""


@dataclass(frozen=True, slots=True)
class Consolidated:
    """What became of episodes."""

    episodes: int
    """They are tombstones now."""
    summaries: int
    owners: int


class PrincipalKind(StrEnum):
    """What acts: a program that works, a person, or the engine itself."""

    AGENT = "agent"
    OPERATOR = "operator"
    ENGINE = "engine"


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks: an agent by id, pool and swarm, or an operator by name and role."""

    name: str
    kind: PrincipalKind = PrincipalKind.AGENT
    pool: str = ""
    swarm: str = ""
    role: Role = Role.VIEWER
    """Of an operator; nothing for an agent."""

    @property
    def is_admin(self) -> bool:
        """Answer whether everything is open to it."""
        return self.kind is PrincipalKind.ENGINE or (self.kind is PrincipalKind.OPERATOR and self.role >= Role.ADMIN)


@dataclass(frozen=True, slots=True)
class StoreOptions:
    """How a value is stored; None = as the entry has it, or the default of a new one."""

    namespace: str = DEFAULT_NAMESPACE
    owner: str = ""
    """Empty = whoever stores it."""
    kind: Kind | None = None
    permissions: Permissions | None = None
    ttl_s: float | None = None
    """None = of its kind; 0 = for ever."""
    expected_version: int | None = None
    """Store only if the entry has this version now; 0 = only if there is none."""
    tags: tuple[str, ...] = ()
    metadata: dict[str, object] = field(default_factory=dict)
    embedding: tuple[float, ...] | None = None
    """Of the value, made by the caller; all of one embedder have the same number of dimensions."""
    embedder: str = ""
    """What made the embedding; empty = not said. Named like the engine's own, it is found by texts, too."""


@dataclass(frozen=True, slots=True)
class RetrieveOptions:
    """Which entry of a key is meant."""

    namespace: str = DEFAULT_NAMESPACE
    owner: str = ""
    """Empty = one's own, else the only one that may be read."""


@dataclass(frozen=True, slots=True)
class MemoryFilter:
    """Which entries to list; what is empty is not asked."""

    namespace: str = ""
    owner: str = ""
    prefix: str = ""
    """How keys begin."""
    kinds: tuple[Kind, ...] = ()
    levels: tuple[Level, ...] = ()
    tags: tuple[str, ...] = ()
    """An entry has all of them."""
    since: float = 0.0
    """Changed at or after this instant."""
    until: float = 0.0
    limit: int = 100
    after: EntryId | None = None
    """The last entry of the page before; entries come in the order of their ids."""


class SearchBy(StrEnum):
    """How a search looks."""

    WORDS = "words"
    LIKENESS = "likeness"
    BOTH = "both"
    """By words and by likeness, joined by rank; by words alone where there are no vectors."""


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """What to look for beside the text of a query, and how much of it."""

    by: SearchBy = SearchBy.BOTH
    vector: tuple[float, ...] | None = None
    """Look for entries that brought embeddings like this one; None = like a text."""
    embedder: str = ""
    """What made the vector: entries with embeddings of the same are looked at; empty = of those whose embedder is not said."""
    like: str = ""
    """Look for entries like this text; empty = like the query."""
    only: MemoryFilter = MemoryFilter()
    """Which entries count; its limit and page do not."""
    limit: int = 20
    skip: int = 0
    """How many of the best to leave out: the pages before."""
    snippets: bool = False
    """With a piece of each value, around the words of the query."""


@dataclass(frozen=True, slots=True)
class Found:
    """An entry that a search found, best first."""

    head: Head
    score: float
    """By ranks alone: it says nothing of entries that may not be read."""
    by: tuple[SearchBy, ...]
    """What found it."""
    snippet: str = ""
    """A piece of its value, if one was asked for; empty for bytes and for values of more than 1 MB."""
