"""What a region tells the others of itself, and the row of a region."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

HEALTHY, SILENT, CUT_OFF, DOWN, UNKNOWN = "healthy", "silent", "cut off", "down", "unknown"
"""Its engines tell of themselves; its server answers and they do not; others hear of it and this engine cannot reach it; nobody does; never heard of."""


class RoundTrip(NamedTuple):
    """How long a server takes to answer, over the newest probes."""

    to: str
    """Whose server."""
    median_s: float
    p99_s: float
    probes: int


class Told(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the engine that leads a region says of it, to the servers of all; what a newer version tells besides is not read."""

    engine: str = ""
    seq: int = 0
    """The newest record of its journal."""
    waiting: int = 0
    """Tasks that wait."""
    free: int = 0
    """Agents that could take one now."""
    trips: tuple[RoundTrip, ...] = ()
    """What it measured to each region."""


class RegionRow(NamedTuple):
    """A region, as the engine that is asked knows it. Instants in epoch seconds, 0 = never."""

    id: str
    health: str
    """healthy, silent, cut off, down or unknown."""
    is_own: bool
    """It is the region of the engine that is asked."""
    location: str
    cost: float
    residency: str
    """What may be kept there, with commas between; empty = nothing that is bound to a place."""
    rtt_s: float | None
    """Median round trip from this engine to the region's server, over the newest probes; None = none was answered."""
    rtt_p99_s: float | None
    probes: int
    """That these are made from."""
    measured_at: float
    """When the last one was answered."""
    heard_at: float
    """When the region told of itself last."""
    engine: str
    """Who leads it; empty = nobody said."""
    seq: int
    """The newest record of its journal that it told of."""
    waiting: int
    free: int
    trips: str
    """What the region itself measured to each: name, median and p99 in seconds, with commas between."""
    reason: str
    """Why it is not healthy; empty = it is."""
    home: str = ""
    """The region whose server it lives at; empty = nobody said yet."""
    epoch: int = 0
    """Of its home: it grows with every move."""
    lag: int = 0
    """Records that it has and its replica here had not when it was last looked."""
    lag_s: float | None = None
    """How long ago the replica had all; None = it lives here, or this engine keeps no replica of it."""


def trips_text(trips: Iterable[RoundTrip]) -> str:
    """Return round trips as the row has them."""
    return ", ".join(f"{trip.to} {trip.median_s:g} {trip.p99_s:g}" for trip in trips)


def trips_of(row: RegionRow) -> dict[str, tuple[float, float]]:
    """Return what a region measured, as its row has it: median and p99 in seconds, by name."""
    parts = (part.split() for part in row.trips.split(", ") if part)
    return {name: (float(median), float(p99)) for name, median, p99 in parts}
