"""Demand foreseen from its own past, with an interval and with how wrong such forecasts have been.

Owner: of the samples and forecasts of one pool. Limits: `window` samples, one season for SEASONAL, ERRORS_KEPT errors.
"""

from __future__ import annotations

import math
from collections import deque
from statistics import NormalDist
from typing import NamedTuple, Protocol

from engine.model.scaling import Algorithm, Prediction
from engine.scaling.history import Forecast

CONFIDENCE = 0.95
_Z = NormalDist().inv_cdf(0.5 + CONFIDENCE / 2)
ERRORS_KEPT = 30
"""Matured forecasts over which the error is averaged."""
ERRORS_MIN = 5
"""Fewer matured forecasts say nothing about accuracy."""
SAMPLES_MIN = 5
SEASON_MAX = 10_000
"""Samples of one season; a finer season is refused."""


class Spread(NamedTuple):
    """A foreseen value and the standard deviation of its error."""

    value: float
    deviation: float


class _Model(Protocol):
    def see(self, value: float) -> None: ...
    def ahead(self, steps: float) -> Spread | None: ...


class LinearTrend:
    """Ordinary least squares over the last `window` samples.

    The deviation is that of a new observation: s * sqrt(1 + 1/n + (x - mean)^2 / Sxx) (Draper and Smith, Applied Regression Analysis).
    """

    def __init__(self, window: int) -> None:
        self._values: deque[float] = deque(maxlen=window)

    def see(self, value: float) -> None:
        """Take the next sample."""
        self._values.append(value)

    def ahead(self, steps: float) -> Spread | None:
        """Return what is foreseen so many samples after the last, None while too few are known. O(window)."""
        n = len(self._values)
        if n < SAMPLES_MIN:
            return None
        mean_x = (n - 1) / 2
        mean_y = math.fsum(self._values) / n
        spread_x = n * (n * n - 1) / 12
        slope = math.fsum((x - mean_x) * y for x, y in enumerate(self._values)) / spread_x
        residual = math.fsum((y - mean_y - slope * (x - mean_x)) ** 2 for x, y in enumerate(self._values))
        at = n - 1 + steps
        deviation = math.sqrt(residual / (n - 2) * (1 + 1 / n + (at - mean_x) ** 2 / spread_x))
        return Spread(mean_y + slope * (at - mean_x), deviation)


class Seasonal:
    """Holt-Winters with an additive season and no growth beyond what a level follows.

    Foreseen deviation: s * sqrt(1 + (h - 1) * alpha^2), Hyndman and Athanasopoulos, Forecasting: Principles and Practice, 8.7.
    """

    ALPHA = 0.3
    GAMMA = 0.3

    def __init__(self, season: int) -> None:
        self._season = season
        self._first: list[float] = []
        self._level = 0.0
        self._shape: list[float] = []
        self._seen = 0
        self._errors: deque[float] = deque(maxlen=max(SAMPLES_MIN, season))

    def see(self, value: float) -> None:
        """Take the next sample; the first season only teaches its shape."""
        if not self._shape:
            self._first.append(value)
            if len(self._first) == self._season:
                self._level = math.fsum(self._first) / self._season
                self._shape = [known - self._level for known in self._first]
                self._first = []
            return
        place = self._seen % self._season
        self._errors.append(value - self._level - self._shape[place])
        level = self.ALPHA * (value - self._shape[place]) + (1 - self.ALPHA) * self._level
        self._shape[place] = self.GAMMA * (value - level) + (1 - self.GAMMA) * self._shape[place]
        self._level = level
        self._seen += 1

    def ahead(self, steps: float) -> Spread | None:
        """Return what is foreseen so many samples after the last, None before a season and a few samples are known."""
        if len(self._errors) < SAMPLES_MIN:
            return None
        place = (self._seen - 1 + math.ceil(steps)) % self._season
        variance = math.fsum(error * error for error in self._errors) / len(self._errors)
        return Spread(self._level + self._shape[place], math.sqrt(variance * (1 + max(0.0, steps - 1) * self.ALPHA**2)))


class Predictor:
    """Samples the demand of one pool and foresees it."""

    def __init__(self, prediction: Prediction) -> None:
        self._prediction = prediction
        self._model: _Model = _model(prediction)
        self._begun_at: float | None = None
        self._sum = 0.0
        self._count = 0
        self._open: deque[tuple[float, float]] = deque()
        """(instant, foreseen demand) whose time has not come."""
        self._errors: deque[float] = deque(maxlen=ERRORS_KEPT)

    def see(self, at: float, demand: float) -> Forecast | None:
        """Take the demand of an instant; return a forecast when a sample is complete.

        A gap or a clock that jumps back drops the sample under way; what was learned stays.
        """
        sample_s = self._prediction.sample_s
        if self._begun_at is None or not 0 <= at - self._begun_at < 2 * sample_s:
            self._begin(at)
        assert self._begun_at is not None
        self._sum += demand
        self._count += 1
        if at - self._begun_at < sample_s:
            return None
        mean = self._sum / self._count
        self._begin(at)
        self._judge(at, mean)
        self._model.see(mean)
        return self._foresee(at)

    @property
    def mape(self) -> float:
        """Return the mean absolute percentage error of matured forecasts (a ratio, of at least one agent); inf = unknown."""
        return math.fsum(self._errors) / len(self._errors) if len(self._errors) >= ERRORS_MIN else math.inf

    def _begin(self, at: float) -> None:
        self._begun_at, self._sum, self._count = at, 0.0, 0

    def _judge(self, at: float, demand: float) -> None:
        while self._open and self._open[0][0] <= at:
            due, foreseen = self._open.popleft()
            if at - due < self._prediction.sample_s:
                self._errors.append(abs(foreseen - demand) / max(1.0, demand))

    def _foresee(self, at: float) -> Forecast | None:
        horizon_s = self._prediction.horizon_s
        spread = self._model.ahead(horizon_s / self._prediction.sample_s)
        if spread is None:
            return None
        demand = max(0.0, spread.value)
        self._open.append((at + horizon_s, demand))
        reach = _Z * spread.deviation
        return Forecast(at + horizon_s, demand, max(0.0, demand - reach), demand + reach, self.mape)


def _model(prediction: Prediction) -> _Model:
    if prediction.algorithm is Algorithm.LINEAR:
        return LinearTrend(prediction.window)
    season = round(prediction.season_s / prediction.sample_s)
    assert 2 <= season <= SEASON_MAX, f"a season of {season} samples; policies are checked before"
    return Seasonal(season)
