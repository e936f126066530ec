"""One pool followed by its policies: the same steps live and in a backtest.

Owner: of the pool's history and predictors.
"""

from __future__ import annotations

from collections.abc import Sequence

from engine.model.scaling import Decision, Limits, Observation, Policy
from engine.scaling.decide import decide
from engine.scaling.history import Forecast, History, demand
from engine.scaling.predictor import Predictor


class Follower:
    """Feeds observations of one pool to its policies."""

    def __init__(self, policies: Sequence[Policy], tick_s: float = 1.0) -> None:
        self.policies: tuple[Policy, ...] = ()
        self.history = History(tick_s)
        self._predictors: dict[str, Predictor] = {}
        self._forecasts: dict[str, Forecast] = {}
        self.take(policies)

    def take(self, policies: Sequence[Policy]) -> None:
        """Follow these policies from now on; what an unchanged one has seen stays."""
        enabled = tuple(policy for policy in policies if policy.enabled)
        for policy in self.policies:
            if policy not in enabled:
                self.history.forget(policy.id)
                self._predictors.pop(policy.id, None)
                self._forecasts.pop(policy.id, None)
        for policy in enabled:
            if policy.prediction is not None and policy.id not in self._predictors:
                self._predictors[policy.id] = Predictor(policy.prediction)
        self.policies = enabled

    @property
    def foresees(self) -> bool:
        """Tell whether a policy predicts, so that every sample counts."""
        return bool(self._predictors)

    def forecasts(self) -> dict[str, Forecast]:
        """Return the newest forecast of each predicting policy."""
        return dict(self._forecasts)

    def step(self, now: Observation, limits: Limits) -> Decision:
        """Observe, decide, and note the decision."""
        history = self.history
        history.observe(now, self.policies)
        for policy in self.policies if self._predictors else ():
            predictor = self._predictors.get(policy.id)
            forecast = predictor.see(now.at, demand(now, policy.drain_s)) if predictor else None
            if forecast is not None:
                self._forecasts[policy.id] = forecast
        decision = decide(now, self.policies, limits, history, self._forecasts)
        history.decided(decision)
        return decision

    def unchanged_until(self, at: float) -> None:
        """Take it that the pool stayed as last observed until an instant."""
        self.history.unchanged_until(at, self.policies)
