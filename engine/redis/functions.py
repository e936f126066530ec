"""The functions of the journal on a server: what must happen there in one step. The library is loaded when it is missing.

Owner: nobody; what is loaded is the server's. A library's name is made from its text, so that engines of two versions have each
its own, and one that a fail-over or a FUNCTION FLUSH took away is loaded again by the call that misses it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any

from redis.asyncio import RedisCluster
from redis.asyncio.cluster import ClusterPipeline
from redis.exceptions import AskError, ResponseError

from engine.model.errors import RedisAway
from engine.redis.connecting import Client
from engine.redis.link import RedisLink

Word = str | bytes | int | float


@cache
def library() -> tuple[str, str]:
    """Return the name of the library and its text."""
    text = files(__package__).joinpath("functions.lua").read_text(encoding="utf-8")
    name = f"fleet_{sha256(text.encode()).hexdigest()[:8]}"
    return name, text.replace("LIBRARY", name)


class Functions:
    """Calls of the library's functions."""

    def __init__(self, link: RedisLink) -> None:
        self._link = link

    async def call(self, name: str, keys: Sequence[str], *words: Word, timeout_s: float) -> list[Any]:
        """Call a function once and return its answer. Raises RedisAway, RedisRefused. Safe to cancel: it happens, or not."""
        async with self._link.using() as client, asyncio.timeout(timeout_s):
            call = _call(name, keys, words)
            options = await _place_of(client, keys[0])
            try:
                return _answer(await client.execute_command(*call, **options))
            except ResponseError as error:
                if not _is_missing(error):
                    raise
            await _load(client, options)
            return _answer(await client.execute_command(*call, **options))

    async def call_replicated(self, name: str, keys: Sequence[str], *words: Word, wait_s: float, timeout_s: float) -> tuple[list[Any], int]:
        """Call a function and wait up to `wait_s` until a replica has what it wrote; return its answer and how many replicas have it.

        Raises RedisAway, RedisRefused. The server counts what came by the connection that asks, so both go by one.
        """
        async with self._link.using() as client, asyncio.timeout(timeout_s):
            call, wait = _call(name, keys, words), ("WAIT", 1, max(1, int(1_000 * wait_s)))
            options = await _place_of(client, keys[0])
            answer, replicas = await _together(client, options, call, wait)
            if _is_missing(answer):
                await _load(client, options)
                answer, replicas = await _together(client, options, call, wait)
            for part in (answer, replicas):
                if isinstance(part, Exception):
                    if options:
                        await client.exists(keys[0])  # a call by which the client sees that a slot moved or a node is gone
                    raise RedisAway(f"redis: {keys[0]} moves to another node") if isinstance(part, AskError) else part
            return _answer(answer), int(replicas)


def _call(name: str, keys: Sequence[str], words: Sequence[Word]) -> tuple[Word, ...]:
    return ("FCALL", f"{library()[0]}_{name}", len(keys), *keys, *words)


def _answer(answer: list[Any]) -> list[Any]:
    """Return an answer with texts for bytes, also in the arrays in it."""
    return [part.decode() if isinstance(part, bytes) else _answer(part) if isinstance(part, list) else part for part in answer]


def _is_missing(answer: object) -> bool:
    return isinstance(answer, ResponseError) and "function not found" in str(answer).lower()


async def _place_of(client: Client, key: str) -> dict[str, Any]:
    """Return the options that send a call to where a key lives.

    Left alone, the cluster client would ask a node for the keys of each call of a function, with all of its words, and go
    on asking that node when it is dead.
    """
    if not isinstance(client, RedisCluster):
        return {}
    await client.initialize()
    return {"target_nodes": client.get_node_from_key(key)}


async def _load(client: Client, options: Mapping[str, Any]) -> None:
    """Load the library where a call goes; replicas have it from there."""
    await client.execute_command("FUNCTION LOAD", "REPLACE", library()[1], **options)


async def _together(client: Client, options: Mapping[str, Any], *calls: tuple[Word, ...]) -> list[Any]:
    """Send commands by one connection and return their answers, errors among them."""
    async with client.pipeline(transaction=False) as pipe:
        for call in calls:
            pipe.execute_command(*call, **options)
        if isinstance(pipe, ClusterPipeline):
            # Sent on to another node, the two would go by different connections.
            return await pipe.execute(raise_on_error=False, allow_redirections=False)
        return await pipe.execute(raise_on_error=False)
