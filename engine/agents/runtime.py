"""What makes agents run: one `AgentKind` for each kind of pool, and the runtime that hands effects to them.

Owner: fleet.py makes it; the coordinator calls `carry_out` with effects whose events are in the journal.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from engine.model import effects as fx
from engine.model.agent_events import JOINED
from engine.model.agents import AgentSpec
from engine.model.effects import Assignment
from engine.model.ids import AgentId, HostId, TaskId
from engine.model.modules import USER_PREFIX, module_of
from engine.model.pools import PoolSpec
from engine.model.questions import Reply
from engine.model.reports import AgentsFailed, Report
from engine.model.tasks import HELD, Lease, Task
from engine.state import FleetState

logger = logging.getLogger(__name__)

CLEAR_CACHE = "clear_cache"
"""Word to workers that keep answers: forget them."""
INLINE_RESULT_MAX_BYTES = 2_048
"""A larger result (as JSON) is stored once by its hash in the artifacts table."""


@dataclass(frozen=True, slots=True)
class Artifact:
    """A large payload, stored once under the sha256 of its bytes."""

    id: str
    media: str
    data: bytes
    task: TaskId


@dataclass(frozen=True, slots=True)
class HostSample:
    """A measurement of one host. cpu is a ratio of one core since the last sample, rss in MB; -1 = unknown."""

    host: HostId
    kind: str
    pid: int
    agents: int
    beat_at: float
    cpu: float = -1.0
    rss_mb: float = -1.0


class Reporter(Protocol):
    """Takes reports to the coordinator; plain calls on the engine's loop, never blocks."""

    def __call__(self, report: Report, artifacts: Sequence[Artifact] = ()) -> None:
        """Hand over one report with the artifacts that its outcomes name."""
        ...


class AgentKind(Protocol):
    """One way of running agents. All methods but run() are plain calls on the engine's loop."""

    async def run(self) -> None:
        """Keep hosts alive until cancelled; on the way out no process of it is left."""
        ...

    def start(self, agents: Sequence[tuple[AgentSpec, PoolSpec]]) -> None:
        """Bring agents to life, or anew; answered by HostUp, AgentsUp or AgentsFailed."""
        ...

    def stop(self, agents: Sequence[AgentId]) -> None:
        """Forget agents; they run nothing any more."""
        ...

    def deliver(self, assignments: Sequence[Assignment]) -> None:
        """Begin tasks; answered by TasksBegan and TasksEnded, or HostDown when the host dies."""
        ...

    def stop_runs(self, runs: Sequence[tuple[TaskId, int]], *, grace_s: float | None = None) -> None:
        """Stop attempts in their processes; answered by TasksEnded with error_kind `stopped`, or HostDown.

        `grace_s` is the longest time for each step of that; None = as the pool says.
        """
        ...

    def answer(self, run: tuple[TaskId, int], ask: str, reply: Reply) -> None:
        """Tell an agent what it asked in an attempt; not answered. Kinds whose agents never ask do nothing."""
        ...

    def tell(self, word: str) -> None:
        """Tell all workers a word, if they listen; not answered."""
        ...

    def samples(self) -> Iterable[HostSample]:
        """Measure the hosts now; cheap, at most one read of /proc a host."""
        ...


class Runtime:
    """Hands effects to the kinds. Owner: nothing but which agent is of which kind; the state is read, never changed."""

    def __init__(
        self,
        state: Callable[[], FleetState],
        kinds: Mapping[str, AgentKind],
        report: Reporter,
    ) -> None:
        self._state = state
        self._kinds = kinds
        self._report = report
        self._kind_of: dict[AgentId, AgentKind] = {}
        if JOINED in kinds:  # what runs there has gone on while nobody led
            now = state()
            self._kind_of = {id_: kinds[JOINED] for id_, agent in now.agents.items() if agent.spec.machine in now.hosts}

    async def run(self) -> None:
        """Run every kind until cancelled."""
        async with asyncio.TaskGroup() as group:
            for name, kind in self._kinds.items():
                group.create_task(kind.run(), name=f"agents of kind {name}")

    def carry_out(self, effects: Sequence[fx.Effect]) -> None:
        """Begin effects; returns at once, outcomes come as reports."""
        for effect in effects:
            if isinstance(effect, fx.Deliver):
                self._deliver(effect.leases)
            elif isinstance(effect, fx.StartAgents):
                self._start(effect.agents)
            elif isinstance(effect, fx.StopAgents):
                self._stop(effect.agents)
            elif isinstance(effect, fx.StopRuns):
                self._stop_runs(effect)
            elif isinstance(effect, fx.GiveAnswer):
                self._answer(effect)
            else:
                self._tell(CLEAR_CACHE)

    def samples(self) -> list[HostSample]:
        """Measure every host now."""
        return [sample for kind in self._kinds.values() for sample in kind.samples()]

    def known(self) -> Collection[AgentId]:
        """Return the agents that the kinds were told to run."""
        return self._kind_of.keys()

    def forget(self, agents: Sequence[AgentId]) -> None:
        """Stop agents that the fleet does not have."""
        self._stop(tuple(agents))

    def _start(self, agents: Sequence[AgentId]) -> None:
        state = self._state()
        groups: dict[str, list[tuple[AgentSpec, PoolSpec]]] = {}
        for agent_id in agents:
            agent = state.agents.get(agent_id)
            if agent is not None:
                pool = state.pools[agent.spec.pool].spec
                groups.setdefault(JOINED if agent.spec.machine in state.hosts else pool.kind, []).append((agent.spec, pool))
        for kind_name, members in groups.items():
            kind = self._kinds.get(kind_name)
            ids = tuple(spec.id for spec, _ in members)
            if kind is None:
                self._report(AgentsFailed(ids, f"no agents of kind {kind_name!r} in this engine; `fleet-tui get plugins` says why if a plug-in adds it"))
                continue
            self._stop([id_ for id_ in ids if self._kind_of.get(id_, kind) is not kind])  # they ran elsewhere
            self._kind_of.update(dict.fromkeys(ids, kind))
            kind.start(members)

    def _stop(self, agents: Sequence[AgentId]) -> None:
        for agent_id in agents:
            kind = self._kind_of.pop(agent_id, None)
            if kind is not None:
                kind.stop((agent_id,))

    def _deliver(self, leases: Sequence[Lease]) -> None:
        tasks = self._state().tasks
        groups: dict[int, tuple[AgentKind, list[Assignment]]] = {}
        for lease in leases:
            kind = self._kind_of.get(lease.agent)
            task = tasks.get(lease.task)
            if kind is None or task is None or task.attempt != lease.token:
                continue  # its agent went before the commit ended; HostDown or the removal has returned the task
            groups.setdefault(id(kind), (kind, []))[1].append(self._assignment(task, lease))
        for kind, assignments in groups.values():
            kind.deliver(assignments)

    def _assignment(self, task: Task, lease: Lease) -> Assignment:
        spec = task.spec
        inputs: dict[str, object] = {}
        if spec.take_inputs:
            tasks = self._state().tasks  # all are there: a task is kept as long as one that depends on it may run
            inputs = {needed: _input_of(tasks[needed]) for needed in spec.depends_on}
        return Assignment(
            spec.id,
            lease.token,
            lease.agent,
            spec.type,
            spec.payload,
            spec.title,
            spec.timeout_s,
            spec.workspace,
            spec.apply,
            inputs,
            self._module_of(spec.type) if spec.type.startswith(USER_PREFIX) else "",
            spec.work,
            task.remote_task,
        )

    def _module_of(self, operation: str) -> str:
        module = module_of(self._state().modules, operation)
        return module.facts.sha256 if module is not None else ""

    def _answer(self, effect: fx.GiveAnswer) -> None:
        task = self._state().tasks.get(effect.task)
        kind = self._kind_of.get(task.agent) if task is not None and task.agent is not None else None
        if task is not None and kind is not None and task.attempt == effect.token:
            kind.answer((effect.task, effect.token), effect.ask, effect.reply)

    def _tell(self, word: str) -> None:
        for kind in self._kinds.values():
            kind.tell(word)

    def _stop_runs(self, effect: fx.StopRuns) -> None:
        tasks = self._state().tasks
        for task_id in effect.tasks:
            task = tasks.get(task_id)
            kind = self._kind_of.get(task.agent) if task is not None and task.agent is not None else None
            if task is not None and kind is not None and task.state in HELD:
                kind.stop_runs(((task_id, task.attempt),), grace_s=effect.grace_s)


def _input_of(task: Task) -> dict[str, object]:
    """Return what a task that takes inputs gets of one that it depends on."""
    return {"result": task.result, "artifact": task.artifact, "state": task.state}
