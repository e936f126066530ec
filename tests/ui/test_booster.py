"""`:booster`: what the whole booster measured, its instances, where they lead, and what is said while there is none."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest
from engine.booster.figures import Figures, InstanceFigures, ModuleFigures
from engine.model.booster_commands import AddModule
from engine.model.ids import HostId
from engine.model.plans import Origin
from engine.model.pools import BOOSTER
from screens.present_booster import NO_BOOSTER
from screens.widgets.cells import ASCII

from tests.ui.conftest import Snap
from tests.ui.fleet import Fleet, Seat, sit

CONFIG = {"fleet": {"default_pools": {"coder": {"min": 2, "max": 5}, "booster": {"min": 3, "max": 5}}}}
SIZES = pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)], ids=lambda size: f"{size[0]}x{size[1]}")


async def boosted(fleet: Fleet) -> list[str]:
    """Have a booster, in place of a pool of simulated agents, and return its instances."""
    await fleet.ready()
    pool = fleet.state.pools["booster"]
    pool.spec = replace(pool.spec, kind=BOOSTER)
    agents = [str(agent.spec.id) for agent in fleet.state.agents_in("booster")]
    fleet.world.feed.fallback = lambda: "coder"
    fleet.clock.at += 130
    fleet.world.feed.boosted(agents)
    return agents


def instance(agent: str, calls: int, **more: float | str) -> InstanceFigures:
    return InstanceFigures(agent, calls, busy_s=calls / 1_000, p50_s=0.0004, memory_bytes=2_097_152, used_bytes=1_900_000, **more)  # type: ignore[arg-type]


def tell(fleet: Fleet, agents: list[str], **more: object) -> None:
    """Have a worker tell what its instances did, at two beats that are a second apart."""
    book, host, now = fleet.world.feed.book, HostId("hst_1"), fleet.clock.at
    first = Figures("booster 1.2", ["code.outline (python)"], instances=[instance(agent, 100) for agent in agents])
    book.note(host, msgspec.to_builtins(first), now - 1)
    rows = [instance(agents[0], 1_340), instance(agents[1], 340), instance(agents[2], 100, failures=2, restarts=2, last_error="code.rename: trap: unreachable", last_error_at=now - 90)]
    newest = Figures("booster 1.2", first.operations, instances=rows, answered=1_700, cache_hits=300, cache_misses=900, cache_bytes=310_000, **more)  # type: ignore[arg-type]
    book.note(host, msgspec.to_builtins(newest), now)
    fleet.world.feed.boosted(agents)


TROUBLE = {
    "handed_on": {"this is not known to be Python": 10, "trap: unreachable": 2},
    "failures": 2,
    "reproducer": "/var/lib/fleet/booster/17-2-trap.json",
}


def sampled(fleet: Fleet) -> None:
    samples, now = fleet.world.feed.book.samples, fleet.clock.at
    for ratio in (41, 54, 80):
        samples.note(ratio / 1_000, 0.001, now - 125)
    samples.differ("/var/lib/fleet/booster/differ-1.json", now - 70)


async def opened(seat: Seat) -> None:
    await seat.current()
    await seat.open("booster")
    await seat.until(lambda: len(seat.screen.table.shown_ids) == 3)


@pytest.mark.row(220)
async def test_instances_and_the_whole_read_as_they_were_measured() -> None:
    fleet = Fleet(CONFIG)
    async with sit(fleet) as seat:
        agents = await boosted(fleet)
        await opened(seat)
        assert "no sample yet: its speed beside a regular agent's is not measured" in seat.text
        assert "nothing handed on · what it is not certain of goes to coder" in seat.text
        tell(fleet, agents, breakers={"code.rename python": fleet.clock.at + 12}, **TROUBLE)
        sampled(fleet)
        await seat.until(lambda: "1.4k ops/s" in seat.text or "1.5k ops/s" in seat.text)
        shown = seat.text
        for part in (
            "54 times a regular agent's speed · median of 3 samples, 2m ago",
            "0 of 3 instances busy, at most 5",
            "cache answered 25% of 1.2k reads, holds 310 kB",
            "memory 91% used of 6.3 MB",
            "12 of 1.7k tasks handed on to coder · 10 this is not known to be Python · 2 trap: unreachable",
            "left to regular agents for now: code.rename python for 12 s",
            "2 failures, newest 1m ago: code.rename: trap: unreachable",
            "1 answer differed from a regular agent's, newest 1m ago",
        ):
            assert part in shown, part
        row = next(line for line in shown.splitlines() if "booster-1" in line)
        for part in ("idle", "2.1 MB", "1.2k", "0.40ms", "100%", "1.3k"):
            assert part in row


@SIZES
async def test_modules_of_operators_are_listed_those_that_failed_first(size: tuple[int, int], snap: Snap) -> None:
    fleet = Fleet(CONFIG)
    async with sit(fleet, size) as seat:
        agents = await boosted(fleet)
        gate = fleet.world.gate(Origin("ada", "console", role=2))
        await gate.execute([AddModule("blanks", "/srv/blanks.wasm")])
        await gate.execute([AddModule("todo", "/srv/todo.wasm")])
        blanks, todo = (one.facts.sha256 for one in fleet.state.modules.values())
        tell(fleet, agents, modules=[ModuleFigures(blanks, calls=12), ModuleFigures(todo, calls=3, failures=1, last_error="user.todo: trap", last_error_at=fleet.clock.at)], **TROUBLE)
        await opened(seat)
        line = f"2 modules · todo {todo[:8]}, 1 B, 3 calls, 1 failed · blanks {blanks[:8]}, 1 B, 12 calls"
        await seat.until(lambda: line[: size[0] - 4] in seat.text and "! 1" in seat.text)
        await snap(seat.pilot, "booster-modules")


async def test_enter_opens_the_agent_and_x_says_why_there_are_so_many_and_why_work_is_handed_on() -> None:
    fleet = Fleet(CONFIG)
    async with sit(fleet) as seat:
        agents = await boosted(fleet)
        tell(fleet, agents, **TROUBLE)
        await opened(seat)
        await seat.press("enter")
        await seat.until(lambda: seat.screen.NAME == "agent")
        assert seat.screen.thing in agents
        await seat.press("escape", "X")
        await seat.until(lambda: seat.screen.NAME == "pool")
        text = await seat.read()
        assert "it may have 3 to 5 agents" in text
        assert "10 tasks were handed on: this is not known to be Python" in text
        assert "2 tasks were handed on: trap: unreachable" in text


async def test_a_key_asks_to_forget_what_is_kept() -> None:
    fleet = Fleet(CONFIG)
    async with sit(fleet) as seat:
        await boosted(fleet)
        await opened(seat)
        await seat.press("z")
        await seat.until(lambda: type(seat.screen).__name__ == "PlanDialog")
        assert "answers are made anew" in seat.text
        await seat.agree()
        await seat.until(lambda: any(entry.action == "booster.clear_cache" for entry in fleet.state.audit))


async def test_without_a_booster_it_is_said_what_to_do() -> None:
    fleet = Fleet()
    async with sit(fleet, (80, 24)) as seat:
        await fleet.ready()
        await seat.current()
        await seat.open("booster")
        assert NO_BOOSTER[:60] in seat.text
        await seat.press("X")
        assert "no instance under the cursor" in seat.told


@SIZES
async def test_pictures(size: tuple[int, int], snap: Snap) -> None:
    fleet = Fleet(CONFIG)
    async with sit(fleet, size) as seat:
        agents = await boosted(fleet)
        await opened(seat)
        await snap(seat.pilot, "booster-new")
        tell(fleet, agents, breakers={"code.rename python": fleet.clock.at + 12}, **TROUBLE)
        sampled(fleet)
        await seat.until(lambda: "differed" in seat.text)
        await snap(seat.pilot, "booster")


async def test_pictures_without_a_booster_and_in_ascii(snap: Snap) -> None:
    fleet = Fleet(CONFIG)
    async with sit(fleet, (80, 24), glyphs=ASCII) as seat:
        await fleet.ready()
        await seat.current()
        await seat.open("booster")
        await snap(seat.pilot, "no-booster")
        agents = await boosted(fleet)
        tell(fleet, agents, **TROUBLE)
        await opened(seat)
        await snap(seat.pilot, "booster-ascii")


@pytest.mark.row(211)
async def test_what_the_booster_did_wrong_needs_somebody_and_leads_to_it() -> None:
    fleet = Fleet(CONFIG)
    async with sit(fleet) as seat:
        agents = await boosted(fleet)
        await opened(seat)
        assert seat.app.feed.needs == 0
        tell(fleet, agents, **TROUBLE)
        sampled(fleet)
        await seat.until(lambda: "differed" in seat.text)
        fleet.clock.at += 5
        await seat.open("inbox")
        await seat.until(lambda: "1 answer of booster differed" in seat.text)
        assert "fleet-tui repeat /var/lib/fleet/booster/differ-1.json" in seat.text
        assert "2 calls of booster failed" in seat.text
        await seat.press("enter")
        await seat.until(lambda: seat.screen.NAME == "booster")
