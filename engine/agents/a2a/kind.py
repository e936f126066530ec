"""Agents of kind `a2a`: each task is a task of somebody else's agent, handed over, followed, answered and cancelled by the protocol.

How a task stands is what GetTask says. Where the agent has streams, one of the task says when to look; else it is looked at every `poll_s`.

By what name a task that was handed over is known there is told to the fleet: the next attempt, of the next engine or on another host,
goes on with it instead of handing it over twice.

Owner: of the streams that are open, beside what all HttpAgents own. Limits: STREAMS_MAX tasks are heard at once, the others are looked at.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
from collections import deque
from collections.abc import Sequence
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
from engine.clock import Clock, IdFactory
from engine.model.effects import Assignment
from engine.model.errors import errors_in
from engine.model.pools import A2A, A2aSpec, PoolSpec
from engine.model.questions import TEXT, Reply, TaskAsked
from engine.model.reports import HandedOver
from engine.model.shielding import shield

if TYPE_CHECKING:
    import httpx2

STREAMS_MAX = 16
"""Connections that are held open for streams at once: an agent, another fleet's engine for one, has few to give."""
STREAMS_LOST_MAX = 3
"""Streams in turn that said nothing, after which a task is looked at alone."""
STREAM_PAUSE_S = 1.0
"""Between a stream that broke and the next of the same task, at most."""
LOOK_PAUSE_S = 0.1
"""Least time between two looks that a stream asks for."""
LOOK_HEARD_S = 15.0
"""A task that is heard is looked at so seldom without being told to: a line that is dead says nothing, either."""
NAME_MAX = 200
"""Longest name of a task there that is kept; one with a longer name, or one that looks like a secret, is handed over anew by the next attempt."""
CANCEL_S = 5.0
"""Longest that an agent may take to say that it cancels a task; the task here has ended by then."""


class _Run(HttpRun[A2aSpec]):
    """A task under way."""

    def __init__(self, assignment: Assignment, spec: A2aSpec, began: float) -> None:
        super().__init__(assignment, spec, began)
        self.peer: Peer | None = None
        self.standing: Standing | None = None
        self.known_as = assignment.remote_task
        """What the fleet knows that it is called there."""
        self.is_let_go = False
        """Another attempt goes on with what is there."""
        self.goes_on = False
        self.asking: set[str] = set()
        """What was asked and not answered here."""
        self.asked: set[str] = set()
        """All that was asked: the same question is not asked twice while the agent takes the answer."""
        self.replies: deque[str] = deque()
        self.stir = asyncio.Event()
        """There is something to tell the agent, or to look at."""
        self.can_be_heard = asyncio.Event()
        """It is known there, and at work."""
        self.is_heard = False

    @property
    def turn(self) -> str:
        """Return what the attempt is called: a message that is sent twice under it is one."""
        return f"{self.assignment.task}.{self.assignment.token}"


class A2aAgents(HttpAgents[A2aSpec, _Run]):
    """Hands tasks over; what is under way when the engine ends goes on where it is, and the next engine follows it."""

    KIND = A2A

    def __init__(self, report: Reporter, host: ProcessHost, ids: IdFactory, clock: Clock, places: CommandPlaces) -> None:
        super().__init__(report, host, ids, clock, places)
        self._heard = 0
        """Streams that are open."""

    def let_go(self, runs: Sequence[Attempt]) -> None:
        """Have nothing cancelled there when attempts are stopped next: others go on with it."""
        for attempt in runs:
            if (run := self._runs.get(attempt)) is not None:
                run.is_let_go = True

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
            return f"agents over HTTP need the package httpx2; install fleet-tui[openai] and restart {self._places.named}"
        if pool.a2a.token_env and not os.environ.get(pool.a2a.token_env):
            return f"the environment of {self._places.named} has no {pool.a2a.token_env}; set it and restart {self._places.named}, or pools.{pool.name}.a2a.token_env"
        return pool.a2a

    def _run_of(self, assignment: Assignment, spec: A2aSpec) -> _Run:
        return _Run(assignment, spec, self._clock.now())

    def _progress_of(self, run: _Run) -> tuple[str, str]:
        return (run.standing.words, shield(run.standing.state)) if run.standing is not None else ("", "")

    async def _work(self, client: httpx2.AsyncClient, run: _Run) -> None:
        peer = run.peer = Peer(client, run.spec)
        try:
            async with asyncio.TaskGroup() as group:
                hearing = group.create_task(self._hear(peer, run))
                await self._follow(peer, run)
                hearing.cancel()
        except BaseExceptionGroup as errors:
            raise next(errors_in(errors, RefusedError), errors) from None

    async def _hear(self, peer: Peer, run: _Run) -> None:
        """Have a task looked at whenever its stream tells of its state; a stream that breaks is followed by another."""
        lost = 0
        while lost < STREAMS_LOST_MAX:
            await run.can_be_heard.wait()
            if not peer.streams:
                return
            if self._heard < STREAMS_MAX and run.standing is not None:
                lost = 0 if await self._listen(peer, run, run.standing.id) else lost + 1
            await self._clock.sleep(min(run.spec.poll_s, STREAM_PAUSE_S))

    async def _listen(self, peer: Peer, run: _Run, task: str) -> bool:
        """Follow one stream to its end; tell whether it said anything."""
        self._heard += 1
        try:
            async for _ in peer.events(task):
                run.is_heard = True
                run.stir.set()
        except AwayError as error:
            run.note(f"[stream] {shield(str(error))}\n")
        finally:
            self._heard -= 1
            was_heard, run.is_heard = run.is_heard, False
            run.stir.set()
        return was_heard

    async def _follow(self, peer: Peer, run: _Run) -> None:
        """Hand a task over, or find it, and follow it to its end. Raises RefusedError."""
        if run.known_as:
            self._take(run, await self._call(peer, run, "GetTask", {"id": run.known_as}))
        else:
            self._take(run, await self._send(peer, run, prompt_of(run.assignment), run.turn))
        while (standing := run.standing) is not None and standing.state not in ENDED:
            if standing.state == LOCKED:
                raise RefusedError("authentication", f"it wants a login: {standing.words}", retryable=False)
            if standing.state == ASKING:
                self._ask(run, standing)
            if run.replies:
                text = run.replies.popleft()
                self._take(run, await self._send(peer, run, text, f"{run.turn}.{len(run.asked)}.{len(run.replies)}", standing))
                continue
            if run.is_heard:
                await self._clock.sleep(LOOK_PAUSE_S)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(run.spec.poll_s, LOOK_HEARD_S) if run.is_heard else run.spec.poll_s):
                    await run.stir.wait()
            run.stir.clear()
            if not run.replies:
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
        if standing.id != run.known_as and 0 < len(standing.id) <= NAME_MAX and shield(standing.id) == standing.id:
            self._know(run, standing.id)
        if _is_at_work(run, standing):
            run.can_be_heard.set()
        else:
            run.can_be_heard.clear()
        if before is None or (before.state, before.words) != (standing.state, standing.words):
            run.note(f"[{standing.state.removeprefix('TASK_STATE_').lower()}] {standing.words}\n")

    def _know(self, run: _Run, name: str) -> None:
        """Tell the fleet what a task is called there; empty = nothing can be gone on with."""
        run.known_as = name
        self._report(HandedOver(run.assignment.task, run.assignment.token, name))

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
        if run.is_let_go:
            run.goes_on = True
            return "another attempt goes on with it there"
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
            result = {"text": standing.text, **({"data": standing.data} if standing.data is not None else {}), "remote_task": shield(standing.id)}
        if failure is not None and run.known_as and failure.kind != "unreachable" and not run.goes_on:
            self._know(run, "")
        return Ending(result, standing.usage if standing is not None else {})


def _is_at_work(run: _Run, standing: Standing) -> bool:
    """Tell whether a stream may tell more of a task: not before it is answered. One that asks what was answered has yet to take the answer."""
    if standing.state == ASKING:
        return question_of(run.turn, standing).ask in run.asked - run.asking
    return standing.state not in ENDED and standing.state != LOCKED


def _how_it_ended(standing: Standing) -> RefusedError:
    """Return what an end without success means."""
    words = standing.words
    if standing.state == "TASK_STATE_REJECTED":
        return RefusedError("refused", words or "it rejects the task", retryable=False)
    if standing.state == "TASK_STATE_CANCELED":
        return RefusedError("interrupted", words or "it was cancelled there", retryable=True)
    return RefusedError("agent", words or "it failed", retryable=True)
