"""Batches of changes as they leave the database: what changed since a mark, with all that belongs to it.

Owner: nobody; functions only. They run in the reader's thread. A batch holds whole records, so that a mark is one number: about
ENTRIES of them or BYTES, and at most one record more.
"""

from __future__ import annotations

import hmac
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256

import msgspec

from engine.memory.conflict_reading import CARRIED_LOSERS, carried_of
from engine.memory.taking import as_sent
from engine.model.memory import EntryId
from engine.model.replication import START, Batch, Carried, Mark, Progress

ENTRIES = 200
BYTES = 2 << 20
ENTRY_BYTES_MAX = 12 << 20
"""A larger entry stays: an engine takes messages of 16 MB."""

_CHANGED = "SELECT changed, namespace, owner_id, key, head, value, embedding FROM memory WHERE changed > ? ORDER BY changed"
_LOSERS = CARRIED_LOSERS
_encode = msgspec.json.Encoder().encode
_progress_of = msgspec.json.Decoder(Progress).decode


@dataclass(slots=True)
class Found:
    """What a batch will hold."""

    until: Mark
    is_anew: bool
    is_last: bool = True
    entries: list[tuple[Carried, ...]] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def read_changes(connection: sqlite3.Connection, mark: Mark) -> Found:
    """Return the changes after a mark. Raises sqlite3.Error."""
    connection.execute("BEGIN")
    try:
        return _read(connection, mark)
    finally:
        connection.rollback()


def _read(connection: sqlite3.Connection, mark: Mark) -> Found:
    last = int(connection.execute("SELECT coalesce(max(id), 0) FROM events").fetchone()[0])
    is_known = mark == START or (mark.record <= last and mark.seal == seal_of(connection, mark.record) != "")
    found = Found(START, is_anew=not is_known)
    size, record = 0, mark.record if is_known else 0
    for changed, namespace, owner, key, *columns in connection.execute(_CHANGED, (record,)):
        if changed != record and (size >= BYTES or len(found.entries) >= ENTRIES):
            found.is_last = False
            break
        record = changed
        versions = _versions(connection, EntryId(namespace, owner, key), columns)
        bytes_ = sum(len(one.value) + len(one.embedding) for one in versions)
        if bytes_ > ENTRY_BYTES_MAX:
            found.left_out.append(str(versions[0].head.id))
            continue
        found.entries.append(versions)
        size += bytes_
    if found.is_last:
        record = last
    found.until = Mark(record, seal_of(connection, record)) if record else START
    return found


def _versions(connection: sqlite3.Connection, id_: EntryId, columns: Iterable[object]) -> tuple[Carried, ...]:
    entry = carried_of(*columns)  # type: ignore[arg-type]  # a row has no types
    versions = [entry]
    if entry.head.rivals:
        versions += [carried_of(*row) for row in connection.execute(_LOSERS, id_)]
    return tuple(_whole(connection, one) for one in versions)


def _whole(connection: sqlite3.Connection, one: Carried) -> Carried:
    """Return a version as it travels, a large value with it."""
    value = one.value
    if one.head.artifact:
        row = connection.execute("SELECT data FROM artifacts WHERE id = ?", (one.head.artifact,)).fetchone()
        if row is not None:
            value = msgspec.Raw(row[0])
    return Carried(as_sent(one.head), value, one.embedding)


def seal_of(connection: sqlite3.Connection, record: int) -> str:
    """Return what tells a record from another one with its number; empty = it is not kept any more."""
    row = connection.execute("SELECT timestamp, type, cause, length(data) FROM events WHERE id = ?", (record,)).fetchone()
    return sha256(repr(row).encode()).hexdigest()[:16] if row else ""


def read_peers(connection: sqlite3.Connection) -> dict[str, Progress]:
    """Return how far this engine is with each that it ever exchanged entries with. Raises sqlite3.Error."""
    rows = connection.execute("SELECT id, data FROM resources WHERE kind = 'peer'")
    return {address: _progress_of(data) for address, data in rows}


def signed(batch: Batch, secret: bytes) -> Batch:
    """Return a batch with its digest."""
    return msgspec.structs.replace(batch, digest=_digest(batch, secret))


def is_signed(batch: Batch, secret: bytes) -> bool:
    """Answer whether a batch is as somebody who knows the secret made it."""
    return hmac.compare_digest(batch.digest, _digest(batch, secret))


def _digest(batch: Batch, secret: bytes) -> str:
    return hmac.new(secret, _encode(msgspec.structs.replace(batch, digest="")), sha256).hexdigest()
