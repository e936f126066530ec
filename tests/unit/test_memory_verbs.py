"""The verbs about memory through the gate: plans without values, undo by the journal, and questions asked as somebody."""

from __future__ import annotations

from typing import Any

import pytest
from engine.model import wire
from engine.model.errors import Ambiguous, Conflict, Denied, NotFound, UsageError
from engine.model.fleet_commands import RedoPlan, UndoPlan
from engine.model.memory_commands import (
    ConsolidateMemory,
    ForgetEntry,
    PermitEntry,
    RememberEntry,
    RestoreEntry,
)
from engine.model.plans import Origin
from engine.simulation.loop import run_virtual
from engine.simulation.world import World, instant_success

ADA, BOB, VIC = Origin("ada", "cli", "", 2), Origin("bob", "cli", "", 1), Origin("vic", "cli", "", 0)
SECRET = "hush-hush"


async def value_of(world: World, key: str, who: Origin = BOB, **more: Any) -> Any:
    return (await world.gate(who).query("entry", key=key, **more))["value"]  # type: ignore[index]


def in_world(story: Any, **memory: Any) -> None:
    async def whole() -> None:
        world = World({"fleet": {"default_pools": False}, "memory": memory}, 1, hosts=1, work=instant_success)
        async with world.running():
            await story(world)

    run_virtual(whole())


@pytest.mark.row(178)
@pytest.mark.parametrize(("text", "value"), [('{"a": [1]}', {"a": [1]}), ("plain words", "plain words"), ("5", 5), ('"5"', "5")])
def test_remember_takes_json_or_text(text: str, value: object) -> None:
    async def story(world: World) -> None:
        answer = await world.gate(BOB).execute([RememberEntry("plan", text, kind="episodic", ttl=60.0, tags=("x",))])
        assert answer.values[0].version == 1  # type: ignore[attr-defined]
        assert await value_of(world, "plan") == value
        [row] = await world.gate(BOB).query("memory")  # type: ignore[misc]
        assert (row["kind"], row["tags"], row["owner"], row["level"]) == ("episodic", ("x",), "bob", "private")
        assert row["expires_at"] == row["updated_at"] + 60

    in_world(story)


def test_no_value_is_in_a_plan_an_audit_line_or_an_event() -> None:
    async def story(world: World) -> None:
        gate = world.gate(BOB)
        plan = await gate.plan([RememberEntry("plan", SECRET)])
        assert plan.steps[0].after == "version 1, private, semantic, 11 B"
        await gate.execute(plan.id)
        await gate.execute([RememberEntry("plan", SECRET + "2", level="team")])
        await gate.execute([UndoPlan()])
        await gate.execute([RedoPlan()])
        await gate.execute([ForgetEntry("plan")])
        state = world.state
        shown = [wire.to_plain(plan), [wire.to_plain(one) for one in state.audit], [wire.to_plain(kept.plan) for kept in state.plans.values()]]
        shown.append([await gate.query("events"), await gate.query("audit"), await gate.query("memory")])
        for number in range(1, state.seq + 1):
            shown.append(await gate.query("event", id=f"ev_{number}"))
        assert SECRET not in str(shown)

    in_world(story)


@pytest.mark.row(179)
def test_undo_and_redo_bring_values_and_permissions_back() -> None:
    async def story(world: World) -> None:
        gate = world.gate(BOB)
        await gate.execute([RememberEntry("plan", "1")])
        await gate.execute([RememberEntry("plan", "2", level="public")])
        await gate.execute([UndoPlan()])
        assert await value_of(world, "plan") == 1
        with pytest.raises(Denied):
            await gate.execute([RememberEntry("plan", "3", level="system")])
        await gate.execute([RedoPlan()])
        assert await value_of(world, "plan", VIC) == 2
        await gate.execute([ForgetEntry("plan")])
        with pytest.raises(NotFound):
            await value_of(world, "plan")
        await gate.execute([UndoPlan()])
        assert await value_of(world, "plan", VIC) == 2
        await gate.execute([PermitEntry("plan", "private", read=("vic",))])
        assert (await gate.query("memory"))[0]["read"] == ("vic",)  # type: ignore[index]
        await gate.execute([RememberEntry("plan", "9", level="team")])
        assert (await gate.query("memory"))[0]["read"] == ("vic",)  # type: ignore[index]
        await gate.execute([UndoPlan()])
        await gate.execute([UndoPlan()])
        assert (await gate.query("memory"))[0]["level"] == "public"  # type: ignore[index]

    in_world(story)


def test_an_undo_does_not_take_back_what_somebody_else_did_since() -> None:
    async def story(world: World) -> None:
        await world.gate(BOB).execute([RememberEntry("plan", "1")])
        await world.gate(ADA).execute([RememberEntry("plan", "2", owner="bob")])
        with pytest.raises(Conflict, match="changed since"):
            await world.gate(BOB).execute([UndoPlan()])
        assert await value_of(world, "plan") == 2

    in_world(story)


def test_an_entry_is_restored_from_its_history() -> None:
    async def story(world: World) -> None:
        gate = world.gate(BOB)
        for value in ("1", "x" * 20_000, "3"):
            await gate.execute([RememberEntry("plan", value)])
        versions = await gate.query("entry-history", key="plan")
        assert [(one["version"], one.get("value")) for one in versions] == [(3, 3), (2, None), (1, 1)]  # type: ignore[attr-defined]
        await gate.execute([RestoreEntry("plan", versions[1]["record"])])  # type: ignore[index]
        assert await value_of(world, "plan") == "x" * 20_000
        with pytest.raises(NotFound):
            await gate.execute([RestoreEntry("plan", 9_999)])
        await gate.execute([ForgetEntry("plan")])
        assert [one["is_deleted"] for one in await gate.query("entry-history", key="plan", limit=2)] == [True, False]  # type: ignore[attr-defined]

    in_world(story)


@pytest.mark.row(186, 189, 190)
def test_questions_are_asked_with_the_role_of_whoever_asks() -> None:
    async def story(world: World) -> None:
        for level in ("private", "swarm", "public", "system"):
            await world.gate(ADA).execute([RememberEntry(level, SECRET, level=level)])
        seen = {who.who: [row["key"] for row in await world.gate(who).query("memory")] for who in (ADA, BOB, VIC)}  # type: ignore[attr-defined]
        assert seen == {"ada": ["private", "public", "swarm", "system"], "bob": ["private", "public", "swarm"], "vic": ["public", "swarm"]}
        for key in ("private", "system"):
            for question in ("entry", "entry-history"):
                with pytest.raises(NotFound):
                    await world.gate(VIC).query(question, key=key, owner="ada")
        with pytest.raises(Denied):
            await world.gate(VIC).execute([RememberEntry("mine", "1")])
        with pytest.raises(Denied):
            await world.gate(BOB).execute([ForgetEntry("public", owner="ada")])

    in_world(story)


def test_what_is_asked_wrong_is_said() -> None:
    async def story(world: World) -> None:
        gate = world.gate(ADA)
        await gate.execute([RememberEntry("plan", "1")])
        await world.gate(BOB).execute([RememberEntry("plan", "2", level="public")])
        await world.gate(Origin("eve", "cli", "", 2)).execute([RememberEntry("other", "2", owner="agt_gone")])
        with pytest.raises(Ambiguous, match="ada, bob"):
            await value_of(world, "plan", Origin("eve", "cli", "", 1))
        for what, parameters in (("memory", {"kind": "semantc"}), ("memory", {"limit": "x"}), ("memory", {"limit": 0}), ("entry", {})):
            with pytest.raises(UsageError):
                await gate.query(what, **parameters)
        assert [row["key"] for row in await gate.query("memory", limit=1, after='["default","ada","plan"]')] == ["other"]  # type: ignore[attr-defined]

    in_world(story)


@pytest.mark.row(194)
def test_episodes_become_summaries_after_a_plan_that_says_how_many() -> None:
    async def story(world: World) -> None:
        for who, key in ((ADA, "one"), (ADA, "two"), (BOB, "three")):
            await world.gate(who).execute([RememberEntry(key, f"The {SECRET} was {key}.", kind="episodic", ttl=0.0)])
        gate = world.gate(ADA)
        [step] = (await gate.plan([ConsolidateMemory()])).steps
        assert (step.before, step.changes) == ("no episode older than 30 d", False)
        [step] = (await gate.plan([ConsolidateMemory("elsewhere", 0.0)])).steps
        assert not step.changes
        await world.clock.sleep(60)
        plan = await gate.plan([ConsolidateMemory(older=30.0)])
        assert (plan.steps[0].before, plan.steps[0].after) == ("3 episodes older than 30 s, of 2 owners", "2 summaries and tombstones")
        assert plan.danger == "destructive"
        assert SECRET not in str(wire.to_plain(plan))
        [done] = (await gate.execute(plan.id, confirm=plan.confirm)).values
        assert wire.to_plain(done) == {"episodes": 3, "summaries": 2, "owners": 2}
        rows = await gate.query("memory")
        assert sorted((row["owner"], row["tags"], row["kind"]) for row in rows) == [("ada", ("summary",), "semantic"), ("bob", ("summary",), "semantic")]  # type: ignore[attr-defined]
        summary = await value_of(world, next(row["key"] for row in rows if row["owner"] == "bob"))  # type: ignore[attr-defined]
        assert summary["summary"] == f"The {SECRET} was three."
        with pytest.raises(NotFound):
            await value_of(world, "three")
        assert (await gate.execute([ConsolidateMemory(older=30.0)])).values[0].episodes == 0  # type: ignore[attr-defined]
        with pytest.raises(Denied):
            await world.gate(BOB).plan([ConsolidateMemory()])

    in_world(story)


def test_json_that_is_too_deep_is_no_text() -> None:
    async def story(world: World) -> None:
        with pytest.raises(UsageError, match="nested too deeply"):
            await world.gate(BOB).execute([RememberEntry("deep", "[" * 3_000 + "]" * 3_000)])

    in_world(story)
