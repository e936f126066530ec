"""Memories of several engines exchange what they hold, through their real databases, and come to the same end."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from engine.memory.batches import signed
from engine.memory.checking import verify
from engine.memory.taking import as_sent
from engine.model.errors import Tampered, UsageError
from engine.model.memory import (
    Dot,
    EntryId,
    Permissions,
    Principal,
    PrincipalKind,
    StoreOptions,
)
from engine.model.memory_words import Level
from engine.model.plans import Origin
from engine.model.replication import START, Batch, Mark
from engine.model.verbs import Role

from tests.integration.memory_world import ANN, MemoryWorld, memory_world

PEER = Origin("peer", "api")
ADMIN = Principal("root", PrincipalKind.OPERATOR, role=Role.ADMIN)
KEYS = ("plan", "notes", "large", "7")


@asynccontextmanager
async def worlds(tmp_path: Path, count: int = 2) -> AsyncIterator[list[MemoryWorld]]:
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(memory_world(tmp_path / f"{place}.db", life=f"life_{place}")) for place in range(count)]


async def give(source: MemoryWorld, target: MemoryWorld, mark: Mark = START) -> Mark:
    """Have one take all that another has changed since a mark."""
    while True:
        batch = await source.replica.changes_since(mark)
        await target.replica.take(batch, PEER)
        mark = batch.until
        if batch.is_last:
            return mark


def held(world: MemoryWorld) -> tuple[Any, ...]:
    """Return all that a world holds of entries, without what it knows of itself alone."""
    found = []
    for namespace, owner, key in world.rows("SELECT namespace, owner_id, key FROM memory"):
        id_ = EntryId(namespace, owner, key)
        entry, losers = world.memory.entries.carried(id_), world.memory.entries.losers(id_)
        assert entry is not None
        rivals = {tuple(dot) for dot in entry.head.rivals}
        assert rivals == {(loser.head.lineage[-1].life, loser.head.lineage[-1].number) for loser in losers}
        found.append(tuple((as_sent(one.head), value_of(world, one), one.embedding) for one in (entry, *losers)))
    assert world.rows("SELECT count(*) FROM conflicts WHERE (namespace, owner_id, key) NOT IN (SELECT namespace, owner_id, key FROM memory)") == [(0,)]
    return tuple(sorted(found, key=repr))


def value_of(world: MemoryWorld, one: Any) -> bytes:
    return world.memory.entries.artifact_now(one.head.artifact) or b"" if one.head.artifact else bytes(one.value)


async def test_what_one_stores_the_other_has_with_all_that_belongs_to_it(tmp_path: Path) -> None:
    async with worlds(tmp_path) as (one, two):
        await one.store("plan", {"a": 1}, permissions=Permissions(Level.SWARM, ("agt_bob",)), tags=("x",), metadata={"m": 1}, ttl_s=60.0)
        await one.store("large", "x" * 40_000)
        await one.store("number", 7)
        await one.store("vector", "like this", embedding=(1.0, 0.5))
        await one.store("gone", 1)
        await one.memory.delete(ANN, EntryId("default", "agt_ann", "gone"))
        mark = await give(one, two)
        assert held(one) == held(two)
        assert await two.value("large") == "x" * 40_000
        assert (await two.entry("plan")).head.permissions.read == ("agt_bob",)
        assert await two.keys() == ["large", "number", "plan", "vector"]
        before = two.coordinator.state.seq
        assert await give(one, two, START) == mark
        assert two.coordinator.state.seq == before, "what is known already changes nothing"


async def test_history_of_a_taken_version_leads_on_to_what_was_here(tmp_path: Path) -> None:
    async with worlds(tmp_path) as (one, two):
        await one.store("plan", 1)
        await give(one, two)
        await one.store("plan", 2)
        await give(one, two)
        assert [version.head.version for version in two.memory.history(ANN, EntryId("default", "agt_ann", "plan"))] == [2, 1]


async def test_the_loser_of_a_conflict_is_kept_on_both_sides_with_its_value(tmp_path: Path) -> None:
    async with worlds(tmp_path) as (one, two):
        await one.store("plan", "ours")
        two.clock.at += 1
        await two.store("plan", "y" * 20_000)
        await give(one, two)
        await give(two, one)
        assert held(one) == held(two)
        for world in (one, two):
            assert await world.value("plan") == "y" * 20_000
            [loser] = world.memory.entries.losers(EntryId("default", "agt_ann", "plan"))
            assert bytes(loser.value) == b'"ours"'
        await one.store("plan", "a write leaves it open")
        await give(one, two)
        assert held(one) == held(two)
        assert len(two.rows("SELECT * FROM conflicts")) == 1


async def test_settling_ends_a_conflict_everywhere(tmp_path: Path) -> None:
    async with worlds(tmp_path, 3) as (one, two, three):
        await one.store("plan", "ours")
        await two.store("plan", "theirs")
        for source, target in ((one, two), (two, three), (three, one)):
            await give(source, target)
        assert all(len(world.rows("SELECT * FROM conflicts")) == 1 for world in (one, two, three))
        change = one.memory.prepared(ANN, ("plan", "both", StoreOptions()))
        await one.memory.gathering.change([type(change)(change.principal, change.id, change.value, change.options, change.place, settles=True)])
        await give(one, two)
        await give(two, three)
        assert held(one) == held(two) == held(three)
        assert all(world.rows("SELECT * FROM conflicts") == [] for world in (one, two, three))
        assert await three.value("plan") == "both"


async def test_an_entry_that_ends_by_age_on_both_sides_is_no_conflict(tmp_path: Path) -> None:
    async with worlds(tmp_path) as (one, two):
        await one.store("plan", 1, ttl_s=10.0)
        await give(one, two)
        one.clock.at += 20
        two.clock.at += 27
        await one.tidy()
        await two.tidy()
        await give(one, two)
        await give(two, one)
        assert one.rows("SELECT * FROM conflicts") == two.rows("SELECT * FROM conflicts") == []


async def test_a_clock_that_is_wrong_decides_only_between_equal_versions(tmp_path: Path) -> None:
    async with worlds(tmp_path) as (one, two):
        two.clock.at += 1e9
        await two.store("plan", "from the future")
        await one.store("plan", "first")
        await one.store("plan", "second")
        await give(two, one)
        await give(one, two)
        assert await one.value("plan") == await two.value("plan") == "second"
        assert held(one) == held(two)


async def test_a_tampered_batch_is_refused_whole(tmp_path: Path) -> None:
    async with worlds(tmp_path) as (one, two):
        await one.store("plan", "ours")
        await one.store("notes", "more")
        batch = await one.replica.changes_since(START)
        entry = batch.entries[0][0]
        changed = msgspec.structs.replace(entry, value=msgspec.Raw(b'"evil"'))
        with pytest.raises(Tampered, match=r"changed on its way.*nothing was taken"):
            await two.replica.take(msgspec.structs.replace(batch, entries=((changed,), *batch.entries[1:])), PEER)
        assert held(two) == ()


@pytest.mark.parametrize(
    "about", [{"version": 0}, {"record": 5}, {"rivals": (Dot("life_a", 1),)}, {"lineage": (Dot("", 3),)}, {"id": EntryId("default", "ann", "\x00")}]
)
async def test_a_version_that_cannot_be_is_refused(tmp_path: Path, about: dict[str, Any]) -> None:
    async with worlds(tmp_path) as (one, two):
        await one.store("plan", "ours")
        batch = await one.replica.changes_since(START)
        odd = msgspec.structs.replace(batch.entries[0][0], head=msgspec.structs.replace(batch.entries[0][0].head, **about))
        with pytest.raises(UsageError):
            await two.replica.take(signed(msgspec.structs.replace(batch, entries=((odd,),)), b""), PEER)
        assert held(two) == ()


async def test_another_database_behind_the_same_address_is_told_from_its_start(tmp_path: Path) -> None:
    async with worlds(tmp_path, 3) as (one, two, three):
        for number in range(5):
            await one.store(f"k{number}", number)
        mark = await give(one, two)
        for number in range(9):
            await three.store(f"other {number}", number)
        batch = await three.replica.changes_since(mark)
        assert batch.is_anew
        assert len(batch.entries) == 9
        assert not (await one.replica.changes_since(mark)).is_anew


async def test_batches_are_bounded_and_go_on_where_they_stopped(tmp_path: Path) -> None:
    async with worlds(tmp_path) as (one, two):
        for first in range(0, 900, 50):
            await one.memory.store_many(ANN, [(f"k{number:03}", number, StoreOptions()) for number in range(first, first + 50)])
        batch = await one.replica.changes_since(START)
        assert not batch.is_last
        assert 200 <= len(batch.entries) < 300
        await give(one, two)
        assert held(one) == held(two)


class Chaos:
    """Several memories that write, exchange, stop and start anew; batches are lost, doubled, late and in any order."""

    def __init__(self, seed: int, tmp_path: Path, count: int) -> None:
        self.rng = random.Random(seed)
        self.paths = [tmp_path / f"{place}.db" for place in range(count)]
        self.worlds: list[MemoryWorld] = []
        self.stacks = [AsyncExitStack() for _ in self.paths]
        self.lives = 0
        self.marks: dict[tuple[int, int], Mark] = {}
        self.under_way: list[tuple[int, Batch]] = []

    async def start(self, place: int) -> MemoryWorld:
        self.lives += 1
        world = await self.stacks[place].enter_async_context(memory_world(self.paths[place], life=f"life_{self.lives}"))
        world.clock.at = 1_000.0 + self.rng.uniform(-500, 500)
        return world

    async def restart(self, place: int) -> None:
        await self.stacks[place].aclose()
        self.worlds[place] = await self.start(place)

    async def write(self, place: int) -> None:
        world, key = self.worlds[place], self.rng.choice(KEYS)
        world.clock.at += self.rng.random()
        id_ = EntryId("default", "agt_ann", key)
        there = world.memory.entries.heads([id_]).get(id_)
        is_there = there is not None and there.is_there(world.clock.at)
        act = self.rng.choice(["store", "store", "store", "delete", "permit", "settle"])
        if act == "delete" and is_there:
            await world.memory.delete(ANN, id_)
        elif act == "permit" and is_there:
            await world.permit(key, Permissions(self.rng.choice(list(Level)[:4])))
        else:
            value = "z" * 17_000 + str(self.lives) if key == "large" else self.rng.random()
            options = {"embedding": (self.rng.random(), 1.0)} if key == "notes" else {"ttl_s": self.rng.choice([0.0, 5.0])}
            change = world.memory.prepared(ANN, (key, value, StoreOptions(**options)))
            settling = type(change)(change.principal, change.id, change.value, change.options, change.place, change.embedding, change.embedder, act == "settle")
            await world.memory.gathering.change([settling])

    async def fetch(self, source: int, target: int) -> None:
        batch = await self.worlds[source].replica.changes_since(self.marks.get((source, target), START))
        fate = self.rng.choice(["take", "take", "lose", "double", "late"])
        if fate in ("take", "double"):
            for _ in range(1 + (fate == "double")):
                await self.worlds[target].replica.take(batch, PEER)
            self.marks[source, target] = batch.until
        elif fate == "late":
            self.under_way.append((target, batch))

    async def step(self) -> None:
        place, other = self.rng.sample(range(len(self.paths)), 2)
        act = self.rng.choice(["write"] * 4 + ["fetch"] * 4 + ["arrive", "restart", "tidy"])
        if act == "write":
            await self.write(place)
        elif act == "fetch":
            await self.fetch(place, other)
        elif act == "arrive" and self.under_way:
            target, batch = self.rng.choice(self.under_way)
            await self.worlds[target].replica.take(batch, PEER)
        elif act == "restart":
            await self.restart(place)
        elif act == "tidy":
            self.worlds[place].tidying.round()
            await self.worlds[place].coordinator.settled()

    async def end(self) -> None:
        for _ in range(2):
            for source in range(len(self.paths)):
                for target in range(len(self.paths)):
                    if source != target:
                        self.marks[source, target] = await give(self.worlds[source], self.worlds[target], self.marks.get((source, target), START))

    async def run(self, steps: int) -> Sequence[MemoryWorld]:
        self.worlds = [await self.start(place) for place in range(len(self.paths))]
        for _ in range(steps):
            await self.step()
        await self.end()
        return self.worlds

    async def stop(self) -> None:
        for stack in self.stacks:
            await stack.aclose()


@pytest.mark.parametrize("seed", range(8))
async def test_stores_converge_for_any_order_loss_and_duplication(tmp_path: Path, seed: int) -> None:
    chaos = Chaos(seed, tmp_path, 3)
    try:
        one, *others = await chaos.run(120)
        assert held(one), "something was stored"
        for other in others:
            assert held(other) == held(one), f"seed {seed}"
    finally:
        await chaos.stop()
    assert all(verify(path).problems == () for path in chaos.paths)
