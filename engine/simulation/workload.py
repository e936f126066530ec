"""What happens to a simulated fleet: operators' verbs, crashes and full disks, chosen by a seed."""

from __future__ import annotations

import random  # noqa: TID251  # seeded
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from engine.clock import Rng
from engine.model.agent_commands import (
    AllocateAgent,
    DrainAgent,
    RegisterAgent,
    ReleaseAgent,
    RestartAgent,
    UndrainAgent,
    UnregisterAgent,
)
from engine.model.agents import Health
from engine.model.consensus_commands import CHOICES
from engine.model.effects import Assignment
from engine.model.errors import FleetError, ReadOnly
from engine.model.fleet_commands import HALT_SCOPES, HaltFleet, RedoPlan, ResumeFleet, UndoPlan
from engine.model.plans import Origin
from engine.model.pool_commands import (
    CreatePolicy,
    DeletePolicy,
    EditPool,
    HoldPool,
    PausePool,
    ReleasePool,
    ScalePool,
    UnpausePool,
    UpdatePolicy,
)
from engine.model.reports import HealthSeen
from engine.model.task_commands import CancelTask, PrioritiseTask, RetryTask, SubmitTask
from engine.model.tasks import FINISHED, Outcome
from engine.model.verbs import Command
from engine.simulation.deciding_acts import DecidingActs
from engine.simulation.world import ADA, World

POOLS = {
    "coder": {"min": 2, "max": 9, "priority": 8},
    "tester": {"min": 1, "max": 6, "priority": 7},
    "ui": {"min": 0, "max": 4, "priority": 5},
}
CONFIG = {
    "fleet": {"default_pools": POOLS, "max_agents": 15},
    "tasks": {"finished_max": 100, "backoff_max_s": 2.0, "timeout_s": 4.0, "aging_s": 5.0, "pending_max": 400},
    "operations": {"undo_window_s": 60.0},
}
SKILLS = ("lathe", "loom")
"""Capabilities that only agents registered with them have."""
REVIEW = "review"
OPERATORS = (ADA, Origin("bob", "console", "tty1", 1))


def work(assignment: Assignment, rng: Rng) -> tuple[float, Outcome]:
    """Take a while; fail now and then, for good or not."""
    seconds = rng.random() ** 3 * 6.0
    chance = rng.random()
    if assignment.type == REVIEW and chance < 0.9:  # noqa: PLR2004
        said = {"vote": CHOICES[int(rng.random() * len(CHOICES))], "confidence": chance, "reasoning": "seen by chance"}
        return seconds, Outcome(assignment.task, assignment.token, ok=True, result=said)
    if chance < 0.75:  # noqa: PLR2004
        return seconds, Outcome(assignment.task, assignment.token, ok=True, result={"n": 1})
    retryable = chance < 0.95  # noqa: PLR2004
    return seconds, Outcome(assignment.task, assignment.token, ok=False, error_kind="bug", error="it broke", retryable=retryable)


@dataclass(slots=True)
class Promises:
    """What was acknowledged: it must hold whatever happens later."""

    tasks: dict[str, None] = field(default_factory=dict)
    seq: int = 0
    done: int = 0
    refused: int = 0


class Workload:
    """Acts on one life of a world at random."""

    def __init__(self, world: World, chance: random.Random, promises: Promises) -> None:
        self._world = world
        self._chance = chance
        self._promises = promises
        self._keys = 0
        self._acts: Sequence[tuple[int, Callable[[], Awaitable[None]]]] = (
            (30, self._submit),
            (5, self._cancel),
            (5, self._retry),
            (3, self._prioritise),
            (7, self._scale),
            (4, self._pause_or_resume),
            (3, self._hold_or_release),
            (3, self._change_policies),
            (2, self._edit),
            (4, self._register),
            (4, self._unregister),
            (5, self._drain_or_undrain),
            (5, self._restart),
            (5, self._allocate),
            (4, self._release),
            (5, self._undo_or_redo),
            (2, self._halt),
            (6, self._resume),
            (5, self._kill_host),
            (3, self._see_health),
            (2, self._break_journal),
            (2, self._break_starts),
            *DecidingActs(world, chance, self._do).acts,
        )

    async def act(self) -> None:
        """Do one thing to the fleet."""
        weights = [weight for weight, _ in self._acts]
        _, act = self._chance.choices(self._acts, weights)[0]
        await act()

    async def _do(self, commands: Sequence[Command], confirm: str = "", origin: Origin | None = None) -> Sequence[object]:
        gate = self._world.gate(origin or self._chance.choice(OPERATORS))
        try:
            planned = self._chance.random() < 0.3  # noqa: PLR2004
            answer = await gate.execute((await gate.plan(commands)).id if planned else commands, confirm=confirm)
        except ReadOnly:
            return ()
        except FleetError:
            self._promises.refused += 1
            return ()
        assert answer.seq <= self._world.journal.kept[-1].seq, "acknowledged before it was durable"
        self._promises.seq = max(self._promises.seq, answer.seq)
        self._promises.done += 1
        return answer.values

    # ---- tasks

    async def _submit(self) -> None:
        values = await self._do([self._task() for _ in range(self._chance.choice((1, 1, 2, 3, 8)))])
        self._promises.tasks.update(dict.fromkeys(str(value) for value in values))

    def _task(self) -> SubmitTask:
        chance = self._chance

        def maybe(share: float, value: float) -> float:
            return value if chance.random() < share else 0.0

        known = list(self._world.state.tasks)
        needs = chance.choices(known[-20:], k=chance.choice((0, 0, 0, 1, 2))) if known else []
        self._keys += chance.random() < 0.8  # noqa: PLR2004
        return SubmitTask(
            chance.choice(("noop", "code.outline")),
            chance.choice(tuple(POOLS)),
            priority=chance.randint(1, 10),
            capabilities=(chance.choice(SKILLS),) if chance.random() < 0.1 else (),  # noqa: PLR2004
            fairness_key=chance.choice(("", "a", "b")),
            idempotency_key=f"key-{self._keys}" if chance.random() < 0.2 else "",  # noqa: PLR2004
            depends_on=tuple(str(id_) for id_ in needs),
            take_inputs=chance.random() < 0.5,  # noqa: PLR2004
            run_after_failure=chance.random() < 0.3,  # noqa: PLR2004
            deadline_s=maybe(0.1, chance.random() * 20),
            timeout_s=maybe(0.3, 0.5 + chance.random() * 5),
            queue_timeout_s=maybe(0.1, chance.random() * 10),
            max_attempts=chance.randint(1, 4),
            backoff_s=maybe(0.8, 0.3),
        )

    def _some_tasks(self) -> list[str]:
        known = list(self._world.state.tasks)
        return [str(id_) for id_ in self._chance.choices(known[-60:], k=self._chance.choice((1, 1, 3)))] if known else []

    async def _cancel(self) -> None:
        if tasks := self._some_tasks():
            await self._do([CancelTask(task) for task in tasks])

    async def _retry(self) -> None:
        ended = [id_ for id_ in self._some_tasks() if self._world.state.tasks[id_].state in FINISHED]  # type: ignore[index]
        if ended:
            await self._do([RetryTask(task, lenient=self._chance.random() < 0.5) for task in ended])  # noqa: PLR2004

    async def _prioritise(self) -> None:
        if tasks := self._some_tasks():
            await self._do([PrioritiseTask(task, self._chance.randint(1, 10)) for task in tasks])

    # ---- pools and agents

    async def _scale(self) -> None:
        size = self._chance.choice(("+1", "-1", "+3", "-3", "150%", "=min", "=max", "4"))
        await self._do([ScalePool(self._chance.choice(tuple(POOLS)), size)])

    async def _pause_or_resume(self) -> None:
        kind = self._chance.choice((PausePool, UnpausePool, UnpausePool))
        await self._do([kind(self._chance.choice(tuple(POOLS)))])

    async def _hold_or_release(self) -> None:
        pool = self._chance.choice(tuple(POOLS))
        hold = HoldPool(pool, self._chance.choice((0.0, 2.0, 10.0)))
        await self._do([self._chance.choice((hold, ReleasePool(pool)))])

    async def _change_policies(self) -> None:
        known = self._chance.choice((*self._world.state.policies, "none"))
        table = {"pool": self._chance.choice(("", *POOLS)), "target": self._chance.choice((0.5, 0.85)), "zero_after_s": 3.0}
        made = CreatePolicy(f"policy-{self._chance.randint(1, 4)}", table)
        changed = UpdatePolicy(known, {"target": 0.7, "average_s": self._chance.choice((None, 3.0))})
        await self._do([self._chance.choice((made, changed, DeletePolicy(known)))])

    async def _edit(self) -> None:
        changes = self._chance.choice(({"min": 1}, {"max": 3}, {"min": None, "max": None}, {"memory": 64, "priority": 2}, {"min": 99}))
        await self._do([EditPool(self._chance.choice(tuple(POOLS)), changes)])

    async def _register(self) -> None:
        skills = self._chance.choice(((), (), SKILLS[:1], SKILLS))
        await self._do([RegisterAgent(self._chance.choice(tuple(POOLS)), count=self._chance.choice((1, 1, 2)), capabilities=skills)])

    def _some_agents(self) -> list[str]:
        known = list(self._world.state.agents)
        return [str(id_) for id_ in self._chance.choices(known, k=self._chance.choice((1, 1, 2)))] if known else []

    async def _unregister(self) -> None:
        if agents := self._some_agents():
            await self._do([UnregisterAgent(agent) for agent in agents])

    async def _drain_or_undrain(self) -> None:
        kind = self._chance.choice((DrainAgent, UndrainAgent, UndrainAgent))
        if agents := self._some_agents():
            await self._do([kind(agent) for agent in agents])

    async def _restart(self) -> None:
        if agents := self._some_agents():
            await self._do([RestartAgent(agent) for agent in agents])

    async def _allocate(self) -> None:
        pool = self._chance.choice(tuple(POOLS))
        expires_s = self._chance.choice((0.5, 3.0, 30.0))
        await self._do([AllocateAgent("mine", pool, expires_s=expires_s) for _ in range(self._chance.choice((1, 1, 2)))])

    async def _release(self) -> None:
        if known := list(self._world.state.allocations):
            chosen = self._chance.choices(known, k=self._chance.choice((1, 1, 2)))
            await self._do([ReleaseAgent(allocation, ok=self._chance.random() < 0.5) for allocation in chosen])  # noqa: PLR2004

    async def _undo_or_redo(self) -> None:
        known = ["", *list(self._world.state.plans)[-5:]]
        kind = self._chance.choice((UndoPlan, UndoPlan, RedoPlan))
        await self._do([kind(self._chance.choice(known))])

    async def _halt(self) -> None:
        scope = self._chance.choice(HALT_SCOPES)
        await self._do([HaltFleet(scope)], confirm=scope)

    async def _resume(self) -> None:
        await self._do([ResumeFleet(self._chance.choice(("", *HALT_SCOPES)))])

    # ---- the world

    async def _kill_host(self) -> None:
        if hosts := list(self._world.agents.hosts):
            self._world.agents.kill_host(self._chance.choice(hosts))

    async def _see_health(self) -> None:
        if hosts := list(self._world.agents.hosts):
            health = self._chance.choice((Health.HEALTHY, Health.SLOW, Health.SUSPECT))
            self._world.coordinator.report(HealthSeen(self._chance.choice(hosts), health, "seen by chance"))

    async def _break_journal(self) -> None:
        self._world.journal.broken = "disk full"
        await self._world.clock.sleep(self._chance.random() * 4)
        self._world.journal.broken = ""

    async def _break_starts(self) -> None:
        self._world.agents.broken = "no program"
        await self._world.clock.sleep(self._chance.random() * 3)
        self._world.agents.broken = ""
