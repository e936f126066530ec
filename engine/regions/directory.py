"""The regions as this engine knows them: what it measured, and what each told of itself.

Owner: `Directory`, of the newest PROBES_KEPT round trips to each region and what was heard of it last. Limits: one row a region.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.clock import Clock
from engine.model.region_config import RegionSection
from engine.model.region_rows import (
    CUT_OFF,
    DOWN,
    HEALTHY,
    SILENT,
    UNKNOWN,
    RegionRow,
    RoundTrip,
    Told,
    trips_text,
)

PROBES_KEPT = 120
"""At one a second: what is shown is of the last two minutes."""
SILENT_S = 3.0
SHOWN_DIGITS = 5
"""Of a round trip in seconds: what lies below ten microseconds is chance."""


@dataclass(slots=True)
class _Known:
    """What is known of a region."""

    trips: deque[float] = field(default_factory=lambda: deque(maxlen=PROBES_KEPT))
    measured_at: float = 0.0
    fault: str = ""
    """Why its server does not answer; empty = it does."""
    told: Told = Told()
    heard_at: float = 0.0


class Directory:
    """All regions."""

    def __init__(self, own: str, sections: Mapping[str, RegionSection], clock: Clock) -> None:
        self.own = own
        self._sections, self._clock = sections, clock
        self._known = {name: _Known() for name in sections}

    # ---- what is taken in

    def answered(self, name: str, round_trip_s: float) -> None:
        """Take note that a region's server answered."""
        known = self._known[name]
        known.trips.append(round_trip_s)
        known.measured_at, known.fault = self._clock.now(), ""

    def unanswered(self, name: str, fault: str) -> None:
        """Take note that a region's server did not answer, and why."""
        self._known[name].fault = fault

    def heard(self, name: str, age_s: float, told: Told) -> None:
        """Take in what a region told of itself so long ago; what is older than what is known is passed over."""
        known, at = self._known.get(name), self._clock.now() - age_s
        if known is not None and at > known.heard_at:
            known.told, known.heard_at = told, at

    # ---- what is known

    def answers(self, name: str) -> bool:
        """Tell whether a region's server answered the last time that it was asked."""
        known = self._known[name]
        return bool(known.measured_at) and not known.fault

    def trips(self) -> tuple[RoundTrip, ...]:
        """Return what was measured from here, to every region that answered."""
        return tuple(found for name in self._known if (found := self._trip(name)) is not None)

    def rows(self) -> dict[str, RegionRow]:
        """Return all regions by name."""
        return {name: self._row(name) for name in self._known}

    def _trip(self, name: str) -> RoundTrip | None:
        trips = sorted(self._known[name].trips)
        return RoundTrip(name, _shown(_quantile(trips, 0.5)), _shown(_quantile(trips, 0.99)), len(trips)) if trips else None

    def _row(self, name: str) -> RegionRow:
        known, section = self._known[name], self._sections[name]
        trip, told = self._trip(name), known.told
        health, reason = self._health(name)
        return RegionRow(
            name, health, name == self.own, section.location, section.cost, ", ".join(section.residency), trip.median_s if trip else None,
            trip.p99_s if trip else None, trip.probes if trip else 0, known.measured_at, known.heard_at, told.engine, told.seq, told.waiting, told.free, trips_text(told.trips), reason,
        )  # fmt: skip

    def _health(self, name: str) -> tuple[str, str]:
        """Return how a region is, and why."""
        known = self._known[name]
        is_heard = self._clock.now() - known.heard_at < SILENT_S
        answers = self.answers(name)
        if answers and is_heard:
            return HEALTHY, ""
        if is_heard:
            return CUT_OFF, f"another region hears of it, and from here: {known.fault or 'it was not asked yet'}"
        if not known.measured_at and not known.fault:
            return UNKNOWN, "it was not asked yet"
        if answers:
            return SILENT, "its server answers, and no engine that leads it tells of itself"
        return DOWN, known.fault


def _quantile(ordered: list[float], share: float) -> float:
    """Return the value that this share of the values is not above (nearest rank)."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def _shown(seconds: float) -> float:
    return round(seconds, SHOWN_DIGITS)
