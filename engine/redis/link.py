"""The engine's link to Redis: calls with deadlines, the server's health, and its return.

Owner: `RedisLink`, of the client, the private server if there is one, and what is known of the server's health. Limits: one
probe at a time, every PROBE_S; a call waits at most the deadline it names.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

from engine.clock import Clock
from engine.model.errors import FleetError, RedisAway, RedisRefused
from engine.model.redis_config import EMBEDDED, RedisSection
from engine.model.redis_health import RedisHealth
from engine.redis.connecting import Client, close_client, make_client
from engine.redis.embedded import EmbeddedServer
from engine.redis.failures import ERRORS, explain, is_late
from engine.redis.targets import Mode, target_of

logger = logging.getLogger(__name__)

VERSION_LEAST = (7, 0)
PROBE_S = 1.0
PROBE_AWAY_S = 0.25
"""While it is away: whoever waits for it goes on within this and a connection."""
PROBES_LOST = 2
"""Probes without an answer after which a server that says nothing is away; an error counts at once."""


class RedisLink:
    """Calls to a server, and whether it is there."""

    def __init__(self, section: RedisSection, root: Path, clock: Clock, environment: Mapping[str, str] = os.environ) -> None:
        """Settle which server is meant. Raises ConfigError, EngineStartError."""
        self.section = section
        self._clock = clock
        self.server = EmbeddedServer(root, clock, program=section.server) if section.url == EMBEDDED else None
        self.target = target_of(section, environment, self.server.socket if self.server else None)
        self._client: Client | None = None
        self._anywhere: dict[str, Any] = {"target_nodes": "random"} if self.target.mode is Mode.CLUSTER else {}
        self._is_checked = False
        self._lost = 0
        self.health = RedisHealth(str(self.target), self.target.mode)

    # ---- life

    async def open(self) -> None:
        """Start the private server, connect, and see that the server will do.

        Raises RedisRefused and EngineStartError; RedisAway only where the configuration does not allow to start without it.
        """
        if self.server is not None:
            await self.server.start()
        try:
            self._client = make_client(self.target, self.section)
        except OSError as error:
            raise RedisRefused(f"redis.tls: the certificates cannot be used ({error}); correct the paths") from error
        try:
            await self._probe()
        except RedisAway as error:
            self._note_away(str(error))
            if not self.section.lazy_connect:
                raise

    async def run(self) -> None:
        """Look after the server until cancelled."""
        async with asyncio.TaskGroup() as group:
            if self.server is not None:
                group.create_task(self.server.run(), name="redis server")
            while True:
                await self._clock.sleep(PROBE_S if self.health.is_up else PROBE_AWAY_S)
                try:
                    await self._probe()
                except FleetError as error:
                    self._note_lost(error)

    async def close(self) -> None:
        """Leave; end the private server."""
        client, self._client = self._client, None
        if client is not None:
            with contextlib.suppress(*ERRORS):
                await close_client(client)
        if self.server is not None:
            await self.server.stop()

    # ---- calls

    @property
    def is_open(self) -> bool:
        """Answer whether it was opened; it may be away all the same."""
        return self._client is not None

    @property
    def is_up(self) -> bool:
        """Answer whether the server was there when it was last asked."""
        return self.health.is_up

    async def command(self, *words: str | bytes | float, deadline_s: float | None = None) -> Any:  # noqa: ANN401  # as the server answers
        """Run a command once. Raises RedisAway, at once while the server is away, and RedisRefused. Safe to cancel."""
        if not self.health.is_up:
            raise RedisAway(self.health.reason or f"redis at {self.target} has not answered yet")
        return await self._call(words, deadline_s or self.section.command_timeout_s)

    async def call(self, *words: str | bytes | float) -> Any:  # noqa: ANN401  # as the server answers
        """Run a command once, whatever is known of the server. Raises RedisAway, RedisRefused. Safe to cancel."""
        return await self._call(words, self.section.command_timeout_s)

    async def repeatable(self, *words: str | bytes | float) -> Any:  # noqa: ANN401  # as the server answers
        """Run a command that does no harm when it runs twice; asks again a few times. Raises RedisAway, RedisRefused."""
        for left in range(self.section.max_retries_per_request, -1, -1):
            try:
                return await self._call(words, self.section.command_timeout_s)
            except RedisAway:
                if not left:
                    raise
            await self._clock.sleep(self.section.retry_delay_on_failover_s)
        raise AssertionError("the last attempt returns or raises")

    @contextlib.asynccontextmanager
    async def using(self) -> AsyncIterator[Client]:
        """Give the client itself, for pipelines and scripts; what it raises becomes RedisAway or RedisRefused."""
        if self._client is None:
            raise RedisAway(f"redis at {self.target} is not open")
        task = asyncio.current_task()
        assert task is not None
        cancelled = task.cancelling()
        try:
            yield self._client
        except ERRORS as error:
            if task.cancelling() > cancelled:
                raise asyncio.CancelledError from error  # a cancelled call may end as a broken connection
            self._fail(error)
        if task.cancelling() > cancelled:
            # The client sends by asyncio.wait_for, which before Python 3.12 loses a cancellation that comes as it ends.
            raise asyncio.CancelledError

    async def _call(self, words: tuple[str | bytes | float, ...], deadline_s: float) -> Any:  # noqa: ANN401  # as the server answers
        async with self.using() as client:
            async with asyncio.timeout(deadline_s):
                return await client.execute_command(*words)

    def _fail(self, error: BaseException) -> NoReturn:
        raise explain(error, self.target) from error

    # ---- health

    async def _probe(self) -> None:
        """Ask the server how it is. Raises RedisAway, RedisRefused."""
        async with self.using() as client, asyncio.timeout(self.section.connect_timeout_s + self.section.command_timeout_s):
            version = self.health.version if self._is_checked else await self._check(client)
            rtt_s = await self._ping(client)
        self._note_up(version, rtt_s)

    async def round_trip(self) -> float:
        """Return how many seconds the server takes to answer, asked now. Raises RedisAway, RedisRefused. Safe to cancel."""
        async with self.using() as client, asyncio.timeout(self.section.command_timeout_s):
            return await self._ping(client)

    async def _ping(self, client: Client) -> float:
        began = self._clock.now()
        await client.ping(**self._anywhere)
        return self._clock.now() - began

    async def _check(self, client: Client) -> str:
        """Return the server's version after a look at whether it will do. Raises RedisAway, RedisRefused."""
        found = await client.info("server", **self._anywhere)
        version = str(found.get("redis_version", ""))
        if tuple(int(part) for part in version.split(".")[:2] if part.isdigit()) < VERSION_LEAST:
            raise RedisRefused(f"redis at {self.target} has version {version or 'unknown'}; 7.0 or newer is needed, or Valkey")
        if self.target.mode is Mode.CLUSTER and self.section.cluster and self.section.cluster.enable_ready_check:
            state = await client.execute_command("CLUSTER INFO", **self._anywhere)
            if state.get("cluster_state") != "ok":
                raise RedisAway(f"redis: {self.target} does not serve all its slots; CLUSTER INFO says which")
        self._is_checked = True
        return f"Valkey {found['valkey_version']}" if "valkey_version" in found else f"Redis {version}"

    def _note_up(self, version: str, rtt_s: float) -> None:
        was_up, self._lost = self.health.is_up, 0
        since_at = self.health.since_at if was_up else self._clock.now()
        self.health = RedisHealth(str(self.target), self.target.mode, True, since_at, "", version, rtt_s)  # noqa: FBT003  # the field
        if not was_up:
            logger.info("redis answers", extra={"where": self.health.where, "version": version})

    def _note_lost(self, error: FleetError) -> None:
        self._lost += 1
        if self._lost >= PROBES_LOST or not is_late(error.__cause__):
            self._note_away(str(error))

    def _note_away(self, reason: str) -> None:
        health = self.health
        is_news = health.is_up or not health.reason
        since_at = self._clock.now() if is_news else health.since_at
        self.health = RedisHealth(health.where, health.mode, since_at=since_at, reason=reason, version=health.version)
        self._is_checked = False
        if is_news:
            logger.warning("redis is away", extra={"reason": reason})
