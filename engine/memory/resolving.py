"""How people settle conflicts: keep what won, take what lost, or store something made of both.

Owner: nobody; functions on a Memory. Nothing is lost by it: each version that lost becomes a version of the entry's history
before the one that settles.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec

from engine.memory.changing import Change, Delete, Store, no_entry, require
from engine.memory.merging import dot_of, is_reopened
from engine.memory.store import Memory
from engine.memory.values import EMBEDDING, Encoded
from engine.model.errors import Conflict, NotFound, UsageError
from engine.model.memory import Action, Dot, EntryId, Head, Principal, StoreOptions
from engine.model.replication import Carried


class Sides(NamedTuple):
    """The versions of an entry that are in conflict."""

    winner: Carried
    losers: Sequence[Carried]


def name_of(dot: Dot) -> str:
    """Return a version's name as people type it."""
    return f"{dot.life}.{dot.number}"


def sides_of(memory: Memory, principal: Principal, id_: EntryId) -> Sides:
    """Return the versions of an entry, a deleted one, too; a loser that somebody may not read is left out. Raises NotFound."""
    acl = memory.settings.acl
    head = memory.shelf.heads((id_,)).get(id_)
    if head is None or not acl.may_know(principal, head):
        raise no_entry(id_)
    losers = [loser for loser in memory.shelf.losers(head) if acl.may(principal, Action.READ, loser.head).allowed]
    if not losers:
        raise NotFound(f"{id_} has no conflict, or none that is for you; `conflicts` lists those there are")
    return Sides(memory.shelf.carried(head), losers)


def value_of(memory: Memory, one: Carried) -> bytes:
    """Return a version's value as JSON, opened. Raises NotFound, EncryptionError."""
    kept = memory.entries.artifact_now(one.head.artifact) if one.head.artifact else bytes(one.value)
    if kept is None:
        raise NotFound(f"a value of {one.head.id} is not kept any more")
    return memory.seal.open(one.head, kept)


def changes_for(memory: Memory, principal: Principal, id_: EntryId, *, take: str, merged: Callable[[Head], Store] | None) -> list[Change]:
    """Return what settles a conflict: the losers as versions of history, then what is to be read from now on. Raises NotFound, UsageError."""
    sides = sides_of(memory, principal, id_)
    chosen = _chosen(sides, take)
    if merged is not None:
        last: Store | Delete = merged(sides.winner.head)
    else:
        last = Delete(principal, id_) if chosen.head.is_deleted else _again(memory, principal, chosen)
    history = [loser for loser in sides.losers if loser is not chosen and not loser.head.is_deleted]
    return [*(_again(memory, principal, loser) for loser in history), _settling(memory, last)]


def with_conflicts(memory: Memory, change: Store | Delete, record: int) -> Store | Delete:
    """Return a change that settles the conflicts of its entry, too (record 0), or opens those again that a record settled.

    Raises NotFound, Conflict, Denied.
    """
    if not record:
        return _settling(memory, change)
    id_, acl = change.id, memory.settings.acl
    again = memory.entries.settled_at(record, id_)
    if not again:
        raise NotFound(f"record {record} settled no conflict of {id_}, or is not kept any more; `memory --history` shows its versions. Nothing was changed")
    here = memory.shelf.heads((id_,))[id_]
    if any(is_reopened(loser.head) for loser in memory.shelf.losers(here)):
        raise Conflict(f"conflicts of {id_} are open again already; settle these first: `memory conflicts` shows them. Nothing was changed")
    if any(one.head.permissions != here.permissions for one in again):
        require(change.principal, Action.PERMIT, here, acl)
    for one in again:
        if not one.head.is_deleted:
            value_of(memory, one)
    return msgspec.structs.replace(change, reopens=tuple(again))


def _settling(memory: Memory, change: Store | Delete) -> Store | Delete:
    here = memory.shelf.heads((change.id,)).get(change.id)
    return msgspec.structs.replace(change, settles=True, settled=tuple(memory.shelf.losers(here)) if here else ())


def _chosen(sides: Sides, take: str) -> Carried:
    """Return the version that somebody means: by its name, its place among the losers from 1, or empty for the winner."""
    if not take:
        return sides.winner
    names = {name_of(dot_of(loser.head)): loser for loser in sides.losers} | {str(place): loser for place, loser in enumerate(sides.losers, 1)}
    if take not in names:
        raise UsageError(f"no version {take!r} lost; there are {', '.join(names)}")
    return names[take]


def _again(memory: Memory, principal: Principal, one: Carried) -> Store:
    """Return what stores a version once more."""
    head = one.head
    options = StoreOptions(head.id.namespace, head.id.owner, head.kind, head.permissions, head.ttl_s or 0.0, None, head.tags, head.metadata)
    embedding = memory.seal.open(head, one.embedding, EMBEDDING) if one.embedding else b""
    return Store(principal, head.id, Encoded(head.media, value_of(memory, one)), options, None, embedding, head.embedder)
