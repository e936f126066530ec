"""Figures and alerts as messages by topic, for listeners in the process; one of them tells Redis, where there is one.

Owner: `Topics`, of the listeners' backlogs, BACKLOG_MAX messages each. Nothing of it is kept: a listener that is too slow loses the
oldest, which is counted. Who must not miss an alert reads the events, or has a channel. Where nobody listens no message is made.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from enum import StrEnum

from engine.clock import IdFactory
from engine.model.alert_words import Severity
from engine.model.alerts import Alert, Transition
from engine.model.ids import MESSAGE_PREFIX, MessageId
from engine.model.swarm_mail import CoordinationMessage
from engine.model.swarm_words import Priority
from engine.monitoring.archive import Key

BACKLOG_MAX = 1_000
_URGENCY = {Severity.CRITICAL: Priority.CRITICAL, Severity.WARNING: Priority.HIGH, Severity.INFO: Priority.NORMAL}


class Topic(StrEnum):
    """What can be listened to; the names are the seeds' (seed A 4.2), and those of the channels of Redis."""

    METRICS = "performance:metrics"
    """The newest sample: `fleet`, and `pools` by their names, each with its figures by metric."""
    ALERTS = "performance:alerts"
    """An alert that changed."""


class Listener:
    """One listener's backlog; iterating gives topics and messages in their order, until the context is left."""

    def __init__(self, topics: frozenset[Topic]) -> None:
        self.topics = topics
        self.dropped = 0
        """Messages left out because this listener was too slow."""
        self._waiting: deque[tuple[Topic, CoordinationMessage]] = deque(maxlen=BACKLOG_MAX)
        self._news = asyncio.Event()

    def put(self, topic: Topic, message: CoordinationMessage) -> None:
        """Add a message; the oldest goes when there are too many."""
        self.dropped += len(self._waiting) == BACKLOG_MAX
        self._waiting.append((topic, message))
        self._news.set()

    async def __aiter__(self) -> AsyncIterator[tuple[Topic, CoordinationMessage]]:
        """Give what there is, and wait for more."""
        while True:
            await self._news.wait()
            self._news.clear()
            while self._waiting:
                yield self._waiting.popleft()


class Topics:
    """Makes the messages, and hands them out."""

    def __init__(self, fleet: str, ids: IdFactory, *, every_s: float) -> None:
        """`every_s`: how often figures are told of; they are sampled once a second."""
        self._fleet = fleet
        self._ids = ids
        self._every_s = every_s
        self._told_at = 0.0
        self._listeners: set[Listener] = set()

    @asynccontextmanager
    async def listen(self, *topics: Topic) -> AsyncIterator[Listener]:
        """Listen to some topics; leaving the context ends it."""
        listener = Listener(frozenset(topics))
        self._listeners.add(listener)
        try:
            yield listener
        finally:
            self._listeners.discard(listener)

    def sampled(self, now: float, values: Mapping[Key, float]) -> None:
        """Take the figures of a second."""
        if 0 <= now - self._told_at < self._every_s - 0.5 or not self._is_heard(Topic.METRICS):
            return
        self._told_at = now
        fleet: dict[str, float] = {}
        pools: dict[str, dict[str, float]] = {}
        for (metric, label), value in values.items():
            (pools.setdefault(label, {}) if label else fleet)[metric] = value
        self._tell(Topic.METRICS, {"fleet": fleet, "pools": pools}, now, Priority.LOW)

    def take(self, transitions: Sequence[Transition], now: float) -> None:
        """Take alerts that changed."""
        if self._is_heard(Topic.ALERTS):
            for alert, before in transitions:
                if alert != before:
                    self._tell(Topic.ALERTS, _told(alert), now, _URGENCY[alert.severity])

    def _is_heard(self, topic: Topic) -> bool:
        return any(topic in listener.topics for listener in self._listeners)

    def _tell(self, topic: Topic, payload: dict[str, object], now: float, priority: Priority) -> None:
        kind = topic.value.replace(":", "_")
        message = CoordinationMessage(MessageId(self._ids.new(MESSAGE_PREFIX)), kind, self._fleet, "", payload, now, priority)
        for listener in self._listeners:
            if topic in listener.topics:
                listener.put(topic, message)


def _told(alert: Alert) -> dict[str, object]:
    return {
        "id": alert.id, "rule": alert.rule, "state": alert.state.value, "severity": alert.severity.value, "labels": dict(alert.labels), "value": alert.value,
        "message": alert.message, "began_at": alert.since, "fired_at": alert.fired_at, "resolved_at": alert.resolved_at, "acked_by": alert.acked_by,
        "silenced_by": alert.silenced_by, "explained_by": alert.inhibited_by,
    }  # fmt: skip
