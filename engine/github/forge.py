"""GitHub's REST API as the engine asks it: one request at a time, never sooner than GitHub wants.

Owner: `Forge`, of the client and of the instant before which nothing is asked. githubkit is imported with the first request (0.7 s, in a
thread); its own retries are off, since they would wait without anybody knowing.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.clock import Clock
from engine.github.secrets import read_secret
from engine.model.errors import ConfigError, FleetError
from engine.model.github_config import GitHubSection
from engine.model.secrets import conceal

if TYPE_CHECKING:
    from githubkit import GitHub

LIMITED_LEAST_S = 1.0
LIMITED_UNREAD_S = 60.0
SAID_MAX = 300
NOT_MODIFIED = 304


class ForgeError(FleetError):
    """Something about GitHub failed; `status` is what it answered, 0 = nothing. The message holds no secret."""

    code = "github"

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class LimitedError(ForgeError):
    """GitHub wants to be left alone until an instant of the fleet's clock."""

    def __init__(self, until: float) -> None:
        super().__init__("GitHub's rate limit is used up", 429)
        self.until = until


@dataclass(frozen=True, slots=True)
class Answer:
    """What GitHub answered."""

    data: Any
    etag: str = ""
    is_modified: bool = True
    """False = it is as when the ETag that was asked with was seen; there is no data."""


class Forge:
    """The way to GitHub."""

    def __init__(self, section: GitHubSection, clock: Clock) -> None:
        self._section, self._clock = section, clock
        self._turn = asyncio.Lock()
        self._client: GitHub[Any] | None = None
        self._token = ""
        self.not_before = 0.0
        """GitHub wants nothing to be asked sooner."""

    async def get(self, path: str, *, params: Mapping[str, str | int] | None = None, etag: str = "") -> Answer:
        """Ask for something. Raises ForgeError, LimitedError, ConfigError."""
        return await self._call("GET", path, params=params, headers={"If-None-Match": etag} if etag else None)

    async def post(self, path: str, data: Mapping[str, object]) -> Any:  # noqa: ANN401  # what JSON can say
        """Make something; return it. Raises ForgeError, LimitedError, ConfigError; whether it was made is open when status is 0."""
        return (await self._call("POST", path, json=dict(data))).data

    async def _call(self, method: str, path: str, **settings: Any) -> Answer:  # noqa: ANN401  # passed on
        async with self._turn:
            if self._clock.now() < self.not_before:
                raise LimitedError(self.not_before)
            client = await self._ready()
            return await self._asked(client, method, path, settings)

    async def _asked(self, client: GitHub[Any], method: str, path: str, settings: Mapping[str, Any]) -> Answer:
        from githubkit.exception import GitHubException, RateLimitExceeded, RequestFailed

        try:
            async with asyncio.timeout(self._section.timeout_s):
                found = await client.arequest(method, path.lstrip("/"), **settings)
        except RateLimitExceeded as error:
            self.not_before = self._clock.now() + max(LIMITED_LEAST_S, error.retry_after.total_seconds())
            raise LimitedError(self.not_before) from None
        except ValueError:  # githubkit cannot read when to come back
            self.not_before = self._clock.now() + LIMITED_UNREAD_S
            raise LimitedError(self.not_before) from None
        except RequestFailed as error:
            raise ForgeError(_said(error.response), error.response.status_code) from None
        except TimeoutError:
            raise ForgeError(f"GitHub did not answer within {self._section.timeout_s:g} s") from None
        except GitHubException as error:
            inner = getattr(error, "exc", error)
            raise ForgeError(conceal(f"GitHub cannot be reached: {type(inner).__name__} {inner}"[:SAID_MAX])) from None
        if found.status_code == NOT_MODIFIED:
            return Answer(None, is_modified=False)
        try:
            return Answer(found.json(), found.headers.get("etag", ""))
        except ValueError:
            raise ForgeError("GitHub's answer is no JSON") from None

    async def _ready(self) -> GitHub[Any]:
        """Return a client with the token as it is now. It opens a connection for each request: one that is kept would be of the task that opened it."""
        token = await asyncio.to_thread(read_secret, self._section.token_env, self._section.token_file, "token")
        if self._client is not None and token == self._token:
            return self._client
        try:
            githubkit = await asyncio.to_thread(importlib.import_module, "githubkit")
        except ImportError as error:
            raise ConfigError("the section [github] needs one more package: pip install 'fleet-tui[github]'") from error
        url, timeout = self._section.api_url, self._section.timeout_s
        client: GitHub[Any] = githubkit.GitHub(githubkit.TokenAuthStrategy(token), base_url=url, user_agent="fleet-tui", timeout=timeout, http_cache=False, auto_retry=False)
        self._client, self._token = client, token
        return client


def _said(response: Any) -> str:  # noqa: ANN401  # githubkit's Response
    """Return what GitHub says of a request that failed."""
    try:
        data = response.json()
        words = [str(data.get("message", "")), *(str(one.get("message") or one.get("code", "")) for one in data.get("errors", ()) if isinstance(one, dict))]
    except (ValueError, AttributeError, TypeError):
        words = []
    told = ": ".join(filter(None, words))[:SAID_MAX]
    return conceal(f"GitHub answered {response.status_code}{f', {told}' if told else ''}")
