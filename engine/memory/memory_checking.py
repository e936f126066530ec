"""Whether the table of memory says what the journal says of its entries: heads, values and what columns repeat of them.

Owner: nobody; functions only. Keeps a digest of each value, not the value: 0.5 KB an entry that the records are about.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from hashlib import blake2b
from typing import Any

import msgspec

from engine.memory.memory_rows import columns_of
from engine.memory.stored import head_of
from engine.model.memory import EntryId, Head
from engine.model.memory_events import (
    MemoryChanged,
    MemoryConflicted,
    MemoryPermitted,
    MemoryPurged,
)

_EVENTS = "SELECT id, type, data FROM events WHERE id > ? AND type IN (?, ?, ?, ?) ORDER BY id"
_ROWS = (
    "SELECT namespace, owner_id, key, head, value, embedding, acl_level, kind, team, swarm, writer, version, created_at, updated_at, ttl, expires_at, deleted, "
    "size, coalesce(artifact, ''), embedder FROM memory WHERE changed > ?"
)
_DECODERS = {
    kind.type: msgspec.json.Decoder(kind).decode for kind in (MemoryChanged, MemoryPermitted, MemoryConflicted, MemoryPurged)
}

_Said = dict[EntryId, tuple[Head, bytes]]
"""Entry -> its head, and the digest of its value and embedding; empty = these are as an older record left them."""


def unlike_the_journal(connection: sqlite3.Connection, after: int, checked: list[str]) -> Iterator[str]:
    """Yield which entries are not as the records after one say, in words. Raises sqlite3.Error."""
    if not connection.execute("SELECT 1 FROM pragma_table_info('memory') WHERE name = 'changed'").fetchone():
        return  # tables of an older version, whose rows do not say which record they are from
    said: _Said = {}
    for seq, type_, data in connection.execute(_EVENTS, (after, *_DECODERS)):
        try:
            _hear(said, seq, _DECODERS[type_](data))
        except (msgspec.DecodeError, IndexError):
            yield f"record {seq} about memory cannot be read"
            return
    checked.append(f"{len(said):,} entries of memory, against the records after {after:,}")
    for namespace, owner, key, *row in connection.execute(_ROWS, (after,)):
        name = EntryId(namespace, owner, key)
        problem = _difference(row, said.pop(name, None))
        if problem:
            yield f"entry {name} of memory {problem}"
    for name, (head, _) in said.items():
        if not head.is_deleted:  # a tombstone that is gone does no harm
            yield f"entry {name} of memory is missing, its newest record says version {head.version} by {head.writer}"


def _hear(said: _Said, seq: int, event: object) -> None:
    """Take in what a record says."""
    if isinstance(event, MemoryPurged):
        for name in event.entries:
            said.pop(name, None)
    elif isinstance(event, MemoryChanged):
        for place, head in enumerate(event.heads):
            said[head.id] = (msgspec.structs.replace(head, record=seq), _digest(event.values[place], event.embeddings.get(place)))
    elif isinstance(event, MemoryPermitted | MemoryConflicted):
        is_its_own = isinstance(event, MemoryConflicted)  # then the record that wrote the entry stays in its head
        for head in event.heads:
            digest = said[head.id][1] if head.id in said else b""
            said[head.id] = (head if is_its_own else msgspec.structs.replace(head, record=seq), digest)


def _difference(row: list[Any], expected: tuple[Head, bytes] | None) -> str:
    """Return what is wrong with an entry's row, in words; empty = nothing."""
    if expected is None:
        return "is there, and no record says so"
    text, value, embedding, *columns = row
    head, digest = expected
    try:
        is_same = head_of(text) == head and tuple(columns) == columns_of(head)
    except msgspec.DecodeError:
        is_same = False
    if not is_same:
        return f"is not as its newest record says: version {head.version} by {head.writer}"
    if digest and digest != _digest(value.encode() if isinstance(value, str) else value, embedding):
        return "has another value than its newest record"
    return ""


def _digest(value: bytes | msgspec.Raw, embedding: bytes | None) -> bytes:
    return blake2b(b"%b\0%b" % (bytes(value), embedding or b""), digest_size=16).digest()
