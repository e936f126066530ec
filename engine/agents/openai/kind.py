"""Agents of kind `openai`: each task is one question to a model over HTTP, answered in pieces.

Owner: the buckets of the providers' keys, beside what all HttpAgents own. Limits: ANSWER_MAX_BYTES of a body, ERROR_BYTES of one that
says what is wrong.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from engine.agents.commands import CommandPlaces, prompt_of
from engine.agents.http_agents import Ending, HttpAgents, HttpRun, RefusedError
from engine.agents.openai.answers import Answer, error_in
from engine.agents.openai.buckets import Bucket
from engine.agents.printed import kind_of_status
from engine.agents.processes.child_process import ProcessHost
from engine.agents.runtime import Reporter
from engine.clock import Clock, IdFactory
from engine.model.effects import Assignment
from engine.model.pools import OPENAI, ModelSpec, PoolSpec
from engine.model.shielding import shield

if TYPE_CHECKING:
    import httpx2

ANSWER_MAX_BYTES = 16 << 20
ERROR_BYTES = 64 * 1024
_BUSY = frozenset({429, 503, 529})

class _BusyError(Exception):
    """The provider has too much; `after_s` is how long to wait, None = it did not say."""

    def __init__(self, status: int, after_s: float | None, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.after_s = after_s


class _Run(HttpRun[ModelSpec]):
    """A task under way."""

    def __init__(self, assignment: Assignment, spec: ModelSpec, began: float) -> None:
        super().__init__(assignment, spec, began)
        self.answer = Answer()


class ModelAgents(HttpAgents[ModelSpec, _Run]):
    """Asks models, which ask nothing."""

    KIND = OPENAI

    def __init__(self, report: Reporter, host: ProcessHost, ids: IdFactory, clock: Clock, places: CommandPlaces) -> None:
        super().__init__(report, host, ids, clock, places)
        self._buckets: dict[tuple[str, str], Bucket] = {}

    def _ready(self, pool: PoolSpec) -> ModelSpec | str:
        if pool.openai is None:
            return f"pool {pool.name} names no model"
        if importlib.util.find_spec("httpx2") is None:
            return f"models over HTTP need the package httpx2; install fleet-tui[openai] and restart {self._places.named}"
        if pool.openai.key_env and not os.environ.get(pool.openai.key_env):
            return f"the environment of {self._places.named} has no {pool.openai.key_env}; set it and restart {self._places.named}, or pools.{pool.name}.openai.key_env"
        return pool.openai

    def _run_of(self, assignment: Assignment, spec: ModelSpec) -> _Run:
        return _Run(assignment, spec, self._clock.now())

    def _progress_of(self, run: _Run) -> tuple[str, str]:
        return f"{len(run.answer.text):,} characters", ""

    async def _hang_up(self, run: _Run) -> str:
        del run
        return "it was hung up"

    async def _work(self, client: httpx2.AsyncClient, run: _Run) -> None:
        """Ask until there is an answer; while the provider has too much, all who use the key wait. Raises RefusedError."""
        spec = run.spec
        bucket = self._buckets.setdefault((spec.base_url, spec.key_env), Bucket(self._clock, spec.parallel))
        until = self._clock.now() + spec.wait_max_s
        while True:
            if bucket.opens_at > until:
                raise RefusedError("rate_limit", run.trouble or f"the provider's key is not let in within {spec.wait_max_s:g} s", retryable=True)
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
                    raise RefusedError("rate_limit", run.trouble, retryable=True) from busy
            finally:
                bucket.leave()

    async def _ask(self, client: httpx2.AsyncClient, run: _Run) -> None:
        """Ask once. Raises _BusyError, RefusedError."""
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
            raise RefusedError("api_error", f"{spec.base_url}: {type(error).__name__}: {error}".removesuffix(": "), retryable=True) from error
        if (wrong := run.answer.failure()) is not None:
            raise RefusedError(*wrong, retryable=wrong[0] == "api_error")

    async def _hear(self, response: httpx2.Response, run: _Run) -> None:
        heard = 0
        async for chunk in response.aiter_bytes():
            heard += len(chunk)
            if heard > ANSWER_MAX_BYTES:
                raise RefusedError("protocol", f"the answer has more than {ANSWER_MAX_BYTES:,} bytes", retryable=False)
            run.note(run.answer.feed(chunk))
            run.heard_at, run.trouble = self._clock.now(), ""

    def _close(self, run: _Run, failure: RefusedError | None) -> Ending:
        answer = run.answer
        model = answer.model or run.spec.model
        result: dict[str, object] = {"text": shield(answer.text), "model": model} if answer.text or failure is None else {}
        return Ending(result, answer.usage, {model: answer.usage} if answer.usage else {})


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
    raise RefusedError(kind, f"HTTP {status}: {words}", retryable=retryable)


def _headers(spec: ModelSpec) -> dict[str, str]:
    key = os.environ.get(spec.key_env, "") if spec.key_env else ""
    return {"Accept": "text/event-stream", **({"Authorization": f"Bearer {key}"} if key else {})}
