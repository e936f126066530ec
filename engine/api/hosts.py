"""A host's end of the way to an engine that it joined by the engine's socket or address: two calls of the operators' protocol.

Owner: `EngineEnd`, of its connection, which it opens anew while it is lost, and of how far it has heard. Limits: one connection; a message goes in
pieces, one at a time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from engine.agents.joined.door import Heard, Piece, pieces_of
from engine.api.client import Caller, RemoteOperator, connect
from engine.clock import Clock
from engine.model import wire
from engine.model.errors import (
    CommandRefused,
    EngineUnavailable,
    FleetError,
    RedisAway,
    RedisRefused,
    UsageError,
)
from engine.model.journal_entries import Leadership

AGAIN_S = 0.5
"""Between two attempts to connect."""
LOOK_S = 0.25
CONNECT_WITHIN_S = 15.0


class EngineEnd:
    """The way of a host to its engine."""

    def __init__(self, address: str, caller: Caller, run: str, clock: Clock, ca_file: Path | None = None) -> None:
        self._address, self._caller, self._run, self._clock, self._ca_file = address, caller, run, clock, ca_file
        self._operator: RemoteOperator | None = None
        self._why = ""
        """What the last attempt to connect came to."""
        self._telling = asyncio.Lock()
        self._last = self._epoch = 0
        self._held = bytearray()
        """What came of a message that goes on."""

    async def check(self) -> None:
        """Connect once. Raises EngineUnavailable, CommandRefused that say what to do."""
        async with self._connect() as operator:
            await operator.ask("tell", {"run": self._run, "piece": Piece(0, 0, b"", more=False)})

    async def run(self) -> None:
        """Keep the connection until cancelled."""
        while True:
            try:
                async with self._connect() as self._operator:
                    self._why = ""
                    while self._operator.is_connected:
                        await self._clock.sleep(LOOK_S)
            except (EngineUnavailable, CommandRefused, UsageError) as error:  # UsageError: the file of authorities is gone
                self._why = f": {error}"
            self._operator = None
            await self._clock.sleep(AGAIN_S)

    async def tell(self, epoch: int, message: bytes) -> Leadership:
        """Tell the engine something; when it is another life of it than was thought, nothing is told. Raises RedisAway, RedisRefused."""
        answer = b""
        async with self._telling:
            for at, data, more in pieces_of(message):
                answer = await self._ask("tell", {"run": self._run, "piece": Piece(epoch, at, data, more)})
        return wire.decode_as(answer, Leadership)

    async def read(self) -> Sequence[bytes]:
        """Return what this host was told since the last call, none after a short wait. Raises RedisAway, RedisRefused."""
        heard = wire.decode_as(await self._ask("hear", {"run": self._run, "epoch": self._epoch, "after": self._last}), Heard)
        if heard.epoch != self._epoch:
            self._held.clear()
        self._epoch, self._last = heard.epoch, heard.last
        whole: list[bytes] = []
        for data, more in heard.pieces:
            self._held += data
            if not more:
                whole.append(bytes(self._held))
                self._held.clear()
        return whole

    async def trim(self) -> None:
        """What was heard is dropped with the next call."""

    def _connect(self) -> RemoteOperator:
        return connect(self._address, clock=self._clock, caller=self._caller, timeout_s=CONNECT_WITHIN_S, ca_file=self._ca_file)

    async def _ask(self, method: str, params: dict[str, object]) -> bytes:
        operator = self._operator
        if operator is None:
            raise RedisAway(f"no connection to the engine at {self._address}{self._why}")
        try:
            return await operator.ask(method, params)
        except EngineUnavailable as error:
            raise RedisAway(str(error)) from error
        except CommandRefused as error:
            raise RedisRefused(str(error)) from error
        except FleetError as error:
            raise RedisAway(str(error)) from error
