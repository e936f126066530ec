"""Data that callers keep themselves: sealed with keys of memory's ring, bound to its context and to what its text says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from engine import FleetManager, SecurityManager
from engine.memory.key_providers import VARIABLE
from engine.model.errors import EncryptionError, Erased, Tampered, UsageError

CONFIG: dict[str, Any] = {"fleet": {"default_pools": False}, "memory": {"encryption": {}}}
SECRET = "4111 1111 1111 1111"
INVOICES = {"id": "invoices"}


@pytest.mark.row(133, 247)
async def test_data_is_sealed_for_its_context_and_opens_there_alone(tmp_path: Path) -> None:
    async with FleetManager(CONFIG, state_dir=tmp_path) as fleet:
        security = SecurityManager(fleet=fleet)
        text = await security.encrypt_data(SECRET, INVOICES)
        said = json.loads(text)
        assert (said["algorithm"], said["contextId"], said["keyId"]) == ("AES-256-GCM", "invoices", said["sealed"]["key_id"])
        assert abs(said["timestamp"] / 1_000 - fleet.clock.now()) < 60
        assert SECRET not in text
        assert await security.encrypt_data(SECRET, INVOICES) != text, "the nonce is another each time"
        assert await security.decrypt_data(text, "invoices") == SECRET.encode()
        with pytest.raises(UsageError, match="a context needs an id"):
            await security.encrypt_data(SECRET, {})
        with pytest.raises(Tampered, match="sealed for 'invoices', not for 'wages'"):
            await security.decrypt_data(text, "wages")
    async with FleetManager(CONFIG, state_dir=tmp_path) as fleet:
        assert await SecurityManager(fleet=fleet).decrypt_data(text, INVOICES) == SECRET.encode(), "its key outlives the engine"


@pytest.mark.parametrize("name", ["timestamp", "keyId", "contextId", "algorithm", "sealed"])
async def test_whatever_is_changed_does_not_open(tmp_path: Path, name: str) -> None:
    async with FleetManager(CONFIG, state_dir=tmp_path) as fleet:
        security = SecurityManager(fleet=fleet)
        said = json.loads(await security.encrypt_data(SECRET, INVOICES))
        other = json.loads(await security.encrypt_data("something else", "wages"))
        said[name] = said[name] + 1 if name == "timestamp" else "ROT13" if name == "algorithm" else other[name]
        with pytest.raises(EncryptionError):
            await security.decrypt_data(json.dumps(said), said["contextId"])
        with pytest.raises(Tampered, match="no sealed data"):
            await security.decrypt_data("{}", INVOICES)


async def test_a_context_whose_keys_are_destroyed_is_gone(tmp_path: Path) -> None:
    async with FleetManager(CONFIG, state_dir=tmp_path) as fleet:
        security = SecurityManager(fleet=fleet)
        text = await security.encrypt_data(SECRET, INVOICES)
        sealing = fleet.remembering.sealing
        assert sealing is not None
        assert sealing.ring.erase("context:invoices", fleet.clock.now()) == 1
        with pytest.raises(Erased):
            await security.decrypt_data(text, INVOICES)


async def test_the_wrapping_key_may_come_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "0f" * 32)
    security = SecurityManager({"encryption": {"keys": "environment"}})
    await security.initialize()
    try:
        assert VARIABLE == "ENCRYPTION_KEY"
        assert await security.decrypt_data(await security.encrypt_data(b"\x00\xff", "x"), "x") == b"\x00\xff"
    finally:
        await security.shutdown()


async def test_without_encryption_it_says_what_to_write(tmp_path: Path) -> None:
    async with FleetManager({"fleet": {"default_pools": False}}, state_dir=tmp_path) as fleet:
        with pytest.raises(UsageError, match=r"write \[memory.encryption\]"):
            await SecurityManager(fleet=fleet).encrypt_data(SECRET, INVOICES)
