"""Agents of kind `a2a`: each task is a task of somebody else's agent, handed over, followed, answered and cancelled by the protocol.

Owner: by what names tasks that were handed over are known there, beside what all HttpAgents own: the next attempt, of the next engine
too, goes on with such a task instead of handing it over twice.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
from collections import deque
from typing import TYPE_CHECKING, Any

from engine.agents.a2a.peer import AwayError, Peer
from engine.agents.a2a.shapes import (
    ASKING,
    DONE,
    ENDED,
    LOCKED,
    Standing,
    question_of,
    standing_of,
)
from engine.agents.commands import CommandPlaces, prompt_of
from engine.agents.http_agents import Attempt, Ending, HttpAgents, HttpRun, RefusedError
from engine.agents.processes.child_process import ProcessHost
from engine.agents.runtime import Reporter
from engine.agents.sessions.conversations import Conversations
from engine.agents.shielding import shield
from engine.clock import Clock, IdFactory
from engine.model.effects import Assignment
from engine.model.pools import A2A, A2aSpec, PoolSpec
from engine.model.questions import TEXT, Reply, TaskAsked

if TYPE_CHECKING:
    import httpx2

FOLDER = "a2a"
CANCEL_S = 5.0
"""Longest that an agent may take to say that it cancels a task; the task here has ended by then."""


class _Run(HttpRun[A2aSpec]):
    """A task under way."""

    def __init__(self, assignment: Assignment, spec: A2aSpec, began: float) -> None:
        super().__init__(assignment, spec, began)
        self.peer: Peer | None = None
        self.standing: Standing | None = None
        self.goes_on = False
        self.asking: set[str] = set()
        """What was asked and not answered here."""
        self.asked: set[str] = set()
        """All that was asked: the same question is not asked twice while the agent takes the answer."""
        self.replies: deque[str] = deque()
        self.stir = asyncio.Event()

    @property
    def turn(self) -> str:
        """Return what the attempt is called: a message that is sent twice under it is one."""
        return f"{self.assignment.task}.{self.assignment.token}"


class A2aAgents(HttpAgents[A2aSpec, _Run]):
    """Hands tasks over; what is under way when the engine ends goes on where it is, and the next engine follows it."""

    KIND = A2A

    def __init__(self, report: Reporter, host: ProcessHost, ids: IdFactory, clock: Clock, places: CommandPlaces) -> None:
        super().__init__(report, host, ids, clock, places)
        self._handed = Conversations(places.logs.parent / FOLDER)
        """By what name the agent knows a task."""

    def answer(self, run: Attempt, ask: str, reply: Reply) -> None:
        """Tell an agent what it asked; each answer once, and only in the attempt that asked."""
        found = self._runs.get(run)
        if found is not None and ask in found.asking:
            found.asking.remove(ask)
            is_leave = bool(found.standing is not None and found.standing.asked.get("tool"))
            found.replies.append(reply.decision if is_leave and reply.decision != TEXT else reply.text or reply.decision)
            found.stir.set()

    def _ready(self, pool: PoolSpec) -> A2aSpec | str:
        if pool.a2a is None:
            return f"pool {pool.name} names no agent"
        if importlib.util.find_spec("httpx2") is None:
            return "agents over HTTP need the package httpx2; install fleet-tui[openai] and restart the engine"
        if pool.a2a.token_env and not os.environ.get(pool.a2a.token_env):
            return f"the engine's environment has no {pool.a2a.token_env}; set it and restart the engine, or pools.{pool.name}.a2a.token_env"
        return pool.a2a

    def _run_of(self, assignment: Assignment, spec: A2aSpec) -> _Run:
        return _Run(assignment, spec, self._clock.now())

    def _progress_of(self, run: _Run) -> tuple[str, str]:
        return (shield(run.standing.words), run.standing.state) if run.standing is not None else ("", "")

    async def _work(self, client: httpx2.AsyncClient, run: _Run) -> None:
        run.peer = Peer(client, run.spec)
        await self._follow(run.peer, run)

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
                run.note(f"[degraded] {run.trouble}\n")
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
            run.note(f"[{standing.state.removeprefix('TASK_STATE_').lower()}] {shield(standing.words)}\n")

    def _ask(self, run: _Run, standing: Standing) -> None:
        """Ask here what the agent asks there, once."""
        ask = question_of(run.turn, standing)
        if ask.ask not in run.asked:
            run.asked.add(ask.ask)
            run.asking.add(ask.ask)
            self._report(TaskAsked(run.assignment.task, run.assignment.token, ask))

    async def _hang_up(self, run: _Run) -> str:
        """Have a task cancelled where it is; return what came of it."""
        if run.peer is None or run.standing is None or not run.standing.id:
            return "it was not handed over"
        try:
            async with asyncio.timeout(CANCEL_S):
                await run.peer.call("CancelTask", {"id": run.standing.id})
        except (AwayError, RefusedError, TimeoutError) as error:
            run.goes_on = True
            return f"it does not say that it is cancelled: {shield(str(error)) or 'no answer'}"
        return "it was cancelled there"

    def _close(self, run: _Run, failure: RefusedError | None) -> Ending:
        standing = run.standing
        result: dict[str, object] = {}
        if standing is not None and (failure is None or standing.text):
            result = {"text": shield(standing.text), **({"data": standing.data} if standing.data is not None else {}), "remote_task": standing.id}
        if failure is None or (failure.kind != "unreachable" and not run.goes_on):
            self._handed.forget(run.assignment.task)
        return Ending(result, standing.usage if standing is not None else {})


def _how_it_ended(standing: Standing) -> RefusedError:
    """Return what an end without success means."""
    words = shield(standing.words)
    if standing.state == "TASK_STATE_REJECTED":
        return RefusedError("refused", words or "it rejects the task", retryable=False)
    if standing.state == "TASK_STATE_CANCELED":
        return RefusedError("interrupted", words or "it was cancelled there", retryable=True)
    return RefusedError("agent", words or "it failed", retryable=True)
