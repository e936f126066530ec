"""Who leads a region: a key that ends by itself, an epoch that only grows, and the holder's own idea of how long it may decide.

Owner: `Lease`, of the epoch that it holds and of when it ends. Time is counted from before a renewal was sent, so the server
never ends the lease before its holder does.

Where another server may take over, a new epoch counts once a replica has it too: a server that is lost, or cut off together with an
engine, would otherwise give it away and its successor would give the same one to somebody else.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from engine.clock import Clock
from engine.model.errors import JournalError, RedisAway, RedisRefused
from engine.model.journal_entries import Leadership
from engine.redis.functions import Functions
from engine.redis.link import RedisLink
from engine.redis.quorum import is_master_by_quorum
from engine.redis.refusals import raise_fenced
from engine.redis.region_keys import RegionKeys
from engine.redis.targets import Mode

RENEWALS = 3
"""In the length of a lease."""
FAILS_OVER = frozenset({Mode.SENTINEL, Mode.CLUSTER})
CONFIRM_S = 0.25
"""So long a new epoch waits for a replica before others are asked whether the server is still the master."""


class Lease:
    """The lease of a region, as one engine sees it."""

    def __init__(self, link: RedisLink, region: str, clock: Clock, *, lease_s: float, server: str = "") -> None:
        """`server` says whose server it is, where regions know one another: only a region that lives there has a leader there."""
        self._link, self._clock, self.length_s, self._server = link, clock, lease_s, server
        self._functions = Functions(link)
        keys = RegionKeys(region)
        self._keys = (keys.leader, keys.lease, keys.home)
        self.held: Leadership | None = None
        """The leadership that this engine has, or had until it was fenced or left it."""
        self._ends_at = -math.inf
        self._is_replicated = link.section.durability == "replicated"
        self._fault = ""

    async def take(self, engine: str, *, above: int = 0) -> int | None:
        """Return the new epoch, larger than `above`, or None while somebody has the lease or nothing confirms the epoch. Raises JournalError.

        Taken again by its holder, when the answer was lost or nothing confirmed it, it is the same epoch.
        """
        began, words = self._clock.now(), (engine, self._lease_ms, above, self._server)
        if self._is_replicated or self._link.target.mode in FAILS_OVER:
            answer = await self._take_confirmed(words)
        else:
            answer = await self._call("lease_take", *words)
        if answer[0] != "ok":
            return None
        self.held, self._ends_at = Leadership(answer[1], engine), began + self.length_s
        return self.held.epoch

    async def renew(self) -> None:
        """Have it for as long again, also when it had run out and nobody took it. Raises Fenced: leave; JournalError: try again."""
        assert self.held is not None, "take it first"
        began = self._clock.now()
        self._check(await self._call("lease_renew", *self.held, self._lease_ms))
        self._ends_at = began + self.length_s

    async def release(self) -> None:
        """Leave it to others at once; from now on what this engine appends is refused. Raises JournalError: it ends by itself."""
        held = self.held
        if held is None:
            return
        self._ends_at = -math.inf
        answer = await self._call("lease_release", *held)
        self.held = None
        assert answer[0] in ("ok", "fenced"), answer

    @property
    def renew_every_s(self) -> float:
        """How long its holder waits between two renewals."""
        return self.length_s / RENEWALS

    def left_s(self) -> float:
        """Return how long this engine may decide; 0 or less: it may not."""
        return self._ends_at - self._clock.now()

    @property
    def fault(self) -> str:
        """Return why this engine may not have it; empty = nothing is in the way."""
        return self._fault

    async def leader(self) -> tuple[str, int] | None:
        """Return the engine that holds it and the epoch, or None. Raises JournalError."""
        word, epoch, engine = await self._call("lease_holder")
        return (engine, epoch) if word == "held" else None

    @property
    def _lease_ms(self) -> int:
        return int(1_000 * self.length_s)

    @property
    def _timeout_s(self) -> float:
        return min(self._link.section.command_timeout_s, self.length_s)

    async def _take_confirmed(self, words: Sequence[str | int]) -> list[Any]:
        """Take it, and see that a replica has it or, unless each write waits for one, that the server is still the master. Raises JournalError."""
        timeout_s = self._timeout_s
        wait_s = timeout_s / 2 if self._is_replicated else min(CONFIRM_S, timeout_s / 2)
        try:
            answer, replicas = await self._functions.call_replicated("lease_take", self._keys, *words, wait_s=wait_s, timeout_s=timeout_s)
            is_confirmed = answer[0] != "ok" or replicas > 0 or (not self._is_replicated and await self._is_still_master())
        except (RedisAway, RedisRefused) as error:
            raise JournalError(str(error)) from error
        self._fault = "" if is_confirmed else self._why_unconfirmed()
        return answer if is_confirmed else ["unconfirmed"]

    def _why_unconfirmed(self) -> str:
        if self._is_replicated:
            return f"no replica of {self._link.target} says that it has the lease; see to its replicas"
        return f"no replica of {self._link.target} has the lease, and not most of those who decide call that server the master"

    async def _is_still_master(self) -> bool:
        async with self._link.using() as client:
            return await is_master_by_quorum(client, self._keys[0], within_s=self._timeout_s / 2)

    def _check(self, answer: list[Any]) -> None:
        if answer[0] == "ok":
            return
        self.held, self._ends_at = None, -math.inf
        raise_fenced(answer)

    async def _call(self, name: str, *words: str | int) -> list[Any]:
        """Call a function that does no harm when it runs twice. Raises JournalError."""
        try:
            return await self._functions.call(name, self._keys, *words, timeout_s=self._timeout_s)
        except (RedisAway, RedisRefused) as error:
            raise JournalError(str(error)) from error
