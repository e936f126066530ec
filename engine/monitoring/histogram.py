"""Durations counted in buckets of fixed limits, each twice the one before: one addition a duration, quantiles when somebody asks.

Owner: nobody; functions on lists of counts. Buckets of several seconds, pools or engines are added up, so a quantile over a
day is as true as one over a second: within its bucket, that is at most a factor of two and typically a few percent off.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import frexp

BUCKETS = 26
LEAST_MS = 0.25
"""Upper limit of the first bucket; the last one has no limit, and begins at 70 minutes."""


def bucket_of(milliseconds: float) -> int:
    """Return the bucket of a duration; a negative one counts as none at all."""
    if milliseconds <= LEAST_MS:
        return 0
    mantissa, exponent = frexp(milliseconds / LEAST_MS)
    return min(exponent - (mantissa == 0.5), BUCKETS - 1)  # noqa: PLR2004  # exactly the limit belongs to the bucket below


def limit_of(bucket: int) -> float:
    """Return the upper limit of a bucket in milliseconds."""
    return float(LEAST_MS * 2.0**bucket)


def quantile(counts: Sequence[float], share: float) -> float | None:
    """Return the duration in milliseconds that this share of all does not exceed; None without any."""
    total = sum(counts)
    if not total:
        return None
    wanted, seen = share * total, 0.0
    for bucket, count in enumerate(counts):
        if count and seen + count >= wanted:
            low = limit_of(bucket - 1) if bucket else 0.0
            return low + (limit_of(bucket) - low) * max(0.0, wanted - seen) / count
        seen += count
    return limit_of(BUCKETS - 1)


def bounds(counts: Sequence[float]) -> tuple[float, float] | None:
    """Return between which limits all durations lie; None without any."""
    filled = [bucket for bucket, count in enumerate(counts) if count]
    if not filled:
        return None
    return (limit_of(filled[0] - 1) if filled[0] else 0.0), limit_of(filled[-1])
