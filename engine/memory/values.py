"""Values on their way in and out: as JSON with a bound, and the one place where they are sealed and opened again."""

from __future__ import annotations

import base64
import struct
from collections.abc import Sequence
from hashlib import sha256
from math import isfinite
from typing import Any, Protocol

import msgspec

from engine.model.errors import TooLarge, UsageError
from engine.model.memory import JSON, EntryId, Head
from engine.model.plain import NOT_JSON, printable, require_shallow

VALUE_INLINE_MAX = 16 * 1024
"""Bytes of JSON kept with an entry; a larger value is kept once, by its hash."""

VALUE = "value"
EMBEDDING = "embedding"
"""The parts of an entry that are sealed."""
OWN = "own"
"""The embedder of entries that brought their embedding."""
DIMENSIONS_MAX = 8_192

BYTES = "application/octet-stream"
"""Media of a value that is bytes; as JSON it is their base64."""

_BYTES = (bytes, bytearray, memoryview)

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class Encoded(msgspec.Struct, frozen=True, gc=False):
    """A value as JSON."""

    media: str
    data: bytes


class Seal(Protocol):
    """How values look where they are kept: as they are, or encrypted; both sides are JSON.

    Several at once, so that keys are looked up once. `open` raises FleetError for what was not sealed so or was changed.
    """

    def seal(self, heads: Sequence[Head], values: Sequence[bytes], part: str = VALUE) -> Sequence[bytes]:
        """Return values as they are to be kept."""
        ...

    def open(self, head: Head, kept: bytes, part: str = VALUE) -> bytes:
        """Return a value from what was kept for an entry."""
        ...


class Unsealed:
    """Values are kept as they are."""

    def seal(self, heads: Sequence[Head], values: Sequence[bytes], part: str = VALUE) -> Sequence[bytes]:  # noqa: ARG002  # a seal gets all
        """Return them."""
        return values

    def open(self, head: Head, kept: bytes, part: str = VALUE) -> bytes:  # noqa: ARG002  # a seal gets all
        """Return it."""
        return kept


def encode_value(id_: EntryId, value: Any, max_bytes: int) -> Encoded:  # noqa: ANN401  # anything is asked
    """Return a value as JSON. Raises UsageError for what JSON cannot hold, TooLarge."""
    is_text = isinstance(value, str)
    is_bytes = not is_text and isinstance(value, _BYTES)
    if (is_text or is_bytes) and len(value) > max_bytes:
        raise _too_large(id_, len(value), max_bytes)
    try:
        data = _encode(base64.b64encode(value).decode() if is_bytes else value)
        if not (is_text or is_bytes):
            require_shallow(data)
    except NOT_JSON as error:
        reason = "it is nested too deep" if isinstance(error, RecursionError) else printable(str(error))
        raise UsageError(f"the value of {id_} cannot be kept: {reason}; give what JSON can hold, or bytes") from error
    if len(data) > max_bytes:
        raise _too_large(id_, len(data), max_bytes)
    return Encoded(BYTES if is_bytes else JSON, data)


def _too_large(id_: EntryId, size: int, max_bytes: int) -> TooLarge:
    return TooLarge(f"the value of {id_} has {size:,} bytes, the most is {max_bytes:,}; raise memory.value_max_bytes, or keep it in a file")


def decode_value(media: str, data: bytes) -> Any:  # noqa: ANN401  # JSON is any
    """Return a value from its JSON; every call makes a new one, so that changing it changes nothing else."""
    value = _decode(data)
    return base64.b64decode(value) if media == BYTES else value


def packed(embedding: Sequence[float]) -> bytes:
    """Return an embedding as it is kept: little-endian float32. Raises UsageError."""
    try:
        data = struct.pack(f"<{len(embedding)}f", *embedding)
    except (struct.error, OverflowError, TypeError):
        data = b""
    if not 0 < len(embedding) <= DIMENSIONS_MAX or not data or not all(map(isfinite, embedding)):
        raise UsageError(f"an embedding is a list of 1 to {DIMENSIONS_MAX:,} finite numbers")
    return data


def address_of(kept: bytes) -> str:
    """Return the name under which a large value is kept once."""
    return sha256(kept).hexdigest()
