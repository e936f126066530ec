"""A peer's memory at a distance: the Replica of another engine, over its own socket or address.

Owner: nobody; a connection lives as long as one exchange.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from engine.api.client import Caller, RemoteOperator, connect
from engine.clock import Clock
from engine.model import wire
from engine.model.errors import ConfigError
from engine.model.memory_settings import PeerSection
from engine.model.replication import Batch, Mark, Replica, Taken
from engine.model.version import version


class RemoteReplica:
    """Asks another engine for its changes, and offers it ours."""

    def __init__(self, operator: RemoteOperator) -> None:
        self._operator = operator

    async def changes_since(self, mark: Mark) -> Batch:
        """Return the next changes after a mark. Raises FleetError."""
        return wire.decode_as(await self._operator.ask("changes", {"mark": mark}), Batch)

    async def offer(self, batch: Batch) -> Taken:
        """Have a batch taken in. Raises FleetError."""
        return wire.decode_as(await self._operator.ask("offer", {"batch": batch}), Taken)


class Peering:
    """Opens connections to peers."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    @asynccontextmanager
    async def __call__(self, peer: PeerSection) -> AsyncIterator[Replica]:
        """Connect for one exchange. Raises EngineUnavailable, CommandRefused, ConfigError."""
        caller = Caller(via="api", version=version(), token=_token_of(peer))
        async with connect(peer.address, clock=self._clock, caller=caller) as operator:
            yield RemoteReplica(operator)


def _token_of(peer: PeerSection) -> str:
    if peer.token_file is None:
        return ""
    try:
        return peer.token_file.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the token file {peer.token_file} of the peer {peer.address} cannot be read: {error}") from error
