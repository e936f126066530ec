"""Figures that programs record themselves, beside those that the engine measures: `recorded.NAME`, one series a source.

Owner: `Recorded`, of the newest value of each series. A value stands until the next one, STANDS_S at most; then the series has a
gap. Limits: SERIES_MAX series; one of which nothing came for KEPT_S is forgotten, and makes room.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import isfinite
from typing import NamedTuple

from engine.model.errors import CommandRefused, UsageError
from engine.model.metrics import RECORDED
from engine.monitoring.archive import Key

STANDS_S = 60.0
KEPT_S = 86_400.0
SERIES_MAX = 200
METADATA_MAX = 20
"""Entries beside a value."""
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.\-]{0,62}")
SOURCE_MAX = 64


class Value(NamedTuple):
    """What was recorded last."""

    value: float
    at: float
    metadata: Mapping[str, object]


def check_series(name: str, source: str) -> Key:
    """Return the series of a name and what it is about. Raises UsageError."""
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name!r} is no name for a metric: letters, digits, _, - and . only, not a digit first, 63 at most")
    if len(source) > SOURCE_MAX or not source.isprintable():
        raise UsageError(f"a source has {SOURCE_MAX} printable characters at most")
    return RECORDED + name, source


def check_value(name: str, value: float) -> None:
    """Raise UsageError for what is no figure."""
    if not isfinite(value):
        raise UsageError(f"{value} of {name} is no figure; record nothing when it is not known")


class Recorded:
    """The newest values."""

    def __init__(self) -> None:
        self.values: dict[Key, Value] = {}
        """By metric and source."""

    def put(self, name: str, source: str, value: Value, now: float) -> Key:
        """Take a value; return its series. Raises UsageError, CommandRefused."""
        key = check_series(name, source)
        check_value(name, value.value)
        if not now - STANDS_S <= value.at <= now + STANDS_S:
            raise UsageError(f"only figures of the last {STANDS_S:g} s are recorded; this one is of {now - value.at:.0f} s ago")
        if len(value.metadata) > METADATA_MAX:
            raise UsageError(f"a value has {METADATA_MAX} entries of metadata at most")
        if key not in self.values and len(self.values) >= SERIES_MAX:
            self._forget(now)
            if len(self.values) >= SERIES_MAX:
                raise CommandRefused(f"{SERIES_MAX} series are recorded, more are not kept; use fewer names or sources")
        self.values[key] = value
        return key

    def _forget(self, now: float) -> None:
        self.values = {key: value for key, value in self.values.items() if now - value.at < KEPT_S}

    def gauges(self, now: float) -> dict[Key, float]:
        """Return the values that stand."""
        return {key: value.value for key, value in self.values.items() if abs(now - value.at) <= STANDS_S}
