"""What faces ask of conflicts: which there are, both sides of one, and how it goes with the peers.

Owner: nobody; functions only. A version that somebody may not read is shown to them by nothing, not even as a row.
"""

from __future__ import annotations

from collections.abc import Iterator

from engine.gate.memory_pages import Parameters, memory_of, shown_value
from engine.gate.queries import Sources
from engine.memory.browsing import called
from engine.memory.merging import dot_of
from engine.memory.resolving import Sides, name_of, sides_of, value_of
from engine.memory.store import Memory
from engine.memory.values import decode_value
from engine.model.conflict_rows import ConflictRow, ConflictSheet, ConflictSide
from engine.model.entry_rows import EntryValue, entry_at, path_of
from engine.model.errors import FleetError, NotFound
from engine.model.memory import Action, EntryId, Principal
from engine.model.replication import Carried

CONFLICTS_MAX = 2_000
"""Rows of an answer."""


async def conflicts(sources: Sources, principal: Principal, _parameters: Parameters) -> object:
    """Return ConflictRows by field, those of versions that somebody may read, in the order of their entries."""
    memory = memory_of(sources)
    rows = [row for id_ in memory.entries.in_conflict() for row in _rows(memory, principal, id_)]
    return [row._asdict() for row in rows[:CONFLICTS_MAX]]


async def conflict(sources: Sources, principal: Principal, parameters: Parameters) -> object:
    """Return the ConflictSheet of an entry, with `whole` values of any length. Raises NotFound."""
    memory, id_ = memory_of(sources), entry_at(str(parameters.get("id") or "").split("#")[0])
    sides = sides_of(memory, principal, id_)
    is_whole = parameters.get("whole") is True
    named = [("", sides.winner), *((name_of(dot_of(one.head)), one) for one in sides.losers)]
    shown = tuple(_side(memory, principal, one, name, is_whole=is_whole) for name, one in named)
    return ConflictSheet(path_of(id_), id_.key, called(memory, id_.owner), id_.namespace, id_.owner, _may_resolve(memory, principal, sides), shown)


async def peers(sources: Sources, _principal: Principal, _parameters: Parameters) -> object:
    """Return how it goes with each engine that entries are exchanged with."""
    return sources.exchanging.states() if sources.exchanging else ()


def _rows(memory: Memory, principal: Principal, id_: EntryId) -> Iterator[ConflictRow]:
    try:
        sides = sides_of(memory, principal, id_)
    except NotFound:
        return
    won = sides.winner.head
    for one in sides.losers:
        lost, name = one.head, name_of(dot_of(one.head))
        yield ConflictRow(
            f"{path_of(id_)}#{name}",
            id_.key,
            called(memory, id_.owner),
            id_.namespace,
            won.permissions.level,
            name,
            called(memory, won.writer),
            won.updated_at,
            won.version,
            won.size,
            won.is_deleted,
            called(memory, lost.writer),
            lost.updated_at,
            lost.version,
            lost.size,
            lost.is_deleted,
            memory.entries.instant_of(lost.record),
            _may_resolve(memory, principal, sides),
            id_.owner,
        )


def _may_resolve(memory: Memory, principal: Principal, sides: Sides) -> bool:
    """Answer whether somebody may settle a conflict; of versions for others, only who may say who reads them."""
    acl, won = memory.settings.acl, sides.winner.head
    needed = [Action.WRITE, *([Action.PERMIT] if any(one.head.permissions != won.permissions for one in sides.losers) else [])]
    return all(acl.may(principal, action, won).allowed for action in needed)


def _side(memory: Memory, principal: Principal, one: Carried, name: str, *, is_whole: bool) -> ConflictSide:
    head = one.head
    return ConflictSide(
        name,
        called(memory, head.writer),
        head.updated_at,
        head.version,
        head.permissions.level,
        head.kind,
        head.size,
        " ".join(head.tags),
        head.is_deleted,
        _value(memory, principal, one, is_whole=is_whole),
    )


def _value(memory: Memory, principal: Principal, one: Carried, *, is_whole: bool) -> EntryValue:
    if one.head.is_deleted:
        return EntryValue(refused="deleted: there is no value")
    verdict = memory.settings.acl.may(principal, Action.READ, one.head)
    if not verdict.allowed:
        return EntryValue(refused=verdict.because)
    try:
        return shown_value(decode_value(one.head.media, value_of(memory, one)), whole=is_whole)
    except FleetError as error:
        return EntryValue(refused=str(error))
