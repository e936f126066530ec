"""Episodes that are old enough become a summary that nobody may read who might not read them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from engine.memory.consolidating import GROUP_MAX, Consolidating, Extractive
from engine.model.errors import NotFound
from engine.model.memory import (
    Head,
    MemoryFilter,
    Permissions,
    Principal,
    PrincipalKind,
    RetrieveOptions,
    StoreOptions,
)
from engine.model.memory_words import Kind, Level

from tests.integration.memory_world import ANN, BOB, MemoryWorld, memory_world

ENGINE = Principal("engine", PrincipalKind.ENGINE)
DAY = 86_400.0


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[MemoryWorld]:
    async with memory_world(tmp_path / "fleet.db") as opened:
        yield opened


async def tell(world: MemoryWorld, key: str, text: object, who: Principal = ANN, level: Level = Level.PRIVATE) -> None:
    world.clock.at += 1
    await world.store(key, text, who, kind=Kind.EPISODIC, permissions=Permissions(level))


@pytest.mark.row(194, 195)
async def test_old_episodes_become_a_summary_and_new_ones_stay(world: MemoryWorld) -> None:
    consolidating = Consolidating(world.memory, 30 * DAY)
    await tell(world, "e1", "The build of the parser failed. A cat slept.")
    await tell(world, "e2", {"said": "The build of the parser failed again."})
    await tell(world, "large", "The build of the parser is slow. " * 2_000)
    await world.store("known", "stays")
    world.clock.at += 31 * DAY
    await tell(world, "new", "The build works.")
    assert await consolidating.consolidate(ENGINE, world.clock.at) == 3
    keys = await world.keys()
    assert keys[:2] == ["known", "new"]
    entry = await world.entry(keys[2])
    assert entry.value["keys"] == ["e1", "e2", "large"]
    assert "The build of the parser failed." in entry.value["summary"]
    assert entry.value["method"].startswith("extractive: ")
    assert (entry.head.kind, entry.head.tags, entry.head.writer, entry.head.team) == (Kind.SEMANTIC, ("summary",), "engine", "coder")
    with pytest.raises(NotFound):
        await world.value("e1")
    assert await consolidating.consolidate(ENGINE, world.clock.at) == 0


async def test_a_summary_shows_nobody_more_than_its_episodes(world: MemoryWorld) -> None:
    await tell(world, "mine", "Private things.")
    await tell(world, "ours", "Public things.", level=Level.PUBLIC)
    await tell(world, "his", "Things of Bob.", BOB)
    world.clock.at += 1
    assert await Consolidating(world.memory, DAY).consolidate(ENGINE, world.clock.at, older_s=0.0) == 3
    seen = {who.name: [(await world.memory.retrieve(who, head.id.key, _of(head.id.owner))).value["keys"] for head in await _heads(world, who)] for who in (ANN, BOB)}
    assert sorted(seen["agt_ann"]) == [["mine"], ["ours"]]
    assert sorted(seen["agt_bob"]) == [["his"], ["ours"]]


async def test_somebody_consolidates_what_is_his_alone(world: MemoryWorld) -> None:
    await tell(world, "mine", "Mine.")
    await tell(world, "ours", "Public things of Ann.", level=Level.PUBLIC)
    await tell(world, "his", "Things of Bob.", BOB)
    world.clock.at += 1
    assert await Consolidating(world.memory, DAY).consolidate(BOB, world.clock.at, older_s=0.0) == 1
    assert await world.value("mine") == "Mine."
    assert await world.value("ours") == "Public things of Ann."


async def test_many_episodes_become_several_summaries(world: MemoryWorld) -> None:
    items = [(f"e{number:03}", f"Step {number} was done.", StoreOptions(kind=Kind.EPISODIC)) for number in range(GROUP_MAX + 5)]
    await world.memory.store_many(ANN, items)
    world.clock.at += 1
    assert await Consolidating(world.memory, DAY).consolidate(ANN, world.clock.at, older_s=0.0) == GROUP_MAX + 5
    values = [await world.value(key) for key in await world.keys(tags=("summary",))]
    assert sorted(value["entries"] for value in values) == [5, GROUP_MAX]


def test_the_extract_is_short_and_says_what_it_is() -> None:
    texts = [f"The parser failed on file {number}. Lunch was item {number} by chance." for number in range(50)]
    summary = Extractive().summarise(texts)
    assert summary.text.count(".") == 8
    assert "parser" in summary.text
    assert summary.method == "extractive: 8 of 100 sentences, taken over as they were"
    assert Extractive().summarise([]).text == ""


async def _heads(world: MemoryWorld, who: Principal) -> list[Head]:
    return list((await world.memory.page(who, MemoryFilter(tags=("summary",)))).heads)


def _of(owner: str) -> RetrieveOptions:
    return RetrieveOptions(owner=owner)
