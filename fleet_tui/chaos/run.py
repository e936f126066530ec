"""One run: faults in an order that the seed gives, under load, and what the fleet has of it in the end.

Owner: nobody; functions only.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from engine.model.errors import UsageError, errors_in
from engine.model.rows import FleetStatus
from engine.model.wire import nearest
from fleet_tui.chaos.chance import CLOCK, Chance
from fleet_tui.chaos.faults import FAULTS, faults_of
from fleet_tui.chaos.load import Load
from fleet_tui.chaos.processes import WITHIN_S, Broken, until
from fleet_tui.chaos.recovery import Blow, Recovery
from fleet_tui.chaos.regional import regions_running
from fleet_tui.chaos.setups import Setup, Topology
from fleet_tui.chaos.world import Exposure, World, running

TASKS_MAX = 100_000
TOLD_MAX = 5
"""Titles in a finding."""

Tasks = Mapping[str, tuple[str, str]]


@dataclass(slots=True)
class Report:
    """What a run came to, or several, each with the next seed."""

    seed: int
    """The first."""
    topology: str
    durability: str
    blows: list[Blow] = field(default_factory=list)
    tasks: int = 0
    """That were answered."""
    refused: int = 0
    """That an engine said are not done."""
    unknown: int = 0
    """That nobody answered for."""
    lost: int = 0
    """That were answered and are gone, as durability = "async" may lose them: when who leads is cut off together with the master, or a region is lost."""
    broken: list[str] = field(default_factory=list)
    """What the fleet did not keep of its promises; empty = all was kept."""
    seeds: int = 1
    recoveries: list[Recovery] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    """Folders with what the programs of broken runs wrote: their logs, their files, those of the servers."""

    def add(self, other: Report) -> None:
        """Take in the run of the next seed."""
        self.seeds += 1
        self.blows += other.blows
        self.tasks += other.tasks
        self.refused += other.refused
        self.unknown += other.unknown
        self.lost += other.lost
        self.broken += other.broken
        self.kept += other.kept


def chosen(names: Sequence[str], rounds: int, chance: Chance, topology: Topology = Topology.SINGLE) -> list[str]:
    """Return the faults of a run: each of `names` (none = all that there are) once a round, in an order by chance. Raises UsageError."""
    there = faults_of(topology)
    for name in names:
        if name not in FAULTS:
            raise UsageError(f"no fault {name!r}{nearest(name, FAULTS)}; there are {', '.join(there)}")
        if name not in there:
            others = [other.value for other in Topology if name in faults_of(other)]
            raise UsageError(f"there is no {name} with --topology {topology}: give --topology {' or '.join(others)}")
    order: list[str] = []
    for _ in range(rounds):
        order += chance.shuffled(list(names or there))
    return order


async def run_chaos(seed: int, names: Sequence[str], rounds: int, tell: Callable[[Blow], object], *, setup: Setup) -> Report:
    """Break a fleet of its own; `tell` is called after each fault. Raises UsageError, EngineStartError."""
    if setup.durability == "replicated" and setup.topology in (Topology.SINGLE, Topology.REGIONS):
        raise UsageError("--durability replicated needs a replica, and a single server has none: give --topology sentinel or cluster")
    chance, report = Chance(seed), Report(seed, setup.topology, setup.durability)
    order = chosen(names, rounds, chance, setup.topology)
    begin = regions_running if setup.topology is Topology.REGIONS else running
    with folder_of(report) as folder:
        try:
            async with begin(folder, chance, replace(setup, has_hosts="host-killed" in order)) as world, asyncio.TaskGroup() as group:
                writing = group.create_task(world.load.run(), name="load")
                try:
                    for name in order:
                        report.blows.append(await _strike(world, name))
                        tell(report.blows[-1])
                    await world.healthy()
                finally:
                    writing.cancel()
                    report.tasks, report.refused, report.unknown = map(len, (world.load.accepted, world.load.refused, world.load.unknown))
                await _settled(world)
                found = await _found(world)
                exposures = world.exposures if setup.durability == "async" else ()
                report.lost, report.broken = judged(found, world.leaders, world.load, exposures)
        except* Broken as errors:
            report.broken += [str(error) for error in errors_in(errors, Broken)]
    return report


@contextlib.contextmanager
def folder_of(report: Report) -> Iterator[Path]:
    """Give a folder for all that the programs of a run write; it stays where something was not kept."""
    folder = Path(tempfile.mkdtemp(prefix="fleet-chaos-"))
    try:
        yield folder
    finally:
        if report.broken:
            report.kept.append(str(folder))
        else:
            shutil.rmtree(folder, ignore_errors=True)


async def _strike(world: World, name: str) -> Blow:
    await world.healthy()
    epoch = world.epoch
    struck = await FAULTS[name](world)
    await until(lambda: world.load.newest_at(struck.by) >= struck.since, f"after {name} of {struck.target} no task is taken")
    recovered_s = (struck.over_at or CLOCK.now()) - struck.since
    await struck.mend()
    await world.healthy()
    return Blow(name, struck.target, recovered_s, world.epoch - epoch)


async def _found(world: World) -> list[Tasks]:
    """Return what each engine has: titles and states by id."""
    found: list[Tasks] = []
    for engine in world.seen:
        async with engine.operator() as operator:
            rows: Any = await operator.query("tasks", limit=TASKS_MAX)
            found.append({row["id"]: (row["title"], row["state"]) for row in rows})
    return found


def judged(found: Sequence[Tasks], leaders: Mapping[int, Collection[str]], load: Load, exposures: Collection[Exposure] = ()) -> tuple[int, list[str]]:
    """Return how many tasks are gone that may be, by `exposures`, and what was not kept.

    To be kept is: each task that was taken is there, once, and done; one leader an epoch; all engines have the same. `found` is what each
    engine has: titles and states by id.
    """
    broken = [f"more than one said to lead in epoch {epoch}: {', '.join(sorted(who))}" for epoch, who in leaders.items() if len(who) > 1]
    broken += ["the engines do not have the same tasks"] if any(has != found[0] for has in found) else []
    titles = [title for title, _ in found[0].values()]
    known = set(titles)
    gone = [title for title, id_ in load.accepted.items() if found[0].get(id_, ("",))[0] != title]
    lost = [title for title in gone if not any(exposure.covers(*load.answered[title]) for exposure in exposures)]
    undone = [title for title, state in found[0].values() if state != "succeeded"]
    broken += _said("tasks that were taken are lost", lost) + _said("tasks did not succeed", undone)
    broken += _said("tasks are there twice", [title for title in known if titles.count(title) > 1] if len(titles) > len(known) else [])
    return len(gone) - len(lost), broken + _said("tasks are there that were refused", sorted(known & load.refused))


def _said(what: str, titles: Sequence[str]) -> list[str]:
    return [f"{len(titles)} {what}: {', '.join(titles[:TOLD_MAX])}"] if titles else []


async def _settled(world: World) -> None:
    """Wait until all tasks are done and all engines have the same. Raises Broken."""
    try:
        async with asyncio.timeout(WITHIN_S):
            while True:
                seen = [await engine.status() for engine in world.seen]
                if len({status.seq if status else -1 for status in seen}) == 1 and not any(map(_left, seen)):
                    return
                await CLOCK.sleep(0.1)
    except TimeoutError:
        raise Broken("tasks are left undone, or engines differ") from None


def _left(status: FleetStatus | None) -> int:
    return 1 if status is None else sum(count for state, count in status.tasks.by_state.items() if state != "succeeded")
