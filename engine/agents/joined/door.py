"""The way between an engine that is alone and hosts that join it by its own socket or address: what the Streams are where engines share a fleet.

Owner: `Door`, of what hosts told and have not been heard of, and of what each was told and has not said that it has. Limits: BOX_MAX
pieces for a host, after which it is told no more until it takes them; TOLD_MAX messages from all, each of at most MESSAGE_MAX_BYTES;
BOXES_MAX hosts, of which the longest silent is forgotten.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple, Protocol, runtime_checkable

from engine.clock import Clock
from engine.model.errors import RedisAway, UsageError
from engine.model.journal_entries import Leadership

BOX_MAX = 1_000
BOXES_MAX = 1_000
TOLD_MAX = 10_000
MESSAGE_MAX_BYTES = 256 << 20
PIECE_BYTES = 4 << 20
"""Of a message; a longer one goes in several."""
HEARD_MAX_BYTES = 16 << 20
"""Of one answer, and a piece more."""
HEAR_S = 1.0
"""Longest that a host is made to wait for a message."""
SILENT_S = 4.0
"""A host that says nothing for so long is given up."""


class Heard(NamedTuple):
    """What a host is told."""

    epoch: int
    last: int
    """Number of the last piece of it, in this epoch."""
    pieces: list[tuple[bytes, bool]]
    """Each with whether its message goes on."""


class Piece(NamedTuple):
    """Of what a host tells."""

    epoch: int
    """Of the engine that it means."""
    at: int
    """Bytes of the message before it."""
    data: bytes
    more: bool
    """The message goes on."""


def pieces_of(message: bytes) -> list[tuple[int, bytes, bool]]:
    """Return a message in pieces, each with the bytes before it and whether the message goes on."""
    starts = range(0, max(1, len(message)), PIECE_BYTES)
    return [(start, message[start : start + PIECE_BYTES], start + PIECE_BYTES < len(message)) for start in starts]


class _Box:
    """What one life of a host is told."""

    def __init__(self) -> None:
        self.pieces: deque[tuple[int, bytes, bool]] = deque()
        self.last = 0
        self.filled = asyncio.Event()
        self.telling = bytearray()
        """What came of the message that it tells."""


class Door:
    """Both ends of the way, in one process."""

    is_up = True

    def __init__(self, engine: str, clock: Clock) -> None:
        self.by = Leadership(int(1_000 * clock.now()), engine)
        """Another one for each life of an engine, so that hosts join again."""
        self._boxes: dict[str, _Box] = {}
        self._told: deque[bytes] = deque()
        self._arrived = asyncio.Event()

    # ---- the engine's end

    async def send(self, host: str, run: str, message: bytes) -> None:
        """Tell a host something. Raises RedisAway while it takes nothing."""
        box = self._box(run)
        if len(box.pieces) >= BOX_MAX:
            raise RedisAway(f"host {host} does not take what it is told")
        for _, data, more in pieces_of(message):
            box.last += 1
            box.pieces.append((box.last, data, more))
        box.filled.set()

    async def read(self) -> Sequence[bytes]:
        """Wait for what hosts tell, and return it. Safe to cancel."""
        await self._arrived.wait()
        self._arrived.clear()
        found = list(self._told)
        self._told.clear()
        return found

    async def trim(self) -> None:
        """Nothing that was read is kept."""

    # ---- the hosts' end

    def tell(self, run: str, piece: Piece) -> Leadership:
        """Take a piece of what a host tells; return who leads: for another epoch nothing is taken. Raises UsageError for a piece that is out of its row."""
        box = self._box(run)
        if piece.at == 0:
            box.telling.clear()
        if piece.at != len(box.telling) or piece.at + len(piece.data) > MESSAGE_MAX_BYTES:
            raise UsageError(f"a message of a host has at most {MESSAGE_MAX_BYTES:,} bytes, and its pieces come in a row")
        box.telling += piece.data
        if piece.more:
            return self.by
        if piece.epoch == self.by.epoch and box.telling and len(self._told) < TOLD_MAX:  # what is not taken it tells again: it is numbered
            self._told.append(bytes(box.telling))
            self._arrived.set()
        box.telling.clear()
        return self.by

    async def hear(self, run: str, epoch: int, after: int) -> Heard:
        """Return what a host is told after the last piece that it has, none after HEAR_S. Safe to cancel and to repeat."""
        box = self._box(run)
        after = after if epoch == self.by.epoch else 0
        while box.pieces and box.pieces[0][0] <= after:
            box.pieces.popleft()
        if not box.pieces:
            box.filled.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(HEAR_S):
                    await box.filled.wait()
        told: list[tuple[bytes, bool]] = []
        size = 0
        for number, data, more in box.pieces:
            told.append((data, more))
            after, size = number, size + len(data)
            if size >= HEARD_MAX_BYTES:
                break
        return Heard(self.by.epoch, after, told)

    def _box(self, run: str) -> _Box:
        box = self._boxes.pop(run, None) or _Box()
        if len(self._boxes) >= BOXES_MAX:
            del self._boxes[next(iter(self._boxes))]
        self._boxes[run] = box  # the last that was used is the last to go
        return box


@runtime_checkable
class HasDoor(Protocol):
    """Somebody who may have hosts join."""

    def door(self) -> Door:
        """Return the way of hosts to this engine. Raises CommandRefused."""
        ...
