"""The seeds' FleetMonitor for programs that embed the engine: how every metric reads now, and how it came about.

It works on a fleet that is given, or on one of its own between initialize() and shutdown(). Values are as `fleet-tui metrics` shows
them; None = not known.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

from engine.fleet import FleetManager
from engine.gate.history import History
from engine.library import Manager
from engine.library_alerts import AlertManager
from engine.model.errors import UsageError
from engine.model.metrics import CATALOGUE, Group, Label, Span, Trend, find_metric
from engine.model.quantities import seconds
from engine.model.wire import nearest, to_plain
from engine.monitoring.topics import Listener, Topic
from engine.scaling.policies import find_pool


class FleetMonitor(Manager):
    """What is measured. `config` is the section monitoring of a fleet's configuration."""

    def __init__(self, config: Mapping[str, Any] | None = None, *, fleet: FleetManager | None = None) -> None:
        """Take a fleet, or check the configuration of one of its own. Raises ConfigError, UsageError."""
        if fleet is not None and config:
            raise UsageError("give the section monitoring to the fleet's own configuration, not both a fleet and a config")
        super().__init__(fleet, {"monitoring": dict(config or {})})

    @property
    def _alerts(self) -> AlertManager:
        return AlertManager(fleet=self.fleet)

    @property
    def _history(self) -> History:
        return self.fleet.history

    async def get_metrics(self, wanted: str = "") -> dict[str, float | None]:
        """Return how the fleet's metrics read now: all, those of a group, or one by its name or a seed's. Raises UsageError."""
        self._history.require()
        if wanted and wanted not in set(Group):
            metric = find_metric(wanted)
            return {metric.name: self._history.now_of(metric, "")}
        chosen = (metric for metric in CATALOGUE.values() if metric.label is not Label.AGENT and metric.group == (wanted or metric.group))
        return {metric.name: self._history.now_of(metric, "") for metric in chosen}

    async def get_pool_metrics(self, pool: str) -> dict[str, float | None]:
        """Return how a pool's metrics read now. Raises NotFound, UsageError."""
        self._history.require()
        name = find_pool(self.fleet.coordinator.state, pool).spec.name
        return {metric.name: self._history.now_of(metric, name) for metric in CATALOGUE.values() if metric.label is Label.POOL}

    async def get_agent_metrics(self, agent: str) -> dict[str, float | None]:
        """Return how an agent's metrics read now, by its id or name. Raises NotFound, UsageError."""
        return self._history.agent_now(agent)

    async def get_real_time_metrics(self) -> dict[str, Any]:
        """Return `timestamp`, `metrics` by the six groups for the fleet and its pools, and `status`. Raises UsageError."""
        status = self.fleet.status()
        word = "read-only" if status.read_only else "halted" if status.halted else "running"
        return {**self._history.current(), "status": word}

    async def record_metric(self, metric: Mapping[str, Any]) -> dict[str, Any]:
        """Record {type, value, source, timestamp, metadata}; return its metric and which thresholds the value violates.

        It is the metric `recorded.TYPE`, for rules, charts and histories; a value stands until the next one, for a minute at most. Where
        the type is a name that the seeds have, such as errorRate, the built-in thresholds are tried on the value.
        """
        if unknown := metric.keys() - {"type", "value", "source", "timestamp", "metadata"}:
            raise UsageError(f"a metric has no key {min(unknown)!r}; it has type, value, source, timestamp and metadata")
        kind, value, source = str(metric["type"]), float(metric["value"]), str(metric.get("source", ""))
        name = self._history.record(kind, value, source, at=float(metric.get("timestamp", 0.0)), metadata=metric.get("metadata"))
        return {"metric": name, "violations": await self._alerts.violations(kind, value)}

    def listen(self, *topics: str) -> AbstractAsyncContextManager[Listener]:
        """Listen to `performance:metrics`, `performance:alerts` or both; iterating gives (topic, message). Raises UsageError."""
        known = {topic.value: topic for topic in Topic}
        for word in topics:
            if word not in known:
                raise UsageError(f"no topic {word!r}{nearest(word, known)}; there are {', '.join(known)}")
        return self.fleet.alerting.topics.listen(*(known[word] for word in topics))

    async def create_alert(self, config: Mapping[str, Any]) -> str:
        """Make an alert rule from {id, condition, severity, actions, enabled, ...}; return its id. Raises FleetError."""
        return str((await self._alerts.create_alert_rule(config))["id"])

    async def delete_alert(self, alert: str) -> None:
        """Remove an alert rule by its id. Raises FleetError."""
        await self._alerts.delete_alert_rule(alert)

    async def list_alerts(self, *, resolved: bool = False) -> list[dict[str, Any]]:
        """Return the alerts that are pending or fire, and with `resolved` those that did."""
        return await self._alerts.list_alerts(resolved=resolved)

    async def get_dashboard_data(self) -> dict[str, Any]:
        """Return what the console's first screen shows: the fleet's status, figures, alerts, and the last minute's load of each pool."""
        return {
            **await self.get_real_time_metrics(),
            "fleet": to_plain(self.fleet.status()),
            "alerts": await self.list_alerts(),
            "loads": await self._history.loads(),
        }

    async def get_history(self, metric: str, label: str = "", span: Span = Span()) -> Trend:  # noqa: B008  # frozen
        """Return the history of a metric of the fleet, or of a pool or agent by its name. Raises FleetError."""
        return await self._history.trend(metric, label, span)

    async def predict_failures(self, of: str = "") -> list[dict[str, Any]]:
        """Return the agents of a fleet, a pool, or one agent, that show signs of trouble, the worst first. Raises FleetError."""
        found: Any = await self.fleet.operator().query("risks", of=of)
        return list(found["agents"])

    async def generate_performance_report(self, timeframe: str | float = "24h", *, pool: str = "", baseline: str = "") -> dict[str, Any]:
        """Return timeframe, metrics, aggregates, trends, comparisons, recommendations and generated_at of a span back from now.

        Compared with a baseline that was saved, or with the span before. `timeframe` is in seconds, or as in `90m`, `24h`, `7d`. None = not measured. Raises FleetError.
        """
        last_s = seconds(timeframe) if isinstance(timeframe, str) else timeframe
        found: Any = await self.fleet.operator().query("report", last_s=int(last_s), pool=pool, baseline=baseline)
        return dict(found)
