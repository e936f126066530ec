"""Seeded loads of known shape, to compare policies on; every one is the same for the same seed."""

from __future__ import annotations

import math
import random  # noqa: TID251  # seeded
from array import array
from collections.abc import Callable

from engine.model.scaling import Limits
from engine.scaling.backtest import PoolTrace

Rate = Callable[[float], float]
"""Instant in seconds -> tasks a second."""


def daily(seconds: float) -> Rate:
    """One quiet night and one busy day over the length of the trace; work needs between 1 and 19 agents."""
    return lambda at: 2.0 - 1.8 * math.cos(2 * math.pi * at / seconds)


def bursts(seconds: float) -> Rate:
    """A low floor with five short bursts, tenfold, evenly apart."""
    apart = seconds / 5
    return lambda at: 4.0 if 0.4 * apart <= at % apart < 0.5 * apart else 0.4


def steps(seconds: float) -> Rate:
    """Three levels up and down again, each held for a fifth of the trace."""
    levels = (0.5, 2.0, 4.0, 2.0, 0.5)
    return lambda at: levels[min(4, int(5 * at / seconds))]


def sawtooth(seconds: float) -> Rate:
    """A slow rise and a sudden fall, four times."""
    apart = seconds / 4
    return lambda at: 0.3 + 4.0 * (at % apart) / apart


SHAPES: dict[str, Callable[[float], Rate]] = {"daily": daily, "bursts": bursts, "steps": steps, "sawtooth": sawtooth}


def trace(shape: str, seed: int, *, seconds: float = 3_600.0, pool: str = "coder", limits: Limits | None = None) -> PoolTrace:
    """Return Poisson arrivals at a shape's rate (thinning), with log-normal service times of mean 5 s. Raises KeyError."""
    rate = SHAPES[shape](seconds)
    chance = random.Random(f"{shape} {seed}")
    most = max(rate(seconds * part / 1_000) for part in range(1_001)) * 1.01
    arrivals, services = array("d"), array("d")
    at = chance.expovariate(most)
    while at < seconds:
        if chance.random() * most < rate(at):
            arrivals.append(at)
            services.append(chance.lognormvariate(math.log(5.0) - 0.32, 0.8))
        at += chance.expovariate(most)
    return PoolTrace(pool, arrivals, services, limits or Limits(1, 100))
