"""Sends what waits for one channel, one after the other, and waits longer after each failure.

Owner: `Sender`, of the channel's health and of its courier. A channel that fails holds up nobody but itself.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from engine.clock import Clock, IdFactory, Rng
from engine.model.alerting_config import ChannelConfig
from engine.model.notifications import ChannelHealth, Letter, Outcome
from engine.monitoring.notifying.addresses import Address, find_address
from engine.monitoring.notifying.courier import Carrier
from engine.monitoring.notifying.hiding import ALERTMANAGER
from engine.monitoring.notifying.outbox import Outbox
from engine.monitoring.notifying.routing import Route

logger = logging.getLogger(__name__)

RETRY_MAX_S = 600.0
RETRY_AFTER_MAX_S = 3_600.0
"""Longest that a receiver may have us wait."""
JITTER = 0.2
"""Share by which pauses differ, so that not all come back at once."""
IDLE_S = 20.0
"""The courier's process ends after so long without work."""


@dataclass(frozen=True, slots=True)
class Means:
    """Time, chance and ids: what it gets from outside."""

    clock: Clock
    rng: Rng
    ids: IdFactory
    ways: Callable[[], Mapping[str, str]] = dict
    """Scheme of a channel's URL -> `module:function` of a plug-in that delivers there."""


class Sender:
    """One channel."""

    def __init__(self, channel: ChannelConfig, route: Route, outbox: Outbox, courier: Carrier, means: Means) -> None:
        self.channel = channel
        self.route = route
        self.health = ChannelHealth()
        self._outbox = outbox
        self._courier = courier
        self._clock = means.clock
        self._rng = means.rng
        self._news = asyncio.Event()
        self.address = Address(lacks="its address was not looked up yet")
        self.changed: Callable[[], None] = lambda: None
        """Called when its health is another."""

    def wake(self) -> None:
        """Have it look for letters again."""
        self._news.set()

    async def run(self) -> None:
        """Send until cancelled."""
        try:
            await self._find()
            while True:
                letter = await self._next()
                await self._send(letter)
        finally:
            await self._courier.close(at_once=True)

    async def _find(self) -> None:
        """Look up the address, which may have changed."""
        self.address = await find_address(self.channel)
        self.route.keeps_state = self.address.scheme in ALERTMANAGER
        self.changed()

    async def _next(self) -> Letter:
        """Wait for a letter that is due."""
        while True:
            self._news.clear()
            letter = next(self._outbox.waiting(self.channel.name), None)
            now = self._clock.now()
            due_at = max(letter.due_at, self.health.not_before) if letter else now + IDLE_S
            if letter is not None and due_at <= now:
                return letter
            try:
                async with asyncio.timeout(due_at - now):
                    await self._news.wait()
            except TimeoutError:
                if letter is None:
                    await self._courier.close()
                    await self._news.wait()

    async def _send(self, letter: Letter) -> None:
        notification = self._outbox.begin(letter)
        try:
            await self._find()
            outcome = await self._courier.deliver(self.address, notification, self.channel.deadline_s)
        except BaseException:
            self._outbox.let_go(letter)
            raise
        now = self._clock.now()
        if outcome.error:
            self._failed(letter, outcome, now)
        else:
            self.health.sent, self.health.failures, self.health.not_before, self.health.last_sent_at = self.health.sent + 1, 0, 0.0, now
            self._outbox.delivered(letter, now)
        self.changed()

    def _failed(self, letter: Letter, outcome: Outcome, now: float) -> None:
        health = self.health
        if not health.failures:
            logger.warning("a channel fails", extra={"channel": self.channel.name, "reason": outcome.error})
        health.failures += 1
        health.last_error, health.last_error_at = outcome.error, now
        if outcome.is_final or letter.attempts >= self.channel.retries:
            logger.error("a notification is parked", extra={"channel": self.channel.name, "notification": letter.notification.id, "reason": outcome.error})
            self._outbox.park(letter, outcome.error, now)
            return
        pause_s = pause_after(health.failures, self.channel.retry_s, outcome.retry_after_s, self._rng)
        health.not_before = now + pause_s
        self._outbox.postpone(letter, outcome.error, now + pause_s)


def pause_after(failures: int, first_s: float, asked_s: float, rng: Rng) -> float:
    """Return how long to wait after some failures in a row: twice as long each time, never less than the receiver asks."""
    pause_s = min(RETRY_MAX_S, first_s * 2.0 ** min(failures - 1, 30))
    return max(pause_s * (1 + JITTER * rng.random()), min(asked_s, RETRY_AFTER_MAX_S))
