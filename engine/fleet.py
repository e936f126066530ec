"""FleetManager: the engine put together, as a library, as a service on a socket, or under the demo.

Owner: of the running parts; they live in one TaskGroup between initialize() and shutdown().
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

import msgspec

from engine.agents.commands import CommandAgents, CommandPlaces, adoptable, attempt_of, log_path
from engine.agents.launching import ASKED_S, Deadlines, LaunchWatch
from engine.agents.light.host import LightAgents, LightSettings
from engine.agents.memory_use import MemoryUse
from engine.agents.processes.child_process import ProcessHost
from engine.agents.room import RoomMeter
from engine.agents.runtime import AgentKind, Artifact, Runtime
from engine.agents.tokens import AgentTokens
from engine.api.gateway import Access, Gateway, LoopbackPort
from engine.api.peers import known_operators, load_token
from engine.api.replicas import Peering
from engine.booster.failures import ModuleMissing
from engine.booster.figures import Options
from engine.booster.finding import find_module
from engine.bus.embedded import EmbeddedBus
from engine.clock import OrderedIds, SystemClock, system_rng
from engine.config import FleetManagerConfig, parse_config
from engine.coordinator import Coordinator, Tools
from engine.gate import Desk, Gate, figures
from engine.gate.alerting import Alerting
from engine.gate.boosting import Boosting
from engine.gate.feed import Feed
from engine.gate.history import History
from engine.gate.library import LibraryCalls
from engine.gate.modules import ModuleShelf
from engine.gate.queries import Sources
from engine.gate.rows import fleet_status
from engine.gate.sampling import Around, Sampling
from engine.gate.usage import UsageMeter
from engine.memory.contract import StoredArtifact
from engine.memory.journal import SqliteJournal
from engine.memory.remembering import Remembering
from engine.memory.retention import Retention
from engine.model.accounts import user_name
from engine.model.errors import JournalError
from engine.model.events import Record
from engine.model.ids import ENGINE_PREFIX, TaskId
from engine.model.plans import Origin
from engine.model.pools import BOOSTER
from engine.model.reports import EngineStarted, Report
from engine.model.rows import FleetStatus
from engine.model.version import version
from engine.monitoring.notifying.sender import Means
from engine.scaling.autoscaler import AutoScaler
from engine.scaling.observer import PoolObserver
from engine.scheduling.handing import fallback_pool
from engine.state import FleetState, Touched
from engine.supervisor import call_listener, keep_running

logger = logging.getLogger(__name__)

DATABASE_NAME = "fleet.db"
MODULES_FOLDER = Path("booster", "modules")
SAMPLE_INTERVAL_S = 2.0
LIBRARY = Origin(user_name(os.getuid()), "library", f"pid {os.getpid()}", 2)

Listener = Callable[[Record], Awaitable[None] | None]


SWITCHED_OFF = "the configuration has no booster"


def _find_booster(config: FleetManagerConfig, module: Path | None) -> tuple[Path | None, str]:
    """Return the booster's module, or None and why there is no booster."""
    if not config.has_booster:
        return None, SWITCHED_OFF
    try:
        return module or find_module(), ""
    except ModuleMissing as error:
        return None, str(error)


class FleetManager(LibraryCalls):
    """An engine. Use it as an async context manager, or call initialize() and shutdown() in the same task.

    Without a state directory it lives in a temporary one and forgets everything at shutdown.
    """

    def __init__(
        self,
        config: FleetManagerConfig | Mapping[str, Any] | None = None,
        *,
        directory: Path | None = None,
        state_dir: Path | None = None,
        socket: Path | None = None,
        booster_module: Path | None = None,
    ) -> None:
        """Check the configuration; `booster_module` is used in place of the installed one. Raises ConfigError."""
        given = config if isinstance(config, FleetManagerConfig) else parse_config(config or {}, "configuration")
        self._module, self._no_booster = _find_booster(given, booster_module)
        self.config = given if self._module else given.without_booster()
        self.directory = (directory or Path.cwd()).resolve()
        self._state_dir = state_dir
        self._tokens: AgentTokens | None = None
        self._socket = socket
        self._listeners: dict[str, list[Listener]] = {}
        self._stack: AsyncExitStack | None = None
        self._stopping = asyncio.Event()

    # ---- life

    async def initialize(self) -> None:
        """Open the state, start every part, take over what a former engine left. Raises EngineStartError, JournalError."""
        stack = AsyncExitStack()
        try:
            await self._start(stack)
        except BaseException:
            await stack.aclose()
            raise
        self._stack = stack

    async def shutdown(self) -> None:
        """Stop every part; running tasks are handed back and run again at the next start."""
        stack, self._stack = self._stack, None
        if stack is not None:
            await stack.aclose()

    async def __aenter__(self) -> Self:
        """Initialize."""
        await self.initialize()
        return self

    async def __aexit__(self, *_error: object) -> None:
        """Shut down."""
        await self.shutdown()

    async def wait_stopped(self) -> None:
        """Wait until an operator stops the engine."""
        await self._stopping.wait()

    def stop(self) -> None:
        """Have wait_stopped() return."""
        self._stopping.set()

    async def _start(self, stack: AsyncExitStack) -> None:
        self.clock = SystemClock()
        self.rng = system_rng()
        self.ids = OrderedIds(self.clock, self.rng)
        self.started_at = self.clock.now()
        self.engine_id = self.ids.new(ENGINE_PREFIX)
        root = self._state_dir or Path(stack.enter_context(TemporaryDirectory(prefix="fleet-tui-")))
        if self._module is None and self._no_booster != SWITCHED_OFF:
            logger.warning("there is no booster; regular agents do its work", extra={"reason": self._no_booster})
        for notice in self.config.notices():
            logger.warning("configuration has no effect", extra={"notice": notice})
        self.journal = await self._open_journal(stack, root)
        state = await self.journal.load(self.config.tasks.finished_max)
        self.remembering = Remembering(self.journal.database, self.config.memory, root, self.ids, self.clock)
        stack.push_async_callback(self.remembering.close)
        self.memory = self.remembering.memory
        self._make_coordinator(state, root)
        await self.modules.restore()
        host = await stack.enter_async_context(ProcessHost(root, engine_id=self.engine_id, clock=self.clock))
        self.swept = host.sweep_report
        self._keepers, self._programs = host.keepers, host.pids
        kinds, survivors = await self._kinds(root, host, state)
        self.runtime = Runtime(lambda: self.coordinator.state, kinds, self._report)
        self.coordinator.connect(self.runtime.carry_out)
        self.launches = LaunchWatch(lambda: self.coordinator.state, self.runtime, self._report, self._deadlines())
        self.desk = Desk(self.coordinator, self._sources(root), self.config, stop=self.stop, modules=self.modules)
        port = LoopbackPort("127.0.0.1", self.config.access.port, root / "api.token") if self.config.access.port else None
        gateway = Gateway(self._socket, self.operator, version=version(), access=self._access(), port=port) if self._socket else None
        if gateway is not None:
            gateway.claim()
            stack.push_async_callback(gateway.stop)
        await self.coordinator.start(EngineStarted(self.engine_id, version(), os.getpid(), survivors))
        await self._run_parts(stack)
        if gateway is not None:
            await gateway.start()
            stack.push_async_callback(gateway.stop)
        logger.info("engine started", extra={"engine": self.engine_id, "tasks": len(state.tasks), "agents": len(state.agents)})

    def _make_sampling(self, root: Path) -> Sampling:
        around = Around(
            lambda: self.coordinator.state,
            self.journal,
            lambda: self.feed.fallback(),  # noqa: PLW0108  # it is set later
            self._report,
            self.boosting.changed,
            self.clock,
            self.rng,
            self.ids,
            self.directory,
        )
        section = self.config.booster
        share = section.sample_share if self._module is not None else 0.0
        return Sampling(self.feed.book, around, share=share, per_minute=section.samples_per_minute, folder=root / "booster" / "differences")

    def _make_coordinator(self, state: FleetState, root: Path) -> None:
        """Make the single writer and those who listen to it."""
        self.feed = Feed(lambda: self.coordinator.state, self.status, self.clock)
        self.boosting = Boosting(self.feed, self.clock, self._no_booster)
        self.modules = ModuleShelf(lambda: self.coordinator.state, self.journal, root / MODULES_FOLDER, directory=self.directory, no_booster=self._no_booster)
        workers = self._workers()
        use = MemoryUse({"python": workers, BOOSTER: min(workers, self.config.booster.pool_size)})
        use.recall(state.tasks.values())
        self.room = RoomMeter(self.config.machine, lambda: self.coordinator.state, use)
        tools = Tools(self.clock, self.rng, self.ids, self.config, self.boosting.classify, self.room.measure, self.memory.shelf, self.modules.checked, self.remembering.verbs, self.room.for_programs)
        self.coordinator = Coordinator(state, self.journal, tools)
        self.remembering.connect(self.coordinator, Peering(self.clock))
        self.coordinator.add_publisher(self.memory.publish)
        self.coordinator.add_publisher(lambda records, touched: use.publish(self.coordinator.state, records, touched))
        self.sampling = self._make_sampling(root)
        self.feed.aging_s = self.config.tasks.aging_s
        self.feed.fallback = lambda: fallback_pool(self.coordinator.state, self.config)
        self.bus = EmbeddedBus()
        self.coordinator.add_publisher(self.feed.publish)
        self.coordinator.add_publisher(self.boosting.publish)
        self.coordinator.add_publisher(self.sampling.publish)
        self.coordinator.add_publisher(self._to_bus)
        self.coordinator.add_publisher(self.history.publish)
        self.alerting = Alerting(self.config, self.journal.database, Means(self.clock, self.rng, self.ids))
        self._add_scaler()
        self.alerting.connect(self.coordinator, self.feed, self.history, self.operator, self._report)

    def _access(self) -> Access:
        given = {name: (operator.role, operator.user) for name, operator in self.config.operators.items()}
        return Access(known_operators(given), self.config.access.group, self._tokens)

    async def _open_journal(self, stack: AsyncExitStack, root: Path) -> SqliteJournal:
        journal = await SqliteJournal.open(self.config.memory.sqlite_path or root / DATABASE_NAME, synchronous=self.config.journal.synchronous)
        stack.push_async_callback(journal.close)
        self.history = History(journal.database, lambda: self.coordinator.state, self.clock, enabled=self.config.monitoring.enabled)
        return journal

    async def _run_parts(self, stack: AsyncExitStack) -> None:
        group = await stack.enter_async_context(asyncio.TaskGroup())
        loop = group.create_task(self._coordinate(), name="coordinator")
        stack.push_async_callback(self._end, (loop,))
        stack.push_async_callback(self.coordinator.flush)
        self.alerting.begin()
        parts = [
            self._scaling_part(group),
            group.create_task(self.runtime.run(), name="runtime"),
            group.create_task(keep_running("sampler", self._sample, self.clock), name="sampler"),
            group.create_task(keep_running("self-check", self._check_agents, self.clock), name="self-check"),
            *self.remembering.start(group),
            group.create_task(keep_running("sampling", self.sampling.run, self.clock), name="sampling"),
            group.create_task(keep_running("listeners", self._tell_listeners, self.clock), name="listeners"),
            group.create_task(self._check_pages(), name="pages"),
            group.create_task(keep_running("retention", self._retention().run, self.clock), name="retention"),
            *self.alerting.start(group),
            *self.history.start(group),
        ]
        stack.push_async_callback(self.history.close)
        stack.push_async_callback(self.alerting.close)
        stack.push_async_callback(self._end, parts)

    async def _check_pages(self) -> None:
        """Check the rest of a large database that the last engine did not close."""
        try:
            await self.journal.database.check_pages()
        except JournalError as error:
            logger.error("the database is damaged: stop the engine and restore a backup", extra={"reason": str(error)})  # noqa: TRY400  # expected, no traceback

    def _retention(self) -> Retention:
        return Retention(self.journal.database, self.config.retention, self.config.tasks.finished_max, self.clock)

    def _add_scaler(self) -> None:
        """Make the autoscaler and let it time results; it needs no followers to work."""
        self.usage = UsageMeter(lambda: self.coordinator.state)
        observer = PoolObserver(lambda: self.coordinator.state, self.coordinator.ready_tasks, lambda: self.usage.used.pools)
        self.coordinator.add_publisher(self.usage.publish)
        self.coordinator.add_publisher(observer.publish)
        interval_s = self.config.auto_scaling.interval_s
        self.scaler = AutoScaler(lambda: self.coordinator.state, observer, self._report, self.clock, interval_s)
        self.feed.scaler = self.scaler
        self.history.connect(self._figures())

    def _figures(self) -> figures.Around:
        """Return where the history's figures come from."""
        return figures.Around(
            lambda: self.coordinator.state,
            self.coordinator.ready_tasks,
            lambda: self.usage.used,
            self.scaler,
            self.feed.book,
            lambda: self._module is not None,
            lambda: (self.bus.published, self.bus.dropped),
            lambda: self.coordinator.counters.commits,
            self.history.meter.counts,
        )

    def _scaling_part(self, group: asyncio.TaskGroup) -> asyncio.Task[None]:
        self.scaler.obeys = self.config.auto_scaling.enabled
        follow = partial(self.scaler.run, self.feed.decided)
        return group.create_task(keep_running("autoscaler", follow, self.clock), name="autoscaler")

    async def _coordinate(self) -> None:
        """Run the coordinator; if it breaks, the programs that may outlive the engine are left to the next one."""
        try:
            await self.coordinator.run()
        except Exception:
            self._keepers.leave()
            raise

    async def _end(self, parts: Sequence[asyncio.Task[None]]) -> None:
        for part in parts:
            part.cancel()
        await asyncio.wait(parts)

    async def _kinds(
        self, root: Path, host: ProcessHost, state: FleetState
    ) -> tuple[dict[str, AgentKind], tuple[tuple[TaskId, int], ...]]:
        """Return what runs agents, and the leases whose programs outlived a former engine and are adopted."""
        fleet = self.config.fleet
        settings = LightSettings(workers=self._workers(), heartbeat_interval_s=fleet.heartbeat_interval_s)
        logs = root / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        self._tokens = AgentTokens(load_token(root / "agents.token")) if self._socket else None
        places = CommandPlaces(self.directory, logs, self._tokens, self._socket)
        light = LightAgents(self._report, self.ids, self.clock, settings, state_marker=str(root), log_dir=logs, directory=self.directory)
        commands = CommandAgents(self._report, host, self.ids, self.clock, places)
        self.coordinator.add_publisher(lambda records, _touched: commands.note_durable(records))
        survivors = host.keepers.survivors()
        adopted = adoptable(state, {spec.name: spec for spec in self.config.pool_specs()}, survivors)
        commands.adopt([survivors[name] for name in adopted])
        await host.keepers.settle(set(adopted))
        kinds: dict[str, AgentKind] = {"python": light, "command": commands}
        if self._module is not None:
            kinds[BOOSTER] = self._booster(root, self._module, settings)
        return kinds, tuple(attempt_of(name) for name in adopted)

    def _workers(self) -> int:
        return self.config.fleet.workers or os.cpu_count() or 1

    def _booster(self, root: Path, module: Path, light: LightSettings) -> LightAgents:
        """Return what runs the booster's instances: light agents of their own, whose workers do nothing else."""
        section = self.config.booster
        options = Options(
            str(module),
            str(root / "booster" / "failures"),
            memory_max_bytes=section.memory_limit << 20,
            timeout_s=section.task_timeout_s,
            cache_max_bytes=section.cache << 20,
            modules=str(root / MODULES_FOLDER),
            tracks=section.performance_tracking,
            recovers=section.recovery_enabled,
        )
        settings = replace(
            light,
            workers=min(os.cpu_count() or 1, section.pool_size),
            kind=BOOSTER,
            resident="engine.booster.resident:settle",
            resident_options=msgspec.to_builtins(options),
        )
        return LightAgents(
            self._report,
            self.ids,
            self.clock,
            settings,
            state_marker=str(root),
            log_dir=root / "logs",
            directory=self.directory,
            figures=self.boosting.beat,
        )

    def _sources(self, root: Path) -> Sources:
        return Sources(
            lambda: self.coordinator.state,
            self.feed,
            self.journal,
            self.config,
            self.clock,
            self.status,
            lambda task: log_path(root / "logs", task),
            self.history,
            self.memory,
            self.remembering.search,
            self.remembering.erasing,
            self.remembering.exchanging,
            self.remembering.sealing,
            notifier=self.alerting.notifier,
        )

    # ---- the parts' ways to each other

    def _report(self, report: Report, artifacts: Sequence[Artifact] = ()) -> None:
        stored = [StoredArtifact(artifact.id, artifact.media, artifact.data, artifact.task) for artifact in artifacts]
        self.coordinator.report(report, stored)

    def _to_bus(self, records: Sequence[Record], touched: Touched) -> None:  # noqa: ARG002  # a publisher gets both
        self.bus.publish(records)

    async def _sample(self) -> None:
        while True:
            samples = self.runtime.samples()
            self.feed.measured(samples)
            self.usage.look(samples, self._programs(), self.clock.now())
            self.room.see(samples, self.usage.used.programs)
            await self.clock.sleep(SAMPLE_INTERVAL_S)

    def _deadlines(self) -> Deadlines:
        return Deadlines(ASKED_S, self.config.fleet.start_deadline_s)

    async def _check_agents(self) -> None:
        """Look after starts, and at whether what runs is what should, as long as what is decided can be kept."""
        while True:
            await self.clock.sleep(self.config.fleet.health_check_interval_s)
            if not self.coordinator.read_only:
                self.launches.look(self.clock.now())
                self.room.look(self._report, self.clock.now())

    async def _tell_listeners(self) -> None:
        async with self.bus.subscribe() as subscription:
            async for batch in subscription:
                self.history.heard(batch)
                for record in batch:
                    for listener in (*self._listeners.get(record.event.type, ()), *self._listeners.get("*", ())):
                        await call_listener(record.event.type, partial(listener, record))

    # ---- what callers use

    def operator(self, origin: Origin = LIBRARY) -> Gate:
        """Return an operator with somebody's authority."""
        return Gate(self.desk, origin)

    def status(self) -> FleetStatus:
        """Return the fleet in one look; all counts are kept, so it costs microseconds."""
        status = fleet_status(
            self.coordinator.state,
            name=self.config.name,
            version=version(),
            started_at=self.started_at,
            now=self.clock.now(),
            read_only=self.coordinator.read_only,
            differences=self.launches.differences(self.clock.now()),
            damage=self.journal.database.damage,
        )
        return replace(status, conflicts=self.remembering.conflicts, peers_away=self.remembering.exchanging.away())

    def why_no_booster(self) -> str:
        """Return why there is no booster, empty if there is one."""
        return self._no_booster

    def wasm_utilization(self) -> float | None:
        """Return the share of their time that the booster's instances were at work; None without a booster."""
        return max(0.0, self.feed.book.utilization()) if self._module is not None else None

    def on(self, event: str, listener: Listener) -> None:
        """Have a function called with each record of an event type (`*` = all) after it is durable; it may be async."""
        self._listeners.setdefault(event, []).append(listener)

    def off(self, event: str, listener: Listener) -> None:
        """Stop calling a function. Raises ValueError when it was not listening."""
        self._listeners.get(event, []).remove(listener)
