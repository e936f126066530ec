"""Values on their way between engines: sealed ones stay sealed and bring their wrapped keys; plain ones are sealed where that is on.

Owner: nobody; a `Travel` asks the seal. All calls may block: call them in a thread. A wrapped key is of use only to an engine
that has the same wrapping key.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

import msgspec

from engine.memory.envelopes import PREFIX, key_id_of
from engine.memory.sealing import Sealing
from engine.memory.values import EMBEDDING, VALUE, Seal
from engine.model.errors import EncryptionError, Erased
from engine.model.memory import Head
from engine.model.replication import Carried, WrappedKey

Entries = Sequence[tuple[Carried, ...]]


class Travel(Protocol):
    """Makes values ready to leave, and to stay."""

    def pack(self, entries: Entries) -> tuple[Entries, Sequence[WrappedKey]]:
        """Return entries as they leave, and the keys that they need."""
        ...

    def unpack(self, entries: Entries, keys: Sequence[WrappedKey]) -> Entries:
        """Return entries as they are kept here. Raises EncryptionError for what does not open here."""
        ...


def travel_of(seal: Seal) -> Travel:
    """Return how values travel to and from an engine that keeps them so."""
    return SealedTravel(seal) if isinstance(seal, Sealing) else PlainTravel()


class PlainTravel:
    """For an engine that has no keys."""

    def pack(self, entries: Entries) -> tuple[Entries, Sequence[WrappedKey]]:
        """Return them."""
        return entries, ()

    def unpack(self, entries: Entries, keys: Sequence[WrappedKey]) -> Entries:  # noqa: ARG002  # travels get both
        """Return them. Raises EncryptionError for sealed ones."""
        for one in _each(entries):
            if _key_ids(one):
                raise EncryptionError(
                    f"{one.head.id} is sealed, and this engine has no keys: give it the other one's wrapping key ([memory.encryption]); nothing was taken"
                )
        return entries


class SealedTravel:
    """For an engine that has keys."""

    def __init__(self, sealing: Sealing) -> None:
        self._sealing = sealing

    def pack(self, entries: Entries) -> tuple[Entries, Sequence[WrappedKey]]:
        """Return entries whose keys were not destroyed, and these keys."""
        wanted = {key_id for one in _each(entries) for key_id in _key_ids(one)}
        keys = self._sealing.ring.wrapped(wanted)
        known = {key.id for key in keys}
        there = [tuple(one for one in versions if _key_ids(one) <= known) for versions in entries]
        return [versions for versions in there if versions], keys

    def unpack(self, entries: Entries, keys: Sequence[WrappedKey]) -> Entries:
        """Return entries, sealed where this engine seals; those of somebody who was erased here are left out."""
        self._sealing.ring.adopt(keys)
        kept = [tuple(here for one in versions if (here := self._here(one)) is not None) for versions in entries]
        return [versions for versions in kept if versions]

    def _here(self, one: Carried) -> Carried | None:
        if one.head.is_deleted:
            return one
        try:
            value = msgspec.Raw(self._part(one.head, bytes(one.value), VALUE))
            embedding = self._part(one.head, one.embedding, EMBEDDING) if one.embedding else b""
        except Erased:
            return None
        return Carried(one.head, value, embedding)

    def _part(self, head: Head, kept: bytes, part: str) -> bytes:
        """Return a part as it is kept here. Raises Tampered, KeyMissing, KeyWrong, Erased."""
        if kept.startswith(PREFIX):
            self._sealing.open(head, kept, part)
            return kept
        return self._sealing.seal([head], [kept], part)[0]


def _each(entries: Entries) -> Iterable[Carried]:
    return (one for versions in entries for one in versions)


def _key_ids(one: Carried) -> set[str]:
    return {key_id_of(kept) for kept in (bytes(one.value), one.embedding) if kept.startswith(PREFIX)}
