"""Data that callers keep themselves, sealed with a key of the context that they name (the seeds' encryptData).

Owner: nobody; the keys are those of memory's ring, each context a subject of its own: erasing it is destroying its keys. What the text
says of itself (algorithm, key, context, instant) stays readable and is bound to what is sealed: changed, it does not open.
"""

from __future__ import annotations

import sqlite3

import msgspec

from engine.memory.envelopes import ALGORITHM, Envelope, Place
from engine.memory.keys import KeyRing
from engine.model.errors import EncryptionError, Tampered

SUBJECT = "context:"
"""Begins the name of a context among the subjects of the ring: no owner of memory has such a name."""
_PART = "data"


class SealedData(msgspec.Struct, frozen=True, rename="camel"):
    """The text of sealed data, as JSON."""

    algorithm: str
    key_id: str
    context_id: str
    timestamp: int
    """When it was sealed, in milliseconds since 1970."""
    sealed: Envelope


def encrypt_data(ring: KeyRing, data: bytes, context: str, now: float) -> str:
    """Seal data for a context. Waits for the disk only where it needs a new key. Raises EncryptionError."""
    subject = f"{SUBJECT}{context}"
    try:
        key = ring.current(subject, now) or ring.prepare([subject], now)[subject]
    except (sqlite3.Error, OSError) as error:
        raise EncryptionError(f"no key can be made for {context} ({error}): free space or repair the key ring; nothing was sealed") from error
    at = round(now * 1_000)
    return msgspec.json.encode(SealedData(ALGORITHM, key.id, context, at, key.seal(data, _place(context, at)))).decode()


def decrypt_data(ring: KeyRing, text: str | bytes, context: str) -> bytes:
    """Open data that was sealed for a context. Raises Tampered, KeyMissing, KeyWrong, Erased."""
    try:
        found = msgspec.json.decode(text, type=SealedData)
    except msgspec.MsgspecError as error:
        raise Tampered(f"this is no sealed data: {error}") from None
    if (found.algorithm, found.key_id, found.context_id) != (found.sealed.alg, found.sealed.key_id, context):
        raise Tampered(f"this was sealed for {found.context_id!r}, not for {context!r}, or what it says of itself was changed")
    return ring.unsealed(found.sealed, _place(context, found.timestamp))


def _place(context: str, at: int) -> Place:
    return Place("", f"{SUBJECT}{context}", "", at, _PART)
