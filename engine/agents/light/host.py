"""The kind `python`: light agents, many to a worker process, kept alive and given work.

Owner: which agent is on which worker. An agent asked for before a worker is ready waits for one; their number is the
only bound on those that wait, and it is the fleet's own.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from engine.agents.light.process import Spawn
from engine.agents.light.resident import LEFT
from engine.agents.light.worker_host import LightSettings, Surroundings, WorkerHost
from engine.agents.processes.process_table import ENGINE_PID, ENGINE_STATE, read_start
from engine.agents.runtime import HostSample, Reporter
from engine.clock import Clock, IdFactory
from engine.model.acting import NOBODY, SOCKET_VARIABLE, VARIABLE
from engine.model.agent_events import HostInfo
from engine.model.agents import AgentSpec
from engine.model.effects import Assignment
from engine.model.ids import HOST_PREFIX, AgentId, HostId, TaskId
from engine.model.pools import PoolSpec
from engine.model.questions import Reply
from engine.model.reports import AgentsFailed, AgentsUp, HostDown, HostUp

__all__ = ["LightAgents", "LightSettings"]

logger = logging.getLogger(__name__)

LOOK_MAX_S = 0.25
"""Longest time between two looks at the workers; an attempt that does not stop lives at most so much longer."""
FAILED_IMPORTS_MAX = 3
"""Workers in a row that do not survive the import of a handler, after which it is not tried again by itself."""
FAILED_STARTS_MAX = 3
"""Workers that end before they are ready, in a row, after which waiting agents are reported as failed."""


class LightAgents:
    """Runs light agents."""

    def __init__(  # noqa: PLR0913  # what it reports to, lives by, and where it leaves traces
        self,
        report: Reporter,
        ids: IdFactory,
        clock: Clock,
        settings: LightSettings,
        *,
        state_marker: str = "",
        log_dir: Path | None = None,
        directory: Path | None = None,
        python: str = sys.executable,
        figures: Callable[[HostId, dict[str, object] | None], None] | None = None,
    ) -> None:
        self._report = report
        self._ids = ids
        self._clock = clock
        self._settings = settings
        self._around = Surroundings(report, clock, settings, self._host_ready, self._handler_loaded, figures)
        self._python = python
        self._log_dir = log_dir
        self._directory = directory
        own_pid = os.getpid()
        self._environment = {ENGINE_STATE: state_marker, ENGINE_PID: f"{own_pid}:{read_start(own_pid)}"} if state_marker else {}
        if settings.socket is not None:
            self._environment |= {SOCKET_VARIABLE: str(settings.socket), VARIABLE: NOBODY}
        self._hosts: list[WorkerHost] = []
        self._handlers: dict[AgentId, str] = {}
        """Every agent that it knows -> the handler of its pool."""
        self._host_of: dict[AgentId, WorkerHost] = {}
        self._waiting: dict[AgentId, None] = {}
        """Agents without a host."""
        self._failed_starts = 0
        self._blames: dict[str, int] = {}
        """Handler -> workers that did not survive its import, in a row."""
        self._blamed: dict[str, str] = {}
        """Handler -> what was said of the last of these."""
        self._failed: set[AgentId] = set()
        """Agents reported as failed for their handler."""
        self._wanted = [asyncio.Event() for _ in range(settings.workers or count_cores())]
        """Whether so many workers are wanted: all at once, or of those with a resident, which are heavy, no more than agents."""
        self._begun = 0
        """Workers that were started, be it long ago."""
        self._broken = ""
        """Why no worker starts; empty = nothing is known against it."""

    async def run(self) -> None:
        """Keep workers alive until cancelled; on the way out they are ended and reaped."""
        self._want_workers()
        async with asyncio.TaskGroup() as group:
            for slot in range(len(self._wanted)):
                group.create_task(self._keep_worker(slot), name=f"light worker {slot}")
            group.create_task(self._watch(), name="watch over light workers")

    def start(self, agents: Sequence[tuple[AgentSpec, PoolSpec]]) -> None:
        """Bring agents to life on the least loaded worker; those on a ready one are up at once."""
        for spec, pool in agents:
            self._handlers[spec.id] = pool.handler
            if spec.id not in self._host_of:
                self._waiting[spec.id] = None
        self._want_workers()
        asked = [spec.id for spec, _ in agents]
        self._forgive_handlers(asked)
        self._settle(asked)
        if self._broken:
            self._report_broken([spec.id for spec, _ in agents if spec.id in self._waiting])

    def stop(self, agents: Sequence[AgentId]) -> None:
        """Forget agents."""
        for agent in agents:
            self._handlers.pop(agent, None)
            self._waiting.pop(agent, None)
            self._failed.discard(agent)
            host = self._host_of.pop(agent, None)
            if host is not None:
                del host.agents[agent]
                if self._settings.resident and host.process is not None:
                    host.process.link.send_word(f"{LEFT}{agent}")

    def deliver(self, assignments: Sequence[Assignment]) -> None:
        """Begin tasks; those of agents whose worker is gone are left to its HostDown."""
        work: dict[WorkerHost, list[tuple[Assignment, str]]] = {}
        for assignment in assignments:
            host = self._host_of.get(assignment.agent)
            if host is not None and host.is_ready:
                handler = self._handlers[assignment.agent] or self._settings.operations.get(assignment.type, "")
                work.setdefault(host, []).append((assignment, handler))
        for host, share in work.items():
            host.deliver(share)

    def stop_runs(self, runs: Sequence[tuple[TaskId, int]], *, grace_s: float | None = None) -> None:
        """Stop attempts; one that does not stop in time takes its worker with it."""
        for host in self._hosts:
            host.stop_runs(runs, grace_s=grace_s)

    def answer(self, run: tuple[TaskId, int], ask: str, reply: Reply) -> None:
        """Light agents ask nothing."""

    def tell(self, word: str) -> None:
        """Tell the residents of all workers a word."""
        for host in self._hosts:
            if host.is_ready and host.process is not None:
                host.process.link.send_word(word)

    def samples(self) -> Iterable[HostSample]:
        """Measure the workers now."""
        now = self._clock.now()
        return [sample for host in self._hosts if (sample := host.sample(now)) is not None]

    # ---- workers

    def _want_workers(self) -> None:
        for event in self._wanted[: len(self._handlers)] if self._settings.resident else self._wanted:
            event.set()

    async def _keep_worker(self, slot: int) -> None:
        """Keep one worker alive once it is wanted: replace it at once the first time, then after growing waits."""
        await self._wanted[slot].wait()
        self._begun += 1
        settings = self._settings
        name = settings.kind if settings.resident else "light"
        log_path = self._log_dir / f"{name}-{slot}.log" if self._log_dir is not None else None
        spawn = Spawn(
            self._python,
            self._environment,
            settings.heartbeat_interval_s,
            log_path,
            settings.resident,
            settings.resident_options,
            self._directory,
            settings.withheld,
        )
        deaths = 0
        while True:
            host = WorkerHost(self._around)
            self._hosts.append(host)
            if self._waiting:
                self._settle(list(self._waiting))
            try:
                reason = await host.run(spawn)
            finally:
                self._hosts.remove(host)
            self._note_end(host, reason)
            lived_long = host.is_ready and self._clock.now() - host.ready_at >= self._settings.respawn_max_s
            deaths = 1 if lived_long else deaths + 1
            if deaths > 1:
                await self._clock.sleep(min(self._settings.respawn_max_s, self._settings.respawn_first_s * 2.0 ** min(deaths - 2, 16)))

    def _note_end(self, host: WorkerHost, reason: str) -> None:
        for agent in host.agents:
            del self._host_of[agent]
        if host.imports.current:
            self._blame_handler(host.imports.current, reason)
        if host.is_ready:
            logger.warning("light worker lost", extra={"host": host.id, "reason": reason, "agents": len(host.agents)})
            self._report(HostDown(known_id(host), reason))
            importing = {agent: None for agent in host.agents if not host.imports.has(self._handlers[agent]) and agent not in self._failed}
            for agent in host.agents:
                if agent not in importing:
                    del self._handlers[agent]  # it is asked for anew
            self._waiting.update(importing)
            self._settle(list(importing))
            return
        self._waiting.update(host.agents)
        last_line = host.log_tail.rpartition("\n")[2]
        logger.error("light worker does not start", extra={"reason": reason, "output": last_line})
        self._failed_starts += 1
        if self._failed_starts >= FAILED_STARTS_MAX and not any(other.is_ready for other in self._hosts):
            is_new = not self._broken
            self._broken = f"workers do not start: {reason}{f' ({last_line})' if last_line else ''}"
            if is_new:
                self._report_broken(list(self._handlers))
        self._settle(list(host.agents))

    def _report_broken(self, agents: Sequence[AgentId]) -> None:
        if agents:
            self._report(AgentsFailed(tuple(agents), self._broken))

    def _host_ready(self, host: WorkerHost) -> None:
        assert host.process is not None, "it has just told that it is ready"
        host.id = HostId(self._ids.new(HOST_PREFIX))
        self._failed_starts, self._broken = 0, ""
        before = list(self._waiting)
        self._spread()
        info = HostInfo(host.id, self._settings.kind, host.process.pid, host.process.started)
        up = self._prepared(dict.fromkeys([*host.agents, *before]))
        self._report(HostUp(info, tuple(up.pop(host, ()))))
        for other, moved in up.items():
            self._report(AgentsUp(known_id(other), tuple(moved)))

    # ---- handlers

    def _prepared(self, agents: Iterable[AgentId]) -> dict[WorkerHost, list[AgentId]]:
        """Return which agents can work now, by worker; the handlers of the others on ready workers are imported first."""
        up: dict[WorkerHost, list[AgentId]] = {}
        for agent in agents:
            host = self._host_of.get(agent)
            if host is None or not host.is_ready:
                continue
            handler = self._handlers[agent]
            if self._blames.get(handler, 0) >= FAILED_IMPORTS_MAX:
                self._report_handler((agent,), self._blamed[handler])
            elif host.prepare(handler):
                up.setdefault(host, []).append(agent)
        return up

    def _handler_loaded(self, host: WorkerHost, handler: str, error: str) -> None:
        agents = tuple(agent for agent in host.agents if self._handlers[agent] == handler)
        if error:
            self._report_handler(agents, error)
            return
        self._blames.pop(handler, None)
        if agents:
            self._report(AgentsUp(known_id(host), agents))

    def _blame_handler(self, handler: str, reason: str) -> None:
        """Take note of a handler whose import a worker did not survive; too often, and it is not tried again."""
        self._blames[handler] = self._blames.get(handler, 0) + 1
        self._blamed[handler] = f"cannot import the handler {handler!r}: {reason}"

    def _forgive_handlers(self, agents: Sequence[AgentId]) -> None:
        """Forgive handlers whose agents are asked for again after they were told of as failed."""
        for agent in agents:
            if agent in self._failed:
                self._failed.discard(agent)
                self._blames.pop(self._handlers[agent], None)

    def _report_handler(self, agents: tuple[AgentId, ...], error: str) -> None:
        self._failed.update(agents)
        if agents:
            self._report(AgentsFailed(agents, f"{error}; correct its pool's handler, then restart its agents"))

    # ---- places

    def _settle(self, agents: Sequence[AgentId]) -> None:
        """Find places for agents that wait, and report those of some that can work now."""
        self._spread()
        for host, ids in self._prepared(agents).items():
            self._report(AgentsUp(known_id(host), tuple(ids)))

    def _spread(self) -> None:
        """Put waiting agents on the least loaded workers, as soon as there is any that lives and none is about to be started."""
        if self._begun < sum(event.is_set() for event in self._wanted):
            return
        living = [host for host in self._hosts if not host.is_dying]
        if not living or not any(host.is_ready for host in living):
            return
        for agent in self._waiting:
            host = min(living, key=lambda one: len(one.agents))
            host.agents[agent] = None
            self._host_of[agent] = host
        self._waiting.clear()

    async def _watch(self) -> None:
        """Look after the workers; judge nothing when the engine itself was late."""
        interval_s = self._settings.heartbeat_interval_s
        period_s = min(interval_s / 2, LOOK_MAX_S)
        while True:
            before = self._clock.now()
            await self._clock.sleep(period_s)
            now = self._clock.now()
            for host in tuple(self._hosts):
                host.look(now, on_time=now - before - period_s < interval_s / 2)


def known_id(host: WorkerHost) -> HostId:
    """Return the id of a host that is ready."""
    assert host.id is not None, "only a ready host has an id"
    return host.id


def count_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
