"""Amounts as people write them: 512, "4GB", "500m", "24h"."""

from __future__ import annotations

import re

from engine.model.errors import UsageError

_UNITS_MB = {"": 1, "MB": 1, "GB": 1024, "TB": 1024 * 1024, "Mi": 1, "Gi": 1024, "KB": 1 / 1024}
_UNITS_S = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def megabytes(value: object) -> int:
    """Return megabytes of 512, "512MB" or "4GB". Raises ValueError."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*", str(value))
    if match is None or match[2] not in _UNITS_MB:
        raise ValueError(f"{value!r} is no amount of memory; write 512 (megabytes) or '4GB'")
    return round(float(match[1]) * _UNITS_MB[match[2]])


def cores(value: object) -> float:
    """Return cores of 0.5, "0.5" or "500m". Raises ValueError."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?|\.\d+)(m?)\s*", str(value))
    if match is None:
        raise ValueError(f"{value!r} is no number of cores; write 0.5 or '500m'")
    return float(match[1]) / (1000 if match[2] else 1)


def seconds(text: str) -> int:
    """Return the seconds of 90s, 30m, 24h or 7d. Raises UsageError."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", text)
    if match is None:
        raise UsageError(f"{text!r} is no length of time; write 90s, 30m, 24h or 7d")
    return round(float(match[1]) * _UNITS_S[match[2]])
