"""A worker put together: a host of agents that joins a fleet by Redis or by its engine, from its start to its end.

Owner: of the running parts; they end with `run_worker`, and with them every agent here.
"""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import os
import platform
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from engine.agents.commands import log_path
from engine.agents.joined.hosting import FleetClock, Hosting, Offer, Way
from engine.agents.joined.programs import Programs
from engine.agents.logs import Part, read_part
from engine.agents.machine import MachineFiles
from engine.agents.processes.child_process import ProcessHost
from engine.agents.processes.process_table import read_start
from engine.api.client import Caller
from engine.booster.failures import ModuleMissing
from engine.booster.finding import find_module
from engine.clock import Clock, OrderedIds, SystemClock, system_rng
from engine.config import parse_config
from engine.coordinator.repairs import repaired
from engine.kinds import Kinds, Needs, hosted_booster, make_kinds
from engine.linking import open_link
from engine.model import wire
from engine.model.agent_events import JOINED, HostInfo, JoinedHost
from engine.model.errors import FleetError, RedisAway, RedisRefused, errors_in
from engine.model.ids import ENGINE_PREFIX, HostId, TaskId
from engine.model.machines import CPU, MEMORY, thousandths
from engine.model.plain import NOT_JSON
from engine.model.pools import A2A, BOOSTER, OPENAI, SESSION
from engine.model.redis_config import RedisSection
from engine.model.reports import Report
from engine.model.secrets import ENGINE_SECRETS, is_secret_name
from engine.model.version import version

logger = logging.getLogger(__name__)

JOIN_WITHIN_S = 15.0
"""Longest wait for the fleet: longer than it takes to give up a host of the same name."""
LEAVE_WITHIN_S = 2.0
AGENTS_A_CORE = 8
KINDS = ("python", "command", SESSION, OPENAI, A2A, BOOSTER)
"""Kinds of agents that can run on a host."""
BY_HTTP = (OPENAI, A2A)
"""Kinds that need the package httpx2."""
KEYS_MAX = 50
"""Names of variables with keys that a host tells."""
OWN_KEYS = frozenset({*ENGINE_SECRETS, "REDIS_PASSWORD"})


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine that hosts join by itself."""

    address: str
    """As for consoles: ws://, wss://."""
    token: str
    ca_file: Path | None = None
    """Authorities to trust in place of the system's."""


@dataclass(frozen=True, slots=True)
class Joining:
    """What a worker is asked for."""

    where: RedisSection | Engine
    """The server by which its engines share the fleet, or its only engine."""
    name: str
    directory: Path
    """Where programs work."""
    root: Path
    """The state directory."""
    agents_max: int = 0
    """0 = AGENTS_A_CORE for each core."""
    kinds: tuple[str, ...] = KINDS
    pools: tuple[str, ...] = ()
    labels: dict[str, str] = field(default_factory=dict)


def lacking_here() -> dict[str, str]:
    """Return the kinds of agents that this installation cannot run, and why."""
    lacking = {} if importlib.util.find_spec("httpx2") is not None else dict.fromkeys(BY_HTTP, "they need the package httpx2; install fleet-tui[openai]")
    if importlib.util.find_spec("wasmtime") is None:
        return {**lacking, BOOSTER: "they need the package wasmtime; install fleet-tui again"}
    try:
        find_module()
    except ModuleMissing as error:
        lacking[BOOSTER] = str(error)
    return lacking


async def run_worker(joining: Joining, over: asyncio.Event, say: Callable[[str], None]) -> None:
    """Be a host of the fleet until `over` is set. Raises FleetError that says what to do when the fleet cannot be joined."""
    try:
        await _run(joining, over, say)
    except BaseExceptionGroup as errors:
        found = next(errors_in(errors, FleetError), None)
        if found is None:
            raise
        raise found from errors


async def _run(joining: Joining, over: asyncio.Event, say: Callable[[str], None]) -> None:
    clock = FleetClock(SystemClock())
    ids = OrderedIds(clock, system_rng())
    run = ids.new(ENGINE_PREFIX)
    async with AsyncExitStack() as stack:
        way, keep_up = await _way_of(joining, run, clock.local, stack)
        host = await stack.enter_async_context(ProcessHost(joining.root, engine_id=run, clock=clock))
        offer = _offer(joining, run)
        hosting = Hosting(offer, way, clock, _written, say)
        config = parse_config({"booster": {"enabled": False}}, "worker")
        needs = Needs(config, clock, ids, joining.root, joining.directory, None, None, None, named=f"host {joining.name}")
        made = make_kinds(needs, host, hosting.report, lambda _host, _figures: None)
        kinds = {name: kind for name, kind in made.by_name.items() if name in joining.kinds}
        if BOOSTER in joining.kinds:
            kinds[BOOSTER] = hosted_booster(needs, find_module(), hosting.report)
        hosting.connect(kinds, partial(_show, joining.root / "logs", made), Programs(host, clock.local), made.others.let_go)
        async with asyncio.TaskGroup() as group:
            parts = [group.create_task(hosting.run(), name="hosting"), group.create_task(keep_up(), name="connection")]
            await hosting.joined(JOIN_WITHIN_S)
            await over.wait()
            await _leave(hosting)
            for part in parts:
                part.cancel()


async def _way_of(joining: Joining, run: str, clock: Clock, stack: AsyncExitStack) -> tuple[Way, Callable[[], Coroutine[object, object, None]]]:
    """Return the way to the fleet, which can be reached, and what keeps it up. Raises FleetError."""
    if isinstance(joining.where, Engine):
        from engine.api.hosts import EngineEnd

        end = EngineEnd(joining.where.address, Caller(via="api", version=version(), token=joining.where.token), run, clock, joining.where.ca_file)
        await end.check()
        return end, end.run
    from engine.redis.host_streams import HostEnd

    link = await open_link(joining.where, joining.root, clock, stack)
    assert link is not None, "the section is there"
    return HostEnd(link, joining.where.region, joining.name, run), link.run


async def _leave(hosting: Hosting) -> None:
    try:
        async with asyncio.timeout(LEAVE_WITHIN_S):
            await hosting.leave("its worker was stopped")
    except (TimeoutError, RedisAway, RedisRefused):
        logger.warning("the fleet could not be told that this host leaves; it will find out")


def _show(logs: Path, kinds: Kinds, task: TaskId, after: int, most: int) -> tuple[Part | None, Mapping[str, object] | None]:
    is_shown = most > 0 and Path(task).name == task  # an id, and no way to other files
    return read_part(log_path(logs, task), after, most) if is_shown else None, kinds.progress(task)


def _offer(joining: Joining, run: str) -> Offer:
    found = MachineFiles().measure()
    most = joining.agents_max or max(1, int(AGENTS_A_CORE * found.cores))
    joined = JoinedHost(
        run, platform.node(), version(), most, round(found.cores, 3), round(found.memory_mb),
        joining.kinds, joining.pools, joining.labels, _keys(os.environ),
    )  # fmt: skip
    pid = os.getpid()
    info = HostInfo(HostId(joining.name), JOINED, pid, read_start(pid) or 0.0, joined)
    return Offer(info, thousandths({CPU: found.cores, MEMORY: found.memory_mb}))


def _keys(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names of variables that have a key, by which pools are found that can work here."""
    names = (name for name, value in environment.items() if value and is_secret_name(name) and name not in OWN_KEYS and not name.startswith("FLEET_"))
    return tuple(sorted(names)[:KEYS_MAX])


def _written(report: Report) -> tuple[Report, bytes]:
    """Return a report that can be kept, with its JSON."""
    try:
        return report, wire.encode(report)
    except NOT_JSON:
        clean = repaired(report)
        return clean, wire.encode(clean)
