"""What was somebody's in memory is gone: from every answer, from the journal, and from the files."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest
from engine import FleetManager, SwarmMemory
from engine.memory.checking import verify
from engine.memory.erasing import Erasing, _begun
from engine.memory.keys import RING_NAME
from engine.memory.values import VALUE_INLINE_MAX
from engine.model.errors import CommandRefused, FleetError, JournalError, NotFound
from engine.model.memory_commands import EraseOwner, ForgetEntry, RememberEntry, RestoreEntry
from engine.model.plans import Origin

ADA, BOB = Origin("ada", "cli", "", 2), Origin("bob", "cli", "", 1)
WORD = "zanzibarite"
LARGE = " ".join([WORD] * (VALUE_INLINE_MAX // len(WORD)))


@asynccontextmanager
async def fleet_in(folder: Path, *, encryption: bool, cache_max_bytes: int = 1 << 20) -> AsyncIterator[FleetManager]:
    section = {"encryption": encryption, "cache_max_bytes": cache_max_bytes}
    async with FleetManager({"fleet": {"default_pools": False}, "memory": section}, state_dir=folder) as fleet:
        yield fleet


def on_disk(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def put_back(folder: Path) -> None:
    for file in folder.glob("fleet.db*"):
        file.unlink()
    (folder / "copy.db").rename(folder / "fleet.db")


async def fill(fleet: FleetManager) -> None:
    """Give bob entries of every sort, each with a past, and ada some that are hers."""
    bob, ada = fleet.operator(BOB), fleet.operator(ADA)
    await bob.execute([RememberEntry("plan", f"first {WORD}")])
    await bob.execute([RememberEntry("plan", f"second {WORD}", level="public", tags=(WORD,))])
    await bob.execute([RememberEntry("like", f"a vector of {WORD}", kind="vector")])
    await bob.execute([RememberEntry("large", LARGE)])
    await bob.execute([RememberEntry("gone", WORD)])
    await bob.execute([ForgetEntry("gone")])
    await ada.execute([RememberEntry("mine", "of ada", level="public")])
    assert len(await bob.query("memory-search", words=WORD)) == 3  # type: ignore[arg-type]
    assert (await bob.query("entry", key="plan"))["value"] == f"second {WORD}"  # type: ignore[index]


async def everything(fleet: FleetManager) -> str:
    """Return all that an administrator is told, in every way that there is."""
    ada, told = fleet.operator(ADA), list[Any]()
    for what in ("memory", "events", "audit", "plans"):
        told.append(await ada.query(what))
    for number in range(1, fleet.coordinator.state.seq + 1):
        told.append(await ada.query("event", id=f"ev_{number}"))
    for words in (WORD, "first", "vector"):
        told.append(await ada.query("memory-search", words=words))
    for key in ("plan", "like", "large", "gone"):
        for what in ("entry", "entry-history"):
            try:
                told.append(await ada.query(what, key=key, owner="bob"))
            except NotFound as error:
                told.append(str(error))
    return str(told)


@pytest.mark.row(240)
@pytest.mark.parametrize("encryption", [False, True])
async def test_nothing_gives_an_erased_value_back(tmp_path: Path, encryption: bool) -> None:
    async with fleet_in(tmp_path, encryption=encryption) as fleet:
        await fill(fleet)
        gate = fleet.operator(ADA)
        plan = await gate.plan([EraseOwner("bob")])
        assert (plan.steps[0].target, plan.confirm) == ("bob", "bob")
        assert plan.steps[0].before.startswith("3 entries, ")
        assert "its keys" in plan.steps[0].after or not encryption
        with pytest.raises(CommandRefused, match="bob"):
            await gate.execute([EraseOwner("bob")])
        answer = await gate.execute(plan.id, confirm="bob", reason="asked for")
        assert answer.summary.startswith(f"erased bob: 3 entries, their values in 6 records of the journal, 1 large values, {int(encryption)} keys")
        assert WORD not in await everything(fleet)
        assert WORD.encode() not in on_disk(tmp_path)
        for record in range(1, fleet.coordinator.state.seq + 1):
            with pytest.raises(FleetError):
                await gate.execute([RestoreEntry("plan", record, owner="bob")])
        assert (await gate.query("entry", key="mine"))["value"] == "of ada"  # type: ignore[index]
        await fleet.operator(BOB).execute([RememberEntry("plan", "anew")])
        assert (await fleet.operator(BOB).query("entry", key="plan"))["value"] == "anew"  # type: ignore[index]
        assert [line.action for line in fleet.coordinator.state.audit].count("memory.erase") == 2
    assert WORD.encode() not in on_disk(tmp_path)
    assert not verify(tmp_path / "fleet.db", whole=True).problems
    async with fleet_in(tmp_path, encryption=encryption) as fleet:
        assert WORD not in await everything(fleet)
        assert (await fleet.operator(BOB).query("entry", key="plan"))["value"] == "anew"  # type: ignore[index]


async def test_a_copy_of_the_database_does_not_open_once_the_keys_are_destroyed(tmp_path: Path) -> None:
    async with fleet_in(tmp_path, encryption=True) as fleet:
        await fill(fleet)
        await fleet.journal.backup(tmp_path / "copy.db")
        await fleet.remembering.erasing.erase("bob", ADA)
    put_back(tmp_path)
    async with fleet_in(tmp_path, encryption=True) as fleet:
        with pytest.raises(FleetError, match="destroyed when bob was erased"):
            await fleet.operator(BOB).query("entry", key="plan")
        assert (await fleet.operator(ADA).query("entry", key="mine"))["value"] == "of ada"  # type: ignore[index]


async def test_an_erasure_that_was_cut_short_is_finished_at_the_next_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails(_self: object, *_given: object) -> None:
        raise JournalError("cut short")

    async with fleet_in(tmp_path, encryption=False) as fleet:
        await fill(fleet)
        with monkeypatch.context() as patch:
            patch.setattr(Erasing, "_scrub", fails)
            with pytest.raises(JournalError, match="cut short"):
                await fleet.remembering.erasing.erase("bob", ADA)
        assert WORD.encode() in on_disk(tmp_path)
    async with fleet_in(tmp_path, encryption=False) as fleet:
        async with asyncio.timeout(30):
            while await fleet.journal.database.read(_begun):
                await asyncio.sleep(0.01)
        assert WORD not in await everything(fleet)
        assert WORD.encode() not in on_disk(tmp_path)
        assert (await fleet.operator(ADA).query("entry", key="mine"))["value"] == "of ada"  # type: ignore[index]


async def test_large_values_that_somebody_else_has_too_stay(tmp_path: Path) -> None:
    async with fleet_in(tmp_path, encryption=False) as fleet:
        await fill(fleet)
        await fleet.operator(ADA).execute([RememberEntry("same", LARGE)])
        told = await fleet.remembering.erasing.erase("bob", ADA)
        assert "0 large values" in told
        assert await SwarmMemory(fleet=fleet).retrieve("same", {"owner": "ada"}) == LARGE


async def test_the_key_ring_keeps_nothing_of_destroyed_keys(tmp_path: Path) -> None:
    async with fleet_in(tmp_path, encryption=True) as fleet:
        await fill(fleet)
        with closing(sqlite3.connect(tmp_path / RING_NAME)) as ring:
            [(wrapped,)] = ring.execute("SELECT wrapped FROM data_keys WHERE subject = 'bob'").fetchall()
        assert wrapped in (tmp_path / RING_NAME).read_bytes()
        await fleet.remembering.erasing.erase("bob", ADA)
        assert wrapped not in on_disk(tmp_path)
