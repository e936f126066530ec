"""Events about entries in the making: what several callers want in one pass becomes as few records as can be.

Owner: `Draft`, of one pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from engine.memory.changing import NULL, Change, Delete, Permit, Rules, Store, decide_change
from engine.memory.merging import reopened
from engine.memory.values import EMBEDDING, VALUE_INLINE_MAX, Seal, address_of
from engine.model.artifacts import StoredArtifact
from engine.model.events import Event
from engine.model.memory import Dot, EntryId, Head
from engine.model.memory_events import MemoryChanged, MemoryConflicted, MemoryPermitted
from engine.model.replication import Carried

EVENT_ENTRIES_MAX = 1_000
EVENT_BYTES_MAX = 4 * 1024 * 1024


@dataclass(slots=True)
class _Group:
    """What becomes one event: values that change, or permissions that do."""

    is_permitting: bool
    changes: list[Change] = field(default_factory=list)
    heads: list[Head] = field(default_factory=list)
    bytes: int = 0


class Draft:
    """Decides changes one after the other, each on top of those before it."""

    def __init__(self, first_record: int, heads: dict[EntryId, Head], now: float, rules: Rules) -> None:
        """Begin at the number of the next record, with the heads of all entries that will be asked for."""
        self.heads = heads
        self._first = first_record
        self._now = now
        self._rules = rules
        self._dot = Dot(rules.life, first_record)
        self._groups: list[_Group] = []
        self._settled: list[tuple[EntryId, Dot]] = []
        """Conflicts that changes stand for."""
        self._kept: list[Carried] = []
        """Those that undo is to open again."""
        self._reopened: list[Carried] = []

    def decide(self, changes: Sequence[Change]) -> list[Head]:
        """Return the heads after changes, all of them or none. Raises FleetError."""
        if len(changes) == 1:
            return [self._one(changes[0])]
        before = {change.id: self.heads.get(change.id) for change in changes}
        mark = len(self._groups), len(self._groups[-1].heads) if self._groups else 0
        noted = [(found, len(found)) for found in (self._settled, self._kept, self._reopened)]
        try:
            return [self._one(change) for change in changes]
        except BaseException:
            self._undo(before, mark)
            for found, length in noted:
                del found[length:]
            raise

    def _one(self, change: Change) -> Head:
        old = self.heads.get(change.id)
        head = decide_change(change, old, self._now, self._rules, self._dot)
        self._note_conflicts(change, old, head)
        group = self._group_for(change, head.size)
        group.changes.append(change)
        group.heads.append(head)
        group.bytes += head.size
        self.heads[change.id] = here = msgspec.structs.replace(head, record=self._first + len(self._groups) - 1)
        return here

    def _note_conflicts(self, change: Change, old: Head | None, head: Head) -> None:
        if old is not None and old.rivals and not head.rivals:
            self._settled += [(head.id, dot) for dot in old.rivals]
        if not isinstance(change, Permit) and (change.settled or change.reopens):
            heads = reopened([one.head for one in change.reopens], self._dot)
            self._kept += change.settled
            self._reopened += [msgspec.structs.replace(one, head=again) for one, again in zip(change.reopens, heads, strict=True)]

    def _group_for(self, change: Change, size: int) -> _Group:
        is_permitting = isinstance(change, Permit)
        last = self._groups[-1] if self._groups else None
        if last is None or last.is_permitting is not is_permitting or last.bytes + size > EVENT_BYTES_MAX or len(last.heads) >= EVENT_ENTRIES_MAX:
            last = _Group(is_permitting)
            self._groups.append(last)
        return last

    def _undo(self, before: dict[EntryId, Head | None], mark: tuple[int, int]) -> None:
        groups, length = mark
        del self._groups[groups:]
        if groups:
            last = self._groups[-1]
            del last.heads[length:]
            del last.changes[length:]
            last.bytes = sum(head.size for head in last.heads)
        for id_, head in before.items():
            if head is None:
                self.heads.pop(id_, None)
            else:
                self.heads[id_] = head

    def finish(self, seal: Seal) -> tuple[list[Event], list[StoredArtifact]]:
        """Return the events, and the large values that they name. Raises FleetError when values cannot be sealed."""
        events: list[Event] = []
        artifacts: list[StoredArtifact] = []
        for group in self._groups:
            if group.is_permitting:
                events.append(MemoryPermitted(tuple(group.heads)))
            else:
                events.append(_changed(group, seal, artifacts))
        if self._settled or self._reopened:
            events.append(MemoryConflicted((), tuple(self._reopened), tuple(self._settled), tuple(self._kept)))
        return events, artifacts


def _changed(group: _Group, seal: Seal, artifacts: list[StoredArtifact]) -> MemoryChanged:
    stores = [place for place, change in enumerate(group.changes) if isinstance(change, Store)]
    plain = [change.value.data for change in group.changes if isinstance(change, Store)]
    sealed = seal.seal([group.heads[place] for place in stores], plain)
    values = [NULL] * len(group.heads)
    embeddings: dict[int, bytes] = {}
    for place, kept in zip(stores, sealed, strict=True):
        head = group.heads[place]
        if head.size > VALUE_INLINE_MAX:
            address = address_of(kept)
            artifacts.append(StoredArtifact(address, head.media, kept, ""))
            group.heads[place] = msgspec.structs.replace(head, artifact=address)
        else:
            values[place] = kept
        change = group.changes[place]
        assert not isinstance(change, Delete | Permit)
        if change.embedding:
            embeddings[place] = seal.seal([group.heads[place]], [change.embedding], EMBEDDING)[0]
    return MemoryChanged(tuple(group.heads), embeddings, tuple(msgspec.Raw(value) for value in values))
