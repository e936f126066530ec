"""What a sealed value is: AES-256-GCM under a data key, bound to the row it was sealed for.

Owner: nobody; pure but for the nonce. Namespace, owner, key and version of an entry stand beside the envelope in plain text and
enter the tag: an envelope moved to another row, or an older one put back, does not open. Names, levels, times and sizes
stay readable; values do not.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from engine.model.errors import EncryptionError, KeyWrong, Tampered

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

ALGORITHM = "AES-256-GCM"
PREFIX = b'{"alg":"AES-256-GCM","key_id":'
"""How the text of every envelope begins."""
KEY_BYTES = 32
NONCE_BYTES = 12
TAG_BYTES = 16

Entropy = Callable[[int], bytes]
"""So many bytes that nobody can guess."""


class Place(NamedTuple):
    """The row that a value is sealed for."""

    namespace: str
    owner: str
    key: str
    version: int
    part: str = "value"
    """Which part of the row: one cannot stand in for another."""

    def __str__(self) -> str:
        return f"{self.namespace}/{self.owner}/{self.key} version {self.version}"


class Envelope(msgspec.Struct, frozen=True):
    """A sealed value; as text it is JSON with its bytes in base 64."""

    alg: str
    key_id: str
    nonce: bytes
    tag: bytes
    ct: bytes


def cipher_of(key: bytes) -> AESGCM:
    """Make the cipher of a 256-bit key. Raises EncryptionError without the package for it."""
    assert len(key) == KEY_BYTES
    try:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    except ImportError as error:
        raise EncryptionError("encryption needs one more package: pip install 'fleet-tui[encryption]'") from error
    return AESGCM(key)


def seal(plain: bytes, place: Place, key_id: str, cipher: AESGCM, *, entropy: Entropy = os.urandom) -> Envelope:
    """Seal bytes for a row."""
    nonce = entropy(NONCE_BYTES)
    sealed = cipher.encrypt(nonce, plain, _associated(place))
    return Envelope(ALGORITHM, key_id, nonce, sealed[-TAG_BYTES:], sealed[:-TAG_BYTES])


def unseal(envelope: Envelope, place: Place, cipher: AESGCM) -> bytes:
    """Open an envelope that stands in a row. Raises Tampered."""
    from cryptography.exceptions import InvalidTag

    if envelope.alg != ALGORITHM or len(envelope.nonce) != NONCE_BYTES or len(envelope.tag) != TAG_BYTES:
        raise Tampered(f"{place} is no envelope of {ALGORITHM}: {_REMEDY}")
    try:
        return cipher.decrypt(envelope.nonce, envelope.ct + envelope.tag, _associated(place))
    except InvalidTag:
        raise Tampered(f"{place} does not open: its bytes were changed, or it stood in another row when it was sealed; {_REMEDY}") from None


def encode(envelope: Envelope) -> str:
    """Give the text of an envelope, as the database keeps it."""
    return msgspec.json.encode(envelope).decode()


def decode(text: str | bytes, place: Place) -> Envelope:
    """Read the text of an envelope. Raises Tampered when it is none."""
    try:
        return _DECODER.decode(text)
    except msgspec.MsgspecError:
        raise Tampered(f"{place} is no envelope: {_REMEDY}") from None


def key_id_of(text: bytes) -> str:
    """Return which key an envelope asks for, without reading the rest of it."""
    assert text.startswith(PREFIX)
    return text[len(PREFIX) :].split(b'"', 2)[1].decode(errors="replace")


def unwrap_with(wrapping_key: bytes, wrapped: bytes, what: str) -> bytes:
    """Unwrap a data key (RFC 3394). Raises KeyWrong, which names `what` it was."""
    from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap

    try:
        return aes_key_unwrap(wrapping_key, wrapped)
    except InvalidUnwrap:
        raise KeyWrong(f"{what} does not unwrap: it was changed, or wrapped by another key; restore the key file of the backup it came from") from None


def wrap_with(wrapping_key: bytes, key: bytes) -> bytes:
    """Wrap a data key (RFC 3394): 40 bytes that say by themselves whether they were changed."""
    from cryptography.hazmat.primitives.keywrap import aes_key_wrap

    return aes_key_wrap(wrapping_key, key)


_DECODER = msgspec.json.Decoder(Envelope)
_REMEDY = "run fleet-tui doctor, and restore it from a backup"


def _associated(place: Place) -> bytes:
    """Bind the row: as JSON, no two rows give the same bytes."""
    return msgspec.json.encode(place)
