"""Where the keys come from that wrap all others: a file, or the environment (engine/memory/hsm.py: a hardware module).

Owner: the provider of its file. A wrapping key never leaves its provider but to be used; its id is a fingerprint of it, so that
a key that was exchanged is seen before it is tried.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from engine.memory.envelopes import KEY_BYTES, Entropy, unwrap_with, wrap_with
from engine.model.errors import ConfigError, EncryptionError, KeyMissing, UsageError

VARIABLE = "ENCRYPTION_KEY"
VARIABLE_PREVIOUS = "ENCRYPTION_KEY_PREVIOUS"
_MAKE_ONE = "make one with: openssl rand -base64 32"


class KeyProvider(Protocol):
    """Keeps wrapping keys. All calls may block."""

    where: str
    """In words, for messages: never the key."""
    renews: bool
    """Whether it makes new keys by itself."""

    def current(self) -> str:
        """Give the id of the key that wraps from now on. Raises EncryptionError."""
        ...

    def wrap(self, kek: str, key: bytes) -> bytes:
        """Wrap a data key by the wrapping key `kek`. Raises KeyMissing."""
        ...

    def unwrap(self, kek: str, wrapped: bytes) -> bytes:
        """Unwrap a data key. Raises KeyMissing, KeyWrong."""
        ...

    def renew(self) -> str:
        """Make a new wrapping key beside the older ones and give its id. Raises UsageError where it is made by hand."""
        ...

    def older(self) -> tuple[str, ...]:
        """Give the ids of the wrapping keys that are there beside the current one."""
        ...

    def destroy(self, kek: str) -> None:
        """Destroy an older wrapping key for good: what it wrapped is lost. Raises UsageError where that is done by hand."""
        ...


class FileKeys:
    """Wrapping keys in a file that only its owner reads; made at first use."""

    renews = True

    def __init__(self, path: Path, *, entropy: Entropy = os.urandom) -> None:
        self.where = f"the key file {path}"
        self._path = path
        self._entropy = entropy
        self._keys: dict[str, bytes] = {}

    def current(self) -> str:
        """Give the newest key's id; without a file, make it."""
        if not self._keys:
            self._read() if self._path.exists() else self._add()
        return next(reversed(self._keys))

    def wrap(self, kek: str, key: bytes) -> bytes:
        """Wrap by a key of the file."""
        return wrap_with(self._key(kek), key)

    def unwrap(self, kek: str, wrapped: bytes) -> bytes:
        """Unwrap by a key of the file."""
        return unwrap_with(self._key(kek), wrapped, f"a data key wrapped by {kek}")

    def renew(self) -> str:
        """Add a key."""
        self.current()
        return self._add()

    def older(self) -> tuple[str, ...]:
        """Give all but the newest."""
        current = self.current()
        return tuple(kek for kek in self._keys if kek != current)

    def destroy(self, kek: str) -> None:
        """Take a key out of the file."""
        if kek == self.current():
            raise UsageError(f"{kek} wraps new keys: rotate first, then destroy it")
        if self._keys.pop(kek, None) is not None:
            self._write()

    def _key(self, kek: str) -> bytes:
        self.current()
        return _pick(self._keys, kek, self.where)

    def _add(self) -> str:
        key = self._entropy(KEY_BYTES)
        self._keys[fingerprint(key)] = key
        self._write()
        return fingerprint(key)

    def _read(self) -> None:
        mode = stat.S_IMODE(self._path.stat().st_mode)
        if mode & 0o077:
            raise EncryptionError(f"{self.where} can be read by others (mode {mode:04o}): chmod 600 {self._path}")
        try:
            texts = json.loads(self._path.read_text())["keys"]
            self._keys = {fingerprint(key): key for key in (_key_of(text, self.where) for text in texts)}
        except (ValueError, KeyError, TypeError):
            raise EncryptionError(f"{self.where} is no key file: restore it from where you keep a copy") from None
        if not self._keys:
            raise EncryptionError(f"{self.where} has no key: restore it from where you keep a copy")

    def _write(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        partial = self._path.with_name(f"{self._path.name}.new")
        with contextlib.suppress(FileNotFoundError):
            partial.unlink()  # of a writer that was killed
        text = json.dumps({"keys": [base64.b64encode(key).decode() for key in self._keys.values()]}, indent=1)
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(f"{text}\n")
            file.flush()
            os.fsync(file.fileno())
        partial.replace(self._path)
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)  # or a power cut takes the name back, and every key it wrapped
        finally:
            os.close(folder)


class EnvironmentKeys:
    """Wrapping keys in ENCRYPTION_KEY (the current one) and ENCRYPTION_KEY_PREVIOUS (older ones, separated by commas)."""

    where = f"the variable {VARIABLE}"
    renews = False

    def __init__(self, environment: Mapping[str, str]) -> None:
        current = environment.get(VARIABLE, "").strip()
        if not current:
            raise ConfigError(f"memory.keys is 'environment', but {VARIABLE} is not set: {_MAKE_ONE}")
        previous = [text.strip() for text in environment.get(VARIABLE_PREVIOUS, "").split(",")]
        keys = [_key_of(current, VARIABLE), *(_key_of(text, VARIABLE_PREVIOUS) for text in previous if text)]
        self._keys = {fingerprint(key): key for key in keys}
        self._current = fingerprint(keys[0])

    def current(self) -> str:
        """Give the id of what ENCRYPTION_KEY holds."""
        return self._current

    def wrap(self, kek: str, key: bytes) -> bytes:
        """Wrap by one of the variables' keys."""
        return wrap_with(self._key(kek), key)

    def unwrap(self, kek: str, wrapped: bytes) -> bytes:
        """Unwrap by one of the variables' keys."""
        return unwrap_with(self._key(kek), wrapped, f"a data key wrapped by {kek}")

    def renew(self) -> str:
        """Refuse: nobody but you can change your environment."""
        raise UsageError(f"the wrapping key comes from {VARIABLE}: move it to {VARIABLE_PREVIOUS}, put a new one there, and restart the engine; {_MAKE_ONE}")

    def older(self) -> tuple[str, ...]:
        """Give those of ENCRYPTION_KEY_PREVIOUS."""
        return tuple(kek for kek in self._keys if kek != self._current)

    def destroy(self, kek: str) -> None:
        """Refuse likewise."""
        raise UsageError(f"{kek} comes from {VARIABLE_PREVIOUS}: take it out there once no key is wrapped by it")

    def _key(self, kek: str) -> bytes:
        return _pick(self._keys, kek, f"{VARIABLE} and {VARIABLE_PREVIOUS}")


def fingerprint(key: bytes) -> str:
    """Name a wrapping key; of 256 bits of chance nothing can be learnt from it."""
    return f"kek_{hashlib.sha256(b'fleet-tui wrapping key' + key).hexdigest()[:16]}"


def _pick(keys: Mapping[str, bytes], kek: str, where: str) -> bytes:
    if kek not in keys:
        raise KeyMissing(f"the wrapping key {kek} is missing: {where} has {', '.join(keys)}; put it back, or what it wraps stays closed")
    return keys[kek]


def _key_of(text: str, where: str) -> bytes:
    """Read 32 bytes from 64 hexadecimal digits or from base 64."""
    with contextlib.suppress(ValueError):
        key = bytes.fromhex(text)
        if len(key) == KEY_BYTES:
            return key
    with contextlib.suppress(binascii.Error):
        key = base64.b64decode(text, validate=True)
        if len(key) == KEY_BYTES:
            return key
    raise ConfigError(f"{where} holds no key of {KEY_BYTES} bytes in base 64 or hexadecimal: {_MAKE_ONE}")
