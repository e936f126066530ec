"""What a leader and a host say to each other when some of it is lost, on virtual time: in the end each knows what the other has."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from engine.agents.joined.hosting import FleetClock, Hosting, Offer
from engine.agents.joined.leading import Around, JoinedAgents
from engine.agents.launching import ASKED_S, Deadlines, LaunchWatch
from engine.agents.logs import Part
from engine.agents.runtime import Runtime
from engine.model import wire
from engine.model.agent_events import JOINED
from engine.model.effects import Assignment
from engine.model.ids import TaskId
from engine.model.journal_entries import Leadership
from engine.model.task_commands import SubmitTask
from engine.model.tasks import Outcome, TaskState
from engine.redis.host_streams import Leads
from engine.simulation.fakes import SimulatedAgents
from engine.simulation.loop import run_virtual
from engine.simulation.world import World
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from tests.unit.core_fleet import host_joined

CONFIG = {"fleet": {"default_pools": {"coder": {"min": 3, "max": 3, "hosts": "joined"}}}}
TASKS = 12


class Lossy:
    """Both Streams in memory; while it is lossy every fifth message is lost, by chance, and while it is cut every one."""

    is_up = True

    def __init__(self, world: World, chance: random.Random) -> None:
        self.by = Leadership(1, "eng_simulated")
        self.is_lossy = self.is_cut = False
        self._world, self._chance = world, chance
        self._work: list[bytes] = []
        self._reports: list[bytes] = []

    def _put(self, queue: list[bytes], message: bytes) -> None:
        if not self.is_cut and (not self.is_lossy or self._chance.random() > 0.2):
            queue.append(message)

    async def _take(self, queue: list[bytes]) -> Sequence[bytes]:
        await self._world.clock.sleep(0.01)
        found, queue[:] = list(queue), []
        return found

    async def send(self, _host: str, _run: str, message: bytes) -> None:
        self._put(self._work, message)

    async def read(self) -> Sequence[bytes]:
        return await self._take(self._reports)

    async def trim(self) -> None:
        pass

    async def tell(self, epoch: int, message: bytes) -> Leads:
        await self._world.clock.sleep(0.001)
        if epoch == self.by.epoch:
            self._put(self._reports, message)
        return Leads(*self.by)

    def host_end(self) -> HostEnd:
        return HostEnd(self)


class HostEnd:
    """The other end."""

    def __init__(self, lossy: Lossy) -> None:
        self.tell = lossy.tell
        self._lossy = lossy

    async def trim(self) -> None:
        pass

    async def read(self) -> Sequence[bytes]:
        return await self._lossy._take(self._lossy._work)  # noqa: SLF001  # its own other half


class NoPrograms:
    """A host without programs."""

    async def run(self, _pool_of: object) -> None:
        pass

    def news(self) -> None:
        pass

    def note_told(self, _seen: object) -> None:
        pass

    def tell_again(self) -> None:
        pass

    def end(self, _name: str, _reason: object, _why: str) -> None:
        pass


def work(assignment: Assignment, chance: Any) -> tuple[float, Outcome]:  # noqa: ANN401  # an Rng
    return 2.0 * chance.random(), Outcome(assignment.task, assignment.token, ok=True)


class Talk(NamedTuple):
    """A leader, a host, and what is between them."""

    world: World
    lossy: Lossy
    leads: JoinedAgents
    hosting: Hosting
    agents: SimulatedAgents
    let_go: list[tuple[TaskId, int]]
    """Attempts that others go on with."""


def talk(seed: int, work: Callable[[Assignment, Any], tuple[float, Outcome]]) -> Talk:
    """Return both, connected; the seed says what is lost."""
    let_go: list[tuple[TaskId, int]] = []
    chance = random.Random(seed)
    world = World(CONFIG, seed, hosts=1, work=work)
    lossy = Lossy(world, chance)
    around = Around(lambda: world.state, world.coordinator.report, world.coordinator.reported, world.clock, 9.0)
    leads = JoinedAgents(lossy, around)
    world.runtime = Runtime(lambda: world.state, {JOINED: leads}, world.coordinator.report)
    world.coordinator.connect(world.runtime.carry_out)
    world.launches = LaunchWatch(lambda: world.state, world.runtime, world.coordinator.report, Deadlines(ASKED_S, 120.0))
    joined = host_joined("lab")
    hosting = Hosting(Offer(joined.host, joined.capacity), lossy.host_end(), FleetClock(world.clock), lambda report: (report, wire.encode(report)), lambda _said: None)
    agents = SimulatedAgents(hosting.report, (world.clock, chance, world.ids), hosts=1, work=work)
    hosting.connect({"python": agents}, lambda task, after, most: (Part(after, after + 1, task[:1].encode()[:most]), {"text": task}), NoPrograms(), let_go.extend)
    return Talk(world, lossy, leads, hosting, agents, let_go)


@given(st.integers(0, 2**32))
@settings(max_examples=examples(10))
def test_what_is_lost_on_the_way_is_said_again_and_every_task_is_done_once(seed: int) -> None:
    """The seed replays it."""

    async def story() -> None:
        world, lossy, leads, hosting, agents, _ = talk(seed, work)
        async with world.running(), asyncio.TaskGroup() as group:
            host = group.create_task(hosting.run())
            await world.until(lambda: world.state.totals.by_status.get("idle", 0) == 3)
            lossy.is_lossy = True
            await world.gate().execute([SubmitTask("noop", "coder") for _ in range(TASKS)])
            await world.until(lambda: world.state.totals.succeeded == TASKS)
            lossy.is_lossy = False
            assert sorted({task for task, _ in agents.effects}) == sorted(world.state.tasks)
            assert len(agents.effects) == TASKS
            last = next(reversed(world.state.tasks.values()))
            assert last.machine == "lab"
            while await leads.looks.progress("lab", last.spec.id, 1) != {"text": last.spec.id}:  # it joins again when something was lost
                await world.clock.sleep(1.0)
            host.cancel()

    run_virtual(story())


def test_a_host_that_was_given_up_and_comes_back_lets_go_of_what_others_go_on_with() -> None:
    async def story() -> None:
        world, lossy, _, hosting, agents, let_go = talk(1, lambda assignment, _chance: (60.0, Outcome(assignment.task, assignment.token, ok=True)))
        async with world.running(), asyncio.TaskGroup() as group:
            host = group.create_task(hosting.run())
            await world.until(lambda: world.state.totals.by_status.get("idle", 0) == 3)
            (id_,) = (await world.gate().execute([SubmitTask("noop", "coder")])).values
            task = world.state.tasks[TaskId(str(id_))]
            await world.until(lambda: task.state is TaskState.RUNNING)
            lossy.is_cut = True
            await world.until(lambda: task.state is TaskState.PENDING)
            assert let_go == []
            lossy.is_cut = False
            await world.until(lambda: task.state is TaskState.SUCCEEDED)
            assert (let_go, task.attempt, len(agents.effects)) == ([(id_, 1)], 2, 1)
            host.cancel()

    run_virtual(story())
