"""What a console asks of memory: pages in any order and both ways, filters, one entry for somebody, its versions, who may use it."""

from __future__ import annotations

from typing import Any

import pytest
from engine.model import commands as c
from engine.model.entry_rows import (
    SORTS,
    EntryPage,
    EntrySheet,
    EntryValue,
    EntryVersion,
    entry_at,
    path_of,
)
from engine.model.errors import Conflict, Denied, NotFound, UsageError
from engine.model.memory import EntryId
from engine.model.plans import Origin
from engine.model.wire import convert
from engine.simulation.loop import run_virtual
from engine.simulation.world import World, instant_success

ADA, BOB, VIC = Origin("ada", "cli", "", 2), Origin("bob", "cli", "", 1), Origin("vic", "cli", "", 0)
SECRET = "hush-hush"


def in_world(story: Any, pools: Any = False) -> None:
    async def whole() -> None:
        world = World({"fleet": {"default_pools": pools}}, 1, hosts=1, work=instant_success)
        async with world.running():
            await story(world)

    run_virtual(whole())


async def page(world: World, who: Origin = BOB, **more: Any) -> EntryPage:
    return convert(await world.gate(who).query("entries", **more), EntryPage)


async def every_key(world: World, **more: Any) -> list[str]:
    """Return the keys of all pages, one after the other."""
    keys, after = [], ""
    while True:
        found = await page(world, limit=3, after=after, **more)
        keys += [row.key for row in found.rows]
        if not found.is_more:
            return keys
        after = found.cursors[1]


async def fill(world: World) -> None:
    """Store ten entries that differ in everything that a list can be sorted by."""
    gate = world.gate(BOB)
    for number in range(10):
        await world.clock.sleep(1.0)
        level = ("public", "private", "swarm", "team")[number % 4]
        kind = ("semantic", "episodic", "working")[number % 3]
        words = {"level": level, "kind": kind, "tags": (f"t{number % 5}",), "ttl": float(100 * (number % 2)), "namespace": "ab"[number % 2]}
        await gate.execute([c.RememberEntry(f"k{number}", "x" * (number * 7 % 10), **words)])
    await gate.execute([c.RememberEntry("k3", "again", namespace="b")])


@pytest.mark.row(193)
@pytest.mark.parametrize("sort", ["", *SORTS])
def test_pages_put_together_are_the_whole_list_both_ways(sort: str) -> None:
    async def story(world: World) -> None:
        await fill(world)
        forwards = await every_key(world, sort=sort)
        assert sorted(forwards) == [f"k{number}" for number in range(10)]
        assert await every_key(world, sort=sort, reverse=True) == forwards[::-1]
        whole = [row._asdict() for row in (await page(world)).rows]
        values = {row["key"]: row for row in whole}
        if sort not in ("", "level", "expires_at"):
            sorted_by = [values[key][sort] for key in forwards]
            assert sorted_by == sorted(sorted_by)
        if sort == "level":
            assert [values[key]["level"] for key in forwards] == ["private"] * 3 + ["team"] * 2 + ["swarm"] * 2 + ["public"] * 3
        if sort == "expires_at":
            assert [bool(values[key]["expires_at"]) for key in forwards] == [True] * 5 + [False] * 5

    in_world(story)


@pytest.mark.row(193)
@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("level=public", "048"),
        ("level=public,team kind=semantic", "03"),
        ("k3", "3"),
        ("!k3 tags=t3", "8"),
        ("size>10", "7"),
        ("changed<30s key~k", "0123456789"),
        ("expires<1d", "13579"),
        ("version=2", "3"),
        ("namespace=a -f k8", "8"),
        ("owner=bob may_write=no", ""),
    ],
)
def test_lists_are_filtered_by_the_grammar_of_all_filters(text: str, keys: str) -> None:
    async def story(world: World) -> None:
        await fill(world)
        assert sorted(row.key for row in (await page(world, filter=text)).rows) == [f"k{key}" for key in keys]

    in_world(story)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"filter": "-r k+"}, "regular expression can keep the whole engine busy"),
        ({"filter": "levle=x"}, "no field levle"),
        ({"sort": "sizes"}, "did you mean 'size'"),
        ({"limit": 0}, "give 1 to"),
        ({"limit": "x"}, "whole number"),
        ({"after": "{}"}, "no cursor"),
        ({"after": '["a","b","c"]', "sort": "size"}, "no cursor"),
        ({"after": "["}, "not valid JSON"),
    ],
)
def test_what_cannot_be_listed_is_said(asked: dict[str, Any], told: str) -> None:
    async def story(world: World) -> None:
        with pytest.raises(UsageError, match=told):
            await page(world, **asked)

    in_world(story)


def test_what_expired_or_was_deleted_is_not_listed() -> None:
    async def story(world: World) -> None:
        await fill(world)
        await world.gate(BOB).execute([c.ForgetEntry("k0", namespace="a")])
        await world.clock.sleep(200.0)
        assert [row.key for row in (await page(world)).rows] == ["k2", "k4", "k6", "k8"]

    in_world(story)


@pytest.mark.row(188, 189, 190)
def test_nobody_gets_a_value_or_even_a_name_that_is_not_for_them() -> None:
    async def story(world: World) -> None:
        gate = world.gate(ADA)
        for level in ("private", "team", "swarm", "public", "system"):
            await gate.execute([c.RememberEntry(f"{level}-key", SECRET, level=level, owner="ada", tags=("classified",))])
        await gate.execute([c.PermitEntry("team-key", write=("vic",))])
        for who, seen in ((VIC, "swarm public team"), (BOB, "private team swarm public"), (ADA, "private team swarm public system")):
            rows = {row.key.removesuffix("-key"): row for row in (await page(world, who)).rows}
            assert set(rows) == set(seen.split())
            for level in ("private", "team", "swarm", "public", "system"):
                id_ = path_of(EntryId("default", "ada", f"{level}-key"))
                if level not in rows:
                    for query in ("entry-sheet", "entry-versions", "entry-access", "entry-version"):
                        with pytest.raises(NotFound):
                            await world.gate(who).query(query, id=id_, **({"record": 1} if query == "entry-version" else {}))
                    continue
                told = await world.gate(who).query("entry-sheet", id=id_)
                sheet = convert(told, EntrySheet)
                assert (SECRET in str(told)) is rows[level].may_read is (sheet.value.refused == "")
        row = next(row for row in (await page(world, VIC)).rows if row.key == "team-key")
        assert (row.may_read, row.may_write, row.may_delete, row.may_permit, row.tags) == (False, True, False, False, "")
        refused = convert(await world.gate(VIC).query("entry-sheet", id=row.id), EntrySheet).value.refused
        assert "viewers read levels swarm and public, and the entry is team" in refused
        assert not [one for one in (await page(world, VIC, filter="classified")).rows if one.key == "team-key"]
        with pytest.raises(NotFound):
            await world.gate(VIC).query("entry-versions", id=row.id)
        with pytest.raises(Denied):
            await world.gate(VIC).query("entry-access", id=row.id)

    in_world(story)


@pytest.mark.row(178)
def test_versions_say_who_wrote_them_and_why() -> None:
    async def story(world: World) -> None:
        await world.gate(BOB).execute([c.RememberEntry("plan", "one")], reason="first thoughts")
        await world.gate(ADA).execute([c.RememberEntry("plan", "two", owner="bob")], reason="better")
        await world.gate(BOB).execute([c.PermitEntry("plan", level="team")])
        await world.gate(BOB).execute([c.ForgetEntry("plan")], reason="done")
        id_ = path_of(EntryId("default", "bob", "plan"))
        found = convert(await world.gate(BOB).query("entry-versions", id=id_), list[EntryVersion])
        assert [(one.version, one.writer, one.did, one.reason, one.level) for one in found] == [
            (4, "bob", "deleted", "done", "team"),
            (3, "bob", "permitted", "", "team"),
            (2, "ada", "stored", "better", "private"),
            (1, "bob", "stored", "first thoughts", "private"),
        ]
        assert all(one.plan.startswith("pln_") for one in found)
        values = [convert(await world.gate(BOB).query("entry-version", id=id_, record=one.record), EntryValue) for one in found]
        assert [(value.text, value.refused) for value in values] == [("", "there was no value then"), ('"two"', ""), ('"two"', ""), ('"one"', "")]
        with pytest.raises(UsageError, match="number of a record"):
            await world.gate(BOB).query("entry-version", id=id_, record="x")

    in_world(story)


def test_a_version_that_was_closed_stays_closed() -> None:
    async def story(world: World) -> None:
        await world.gate(BOB).execute([c.RememberEntry("plan", SECRET)])
        await world.gate(BOB).execute([c.RememberEntry("plan", "open", level="public")])
        id_ = path_of(EntryId("default", "bob", "plan"))
        [newest, first] = convert(await world.gate(BOB).query("entry-versions", id=id_), list[EntryVersion])
        assert [one.record for one in convert(await world.gate(VIC).query("entry-versions", id=id_), list[EntryVersion])] == [newest.record]
        with pytest.raises(NotFound):
            await world.gate(VIC).query("entry-version", id=id_, record=first.record)

    in_world(story)


@pytest.mark.row(186)
def test_a_plan_says_who_gains_and_who_loses() -> None:
    async def story(world: World) -> None:
        await world.until(lambda: len(world.state.agents) == 3)
        gate = world.gate(ADA)
        await gate.execute([c.RememberEntry("plan", "x", level="public", owner="coder-1")])
        [step] = (await gate.plan([c.PermitEntry("plan", level="team", owner="coder-1")])).steps
        assert "tester-1, viewers and coder-2 lose read" not in step.effect
        assert step.effect == "the owner's pool sees it; for ever; tester-1 and viewers lose read"
        await gate.execute([c.PermitEntry("plan", level="private", read=("tester-1", "vic"), write=("coder-2",), owner="coder-1")])
        [row] = (await page(world, VIC)).rows
        assert row.may_read
        assert row.owner == "coder-1"
        [step] = (await gate.plan([c.PermitEntry("plan", level="private", read=("tester-1",), owner="coder-1")])).steps
        assert step.effect.endswith("for ever; vic loses read; coder-2 loses write")
        [step] = (await gate.plan([c.PermitEntry("plan", level="private", read=("tester-1", "vic"), write=("coder-2",), delete=("ada",), owner="coder-1")])).steps
        assert step.effect.endswith("ada gains delete")
        access = await gate.query("entry-access", id=row.id)
        assert [(one["action"], list(one["agents"]), list(one["operators"])) for one in access] == [  # type: ignore[attr-defined]
            ("read", ["coder-1", "tester-1"], ["operators", "administrators", "vic"]),
            ("write", ["coder-1", "coder-2"], ["administrators"]),
            ("delete", ["coder-1"], ["administrators"]),
        ]

    in_world(story, {"coder": {"min": 2, "max": 2}, "tester": {"min": 1, "max": 1}})


def test_a_new_value_keeps_tags_and_metadata_and_a_conflict_says_whose_version_is_there() -> None:
    async def story(world: World) -> None:
        gate = world.gate(BOB)
        await gate.execute([c.RememberEntry("plan", "one", tags=("x", "y"), ttl=60.0)])
        await gate.execute([c.RememberEntry("plan", "two", version=1)])
        [row] = (await page(world)).rows
        assert (row.tags, row.version, row.expires_at > 0) == ("x y", 2, True)
        with pytest.raises(Conflict, match="expected to have version 1, and it has version 2, by bob"):
            await gate.plan([c.RememberEntry("plan", "three", version=1)])

    in_world(story)


def test_a_long_value_is_shown_in_part_and_bytes_as_base64() -> None:
    async def story(world: World) -> None:
        gate = world.gate(BOB)
        await gate.execute([c.RememberEntry("long", "x" * 300_000)])
        id_ = path_of(EntryId("default", "bob", "long"))
        cut = convert(await gate.query("entry-sheet", id=id_), EntrySheet).value
        assert (len(cut.text), cut.left_out) == (256 * 1024, 300_002 - 256 * 1024)
        whole = convert(await gate.query("entry-sheet", id=id_, whole=True), EntrySheet).value
        assert (len(whole.text), whole.left_out) == (300_002, 0)

    in_world(story)


@pytest.mark.parametrize("id_", [EntryId("a/b", "c%2F", "d/e"), EntryId("default", "agt_1", "plan"), EntryId("%", "/", "/")])
def test_a_path_names_one_entry(id_: EntryId) -> None:
    assert entry_at(path_of(id_)) == id_


def test_what_is_no_path_is_said() -> None:
    with pytest.raises(UsageError, match="no path of an entry"):
        entry_at("plan")
