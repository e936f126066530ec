"""How values are kept when memory is encrypted: sealed with the key of their owner, bound to entry and version.

Owner: nobody; `Sealing` asks the key ring. What was stored before encryption was switched on stays as it is until it is stored
again and is read as it is; whatever was stored later opens only sealed, so nobody can put plain text in its place.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from engine.clock import Clock, IdFactory
from engine.memory.envelopes import PREFIX, Place, decode, encode
from engine.memory.hsm import ModuleKeys
from engine.memory.key_providers import EnvironmentKeys, FileKeys, KeyProvider
from engine.memory.keys import RING_NAME, DataKey, KeyRing
from engine.memory.values import VALUE
from engine.model.errors import ConfigError, EncryptionError, Tampered
from engine.model.memory import Head
from engine.model.memory_settings import EncryptionSection

logger = logging.getLogger(__name__)

TURN_S = 60.0
REWRAP_MAX = 500
"""Keys wrapped anew in a turn."""
KEY_FILE_NAME = "wrapping-keys.json"


class Sealing:
    """Seals and opens values. Seals nothing when encryption was switched off again, and still opens what is sealed."""

    def __init__(self, ring: KeyRing, clock: Clock, *, seals: bool = True) -> None:
        self.ring = ring
        self._clock = clock
        self._seals = seals

    def begin(self, record: int) -> None:
        """Take note where the journal stands when values begin to be sealed, or to be plain again; called at each start."""
        if self._seals:
            self.ring.begin(record)
        else:
            self.ring.stop_sealing()

    def seal(self, heads: Sequence[Head], values: Sequence[bytes], part: str = VALUE) -> Sequence[bytes]:
        """Return the envelopes of values. Waits for the disk only where an owner needs a new key. Raises EncryptionError."""
        if not self._seals:
            return values
        now = self._clock.now()
        owners = {head.id.owner for head in heads}
        keys: dict[str, DataKey] = {owner: key for owner in owners if (key := self.ring.current(owner, now)) is not None}
        missing = sorted(owners - keys.keys())
        if missing:
            try:
                keys |= self.ring.prepare(missing, now)
            except (sqlite3.Error, OSError) as error:
                raise EncryptionError(f"no key can be made for {missing[0]} ({error}): free space or repair the key ring; nothing was changed") from error
        return [encode(keys[head.id.owner].seal(value, place_of(head, part))).encode() for head, value in zip(heads, values, strict=True)]

    def open(self, head: Head, kept: bytes, part: str = VALUE) -> bytes:
        """Return the value of what was kept. Raises Tampered, KeyMissing, KeyWrong, Erased."""
        if kept.startswith(PREFIX):
            place = place_of(head, part)
            return self.ring.unsealed(decode(kept, place), place)
        if self._seals and head.record > self.ring.plain_until:
            raise Tampered(f"{head.id} was stored sealed and is plain now: somebody changed the database; restore it from a backup")
        return kept

    @property
    def is_on(self) -> bool:
        """Answer whether new values are sealed."""
        return self._seals

    async def rotate(self) -> str:
        """Have new keys at once, and say which. Raises EncryptionError."""
        now = self._clock.now()
        try:
            kek = await asyncio.to_thread(self.ring.rotate, now)
            state = await asyncio.to_thread(self.ring.state, now)
        except (sqlite3.Error, OSError) as error:
            raise EncryptionError(f"no new key can be kept ({error}): free space or repair the key ring; the keys are as they were") from error
        return f"new keys from now on, wrapped by {kek}; {state.to_rewrap:,} older ones are wrapped anew by and by"

    async def run(self) -> None:
        """Replace keys that are old enough, and wrap some others anew, every minute until cancelled."""
        while True:
            try:
                await asyncio.to_thread(self._turn)
            except (EncryptionError, sqlite3.Error, OSError) as error:
                logger.warning("keys cannot be renewed", extra={"reason": str(error)})
            await self._clock.sleep(TURN_S)

    def _turn(self) -> None:
        now = self._clock.now()
        if self.ring.rotate_if_due(now):
            logger.info("a new wrapping key was made")
        self.ring.rewrap(REWRAP_MAX)
        state = self.ring.state(now)
        if state.skewed:
            logger.warning("keys were made in the future: this clock is behind, or was ahead", extra={"keys": state.skewed})


def place_of(head: Head, part: str) -> Place:
    """Return the row that an entry's value is sealed for: permissions may change after it without sealing it anew."""
    return Place(*head.id, head.value_version or head.version, part)


def open_ring(section: EncryptionSection, root: Path, ids: IdFactory, environment: Mapping[str, str] = os.environ) -> KeyRing | None:
    """Open the key ring of a state directory; None = nothing is or was ever encrypted. Raises EncryptionError, ConfigError."""
    path = root / RING_NAME
    if not section.enabled and not path.exists():
        return None
    return KeyRing(path, _PROVIDERS[section.keys](section, root, environment), ids, rotation_s=section.rotation_s)


def _file_keys(section: EncryptionSection, root: Path, _environment: Mapping[str, str]) -> KeyProvider:
    return FileKeys(section.key_file or root / KEY_FILE_NAME)


def _environment_keys(_section: EncryptionSection, _root: Path, environment: Mapping[str, str]) -> KeyProvider:
    return EnvironmentKeys(environment)


def _module_keys(section: EncryptionSection, _root: Path, environment: Mapping[str, str]) -> KeyProvider:
    if section.hsm_library is None or not section.hsm_token:
        raise ConfigError("memory.encryption.keys is 'hsm': name the module in hsm_library and the token in hsm_token")
    pin = environment.get(section.hsm_pin_variable, "")
    if not pin:
        raise ConfigError(f"the PIN of the token is read from the variable {section.hsm_pin_variable}, which is not set")
    return ModuleKeys(section.hsm_library, section.hsm_token, pin)


_PROVIDERS: dict[str, Callable[[EncryptionSection, Path, Mapping[str, str]], KeyProvider]] = {
    "file": _file_keys,
    "environment": _environment_keys,
    "hsm": _module_keys,
}
