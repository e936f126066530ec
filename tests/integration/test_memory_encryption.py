"""Memory with encryption on: what is on the disk, and what opens when the disk, the keys or the clock are not as they were."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest
from engine import FleetManager, SwarmMemory
from engine.config import parse_config
from engine.fleet import LIBRARY
from engine.memory.key_providers import VARIABLE
from engine.memory.keys import RING_NAME
from engine.memory.sealing import KEY_FILE_NAME, open_ring
from engine.memory.values import VALUE_INLINE_MAX
from engine.model.data_commands import RotateKeys
from engine.model.errors import CommandRefused, ConfigError, Erased, KeyMissing, Tampered
from engine.model.memory import EntryId, Principal, PrincipalKind

SECRET = "the-word-that-must-not-be-on-the-disk"
LARGE = [SECRET] * (VALUE_INLINE_MAX // len(SECRET) + 1)
ENGINE = Principal("engine", PrincipalKind.ENGINE)


@asynccontextmanager
async def swarm(folder: Path, **encryption: Any) -> AsyncIterator[SwarmMemory]:
    config = {"fleet": {"default_pools": False}, "memory": {"encryption": encryption}}
    async with FleetManager(config, state_dir=folder) as fleet:
        yield SwarmMemory(fleet=fleet)


def change(folder: Path, sql: str, *values: object) -> None:
    with closing(sqlite3.connect(folder / "fleet.db")) as database, database:
        assert database.execute(sql, values).rowcount == 1


def on_disk(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


@pytest.mark.row(104, 240)
async def test_no_value_is_on_the_disk_in_plain_text(tmp_path: Path) -> None:
    async with swarm(tmp_path) as memory:
        for key, value in {"audit": {"deep": [SECRET]}, "large": LARGE, "number": 5}.items():
            await memory.store(key, value)
        await memory.set_permissions("audit", {"level": "public"})
        await memory.store("gone", SECRET)
        await memory.delete("gone")
        assert SECRET.encode() not in on_disk(tmp_path)
    assert SECRET.encode() not in on_disk(tmp_path)
    async with swarm(tmp_path) as memory:
        assert await memory.retrieve("audit") == {"deep": [SECRET]}
        assert await memory.retrieve("large") == LARGE
        assert await memory.retrieve("number") == 5


async def test_without_encryption_the_same_value_is_there(tmp_path: Path) -> None:
    async with swarm(tmp_path, enabled=False) as memory:
        await memory.store("key", SECRET)
    assert SECRET.encode() in on_disk(tmp_path)
    assert not (tmp_path / RING_NAME).exists()


async def test_changed_moved_and_plain_values_do_not_open(tmp_path: Path) -> None:
    async with swarm(tmp_path) as memory:
        for key in ("a", "b", "c", "d"):
            await memory.store(key, f"value of {key}")
    change(tmp_path, "UPDATE memory SET value = (SELECT value FROM memory WHERE key = 'b') WHERE key = 'a'")
    change(tmp_path, "UPDATE memory SET value = replace(value, '\"ct\":\"', '\"ct\":\"AAAA') WHERE key = 'b'")
    change(tmp_path, "UPDATE memory SET value = '\"forged\"' WHERE key = 'c'")
    async with swarm(tmp_path) as memory:
        for key, why in (("a", "stood in another row"), ("b", "bytes were changed"), ("c", "is plain now")):
            with pytest.raises(Tampered, match=why):
                await memory.retrieve(key)
        assert await memory.retrieve("d") == "value of d"


async def test_an_older_value_put_back_does_not_open(tmp_path: Path) -> None:
    async with swarm(tmp_path) as memory:
        await memory.store("key", "old")
        fleet = memory.fleet
        old = fleet.journal.database.on_loop.execute("SELECT value FROM memory").fetchone()[0]
        await memory.store("key", "new")
    change(tmp_path, "UPDATE memory SET value = ?", old)
    async with swarm(tmp_path) as memory:
        with pytest.raises(Tampered):
            await memory.retrieve("key")


async def test_every_version_in_the_history_opens(tmp_path: Path) -> None:
    async with swarm(tmp_path) as memory:
        for value in ("one", "two"):
            await memory.store("key", value)
        await memory.set_permissions("key", {"level": "swarm"})
        held = memory.fleet.memory
        owner = (await memory.entry("key")).head.id.owner
        versions = held.history(ENGINE, EntryId("default", owner, "key"))
        assert [held.seal.open(each.head, each.kept) for each in versions if each.kept] == [b'"two"', b'"one"']


async def test_without_the_key_file_the_engine_says_which_key_is_missing(tmp_path: Path) -> None:
    async with swarm(tmp_path) as memory:
        await memory.store("key", SECRET)
    kept = (tmp_path / KEY_FILE_NAME).read_bytes()
    (tmp_path / KEY_FILE_NAME).unlink()
    with pytest.raises(KeyMissing, match=f"{KEY_FILE_NAME} has kek_.*put it back"):
        async with swarm(tmp_path):
            pass
    (tmp_path / KEY_FILE_NAME).write_bytes(kept)
    async with swarm(tmp_path) as memory:
        assert await memory.retrieve("key") == SECRET


async def test_without_the_key_ring_entries_say_what_to_restore(tmp_path: Path) -> None:
    async with swarm(tmp_path) as memory:
        await memory.store("key", SECRET)
    (tmp_path / RING_NAME).unlink()
    async with swarm(tmp_path) as memory:
        with pytest.raises(KeyMissing, match="restore the key ring of the backup"):
            await memory.retrieve("key")


@pytest.mark.row(243)
async def test_keys_rotate_while_the_engine_runs(tmp_path: Path) -> None:
    async with swarm(tmp_path) as memory:
        await memory.store("old", SECRET)
        ring = memory.fleet.remembering.sealing.ring
        ring.rotate(memory.fleet.clock.now())
        await memory.store("new", SECRET)
        assert ring.rewrap(100) == 0 and len(ring.destroy_unused()) == 1
        assert ring.state(memory.fleet.clock.now()).keys == 2
    async with swarm(tmp_path) as memory:
        assert [await memory.retrieve(key) for key in ("old", "new")] == [SECRET, SECRET]


async def test_an_administrator_has_new_keys_made_at_once(tmp_path: Path) -> None:
    async with swarm(tmp_path) as memory:
        await memory.store("old", SECRET)
        before = memory.fleet.remembering.sealing.ring.state(0.0).kek
        plan = await memory.fleet.operator(LIBRARY).plan([RotateKeys()])
        assert memory.fleet.remembering.sealing.ring.state(0.0).kek == before
        assert plan.steps[0].after == "new keys seal what is stored from now on"
        answer = await memory.fleet.operator(LIBRARY).execute([RotateKeys()], reason="somebody left")
        kek = memory.fleet.remembering.sealing.ring.state(0.0).kek
        assert kek != before and kek in answer.summary
        await memory.store("new", SECRET)
        [audited] = [line for line in memory.fleet.coordinator.state.audit if line.action == "memory.rotate"]
        assert (audited.reason, audited.result) == ("somebody left", "done")
        assert [await memory.retrieve(key) for key in ("old", "new")] == [SECRET, SECRET]
    async with swarm(tmp_path, enabled=False) as memory:
        with pytest.raises(CommandRefused, match="memory is not encrypted"):
            await memory.fleet.operator(LIBRARY).execute([RotateKeys()])


async def test_an_erased_owner_can_be_read_by_nobody(tmp_path: Path) -> None:
    async with swarm(tmp_path) as memory:
        owner = (await memory.store("key", SECRET)).id.owner
        assert memory.fleet.remembering.sealing.ring.erase(owner, memory.fleet.clock.now()) == 1
    async with swarm(tmp_path) as memory:
        with pytest.raises(Erased, match="was erased"):
            await memory.retrieve("key")


async def test_encryption_goes_on_and_off_over_what_is_there(tmp_path: Path) -> None:
    keys = []
    for number, enabled in enumerate((False, True, False, True)):
        async with swarm(tmp_path, enabled=enabled) as memory:
            keys.append(f"key{number}")
            await memory.store(keys[-1], SECRET)
            assert [await memory.retrieve(key) for key in keys] == [SECRET] * len(keys)
    with closing(sqlite3.connect(tmp_path / "fleet.db")) as database:
        kept = database.execute("SELECT value LIKE '%AES-256-GCM%' FROM memory ORDER BY key").fetchall()
    assert kept == [(0,), (1,), (0,), (1,)]


@pytest.mark.row(104)
def test_the_seeds_production_section_is_taken() -> None:
    seeds = {"encryption": {"algorithm": "aes-256-gcm", "keyRotationPeriod": 7_776_000_000}}
    section = parse_config({"memory": seeds}, "test").memory.encryption
    assert (section.enabled, section.algorithm, section.rotation_s) == (True, "aes-256-gcm", 90 * 86_400)
    assert parse_config({"memory": {"encryption": True}}, "test").memory.encryption.enabled
    assert not parse_config({"memory": {}}, "test").memory.encryption.enabled
    with pytest.raises(ConfigError, match=r"memory\.encryption\.algorithm"):
        parse_config({"memory": {"encryption": {"algorithm": "des"}}}, "test")


@pytest.mark.parametrize(
    ("section", "environment", "says"),
    [
        ({"keys": "environment"}, {}, f"{VARIABLE} is not set"),
        ({"keys": "hsm"}, {}, "name the module in hsm_library"),
        ({"keys": "hsm", "hsm_library": "/x.so", "hsm_token": "t"}, {}, "ENCRYPTION_HSM_PIN, which is not set"),
    ],
)
def test_a_section_without_its_keys_is_refused(tmp_path: Path, section: dict[str, str], environment: dict[str, str], says: str) -> None:
    encryption = parse_config({"memory": {"encryption": section}}, "test").memory.encryption
    with pytest.raises(ConfigError, match=says):
        open_ring(encryption, tmp_path, None, environment)


async def test_the_environment_may_hold_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, os.urandom(32).hex())
    async with swarm(tmp_path, keys="environment") as memory:
        await memory.store("key", SECRET)
    assert SECRET.encode() not in on_disk(tmp_path)
    assert os.environ[VARIABLE].encode() not in on_disk(tmp_path)
    async with swarm(tmp_path, keys="environment") as memory:
        assert await memory.retrieve("key") == SECRET
