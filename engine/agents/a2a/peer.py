"""Calls of an agent of the Agent2Agent protocol 1.0: JSON-RPC over HTTP.

Owner: nobody. Limits: BODY_MAX_BYTES of an answer. Redirects are not followed: the token goes to the configured place alone.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import msgspec

from engine.agents.a2a.shapes import VERSION, calls_url, card_url
from engine.agents.http_agents import RefusedError
from engine.agents.openai.answers import error_in
from engine.agents.printed import kind_of_status
from engine.agents.sessions.fields import table, text_of
from engine.agents.sessions.lines import clean, cut
from engine.model import wire
from engine.model.plain import NOT_JSON, require_shallow
from engine.model.pools import A2aSpec

if TYPE_CHECKING:
    import httpx2

BODY_MAX_BYTES = 16 << 20
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

    async def call(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """Return the result of a call. Raises RefusedError, AwayError."""
        if not self._url:
            card = card_url(self._spec.url)
            self._url = calls_url(await self._ask("GET", card), card)
        self._calls += 1
        answer = await self._ask("POST", self._url, wire.encode({"jsonrpc": "2.0", "id": self._calls, "method": method, "params": params}))
        error = table(answer, "error")
        if error:
            code = error.get("code")
            words = cut(clean(text_of(error, "message")), 500) or f"error {code}"
            raise RefusedError("lost" if code == _NO_TASK else "agent", f"{method}: {words}", retryable=code != _INVALID)
        return table(answer, "result")

    async def _ask(self, method: str, url: str, body: bytes | None = None) -> dict[str, Any]:
        """Return the object of an answer. Raises RefusedError, AwayError."""
        import httpx2  # noqa: PLC0415  # only fleets with such pools have it

        token = os.environ.get(self._spec.token_env, "") if self._spec.token_env else ""
        headers = {"A2A-Version": VERSION, "Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
        times = httpx2.Timeout(self._spec.connect_timeout_s, read=ANSWER_S)
        data = b""
        try:
            async with self._client.stream(method, url, content=body, headers=headers, timeout=times) as response:
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
        raise AwayError(f"HTTP {status}: {error_in(data[:4096])}")
    if status != 200:  # noqa: PLR2004  # OK
        kind, retryable = kind_of_status(status)
        raise RefusedError(kind, f"HTTP {status}: {error_in(data[:4096])}", retryable=retryable)
    try:
        require_shallow(data)
        said = msgspec.json.decode(data)
    except NOT_JSON:
        said = None
    if not isinstance(said, dict):
        raise RefusedError("protocol", "what it answers is no object of JSON", retryable=False)
    return said
