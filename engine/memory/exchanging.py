"""Exchanges entries with other engines: every so often, and at once when somebody asks.

Owner: `Exchanging`, of how it goes with each peer. Each has a task of its own, so that one that is away or slow holds up
nobody; one that fails is tried again later and later, BACK_OFF_MAX_S at most. Limits: SEEN_MAX versions of a round are
remembered, so that they are not sent back.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from typing import Protocol

import msgspec

from engine.clock import Clock
from engine.memory.gathering import Keeper
from engine.memory.merging import dot_of
from engine.memory.replica import LocalReplica
from engine.model.errors import FleetError, NotFound
from engine.model.memory import Dot, EntryId
from engine.model.memory_events import MemoryExchanged
from engine.model.memory_settings import PeerSection
from engine.model.plans import Origin
from engine.model.replication import (
    START,
    Batch,
    Carried,
    Mark,
    PeerState,
    Progress,
    Replica,
    Taken,
)
from engine.model.verbs import Role
from engine.model.wire import nearest

logger = logging.getLogger(__name__)

BACK_OFF_MAX_S = 600.0
SEEN_MAX = 50_000
KEPT_EVERY = 5_000
"""Records after which progress is kept although nothing was exchanged: other records come and go, too."""

Connect = Callable[[PeerSection], AbstractAsyncContextManager[Replica]]


class Exchange(Protocol):
    """What faces and other engines ask of exchanges."""

    def states(self) -> Sequence[PeerState]:
        """Return how it goes with each peer."""
        ...

    def check(self, peer: str) -> None:
        """Raise NotFound unless there is such a peer; empty = any."""
        ...

    async def synchronize(self, peer: str = "") -> str:
        """Exchange with one or all peers now; return in words what came of it. Raises NotFound, and FleetError when none was reached."""
        ...

    async def changes_since(self, mark: Mark) -> Batch:
        """Return what changed here after a mark. Raises JournalError."""
        ...

    async def take(self, batch: Batch, origin: Origin) -> Taken:
        """Take in what changed elsewhere, durable on return. Raises FleetError."""
        ...


@dataclass(slots=True)
class _Peer:
    """One that entries are exchanged with."""

    section: PeerSection
    progress: Progress
    kept: Progress
    """As the journal has it."""
    state: PeerState
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    failures: int = 0


@dataclass(slots=True)
class _Round:
    """What one exchange comes to."""

    taken: int = 0
    given: int = 0
    conflicts: int = 0
    left_out: int = 0
    skew_s: float = 0.0
    seen: set[tuple[EntryId, Dot]] = field(default_factory=set)
    """What the peer sent, and so need not get."""


class Exchanging:
    """Keeps this engine and its peers in step."""

    def __init__(self, replica: LocalReplica, peers: Sequence[PeerSection], clock: Clock, interval_s: float) -> None:
        self.replica = replica
        self._sections = peers
        self._peers: dict[str, _Peer] = {}
        self._clock = clock
        self._interval_s = interval_s
        self._keeper: Keeper | None = None
        self._connect: Connect | None = None

    def begin(self, keeper: Keeper, connect: Connect, known: Mapping[str, Progress]) -> None:
        """Say who makes progress durable, how peers are reached, and how far they are; called once, before `run`."""
        self._keeper = keeper
        self._connect = connect
        self.replica.connect(keeper)
        for section in self._sections:
            progress = known.get(section.address, Progress())
            self._peers[section.address] = _Peer(section, progress, progress, PeerState(section.address, at=progress.at))

    def known_upto(self) -> int:
        """Return the newest record of which all peers have the changes; beyond all records where there are no peers."""
        return min((peer.progress.pushed.record for peer in self._peers.values()), default=1 << 62)

    def states(self) -> Sequence[PeerState]:
        """Return how it goes with each peer."""
        return [peer.state for peer in self._peers.values()]

    def away(self) -> tuple[str, ...]:
        """Return the peers that are not reached, each with the reason."""
        return tuple(f"{peer.state.address}: {peer.state.problem}" for peer in self._peers.values() if peer.state.problem)

    def check(self, peer: str) -> None:
        """Raise NotFound unless there is such a peer; empty = any."""
        if not self._peers:
            raise NotFound('there are no peers: name them in [memory] peers = ["/path/of/engine.sock", "wss://host"] of the configuration')
        if peer and peer not in self._peers:
            raise NotFound(f"no peer {peer!r}{nearest(peer, self._peers)}; `peers` lists them")

    async def run(self) -> None:
        """Exchange with every peer until cancelled."""
        async with asyncio.TaskGroup() as group:
            for peer in self._peers.values():
                group.create_task(self._follow(peer))

    async def synchronize(self, peer: str = "") -> str:
        """Exchange with one or all peers now; return in words what came of it. Raises NotFound, and FleetError when none was reached."""
        self.check(peer)
        chosen = [self._peers[peer]] if peer else list(self._peers.values())
        errors = [error for error in await asyncio.gather(*(self._try(one) for one in chosen)) if error]
        if len(errors) == len(chosen):
            raise errors[0]
        return "; ".join(_told(one.state) for one in chosen)

    async def changes_since(self, mark: Mark) -> Batch:
        """Return what changed here after a mark. Raises JournalError."""
        return await self.replica.changes_since(mark)

    async def take(self, batch: Batch, origin: Origin) -> Taken:
        """Take in what changed elsewhere, durable on return. Raises FleetError."""
        return await self.replica.take(batch, origin)

    async def _follow(self, peer: _Peer) -> None:
        while True:
            await self._try(peer)
            wait_s = min(self._interval_s * 2**peer.failures, max(self._interval_s, BACK_OFF_MAX_S))
            peer.state = replace(peer.state, next_at=self._clock.now() + wait_s)
            await self._clock.sleep(wait_s)

    async def _try(self, peer: _Peer) -> FleetError | None:
        """Exchange once; return why it failed, after noting it."""
        async with peer.lock:
            try:
                done = await self._exchange(peer)
            except FleetError as error:
                peer.failures = min(peer.failures + 1, 16)
                if peer.failures == 1:
                    logger.warning("a peer's memory cannot be exchanged", extra={"peer": peer.section.address, "reason": str(error)})
                peer.state = replace(peer.state, problem=str(error), failures=peer.failures, tried_at=self._clock.now())
                return error
            if peer.failures:
                logger.info("a peer's memory is exchanged again", extra={"peer": peer.section.address})
            peer.failures = 0
            state = peer.state
            peer.state = PeerState(
                peer.section.address,
                at=self._clock.now(),
                tried_at=self._clock.now(),
                next_at=state.next_at,
                taken=state.taken + done.taken,
                given=state.given + done.given,
                conflicts=state.conflicts + done.conflicts,
                left_out=done.left_out,
                skew_s=done.skew_s,
                last=(done.taken, done.given),
            )
            return None

    async def _exchange(self, peer: _Peer) -> _Round:
        """Take what the peer changed, then give what changed here. Raises FleetError."""
        done = _Round()
        assert self._connect is not None, "begin() comes first"
        async with self._connect(peer.section) as other:
            await self._pull(peer, other, done)
            await self._push(peer, other, done)
        return done

    async def _pull(self, peer: _Peer, other: Replica, done: _Round) -> None:
        while True:
            before = self._clock.now()
            batch = await other.changes_since(peer.progress.pulled)
            done.skew_s = batch.at - (before + self._clock.now()) / 2
            if batch.is_anew:  # another database: what it had of ours is not known either
                peer.progress = Progress()
            if len(done.seen) < SEEN_MAX:
                done.seen.update((one.head.id, dot_of(one.head)) for versions in batch.entries for one in versions)
            taken = await self.replica.take(batch, _origin_of(peer))
            done.taken += taken.changed
            done.conflicts += taken.conflicts
            done.left_out += len(batch.left_out)
            await self._advance(peer, msgspec.structs.replace(peer.progress, pulled=batch.until), is_news=bool(taken.changed or taken.conflicts))
            if batch.is_last:
                return

    async def _push(self, peer: _Peer, other: Replica, done: _Round) -> None:
        while True:
            batch = await self.replica.changes_since(peer.progress.pushed)
            done.left_out += len(batch.left_out)
            news = [versions for versions in batch.entries if not _all_seen(versions, done)]
            if news:
                taken = await other.offer(self.replica.signed(msgspec.structs.replace(batch, entries=tuple(news))))
                done.given += taken.changed
            await self._advance(peer, msgspec.structs.replace(peer.progress, pushed=batch.until), is_news=bool(news))
            if batch.is_last:
                return

    async def _advance(self, peer: _Peer, progress: Progress, *, is_news: bool) -> None:
        """Note progress, and keep it when it is worth a record."""
        peer.progress = msgspec.structs.replace(progress, at=self._clock.now())
        kept = peer.kept
        far = max(progress.pulled.record - kept.pulled.record, progress.pushed.record - kept.pushed.record)
        if is_news or far > KEPT_EVERY or START in (kept.pulled, kept.pushed):
            assert self._keeper is not None, "begin() comes first"
            durable: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._keeper.keep([MemoryExchanged(peer.section.address, peer.progress)], _origin_of(peer), waiters=(durable,))
            await durable
            peer.kept = peer.progress


def _all_seen(versions: Sequence[Carried], done: _Round) -> bool:
    return all((one.head.id, dot_of(one.head)) in done.seen for one in versions)


def _origin_of(peer: _Peer) -> Origin:
    return Origin(f"peer {peer.section.address}", "engine", "", int(Role.ADMIN))


def _told(state: PeerState) -> str:
    """Return in words what the last exchange came to."""
    if state.problem:
        return f"{state.address}: {state.problem}"
    taken, given = state.last
    return f"{state.address}: {taken} entries came, {given} went"

