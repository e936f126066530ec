"""A whole engine without the world: coordinator, runtime and gate on virtual time, simulated agents, a journal in memory."""

from __future__ import annotations

import asyncio
import random  # noqa: TID251  # seeded
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from engine.agents.launching import ASKED_S, Deadlines, LaunchWatch
from engine.agents.logs import Output
from engine.agents.runtime import Artifact, Runtime
from engine.bus.embedded_streams import EmbeddedStreams
from engine.clock import Clock, Rng
from engine.config import FleetManagerConfig, parse_config
from engine.coordinator import Coordinator
from engine.coordinator.tools import Tools
from engine.gate import Desk, Gate, Reviewing
from engine.gate.dead_events import DeadEvents
from engine.gate.feed import Feed
from engine.gate.history import History
from engine.gate.queries import Sources
from engine.gate.routes import follow
from engine.gate.rows import fleet_status
from engine.gate.voted_plans import VotedPlans
from engine.memory.consolidating import Consolidating
from engine.memory.contract import StoredArtifact
from engine.memory.store import Memory, layers_of, memory_settings
from engine.memory.verbs import MemoryVerbs
from engine.model.effects import Assignment
from engine.model.ids import TaskId
from engine.model.plans import Origin
from engine.model.pools import A2A, BOOSTER, OPENAI, SESSION
from engine.model.redis_config import BusSection
from engine.model.reports import EngineStarted, Report
from engine.model.rows import FleetStatus
from engine.model.tasks import HELD, Outcome
from engine.monitoring.notifying.notifier import Notifier
from engine.monitoring.notifying.sender import Means
from engine.scaling.autoscaler import AutoScaler
from engine.scaling.observer import PoolObserver
from engine.scheduling.learned_router import LearnedRouter
from engine.simulation.fake_channels import MemoryFiles, SimulatedCourier
from engine.simulation.fake_memory import KeptEntries
from engine.simulation.fakes import (
    CountedExchanges,
    CountedKeys,
    ListedRegions,
    MemoryJournal,
    NotedErasures,
    SimulatedAgents,
    SimulatedModules,
    SimulatedReviewer,
)
from engine.simulation.loop import CountedIds, VirtualClock
from engine.state import FleetState

ADA = Origin("ada", "library", "", 2)

Work = Callable[[Assignment, Rng], tuple[float, Outcome]]


def instant_success(assignment: Assignment, _rng: Rng) -> tuple[float, Outcome]:
    """Succeed at once."""
    return 0.0, Outcome(assignment.task, assignment.token, ok=True)


class World:
    """An engine to poke at."""

    def __init__(  # noqa: PLR0913  # each is one thing to vary
        self, config: dict[str, Any] | FleetManagerConfig | None, seed: int, *, hosts: int, work: Work, clock: Clock | None = None
    ) -> None:
        given = config if isinstance(config, FleetManagerConfig) else parse_config(config or {}, "simulation")
        self.config = given.without_booster()  # simulated agents have no instances
        self.clock: Clock = clock or VirtualClock()
        self.rng = random.Random(seed)  # noqa: S311  # the seed is the point
        self.ids = CountedIds()
        self.journal = MemoryJournal(write_s=0.001)
        self.files = MemoryFiles()
        self._make(FleetState(self.config.tasks.finished_max), hosts, work)
        self.hosts, self.work = hosts, work
        self.survivors: tuple[tuple[TaskId, int], ...] = ()
        """Leases that the next start adopts."""

    def _make(self, state: FleetState, hosts: int, work: Work) -> None:
        self.modules, self.reviewer = SimulatedModules(), SimulatedReviewer()
        self.memory = Memory(KeptEntries(self.journal), self.clock, memory_settings(self.config.memory))
        verbs = MemoryVerbs(self.memory, Consolidating(self.memory, self.config.memory.episodic_s), lambda _owner: (0, 0))
        self.router = LearnedRouter(lambda: self.state, self.config.routing, self.clock, self.rng)
        tools = Tools(self.clock, self.rng, self.ids, self.config, adviser=self.router, checked=self.modules.checked, memory=self.memory.shelf, memory_verbs=verbs)
        self.coordinator = Coordinator(state, self.journal, tools)
        self.memory.connect(self.coordinator)
        self.coordinator.add_publisher(self.memory.publish)
        self.agents = SimulatedAgents(self._report, (self.clock, self.rng, self.ids), hosts=hosts, work=work)
        self.runtime = Runtime(lambda: self.state, {"python": self.agents, "command": self.agents, SESSION: self.agents, OPENAI: self.agents, A2A: self.agents, BOOSTER: self.agents}, self._report)
        self.coordinator.connect(self.runtime.carry_out)
        self.launches = LaunchWatch(lambda: self.state, self.runtime, self._report, Deadlines(ASKED_S, self.config.fleet.start_deadline_s))
        self.feed = Feed(lambda: self.state, self.status, self.clock)
        self.coordinator.add_publisher(self.feed.publish)
        follow(self.router, self.coordinator, self.feed, self._report)
        observer = PoolObserver(lambda: self.state, self.coordinator.ready_tasks, dict)
        self.coordinator.add_publisher(observer.publish)
        self.scaler = AutoScaler(lambda: self.state, observer, self._report, self.clock, self.config.auto_scaling.interval_s)
        self.feed.scaler = self.scaler
        self.couriers: dict[str, SimulatedCourier] = {}
        """What the channels were given."""
        means = Means(self.clock, self.rng, self.ids)
        self.notifier = Notifier(self.config.alerting, self.files, "world", means, carrier=lambda channel: self.couriers.setdefault(channel.name, SimulatedCourier()))
        self.notifier.changed = self.feed.told
        self.feed.notifier = self.notifier
        self.streams = EmbeddedStreams(BusSection(partitions=1), self.clock)
        self.dead_events = self.feed.dead_events = DeadEvents(self.streams, self.clock, self.feed.buried)
        """It looks when it is told to."""
        self.history = History(self.files, lambda: self.state, self.clock, enabled=True)
        self.regions = ListedRegions()
        sources = Sources(
            lambda: self.state,
            self.feed,
            self.journal,
            self.config,
            self.clock,
            self.status,
            Output(Path(), lambda _task: None, lambda: None),
            memory=self.memory,
            erasing=NotedErasures(),
            exchanging=CountedExchanges(),
            keys=CountedKeys(),
            history=self.history,
            notifier=self.notifier,
            regions=self.regions,
        )
        reviewing = Reviewing(lambda: self.state, lambda: self.reviewer)
        self.desk = Desk(self.coordinator, sources, self.config, stop=lambda: None, modules=self.modules, reviewing=reviewing)

    @property
    def state(self) -> FleetState:
        """The engine's state."""
        return self.coordinator.state

    def gate(self, origin: Origin = ADA) -> Gate:
        """Return an operator."""
        return Gate(self.desk, origin)

    def status(self) -> FleetStatus:
        """Return the fleet in one look."""
        found = fleet_status(
            self.state, name="world", version="0", started_at=0.0, now=self.clock.now(), read_only=self.coordinator.read_only,
            differences=self.launches.differences(self.clock.now()),
        )
        return replace(found, layers=layers_of(self.memory))

    def _report(self, report: Report, artifacts: Sequence[Artifact] = ()) -> None:
        stored = [StoredArtifact(artifact.id, artifact.media, artifact.data, artifact.task) for artifact in artifacts]
        self.coordinator.report(report, stored)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[World]:
        """Run the engine inside the context; leaving it stops everything at once, as a kill does."""
        async with asyncio.TaskGroup() as group:
            await self.coordinator.start(EngineStarted("eng_simulated", "0", 1, self.survivors))
            parts = [group.create_task(self.runtime.run()), group.create_task(self.coordinator.run())]
            parts.append(group.create_task(self._check_agents()))
            parts.append(group.create_task(self.notifier.run()))
            parts.append(group.create_task(VotedPlans(self.coordinator, self.gate, self.clock).run()))
            parts.append(group.create_task(self.router.run()))
            self.scaler.obeys = self.config.auto_scaling.enabled
            parts.append(group.create_task(self.scaler.run(self.feed.decided)))
            try:
                yield self
            finally:
                for part in parts:
                    part.cancel()

    async def _check_agents(self) -> None:
        while True:
            await self.clock.sleep(self.config.fleet.health_check_interval_s)
            if not self.coordinator.read_only:
                self.launches.look(self.clock.now())

    async def until(self, condition: Callable[[], bool], within_s: float = 3_600.0) -> None:
        """Wait in virtual time for a condition, checking the state's invariants on the way. Raises TimeoutError."""
        async with asyncio.timeout(within_s):
            while not condition():
                self.state.check()
                await self.clock.sleep(0.05)
        self.state.check()

    async def reborn(self) -> None:
        """Become a new engine on the same journal, as after kill -9; some of what ran goes on and is adopted."""
        state = await self.journal.load(self.config.tasks.finished_max)
        adopted = [attempt for attempt in self.agents.survivors() if _is_adoptable(state, *attempt.key)]
        self._make(state, self.hosts, self.work)
        self.agents.adopt(adopted)
        self.survivors = tuple(attempt.key for attempt in adopted)


def _is_adoptable(state: FleetState, task_id: TaskId, token: int) -> bool:
    task = state.tasks.get(task_id)
    return task is not None and task.state in HELD and task.attempt == token and not task.stopping
