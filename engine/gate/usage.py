"""What agents use of cores and memory, of each and of each pool, measured once for all who ask: history, autoscaler, admission.

A light agent's is its part of its worker; a program's is that of its process and all its descendants, also of those that ended
between two looks, whose CPU seconds the kernel tells at their end.
Owner: `UsageMeter`, of the last look.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from engine.agents.processes.cgroups import Groups
from engine.agents.program_usage import ProgramSample, ProgramUsage, Use
from engine.agents.runtime import HostSample
from engine.agents.sessions.session import RUN_PREFIX
from engine.agents.stalls import Run
from engine.gate.programs_seen import Told
from engine.model.events import Record
from engine.model.ids import AgentId, HostId, TaskId
from engine.model.pools import A2A, COMMAND, OPENAI, PROGRAMS, SESSION, PoolSpec
from engine.model.task_events import TaskFailed, TasksSucceeded
from engine.model.tasks import Outcome
from engine.scaling.observer import Usage
from engine.state import FleetState, Touched

STALE_S = 6.0
"""A machine tells of its programs every 2 s: what is older than this is known as of then, and no more."""


@dataclass(frozen=True, slots=True)
class Used:
    """What was found at one look."""

    at: float = -1.0
    pools: Mapping[str, Usage] = field(default_factory=dict)
    agents: Mapping[AgentId, tuple[float | None, float]] = field(default_factory=dict)
    """Cores, None = not known, and megabytes of the agents that have a process of their own."""
    silences: Mapping[AgentId, float] = field(default_factory=dict)
    """Seconds since the last beat of the process of each agent, where processes beat."""
    programs: Mapping[str, float] = field(default_factory=dict)
    """Megabytes of each program that runs, with its descendants: by its task, or by its agent where that keeps it."""
    names: Mapping[str, str] = field(default_factory=dict)
    """What the process host calls each of them."""
    cpu_s: Mapping[str, float] = field(default_factory=dict)
    """Seconds that each of them used since it began, by that name; those on other machines included."""
    quiet_s: Mapping[str, float] = field(default_factory=dict)
    """For how long those on other machines have said nothing, as far as that is known now."""
    stale: Mapping[AgentId, Told] = field(default_factory=dict)
    """Those on machines that have said nothing for a while; they are not among `agents`."""

    def told(self) -> dict[AgentId, Told]:
        """Return what people are told of agents that have a process of their own."""
        return {**{id_: (cores, rss_mb, 0.0) for id_, (cores, rss_mb) in self.agents.items()}, **self.stale}


class UsageMeter:
    """Looks at hosts and programs."""

    def __init__(self, state: Callable[[], FleetState]) -> None:
        self._state = state
        self._programs = ProgramUsage()
        self._ended: dict[str, float] = {}
        """Pool -> CPU seconds since the last look of programs that have ended."""
        self.used = Used()

    def publish(self, records: Sequence[Record], touched: Touched) -> None:  # noqa: ARG002  # a publisher gets both
        """Count what programs used that have ended."""
        for record in records:
            event = record.event
            if isinstance(event, TasksSucceeded):
                for outcome in event.outcomes:
                    self._count(outcome)
            elif isinstance(event, TaskFailed):
                self._count(event.outcome)

    def _count(self, outcome: Outcome) -> None:
        task = self._state().tasks.get(outcome.task) if outcome.usage else None
        if task is None:
            return
        cpu_s = self._programs.unseen(f"{outcome.task}.{outcome.token}", outcome.usage.get("cpu_s", 0.0), outcome.started_at)
        self._ended[task.spec.pool] = self._ended.get(task.spec.pool, 0.0) + cpu_s

    def follow(self, groups: Groups) -> None:
        """Have programs in control groups measured by them, and held to what their pools allow."""
        self._programs.measure, groups.pool_of = groups.measure, self._pool_of

    def _pool_of(self, run: str) -> PoolSpec | None:
        state = self._state()
        pool = state.pools.get(_owner(state, run)[1])
        return pool.spec if pool is not None else None

    def look(self, samples: Sequence[HostSample], programs: Mapping[str, int], now: float, elsewhere: Sequence[ProgramSample] = ()) -> None:
        """Take new measurements of hosts, and look at programs: runs by `task.attempt`, or `session.agent.start`, with their process ids.

        `elsewhere` are those that other machines have measured: they count for agents and pools, and not for what this machine has.
        """
        state = self._state()
        by_host = {sample.host: sample for sample in samples}
        pools = usage_by_pool(state, by_host)
        agents: dict[AgentId, tuple[float | None, float]] = {}
        for host in state.hosts.values():
            sample = by_host.get(host.info.id)
            if len(host.agents) == 1 and sample is not None and sample.cpu >= 0:
                agents[next(iter(host.agents))] = (sample.cpu, sample.rss_mb)
        elapsed_s = now - self.used.at if self.used.at >= 0 else 0.0
        by_pool: dict[str, list[Use]] = {pool.spec.name: [] for pool in state.pools.values() if pool.spec.kind in PROGRAMS}
        running: dict[str, float] = {}
        names: dict[str, str] = {}
        fresh = [one for one in elsewhere if now - one.at < STALE_S]
        for run, use in self._programs.look(programs, now, fresh).items():
            id_, pool_name, agent = _owner(state, run)
            if not id_:
                continue
            if run in programs:
                running[id_], names[id_] = use.rss_mb, run
            by_pool.setdefault(pool_name, []).append(use)
            if agent is not None:
                agents[agent] = use
        for pool, found in by_pool.items():
            ended = self._ended.get(pool, 0.0) / elapsed_s if elapsed_s > 0 else None
            pools[pool] = Usage(_sum([ended, *(use.cores for use in found)]), sum(use.rss_mb for use in found))
        self._ended.clear()
        stale: dict[AgentId, Told] = {}
        for one in elsewhere:
            _, pool, agent = _owner(state, one.name)
            if now - one.at >= STALE_S and agent is not None:
                stale[agent] = (one.cores, one.rss_mb, one.at)
                pools.pop(pool, None)
        quiet = {one.name: one.quiet_s + max(0.0, now - one.at) for one in fresh}
        self.used = Used(now, pools, agents, _silences(state, by_host, now), running, names, self._programs.cpu_s(), quiet, stale)


    def runs(self, quiet: Mapping[str, float]) -> dict[str, Run]:
        """Return the programs of agents as they were at the last look, by the process host's name; `quiet` = how long each of this machine said nothing."""
        state, found = self._state(), {}
        quiet = {**self.used.quiet_s, **quiet}
        for name, cpu_s in self.used.cpu_s.items():
            _, _, agent = _owner(state, name)
            if agent is not None and name in quiet:
                found[name] = Run(name, agent, cpu_s, quiet[name])
        return found


def _owner(state: FleetState, run: str) -> tuple[str, str, AgentId | None]:
    """Return by what id a run goes, its pool and its agent; an empty id = it is nobody's any more."""
    name = run.rpartition(".")[0]
    if (agent := state.agents.get(AgentId(name.removeprefix(RUN_PREFIX)))) is not None:
        return agent.spec.id, agent.spec.pool, agent.spec.id
    task = state.tasks.get(TaskId(name))
    return (task.spec.id, task.spec.pool, task.agent) if task is not None else ("", "", None)


def _silences(state: FleetState, samples: Mapping[HostId, HostSample], now: float) -> dict[AgentId, float]:
    """Return how long ago the process of each agent beat; programs do not, the engine itself answers for their host."""
    found: dict[AgentId, float] = {}
    for host in state.hosts.values():
        sample = samples.get(host.info.id)
        if sample is not None and sample.beat_at and sample.kind not in (A2A, COMMAND, SESSION, OPENAI):
            found.update(dict.fromkeys(host.agents, max(0.0, now - sample.beat_at)))
    return found


def _sum(parts: Sequence[float | None]) -> float | None:
    known = [part for part in parts if part is not None]
    return sum(known) if len(known) == len(parts) else None


def usage_by_pool(state: FleetState, samples: Mapping[HostId, HostSample]) -> dict[str, Usage]:
    """Return what the agents of each pool use: a host's cores and memory count for the pools of its agents.

    Cores are shared by the agents that work, memory by all of them; a host that was not measured leaves its pools unknown.
    """
    cores: dict[str, float] = {}
    memory: dict[str, float] = {}
    unknown: set[str] = set()
    for host in state.hosts.values():
        agents = [state.agents[agent_id] for agent_id in host.agents]
        sample = samples.get(host.info.id)
        if sample is None or sample.cpu < 0:
            unknown.update(agent.spec.pool for agent in agents)
            continue
        working = [agent for agent in agents if agent.task is not None or agent.allocation is not None]
        for agent in working:
            cores[agent.spec.pool] = cores.get(agent.spec.pool, 0.0) + sample.cpu / len(working)
        for agent in agents:
            memory[agent.spec.pool] = memory.get(agent.spec.pool, 0.0) + max(0.0, sample.rss_mb) / len(agents)
    return {pool: Usage(cores.get(pool, 0.0), used) for pool, used in memory.items() if pool not in unknown}
