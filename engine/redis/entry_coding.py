"""How an entry of the journal looks as fields of a Stream, and back; pure.

| field | |
|---|---|
| `e`, `b` | the epoch and the engine that wrote it |
| `f` | number of the first record; the id has that of the last |
| `r` | the records without their numbers: msgpack of [instant, cause, type, event as JSON], packed by zlib when that pays |
| `a` | artifacts, where there are some: msgpack of [id, media, data, task] |
| `p` | epoch and engine of the record before the first, where they are others |
| `c:ID` | the answer to a command of another engine |
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence

import msgspec

from engine.model.artifacts import StoredArtifact
from engine.model.errors import JournalError, UsageError
from engine.model.journal_entries import Entry, Leadership, record_of

PACKED_FROM_BYTES = 4_096
PACKED = b"\x78"
"""What zlib begins with; no array of msgpack does."""

_Row = tuple[float, str, str, bytes]
_encoder = msgspec.msgpack.Encoder()
_rows_decoder = msgspec.msgpack.Decoder(list[_Row])
_artifacts_decoder = msgspec.msgpack.Decoder(list[tuple[str, str, bytes, str]])


def records_field(entry: Entry) -> bytes:
    """Return the records as bytes."""
    rows = [(record.at, record.cause, record.event.type, text) for record, text in zip(entry.records, entry.texts, strict=True)]
    return _packed(_encoder.encode(rows))


def artifacts_field(entry: Entry) -> bytes:
    """Return the artifacts as bytes; none = no bytes."""
    rows = [(kept.id, kept.media, kept.data, kept.task) for kept in entry.artifacts]
    return _encoder.encode(rows) if rows else b""


def entry_of(number: int, fields: Mapping[bytes, bytes]) -> Entry:
    """Rebuild the entry that ends with a record number. Raises JournalError for one that cannot be read."""
    try:
        return _entry_of(number, fields)
    except UsageError as error:
        raise JournalError(str(error)) from error
    except (KeyError, ValueError, zlib.error, msgspec.MsgspecError) as error:
        raise JournalError(f"the entry {number} of the journal in redis cannot be read ({error}); who else writes there?") from error


def _entry_of(number: int, fields: Mapping[bytes, bytes]) -> Entry:
    by, first = Leadership(int(fields[b"e"]), fields[b"b"].decode()), int(fields[b"f"])
    rows: Sequence[_Row] = _rows_decoder.decode(_unpacked(fields[b"r"]))
    if not rows or first + len(rows) - 1 != number:
        raise ValueError(f"it has {len(rows)} records from {first} on")
    artifacts = _artifacts_decoder.decode(fields[b"a"]) if b"a" in fields else ()
    return Entry(
        by.epoch,
        by.engine,
        tuple(record_of(seq, at, cause, type_, text) for seq, (at, cause, type_, text) in enumerate(rows, first)),
        tuple(row[3] for row in rows),
        tuple(StoredArtifact(*kept) for kept in artifacts),
        {name[2:].decode(): answer for name, answer in fields.items() if name.startswith(b"c:")},
        _leadership_of(fields[b"p"]) if b"p" in fields else by,
    )


def _leadership_of(text: bytes) -> Leadership:
    epoch, _, engine = text.decode().partition(" ")
    return Leadership(int(epoch), engine)


def _packed(data: bytes) -> bytes:
    if len(data) < PACKED_FROM_BYTES:
        return data
    packed = zlib.compress(data, 1)
    return packed if len(packed) < len(data) else data


def _unpacked(data: bytes) -> bytes:
    return zlib.decompress(data) if data.startswith(PACKED) else data
