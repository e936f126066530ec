"""Memory on a real database: what is stored is there, for whom it is meant, at the version that it has, for its time."""

from __future__ import annotations

import asyncio
import sqlite3
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from engine.memory import store as store_module
from engine.memory.gathering import CALL_MAX, PASS_MAX, Gathering
from engine.memory.migrations import migrate, read_sql, steps
from engine.memory.values import VALUE_INLINE_MAX, Unsealed
from engine.model.errors import (
    Ambiguous,
    CommandRefused,
    Conflict,
    Denied,
    NotFound,
    ReadOnly,
    TooLarge,
    UsageError,
)
from engine.model.memory import (
    EntryId,
    MemoryFilter,
    Permissions,
    Principal,
    PrincipalKind,
    StoreOptions,
)
from engine.model.memory_words import Kind, Level
from engine.model.verbs import Role

from tests.integration.memory_world import ANN, BOB, MemoryWorld, memory_world

ADA = Principal("ada", PrincipalKind.OPERATOR, role=Role.ADMIN)
PUBLIC, TEAM = Permissions(Level.PUBLIC), Permissions(Level.TEAM)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[MemoryWorld]:
    async with memory_world(tmp_path / "fleet.db", value_max_bytes=100_000) as opened:
        yield opened


VALUES: list[Any] = [
    {"a": [1, {"b": None}], "ä": "ß\u2028\x00"},
    [],
    "text",
    "5",
    5,
    -1,
    1.0,
    1.5e300,
    12345678901234567890123,
    True,
    None,
    "",
    "'; DROP TABLE memory; --",
    b"\x00\xffbytes",
    "x" * (VALUE_INLINE_MAX + 1),
]


@pytest.mark.row(39, 178, 183)
@pytest.mark.parametrize("value", VALUES, ids=lambda value: repr(value)[:20])
async def test_what_is_stored_comes_back_as_it_was(tmp_path: Path, value: Any) -> None:
    async with memory_world(tmp_path / "fleet.db") as world:
        await world.store("k", value)
        found = await world.value("k")
        assert found == value
        assert type(found) is type(value)
    async with memory_world(tmp_path / "fleet.db") as world:
        assert await world.value("k") == value


async def test_a_value_is_kept_as_it_was_when_it_was_stored(world: MemoryWorld) -> None:
    value = {"n": [1]}
    storing = asyncio.ensure_future(world.store("k", value))
    await asyncio.sleep(0)
    value["n"].append(2)
    await storing
    (await world.value("k"))["n"].append(3)
    assert await world.value("k") == {"n": [1]}


@pytest.mark.row(183)
async def test_a_row_says_what_the_seeds_say(world: MemoryWorld) -> None:
    world.clock.at = 50.5
    await world.store("plan", {"a": 1}, ttl_s=60, permissions=Permissions(Level.TEAM, read=("agt_bob",)), tags=("x",))
    [row] = world.rows("SELECT namespace, owner_id, key, value, acl_level, created_at, updated_at, ttl, expires_at, version, team, swarm FROM memory")
    assert row == ("default", "agt_ann", "plan", '{"a":1}', "team", 50.5, 50.5, 60, 110.5, 1, "coder", "fleet")
    assert world.rows("SELECT agent_id, action, granted_by FROM permissions") == [("agt_bob", "read", "agt_ann")]


async def test_calls_of_one_pass_become_one_record_and_one_commit(world: MemoryWorld) -> None:
    before = world.coordinator.counters.commits
    await asyncio.gather(*(world.store(f"k{number}", number) for number in range(PASS_MAX)))
    assert world.rows("SELECT count(*) FROM events WHERE type = 'memory.changed'") == [(1,)]
    assert world.coordinator.counters.commits == before + 1
    assert world.rows("SELECT sum(json(CAST(value AS TEXT))), count(*) FROM memory") == [(sum(range(PASS_MAX)), PASS_MAX)]


async def test_the_first_of_many_calls_are_written_while_the_rest_is_decided(world: MemoryWorld) -> None:
    before = world.coordinator.counters.commits
    order: list[int] = []

    async def store(number: int) -> None:
        await world.store(f"k{number}", number)
        order.append(number)

    await asyncio.gather(*(store(number) for number in range(2 * PASS_MAX)))
    assert world.rows("SELECT json_array_length(data, '$.heads') FROM events WHERE type = 'memory.changed'") == [(PASS_MAX,)] * 2
    assert world.coordinator.counters.commits == before + 2
    assert order == list(range(2 * PASS_MAX))


@pytest.mark.row(178)
async def test_several_values_are_stored_all_or_none(world: MemoryWorld) -> None:
    await world.store("b", 1)
    with pytest.raises(Conflict):
        await world.memory.store_many(ANN, [("a", 1, StoreOptions()), ("b", 2, StoreOptions(expected_version=7)), ("c", 3, StoreOptions())])
    assert await world.keys() == ["b"]
    heads = await world.memory.store_many(ANN, [("a", 1, StoreOptions()), ("a", 2, StoreOptions()), ("c", 3, StoreOptions())])
    assert [head.version for head in heads] == [1, 2, 1]
    assert await world.value("a") == 2
    with pytest.raises(UsageError, match="several calls"):
        await world.memory.store_many(ANN, [("k", 1, StoreOptions())] * (CALL_MAX + 1))


async def test_a_refused_call_does_not_harm_those_that_gathered_with_it(world: MemoryWorld) -> None:
    await world.store("mine", 1)
    found = await asyncio.gather(
        world.store("x", 1),
        world.store("mine", 2, BOB, owner="agt_ann"),
        world.memory.store_many(ANN, [("y", 1, StoreOptions()), ("x", 5, StoreOptions(expected_version=9))]),
        world.store("x", 2),
        return_exceptions=True,
    )
    assert [type(one) for one in found[1:3]] == [NotFound, Conflict]
    assert await world.value("x") == 2
    assert (await world.entry("x")).head.version == 2
    assert await world.keys() == ["mine", "x"]


# ---- whose is it


@pytest.mark.row(133)
async def test_two_owners_use_the_same_key(world: MemoryWorld) -> None:
    """C34: the key is namespace, owner and key; a call without them means the caller's own."""
    await world.store("plan", "ann's", permissions=PUBLIC)
    await world.store("plan", "bob's", BOB)
    await world.store("plan", "elsewhere", namespace="other")
    assert await world.value("plan") == "ann's"
    assert await world.value("plan", BOB) == "bob's"
    assert await world.value("plan", BOB, owner="agt_ann") == "ann's"
    assert await world.value("plan", namespace="other") == "elsewhere"


async def test_a_key_without_an_owner_means_the_only_one_that_may_be_read(world: MemoryWorld) -> None:
    eve = Principal("agt_eve", pool="other", swarm="fleet")
    await world.store("plan", "secret")
    with pytest.raises(NotFound):
        await world.value("plan", eve)
    await world.store("plan", "bob's", BOB, permissions=PUBLIC)
    assert await world.value("plan", eve) == "bob's"
    await world.permit("plan", PUBLIC)
    with pytest.raises(Ambiguous, match="agt_ann, agt_bob"):
        await world.value("plan", eve)


# ---- versions and tombstones


@pytest.mark.row(178)
async def test_compare_and_set(world: MemoryWorld) -> None:
    """C35."""
    await world.store("k", 1, expected_version=0)
    with pytest.raises(Conflict, match="it has version 1"):
        await world.store("k", 2, expected_version=0)
    await world.store("k", 2, expected_version=1)
    with pytest.raises(Conflict, match="expected to have version 1"):
        await world.memory.delete(ANN, EntryId("default", "agt_ann", "k"), expected_version=1)
    with pytest.raises(Conflict, match="there is none"):
        await world.store("other", 2, expected_version=3)
    assert (await world.entry("k")).head.version == 2


async def test_of_many_who_expect_the_same_version_one_wins(world: MemoryWorld) -> None:
    found = await asyncio.gather(*(world.store("k", number, expected_version=0) for number in range(50)), return_exceptions=True)
    won = [number for number, one in enumerate(found) if not isinstance(one, BaseException)]
    assert won == [0]
    assert {type(one) for one in found[1:]} == {Conflict}


async def test_a_deleted_entry_leaves_its_version(world: MemoryWorld) -> None:
    await world.store("k", 1)
    await world.memory.delete(ANN, EntryId("default", "agt_ann", "k"))
    for again in range(2):
        with pytest.raises(NotFound):
            await world.value("k")
        with pytest.raises(NotFound):
            await world.memory.delete(ANN, EntryId("default", "agt_ann", "k"))
        assert await world.keys() == [], again
    assert world.rows("SELECT version, deleted, value FROM memory") == [(2, 1, "null")]
    head = await world.store("k", 2, expected_version=0)
    assert head.version == 3
    assert await world.value("k") == 2


async def test_the_history_of_an_entry(world: MemoryWorld) -> None:
    id_ = (await world.store("k", 1)).id
    await asyncio.gather(world.store("k", 2), world.store("k", 3), world.store("other", 9))
    await world.permit("k", PUBLIC)
    await world.memory.delete(ANN, id_)
    await world.store("k", 5)
    versions = world.memory.history(ANN, id_)
    assert [(version.head.version, version.kept) for version in versions] == [(6, b"5"), (5, b"null"), (4, None), (3, b"3"), (2, b"2"), (1, b"1")]
    assert len(world.memory.history(ANN, id_, 2)) == 2
    permitted = world.memory.entries.version_at(versions[2].record, id_)
    assert permitted is not None
    assert permitted.kept == b"3"


async def test_the_history_leaves_out_what_was_closed_then(world: MemoryWorld) -> None:
    id_ = (await world.store("k", "closed")).id
    with pytest.raises(NotFound):
        world.memory.history(BOB, id_)
    await world.store("k", "open", permissions=PUBLIC)
    assert [version.kept for version in world.memory.history(BOB, id_)] == [b'"open"']


# ---- time


async def test_an_entry_is_gone_when_its_time_is_over(world: MemoryWorld) -> None:
    """C38: ttl is seconds."""
    await world.store("k", 1, ttl_s=10)
    await world.store("stays", 1)
    world.clock.at += 9.9
    assert await world.value("k") == 1
    world.clock.at += 0.1
    with pytest.raises(NotFound):
        await world.value("k")
    assert await world.keys() == ["stays"]
    head = await world.store("k", 2, expected_version=0, ttl_s=0)
    assert (head.version, head.expires_at) == (2, None)


@pytest.mark.parametrize("ttl_s", [-1.0, 1e300, float("inf"), float("nan")])
async def test_a_time_to_live_that_ends_on_no_calendar_is_refused(world: MemoryWorld, ttl_s: float) -> None:
    with pytest.raises(UsageError, match="give seconds up to 3153600000"):
        await world.store("k", 1, ttl_s=ttl_s)


async def test_expired_entries_become_tombstones_and_old_tombstones_go(world: MemoryWorld) -> None:
    await world.memory.store_many(ANN, [(f"k{number}", number, StoreOptions(ttl_s=10)) for number in range(1_200)])
    await world.store("stays", 1)
    world.clock.at += 10
    await world.tidy()
    assert world.rows("SELECT deleted, count(*) FROM memory GROUP BY deleted") == [(0, 1), (1, 1_200)]
    assert world.rows("SELECT DISTINCT writer, version FROM memory WHERE deleted") == [("expired", 2)]
    assert (world.memory.tidied.expired, world.memory.tidied.purged, await world.memory.entries.graves()) == (1_200, 0, 1_200)
    world.clock.at += 61
    await world.store("k5", 1)
    await world.tidy()
    assert world.rows("SELECT key FROM memory ORDER BY key") == [("k5",), ("stays",)]


async def test_what_is_stored_again_in_time_does_not_expire(world: MemoryWorld) -> None:
    await world.store("k", 1, ttl_s=10)
    world.clock.at += 10
    again = asyncio.ensure_future(world.store("k", 2, ttl_s=10))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    world.tidying.round()
    await again
    assert await world.value("k") == 2


@pytest.mark.row(194)
async def test_kinds_have_their_own_time(world: MemoryWorld) -> None:
    working = await world.store("w", 1, kind=Kind.WORKING)
    assert working.ttl_s == 3_600
    assert (await world.store("w", 2)).ttl_s == 3_600
    assert (await world.store("w", 3, kind=Kind.SEMANTIC)).ttl_s is None
    for kind in (Kind.EPISODIC, Kind.SEMANTIC, Kind.VECTOR):
        assert (await world.store(kind, 1, kind=kind)).expires_at is None
    assert await world.keys(kinds=(Kind.EPISODIC, Kind.VECTOR)) == ["episodic", "vector"]


# ---- who may


@pytest.mark.row(179, 191)
async def test_permissions_are_set_and_read(world: MemoryWorld) -> None:
    await world.store("k", "v")
    id_ = EntryId("default", "agt_ann", "k")
    for call in (world.memory.delete(BOB, id_), world.memory.permit(BOB, id_, PUBLIC), world.store("k", 2, BOB, owner="agt_ann")):
        with pytest.raises(NotFound, match="not for you"):
            await call
    await world.permit("k", Permissions(Level.PRIVATE, read=("agt_bob",)))
    assert await world.value("k", BOB, owner="agt_ann") == "v"
    with pytest.raises(Denied, match="that is for the owner"):
        await world.store("k", 2, BOB, owner="agt_ann")
    await world.permit("k", Permissions(Level.PRIVATE, write=("agt_bob",)))
    assert (await world.store("k", "by bob", BOB, owner="agt_ann")).team == "coder"
    with pytest.raises(Denied):
        await world.value("k", BOB, owner="agt_ann")
    with pytest.raises(Denied, match="who may use"):
        await world.store("k", 2, BOB, owner="agt_ann", permissions=PUBLIC)
    assert world.memory.head(ANN, id_).permissions == Permissions(Level.PRIVATE, write=("agt_bob",))
    assert world.rows("SELECT agent_id, action FROM permissions") == [("agt_bob", "write")]
    with pytest.raises(UsageError, match="names ''"):
        await world.permit("k", Permissions(read=("",)))


async def test_level_system_is_for_administrators(world: MemoryWorld) -> None:
    """C36."""
    system = Permissions(Level.SYSTEM, read=("agt_ann",))
    with pytest.raises(Denied, match="system"):
        await world.store("k", 1, permissions=system)
    await world.store("k", 1)
    with pytest.raises(Denied):
        await world.permit("k", system)
    await world.store("k", 2, ADA, owner="agt_ann", permissions=system)
    with pytest.raises(NotFound):
        await world.value("k")
    assert await world.value("k", ADA, owner="agt_ann") == 2
    assert await world.keys() == []
    assert await world.keys(ADA) == ["k"]


@pytest.mark.row(187)
async def test_a_team_reads_what_one_of_it_stored_after_that_one_has_left(world: MemoryWorld) -> None:
    mate = Principal("agt_mate", pool="coder", swarm="fleet")
    await world.store("k", 1, permissions=TEAM)
    assert await world.value("k", mate) == 1
    assert await world.keys(mate) == ["k"]
    with pytest.raises(NotFound):
        await world.value("k", BOB)
    assert await world.keys(BOB) == []


async def test_the_cache_tells_nobody_what_the_acl_refuses(world: MemoryWorld) -> None:
    """C37: the ACL is asked before every cache."""
    await world.store("k", "secret")
    assert await world.value("k") == "secret"
    assert await world.value("k") == "secret"
    assert world.memory.cache.figures.hits >= 1
    with pytest.raises(NotFound):
        await world.value("k", BOB, owner="agt_ann")
    await world.permit("k", PUBLIC)
    assert await world.value("k", BOB, owner="agt_ann") == "secret"
    await world.permit("k", Permissions())
    with pytest.raises(NotFound):
        await world.value("k", BOB, owner="agt_ann")


@pytest.mark.row(104)
async def test_a_memory_without_acl_is_open_to_all(tmp_path: Path) -> None:
    async with memory_world(tmp_path / "fleet.db", acl_enabled=False) as world:
        await world.store("k", "v")
        assert await world.value("k", BOB, owner="agt_ann") == "v"
        assert (await world.store("k", 2, BOB, owner="agt_ann")).version == 2


async def test_denied_reads_are_audited_and_repeats_are_counted(world: MemoryWorld) -> None:
    await world.store("k", "secret")
    for _ in range(5):
        with pytest.raises(NotFound):
            await world.value("k", BOB, owner="agt_ann")
    with pytest.raises(NotFound):
        await world.value("nothing", BOB, owner="agt_ann")
    await world.tidy()
    lines = "SELECT who, action, target, result FROM audit"
    assert world.rows(lines) == [
        ("agt_bob", "memory.read", "agt_ann/k", "denied: the entry is private, and agt_bob is neither its owner nor on its read list")
    ]
    world.clock.at += 60
    await world.tidy()
    assert world.rows(lines)[1][3].endswith("; 4 more times within 60 s")
    assert "secret" not in str(world.rows("SELECT * FROM audit"))


# ---- listing


@pytest.mark.row(178)
async def test_lists_are_filtered_and_come_in_pages(world: MemoryWorld) -> None:
    world.clock.at = 10.0
    await world.store("a/1", 1, tags=("x", "y"))
    world.clock.at = 20.0
    await world.store("a/2", 1, kind=Kind.EPISODIC, tags=("x",))
    await world.store("b", 1, namespace="other", permissions=PUBLIC)
    await world.store("c", 1, BOB, permissions=PUBLIC)
    assert await world.keys() == ["a/1", "a/2", "c", "b"]
    assert await world.keys(BOB) == ["c", "b"]
    assert await world.keys(prefix="a/") == ["a/1", "a/2"]
    assert await world.keys(tags=("x", "y")) == ["a/1"]
    assert await world.keys(levels=(Level.PUBLIC,)) == ["c", "b"]
    assert await world.keys(owner="agt_bob") == ["c"]
    assert await world.keys(namespace="other") == ["b"]
    assert await world.keys(since=20.0) == ["a/2", "c", "b"]
    assert await world.keys(until=20.0) == ["a/1"]
    first = await world.memory.page(ANN, MemoryFilter(limit=3))
    assert first.after == EntryId("default", "agt_bob", "c")
    assert [head.id.key for head in (await world.memory.page(ANN, MemoryFilter(limit=3, after=first.after))).heads] == ["b"]
    with pytest.raises(UsageError):
        await world.keys(limit=0)


# ---- what is refused


@contextmanager
def peak_below(most: int) -> Iterator[None]:
    """Check that what is done within takes no more bytes than that at any moment."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < most
    finally:
        tracemalloc.stop()


async def test_what_cannot_be_kept_is_refused_in_words(world: MemoryWorld) -> None:
    deep: Any = []
    for _ in range(10_000):
        deep = [deep]
    for value, words in ((deep, "nested"), ({1, object()}, "cannot be kept"), ("\ud800", "cannot be kept")):
        with pytest.raises(UsageError, match=words):
            await world.store("k", value)
    for value in ("x" * 100_000_000, b"x" * 100_000_000, b"x" * 80_000, ["x" * 60_000] * 2):
        with peak_below(2_000_000), pytest.raises(TooLarge, match="the most is 100,000"):
            await world.store("k", value)
    for key in ("", "x" * 513, "a\nb", "\ud800"):
        with pytest.raises(UsageError, match="a key has"):
            await world.store(key, 1)
    for options in ({"ttl_s": -1.0}, {"metadata": {"a": object()}}, {"tags": ("",)}):
        with pytest.raises(UsageError):
            await world.store("k", 1, **options)
    assert await world.keys() == []


async def test_nothing_is_acknowledged_that_is_not_written(world: MemoryWorld) -> None:
    await world.store("k", 1)
    world.journal.database._files = [(0, 0)]  # noqa: SLF001  # as if the file had been deleted
    with pytest.raises(ReadOnly):
        await world.store("k", 2)
    with pytest.raises(ReadOnly):
        await world.store("k", 3)
    assert await world.value("k") == 1
    while not world.coordinator.counters.rebuilt:
        await asyncio.sleep(0.01)
    assert world.memory.shelf.heads([EntryId("default", "agt_ann", "k")])[EntryId("default", "agt_ann", "k")].version == 1


async def test_callers_that_wait_at_the_end_are_refused(world: MemoryWorld) -> None:
    gathering = Gathering(world.memory.shelf, world.clock, world.memory.settings.rules(), Unsealed())
    gathering.connect(world.coordinator)
    running = asyncio.ensure_future(gathering.run())
    await asyncio.sleep(0)
    late = asyncio.ensure_future(gathering.change([world.memory.prepared(ANN, ("k", 1, StoreOptions()))]))
    await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(CommandRefused, match="stopping"):
        await late
    assert await world.keys() == []


async def test_too_many_waiting_changes_are_refused(world: MemoryWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.memory.gathering.WAITING_MAX", 3)
    found = await asyncio.gather(*(world.store(f"k{number}", 1) for number in range(5)), return_exceptions=True)
    assert [type(one) for one in found if isinstance(one, Exception)] == [CommandRefused] * 2
    assert len(await world.keys()) == 3


# ---- large values


async def test_a_large_value_is_read_once_for_all_who_wait(world: MemoryWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    value = "x" * 50_000
    await world.store("a", value)
    await world.store("b", value)
    assert world.rows("SELECT count(*) FROM artifacts") == [(1,)]
    reads = []
    artifact = world.memory.entries.artifact

    async def counted(artifact_id: str) -> bytes | None:
        reads.append(artifact_id)
        return await artifact(artifact_id)

    monkeypatch.setattr(world.memory.entries, "artifact", counted)
    assert set(await asyncio.gather(*(world.value("a") for _ in range(20)))) == {value}
    assert len(reads) == 1
    assert await world.value("a") == value
    assert len(reads) == 1


async def test_a_large_value_that_is_missing_is_said(world: MemoryWorld) -> None:
    await world.store("a", "x" * 50_000)
    await world.journal.database.write(lambda connection: connection.execute("DELETE FROM artifacts").rowcount)
    found = await asyncio.gather(*(world.value("a") for _ in range(3)), return_exceptions=True)
    assert all("restore a backup" in str(one) for one in found)


# ---- an older database


def test_a_database_of_the_first_step_keeps_what_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "fleet.db"
    connection = sqlite3.connect(path, isolation_level=None)
    migrate(connection, [read_sql("schema.sql")])
    sql = "INSERT INTO memory (key, value, acl_level, owner_id, created_at, updated_at, ttl, expires_at, version) VALUES (?, ?, ?, 'agt_ann', 1, 2.5, ?, ?, 7)"
    connection.execute(sql, ("number", "5", "private", None, None))
    connection.execute(sql, ("object", '{"a":"ä"}', "team", 60, 9_000))
    connection.execute("INSERT INTO permissions VALUES ('default', 'agt_ann', 'object', 'agt_bob', 'read', '', 1)")
    connection.close()

    async def look() -> None:
        async with memory_world(path) as world:
            assert await world.value("number") == 5
            found = await world.entry("object", BOB, owner="agt_ann")
            assert found.value == {"a": "ä"}
            assert (found.head.version, found.head.size, found.head.permissions.level) == (7, 10, Level.TEAM)
            assert (await world.store("object", 1)).version == 8
            assert world.rows("PRAGMA user_version") == [(len(steps()),)]

    asyncio.run(look())


def test_the_swarm_of_this_fleet_has_a_name() -> None:
    assert ANN.swarm == store_module.SWARM
