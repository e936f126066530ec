"""Agents of kind `session`: what starts, stops and delivers to them, as `AgentKind` asks for it.

Owner: the sessions, at most one an agent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

from engine.agents.commands import CommandPlaces
from engine.agents.processes.child_process import ProcessHost
from engine.agents.runtime import HostSample, Reporter
from engine.agents.sessions.conversations import FOLDER, Conversations
from engine.agents.sessions.protocols import PROTOCOLS
from engine.agents.sessions.session import Means, Session
from engine.agents.sessions.starting import StartGate
from engine.agents.spawned_host import SpawnedHost, is_program
from engine.clock import Clock, IdFactory
from engine.model.agents import AgentSpec
from engine.model.effects import Assignment
from engine.model.ids import AgentId, TaskId
from engine.model.pools import PoolSpec, SessionSpec
from engine.model.questions import Reply
from engine.model.reports import AgentsFailed, TasksEnded
from engine.model.tasks import Outcome


class SessionAgents:
    """Runs sessions."""

    def __init__(self, report: Reporter, host: ProcessHost, ids: IdFactory, clock: Clock, places: CommandPlaces, starts_per_s: float = 0.0) -> None:  # noqa: PLR0913  # what a kind is made from
        self._report = report
        self._means = Means(host, report, clock, places, Conversations(places.logs.parent / FOLDER), StartGate(clock, starts_per_s))
        self._carrier = SpawnedHost("session", report, host, ids, clock)
        self._known: dict[AgentId, tuple[AgentSpec, SessionSpec]] = {}
        self._sessions: dict[AgentId, Session] = {}
        """Of the agents that had a task."""
        self._begun: asyncio.Queue[Session] = asyncio.Queue()

    async def run(self) -> None:
        """Run sessions until cancelled; their processes are then stopped."""
        async with asyncio.TaskGroup() as group:
            while True:
                session = await self._begun.get()
                group.create_task(session.run(), name="session")

    def start(self, agents: Sequence[tuple[AgentSpec, PoolSpec]]) -> None:
        """Make agents ready; a program that is not there fails them with the reason. Processes start with the first task."""
        ready: list[AgentId] = []
        failed: dict[str, list[AgentId]] = {}
        for agent, pool in agents:
            self._leave(agent.id)
            spec = pool.session
            if spec is None:
                failed.setdefault(f"pool {pool.name} names no session", []).append(agent.id)
            elif not is_program(program := PROTOCOLS[spec.protocol].command(spec.argv, "")[0], spec.env):
                reason = f"{program!r} is no program on PATH; correct pools.{pool.name}.session.argv and restart the agents"
                failed.setdefault(reason, []).append(agent.id)
            else:
                self._known[agent.id] = (agent, spec)
                ready.append(agent.id)
        for reason, ids in failed.items():
            self._report(AgentsFailed(tuple(ids), reason))
        if ready:
            self._carrier.carry(ready)

    def stop(self, agents: Sequence[AgentId]) -> None:
        """Forget agents; their processes are told good-bye."""
        for agent in agents:
            self._known.pop(agent, None)
            self._leave(agent)

    def deliver(self, assignments: Sequence[Assignment]) -> None:
        """Begin tasks."""
        for assignment in assignments:
            session = self._session(assignment.agent)
            if session is None:
                lost = Outcome(assignment.task, assignment.token, ok=False, error_kind="agent_lost", error="its agent has left")
                self._report(TasksEnded((lost,)))
            else:
                session.begin(assignment)

    def stop_runs(self, runs: Sequence[tuple[TaskId, int]], *, grace_s: float | None = None) -> None:
        """Have attempts stopped: the agent is asked to end its turn; its process is stopped when it does not."""
        for run in runs:
            for session in self._sessions.values():
                session.stop(run, grace_s=grace_s)

    def answer(self, run: tuple[TaskId, int], ask: str, reply: Reply) -> None:
        """Tell an agent what it asked."""
        for session in self._sessions.values():
            session.answer(run, ask, reply)

    def tell(self, word: str) -> None:
        """Programs are told nothing."""

    def progress(self, task: TaskId) -> dict[str, object] | None:
        """Return what the agent of a task said last of how far it is, and when; None = nothing, or it is not at work here."""
        turns = (session.turn for session in self._sessions.values())
        seen = next((turn.seen for turn in turns if turn is not None and turn.assignment.task == task), None)
        if seen is None:
            return None
        said = seen.progress
        return {"text": said.text, "ratio": said.ratio, "evidence": said.evidence, "at": seen.at, "trouble": seen.trouble}

    def rest(self) -> None:
        """End the process that has waited for a task for longest, if there is one: others wait for its memory."""
        idle = {since: session for session in self._sessions.values() if (since := session.idle_since) is not None}
        if idle:
            idle[min(idle)].rest()

    def samples(self) -> Iterable[HostSample]:
        """Return the one host, whose pid is the spawner's."""
        return self._carrier.samples(len(self._known))

    def _session(self, agent: AgentId) -> Session | None:
        session = self._sessions.get(agent)
        if session is None and agent in self._known:
            session = self._sessions[agent] = Session(*self._known[agent], self._means)
            self._begun.put_nowait(session)
        return session

    def _leave(self, agent: AgentId) -> None:
        session = self._sessions.pop(agent, None)
        if session is not None:
            session.leave()
