"""What is foreseen for each pool's instants to come, kept until they have passed, so that a forecast can be laid beside what came.

Owner: of the forecasts whose time has not come. Limits: AHEAD_MAX a pool; the earliest leave when full.
"""

from __future__ import annotations

import math
from collections import deque
from typing import NamedTuple

from engine.scaling.autoscaler import AutoScaler
from engine.scaling.history import Forecast
from engine.state import FleetState

AHEAD_MAX = 4_096
HELD_SAMPLES = 2
"""A forecast stands for the time until the next one, for so many samples at most: what follows is a gap."""


class Foreseen(NamedTuple):
    """A forecast, and by whom."""

    forecast: Forecast
    policy: str
    ends_at: float
    """From then on it says nothing."""


class ForecastsAhead:
    """Forecasts by pool, in the order of the instants that they are for."""

    def __init__(self) -> None:
        self._ahead: dict[str, deque[Foreseen]] = {}

    def note(self, state: FleetState, scaler: AutoScaler, now: float) -> None:
        """Take the newest forecast of each pool, the one that has been least wrong, and drop those that are over."""
        for pool in self._ahead.keys() - state.pools.keys():
            del self._ahead[pool]
        for pool in state.pools:
            forecasts = scaler.forecasts(pool)
            if not forecasts and pool not in self._ahead:
                continue
            kept = self._ahead.setdefault(pool, deque(maxlen=AHEAD_MAX))
            policy = min(forecasts, key=lambda id_: forecasts[id_].mape, default="")
            prediction = state.policies[policy].prediction if policy in state.policies else None
            if prediction is not None:
                newest = forecasts[policy]
                # A policy that looks less far ahead speaks anew of instants that another one has spoken of.
                while kept and kept[-1].forecast.at > newest.at:
                    kept.pop()
                if not kept or kept[-1].forecast.at < newest.at:
                    kept.append(Foreseen(newest, policy, newest.at + HELD_SAMPLES * prediction.sample_s))
            while kept and (kept[0].ends_at <= now or (len(kept) > 1 and kept[1].forecast.at <= now)):
                kept.popleft()

    def of_now(self, pool: str, now: float) -> Forecast | None:
        """Return what was foreseen for this instant, None when nothing was."""
        kept = self._ahead.get(pool)
        return kept[0].forecast if kept and kept[0].forecast.at <= now < kept[0].ends_at else None

    def of_pool(self, pool: str) -> list[dict[str, object]]:
        """Return what is foreseen from now on, the earliest first; an error that is not known is None."""
        return [
            {
                "at": one.forecast.at, "ends_at": one.ends_at, "demand": one.forecast.demand, "low": one.forecast.low, "high": one.forecast.high,
                "mape": one.forecast.mape if math.isfinite(one.forecast.mape) else None, "policy": one.policy,
            }
            for one in self._ahead.get(pool, ())
        ]  # fmt: skip
