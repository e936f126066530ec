"""Agents of kind `a2a`: each task is a task of somebody else's agent, handed over, followed, answered and cancelled by the protocol.

Owner: the runs under way, at most one an agent, and one HTTP client. A task that was handed over is kept by its name there: the next
attempt, of the next engine too, goes on with it instead of handing it over twice. httpx2 is imported with the first agent.
"""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import os
from collections import deque
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from engine.agents.a2a.peer import AwayError, Peer
from engine.agents.a2a.shapes import (
    ASKING,
    DONE,
    ENDED,
    LOCKED,
    RefusedError,
    Standing,
    question_of,
    standing_of,
)
from engine.agents.commands import CommandPlaces, log_path, prompt_of
from engine.agents.processes.child_process import ProcessHost
from engine.agents.processes.pipes import LogFile
from engine.agents.results import pack_result
from engine.agents.runtime import HostSample, Reporter
from engine.agents.sessions.conversations import Conversations
from engine.agents.shielding import shield
from engine.agents.spawned_host import SpawnedHost
from engine.clock import Clock, IdFactory
from engine.model.agents import AgentSpec
from engine.model.effects import Assignment
from engine.model.ids import AgentId, TaskId
from engine.model.pools import A2A, A2aSpec, PoolSpec
from engine.model.questions import TEXT, Reply, TaskAsked
from engine.model.reports import AgentsFailed, TasksBegan, TasksEnded
from engine.model.tasks import Outcome

if TYPE_CHECKING:
    import httpx2

logger = logging.getLogger(__name__)

LOG_MAX_BYTES = 16 << 20
FOLDER = "a2a"
CANCEL_S = 5.0
"""Longest that an agent may take to say that it cancels a task; the task here has ended by then."""

Attempt = tuple[TaskId, int]


class _Run:
    """A task under way."""

    def __init__(self, assignment: Assignment, spec: A2aSpec, began: float) -> None:
        self.assignment = assignment
        self.spec = spec
        self.began = self.heard_at = began
        self.standing: Standing | None = None
        self.limit: asyncio.Timeout | None = None
        self.is_stopping = self.goes_on = False
        self.trouble = ""
        self.asking: set[str] = set()
        """What was asked and not answered here."""
        self.asked: set[str] = set()
        """All that was asked: the same question is not asked twice while the agent takes the answer."""
        self.replies: deque[str] = deque()
        self.stir = asyncio.Event()
        self.log: LogFile | None = None

    @property
    def turn(self) -> str:
        """Return what the attempt is called: a message that is sent twice under it is one."""
        return f"{self.assignment.task}.{self.assignment.token}"

    def note(self, text: str) -> None:
        """Write a line to its log."""
        if self.log is not None and text:
            self.log.add(f"{text}\n".encode("utf-8", "replace"))


class A2aAgents:
    """Hands tasks over."""

    def __init__(self, report: Reporter, host: ProcessHost, ids: IdFactory, clock: Clock, places: CommandPlaces) -> None:
        self._report = report
        self._host = host
        self._clock = clock
        self._places = places
        self._handed = Conversations(places.logs.parent / FOLDER)
        """By what name the agent knows a task."""
        self._carrier = SpawnedHost(A2A, report, host, ids, clock)
        self._specs: dict[AgentId, A2aSpec] = {}
        self._runs: dict[Attempt, _Run] = {}
        self._begun: asyncio.Queue[_Run] = asyncio.Queue()

    async def run(self) -> None:
        """Hand over and follow until cancelled; what is under way goes on where it is, and the next engine follows it."""
        first = await self._begun.get()
        import httpx2  # noqa: PLC0415  # only fleets with such pools have it

        async with httpx2.AsyncClient(follow_redirects=False) as client, asyncio.TaskGroup() as group:
            group.create_task(self._do(client, first), name=f"a2a {first.assignment.task}")
            while True:
                run = await self._begun.get()
                group.create_task(self._do(client, run), name=f"a2a {run.assignment.task}")

    def start(self, agents: Sequence[tuple[AgentSpec, PoolSpec]]) -> None:
        """Make agents ready; one without its key, or without the library, fails with what to do."""
        ready: list[AgentId] = []
        for agent, pool in agents:
            if (reason := _hindrance(pool)) is not None:
                self._report(AgentsFailed((agent.id,), reason))
            elif pool.a2a is not None:
                self._specs[agent.id] = pool.a2a
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
            run = self._runs[assignment.task, assignment.token] = _Run(assignment, spec, self._clock.now())
            self._begun.put_nowait(run)

    def stop_runs(self, runs: Sequence[Attempt], *, grace_s: float | None = None) -> None:
        """Have tasks cancelled where they are; they have ended here as soon as that was said, or could not be."""
        del grace_s
        for attempt in runs:
            if (run := self._runs.get(attempt)) is not None:
                run.is_stopping = True
                if run.limit is not None:
                    run.limit.reschedule(0.0)

    def answer(self, run: Attempt, ask: str, reply: Reply) -> None:
        """Tell an agent what it asked; each answer once, and only in the attempt that asked."""
        found = self._runs.get(run)
        if found is not None and ask in found.asking:
            found.asking.remove(ask)
            is_leave = bool(found.standing is not None and found.standing.asked.get("tool"))
            found.replies.append(reply.decision if is_leave and reply.decision != TEXT else reply.text or reply.decision)
            found.stir.set()

    def tell(self, word: str) -> None:
        """Agents elsewhere are told nothing."""

    def progress(self, task: TaskId) -> dict[str, object] | None:
        """Return what the agent of a task said last of how far it is, and when; None = it is not under way here."""
        run = next((run for (id_, _), run in self._runs.items() if id_ == task), None)
        if run is None:
            return None
        text = run.standing.words if run.standing is not None else ""
        return {"text": shield(text), "ratio": None, "evidence": run.standing.state if run.standing else "", "at": run.heard_at, "trouble": run.trouble}

    def samples(self) -> Iterable[HostSample]:
        """Return the one host."""
        return self._carrier.samples(len(self._specs))

    # -- one task ---------------------------------------------------------------------------------------------------------

    async def _do(self, client: httpx2.AsyncClient, run: _Run) -> None:
        """Have a task done and report how it ended."""
        attempt = (run.assignment.task, run.assignment.token)
        try:
            run.log = self._host.open_log(log_path(self._places.logs, run.assignment.task), LOG_MAX_BYTES)
        except OSError as error:
            logger.warning("log not written", extra={"task": run.assignment.task, "reason": str(error)})
        self._report(TasksBegan(((*attempt, run.began),)))
        peer, failure = Peer(client, run.spec), None
        try:
            async with asyncio.timeout(0.0 if run.is_stopping else None) as run.limit:
                await self._follow(peer, run)
        except TimeoutError:
            failure = RefusedError("stopped", await self._cancel(peer, run), retryable=True)
        except RefusedError as error:
            failure = error
        finally:
            del self._runs[attempt]
            if run.log is not None:
                run.log.close()
        self._end(run, failure)

    async def _follow(self, peer: Peer, run: _Run) -> None:
        """Hand a task over, or find it, and follow it to its end. Raises RefusedError."""
        task = run.assignment.task
        known = self._handed.find(task) if run.assignment.token > 1 else ""
        if known:
            self._take(run, await self._call(peer, run, "GetTask", {"id": known}))
        else:
            self._take(run, await self._send(peer, run, prompt_of(run.assignment), run.turn))
        while (standing := run.standing) is not None and standing.state not in ENDED:
            if standing.state == LOCKED:
                raise RefusedError("authentication", f"it wants a login: {shield(standing.words)}", retryable=False)
            if standing.state == ASKING:
                self._ask(run, standing)
            if run.replies:
                text = run.replies.popleft()
                self._take(run, await self._send(peer, run, text, f"{run.turn}.{len(run.asked)}.{len(run.replies)}", standing))
                continue
            try:
                async with asyncio.timeout(run.spec.poll_s):
                    await run.stir.wait()
                run.stir.clear()
            except TimeoutError:
                self._take(run, await self._call(peer, run, "GetTask", {"id": standing.id}))
        if run.standing is not None and run.standing.state != DONE:
            raise _how_it_ended(run.standing)

    async def _send(self, peer: Peer, run: _Run, text: str, name: str, standing: Standing | None = None) -> dict[str, Any]:  # noqa: PLR0913  # a message
        """Send a message: a new task, or one to a task."""
        to = {"taskId": standing.id, **({"contextId": standing.context} if standing.context else {})} if standing is not None else {}
        message = {"messageId": name, "role": "ROLE_USER", "parts": [{"text": text}], **to}
        return await self._call(peer, run, "SendMessage", {"message": message, "configuration": {"returnImmediately": True}})

    async def _call(self, peer: Peer, run: _Run, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """Call until it answers, or has not for too long. Raises RefusedError."""
        until = self._clock.now() + run.spec.wait_max_s
        while True:
            try:
                found = await peer.call(method, params)
            except AwayError as error:
                run.trouble = f"it does not answer: {shield(str(error))}"
                if self._clock.now() + run.spec.poll_s > until:
                    raise RefusedError("unreachable", f"it has not answered for {run.spec.wait_max_s:g} s: {shield(str(error))}", retryable=True) from error
                run.note(f"[degraded] {run.trouble}")
                await self._clock.sleep(run.spec.poll_s)
            else:
                run.trouble, run.heard_at = "", self._clock.now()
                return found

    def _take(self, run: _Run, result: dict[str, Any]) -> None:
        """Take how a task stands. Raises RefusedError for what is no such word."""
        before, run.standing = run.standing, standing_of(result)
        standing = run.standing
        if not standing.state or (not standing.id and standing.state not in ENDED):
            raise RefusedError("protocol", "what it answers is neither a task nor a message", retryable=False)
        if standing.id:
            self._handed.note(run.assignment.task, standing.id)
        if before is None or (before.state, before.words) != (standing.state, standing.words):
            run.note(f"[{standing.state.removeprefix('TASK_STATE_').lower()}] {shield(standing.words)}")

    def _ask(self, run: _Run, standing: Standing) -> None:
        """Ask here what the agent asks there, once."""
        ask = question_of(run.turn, standing)
        if ask.ask not in run.asked:
            run.asked.add(ask.ask)
            run.asking.add(ask.ask)
            self._report(TaskAsked(run.assignment.task, run.assignment.token, ask))

    async def _cancel(self, peer: Peer, run: _Run) -> str:
        """Have a task cancelled where it is; return what came of it."""
        if run.standing is None or not run.standing.id:
            return "it was not handed over"
        try:
            async with asyncio.timeout(CANCEL_S):
                await peer.call("CancelTask", {"id": run.standing.id})
        except (AwayError, RefusedError, TimeoutError) as error:
            run.goes_on = True
            return f"it does not say that it is cancelled: {shield(str(error)) or 'no answer'}"
        return "it was cancelled there"

    def _end(self, run: _Run, failure: RefusedError | None) -> None:
        task, standing = run.assignment.task, run.standing
        result: dict[str, object] = {}
        if standing is not None and (failure is None or standing.text):
            result = {"text": shield(standing.text), **({"data": standing.data} if standing.data is not None else {}), "remote_task": standing.id}
        if failure is None or (failure.kind != "unreachable" and not run.goes_on):
            self._handed.forget(task)
        kept, artifact = pack_result(task, result)
        outcome = Outcome(
            task, run.assignment.token, ok=failure is None, started_at=run.began, ended_at=self._clock.now(), result=kept,
            usage=standing.usage if standing is not None else {}, artifact=artifact.id if artifact else "",
        )  # fmt: skip
        if failure is not None:
            kind = "stopped" if run.is_stopping else failure.kind
            outcome = msgspec.structs.replace(outcome, error_kind=kind, error=shield(str(failure))[:500], retryable=failure.retryable)
        self._report(TasksEnded((outcome,)), (artifact,) if artifact else ())


def _hindrance(pool: PoolSpec) -> str | None:
    """Return why an agent of a pool cannot work, with what to do; None = it can."""
    if pool.a2a is None:
        return f"pool {pool.name} names no agent"
    if importlib.util.find_spec("httpx2") is None:
        return "agents over HTTP need the package httpx2; install fleet-tui[openai] and restart the engine"
    if pool.a2a.token_env and not os.environ.get(pool.a2a.token_env):
        return f"the engine's environment has no {pool.a2a.token_env}; set it and restart the engine, or pools.{pool.name}.a2a.token_env"
    return None


def _how_it_ended(standing: Standing) -> RefusedError:
    """Return what an end without success means."""
    words = shield(standing.words)
    if standing.state == "TASK_STATE_REJECTED":
        return RefusedError("refused", words or "it rejects the task", retryable=False)
    if standing.state == "TASK_STATE_CANCELED":
        return RefusedError("interrupted", words or "it was cancelled there", retryable=True)
    return RefusedError("agent", words or "it failed", retryable=True)
