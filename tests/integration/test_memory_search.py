"""Search in the memory of a real engine: what is found, as soon as it is durable, and by nobody who may not read it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from engine import FleetManager, SwarmMemory
from engine.memory import searching
from engine.memory.embedding import HashingEmbedder, VectorsUnavailable
from engine.memory.searching import INDEX_NAME
from engine.memory.store import Memory
from engine.model.errors import FleetError, UsageError
from engine.model.memory import (
    Found,
    Permissions,
    Principal,
    PrincipalKind,
    RetrieveOptions,
    SearchBy,
    StoreOptions,
)
from engine.model.memory_words import Kind, Level
from engine.model.verbs import Role
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.examples import examples

LIBRARY_USER = Principal("ada", PrincipalKind.OPERATOR, role=Role.ADMIN)


@asynccontextmanager
async def swarm(folder: Path, **section: Any) -> AsyncIterator[SwarmMemory]:
    async with FleetManager({"fleet": {"default_pools": False}, "memory": section}, state_dir=folder) as fleet:
        yield SwarmMemory(fleet=fleet)


def on_disk(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def put_away(folder: Path) -> None:
    for file in folder.glob("fleet.db*"):
        file.unlink()


async def keys(memory: SwarmMemory, query: str, **options: Any) -> list[str]:
    return [found.head.id.key for found in await memory.search(query, options)]


@pytest.mark.row(195)
async def test_what_is_stored_is_found_at_once_and_what_changed_is_found_as_it_is(tmp_path: Path) -> None:
    async with swarm(tmp_path) as memory:
        await memory.store("plan", {"steps": ["deployment of the payments"]})
        assert await keys(memory, "deploy pay") == ["plan"]
        await memory.store("plan", "all is quiet")
        assert await keys(memory, "deploy") == []
        assert await keys(memory, "quiet") == ["plan"]
        await memory.delete("plan")
        assert await keys(memory, "quiet") == []


async def test_an_index_goes_on_where_it_was_and_one_that_is_gone_is_made_anew(tmp_path: Path) -> None:
    async with swarm(tmp_path) as memory:
        await memory.store("one", "apple")
        await memory.store("three", "apple")
        assert len(await keys(memory, "apple")) == 2
        await memory.store("two", "apple")
        await memory.delete("three")
    async with swarm(tmp_path) as memory:
        assert sorted(await keys(memory, "apple")) == ["one", "two"]
    (tmp_path / INDEX_NAME).unlink()
    async with swarm(tmp_path) as memory:
        assert sorted(await keys(memory, "apple")) == ["one", "two"]


async def test_an_index_of_another_life_of_the_database_is_made_anew(tmp_path_factory: pytest.TempPathFactory) -> None:
    tmp_path, other = tmp_path_factory.mktemp("a"), tmp_path_factory.mktemp("b")
    async with swarm(tmp_path) as memory:
        for number in range(20):
            await memory.store(f"old{number}", "apple")
        assert await keys(memory, "apple")
    async with swarm(other) as memory:
        await memory.store("new", "apple")
    (tmp_path / INDEX_NAME).replace(other / INDEX_NAME)
    async with swarm(other) as memory:
        assert await keys(memory, "apple") == ["new"]


async def test_a_database_that_was_put_back_is_indexed_anew(tmp_path: Path) -> None:
    """It says `pear` in the record where the index knows `apple`: counting records does not tell these lives apart."""
    async with swarm(tmp_path) as memory:
        await memory.store("key", "apple")
        assert await keys(memory, "apple") == ["key"]
    put_away(tmp_path)
    async with swarm(tmp_path) as memory:
        await memory.store("key", "pear")
        for number in range(20):
            await memory.store(f"more{number}", "plum")
        assert await keys(memory, "apple") == []
        assert await keys(memory, "pear") == ["key"]


async def test_more_changes_than_are_remembered_are_found_by_a_scan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searching, "DIRTY_MAX", 3)
    monkeypatch.setattr(searching, "BATCH", 2)
    async with swarm(tmp_path) as memory:
        assert await keys(memory, "apple") == []
        await memory.store_many([(f"key{number}", "apple") for number in range(7)])
        assert len(await keys(memory, "apple")) == 7


@pytest.mark.row(194)
async def test_vectors_are_found_by_likeness_and_joined_with_words(tmp_path: Path) -> None:
    async with swarm(tmp_path) as memory:
        await memory.store("a", "migrating databases failed on locks", {"kind": "vector"})
        await memory.store("b", "dashboards show stale states", {"kind": "vector"})
        await memory.store("c", "database migration", {"kind": "semantic"})
        found = await memory.search("database migrations locked", {"by": "likeness"})
        assert found[0].head.id.key == "a"
        assert "c" not in {each.head.id.key for each in found}
        both = {each.head.id.key: each.by for each in await memory.search("database")}
        assert both["a"] == (SearchBy.WORDS, SearchBy.LIKENESS)
        assert both["c"] == (SearchBy.WORDS,)


@pytest.mark.parametrize("encryption", [False, True])
async def test_entries_may_bring_embeddings_which_outlive_a_restart(tmp_path: Path, encryption: bool) -> None:
    async with swarm(tmp_path, encryption=encryption) as memory:
        await memory.store("east", 1, {"kind": "vector", "embedding": (1.0, 0.0)})
        await memory.store("north", 2, {"kind": "vector", "embedding": (0.0, 1.0)})
        assert await keys(memory, "", vector=(0.2, 1.0)) == ["north", "east"]
    (tmp_path / INDEX_NAME).unlink(missing_ok=True)
    async with swarm(tmp_path, encryption=encryption) as memory:
        assert await keys(memory, "", vector=(0.2, 1.0)) == ["north", "east"]
        await memory.store("north", 3)
        assert await keys(memory, "", vector=(0.2, 1.0)) == ["east"]
        with pytest.raises(UsageError, match="finite numbers"):
            await memory.store("x", 1, {"embedding": (float("nan"),)})


async def test_embeddings_of_different_embedders_are_not_compared(tmp_path: Path) -> None:
    async with swarm(tmp_path) as memory:
        own = tuple(float(one) for one in HashingEmbedder().embed(["apple pie"])[0])
        await memory.store("a", 1, {"kind": "vector", "embedding": (1.0, 0.0), "embedder": "model-a"})
        await memory.store("b", 2, {"kind": "vector", "embedding": (1.0, 0.0), "embedder": "model-b"})
        await memory.store("text", "apple", {"kind": "vector"})
        await memory.store("as-own", 3, {"kind": "vector", "embedding": own, "embedder": HashingEmbedder().name})
        assert await keys(memory, "", vector=(1.0, 0.1), embedder="model-a") == ["a"]
        assert await keys(memory, "", vector=(1.0, 0.1)) == []
        assert set(await keys(memory, "apple", by="likeness")) == {"text", "as-own"}
        assert (await memory.entry("a")).head.embedder == "model-a"
        for embedder in ("model-a", HashingEmbedder().name):
            with pytest.raises(UsageError, match="has 3 dimensions, those of"):
                await memory.store("c", 1, {"embedding": (1.0, 0.0, 0.0), "embedder": embedder})
        with pytest.raises(UsageError, match="printable name"):
            await memory.store("c", 1, {"embedding": (1.0,), "embedder": "a\nb"})


async def test_filters_say_which_entries_count(tmp_path: Path) -> None:
    async with swarm(tmp_path) as memory:
        await memory.store("work", "apple", {"kind": "working", "tags": ["x"]})
        await memory.store("know", "apple", {"kind": "semantic", "level": "public"})
        now = memory.fleet.clock.now()
        assert await keys(memory, "apple", only={"kinds": ["working"]}) == ["work"]
        assert await keys(memory, "apple", only={"levels": ["public"]}) == ["know"]
        assert await keys(memory, "apple", only={"tags": ["x"]}) == ["work"]
        assert await keys(memory, "apple", only={"prefix": "k"}) == ["know"]
        assert await keys(memory, "apple", only={"owner": "nobody"}) == []
        assert await keys(memory, "apple", only={"since": now + 1}) == []
        assert len(await keys(memory, "apple", only={"until": now + 1}, limit=1)) == 1


@pytest.mark.parametrize(
    ("query", "options", "says"),
    [(" ", {}, "say what to look for"), ("x" * 5_000, {}, "4,096"), ("x", {"limit": 0}, "1 to 1000"), ("", {"vector": ()}, "finite numbers")],
)
async def test_a_search_for_nothing_is_refused(tmp_path: Path, query: str, options: dict[str, Any], says: str) -> None:
    async with swarm(tmp_path) as memory:
        with pytest.raises(UsageError, match=says):
            await memory.search(query, options)


@pytest.mark.parametrize("encryption", [False, True])
async def test_a_snippet_shows_the_words_of_what_may_be_read(tmp_path: Path, encryption: bool) -> None:
    async with swarm(tmp_path, encryption=encryption) as memory:
        await memory.store("plan", {"steps": ["wait " * 100, "then deploy the payments", "wait " * 100]})
        await memory.store("large", f"deploy {'x' * 20_000}")
        await memory.store("huge", f"deploy {'x' * (searching.SNIPPED_MAX + 1)}")
        await memory.store("picture", b"deploy", {"tags": ["deploy"]})
        found = {each.head.id.key: each.snippet for each in await memory.search("deploy", {"by": "words", "snippets": True})}
        assert "then deploy the payments" in found["plan"]
        assert found["large"].startswith("deploy ")
        assert (found["huge"], found["picture"]) == ("", "")
        assert all(not each.snippet for each in await memory.search("deploy"))


async def test_a_value_that_changed_while_it_was_found_shows_nothing_of_either(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with swarm(tmp_path) as memory:
        vic = Principal("vic", PrincipalKind.OPERATOR, role=Role.VIEWER)
        await memory.store("plan", "apple, for all", {"level": "public"})
        await memory.search("apple")
        search = memory.fleet.remembering.search
        find = search._reader.find

        def meanwhile(*asked: Any) -> list[Found]:
            found = find(*asked)
            future = asyncio.run_coroutine_threadsafe(change(), loop)
            future.result(10)
            return found

        async def change() -> None:
            await memory.store("plan", "apple, for few", {"level": levels.pop(0)})

        levels = ["public", "private"]
        loop = asyncio.get_running_loop()
        monkeypatch.setattr(search._reader, "find", meanwhile)
        for left in ([""], []):
            options = searching.SearchOptions(snippets=True)
            assert [each.snippet for each in await search.search(vic, "apple", options, memory.fleet.clock.now())] == left


async def test_pages_of_a_search_go_on_where_the_last_one_ended(tmp_path: Path) -> None:
    async with swarm(tmp_path) as memory:
        await memory.store_many([(f"k{number:02}", f"apple {'pie ' * number}", {"kind": "vector" if number % 2 else "semantic"}) for number in range(30)])
        whole = await keys(memory, "apple", limit=100)
        assert len(whole) == 30
        assert [key for skip in range(0, 35, 7) for key in await keys(memory, "apple", limit=7, skip=skip)] == whole
        assert await keys(memory, "apple", by="words", like="pie", limit=3) == await keys(memory, "apple", by="words", limit=3)
        assert set(await keys(memory, "", like="apple pie", by="likeness", limit=100)) == {f"k{number:02}" for number in range(1, 30, 2)}


async def test_with_encryption_the_words_stay_out_of_every_file(tmp_path: Path) -> None:
    async with swarm(tmp_path) as memory:
        await memory.store("plain", "marmalade")
        assert await keys(memory, "marmalade") == ["plain"]
    assert (tmp_path / INDEX_NAME).exists()
    async with swarm(tmp_path, encryption=True) as memory:
        await memory.store("sealed", "zanzibar " * 5_000)
        assert await keys(memory, "zanzibar") == ["sealed"]
        assert await keys(memory, "marmalade") == ["plain"]
        assert b"zanzibar" not in on_disk(tmp_path)
    assert not (tmp_path / INDEX_NAME).exists()


async def test_without_numpy_words_are_found_and_likeness_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numpy", None)
    async with swarm(tmp_path) as memory:
        await memory.store("a", "apple", {"kind": "vector"})
        await memory.store("b", "apple", {"kind": "vector", "embedding": (1.0, 2.0)})
        assert sorted(await keys(memory, "apple")) == ["a", "b"]
        with pytest.raises(VectorsUnavailable, match="fleet-tui.vectors."):
            await memory.search("apple", {"by": "likeness"})
        with pytest.raises(VectorsUnavailable):
            await memory.search("", {"vector": (1.0, 2.0)})


PEOPLE = [
    Principal("agt_ann", pool="coder", swarm="fleet"),
    Principal("agt_bob", pool="tester", swarm="fleet"),
    Principal("agt_cid", pool="coder", swarm="other"),
    Principal("vic", PrincipalKind.OPERATOR, role=Role.VIEWER),
    Principal("opa", PrincipalKind.OPERATOR, role=Role.OPERATOR),
    LIBRARY_USER,
]
shared = st.builds(
    Permissions,
    st.sampled_from(list(Level)),
    read=st.lists(st.sampled_from([who.name for who in PEOPLE]), max_size=2).map(tuple),
    write=st.lists(st.sampled_from([who.name for who in PEOPLE]), max_size=1).map(tuple),
)
stores = st.lists(
    st.tuples(st.sampled_from(PEOPLE), st.sampled_from(["k1", "k2", "k3"]), shared, st.sampled_from([Kind.SEMANTIC, Kind.VECTOR]), st.sampled_from(["apple", "apple pie"])),
    min_size=1,
    max_size=12,
)


async def _retrieves(memory: Memory, who: Principal, found: Found) -> bool:
    try:
        await memory.retrieve(who, found.head.id.key, RetrieveOptions(owner=found.head.id.owner))
    except FleetError:
        return False
    return True


@pytest.mark.row(186, 187, 188, 189, 190)
@settings(max_examples=examples(15), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(stores, st.sampled_from(list(SearchBy)), st.integers(1, 4))
async def test_a_search_finds_what_retrieve_gives_and_nothing_else(tmp_path_factory: pytest.TempPathFactory, stores: Any, by: SearchBy, limit: int) -> None:
    async with swarm(tmp_path_factory.mktemp("fleet")) as swarm_memory:
        memory, fleet = swarm_memory.fleet.memory, swarm_memory.fleet
        for who, key, permissions, kind, text in stores:
            try:
                await memory.store(who, key, text, StoreOptions(permissions=permissions, kind=kind))
            except FleetError:
                continue
        everything = await fleet.remembering.search.search(LIBRARY_USER, "apple", searching.SearchOptions(by=by, limit=100), fleet.clock.now())
        for who in PEOPLE:
            readable = [found.head.id for found in everything if await _retrieves(memory, who, found)]
            pages = [
                await fleet.remembering.search.search(who, "apple", searching.SearchOptions(by=by, limit=limit, skip=skip, snippets=True), fleet.clock.now())
                for skip in range(0, len(everything) + limit, limit)
            ]
            assert len(pages[0]) == min(limit, len(readable))
            assert sorted(each.head.id for page in pages for each in page) == sorted(readable)
            assert all(each.snippet.startswith("apple") for page in pages for each in page)
