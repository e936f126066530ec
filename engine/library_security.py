"""SecurityManager for programs that embed the engine: data that they keep themselves, sealed with keys of memory's ring.

Owner: nobody; it works on a fleet whose memory is encrypted ([memory.encryption]; ENCRYPTION_KEY or a file has the wrapping key).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from engine.fleet import FleetManager
from engine.library import Manager
from engine.memory.contexts import decrypt_data, encrypt_data
from engine.memory.keys import KeyRing
from engine.model.errors import UsageError


class SecurityManager(Manager):
    """Seals and opens data for contexts. `config` is the section memory of a fleet's configuration."""

    def __init__(self, config: Mapping[str, Any] | None = None, *, fleet: FleetManager | None = None) -> None:
        """Take a fleet, or check the configuration of one of its own. Raises ConfigError, UsageError."""
        if fleet is not None and config:
            raise UsageError("give the section memory to the fleet's own configuration, not both a fleet and a config")
        super().__init__(fleet, {"memory": dict(config or {})})

    async def encrypt_data(self, data: str | bytes, context: str | Mapping[str, str]) -> str:
        """Return data sealed by AES-256-GCM for a context: JSON with algorithm, keyId, contextId and timestamp. Raises EncryptionError, UsageError."""
        plain = data.encode() if isinstance(data, str) else data
        return await asyncio.to_thread(encrypt_data, self._ring, plain, _id_of(context), self.fleet.clock.now())

    async def decrypt_data(self, text: str, context: str | Mapping[str, str]) -> bytes:
        """Return what was sealed for that context. Raises EncryptionError when it was changed, is another's, or its keys are gone."""
        return await asyncio.to_thread(decrypt_data, self._ring, text, _id_of(context))

    @property
    def _ring(self) -> KeyRing:
        sealing = self.fleet.remembering.sealing
        if sealing is None or not sealing.is_on:
            raise UsageError("nothing is encrypted here: write [memory.encryption] in the configuration")
        return sealing.ring


def _id_of(context: str | Mapping[str, str]) -> str:
    """Return the id of a context, given as the seeds do, {"id": …}, or by itself. Raises UsageError."""
    found = context if isinstance(context, str) else context.get("id", "")
    if not found:
        raise UsageError('a context needs an id: "invoices", or {"id": "invoices"}')
    return found
