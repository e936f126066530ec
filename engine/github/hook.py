"""The webhook: what GitHub says of news is believed when it is signed with the secret, and heard once.

Owner: nobody but the deliveries under way, so that two of the same id at once are one.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from engine.github.items import Item, ItemError, item_of
from engine.github.secrets import read_secret
from engine.model.errors import ConfigError, FleetError
from engine.model.github_config import GitHubSection

logger = logging.getLogger(__name__)

PATH = "/github/webhook"
_SIGNATURE = re.compile(r"sha256=([0-9a-f]{64})")
_DELIVERY = re.compile(r"[0-9A-Za-z._-]{1,64}")
_NEWS = {"issues": "issue", "pull_request": "pull_request"}
"""Event -> where its payload has the thing."""
_ACTIONS = frozenset({"opened", "reopened", "labeled", "edited"})

Reply = tuple[int, str]
"""Status and a sentence."""


def is_signed(secret: str, body: bytes, signature: str) -> bool:
    """Answer whether a body was signed with the secret, in constant time."""
    shown = _SIGNATURE.fullmatch(signature)
    wanted = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(wanted, shown.group(1) if shown else "")


class Hook:
    """Hears GitHub."""

    def __init__(self, section: GitHubSection, take: Callable[[Item], Awaitable[str]], once: Callable[[str], Awaitable[bool]], done: Callable[[str], Awaitable[None]]) -> None:
        """`take` makes an item a task and says which; `once` tells whether a delivery is new, `done` that it was dealt with."""
        self._section, self._take, self._once, self._done = section, take, once, done
        self._names = {repository.name.lower(): repository.name for repository in section.repositories}
        self._under_way: set[str] = set()

    async def __call__(self, headers: Mapping[bytes, str], body: bytes) -> Reply:
        """Return what is answered to a request, whose body was read; raises nothing."""
        try:
            return await self._heard(headers, body)
        except ConfigError as error:
            logger.error("the webhook has no secret", extra={"reason": str(error)})  # noqa: TRY400  # expected, no traceback
            return 503, "this engine cannot check signatures now"
        except FleetError as error:
            logger.warning("news of GitHub is not taken in", extra={"reason": str(error)})
            return 503, "this engine does not take it in now; send it again"

    async def _heard(self, headers: Mapping[bytes, str], body: bytes) -> Reply:
        secret = read_secret(self._section.webhook_secret_env, self._section.webhook_secret_file, "secret of the webhook")
        if not is_signed(secret, body, headers.get(b"x-hub-signature-256", "")):
            return 401, "the signature is none of this fleet's secret"
        delivery, event = headers.get(b"x-github-delivery", ""), headers.get(b"x-github-event", "")
        if not _DELIVERY.fullmatch(delivery):
            return 400, "no X-GitHub-Delivery"
        if delivery in self._under_way or not await self._once(delivery):
            return 409, "this delivery was heard before"
        self._under_way.add(delivery)
        try:
            reply = await self._news(event, body)
            await self._done(delivery)
        finally:
            self._under_way.discard(delivery)
        return reply

    async def _news(self, event: str, body: bytes) -> Reply:
        if event == "ping":
            return 200, "pong"
        if event not in _NEWS:
            return 202, f"nothing is done about {event[:40]!r}"
        try:
            item = self._item(json.loads(body), _NEWS[event])
        except (ItemError, ValueError, RecursionError) as error:
            return 400, f"the payload is none of {event}: {str(error)[:200]}"
        if item is None or not item.is_open:
            return 202, "nothing is done about this"
        task = await self._take(item)
        return (200, f"task {task}") if task else (202, "it has none of the labels, or is a task already")

    def _item(self, data: Any, name: str) -> Item | None:  # noqa: ANN401  # what JSON can say
        """Return what the news is about; None = it is none of ours. Raises ItemError."""
        try:
            repository, action, thing = data["repository"]["full_name"], data["action"], data[name]
        except (KeyError, TypeError) as error:
            raise ItemError(f"it has no {error}") from error
        known = self._names.get(repository.lower()) if isinstance(repository, str) else None
        if known is None or action not in _ACTIONS:
            return None
        return item_of(known, thing, is_pull=name == "pull_request" or "pull_request" in thing)
