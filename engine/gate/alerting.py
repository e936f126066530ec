"""Alerting put together: who watches the rules, who is told, what rules do, and the topics by which programs listen.

Owner: `Alerting`, of these parts; they run in the engine's TaskGroup once `start` was called.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial

from engine.config import FleetManagerConfig
from engine.coordinator import Coordinator
from engine.gate import Gate
from engine.gate.alert_actions import Actions
from engine.gate.feed import Feed
from engine.gate.history import History
from engine.gate.maintaining import watch
from engine.memory.database import Database
from engine.model.alerts import AlertState, Rule
from engine.model.plans import Origin
from engine.model.reports import Report
from engine.monitoring.alerts.alerter import Alerter, Around
from engine.monitoring.archive import Key
from engine.monitoring.notifying.notifier import Notifier
from engine.monitoring.notifying.sender import Means
from engine.monitoring.topics import Topics
from engine.supervisor import keep_running


class Alerting:
    """The alerter with those who listen to it: the notifier and the actions of rules."""

    def __init__(self, config: FleetManagerConfig, database: Database, means: Means) -> None:
        self._clock = means.clock
        self.topics = Topics(config.name, means.ids, every_s=config.monitoring.metrics_interval_s)
        self.notifier = Notifier(config.alerting, database, config.name, means)

    def connect(self, coordinator: Coordinator, feed: Feed, history: History, operator: Callable[[Origin], Gate], report: Callable[[Report], None]) -> None:
        """Make the alerter, which looks whenever the recorder samples; called once, before `start`."""
        self._coordinator, self._history = coordinator, history
        around = Around(lambda: coordinator.state, report, history.agents.newest, lambda: coordinator.read_only, feed.looked)
        self.alerter = Alerter(around, coordinator.state.at)
        self.actions = Actions(self._rule_of, operator, coordinator.record, self._clock)
        self.alerter.listeners += [self.notifier.take, self.actions.take, self.topics.take]
        self.notifier.runbook_of = self._runbook_of
        self.notifier.changed = feed.told
        feed.notifier, feed.alerter = self.notifier, self.alerter
        history.recorder.watcher = self._sampled
        coordinator.add_publisher(self.alerter.publish)

    def _sampled(self, now: float, values: Mapping[Key, float], durations: Mapping[Key, Sequence[float]]) -> None:
        self.alerter.sampled(now, values, durations)
        self.topics.sampled(now, values)

    def begin(self) -> None:
        """Tell of the alerts that fire what the engine before this one did not get to say."""
        alerts = self._coordinator.state.alerting.alerts.values()
        self.notifier.begin([alert.id for alert in alerts if alert.state is AlertState.FIRING])
        self.alerter.begin(self._clock.now())

    def start(self, group: asyncio.TaskGroup) -> list[asyncio.Task[None]]:
        """Start what works in the background; who calls ends it."""
        kept: dict[str, Callable[[], Awaitable[None]]] = {"notifier": self.notifier.run, "alert actions": self.actions.run}
        if self._history.enabled:
            kept["maintenance"] = partial(watch, self._history)
        return [group.create_task(keep_running(name, run, self._clock), name=name) for name, run in kept.items()]

    async def close(self) -> None:
        """Close the notifier."""
        await self.notifier.close()

    def _rule_of(self, rule: str) -> Rule | None:
        return self._coordinator.state.alerting.rules.get(rule)

    def _runbook_of(self, rule: str) -> str:
        known = self._rule_of(rule)
        return known.runbook if known else ""
