"""The kind `python`: light agents, many to a worker process, kept alive and given work.

Owner: which agent is on which worker. An agent asked for before a worker is ready waits for one; their number is the
only bound on those that wait, and it is the fleet's own.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from engine.agents.light.process import Spawn
from engine.agents.light.worker_host import KIND, LightSettings, Surroundings, WorkerHost
from engine.agents.processes.process_table import ENGINE_PID, ENGINE_STATE, read_start
from engine.agents.runtime import HostSample, Reporter
from engine.clock import Clock, IdFactory
from engine.model.agents import AgentSpec
from engine.model.effects import Assignment
from engine.model.events import HostInfo
from engine.model.ids import HOST_PREFIX, AgentId, HostId, TaskId
from engine.model.pools import PoolSpec
from engine.model.reports import AgentsFailed, AgentsUp, HostDown, HostUp

__all__ = ["LightAgents", "LightSettings"]

logger = logging.getLogger(__name__)

LOOK_MAX_S = 0.25
"""Longest time between two looks at the workers; an attempt that does not stop lives at most so much longer."""
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
        python: str = sys.executable,
    ) -> None:
        self._report = report
        self._ids = ids
        self._clock = clock
        self._settings = settings
        self._around = Surroundings(report, clock, settings, self._host_ready)
        self._python = python
        self._log_dir = log_dir
        own_pid = os.getpid()
        self._environment = {ENGINE_STATE: state_marker, ENGINE_PID: f"{own_pid}:{read_start(own_pid)}"} if state_marker else {}
        self._hosts: list[WorkerHost] = []
        self._handlers: dict[AgentId, str] = {}
        """Every agent that it knows -> the handler of its pool."""
        self._host_of: dict[AgentId, WorkerHost] = {}
        self._waiting: dict[AgentId, None] = {}
        """Agents without a host."""
        self._failed_starts = 0
        self._broken = ""
        """Why no worker starts; empty = nothing is known against it."""

    async def run(self) -> None:
        """Keep workers alive until cancelled; on the way out they are ended and reaped."""
        async with asyncio.TaskGroup() as group:
            for slot in range(self._settings.workers or count_cores()):
                group.create_task(self._keep_worker(slot), name=f"light worker {slot}")
            group.create_task(self._watch(), name="watch over light workers")

    def start(self, agents: Sequence[tuple[AgentSpec, PoolSpec]]) -> None:
        """Bring agents to life on the least loaded worker; those on a ready one are up at once."""
        for spec, pool in agents:
            self._handlers[spec.id] = pool.handler
            if spec.id not in self._host_of:
                self._waiting[spec.id] = None
        self._spread()
        up: dict[WorkerHost, list[AgentId]] = {}
        for spec, _ in agents:
            host = self._host_of.get(spec.id)
            if host is not None and host.is_ready:
                up.setdefault(host, []).append(spec.id)
        for host, ids in up.items():
            self._report(AgentsUp(known_id(host), tuple(ids)))
        if self._broken:
            self._report_broken([spec.id for spec, _ in agents if spec.id in self._waiting])

    def stop(self, agents: Sequence[AgentId]) -> None:
        """Forget agents."""
        for agent in agents:
            self._handlers.pop(agent, None)
            self._waiting.pop(agent, None)
            host = self._host_of.pop(agent, None)
            if host is not None:
                del host.agents[agent]

    def deliver(self, assignments: Sequence[Assignment]) -> None:
        """Begin tasks; those of agents whose worker is gone are left to its HostDown."""
        work: dict[WorkerHost, list[tuple[Assignment, str]]] = {}
        for assignment in assignments:
            host = self._host_of.get(assignment.agent)
            if host is not None and host.is_ready:
                work.setdefault(host, []).append((assignment, self._handlers[assignment.agent]))
        for host, share in work.items():
            host.deliver(share)

    def stop_runs(self, runs: Sequence[tuple[TaskId, int]]) -> None:
        """Stop attempts; one that does not stop in time takes its worker with it."""
        for host in self._hosts:
            host.stop_runs(runs)

    def samples(self) -> Iterable[HostSample]:
        """Measure the workers now."""
        now = self._clock.now()
        return [sample for host in self._hosts if (sample := host.sample(now)) is not None]

    # ---- workers

    async def _keep_worker(self, slot: int) -> None:
        """Keep one worker alive: replace it at once the first time, then after growing waits."""
        log_path = self._log_dir / f"light-{slot}.log" if self._log_dir is not None else None
        spawn = Spawn(self._python, self._environment, self._settings.heartbeat_interval_s, log_path)
        deaths = 0
        while True:
            host = WorkerHost(self._around)
            self._hosts.append(host)
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
        if host.is_ready:
            logger.warning("light worker lost", extra={"host": host.id, "reason": reason, "agents": len(host.agents)})
            self._report(HostDown(known_id(host), reason))
            for agent in host.agents:
                del self._handlers[agent]  # it is asked for anew
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
        self._spread()

    def _report_broken(self, agents: Sequence[AgentId]) -> None:
        if agents:
            self._report(AgentsFailed(tuple(agents), self._broken))

    def _host_ready(self, host: WorkerHost) -> None:
        assert host.process is not None, "it has just told that it is ready"
        host.id = HostId(self._ids.new(HOST_PREFIX))
        self._failed_starts, self._broken = 0, ""
        before = list(self._waiting)
        self._spread()
        info = HostInfo(host.id, KIND, host.process.pid, host.process.started)
        self._report(HostUp(info, tuple(host.agents)))
        for other in self._hosts:
            moved = tuple(agent for agent in before if self._host_of.get(agent) is other) if other is not host and other.is_ready else ()
            if moved:
                self._report(AgentsUp(known_id(other), moved))

    def _spread(self) -> None:
        """Put waiting agents on the least loaded workers, as soon as there is any that lives."""
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
