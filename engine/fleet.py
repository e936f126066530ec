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
from typing import TYPE_CHECKING, Any, Self

from engine.agents.joined.door import Door
from engine.agents.launching import ASKED_S, Deadlines, LaunchWatch
from engine.agents.logs import Output
from engine.agents.memory_use import MemoryUse
from engine.agents.processes.child_process import ProcessHost
from engine.agents.room import RoomMeter
from engine.agents.runtime import Artifact, Runtime
from engine.agents.stalls import StallWatch
from engine.agents.tokens import AgentTokens
from engine.api.gateway import Access, Gateway, LoopbackPort
from engine.api.peers import known_operators, load_token
from engine.api.replicas import Peering
from engine.bus.embedded import EmbeddedBus
from engine.clock import OrderedIds, SystemClock, system_rng
from engine.config import FleetManagerConfig, parse_config
from engine.coordinator import ENGINE_ORIGIN, Coordinator
from engine.coordinator.tools import Tools
from engine.federation import Federation
from engine.gate import Desk, Gate, Reviewing, figures
from engine.gate.alerting import Alerting
from engine.gate.boosting import Boosting
from engine.gate.feed import Feed
from engine.gate.history import History
from engine.gate.library import LibraryCalls
from engine.gate.measuring import Measuring
from engine.gate.mirroring import Mirroring, Told
from engine.gate.modules import ModuleShelf
from engine.gate.queries import Sources
from engine.gate.relayed import RelayedGate, carry_out
from engine.gate.routes import follow
from engine.gate.rows import fleet_status
from engine.gate.sampling import Around, Sampling
from engine.gate.standby_look import StandbyLook
from engine.gate.usage import UsageMeter
from engine.gate.voted_plans import VotedPlans
from engine.hosting import HostedBoosts, Joined, end_program, joined_hosts, looks_of, programs_of
from engine.kinds import (
    MODULES_FOLDER,
    SWITCHED_OFF,
    Kinds,
    Needs,
    adopt,
    find_booster,
    make_kinds,
    workers_of,
)
from engine.linking import open_link
from engine.memory.contract import StoredArtifact
from engine.memory.journal import SqliteJournal
from engine.memory.remembering import Remembering
from engine.memory.retention import Retention
from engine.memory.store import layers_of
from engine.model.accounts import user_name
from engine.model.errors import ConfigError, JournalError
from engine.model.events import Record
from engine.model.ids import ENGINE_PREFIX
from engine.model.plans import Origin
from engine.model.pools import BOOSTER
from engine.model.reports import EngineStarted, Report
from engine.model.rows import FleetStatus
from engine.model.version import version
from engine.monitoring.notifying.sender import Means
from engine.plugins.room import PluginRoom
from engine.regions.right import Right
from engine.roll import Roll
from engine.scaling.autoscaler import AutoScaler
from engine.scaling.observer import PoolObserver, measured
from engine.scheduling.handing import fallback_pool
from engine.scheduling.learned_router import LearnedRouter
from engine.state import FleetState, Touched
from engine.supervisor import call_listener, keep_running
from engine.turns import Turns

if TYPE_CHECKING:
    from engine.github.part import GitHubPart

logger = logging.getLogger(__name__)

DATABASE_NAME = "fleet.db"
LIBRARY = Origin(user_name(os.getuid()), "library", f"pid {os.getpid()}", 2)

Listener = Callable[[Record], Awaitable[None] | None]

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
        self._module, self._no_booster = find_booster(given, booster_module)
        self.config = given if self._module else given.without_booster()
        self.directory = (directory or Path.cwd()).resolve()
        self._state_dir = state_dir
        self._tokens: AgentTokens | None = None
        self._socket = socket
        self._listeners: dict[str, list[Listener]] = {}
        self._stack: AsyncExitStack | None = None
        self._stopping = asyncio.Event()
        self.launches: LaunchWatch | None = None
        self.journal: SqliteJournal
        self._kinds: Kinds | None = None
        self._joined: Joined = {}
        self.turns: Turns | None = None
        """Its turns at leading; None where it is the fleet's only engine."""
        self.github: GitHubPart | None = None
        self.right: Right | None = None
        """The right to decide for its region, where regions know one another."""

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
        self.plugins = PluginRoom(root, self.directory, self.clock)
        stack.push_async_callback(self.plugins.close)
        self.config = await self.plugins.open(self.config)
        state = await self._open(stack, root)
        gateway = self._make_gateway(stack, root)
        await self._run_always(stack)
        if self.turns is None:
            await self._lead(stack, root)
        else:
            await self._take_turns(stack, self.turns, root)
        if gateway is not None:
            await gateway.start()
            stack.push_async_callback(gateway.stop)
        logger.info("engine started", extra={"engine": self.engine_id, "tasks": len(state.tasks), "agents": len(state.agents)})

    async def _open(self, stack: AsyncExitStack, root: Path) -> FleetState:
        """Open what is kept, and make those who know the state: nothing acts yet."""
        self.redis = await open_link(self.config.redis, root, self.clock, stack)
        self.federation = Federation(self.config, self.redis, root, self.clock, self.engine_id) if self.redis and self.config.regions and self.right is None else None
        self.right = self.federation.homes.right(self.federation.own) if self.federation else self.right
        state = await self._open_journal(stack, root)
        self._tokens = AgentTokens(load_token(root / "agents.token")) if self._socket else None
        self._door = Door(self.engine_id, self.clock) if self.turns is None else None
        self._make_memory(stack, root)
        self._make_coordinator(state, root)
        await self.modules.restore()
        self.desk = Desk(self.coordinator, self._sources(root), self.config, stop=self.stop, modules=self.modules, reviewing=Reviewing(lambda: self.coordinator.state, lambda: getattr(self._kinds, "reviewer", None)))
        if self.config.github is not None:
            from engine.github.part import GitHubPart

            self.github = GitHubPart(self.config.github, root, self.directory, self.clock)
            stack.push_async_callback(self.github.close)
            self.github.connect(lambda: self.coordinator.state, self.operator, self.journal.artifact)
            self.coordinator.add_publisher(self.github.publish)
        return state

    def _make_gateway(self, stack: AsyncExitStack, root: Path) -> Gateway | None:
        """Return the door, that no other engine opens from now on; None without a socket."""
        if self._socket is None:
            return None
        port = LoopbackPort("127.0.0.1", self.config.access.port, root / "api.token") if self.config.access.port else None
        gateway = Gateway(self._socket, self.operator, version=version(), access=self._access(), port=port, clock=self.clock, hooks=self.github.hooks if self.github else None)
        gateway.claim()
        stack.push_async_callback(gateway.stop)
        return gateway

    async def _take_turns(self, stack: AsyncExitStack, turns: Turns, root: Path) -> None:
        """Lead or stand by, as the other engines of the fleet allow; returns when it is settled which."""
        group = await stack.enter_async_context(asyncio.TaskGroup())
        turn = group.create_task(turns.run(self.coordinator, lambda inner: self._lead(inner, root), partial(carry_out, self.operator)), name="turns")
        stack.push_async_callback(self._end, (turn,))
        await turns.settled()

    async def _lead(self, stack: AsyncExitStack, root: Path) -> None:
        """Make what acts, take over what a former engine left, and run."""
        host = await stack.enter_async_context(ProcessHost(root, engine_id=self.engine_id, clock=self.clock))
        self.swept = host.sweep_report
        self._keepers = host.keepers
        kinds = make_kinds(self._needs(root), host, self._report, self.boosting.beat)
        self._kinds = kinds
        stack.callback(self.coordinator.add_publisher(lambda records, _touched: kinds.commands.note_durable(records)))
        survivors = await adopt(kinds.commands, host, self.config, self.coordinator.state)
        self._joined = joined_hosts(self._door or self.redis, self.turns, self.coordinator, self._report, self.clock, HostedBoosts(self.config, self.modules, self.boosting))
        self.runtime = Runtime(lambda: self.coordinator.state, {**kinds.by_name, **self._joined}, self._report)
        self.room.end, self.room.rest = host.end, kinds.sessions.rest
        stalls = StallWatch(lambda: self.coordinator.state, self._report, partial(end_program, host, self._joined))
        self.measuring = Measuring(self.runtime.samples, host, partial(programs_of, self._joined), self.usage, self.room, stalls, self.feed, self.clock)
        self.coordinator.connect(self.runtime.carry_out)
        self.launches = LaunchWatch(lambda: self.coordinator.state, self.runtime, self._report, self._deadlines())
        epoch = self.turns.epoch if self.turns else 0
        await self.coordinator.start(EngineStarted(self.engine_id, version(), os.getpid(), survivors, epoch, has_hosts=epoch > 0))
        await self._run_parts(stack)

    def _make_sampling(self, root: Path) -> Sampling:
        fallback = lambda: self.feed.fallback()  # noqa: E731, PLW0108  # it is set later
        around = Around(lambda: self.coordinator.state, self.journal, fallback, self._report, self.boosting.changed, self.clock, self.rng, self.ids, self.directory)
        section = self.config.booster
        share = section.sample_share if self._module is not None else 0.0
        return Sampling(self.feed.book, around, share=share, per_minute=section.samples_per_minute, folder=root / "booster" / "differences")

    def _make_coordinator(self, state: FleetState, root: Path) -> None:
        """Make the single writer and those who listen to it."""
        self.feed = Feed(lambda: self.coordinator.state, self.status, self.clock)
        self.boosting = Boosting(self.feed, self.clock, self._no_booster)
        self.modules = ModuleShelf(lambda: self.coordinator.state, self.journal, root / MODULES_FOLDER, directory=self.directory, no_booster=self._no_booster)
        workers = workers_of(self.config)
        use = MemoryUse({"python": workers, BOOSTER: min(workers, self.config.booster.pool_size)})
        use.recall(state.tasks.values())
        self.router = LearnedRouter(lambda: self.coordinator.state, self.config.routing, self.clock, self.rng)
        self.room = RoomMeter(self.config.machine, lambda: self.coordinator.state, use)
        tools = Tools(self.clock, self.rng, self.ids, self.config, self.boosting.classify, self.room.measure, self.memory.shelf, self.modules.checked, self.remembering.verbs, self.router, self.room.for_programs)
        self.coordinator = Coordinator(state, self.journal, tools)
        self.remembering.connect(self.coordinator, Peering(self.clock))
        self.coordinator.add_publisher(self.memory.publish, mirrors=True)
        self.coordinator.add_publisher(lambda records, touched: use.publish(self.coordinator.state, records, touched), mirrors=True)
        self.sampling = self._make_sampling(root)
        self.roll = Roll(self.engine_id, version(), self.clock, lambda: self.turns.standing if self.turns else None)
        self.feed.engines = self.roll.rows
        self.feed.plugins, self.plugins.changed = self.plugins, partial(self.feed.noted, "plugins")
        if self.federation is not None:
            self.feed.regions = self.federation.rows
            self.federation.connect(self.status, partial(self.feed.noted, "regions"), partial(FleetManager, directory=self.directory), self._socket)
        self.look = StandbyLook(self.feed, self.turns, lambda what, **more: self.operator(ENGINE_ORIGIN).query(what, **more), self.clock)
        self.feed.aging_s = self.config.tasks.aging_s
        self.feed.fallback = lambda: fallback_pool(self.coordinator.state, self.config)
        self.bus = EmbeddedBus()
        self.coordinator.add_publisher(self.feed.publish, mirrors=True)
        follow(self.router, self.coordinator, self.feed, self._report)
        self.coordinator.add_publisher(self._to_bus, mirrors=True)
        for publish in (self.boosting.publish, self.sampling.publish, self.history.publish):
            self.coordinator.add_publisher(publish)
        self.alerting = Alerting(self.config, self.journal.database, Means(self.clock, self.rng, self.ids, lambda: self.plugins.channels))
        self._add_scaler()
        self.alerting.connect(self.coordinator, self.feed, self.history, self.operator, self._report)
        told = Told(self.coordinator, self.status, self.alerting.topics, self.journal.database, self.operator, self.config, self.engine_id, self.journal.records)
        self.mirroring = Mirroring(self.redis, told, self.feed, self.clock)
        self.voted_plans = VotedPlans(self.coordinator, self.operator, self.clock)

    def _access(self) -> Access:
        return Access(known_operators({name: (operator.role, operator.user) for name, operator in self.config.operators.items()}), self.config.access.group, self._tokens)

    async def _open_journal(self, stack: AsyncExitStack, root: Path) -> FleetState:
        """Open the journal, shared or not, and return the state as of its end. Raises JournalError, ConfigError."""
        path, finished_max = self.config.memory.sqlite_path or root / DATABASE_NAME, self.config.tasks.finished_max
        if self.redis is not None and self.redis.section.is_shared:
            if self.config.memory.encryption.enabled:
                raise ConfigError("redis.share and memory.encryption.enabled do not go together: the other engines do not have this engine's data keys; set one of them to false")
            from engine.sharing import Member, open_shared

            self.journal, self.turns, state = await open_shared(self.redis, path, Member(self.engine_id, self.clock, self.right), finished_max=finished_max)
            stack.push_async_callback(self.journal.close)
        else:
            self.journal = await SqliteJournal.open(path, synchronous=self.config.journal.synchronous)
            stack.push_async_callback(self.journal.close)  # before it is read: what cannot be read is closed too
            state = await self.journal.load(finished_max)
        self.history = History(self.journal.database, lambda: self.coordinator.state, self.clock, enabled=self.config.monitoring.enabled)
        return state

    def _make_memory(self, stack: AsyncExitStack, root: Path) -> None:
        self.remembering = Remembering(self.journal.database, self.config.memory, root, self.ids, self.clock)
        stack.push_async_callback(self.remembering.close)
        if self.redis is not None:
            self.remembering.share(self.redis)
        self.memory = self.remembering.memory

    async def _run_parts(self, stack: AsyncExitStack) -> None:
        group = await stack.enter_async_context(asyncio.TaskGroup())
        loop = group.create_task(self._coordinate(), name="coordinator")
        stack.push_async_callback(self._end, (loop,))
        stack.push_async_callback(self.coordinator.flush)
        stack.callback(self.router.keep, everything=True)
        self.alerting.begin()
        follow_plugins = partial(self.plugins.run, lambda: {pool: measured(seen) for pool, seen in self.scaler.observations.items()}, self.history.record)
        parts = [
            self._scaling_part(group),
            group.create_task(self.runtime.run(), name="runtime"),
            group.create_task(keep_running("sampler", self.measuring.run, self.clock), name="sampler"),
            group.create_task(keep_running("self-check", self._check_agents, self.clock), name="self-check"),
            *self.remembering.start(group),
            group.create_task(keep_running("routing", self.router.run, self.clock), name="routing"),
            group.create_task(keep_running("sampling", self.sampling.run, self.clock), name="sampling"),
            group.create_task(keep_running("voted plans", self.voted_plans.run, self.clock), name="voted plans"),
            *self.alerting.start(group),
            *self.mirroring.start(group),
            *self.history.start(group),
            *([group.create_task(keep_running("github", self.github.run, self.clock), name="github")] if self.github else []),
            group.create_task(keep_running("plug-ins", follow_plugins, self.clock), name="plug-ins"),
        ]
        stack.push_async_callback(self._end, parts)

    async def _run_always(self, stack: AsyncExitStack) -> None:
        """Start what an engine does whether it leads or not."""
        stack.push_async_callback(self.history.close)
        stack.push_async_callback(self.alerting.close)
        group = await stack.enter_async_context(asyncio.TaskGroup())
        parts = [
            group.create_task(keep_running("listeners", self._tell_listeners, self.clock), name="listeners"),
            group.create_task(self._check_pages(), name="pages"),
            group.create_task(keep_running("retention", self._retention().run, self.clock), name="retention"),
            *self.roll.start(group, self.redis, lambda: self.coordinator.state.seq, partial(self.feed.noted, "engines")),
            *self.mirroring.start_looking(group),
            *([group.create_task(keep_running("look", self.look.run, self.clock), name="look")] if self.turns else []),
            *([group.create_task(keep_running("redis", self.redis.run, self.clock), name="redis")] if self.redis else []),
            *([group.create_task(keep_running("regions", self.federation.run, self.clock), name="regions")] if self.federation else []),
        ]
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
        observer.custom = self.plugins.values_of
        self.coordinator.add_publisher(self.usage.publish, mirrors=True)
        self.coordinator.add_publisher(observer.publish, mirrors=True)
        self.scaler = AutoScaler(lambda: self.coordinator.state, observer, self._report, self.clock, self.config.auto_scaling.interval_s)
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
            lambda: self.memory.tidied,
            lambda: layers_of(self.memory),
        )

    def _scaling_part(self, group: asyncio.TaskGroup) -> asyncio.Task[None]:
        self.scaler.obeys = self.config.auto_scaling.enabled
        return group.create_task(keep_running("autoscaler", partial(self.scaler.run, self.feed.decided), self.clock), name="autoscaler")

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

    def _needs(self, root: Path) -> Needs:
        return Needs(self.config, self.clock, self.ids, root, self.directory, self._socket, self._tokens, self._module, self.plugins.operations)

    def _sources(self, root: Path) -> Sources:
        return Sources(
            lambda: self.coordinator.state, self.feed, self.journal, self.config, self.clock, self.status,
            Output(root / "logs", lambda task: self._kinds.progress(task) if self._kinds else None, lambda: looks_of(self._joined)),
            self.history, self.memory,
            self.remembering.search, self.remembering.erasing, self.remembering.exchanging, self.remembering.sealing,
            notifier=self.alerting.notifier, regions=self.federation, door=self._door,
        )  # fmt: skip

    # ---- the parts' ways to each other

    def _report(self, report: Report, artifacts: Sequence[Artifact] = ()) -> None:
        stored = [StoredArtifact(artifact.id, artifact.media, artifact.data, artifact.task) for artifact in artifacts]
        self.coordinator.report(report, stored)

    def _to_bus(self, records: Sequence[Record], touched: Touched) -> None:  # noqa: ARG002  # a publisher gets both
        self.bus.publish(records)

    def _deadlines(self) -> Deadlines:
        return Deadlines(ASKED_S, self.config.fleet.start_deadline_s)

    async def _check_agents(self) -> None:
        """Look after starts, and at whether what runs is what should, as long as what is decided can be kept."""
        while True:
            await self.clock.sleep(self.config.fleet.health_check_interval_s)
            if self.launches is not None and not self.coordinator.read_only:
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
        return RelayedGate(self.desk, origin, self.turns, self.look) if self.turns else Gate(self.desk, origin)

    def status(self) -> FleetStatus:
        """Return the fleet in one look; all counts are kept, so it costs microseconds."""
        standing = self.turns.standing if self.turns else None
        status = fleet_status(
            self.coordinator.state,
            name=self.config.name,
            version=version(),
            started_at=self.started_at,
            now=self.clock.now(),
            read_only="" if standing and standing.is_relaying else self.coordinator.read_only,
            differences=self.launches.differences(self.clock.now()) if self.launches else (),
            damage=self.journal.database.damage,
        )
        return replace(status, conflicts=self.remembering.conflicts, peers_away=self.remembering.exchanging.away(), redis=self.mirroring.health, standing=standing, layers=layers_of(self.memory))

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
