"""The figures that conditions look at: how they read now, and over windows of time.

Owner: `Windows`, of one ring of slots for each operand and series that an enabled rule names. Limits: SLOTS slots of a window
however long it is (so an average over an hour is of minutes), SERIES_MAX series of an operand, KINDS_MAX sets of labels of an
event. A window says nothing before it is half full, so a first sample alone is no average.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import isfinite

from engine.model.alert_expressions import (
    CHANGES,
    QUANTILES,
    Operand,
)
from engine.model.alerts import Labels, all_match
from engine.model.metrics import CATALOGUE, RECORDED, Label
from engine.monitoring.histogram import BUCKETS, quantile

Key = tuple[str, str]
"""Metric, and what of: a pool, a source, or empty for the fleet."""
SLOTS = 60
SERIES_MAX = 2_000
KINDS_MAX = 200
OTHERS: Labels = (("others", "yes"),)
"""Stands for all events whose labels were beyond KINDS_MAX."""


class _Ring:
    """The slots of one series: each is its number, then sums of what was sampled in it."""

    __slots__ = ("began", "slots")

    def __init__(self, began: float) -> None:
        self.began = began
        self.slots: deque[list[float]] = deque()

    def add(self, number: int, value: float, kept: int) -> None:
        """Take a sample: sum, count, least, greatest."""
        slots = self.slots
        if slots and slots[-1][0] == number:
            slot = slots[-1]
            slot[1] += value
            slot[2] += 1
            slot[3] = min(slot[3], value)
            slot[4] = max(slot[4], value)
        else:
            slots.append([number, value, 1.0, value, value])
        self.let_go(number - kept)

    def add_counts(self, number: int, counts: Sequence[float], kept: int) -> None:
        """Take counts that were added since the last sample."""
        slots = self.slots
        if slots and slots[-1][0] == number:
            slot = slots[-1]
            for place, count in enumerate(counts, 1):
                slot[place] += count
        else:
            slots.append([number, *counts])
        self.let_go(number - kept)

    def let_go(self, last: int) -> None:
        """Forget slots up to a number."""
        while self.slots and self.slots[0][0] <= last:
            self.slots.popleft()


class _Kept:
    """What is kept for one operand."""

    def __init__(self, operand: Operand, began: float, step_s: float) -> None:
        self.operand = operand
        self.began = began
        """Since when it is watched."""
        self.slot_s = max(step_s, operand.window_s / SLOTS)
        self.wide = max(1, round(operand.window_s / self.slot_s))
        """Slots of a window."""
        self.kept = self.wide * (2 if operand.function in CHANGES else 1)
        self.rings: dict[Labels, _Ring] = {}
        self.seen: dict[Labels, float] = {}
        """When a series was last there; of `absent`."""

    def number(self, now: float) -> int:
        """Return the slot of an instant."""
        return int(now // self.slot_s)

    def ring(self, labels: Labels, now: float) -> _Ring | None:
        """Return the ring of a series, a new one if there is room."""
        ring = self.rings.get(labels)
        if ring is None and len(self.rings) < SERIES_MAX:
            ring = self.rings[labels] = _Ring(now)
        return ring

    def tidy(self, now: float) -> None:
        """Forget series of which nothing is left."""
        oldest = self.number(now) - self.kept
        for ring in self.rings.values():
            ring.let_go(oldest)
        if self.operand.function != "event":
            for labels in [labels for labels, ring in self.rings.items() if not ring.slots]:
                del self.rings[labels]


class Windows:
    """What the conditions of all enabled rules look at."""

    def __init__(self, pools: Callable[[], Iterable[str]], agents: Callable[[str], Mapping[Labels, float]], step_s: float = 1.0) -> None:
        self._step_s = step_s
        """Seconds between samples."""
        self._pools = pools
        self._agents = agents
        """Gives an agents' metric, as it reads now, by labels."""
        self._kept: dict[Operand, _Kept] = {}
        self._newest: dict[str, dict[str, float]] = {}
        """Metric -> what of -> value, of the newest sample; of those metrics that rules name."""
        self._wanted: dict[str, list[_Kept]] = {}
        """Metric -> what is kept of it."""
        self._events: dict[str, list[_Kept]] = {}
        self.now = 0.0

    def watch(self, operands: Iterable[Operand], now: float) -> None:
        """Keep what these operands need from now on, and nothing else."""
        self._kept = {operand: self._kept.get(operand) or _Kept(operand, now, self._step_s) for operand in dict.fromkeys(operands)}
        self._wanted, self._events = {}, {}
        for operand, kept in self._kept.items():
            by = self._events if operand.function == "event" else self._wanted
            by.setdefault(operand.metric, []).append(kept)

    def sample(self, now: float, values: Mapping[Key, float], durations: Mapping[Key, Sequence[float]]) -> None:
        """Take the sample of a second: values as they are, durations as counts by bucket since the last one."""
        if now < self.now:  # the clock went back: what is kept is of a time that has not come
            self._kept = {operand: _Kept(operand, now, self._step_s) for operand in self._kept}
            self.watch(self._kept, now)
        self.now = now
        newest: dict[str, dict[str, float]] = {name: {} for name in self._wanted}
        for (name, label), value in values.items():
            if name in newest and isfinite(value):
                newest[name][label] = value
        self._newest = newest
        for name, kept in self._wanted.items():
            for one in kept:
                if one.operand.function in QUANTILES:
                    _take_durations(one, durations, now)
                elif one.operand.function:
                    _take_values(one, newest[name] or _medians(durations, name), now)
                one.tidy(now)

    def note(self, event: str, labels: Labels, count: float = 1.0) -> None:
        """Take note of events of a type."""
        for kept in self._events.get(event, ()):
            if all_match(kept.operand.matchers, dict(labels)):
                if labels not in kept.rings and len(kept.rings) >= KINDS_MAX:
                    labels = OTHERS
                ring = kept.ring(labels, self.now)
                if ring is not None:
                    ring.add_counts(kept.number(self.now), (count,), kept.kept)

    @property
    def counts(self) -> bool:
        """Tell whether events are counted at all."""
        return bool(self._events)

    # ---- answers

    def is_complete(self, operand: Operand) -> bool:
        """Tell whether what is not among the values is 0: of events, once a whole window was watched."""
        kept = self._kept.get(operand)
        return operand.function == "event" and kept is not None and self.now - kept.began >= operand.window_s

    def values(self, operand: Operand) -> Mapping[Labels, float]:
        """Return what is known of an operand now."""
        kept = self._kept.get(operand)
        if kept is None:
            return {}
        if not operand.function:
            return self._plain(operand)
        if operand.function == "absent":
            return self._absent(kept)
        if operand.function == "event":
            return _counted(kept, self.now)
        found = {labels: _WINDOWED.get(operand.function, _quantile)(kept, ring, self.now) for labels, ring in kept.rings.items()}
        return {labels: value for labels, value in found.items() if value is not None}

    def _plain(self, operand: Operand) -> Mapping[Labels, float]:
        if operand.label is Label.AGENT:
            return {labels: value for labels, value in self._agents(operand.metric).items() if all_match(operand.matchers, dict(labels))}
        newest = self._newest.get(operand.metric, {})
        return {labels: value for label, value in newest.items() if (labels := _labels(operand, label)) is not None}

    def _absent(self, kept: _Kept) -> Mapping[Labels, float]:
        """Return for how long a series has been missing, 0 while that is less than the window."""
        operand, now = kept.operand, self.now
        known = CATALOGUE.get(operand.metric)
        names: Iterable[str] = (dict(labels).get("source", "") for labels in kept.seen) if known is None else [""]
        if known is not None and known.label is Label.POOL:
            names = ["", *self._pools()]
        wanted = [labels for name in names if (labels := _labels(operand, name)) is not None]
        for labels in [labels for labels in kept.seen if labels not in wanted]:
            del kept.seen[labels]
        missing = {labels: now - max(kept.began, kept.seen.get(labels, 0.0)) for labels in wanted}
        return {labels: seconds if seconds >= operand.window_s else 0.0 for labels, seconds in missing.items()}


def _labels(operand: Operand, label: str) -> Labels | None:
    """Return the labels of a series, None when the operand does not mean it.

    The fleet's own series of what pools have is meant only when it is asked for, by pool="".
    """
    if operand.metric.startswith(RECORDED):
        labels: Labels = (("source", label),) if label else ()
    elif operand.label is Label.FLEET:
        return () if not label else None
    else:
        labels = (("pool", label),) if label else ()
        if not label and not any(matcher.label == "pool" and matcher.operator == "=" and not matcher.value for matcher in operand.matchers):
            return None
    return labels if all_match(operand.matchers, dict(labels)) else None


def _medians(durations: Mapping[Key, Sequence[float]], name: str) -> Mapping[str, float]:
    """Return the median of a sample's durations, by what they are of."""
    found = {label: quantile(counts[:BUCKETS], 0.5) for (metric, label), counts in durations.items() if metric == name}
    return {label: median for label, median in found.items() if median is not None}


def _take_values(kept: _Kept, values: Mapping[str, float], now: float) -> None:
    number = kept.number(now)
    for label, value in values.items():
        labels = _labels(kept.operand, label)
        if labels is None:
            continue
        if kept.operand.function == "absent":
            kept.seen[labels] = now
        elif (ring := kept.ring(labels, now)) is not None:
            ring.add(number, value, kept.kept)


def _take_durations(kept: _Kept, durations: Mapping[Key, Sequence[float]], now: float) -> None:
    number = kept.number(now)
    for (name, label), counts in durations.items():
        if name == kept.operand.metric and (labels := _labels(kept.operand, label)) is not None and any(counts):
            ring = kept.ring(labels, now)
            if ring is not None:
                ring.add_counts(number, counts[:BUCKETS], kept.kept)


def _average(kept: _Kept, ring: _Ring, now: float) -> float | None:
    slots = [slot for slot in ring.slots if slot[0] > kept.number(now) - kept.wide]
    if not slots or now - ring.began < kept.operand.window_s / 2:
        return None
    if kept.operand.function == "avg":
        return sum(slot[1] for slot in slots) / sum(slot[2] for slot in slots)
    return min(slot[3] for slot in slots) if kept.operand.function == "min" else max(slot[4] for slot in slots)


def _change(kept: _Kept, ring: _Ring, now: float) -> float | None:
    """Return by which part the mean of a window is below, or above, that of the window before; both must be half full."""
    turn = kept.number(now) - kept.wide
    after = [slot for slot in ring.slots if slot[0] > turn]
    before = [slot for slot in ring.slots if turn - kept.wide < slot[0] <= turn]
    if min(len(before), len(after)) < kept.wide / 2:
        return None
    was = sum(slot[1] for slot in before) / sum(slot[2] for slot in before)
    is_now = sum(slot[1] for slot in after) / sum(slot[2] for slot in after)
    if was <= 0:
        return None
    return (was - is_now) / was if kept.operand.function == "drop" else (is_now - was) / was


def _quantile(kept: _Kept, ring: _Ring, now: float) -> float | None:
    if now - kept.began < kept.operand.window_s / 2:
        return None
    slots = [slot for slot in ring.slots if slot[0] > kept.number(now) - kept.wide]
    counts = [sum(slot[place] for slot in slots) for place in range(1, BUCKETS + 1)]
    return quantile(counts, QUANTILES[kept.operand.function])


def _counted(kept: _Kept, now: float) -> Mapping[Labels, float]:
    oldest = kept.number(now) - kept.wide
    counts = {labels: sum(slot[1] for slot in ring.slots if slot[0] > oldest) for labels, ring in kept.rings.items()}
    for labels in [labels for labels, count in counts.items() if not count]:
        del kept.rings[labels]
    if now - kept.began >= kept.operand.window_s:
        return counts
    return {labels: count for labels, count in counts.items() if count}


_WINDOWED: dict[str, Callable[[_Kept, _Ring, float], float | None]] = {"avg": _average, "min": _average, "max": _average, "drop": _change, "rise": _change}

