"""Agents of kind `openai`: each task is one question to a model over HTTP, answered in pieces.

Owner: the runs under way, at most one an agent, the buckets of the providers' keys, and one HTTP client. Limits: ANSWER_MAX_BYTES of a
body, ERROR_BYTES of one that says what is wrong. httpx2 is imported with the first agent: fleets without such pools do without it.
"""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from engine.agents.commands import CommandPlaces, log_path, prompt_of
from engine.agents.openai.answers import Answer, error_in
from engine.agents.openai.buckets import Bucket
from engine.agents.printed import kind_of_status
from engine.agents.processes.child_process import ProcessHost
from engine.agents.processes.pipes import LogFile
from engine.agents.results import pack_result
from engine.agents.runtime import HostSample, Reporter
from engine.agents.shielding import shield
from engine.agents.spawned_host import SpawnedHost
from engine.clock import Clock, IdFactory
from engine.model.agents import AgentSpec
from engine.model.effects import Assignment
from engine.model.ids import AgentId, TaskId
from engine.model.pools import OPENAI, ModelSpec, PoolSpec
from engine.model.questions import Reply
from engine.model.reports import AgentsFailed, TasksBegan, TasksEnded
from engine.model.tasks import Outcome

if TYPE_CHECKING:
    import httpx2

logger = logging.getLogger(__name__)

ANSWER_MAX_BYTES = 16 << 20
ERROR_BYTES = 64 * 1024
LOG_MAX_BYTES = 16 << 20
_BUSY = frozenset({429, 503, 529})

Attempt = tuple[TaskId, int]


class _BusyError(Exception):
    """The provider has too much; `after_s` is how long to wait, None = it did not say."""

    def __init__(self, status: int, after_s: float | None, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.after_s = after_s


class _FailedError(Exception):
    """There is no answer, or none that is of use."""

    def __init__(self, kind: str, message: str, *, retryable: bool) -> None:
        super().__init__(message)
        self.kind = kind
        self.retryable = retryable


class _Run:
    """A task under way."""

    def __init__(self, assignment: Assignment, spec: ModelSpec, began: float) -> None:
        self.assignment = assignment
        self.spec = spec
        self.began = began
        self.answer = Answer()
        self.limit: asyncio.Timeout | None = None
        self.is_stopping = False
        self.trouble = ""
        self.heard_at = began
        self.log: LogFile | None = None

    def note(self, text: str) -> None:
        if self.log is not None and text:
            self.log.add(text.encode("utf-8", "replace"))


class ModelAgents:
    """Asks models."""

    def __init__(self, report: Reporter, host: ProcessHost, ids: IdFactory, clock: Clock, places: CommandPlaces) -> None:
        self._report = report
        self._host = host
        self._clock = clock
        self._places = places
        self._carrier = SpawnedHost(OPENAI, report, host, ids, clock)
        self._specs: dict[AgentId, ModelSpec] = {}
        self._buckets: dict[tuple[str, str], Bucket] = {}
        self._runs: dict[Attempt, _Run] = {}
        self._begun: asyncio.Queue[_Run] = asyncio.Queue()

    async def run(self) -> None:
        """Ask until cancelled; what is under way is then dropped."""
        first = await self._begun.get()
        import httpx2  # noqa: PLC0415  # only fleets with such pools have it

        async with httpx2.AsyncClient(follow_redirects=False) as client, asyncio.TaskGroup() as group:
            group.create_task(self._do(client, first), name=f"model {first.assignment.task}")
            while True:
                run = await self._begun.get()
                group.create_task(self._do(client, run), name=f"model {run.assignment.task}")

    def start(self, agents: Sequence[tuple[AgentSpec, PoolSpec]]) -> None:
        """Make agents ready; one without its key, or without the library, fails with what to do."""
        ready: list[AgentId] = []
        for agent, pool in agents:
            if (reason := self._hindrance(pool)) is not None:
                self._report(AgentsFailed((agent.id,), reason))
            elif pool.openai is not None:
                self._specs[agent.id] = pool.openai
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
        """Hang up, at once."""
        del grace_s
        for attempt in runs:
            if (run := self._runs.get(attempt)) is not None:
                run.is_stopping = True
                if run.limit is not None:
                    run.limit.reschedule(0.0)

    def answer(self, run: Attempt, ask: str, reply: Reply) -> None:
        """Models ask nothing."""

    def tell(self, word: str) -> None:
        """Models are told nothing."""

    def progress(self, task: TaskId) -> dict[str, object] | None:
        """Return how far the answer to a task is, and what it waits for; None = it is not under way here."""
        run = next((run for (id_, _), run in self._runs.items() if id_ == task), None)
        if run is None:
            return None
        return {"text": f"{len(run.answer.text):,} characters", "ratio": None, "evidence": "", "at": run.heard_at, "trouble": run.trouble}

    def samples(self) -> Iterable[HostSample]:
        """Return the one host."""
        return self._carrier.samples(len(self._specs))

    # -- one task ---------------------------------------------------------------------------------------------------------

    def _hindrance(self, pool: PoolSpec) -> str | None:
        if pool.openai is None:
            return f"pool {pool.name} names no model"
        if importlib.util.find_spec("httpx2") is None:
            return f"models over HTTP need the package httpx2; install fleet-tui[openai] and restart {self._places.named}"
        if pool.openai.key_env and not os.environ.get(pool.openai.key_env):
            return f"the environment of {self._places.named} has no {pool.openai.key_env}; set it and restart {self._places.named}, or pools.{pool.name}.openai.key_env"
        return None

    async def _do(self, client: httpx2.AsyncClient, run: _Run) -> None:
        """Have a task answered and report how it ended."""
        attempt = (run.assignment.task, run.assignment.token)
        try:
            run.log = self._host.open_log(log_path(self._places.logs, run.assignment.task), LOG_MAX_BYTES)
        except OSError as error:
            logger.warning("log not written", extra={"task": run.assignment.task, "reason": str(error)})
        self._report(TasksBegan(((*attempt, run.began),)))
        failure: _FailedError | None = None
        try:
            async with asyncio.timeout(0.0 if run.is_stopping else None) as run.limit:
                await self._answered(client, run)
        except TimeoutError:
            failure = _FailedError("stopped", "it was hung up", retryable=True)
        except _FailedError as error:
            failure = error
        finally:
            del self._runs[attempt]
            if run.log is not None:
                run.log.close()
        self._end(run, failure)

    async def _answered(self, client: httpx2.AsyncClient, run: _Run) -> None:
        """Ask until there is an answer; while the provider has too much, all who use the key wait. Raises _FailedError."""
        spec = run.spec
        bucket = self._buckets.setdefault((spec.base_url, spec.key_env), Bucket(self._clock, spec.parallel))
        until = self._clock.now() + spec.wait_max_s
        while True:
            if bucket.opens_at > until:
                raise _FailedError("rate_limit", run.trouble or f"the provider's key is not let in within {spec.wait_max_s:g} s", retryable=True)
            await bucket.enter()
            try:
                await self._ask(client, run)
                bucket.praise()
                return
            except _BusyError as busy:
                wait_s = bucket.refuse(busy.after_s)
                run.trouble = f"the provider answers {busy.status}: {busy}; all who use its key wait {wait_s:g} s"
                run.note(f"[degraded] {run.trouble}\n")
                if self._clock.now() + wait_s > until:
                    raise _FailedError("rate_limit", run.trouble, retryable=True) from busy
            finally:
                bucket.leave()

    async def _ask(self, client: httpx2.AsyncClient, run: _Run) -> None:
        """Ask once. Raises _BusyError, _FailedError."""
        import httpx2  # noqa: PLC0415  # as above

        spec, run.answer = run.spec, Answer()
        times = httpx2.Timeout(spec.connect_timeout_s, read=spec.silence_timeout_s or None)
        url = f"{spec.base_url.rstrip('/')}/chat/completions"
        try:
            async with client.stream("POST", url, json=body_of(spec, prompt_of(run.assignment)), headers=_headers(spec), timeout=times) as response:
                if response.status_code != 200:  # noqa: PLR2004  # OK
                    await _refused(response)
                await self._hear(response, run)
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise _FailedError("api_error", f"{spec.base_url}: {type(error).__name__}: {error}".removesuffix(": "), retryable=True) from error
        if (wrong := run.answer.failure()) is not None:
            raise _FailedError(*wrong, retryable=wrong[0] == "api_error")

    async def _hear(self, response: httpx2.Response, run: _Run) -> None:
        heard = 0
        async for chunk in response.aiter_bytes():
            heard += len(chunk)
            if heard > ANSWER_MAX_BYTES:
                raise _FailedError("protocol", f"the answer has more than {ANSWER_MAX_BYTES:,} bytes", retryable=False)
            run.note(run.answer.feed(chunk))
            run.heard_at, run.trouble = self._clock.now(), ""

    def _end(self, run: _Run, failure: _FailedError | None) -> None:
        answer, task = run.answer, run.assignment.task
        result: dict[str, object] = {"text": shield(answer.text), "model": answer.model or run.spec.model} if answer.text or failure is None else {}
        kept, artifact = pack_result(task, result)
        outcome = Outcome(
            task, run.assignment.token, ok=failure is None, started_at=run.began, ended_at=self._clock.now(), usage=answer.usage, result=kept,
            models={answer.model or run.spec.model: answer.usage} if answer.usage else {},
        )  # fmt: skip
        if failure is not None:
            kind = "stopped" if run.is_stopping else failure.kind
            outcome = msgspec.structs.replace(outcome, error_kind=kind, error=shield(str(failure))[:500], retryable=failure.retryable)
        self._report(TasksEnded((msgspec.structs.replace(outcome, artifact=artifact.id if artifact else ""),)), (artifact,) if artifact else ())


def body_of(spec: ModelSpec, prompt: str) -> dict[str, Any]:
    """Return what is asked."""
    system = [{"role": "system", "content": spec.system}] if spec.system else []
    asked = [*system, {"role": "user", "content": prompt}]
    return {**spec.extra, "model": spec.model, "messages": asked, "stream": True, "stream_options": {"include_usage": True}}


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds to wait that an answer tells; None = it tells none, or a date, or nonsense."""
    try:
        wait_s = float(headers.get("retry-after", ""))
    except ValueError:
        return None
    return wait_s if 0 <= wait_s < float("inf") else None


async def _refused(response: httpx2.Response) -> None:
    """Raise what an answer that is none means."""
    body = b""
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) >= ERROR_BYTES:
            break
    status, words = response.status_code, error_in(body[:ERROR_BYTES])
    if status in _BUSY:
        raise _BusyError(status, retry_after(response.headers), words)
    kind, retryable = kind_of_status(status)
    raise _FailedError(kind, f"HTTP {status}: {words}", retryable=retryable)


def _headers(spec: ModelSpec) -> dict[str, str]:
    key = os.environ.get(spec.key_env, "") if spec.key_env else ""
    return {"Accept": "text/event-stream", **({"Authorization": f"Bearer {key}"} if key else {})}
