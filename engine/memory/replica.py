"""This engine's memory as a replica: gives its changes to others, and takes theirs in.

Owner: nobody; `LocalReplica` looks at a Memory. Taking decides and applies in one go, like every change of memory; a batch
that was taken before changes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import msgspec

from engine.clock import Clock
from engine.memory.batches import is_signed, read_changes, signed
from engine.memory.changing import NULL
from engine.memory.database import Database
from engine.memory.gathering import Keeper
from engine.memory.merging import dot_of
from engine.memory.store import Memory
from engine.memory.taking import Outcome, as_sent, check_carried, decide_taking
from engine.memory.traveling import travel_of
from engine.memory.values import VALUE_INLINE_MAX, address_of
from engine.model.artifacts import StoredArtifact
from engine.model.errors import Tampered
from engine.model.events import Event
from engine.model.memory import Dot, EntryId, Head
from engine.model.memory_events import MemoryChanged, MemoryConflicted
from engine.model.plans import Origin
from engine.model.replication import Batch, Carried, Mark, Taken

SECRET_VARIABLE = "FLEET_SYNC_SECRET"
"""The environment variable of a secret that all peers share: without it a digest tells damage, and no forgery."""
STEP = 50
"""Entries decided before others get their turn again: some milliseconds."""


@dataclass(slots=True)
class _Made:
    """Events and large values in the making."""

    taken: list[int] = field(default_factory=lambda: [0, 0, 0])
    changed: list[Carried] = field(default_factory=list)
    heads: list[Head] = field(default_factory=list)
    losers: list[Carried] = field(default_factory=list)
    settled: list[tuple[EntryId, Dot]] = field(default_factory=list)
    artifacts: list[StoredArtifact] = field(default_factory=list)

    def events(self) -> list[Event]:
        """Return what is to be kept."""
        events: list[Event] = []
        if self.changed:
            embeddings = {place: one.embedding for place, one in enumerate(self.changed) if one.embedding}
            events.append(MemoryChanged(tuple(one.head for one in self.changed), embeddings, tuple(one.value for one in self.changed)))
        if self.heads or self.losers or self.settled:
            events.append(MemoryConflicted(tuple(self.heads), tuple(self.losers), tuple(self.settled)))
        return events

    def packed(self, one: Carried) -> Carried:
        """Return a version as a record holds it: a large value goes beside it."""
        if one.head.is_deleted or one.head.size <= VALUE_INLINE_MAX or one.head.artifact:
            return one
        kept = bytes(one.value)
        address = address_of(kept)
        self.artifacts.append(StoredArtifact(address, one.head.media, kept, ""))
        return Carried(msgspec.structs.replace(one.head, artifact=address), msgspec.Raw(NULL), one.embedding)


class LocalReplica:
    """Gives and takes. Who may ask for it, the gate says."""

    def __init__(self, database: Database, memory: Memory, clock: Clock, secret: bytes = b"") -> None:
        self._database = database
        self._shelf = memory.shelf
        self._keeper: Keeper | None = None
        self._clock = clock
        self._travel = travel_of(memory.seal)
        self._secret = secret

    def connect(self, keeper: Keeper) -> None:
        """Say who makes changes durable; called once, before anything is taken."""
        self._keeper = keeper

    async def changes_since(self, mark: Mark) -> Batch:
        """Return the next changes after a mark. Raises JournalError."""
        found = await self._database.read(lambda connection: read_changes(connection, mark))
        entries, keys = await asyncio.to_thread(self._travel.pack, found.entries)
        batch = Batch(found.until, self._clock.now(), tuple(entries), found.is_last, found.is_anew, tuple(found.left_out), tuple(keys))
        return await asyncio.to_thread(signed, batch, self._secret)

    def signed(self, batch: Batch) -> Batch:
        """Return a batch, of which something was left out, as one's own."""
        return signed(batch, self._secret)

    async def take(self, batch: Batch, origin: Origin) -> Taken:
        """Take a batch in, durable on return. Raises Tampered, EncryptionError, UsageError, ReadOnly.

        What is wrong with a batch is found before anything of it is taken; cancelling leaves open how much was taken.
        """
        if not await asyncio.to_thread(is_signed, batch, self._secret):
            raise Tampered(f"a batch of entries was changed on its way, or the other side has another secret ({SECRET_VARIABLE}); nothing was taken")
        for versions in batch.entries:
            for one in versions:
                check_carried(one)
        entries = await asyncio.to_thread(self._travel.unpack, batch.entries, batch.keys)
        totals = Taken()
        for first in range(0, len(entries), STEP):
            taken = await self._step(entries[first : first + STEP], origin)
            totals = Taken(totals.changed + taken.changed, totals.conflicts + taken.conflicts, totals.known + taken.known)
        return totals

    async def _step(self, entries: Sequence[Sequence[Carried]], origin: Origin) -> Taken:
        made = _Made()
        heads = self._shelf.heads({versions[0].head.id for versions in entries})
        for versions in _each_once(entries):
            self._one(versions, heads.get(versions[0].head.id), made)
        if events := made.events():
            await self._kept(events, origin, made.artifacts)
        return Taken(*made.taken)

    def _one(self, versions: Sequence[Carried], old: Head | None, made: _Made) -> None:
        held = self._shelf.losers(old) if old else []
        outcome = decide_taking(versions, old, [loser.head for loser in held])
        if outcome is None:
            made.taken[2] += 1
            return
        made.taken[0] += outcome.winner is not None
        made.taken[1] += len(outcome.losers) + outcome.fell
        if outcome.winner is not None:
            whole = Carried(msgspec.structs.replace(outcome.head, artifact=""), outcome.winner.value, outcome.winner.embedding)
            made.changed.append(made.packed(whole))
        else:
            made.heads.append(outcome.head)
        made.losers += map(made.packed, self._fallen(outcome, old))
        made.settled += [(versions[0].head.id, dot) for dot in outcome.settled]

    def _fallen(self, outcome: Outcome, old: Head | None) -> Iterable[Carried]:
        yield from outcome.losers
        if outcome.fell:
            assert old is not None
            here = self._shelf.carried(old)
            yield Carried(msgspec.structs.replace(as_sent(old), artifact=old.artifact), here.value, here.embedding)

    async def _kept(self, events: Sequence[Event], origin: Origin, artifacts: Sequence[StoredArtifact]) -> None:
        durable: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        assert self._keeper is not None, "connect() comes first"
        self._keeper.keep(events, origin, waiters=(durable,), artifacts=artifacts)
        await durable


def _each_once(entries: Sequence[Sequence[Carried]]) -> Iterable[Sequence[Carried]]:
    """Return the versions of each entry together, those of one that comes twice, too."""
    grouped: dict[EntryId, dict[Dot, Carried]] = {}
    for versions in entries:
        for one in versions:
            grouped.setdefault(one.head.id, {}).setdefault(dot_of(one.head), one)
    return [list(versions.values()) for versions in grouped.values()]
