"""Blocks: the samples of one series over a fixed span of time, in compact columns, and their compressed form.

Owner: nobody but the block itself. The time of a slot is its place, so no instants are kept; NaN is a gap. Shapes:

- values (step 1 s): one column.
- roll-ups (steps of a minute and an hour): mean, least, greatest, and how many samples there were.
- histograms (every step): how many were observed (NaN = nobody looked), then a count for each bucket.

Compressed form: 32-bit floats, their bytes put plane by plane, then zlib. The high bytes of neighbours are alike, so this does
what differences would, in eight slices instead of a loop over the samples.
"""

from __future__ import annotations

import zlib
from array import array
from collections.abc import Sequence
from math import nan

from engine.monitoring.histogram import BUCKETS

VALUE, ROLLUP, HISTOGRAM = 1, 4, 1 + BUCKETS
"""Columns of each shape."""

SLOTS = {1: 600, 60: 120, 3600: 24}
"""Step in seconds -> slots of a block: ten minutes, two hours, a day."""
STEPS = tuple(SLOTS)
WIDTH = 4
_NAN = array("f", [nan])
_ZERO = array("f", [0.0])


def start_of(at: float, step: int) -> int:
    """Return when the block of an instant begins."""
    span = step * SLOTS[step]
    return int(at // span) * span


class Block:
    """A span of one series."""

    __slots__ = ("columns", "slots")

    def __init__(self, slots: int, columns: int) -> None:
        self.slots = slots
        self.columns = [_NAN * slots] + [(_ZERO if columns == HISTOGRAM else _NAN) * slots for _ in range(columns - 1)]

    def put(self, slot: int, values: Sequence[float]) -> None:
        """Write one slot of all columns."""
        for column, value in zip(self.columns, values, strict=True):
            column[slot] = value

    def encode(self) -> bytes:
        """Return the compressed form."""
        raw = b"".join(column.tobytes() for column in self.columns)
        return zlib.compress(b"".join(raw[plane::WIDTH] for plane in range(WIDTH)), 6)

    @classmethod
    def decode(cls, data: bytes, slots: int) -> Block:
        """Return the block of a compressed form. Raises ValueError for what is none."""
        try:
            planes = zlib.decompress(data)
        except zlib.error as error:
            raise ValueError(f"a block of metrics cannot be read: {error}") from error
        columns, rest = divmod(len(planes), slots * WIDTH)
        if rest or columns not in (VALUE, ROLLUP, HISTOGRAM):
            raise ValueError(f"a block of metrics has {len(planes)} bytes, which is no whole number of columns")
        raw, size = bytearray(len(planes)), len(planes) // WIDTH
        for plane in range(WIDTH):
            raw[plane::WIDTH] = planes[plane * size : (plane + 1) * size]
        block = cls.__new__(cls)
        block.slots, block.columns = slots, []
        for number in range(columns):
            column = array("f")
            column.frombytes(raw[number * slots * WIDTH : (number + 1) * slots * WIDTH])
            block.columns.append(column)
        return block


def summed(block: Block, begin: int, end: int) -> list[float] | None:
    """Return one slot of a coarser step from the slots `begin` to `end`; None when nothing was measured in them.

    Values become roll-ups, roll-ups coarser ones (means weigh by their samples), histograms add up.
    """
    first = block.columns[0][begin:end]
    known = [number for number, value in enumerate(first) if value == value]  # noqa: PLR0124  # NaN is not itself
    if not known:
        return None
    if len(block.columns) == HISTOGRAM:
        if not any(first[number] for number in known):
            return [0.0] * HISTOGRAM
        return [sum(first[number] for number in known), *(sum(column[begin:end]) for column in block.columns[1:])]
    if len(block.columns) == VALUE:
        values = [first[number] for number in known]
        return [sum(values) / len(values), min(values), max(values), float(len(values))]
    _, lows, highs, counts = (column[begin:end] for column in block.columns)
    samples = sum(counts[number] for number in known)
    mean = sum(first[number] * counts[number] for number in known) / samples
    return [mean, min(lows[number] for number in known), max(highs[number] for number in known), samples]
