"""Choices that a seed gives again, and the clock of a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from engine.clock import SystemClock, system_rng

T = TypeVar("T")
CLOCK = SystemClock()


class Chance:
    """A sequence of choices."""

    def __init__(self, seed: int) -> None:
        self._rng = system_rng(seed)

    def share(self) -> float:
        """Return a number from 0 to less than 1."""
        return self._rng.random()

    def below(self, count: int) -> int:
        """Return a number from 0 to `count` - 1."""
        return int(self._rng.random() * count)

    def pick(self, some: Sequence[T]) -> T:
        """Return one of some things, of which there is at least one."""
        return some[self.below(len(some))]

    def shuffled(self, some: Sequence[T]) -> list[T]:
        """Return all of them in another order."""
        left, order = list(some), []
        while left:
            order.append(left.pop(self.below(len(left))))
        return order

    def child(self) -> Chance:
        """Return choices of their own."""
        return Chance(self.below(1 << 32))
