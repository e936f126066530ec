"""Snapshots of a region in Redis, for engines that come new: the leader's database file, packed, in chunks.

Chunks end by themselves until the last one is there; then one function makes them the snapshot, and the chunks of the one
before end in a while, so that who reads them now can finish. Only behind a whole snapshot is the journal trimmed.

Owner: nobody; what is kept is the server's. Limits: CHUNK_BYTES of a file are in memory at a time, packed as many.
"""

from __future__ import annotations

import asyncio
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO

from engine.clock import Clock
from engine.model.errors import JournalError, JournalGap, RedisAway, RedisRefused
from engine.model.journal_entries import Leadership
from engine.redis.functions import Functions
from engine.redis.link import RedisLink
from engine.redis.refusals import raise_fenced
from engine.redis.region_keys import RegionKeys

CHUNK_BYTES = 512 * 1024
UPLOAD_MS = 600_000
"""How long a chunk waits for the others of its snapshot."""
READ_AGAIN = 3
"""How often a snapshot may be replaced under somebody who reads it."""


@dataclass(frozen=True, slots=True)
class _Known:
    """The snapshot that is whole."""

    last: int
    name: str
    chunks: int
    sha: str


class Snapshots:
    """A region's snapshots."""

    def __init__(self, link: RedisLink, keys: RegionKeys, clock: Clock) -> None:
        self._link, self._keys, self._clock = link, keys, clock
        self._functions = Functions(link)

    async def put(self, last: int, file: Path, by: Leadership) -> None:
        """Make a file the snapshot as of record `last`, unless there is one as new. Cancelled, its chunks end by themselves.

        Raises Fenced, JournalGap when the journal does not go so far, JournalError.
        """
        known = await self._find()
        if known is not None and known.last >= last:
            return
        name, digest, size, chunks = f"{last}.{by.epoch}", sha256(), 0, 0
        with file.open("rb") as source:
            pieces = _packed(source)
            while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
                await self._ask("SET", self._keys.chunk(name, chunks), piece, "PX", UPLOAD_MS)
                digest.update(piece)
                size, chunks = size + len(piece), chunks + 1
        keys = [self._keys.chunk(name, place) for place in range(chunks)]
        former = [self._keys.chunk(known.name, place) for place in range(known.chunks)] if known else []
        facts = ("last", last, "name", name, "chunks", chunks, "bytes", size, "sha256", digest.hexdigest(), "at", self._clock.now(), *_by(by))
        answer = await self._call("snapshot_done", [*keys, *former], by.epoch, by.engine, last, chunks, *facts)
        match answer:
            case ["ok"]:
                return
            case ["gap", int(tail)]:
                raise JournalGap(f"the snapshot is of record {last}, the journal ends at {tail}: entries were lost; they have to be written again", tail)
            case ["missing"]:
                raise JournalError(f"parts of the snapshot of record {last} went before all of it was in redis; it is made again with the next")
            case _:
                raise_fenced(answer)

    async def get(self, target: Path) -> int:
        """Write the newest snapshot to a file and return the record that it is of; 0 = there is none. Raises JournalError."""
        for _ in range(READ_AGAIN):
            known = await self._find()
            if known is None:
                return 0
            if await self._get(known, target):
                return known.last
        raise JournalError(f"the snapshot in redis was replaced {READ_AGAIN} times while it was read; try again")

    async def last(self) -> int:
        """Return the record that the newest snapshot is of; 0 = there is none. Raises JournalError."""
        known = await self._find()
        return known.last if known else 0

    async def trim(self, keep: int) -> int:
        """Remove the entries that the snapshot makes needless, all but the newest `keep` records; return how many. Raises JournalError."""
        answer = await self._call("journal_trim", (), keep)
        return int(answer[1])

    async def _get(self, known: _Known, target: Path) -> bool:
        """Write a snapshot to a file; False when it was replaced meanwhile. Raises JournalError for one that is not whole."""
        digest, unpacking = sha256(), zlib.decompressobj()
        part = target.with_name(target.name + ".part")
        try:
            with part.open("wb") as sink:
                for place in range(known.chunks):
                    piece = await self._ask("GET", self._keys.chunk(known.name, place))
                    if piece is None:
                        return False
                    digest.update(piece)
                    await asyncio.to_thread(_unpack, unpacking, piece, sink)
                sink.write(unpacking.flush())
                sink.flush()
                await asyncio.to_thread(os.fsync, sink.fileno())
            if digest.hexdigest() != known.sha or not unpacking.eof:
                raise JournalError(f"the snapshot of record {known.last} in redis is not what was written; the leader's next one replaces it")
            part.replace(target)
        except zlib.error as error:
            raise JournalError(f"the snapshot of record {known.last} in redis cannot be unpacked: {error}") from error
        except OSError as error:
            raise JournalError(f"the snapshot cannot be written to {target}: {error.strerror}; make room, or correct the path") from error
        finally:
            part.unlink(missing_ok=True)
        return True

    async def _find(self) -> _Known | None:
        last, name, chunks, sha = await self._ask("HMGET", self._keys.snapshot, "last", "name", "chunks", "sha256")
        return None if last is None else _Known(int(last), name.decode(), int(chunks), sha.decode())

    async def _ask(self, *words: str | bytes | float) -> Any:  # noqa: ANN401  # as the server answers
        """Run a command that does no harm when it runs twice. Raises JournalError."""
        try:
            return await self._link.repeatable(*words)
        except (RedisAway, RedisRefused) as error:
            raise JournalError(str(error)) from error

    async def _call(self, name: str, keys: list[str] | tuple[()], *words: str | float) -> list[Any]:
        try:
            return await self._functions.call(name, (*self._keys.head, *keys), *words, timeout_s=self._link.section.command_timeout_s)
        except (RedisAway, RedisRefused) as error:
            raise JournalError(str(error)) from error


def _by(by: Leadership) -> tuple[str | int, ...]:
    return "epoch", by.epoch, "engine", by.engine


def _packed(source: BinaryIO) -> Iterator[bytes]:
    """Yield a file, packed, in pieces of CHUNK_BYTES; the last one is smaller."""
    packing, waiting = zlib.compressobj(1), bytearray()
    while data := source.read(CHUNK_BYTES):
        waiting += packing.compress(data)
        while len(waiting) >= CHUNK_BYTES:
            yield bytes(waiting[:CHUNK_BYTES])
            del waiting[:CHUNK_BYTES]
    waiting += packing.flush()
    while waiting:
        yield bytes(waiting[:CHUNK_BYTES])
        del waiting[:CHUNK_BYTES]


def _unpack(unpacking: zlib._Decompress, piece: bytes, sink: BinaryIO) -> None:
    """Write what a piece unpacks to, CHUNK_BYTES at a time."""
    while piece:
        sink.write(unpacking.decompress(piece, CHUNK_BYTES))
        piece = unpacking.unconsumed_tail
