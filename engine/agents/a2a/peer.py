"""Calls of an agent of the Agent2Agent protocol 1.0: JSON-RPC over HTTP, and the stream of a task.

Owner: nobody. Limits: BODY_MAX_BYTES of an answer, EVENT_MAX_BYTES of an event that is read. Redirects are not followed: the token goes to the configured place alone.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import msgspec

from engine.agents.a2a.shapes import VERSION, calls_url, card_url, tells_state
from engine.agents.http_agents import RefusedError
from engine.agents.openai.answers import error_in
from engine.agents.printed import kind_of_status
from engine.agents.sessions.fields import table, text_of
from engine.agents.sessions.lines import Lines, cut
from engine.model import wire
from engine.model.plain import NOT_JSON, require_shallow
from engine.model.pools import A2aSpec
from engine.model.shielding import shield

if TYPE_CHECKING:
    import httpx2

BODY_MAX_BYTES = 16 << 20
EVENT_MAX_BYTES = 64 << 10
ERROR_BYTES = 64 * 1024
ANSWER_S = 60.0
_BUSY = frozenset({429, 502, 503, 504, 529})
_NO_TASK, _INVALID = -32001, -32602


class AwayError(Exception):
    """It does not answer now; the same call may be answered later."""


class Peer:
    """One agent, as its pool has it."""

    def __init__(self, client: httpx2.AsyncClient, spec: A2aSpec) -> None:
        self._client = client
        self._spec = spec
        self._url = ""
        self._calls = 0
        self.streams = False
        """Its card says that tasks can be followed by a stream; known after the first call."""

    async def call(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """Return the result of a call. Raises RefusedError, AwayError."""
        if not self._url:
            place = card_url(self._spec.url)
            card = await self._ask("GET", place)
            self._url = calls_url(card, place)
            self.streams = table(card, "capabilities").get("streaming") is True
        answer = await self._ask("POST", self._url, self._body(method, params))
        error = table(answer, "error")
        if error:
            code = error.get("code")
            words = cut(shield(text_of(error, "message")), 500) or shield(f"error {code}")
            raise RefusedError("lost" if code == _NO_TASK else "agent", f"{method}: {words}", retryable=code != _INVALID)
        return table(answer, "result")

    async def events(self, task: str) -> AsyncIterator[None]:
        """Yield whenever the stream of a task tells of its state; what it is, GetTask says. Raises AwayError when the stream breaks, or is refused."""
        import httpx2  # noqa: PLC0415  # only fleets with such pools have it

        lines, headers = Lines(EVENT_MAX_BYTES), {**self._headers(), "Accept": "text/event-stream"}
        try:
            async with self._client.stream("POST", self._url, content=self._body("SubscribeToTask", {"id": task}), headers=headers, timeout=self._times()) as response:
                if response.status_code != 200 or not response.headers.get("content-type", "").startswith("text/event-stream"):  # noqa: PLR2004  # OK
                    raise AwayError(f"no stream: HTTP {response.status_code}")
                async for chunk in response.aiter_bytes():
                    for line in lines.feed(chunk):
                        # What is too long to read may tell it as well.
                        if line.left_out or tells_state(line.data):
                            yield
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise AwayError(f"{type(error).__name__}: {error}".removesuffix(": ")) from error

    def _body(self, method: str, params: dict[str, Any]) -> bytes:
        self._calls += 1
        return wire.encode({"jsonrpc": "2.0", "id": self._calls, "method": method, "params": params})

    def _headers(self) -> dict[str, str]:
        token = os.environ.get(self._spec.token_env, "") if self._spec.token_env else ""
        return {"A2A-Version": VERSION, "Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}

    def _times(self) -> httpx2.Timeout:
        import httpx2  # noqa: PLC0415  # only fleets with such pools have it

        return httpx2.Timeout(self._spec.connect_timeout_s, read=ANSWER_S)

    async def _ask(self, method: str, url: str, body: bytes | None = None) -> dict[str, Any]:
        """Return the object of an answer. Raises RefusedError, AwayError."""
        import httpx2  # noqa: PLC0415  # only fleets with such pools have it

        data = b""
        try:
            async with self._client.stream(method, url, content=body, headers=self._headers(), timeout=self._times()) as response:
                async for chunk in response.aiter_bytes():
                    data += chunk
                    if len(data) > BODY_MAX_BYTES:
                        raise RefusedError("protocol", f"it answers more than {BODY_MAX_BYTES:,} bytes", retryable=False)
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise AwayError(f"{type(error).__name__}: {error}".removesuffix(": ")) from error
        return _read(response.status_code, data)


def _read(status: int, data: bytes) -> dict[str, Any]:
    """Return the object of a body. Raises RefusedError, AwayError."""
    if status in _BUSY:
        raise AwayError(f"HTTP {status}: {error_in(data[:ERROR_BYTES])}")
    if status != 200:  # noqa: PLR2004  # OK
        kind, retryable = kind_of_status(status)
        raise RefusedError(kind, f"HTTP {status}: {error_in(data[:ERROR_BYTES])}", retryable=retryable)
    try:
        require_shallow(data)
        said = msgspec.json.decode(data)
    except NOT_JSON:
        said = None
    if not isinstance(said, dict):
        raise RefusedError("protocol", "what it answers is no object of JSON", retryable=False)
    return said
