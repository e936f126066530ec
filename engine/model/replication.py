"""What two engines say to each other when they exchange entries of memory; `Replica` is what each offers the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import msgspec

from engine.model.memory import Head


class Mark(msgspec.Struct, frozen=True, omit_defaults=True):
    """How far somebody knows the changes of an engine; none = nothing of them."""

    record: int = 0
    seal: str = ""
    """Tells this record from another one with its number, as after a restored backup."""


START = Mark()


class Progress(msgspec.Struct, frozen=True, omit_defaults=True):
    """How far an engine and a peer are with each other."""

    pulled: Mark = START
    """Of the peer's changes, those that are here."""
    pushed: Mark = START
    """Of the changes here, those that the peer has."""
    at: float = 0.0
    """When that was."""


class Carried(msgspec.Struct, frozen=True, omit_defaults=True):
    """A version of an entry with its value, as both are kept."""

    head: Head
    value: msgspec.Raw = msgspec.Raw(b"null")
    """`null` for what is deleted and, in a record, for what is large."""
    embedding: bytes = b""


class WrappedKey(msgspec.Struct, frozen=True):
    """A key that values of one owner are sealed with, itself wrapped: of use only to who has the wrapping key."""

    id: str
    subject: str
    kek: str
    """Which wrapping key."""
    wrapped: bytes
    made_at: float


class Batch(msgspec.Struct, frozen=True, omit_defaults=True):
    """Changes since a mark, oldest first; each entry with all its versions that nobody replaced, the winner first."""

    until: Mark
    """Where the next batch begins."""
    at: float
    """The sender's clock."""
    entries: tuple[tuple[Carried, ...], ...] = ()
    is_last: bool = True
    is_anew: bool = False
    """The mark was none of this engine's: this begins with its oldest changes."""
    left_out: tuple[str, ...] = ()
    """Entries too large to travel."""
    keys: tuple[WrappedKey, ...] = ()
    digest: str = ""
    """Over all the rest, with the secret that both sides know."""


class Taken(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of a batch."""

    changed: int = 0
    """Entries that are another version now."""
    conflicts: int = 0
    """Versions that lost, and that nobody had known of."""
    known: int = 0
    """Entries of which nothing was new."""


@dataclass(frozen=True, slots=True)
class PeerState:
    """How it goes with an engine that entries are exchanged with, since this one started."""

    address: str
    at: float = 0.0
    """When the last exchange was done; 0 = never."""
    tried_at: float = 0.0
    next_at: float = 0.0
    problem: str = ""
    """Why the last one failed."""
    failures: int = 0
    """In a row."""
    taken: int = 0
    """Entries that came and are another version now."""
    given: int = 0
    conflicts: int = 0
    """Versions that lost, found here."""
    left_out: int = 0
    """Entries of the last exchange that are too large to travel."""
    skew_s: float = 0.0
    """How far its clock is ahead of this one's."""
    last: tuple[int, int] = (0, 0)
    """Entries that came and went the last time."""


@runtime_checkable
class Replica(Protocol):
    """An engine whose memory may be exchanged. Both calls may be repeated: what is known already changes nothing."""

    async def changes_since(self, mark: Mark) -> Batch:
        """Return the next changes after a mark. Raises FleetError."""
        ...

    async def offer(self, batch: Batch) -> Taken:
        """Take a batch in, all of it or nothing; durable on return. Raises FleetError."""
        ...
