"""Engines that share a fleet take turns: one leads, the others stand by and follow, and one of them leads when it is gone.

Owner: `Turns`, of this engine's role. Limits: a standby looks every LOOK_S whether the lease is free; the leader renews it several
times in its length. An engine whose lease has ended by its own clock writes nothing, whatever it believes.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Protocol

from engine.clock import Clock
from engine.coordinator import Coordinator
from engine.memory.shared_journal import SharedJournal
from engine.model.errors import Fenced, JournalDiverged, JournalError, JournalTrimmed
from engine.model.journal_entries import Entry, Leadership
from engine.model.standing import Standing
from engine.supervisor import keep_running, raise_if_cancelled

logger = logging.getLogger(__name__)

LOOK_S = 0.25
AGAIN_S = 0.25
"""Between two attempts while the shared journal cannot be read."""
RELEASE_WITHIN_S = 1.0
REACH_WITHIN_S = 5.0
ASK_WITHIN_S = 30.0
SNAPSHOT_LOOK_S = 5.0


Lead = Callable[[AsyncExitStack], Awaitable[None]]


class Handle(Protocol):
    """Does what other engines ask for."""

    async def __call__(self, id_: str, call: bytes, *, is_again: bool) -> bytes:
        """Carry out a call and return the answer; `is_again`: somebody had begun with it. Raises FleetError for what cannot be answered now."""
        ...


class Lease(Protocol):
    """The right to decide, which one engine has at a time."""

    @property
    def held(self) -> Leadership | None:
        """The leadership that this engine has, or had until it lost it."""
        ...

    @property
    def length_s(self) -> float:
        """How long it lasts without a renewal."""
        ...

    @property
    def renew_every_s(self) -> float:
        """How long its holder waits between two renewals."""
        ...

    async def take(self, engine: str, *, above: int = 0) -> int | None:
        """Return the new epoch, or None while somebody has it. Raises JournalError."""
        ...

    async def renew(self) -> None:
        """Have it for as long again. Raises Fenced, JournalError."""
        ...

    async def release(self) -> None:
        """Leave it to others at once. Raises JournalError."""
        ...

    def left_s(self) -> float:
        """Return how long this engine may decide; 0 or less: it may not."""
        ...

    @property
    def fault(self) -> str:
        """Return why this engine may not have it; empty = nothing is in the way."""
        ...

    async def leader(self) -> tuple[str, int] | None:
        """Return who has it and the epoch, or None. Raises JournalError."""
        ...


class Calls(Protocol):
    """The way to the engine that leads, and from there to all others."""

    async def ask(self, id_: str, call: bytes, *, deadline_s: float) -> bytes:
        """Send a call and return its answer. Raises EngineUnavailable when none comes in time, Unanswered when it may be done."""
        ...

    async def run(self) -> None:
        """Hand out answers, until cancelled."""
        ...

    async def serve(self, handle: Handle, by: Leadership) -> None:
        """Carry out calls of others as who leads, until cancelled."""
        ...


def may_write(lease: Lease) -> Leadership | None:
    """Return as whom this engine may write just now; None: it may not."""
    return lease.held if lease.left_s() > 0 else None


class Turns:
    """This engine's turns at leading."""

    def __init__(self, engine: str, lease: Lease, journal: SharedJournal, calls: Calls, clock: Clock) -> None:
        self._engine, self._lease, self._journal, self._calls, self._clock = engine, lease, journal, calls, clock
        self._coordinator: Coordinator
        self._settled = asyncio.Event()
        self._moved = asyncio.Event()
        self._told = Standing(journal.region)

    @property
    def standing(self) -> Standing:
        """Return what this engine is; one whose lease has run out leads no more, even before it has heard of the next leader."""
        if self._told.leads and self._lease.left_s() <= 0:
            return Standing(self._told.region, fault="its lease has run out")
        return self._told

    @property
    def epoch(self) -> int:
        """Return the number of the leadership that this engine has; 0 = it has none."""
        return self._lease.held.epoch if self._lease.held else 0

    @property
    def held(self) -> Leadership:
        """Return the leadership that this engine has; it must have one."""
        assert self._lease.held is not None, "this engine does not lead"
        return self._lease.held

    @property
    def is_here(self) -> bool:
        """Answer whether this engine leads, or did until now."""
        return self._told.leads

    async def reached(self, seq: int) -> None:
        """Wait, for at most REACH_WITHIN_S, until this engine has taken in a record."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(REACH_WITHIN_S):
                while self._coordinator.state.seq < seq:
                    self._moved.clear()
                    await self._moved.wait()

    async def settled(self) -> None:
        """Wait until this engine leads, or follows the one that does."""
        await self._settled.wait()

    async def ask(self, id_: str, call: bytes) -> bytes:
        """Send a call to the engine that leads, and return its answer. Raises EngineUnavailable when none comes in time."""
        return await self._calls.ask(id_, call, deadline_s=ASK_WITHIN_S)

    async def run(self, coordinator: Coordinator, lead: Lead, handle: Handle) -> None:
        """Stand by and lead by turns, until cancelled. `lead` starts what decides and acts, and its stack ends that; `handle` does what others ask.

        Raises JournalTrimmed, JournalDiverged when this engine cannot go on from what it has, and what `lead` raises.
        """
        self._coordinator = coordinator
        async with asyncio.TaskGroup() as group:
            group.create_task(self._calls.run(), name="answers")
            while True:
                await self._stand_by()
                why = ""
                try:
                    await self._hold(lead, handle)
                except* (JournalTrimmed, JournalDiverged):
                    raise
                except* JournalError as errors:  # fenced, or the server went away just as it began
                    why = str(errors.exceptions[0])
                    logger.warning("this engine leads the fleet no more", extra={"reason": why})
                raise_if_cancelled()
                await self._step_back(why)

    # ---- standing by

    async def _stand_by(self) -> None:
        """Follow until the lease is this engine's."""
        looked_at, not_before = -LOOK_S, 0.0
        while True:
            try:
                is_current = await self._read_on(LOOK_S / 2)
                if not is_current and self._clock.now() - looked_at < LOOK_S:
                    continue
                looked_at = self._clock.now()
                if await self._take(is_early=looked_at < not_before):
                    return
                self._settled.set()
            except (JournalTrimmed, JournalDiverged):
                raise
            except JournalError as error:
                # The leader could not renew either: when the server is back it may go on, and nothing is run again.
                not_before = self._clock.now() + self._lease.length_s
                self._stand(fault=str(error))
                self._settled.set()
                await self._clock.sleep(AGAIN_S)

    async def _read_on(self, wait_s: float) -> bool:
        """Take in what was decided meanwhile; return whether that was nothing. Raises JournalError."""
        entries = await self._journal.following(self._coordinator.state, wait_s=wait_s)
        for entry in entries:
            await self._take_in(entry)
        return not entries

    async def _take_in(self, entry: Entry) -> None:
        coordinator = self._coordinator
        try:
            await coordinator.follow(entry.records, lambda touched: self._journal.copy(entry, coordinator.state, touched))
        except JournalError as error:
            await coordinator.stand_by(str(error))
            raise
        self._moved.set()

    async def _take(self, *, is_early: bool) -> bool:
        """Try to become the leader, unless it is too early for that. Raises JournalError."""
        engine = self._coordinator.state.engine
        if not is_early and await self._lease.take(self._engine, above=engine.epoch if engine else 0) is not None:
            return True
        leader, epoch = await self._lease.leader() or ("", 0)
        self._stand(*("", 0) if leader == self._engine else (leader, epoch), fault=self._lease.fault)  # its own one may be without a confirmation
        return False

    def _stand(self, leader: str = "", epoch: int = 0, fault: str = "") -> None:
        self._told = Standing(self._told.region, leader=leader, epoch=epoch, fault=fault)
        told = f"{leader} leads the fleet, and this engine stands by" if leader else "no engine leads the fleet at the moment"
        self._coordinator.read_only = told + f": {fault}" * bool(fault)

    async def _step_back(self, why: str) -> None:
        self._settled.set()  # an engine that may take the lease and not write would start for ever
        while True:
            self._stand(fault=why)
            try:
                await self._coordinator.stand_by(self._coordinator.read_only)
            except (JournalTrimmed, JournalDiverged):
                raise
            except JournalError as error:
                self._stand(fault=str(error))
                await self._clock.sleep(AGAIN_S)
            else:
                return

    # ---- leading

    async def _hold(self, lead: Lead, handle: Handle) -> None:
        """Lead until this is cancelled; leave the lease then. Raises an ExceptionGroup of Fenced when another engine leads."""
        async with asyncio.TaskGroup() as group:
            renewing = group.create_task(self._renew(), name="lease")
            try:
                await self._lead(lead, handle)
            finally:
                # Only now: what was decided is written until the end.
                renewing.cancel()
                with contextlib.suppress(JournalError, TimeoutError):
                    async with asyncio.timeout(RELEASE_WITHIN_S):
                        await self._lease.release()

    async def _lead(self, lead: Lead, handle: Handle) -> None:
        while not await self._read_on(0.0):
            pass
        held = self._lease.held
        assert held is not None

        async def once(id_: str, call: bytes, *, is_again: bool) -> bytes:
            # A server that took over may have lost that a call was carried out; who led then, or followed, has not.
            return self._journal.answer_to(id_) or await handle(id_, call, is_again=is_again)

        logger.info("this engine leads the fleet", extra={"epoch": held.epoch})
        await self._journal.begin(self._coordinator.state.seq)
        async with AsyncExitStack() as stack:
            await lead(stack)
            self._told = Standing(self._told.region, leads=True, leader=held.engine, epoch=held.epoch)
            self._settled.set()
            async with asyncio.TaskGroup() as group:
                group.create_task(self._calls.serve(once, held), name="calls of other engines")
                group.create_task(keep_running("snapshots", self._make_snapshots, self._clock), name="snapshots")

    async def _make_snapshots(self) -> None:
        """Keep the shared journal short, by snapshots for engines that come new."""
        while True:
            try:
                await self._journal.keep_short(self._coordinator.state.seq)
            except JournalError as error:
                logger.warning("no snapshot could be made for engines that come new", extra={"reason": str(error)})
            await self._clock.sleep(SNAPSHOT_LOOK_S)

    async def _renew(self) -> None:
        """Renew the lease for ever. Raises Fenced."""
        pause_s = self._lease.renew_every_s
        while True:
            await self._clock.sleep(pause_s)
            try:
                await self._lease.renew()
                pause_s = self._lease.renew_every_s
            except Fenced as error:
                self._coordinator.read_only = f"this engine does not lead the fleet any more: {error}"
                raise
            except JournalError as error:
                if pause_s != AGAIN_S:
                    logger.warning("the lease could not be renewed", extra={"reason": str(error), "left_s": round(self._lease.left_s(), 2)})
                pause_s = AGAIN_S
