"""Light agents with real workers for the tests: start them, give them work, wait for reports."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

from engine.agents.joined.hosting import FleetClock
from engine.agents.light.host import LightAgents, LightSettings
from engine.agents.liveness import read_usage
from engine.agents.runtime import Artifact, HostSample
from engine.clock import OrderedIds, SystemClock, system_rng
from engine.model.agents import AgentSpec
from engine.model.effects import Assignment
from engine.model.ids import AgentId, HostId, TaskId
from engine.model.pools import PoolSpec
from engine.model.reports import (
    AgentsUp,
    HealthSeen,
    HostDown,
    HostUp,
    Report,
    TasksBegan,
    TasksEnded,
)
from engine.model.tasks import Outcome

from tests.integration.processes import is_gone

HANDLERS = "tests.integration.light_handlers"
WAIT_S = 60.0


def cpu_of(pid: int) -> float:
    """Return the CPU seconds of a process so far; 0 when it has gone."""
    usage = read_usage(pid)
    return usage.cpu_s if usage else 0.0


class Rig:
    """Light agents, what they reported, and a small stand-in for the coordinator."""

    def __init__(self, settings: LightSettings, **options) -> None:
        self.clock = FleetClock(SystemClock())
        self.reports: list[Report] = []
        self.artifacts: dict[str, Artifact] = {}
        self.outcomes: dict[tuple[str, int], Outcome] = {}
        self.began: dict[tuple[str, int], float] = {}
        self.where: dict[AgentId, HostId] = {}
        self.pids: dict[HostId, int] = {}
        self.light = LightAgents(self._take, OrderedIds(self.clock, system_rng(1)), self.clock, settings, **options)
        self._news = asyncio.Event()
        self._numbers = itertools.count(1)
        self._specs: dict[AgentId, tuple[AgentSpec, PoolSpec]] = {}

    def _take(self, report: Report, artifacts: Sequence[Artifact] = ()) -> None:
        self.reports.append(report)
        self.artifacts.update((one.id, one) for one in artifacts)
        if isinstance(report, HostUp):
            self.pids[report.host.id] = report.host.pid
            self.where.update(dict.fromkeys(report.agents, report.host.id))
        elif isinstance(report, AgentsUp):
            assert report.host in self.pids, "agents are up on a host that was never reported"
            self.where.update(dict.fromkeys(report.agents, report.host))
        elif isinstance(report, HostDown):
            self._lose(report.host)
        elif isinstance(report, TasksBegan):
            self.began.update({(task, token): at for task, token, at in report.tasks})
        elif isinstance(report, TasksEnded):
            for outcome in report.outcomes:
                assert (outcome.task, outcome.token) not in self.outcomes, "an attempt ended twice"
                self.outcomes[outcome.task, outcome.token] = outcome
        self._news.set()

    def _lose(self, host: HostId) -> None:
        """Do as the coordinator does: ask for the agents anew, later."""
        lost = [agent for agent, place in self.where.items() if place == host]
        for agent in lost:
            del self.where[agent]
        asyncio.get_running_loop().call_soon(self.light.start, [self._specs[agent] for agent in lost])

    async def until(self, condition: Callable[[], object], what: str = "") -> None:
        """Wait until a report makes the condition true; fails after WAIT_S."""
        try:
            async with asyncio.timeout(WAIT_S):
                while not condition():
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise AssertionError(f"{what or condition} did not come; last reports: {self.reports[-5:]}") from None

    async def start(self, count: int = 1, handler: str = "") -> list[AgentId]:
        """Start agents and wait until they are up."""
        pool = PoolSpec("p", 1, count, handler=f"{HANDLERS}:{handler}" if handler else "")
        ids = [AgentId(f"agt_{next(self._numbers):05d}") for _ in range(count)]
        self._specs.update((one, (AgentSpec(one, one, "p"), pool)) for one in ids)
        self.light.start([self._specs[one] for one in ids])
        await self.until(lambda: all(one in self.where for one in ids), "agents up")
        return ids

    async def warm_up(self, agents: Sequence[AgentId]) -> None:
        """Have the workers of agents import the handlers, so that the next task starts at once."""
        for agent in agents:
            spec, pool = self._specs[agent]
            self.light.start([(spec, replace(pool, handler=f"{HANDLERS}:give_list"))])
            assert (await self.run(agent)).ok
            self.light.start([(spec, pool)])

    def give(self, agent: AgentId, type_: str = "t", payload: dict[str, object] | None = None, **more) -> tuple[TaskId, int]:
        """Deliver one task; return its key."""
        task = TaskId(f"tsk_{next(self._numbers):05d}")
        self.light.deliver([Assignment(task, 1, agent, type_, payload or {}, **more)])
        return task, 1

    async def outcome(self, key: tuple[TaskId, int]) -> Outcome:
        """Wait for the end of an attempt."""
        await self.until(lambda: key in self.outcomes, f"the end of {key}")
        return self.outcomes[key]

    async def run(self, agent: AgentId, type_: str = "t", payload: dict[str, object] | None = None, **more) -> Outcome:
        """Run one task to its end."""
        return await self.outcome(self.give(agent, type_, payload, **more))

    async def has_begun(self, key: tuple[TaskId, int]) -> None:
        """Wait until an attempt is reported to run."""
        await self.until(lambda: key in self.began, f"the beginning of {key}")

    def pid_of(self, agent: AgentId) -> int:
        """Return the process that carries an agent."""
        return self.pids[self.where[agent]]

    def of(self, kind: type) -> list:
        """Return the reports of a kind."""
        return [report for report in self.reports if isinstance(report, kind)]

    def healths(self) -> list[tuple[str, str]]:
        """Return what was said of health."""
        return [(report.health.value, report.evidence) for report in self.of(HealthSeen)]

    def samples(self) -> list[HostSample]:
        """Measure the hosts."""
        return list(self.light.samples())


@asynccontextmanager
async def open_light(workers: int = 1, *, options: dict | None = None, **settings) -> AsyncIterator[Rig]:
    """Run light agents; on the way out no worker may be left."""
    settings = {"heartbeat_interval_s": 0.2, "stop_grace_s": 0.5, **settings}
    rig = Rig(LightSettings(workers=workers, **settings), **(options or {}))
    running = asyncio.get_running_loop().create_task(rig.light.run())
    try:
        yield rig
    finally:
        for pid in rig.pids.values():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
    assert all(is_gone(pid) for pid in rig.pids.values()), "a worker outlived its engine"
