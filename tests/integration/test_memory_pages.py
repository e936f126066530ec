"""Pages of a real database: whole and in order whatever the sort and the direction, also while entries come and go."""

from __future__ import annotations

from pathlib import Path

import pytest
from engine import FleetManager, SwarmMemory
from engine.model.entry_rows import SORTS, EntryPage
from engine.model.plans import Origin
from engine.model.wire import convert

BOB = Origin("bob", "console", "", 1)


@pytest.mark.row(178)
async def test_pages_of_a_database_are_whole_in_every_order(tmp_path: Path) -> None:
    config = {"fleet": {"default_pools": {"coder": {"min": 1, "max": 1}}, "workers": 1}}
    async with FleetManager(config, directory=tmp_path, state_dir=tmp_path) as fleet:
        memory = SwarmMemory(fleet=fleet)
        levels, kinds = ("private", "team", "swarm", "public"), ("semantic", "episodic", "vector")
        for part in range(3):
            await memory.store_many(
                [
                    (f"k{number % 40}", "x" * (number % 9), {"namespace": f"n{number % 7}", "level": levels[number % 4], "kind": kinds[number % 3], "ttl": number % 2 * 900})
                    for number in range(part * 100, part * 100 + 100)
                ]
            )
        gate = fleet.operator(BOB)

        async def pages(**more: object) -> list[str]:
            found, after = [], ""
            while True:
                page = convert(await gate.query("entries", limit=37, after=after, **more), EntryPage)
                found += [row.id for row in page.rows]
                if not page.is_more:
                    return found
                after = page.cursors[1]

        whole = await pages()
        assert len(whole) == len(set(whole)) == len({(f"n{number % 7}", f"k{number % 40}") for number in range(300)})
        for sort in ("", *SORTS):
            forwards = await pages(sort=sort)
            assert sorted(forwards) == sorted(whole)
            assert await pages(sort=sort, reverse=True) == forwards[::-1]
        first = convert(await gate.query("entries", limit=10), EntryPage)
        await memory.delete("k0", {"namespace": "n0"})
        await memory.store("k00", 1, {"namespace": "n0"})
        rest = convert(await gate.query("entries", limit=1_000, after=first.cursors[1]), EntryPage)
        assert [row.id for row in rest.rows] == whole[10:]
