"""The seeds' FleetMonitor for programs that embed the engine: how every metric reads now, and how it came about.

It works on a fleet that is given, or on one of its own between initialize() and shutdown(). Values are as `fleet-tui metrics` shows
them; None = not known.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.fleet import FleetManager
from engine.gate.history import History
from engine.library import Manager
from engine.model.errors import UsageError
from engine.model.metrics import CATALOGUE, Group, Label, Span, Trend, find_metric
from engine.scaling.policies import find_pool


class FleetMonitor(Manager):
    """What is measured. `config` is the section monitoring of a fleet's configuration."""

    def __init__(self, config: Mapping[str, Any] | None = None, *, fleet: FleetManager | None = None) -> None:
        """Take a fleet, or check the configuration of one of its own. Raises ConfigError, UsageError."""
        if fleet is not None and config:
            raise UsageError("give the section monitoring to the fleet's own configuration, not both a fleet and a config")
        super().__init__(fleet, {"monitoring": dict(config or {})})

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

    async def get_history(self, metric: str, label: str = "", span: Span = Span()) -> Trend:  # noqa: B008  # frozen
        """Return the history of a metric of the fleet, or of a pool or agent by its name. Raises FleetError."""
        return await self._history.trend(metric, label, span)
