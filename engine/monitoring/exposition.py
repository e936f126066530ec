"""The newest figures as Prometheus reads them. Base units, as its users expect: seconds and bytes; counts end in `_total`.

Owner: nobody. prometheus-client is imported at the first scrape, which costs 50 ms once; it words help, labels and numbers as
Prometheus' own parser wants them. Figures of single agents are left out: they would be ten series for each.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.model.alerts import Alert
from engine.model.metrics import CATALOGUE, RECORDED, Kind, Label, Metric
from engine.monitoring.archive import Key
from engine.monitoring.histogram import BUCKETS, limit_of

if TYPE_CHECKING:
    from prometheus_client.core import Metric as Family

PREFIX = "fleet_"
_LABEL = re.compile(r"^[0-9]|[^A-Za-z0-9_]")
"""What names of labels may not have there."""
_UNITS = {"ms": ("_ms", "_seconds", 1e-3), "s": ("_s", "_seconds", 1.0), "MB": ("_mb", "_bytes", 1e6)}
"""Unit -> end of our name, end of Prometheus', factor."""


@dataclass(frozen=True, slots=True)
class Newest:
    """What was sampled last, by metric and pool."""

    at: float
    gauges: Mapping[Key, float]
    counts: Mapping[Key, float]
    """Since whenever they began."""
    durations: Mapping[Key, Sequence[float]]
    """Of each metric since the engine began: counts by bucket, then the sum in milliseconds."""
    info: Mapping[str, str]
    """Names of the fleet, and its version."""
    alerts: Iterable[Alert] = ()
    """All that are known; those that are pending or fire are told."""

    def collect(self) -> Iterator[Family]:
        """Give the families of the catalogue that anything is known of."""
        from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily

        yield InfoMetricFamily(PREFIX + "engine", "The engine that is scraped", dict(self.info))
        yield GaugeMetricFamily(PREFIX + "sampled_timestamp_seconds", "When these figures were sampled", self.at)
        for metric in CATALOGUE.values():
            if metric.label is not Label.AGENT and (family := self._family(metric)) is not None:
                yield family
        yield from self._recorded()
        yield from self._alerts()

    def _alerts(self) -> Iterator[Family]:
        """Give what is pending or fires as Prometheus writes its own alerts: 1 each, and since when the condition holds."""
        from prometheus_client.core import GaugeMetricFamily

        active = [alert for alert in self.alerts if alert.is_active]
        if not active:
            return
        states = GaugeMetricFamily("ALERTS", "Alerts that are pending or fire")
        since = GaugeMetricFamily("ALERTS_FOR_STATE", "Since when the condition of an alert holds, as seconds since 1970")
        for alert in active:
            labels = {_LABEL.sub("_", name): value for name, value in alert.labels.items()}
            labels |= {"alertname": alert.rule, "severity": alert.severity.value}
            states.add_sample("ALERTS", {**labels, "alertstate": alert.state.value}, 1.0)
            since.add_sample("ALERTS_FOR_STATE", labels, alert.since)
        yield from (states, since)

    def _recorded(self) -> Iterator[Family]:
        """Give what programs recorded: one family with their names as a label, as a name of theirs may be none of Prometheus."""
        from prometheus_client.core import GaugeMetricFamily

        known = {key: value for key, value in self.gauges.items() if key[0].startswith(RECORDED)}
        if known:
            family = GaugeMetricFamily(PREFIX + "recorded", "What programs recorded, in the unit of each", labels=["metric", "source"])
            for (name, source), value in sorted(known.items()):
                family.add_metric([name.removeprefix(RECORDED), source], value)
            yield family

    def _family(self, metric: Metric) -> Family | None:
        from prometheus_client.core import (
            CounterMetricFamily,
            GaugeMetricFamily,
            HistogramMetricFamily,
        )

        name, factor = base_name(metric)
        labels = ["pool"] if metric.label is Label.POOL else []
        source = {Kind.GAUGE: self.gauges, Kind.COUNTER: self.counts, Kind.HISTOGRAM: self.durations}[metric.kind]
        # The sum over all pools is for the asker to make.
        known = [([pool] if labels else [], value) for (of, pool), value in source.items() if of == metric.name and bool(pool) == bool(labels)]
        if not known:
            return None
        text = metric.help[:1].upper() + metric.help[1:]
        if metric.kind is Kind.HISTOGRAM:
            histogram = HistogramMetricFamily(name, text, labels=labels)
            for pool, counts in known:
                assert isinstance(counts, list), "durations come as counts by bucket"
                histogram.add_metric(pool, _cumulative(counts, factor), counts[BUCKETS] * factor)
            return histogram
        plain = (CounterMetricFamily if metric.kind is Kind.COUNTER else GaugeMetricFamily)(name, text, labels=labels)
        for pool, value in known:
            assert isinstance(value, float | int), "a gauge or a count is one number"
            plain.add_metric(pool, value * factor)
        return plain


def base_name(metric: Metric) -> tuple[str, float]:
    """Return what Prometheus calls a metric, without `_total`, and the factor from our unit to its."""
    end, base, factor = _UNITS.get(metric.unit, ("", "", 1.0))
    if metric.unit == "ratio":
        return f"{PREFIX}{metric.name}_ratio", 1.0
    return f"{PREFIX}{metric.name.removesuffix(end)}{base}", factor


def _cumulative(counts: Sequence[float], factor: float) -> list[tuple[str, float]]:
    """Return (upper limit, how many did not exceed it), the last one without a limit."""
    buckets, total = [], 0.0
    for bucket in range(BUCKETS - 1):
        total += counts[bucket]
        buckets.append((repr(limit_of(bucket) * factor), total))
    return [*buckets, ("+Inf", total + counts[BUCKETS - 1])]


def exposition(newest: Newest) -> str:
    """Return the text of one scrape."""
    from prometheus_client.exposition import generate_latest

    return generate_latest(newest).decode()
