"""Modules of operators on their way to hosts that joined: each piece is asked for, so that what is lost on the way is asked for again.

Owner: `ModuleSource`, of what hosts asked for and was not answered yet, and of the module that was read last. Limits: WANTED_MAX questions, of
which the oldest are dropped; pieces of MODULE_PART_BYTES.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Protocol

from engine.agents.joined import messages as m
from engine.model.errors import FleetError
from engine.model.ids import HostId

WANTED_MAX = 256


class Boosts(Protocol):
    """The fleet's booster, as far as it is on hosts."""

    def terms(self) -> m.BoosterTerms | None:
        """Return how it works there; None = there is none."""
        ...

    async def module(self, sha256: str) -> bytes | None:
        """Return an operator's module, None if the fleet has not got it. Raises FleetError."""
        ...

    def heard(self, host: HostId, told: m.Boosted) -> None:
        """Take what a host tells of it."""
        ...


class Told(Protocol):
    """A host that can be told something."""

    def say(self, message: m.ToHost) -> None:
        """Tell it."""
        ...


class ModuleSource:
    """Sends hosts the modules that they ask for."""

    def __init__(self, boosts: Boosts | None, host: Callable[[HostId], Told | None]) -> None:
        self._boosts, self._host = boosts, host
        self._wanted: deque[tuple[HostId, m.Want]] = deque(maxlen=WANTED_MAX)
        self._some = asyncio.Event()
        self._read: tuple[str, bytes] = ("", b"")

    def take(self, host: HostId, want: m.Want) -> None:
        """Take note of what a host wants."""
        self._wanted.append((host, want))
        self._some.set()

    async def run(self) -> None:
        """Answer until cancelled."""
        while True:
            await self._some.wait()
            self._some.clear()
            while self._wanted:
                id_, want = self._wanted.popleft()
                part = await self._part(want)
                host = self._host(id_)
                if host is not None:
                    host.say(part)

    async def _part(self, want: m.Want) -> m.ModulePart:
        if self._read[0] != want.sha256:
            try:
                found = await self._boosts.module(want.sha256) if self._boosts is not None else None
            except FleetError as error:
                return m.ModulePart(want.sha256, 0, 0, b"", f"the engine cannot read it: {error}")
            if found is None:
                return m.ModulePart(want.sha256, 0, 0, b"", "the engine has not got it; add it again")
            self._read = (want.sha256, found)
        data = self._read[1]
        start = min(max(0, want.after), len(data))
        return m.ModulePart(want.sha256, start, len(data), data[start : start + m.MODULE_PART_BYTES])
