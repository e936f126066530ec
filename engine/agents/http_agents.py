"""Agents whose work is asked for over HTTP: how their tasks begin, are stopped and end; what is asked, and how, is the kind's.

Owner: the runs under way, at most one an agent, and one HTTP client. httpx2 is imported with the first task: fleets without such
pools do without it.
"""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

import msgspec

from engine.agents.commands import CommandPlaces, log_path
from engine.agents.processes.child_process import ProcessHost
from engine.agents.processes.pipes import LogFile
from engine.agents.results import pack_result
from engine.agents.runtime import HostSample, Reporter
from engine.agents.spawned_host import SpawnedHost
from engine.clock import Clock, IdFactory
from engine.model.agents import AgentSpec
from engine.model.effects import Assignment
from engine.model.ids import AgentId, TaskId
from engine.model.pools import PoolSpec
from engine.model.questions import Reply
from engine.model.reports import AgentsFailed, TasksBegan, TasksEnded
from engine.model.shielding import shield
from engine.model.tasks import Outcome

if TYPE_CHECKING:
    import httpx2

logger = logging.getLogger(__name__)

LOG_MAX_BYTES = 16 << 20

Attempt = tuple[TaskId, int]


class RefusedError(Exception):
    """There is no result; `kind` is that of the task's error."""

    def __init__(self, kind: str, message: str, *, retryable: bool) -> None:
        super().__init__(message)
        self.kind = kind
        self.retryable = retryable


class Ending(NamedTuple):
    """What came of a task, and what it used."""

    result: dict[str, object]
    usage: dict[str, float]
    models: Mapping[str, dict[str, float]] = {}


_Spec = TypeVar("_Spec")


class HttpRun(Generic[_Spec]):
    """A task under way."""

    def __init__(self, assignment: Assignment, spec: _Spec, began: float) -> None:
        self.assignment = assignment
        self.spec = spec
        self.began = self.heard_at = began
        self.limit: asyncio.Timeout | None = None
        self.is_stopping = False
        self.trouble = ""
        self.log: LogFile | None = None

    def note(self, text: str) -> None:
        """Write to its log."""
        if self.log is not None and text:
            self.log.add(text.encode("utf-8", "replace"))


_Run = TypeVar("_Run", bound=HttpRun[Any])


class HttpAgents(ABC, Generic[_Spec, _Run]):
    """Has tasks done by whoever answers over HTTP."""

    KIND: str

    def __init__(self, report: Reporter, host: ProcessHost, ids: IdFactory, clock: Clock, places: CommandPlaces) -> None:
        self._report = report
        self._host = host
        self._clock = clock
        self._places = places
        self._carrier = SpawnedHost(self.KIND, report, host, ids, clock)
        self._specs: dict[AgentId, _Spec] = {}
        self._runs: dict[Attempt, _Run] = {}
        self._begun: asyncio.Queue[_Run] = asyncio.Queue()

    async def run(self) -> None:
        """Ask until cancelled; what is under way is then dropped."""
        first = await self._begun.get()
        import httpx2  # noqa: PLC0415  # only fleets with such pools have it

        async with httpx2.AsyncClient(follow_redirects=False) as client, asyncio.TaskGroup() as group:
            group.create_task(self._do(client, first), name=f"{self.KIND} {first.assignment.task}")
            while True:
                run = await self._begun.get()
                group.create_task(self._do(client, run), name=f"{self.KIND} {run.assignment.task}")

    def start(self, agents: Sequence[tuple[AgentSpec, PoolSpec]]) -> None:
        """Make agents ready; one without its key, or without the library, fails with what to do."""
        ready: list[AgentId] = []
        for agent, pool in agents:
            found = self._ready(pool)
            if isinstance(found, str):
                self._report(AgentsFailed((agent.id,), found))
            else:
                self._specs[agent.id] = found
                ready.append(agent.id)
        if ready:
            self._carrier.carry(ready)

    def stop(self, agents: Sequence[AgentId]) -> None:
        """Forget agents."""
        for agent in agents:
            self._specs.pop(agent, None)

    def deliver(self, assignments: Sequence[Assignment]) -> None:
        """Begin tasks."""
        for assignment in assignments:
            spec = self._specs.get(assignment.agent)
            if spec is None:
                lost = Outcome(assignment.task, assignment.token, ok=False, error_kind="agent_lost", error="its agent has left")
                self._report(TasksEnded((lost,)))
                continue
            run = self._runs[assignment.task, assignment.token] = self._run_of(assignment, spec)
            self._begun.put_nowait(run)

    def stop_runs(self, runs: Sequence[Attempt], *, grace_s: float | None = None) -> None:
        """Hang up, at once."""
        del grace_s
        for attempt in runs:
            if (run := self._runs.get(attempt)) is not None:
                run.is_stopping = True
                if run.limit is not None:
                    run.limit.reschedule(0.0)

    def answer(self, run: Attempt, ask: str, reply: Reply) -> None:  # noqa: B027  # most ask nothing
        """Tell an agent what it asked."""

    def tell(self, word: str) -> None:  # noqa: B027  # as above
        """Agents elsewhere are told nothing."""

    def progress(self, task: TaskId) -> dict[str, object] | None:
        """Return how far a task is, and what it waits for; None = it is not under way here."""
        run = next((run for (id_, _), run in self._runs.items() if id_ == task), None)
        if run is None:
            return None
        text, evidence = self._progress_of(run)
        return {"text": text, "ratio": None, "evidence": evidence, "at": run.heard_at, "trouble": run.trouble}

    def samples(self) -> Iterable[HostSample]:
        """Return the one host."""
        return self._carrier.samples(len(self._specs))

    # -- what a kind has of its own -----------------------------------------------------------------------------------------

    @abstractmethod
    def _ready(self, pool: PoolSpec) -> _Spec | str:
        """Return what an agent of a pool works by, or why it cannot work, with what to do."""

    @abstractmethod
    def _run_of(self, assignment: Assignment, spec: _Spec) -> _Run:
        """Return a run that begins now."""

    @abstractmethod
    async def _work(self, client: httpx2.AsyncClient, run: _Run) -> None:
        """Have a task done; cancelled when the run is stopped. Raises RefusedError."""

    @abstractmethod
    async def _hang_up(self, run: _Run) -> str:
        """Do what a stopped run needs besides; return what came of it."""

    @abstractmethod
    def _progress_of(self, run: _Run) -> tuple[str, str]:
        """Return how far a run is, and the evidence."""

    @abstractmethod
    def _close(self, run: _Run, failure: RefusedError | None) -> Ending:
        """Return what came of a run that ended."""

    # -- one task -----------------------------------------------------------------------------------------------------------

    async def _do(self, client: httpx2.AsyncClient, run: _Run) -> None:
        """Have a task done and report how it ended."""
        attempt = (run.assignment.task, run.assignment.token)
        try:
            run.log = self._host.open_log(log_path(self._places.logs, run.assignment.task), LOG_MAX_BYTES)
        except OSError as error:
            logger.warning("log not written", extra={"task": run.assignment.task, "reason": str(error)})
        self._report(TasksBegan(((*attempt, run.began),)))
        failure: RefusedError | None = None
        try:
            async with asyncio.timeout(0.0 if run.is_stopping else None) as run.limit:
                await self._work(client, run)
        except TimeoutError:
            failure = RefusedError("stopped", await self._hang_up(run), retryable=True)
        except RefusedError as error:
            failure = error
        finally:
            del self._runs[attempt]
            if run.log is not None:
                run.log.close()
        self._end(run, failure)

    def _end(self, run: _Run, failure: RefusedError | None) -> None:
        task, ending = run.assignment.task, self._close(run, failure)
        kept, artifact = pack_result(task, ending.result)
        outcome = Outcome(
            task, run.assignment.token, ok=failure is None, started_at=run.began, ended_at=self._clock.now(), result=kept,
            usage=ending.usage, models=dict(ending.models), artifact=artifact.id if artifact else "",
        )  # fmt: skip
        if failure is not None:
            kind = "stopped" if run.is_stopping else failure.kind
            outcome = msgspec.structs.replace(outcome, error_kind=kind, error=shield(str(failure))[:500], retryable=failure.retryable)
        self._report(TasksEnded((outcome,)), (artifact,) if artifact else ())
