"""Backups of an encrypted memory: one file, which opens where the wrapping key is and nowhere else."""

# A test may hold up its own loop.
# ruff: noqa: ASYNC240

from __future__ import annotations

import base64
import os
import shutil
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest
from engine import FleetManager
from engine.memory.checking import verify
from engine.memory.copies import restore
from engine.memory.database import take_lock
from engine.memory.key_providers import VARIABLE
from engine.memory.keys import RING_NAME
from engine.memory.sealing import KEY_FILE_NAME
from engine.model.errors import EncryptionError, Erased, KeyMissing
from engine.model.memory_commands import RememberEntry
from engine.model.plans import Origin

from tests.integration.engines import engine

ADA, BOB = Origin("ada", "cli", "", 2), Origin("bob", "cli", "", 1)


@asynccontextmanager
async def fleet_in(folder: Path, keys: str = "file") -> AsyncIterator[FleetManager]:
    section = {"encryption": {"enabled": True, "keys": keys}}
    async with FleetManager({"fleet": {"default_pools": False}, "memory": section}, state_dir=folder) as fleet:
        yield fleet


async def value(fleet: FleetManager, owner: str) -> object:
    return (await fleet.operator(ADA).query("entry", key="plan", owner=owner))["value"]  # type: ignore[index]


async def backed_up(folder: Path, keys: str = "file") -> Path:
    """Return a backup of a fleet with an entry of bob's and one of ada's, in a folder of its own."""
    async with fleet_in(folder, keys) as fleet:
        for who in (BOB, ADA):
            await fleet.operator(who).execute([RememberEntry("plan", f"of {who.who}" * 2_000)])
        contents = await fleet.journal.backup(folder / "copy.db")
    assert contents.keys == 2
    return folder / "copy.db"


def put_back(source: Path, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    os.close(take_lock(folder / "fleet.db"))
    restore(source, folder / "fleet.db", aside=folder / "aside.db", ring=folder / RING_NAME)


@pytest.mark.row(240, 243)
async def test_a_backup_opens_in_an_empty_place_with_the_wrapping_key(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    copy = await backed_up(tmp_path / "old")
    assert not verify(copy).problems
    put_back(copy, tmp_path / "new")
    with closing(sqlite3.connect(tmp_path / "new" / "fleet.db")) as database:
        assert not database.execute("SELECT 1 FROM sqlite_master WHERE name LIKE 'ring_%'").fetchall()
    assert (tmp_path / "new" / RING_NAME).stat().st_mode & 0o777 == 0o600
    with pytest.raises(EncryptionError):  # the wrapping key is not in it
        async with fleet_in(tmp_path / "new"):
            pass
    shutil.copy(tmp_path / "old" / KEY_FILE_NAME, tmp_path / "new" / KEY_FILE_NAME)
    async with fleet_in(tmp_path / "new") as fleet:
        assert await value(fleet, "bob") == "of bob" * 2_000
        await fleet.operator(BOB).execute([RememberEntry("plan", "anew")])
        assert await value(fleet, "bob") == "anew"
    assert not verify(tmp_path / "new" / "fleet.db", whole=True).problems


async def test_a_backup_opens_with_the_key_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, base64.b64encode(bytes(range(32))).decode())
    (tmp_path / "old").mkdir()
    copy = await backed_up(tmp_path / "old", "environment")
    put_back(copy, tmp_path / "new")
    async with fleet_in(tmp_path / "new", "environment") as fleet:
        assert await value(fleet, "bob") == "of bob" * 2_000
    monkeypatch.setenv(VARIABLE, base64.b64encode(bytes(32)).decode())
    with pytest.raises(EncryptionError):
        async with fleet_in(tmp_path / "new", "environment"):
            pass


async def test_who_was_erased_here_stays_erased_after_a_restore(tmp_path: Path) -> None:
    copy = await backed_up(tmp_path)
    async with fleet_in(tmp_path) as fleet:
        await fleet.remembering.erasing.erase("bob", ADA)
    put_back(copy, tmp_path)
    async with fleet_in(tmp_path) as fleet:
        assert await value(fleet, "ada") == "of ada" * 2_000
        with pytest.raises(Erased):
            await value(fleet, "bob")


async def test_a_check_names_the_keys_that_are_missing(tmp_path: Path) -> None:
    copy = await backed_up(tmp_path)
    for path in (copy, tmp_path / "fleet.db"):
        verdict = verify(path)
        assert not verdict.problems
        assert any("keys of 2 sealed values; their keys are wrapped by kek_" in what for what in verdict.checked)
    with closing(sqlite3.connect(tmp_path / RING_NAME)) as ring, ring:
        [(gone,)] = ring.execute("SELECT id FROM data_keys WHERE subject = 'bob'").fetchall()
        ring.execute("DELETE FROM data_keys WHERE subject = 'bob'")
    [problem] = verify(tmp_path / "fleet.db").problems
    assert problem == f"1 values are sealed with keys that are neither here nor in keys.db beside it: {gone}; put that file back"
    (tmp_path / "elsewhere").mkdir()
    bare = shutil.copy(tmp_path / "fleet.db", tmp_path / "elsewhere" / "fleet.db")
    assert "2 values" in verify(Path(bare)).problems[0]
    async with fleet_in(tmp_path) as fleet:
        with pytest.raises(KeyMissing):
            await value(fleet, "bob")
    put_back(copy, tmp_path)
    async with fleet_in(tmp_path) as fleet:
        assert await value(fleet, "bob") == "of bob" * 2_000


def test_an_operator_backs_an_encrypted_memory_up_and_puts_it_back(tmp_path: Path) -> None:
    config, copy = "[memory]\nencryption = true\n", tmp_path / "copy.db"
    with engine(tmp_path, config) as subject:
        assert subject.run("remember", "plan", "of mine", "--yes").returncode == 0
        done = subject.run("backup", str(copy), "--yes")
        assert ", 1 keys" in done.stderr + done.stdout
        state = next(tmp_path.rglob("fleet.db")).parent
        assert subject.run("stop", "--yes").returncode == 0
        subject.process.wait(30)  # type: ignore[union-attr]
        for name in ("fleet.db", "keys.db"):
            (state / name).unlink()
        listed = subject.run("verify", str(copy))
        assert listed.returncode == 0, listed.stdout
        assert "1 wrapped keys of encrypted memory" in listed.stdout
        restored = subject.run("restore", str(copy))
        assert restored.returncode == 0, restored.stderr
        assert "they open where the wrapping key is" in restored.stderr
    with engine(tmp_path, config) as subject:
        assert subject.run("memory", "plan").stdout == '"of mine"\n'
