"""Undo is the inverse of apply, on any state and in any depth: what operators decided is as it was, step by step back."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import pytest
from engine.model import commands as c
from engine.model.errors import FleetError
from engine.model.memory import EntryId
from engine.simulation.loop import run_virtual
from engine.simulation.world import World, instant_success
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.test_gate import POOLS
from tests.unit.test_guardrails import ADMIN

CONFIG = {"fleet": {"default_pools": POOLS, "max_agents": 14}, "operations": {"undo_window_s": 3_600.0, "plan_ttl_s": 30.0}}
STEPS = 12
NAMED = (c.RegisterAgent, c.DrainAgent, c.UndrainAgent)
APART = ((c.ScalePool, c.AskGang), NAMED)
"""Never both in one life: an agent that left comes back as a new one, as the table of verbs says of `scale`, so that what was
done to it by name cannot be taken back. It says, too, that a size stays where other bounds had put it: they are left alone."""
ALONE = (c.UndoPlan, c.RedoPlan)
SAMPLES: dict[type[c.Command], Callable[[World, random.Random], c.Command]] = {
    c.ScalePool: lambda _, chance: c.ScalePool(pool(chance), chance.choice(["3", "+1", "-1", "=max", "=min", "150%"])),
    c.PausePool: lambda _, chance: c.PausePool(pool(chance)),
    c.UnpausePool: lambda _, chance: c.UnpausePool(pool(chance)),
    c.EditPool: lambda _, chance: c.EditPool(pool(chance), {chance.choice(["cost", "priority", "memory", "cpu"]): chance.choice([4, 7, 9, None])}),
    c.HoldPool: lambda _, chance: c.HoldPool(pool(chance), float(chance.randrange(60, 9_000))),
    c.ReleasePool: lambda _, chance: c.ReleasePool(pool(chance)),
    c.AskGang: lambda _, chance: c.AskGang(pool(chance), chance.randrange(1, 3), keep_s=9_000.0),
    c.CreatePolicy: lambda _, chance: c.CreatePolicy(chance.choice("pq"), {"pool": pool(chance), "target": chance.choice([0.5, 0.8])}),
    c.UpdatePolicy: lambda _, chance: c.UpdatePolicy(chance.choice("pq"), {chance.choice(["target", "safety"]): chance.choice([0.6, 0.7, None])}),
    c.DeletePolicy: lambda _, chance: c.DeletePolicy(chance.choice("pq")),
    c.RegisterAgent: lambda _, chance: c.RegisterAgent(pool(chance), count=chance.randrange(1, 3)),
    c.DrainAgent: lambda world, chance: c.DrainAgent(agent(world, chance)),
    c.UndrainAgent: lambda world, chance: c.UndrainAgent(agent(world, chance)),
    c.AllocateAgent: lambda _, chance: c.AllocateAgent("mine", pool(chance)),
    c.SubmitTask: lambda _, chance: c.SubmitTask("noop", pool(chance), priority=chance.randrange(1, 11)),
    c.CancelTask: lambda world, chance: c.CancelTask(task(world, chance)),
    c.RetryTask: lambda world, chance: c.RetryTask(task(world, chance)),
    c.PrioritiseTask: lambda world, chance: c.PrioritiseTask(task(world, chance), chance.randrange(1, 11)),
    c.HaltFleet: lambda _, chance: c.HaltFleet(chance.choice(["scaling", "agents"])),
    c.AddModule: lambda _, chance: c.AddModule(chance.choice("mn"), chance.choice(["/a/one.wasm", "/b/one.wasm", "/a/two.wasm"])),
    c.RemoveModule: lambda _, chance: c.RemoveModule(chance.choice("mn")),
    c.RememberEntry: lambda _, chance: c.RememberEntry(chance.choice("pq"), chance.choice(["1", "[2]", "x" * 20_000])),
    c.ForgetEntry: lambda _, chance: c.ForgetEntry(chance.choice("pq")),
    c.PermitEntry: lambda _, chance: c.PermitEntry(chance.choice("pq"), chance.choice(["private", "team"]), ("agt_x",)),
    c.RestoreEntry: lambda world, chance: c.RestoreEntry(chance.choice("pq"), chance.randrange(world.state.seq + 1)),
    c.ResumeFleet: lambda _, chance: c.ResumeFleet(chance.choice(["scaling", "agents"])),
}


def pool(chance: random.Random) -> str:
    return chance.choice(list(POOLS))


def agent(world: World, chance: random.Random) -> str:
    return str(chance.choice([one.spec.id for one in world.state.agents.values()]))


def task(world: World, chance: random.Random) -> str:
    return str(chance.choice([*world.state.tasks, "none"]))


def remembered(world: World) -> dict[str, Any]:
    """Return what the entries of memory are, whatever their versions."""
    ids = [EntryId("default", ADMIN.who, key) for key in "pq"]
    kept = [world.memory.entries.one(id_) for id_ in ids]
    return {str(one[0].id): (one[0].permissions, one[0].kind, one[1]) for one in kept if one and not one[0].is_deleted}


def decided(world: World) -> dict[str, Any]:
    """Return all that operators decide; what a verb's table says that undo does not restore is left out."""
    state = world.state
    alive = [one for one in state.agents.values() if not one.retiring]
    return {
        "sizes": {name: one.size for name, one in state.pools.items()},
        "paused": {name: one.paused for name, one in state.pools.items()},
        "holds": {name: one.hold and one.hold.until for name, one in state.pools.items()},
        "specs": {name: (asdict(one.spec), dict(one.overrides)) for name, one in state.pools.items()},
        "policies": {name: one.enabled for name, one in state.policies.items()} | {f"{name} in full": str(one) for name, one in state.policies.items()},
        "agents": {name: sum(one.spec.pool == name for one in alive) for name in state.pools},
        "gangs": {id_: one.is_waiting for id_, one in state.gangs.items()},
        "cordoned": {name: sum(one.spec.pool == name and one.cordoned for one in alive) for name in state.pools},
        "allocated": sorted(str(one.pool) for one in state.allocations.values()),
        "waiting": sorted((str(one.spec.id), one.priority) for one in state.tasks.values() if one.state == "pending"),
        "modules": {name: one.facts.sha256 for name, one in state.modules.items()},
        "halted": sorted(one.scope for one in state.halted.values()),
        "memory": remembered(world),
    }


def test_every_verb_that_can_be_undone_is_tried() -> None:
    assert set(SAMPLES) | set(ALONE) == {kind for kind in c.COMMANDS.values() if kind.inverse} | {c.RetryTask, *ALONE}


@given(st.integers(0, 2**32))
@settings(max_examples=150)
def test_undoing_all_goes_back_step_by_step(seed: int) -> None:
    """The seed replays it."""

    async def story() -> None:
        chance = random.Random(seed)
        left_out = chance.choice(APART)
        kinds = [kind for kind in SAMPLES if kind not in left_out]
        world = World(CONFIG, seed, hosts=2, work=instant_success)
        async with world.running():
            await world.until(lambda: world.state.totals.by_status.get("idle", 0) == 3)
            gate = world.gate(ADMIN)
            # What waits stays where it is, so that only operators change anything.
            await gate.execute([c.HaltFleet("placing")], confirm="placing")
            trail: list[tuple[str, dict[str, Any]]] = []
            while len(trail) < STEPS:
                before = decided(world)
                command = SAMPLES[chance.choice(kinds)](world, chance)
                try:
                    plan = await gate.plan([command])
                    answer = await gate.execute(plan.id, confirm=plan.confirm)
                except FleetError:
                    assert decided(world) == before, command
                    trail.append(("", before))
                    continue
                trail.append((answer.plan if answer.plan in world.state.plans else "", before))
                await world.clock.sleep(1)
            for name, before in reversed(trail):
                if name:
                    plan = await gate.plan([c.UndoPlan(name)])
                    await gate.execute(plan.id, confirm=plan.confirm)
                    await world.clock.sleep(1)
                assert decided(world) == before, (name, world.state.plans.get(name))
            world.coordinator.check()

    run_virtual(story())


@pytest.mark.parametrize("kind", ALONE)
def test_undo_and_redo_are_each_others_inverse(kind: type[c.Command]) -> None:
    assert c.COMMANDS[kind.inverse] in ALONE
