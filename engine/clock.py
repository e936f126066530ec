"""Where time, chance and ids enter: Clock, Rng, IdFactory and their real forms. Fakes are in engine.simulation."""

from __future__ import annotations

import asyncio
import random
import time
from typing import Protocol

ID_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base 32: sorts like the numbers, no letter that looks like a digit."""

_PAIRS = [high + low for high in ID_ALPHABET for low in ID_ALPHABET]

ID_BITS_OF_TIME = 45
ID_BITS_OF_COUNT = 20


class Clock(Protocol):
    """Seconds since the epoch that never run backwards, and a way to wait on them."""

    def now(self) -> float:
        """Return the current instant in seconds."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait; a simulated clock returns without waiting. Safe to cancel."""
        ...


class Rng(Protocol):
    """Chance."""

    def random(self) -> float:
        """Return a number in [0, 1)."""
        ...


class IdFactory(Protocol):
    """New ids, in growing order within one process."""

    def new(self, prefix: str) -> str:
        """Return a new id with the prefix of its kind."""
        ...


class SystemClock:
    """The wall clock as it was at start, carried on by the monotonic clock, so that steps of the wall clock do no harm."""

    def __init__(self) -> None:
        self._offset = time.time() - time.monotonic()

    def now(self) -> float:
        """Return seconds since the epoch."""
        return self._offset + time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait for real."""
        await asyncio.sleep(seconds)


def system_rng(seed: int | None = None) -> Rng:
    """Return chance from a seed, or from the operating system's entropy."""
    return random.Random(seed)  # noqa: S311  # placement and jitter, not secrets


class OrderedIds:
    """Ids of milliseconds and a counter in base 32, 13 characters: unique in a process, sorted by birth."""

    def __init__(self, clock: Clock, rng: Rng) -> None:
        self._clock = clock
        self._last = 0
        self._salt = int(rng.random() * (1 << (ID_BITS_OF_COUNT - 4)))

    def new(self, prefix: str) -> str:
        """Return the next id."""
        number = (int(self._clock.now() * 1000) & ((1 << ID_BITS_OF_TIME) - 1)) << ID_BITS_OF_COUNT | self._salt
        self._last = number = max(number, self._last + 1)
        pairs = _PAIRS
        head = f"{ID_ALPHABET[number >> 60 & 31]}{pairs[number >> 50 & 1023]}{pairs[number >> 40 & 1023]}{pairs[number >> 30 & 1023]}"
        return f"{prefix}_{head}{pairs[number >> 20 & 1023]}{pairs[number >> 10 & 1023]}{pairs[number & 1023]}"
