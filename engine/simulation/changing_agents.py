"""A pool whose agents change: who is good at which kind of task, and how fast, is drawn anew from time to time; seeded.

Owner: of its state, its index of free agents and its clock, which is a number. Tasks are placed by the engine's own decisions, and
their outcomes are drawn; the regret of a decision is against the best agent that was free, by what is true at that moment.
"""

from __future__ import annotations

import heapq
import random  # noqa: TID251  # seeded
from dataclasses import dataclass, field

from engine.agents.registry import decide_after_work
from engine.config import FleetManagerConfig, parse_config
from engine.model.agent_events import AgentsReady, AgentsRegistered, HostInfo
from engine.model.agents import Agent, AgentSpec
from engine.model.events import Event, Record
from engine.model.ids import AgentId, HostId, TaskId
from engine.model.learned import RoutingMode
from engine.model.pool_events import PoolConfigured
from engine.model.routing_events import RoutingModeSet
from engine.model.task_events import (
    TaskFailed,
    TasksLeased,
    TasksStarted,
    TasksSubmitted,
    TasksSucceeded,
)
from engine.model.tasks import Outcome, TaskSpec
from engine.scheduling.allocator import FreeAgents
from engine.scheduling.learned_router import LearnedRouter
from engine.scheduling.learning import reward_of
from engine.scheduling.router import decide_placement
from engine.scheduling.task_queue import TaskQueue
from engine.state import FleetState, Touched

POOL = "coder"
START = 1_000_000.0


@dataclass(frozen=True, slots=True)
class Shape:
    """What the workload is like."""

    tasks: int = 3_000
    agents: int = 12
    kinds: int = 4
    changes: int = 5
    """Times that half of the agents are drawn anew."""
    gap_s: float = 0.6
    """Mean time between two tasks."""
    task_s: float = 2.0
    poisoned: int = 0
    """Outcomes at the beginning that are lies: what is good fails, what is bad succeeds."""
    mode: RoutingMode = RoutingMode.ON
    is_even: bool = False
    """All agents are alike: there is nothing to learn."""


@dataclass(slots=True)
class Tally:
    """What came of it."""

    rewards: list[float] = field(default_factory=list)
    """True expectation of each decision, in order."""
    regrets: list[float] = field(default_factory=list)

    def reward(self, since: int = 0) -> float:
        """Return the mean reward from a decision on."""
        return sum(self.rewards[since:]) / len(self.rewards[since:])

    def regret(self, since: int = 0) -> float:
        """Return the whole regret from a decision on."""
        return sum(self.regrets[since:])


class ChangingAgents:
    """One pool on a clock that is a number."""

    def __init__(self, seed: int, shape: Shape, routing: dict[str, object] | None = None) -> None:
        self.shape = shape
        self.at = START
        self.tally = Tally()
        self.config: FleetManagerConfig = parse_config({"fleet": {"default_pools": {POOL: {"min": 0, "max": shape.agents}}}, "routing": {"looks_per_s": 10_000, **(routing or {})}}, "simulation")
        self.state = FleetState()
        self._rng = random.Random(f"world {seed}")  # noqa: S311  # a simulation
        chance = random.Random(f"choices {seed}")  # noqa: S311
        self.router = LearnedRouter(lambda: self.state, self.config.routing, self, chance)
        self._free = FreeAgents(self.config.routing.weights(), chance, self.router)
        self._queue = TaskQueue(self.config.tasks.aging_s)
        self._running: list[tuple[float, int, TaskId, bool]] = []
        self._kinds = [f"kind-{number}" for number in range(shape.kinds)]
        self._skill: dict[tuple[AgentId, str], tuple[float, float]] = {}
        """(Agent, kind) -> probability of success, and mean seconds."""
        self._lies = shape.poisoned
        self._begin()

    def now(self) -> float:
        """Return the instant."""
        return self.at

    async def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.at += seconds

    def run(self) -> Tally:
        """Run all tasks."""
        every = max(1, self.shape.tasks // (self.shape.changes + 1))
        for number in range(self.shape.tasks):
            if number and number % every == 0:
                self._draw(self._rng.sample(list(self.state.agents), self.shape.agents // 2))
            self._pass(self._rng.expovariate(1.0 / self.shape.gap_s))
            kind = self._rng.choice(self._kinds)
            self._apply([TasksSubmitted((TaskSpec(TaskId(f"tsk_{number}"), kind, POOL, {}, max_attempts=1, submitted_at=self.at),))])
            self._place()
        self._pass(1e6)
        return self.tally

    def _begin(self) -> None:
        pool = self.config.pool_specs()[0]
        agents = tuple(AgentSpec(AgentId(f"agt_{number:02}"), f"{POOL}-{number}", POOL) for number in range(1, self.shape.agents + 1))
        host = HostInfo(HostId("hst_1"), "python", 1)
        ids = tuple(agent.id for agent in agents)
        self._apply([PoolConfigured(pool, len(agents)), AgentsRegistered(agents), AgentsReady(host, ids), RoutingModeSet((POOL,), self.shape.mode.value, "simulation")])
        self._draw(list(ids))

    def _draw(self, agents: list[AgentId]) -> None:
        """Draw anew how good and how fast agents are, and for each kind a little of its own."""
        for agent in agents:
            good, fast = self._rng.uniform(0.35, 0.95), self._rng.uniform(-1.0, 1.0)
            for kind in self._kinds:
                own, pace = self._rng.uniform(-0.15, 0.15), self._rng.uniform(-0.25, 0.25)
                success, seconds = min(0.98, good + own), self.shape.task_s * 2.0 ** (fast + pace)
                self._skill[agent, kind] = (0.8, self.shape.task_s) if self.shape.is_even else (success, seconds)

    def _worth(self, agent: AgentId, kind: str) -> float:
        success, seconds = self._skill[agent, kind]
        section = self.config.routing
        weights = (section.reward_success, section.reward_time, section.reward_cost)
        return success * reward_of(seconds, 0.0, ok=True, usual=(self.shape.task_s, 0.0), weights=weights)

    def _pass(self, seconds: float) -> None:
        """Let time pass; what ends meanwhile ends."""
        until = self.at + seconds
        while self._running and self._running[0][0] <= until:
            self.at, _, task, ok = heapq.heappop(self._running)
            record = self.state.tasks[task]
            outcome = Outcome(task, record.attempt, ok, started_at=record.started_at, ended_at=self.at, error_kind="" if ok else "bug", retryable=False)
            self._apply([TasksSucceeded((outcome,)) if ok else TaskFailed(outcome, dead=False)])
            self._place()
        self.at = until

    def _place(self) -> None:
        free = [agent for agent in self.state.agents.values() if agent.is_free()]
        for event in decide_placement(self.state, self._queue, self._free, self.at):
            self._apply([event])
            for lease in event.leases if isinstance(event, TasksLeased) else ():
                self._apply([TasksStarted(((lease.task, lease.token, self.at),))])
                self._begin_task(lease.task, lease.agent, free)

    def _begin_task(self, id_: TaskId, agent: AgentId, free: list[Agent]) -> None:
        kind = self.state.tasks[id_].spec.type
        worth = self._worth(agent, kind)
        self.tally.rewards.append(worth)
        self.tally.regrets.append(max(self._worth(one.spec.id, kind) for one in free) - worth)
        success, seconds = self._skill[agent, kind]
        ok = self._rng.random() < success
        if self._lies:
            self._lies -= 1
            ok = worth < sum(self._worth(one.spec.id, kind) for one in free) / len(free)
        heapq.heappush(self._running, (self.at + seconds * self._rng.uniform(0.8, 1.25), len(self.tally.rewards), id_, ok))

    def _apply(self, events: list[Event]) -> None:
        for event in events:
            record = Record(self.state.seq + 1, self.at, "simulation", event)
            self.state.apply(record)
            touched, self.state.touched = self.state.touched, Touched()
            for task_id in touched.tasks:
                self._queue.update(self.state.tasks[task_id], self.at)
            for agent_id in (*touched.agents, *touched.working):
                self._free.update(self.state.agents[agent_id])
            self.router.publish([record], touched)
            follow = decide_after_work(self.state, list(touched.agents))
            if follow:
                self._apply(follow)
