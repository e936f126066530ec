"""One simulated fleet life from a seed: `python -m engine.simulation.runner --seed 7`. The same seed, the same life."""

from __future__ import annotations

import argparse
import asyncio
import logging
import random  # noqa: TID251  # seeded
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass

from engine.model.agent_commands import RestartAgent, UndrainAgent
from engine.model.errors import FleetError, JournalError
from engine.model.events import EngineTookOver
from engine.model.fleet_commands import ResumeFleet
from engine.model.pool_commands import UnpausePool
from engine.model.swarm_commands import UnpauseSwarm
from engine.model.swarm_events import SessionChanged
from engine.model.swarm_words import SwarmStatus
from engine.model.tasks import HELD, TaskState
from engine.simulation.checkers import (
    FOLLOWED,
    JournalReader,
    Mirror,
    check_now,
    check_promises,
    check_quiet,
)
from engine.simulation.loop import run_virtual
from engine.simulation.workload import CONFIG, Promises, Workload, work
from engine.simulation.world import World

LIVES = 3
STEPS = 160
"""Acts in one life of the engine."""
QUIET_S = 900.0
BOOT_S = 0.4


@dataclass(frozen=True, slots=True)
class Summary:
    """What a life came to."""

    seed: int
    seconds: float
    records: int
    accepted: int
    succeeded: int
    done: int
    refused: int
    rebuilt: int
    adopted: int
    votes: int
    """Ended as an oracle counts them."""
    objectives: int


class Life:
    """A world and what is known of it from outside, across kills of the engine."""

    def __init__(self, seed: int, steps: int, lives: int) -> None:
        self._steps, self._lives = steps, lives
        self._chance = random.Random(seed)  # noqa: S311  # the seed is the point
        self.world = World(CONFIG, seed, hosts=2, work=work)
        self.promises = Promises()
        self.reader = JournalReader()
        self.rebuilt = 0

    async def run(self) -> None:
        """Live several engine lives, the last of which ends in peace."""
        for life in range(self._lives):
            self.world.agents.boot_s = BOOT_S
            await self._engine(last=life == self._lives - 1)
            self.rebuilt += self.world.coordinator.counters.rebuilt
            if life < self._lives - 1:
                await self._reborn()

    async def _engine(self, *, last: bool) -> None:
        """Live one life of the engine, which ends by a kill amid whatever is under way."""
        async with self.world.running(), asyncio.TaskGroup() as group:
            mirror = Mirror()
            others = [group.create_task(self._follow(mirror))]
            workload = Workload(self.world, self._chance, self.promises)
            for _ in range(self._steps):
                others.append(group.create_task(workload.act()))
                await self.world.clock.sleep(self._chance.random() ** 4)
                self.check()
            if last:
                await self._calm_down(others[1:], mirror)
            for other in others:
                other.cancel()
        self.world.journal.broken = ""

    async def _reborn(self) -> None:
        """Start a new engine; now and then the disk is full as it does."""
        await self.world.reborn()
        if self._chance.random() < 0.5:  # noqa: PLR2004
            self.world.journal.broken = "disk full"
            try:
                async with self.world.running():
                    raise AssertionError("an engine started without its journal")
            except* JournalError:
                self.world.journal.broken = ""
            await self.world.reborn()
        self.check()

    def check(self) -> None:
        """Check all that must hold now."""
        check_now(self.world)
        self.reader.read(self.world.journal.kept)
        check_promises(self.world, self.promises, self.reader)

    async def _follow(self, mirror: Mirror) -> None:
        async with self.world.feed.follow(FOLLOWED) as frames:
            async for frame in frames:
                mirror.take(frame)

    async def _calm_down(self, acts: list[asyncio.Task[None]], mirror: Mirror) -> None:
        """Let everything that can run run, then check that nothing is left."""
        world = self.world
        await asyncio.wait(acts)
        for act in acts:
            act.result()
        await world.until(lambda: not world.coordinator.read_only, QUIET_S)
        while True:
            try:
                await self._heal()
                break
            except FleetError:
                await world.clock.sleep(1.0)
        try:
            await world.until(self._is_quiet, QUIET_S)
        except TimeoutError:
            check_quiet(world)
            raise
        await world.clock.sleep(3.0)
        self.check()
        check_quiet(world)
        mirror.check(world)

    def _is_quiet(self) -> bool:
        state = self.world.state
        if state.allocations or any(task.state in HELD for task in state.tasks.values()):
            return False
        waiting = [task for task in state.tasks.values() if task.state is TaskState.PENDING]
        if any(task.spec.deadline or (task.spec.queue_timeout_s and not task.leased_at) for task in waiting):
            return False  # time alone will end it, and with that others may begin
        try:
            check_quiet(self.world)
        except AssertionError:
            return False
        return True

    async def _heal(self) -> None:
        """Resume, undrain and restart what an operator would."""
        world, gate = self.world, self.world.gate()
        await gate.execute([ResumeFleet()])
        await gate.execute([UnpausePool(name) for name in world.state.pools])
        paused = [swarm.id for swarm in world.state.swarming.swarms.values() if swarm.status is SwarmStatus.PAUSED]
        if paused:
            await gate.execute([UnpauseSwarm(id_) for id_ in paused])
        staying = [agent for agent in world.state.agents.values() if not agent.retiring and not agent.restarting]
        if staying:
            await gate.execute([UndrainAgent(agent.spec.id) for agent in staying])
        failed = [agent.spec.id for agent in world.state.agents.values() if agent.status == "failed"]
        if failed:
            await gate.execute([RestartAgent(agent) for agent in failed])


def simulate(seed: int, steps: int = STEPS, lives: int = LIVES) -> Summary:
    """Live one life. Raises whatever went wrong, most often AssertionError."""

    async def run() -> Summary:
        life = Life(seed, steps, lives)
        began = life.world.clock.now()
        await life.run()
        totals, promises = life.world.state.totals, life.promises
        return Summary(
            seed,
            round(life.world.clock.now() - began, 1),
            len(life.world.journal.kept),
            len(promises.tasks),
            totals.succeeded,
            promises.done,
            promises.refused,
            life.rebuilt,
            sum(len(record.event.adopted) for record in life.world.journal.kept if isinstance(record.event, EngineTookOver)),
            life.reader.votes.judged,
            len({record.event.session.id for record in life.world.journal.kept if isinstance(record.event, SessionChanged)}),
        )

    return run_virtual(run(), seed)


def main(arguments: list[str] | None = None, say: Callable[[str], object] = sys.stdout.write) -> int:
    """Run a seed, or several from it on; returns 1 and says how to repeat it when something went wrong."""
    parser = argparse.ArgumentParser(prog="python -m engine.simulation.runner", description="Simulate fleet lives.")
    parser.add_argument("--seed", type=int, default=1, help="the first seed")
    parser.add_argument("--count", type=int, default=1, help="how many seeds")
    parser.add_argument("--steps", type=int, default=STEPS, help="acts in one life of the engine")
    parser.add_argument("--lives", type=int, default=LIVES, help="lives of the engine")
    options = parser.parse_args(arguments)
    logging.disable(logging.CRITICAL)
    try:
        return _run_seeds(options, say)
    finally:
        logging.disable(logging.NOTSET)


def _run_seeds(options: argparse.Namespace, say: Callable[[str], object]) -> int:
    for seed in range(options.seed, options.seed + options.count):
        try:
            summary = simulate(seed, options.steps, options.lives)
        except Exception:  # noqa: BLE001  # whatever it was, the seed must be told
            say(traceback.format_exc())
            say(f"seed {seed} failed; again: make sim SEED={seed} ARGS='--steps {options.steps} --lives {options.lives}'\n")
            return 1
        say(
            f"seed {seed}: {summary.seconds:g} s lived, {summary.records} records, {summary.accepted} tasks accepted, "
            f"{summary.succeeded} succeeded, {summary.done} plans done, {summary.refused} refused, "
            f"{summary.rebuilt} journal failures survived, {summary.adopted} tasks adopted, "
            f"{summary.votes} votes ended as counted by hand, {summary.objectives} objectives of swarms\n"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
