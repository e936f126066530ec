"""Gathers what many callers want of memory at the same time into one decision, as few records as can be, one commit.

Owner: `Gathering`, of the calls that wait for their decision. Limits: WAITING_MAX changes wait, more are refused; a
pass decides PASS_MAX of them at most, so that the loop stays free for others, and the disk writes the first of them
while the loop still decides the rest: callers that were all told at once come back at once, too.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Protocol

import msgspec

from engine.clock import Clock
from engine.memory.changing import Change, Rules
from engine.memory.drafting import Draft
from engine.memory.shelf import Shelf
from engine.memory.values import Seal
from engine.model.artifacts import StoredArtifact
from engine.model.errors import CommandRefused, FleetError, UsageError
from engine.model.events import Event
from engine.model.memory import Head
from engine.model.plans import Origin
from engine.state import FleetState

logger = logging.getLogger(__name__)

WAITING_MAX = 50_000
PASS_MAX = 250
CALL_MAX = 10_000
"""Changes of one call."""


class Keeper(Protocol):
    """Makes events durable: the coordinator."""

    state: FleetState

    def keep(
        self,
        events: Sequence[Event],
        origin: Origin,
        *,
        waiters: Iterable[asyncio.Future[None]],
        artifacts: Sequence[StoredArtifact] = (),
    ) -> None:
        """Apply events at once; tell the waiters when they are durable, or never will be. Raises ReadOnly."""
        ...

    async def settled(self) -> None:
        """Wait until everything applied so far is durable."""
        ...


class Call(msgspec.Struct):
    """Changes that are decided together, all of them or none."""

    changes: Sequence[Change]
    durable: asyncio.Future[None]
    heads: Sequence[Head] = ()
    """After the changes."""


class Gathering:
    """Where callers leave what they want and wait until it is durable."""

    def __init__(self, shelf: Shelf, clock: Clock, rules: Rules, seal: Seal) -> None:
        self.seal = seal
        self._shelf = shelf
        self._clock = clock
        self._rules = rules
        self._keeper: Keeper | None = None
        self._calls: deque[Call] = deque()
        self._waiting = 0
        self._work = asyncio.Event()

    def connect(self, keeper: Keeper) -> None:
        """Say who makes events durable; called once, before run()."""
        self._keeper = keeper

    async def change(self, changes: Sequence[Change]) -> Sequence[Head]:
        """Have changes decided, all of them or none; return the new heads when they are durable. Raises FleetError.

        Cancelling it does not take the changes back.
        """
        call = self.ask(changes)
        await call.durable
        return call.heads

    def ask(self, changes: Sequence[Change]) -> Call:
        """Have changes decided; whoever asks awaits `durable`, and then has the heads. Raises FleetError."""
        count = len(changes)
        if not 0 < count <= CALL_MAX:
            raise UsageError(f"one call stores 1 to {CALL_MAX:,} entries, not {count:,}; make several calls")
        if self._waiting + count > WAITING_MAX:
            raise CommandRefused(f"{self._waiting:,} changes of memory wait to be written, which is the most; wait for some of them")
        call = Call(changes, asyncio.get_running_loop().create_future())
        self._calls.append(call)
        self._waiting += count
        self._work.set()
        return call

    async def run(self) -> None:
        """Decide what has gathered, pass by pass, until cancelled; what still waits then is refused."""
        try:
            while True:
                await self._work.wait()
                self._work.clear()
                self._pass()
                if self._calls:
                    self._work.set()
                    await self._clock.sleep(0)
        finally:
            self._refuse(self._take(WAITING_MAX), CommandRefused("the engine is stopping; nothing was changed"))

    def _pass(self) -> None:
        calls = self._take(PASS_MAX)
        keeper = self._keeper
        assert keeper is not None, "connect() comes first"
        try:
            ids = {change.id for call in calls for change in call.changes}
            draft = Draft(keeper.state.seq + 1, self._shelf.heads(ids), self._clock.now(), self._rules)
            decided = self._decide(draft, calls)
            if decided:
                events, artifacts = draft.finish(self.seal)
                keeper.keep(events, _origin_of(decided), waiters=[call.durable for call in decided], artifacts=artifacts)
        except FleetError as error:
            self._refuse(calls, error)

    def _take(self, most: int) -> list[Call]:
        calls: list[Call] = []
        taken, waiting = 0, self._calls
        while waiting:
            count = len(waiting[0].changes)
            if calls and taken + count > most:
                break
            call = waiting.popleft()
            taken += count
            if not call.durable.done():  # cancelled meanwhile
                calls.append(call)
        self._waiting -= taken
        return calls

    @staticmethod
    def _decide(draft: Draft, calls: Iterable[Call]) -> list[Call]:
        decided = []
        for call in calls:
            try:
                call.heads = draft.decide(call.changes)
            except FleetError as error:
                call.durable.set_exception(error)
            else:
                decided.append(call)
        return decided

    @staticmethod
    def _refuse(calls: Iterable[Call], error: FleetError) -> None:
        for call in calls:
            if not call.durable.done():
                call.durable.set_exception(error)


def _origin_of(calls: Sequence[Call]) -> Origin:
    """Return who the records are by: the one who asked, or `memory` for several."""
    names = {change.principal.name for call in calls for change in call.changes}
    return Origin(names.pop() if len(names) == 1 else "memory", "memory")
