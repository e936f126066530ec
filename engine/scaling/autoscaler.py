"""The autoscaler: observes every pool once an interval, asks its policies, and reports the sizes it wants.

Owner: of one Follower for each pool and of the newest decisions. It changes nothing: what it wants goes to the coordinator
as a report, which checks it against the state of that moment. Limits: one Follower a pool.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from engine.clock import Clock
from engine.model.pools import Pool
from engine.model.reports import PoolsSized, Report, Sizing
from engine.model.scaling import Decision, Hold, Limits, Observation, Policy
from engine.scaling.follower import Follower
from engine.scaling.history import Forecast
from engine.scaling.optimizer import Optimizer
from engine.scaling.policies import least
from engine.scaling.words import explain
from engine.state import FleetState

logger = logging.getLogger(__name__)


class Observer(Protocol):
    """Measures pools."""

    def observe(self, pool: Pool, at: float) -> Observation:
        """Return what can be measured of a pool now; called once an interval for each pool."""
        ...


class AutoScaler:
    """Follows the load of all pools by the state's policies."""

    def __init__(
        self, state: Callable[[], FleetState], observer: Observer, report: Callable[[Report], None], clock: Clock, interval_s: float
    ) -> None:
        self._state = state
        self._observer = observer
        self._report = report
        self._clock = clock
        self._interval_s = interval_s
        self.obeys = True
        """False = it only looks: sizes are left to operators, decisions say what it would do."""
        self._followers: dict[str, Follower] = {}
        self.decisions: dict[str, Decision] = {}
        """Pool -> the newest decision."""
        self.observations: dict[str, Observation] = {}
        self.optimizer = Optimizer()
        self.next_at = 0.0
        """When it looks again."""

    async def run(self, told: Callable[[Iterable[str]], None] = lambda _pools: None) -> None:
        """Look once an interval until cancelled; `told` gets the pools whose decision reads differently."""
        while True:
            told(self.tick())
            self.next_at = self._clock.now() + self._interval_s
            await self._clock.sleep(self._interval_s)

    def tick(self) -> list[str]:
        """Look at every pool now; return those whose decision or load is another than before."""
        state, now = self._state(), self._clock.now()
        wanted: list[Sizing] = []
        changed: list[str] = []
        for name in [name for name in self._followers if name not in state.pools]:
            del self._followers[name], self.decisions[name], self.observations[name]
        for name, pool in sorted(state.pools.items(), key=lambda item: -item[1].spec.priority):
            seen = self.observations.get(name)
            decision = self._decide(name, limits_of(pool, state), policies_of(state.policies, name), now)
            before = self.decisions.get(name)
            self.decisions[name] = decision
            if before is None or before[1:] != decision[1:] or seen is None or seen[1:5] != self.observations[name][1:5]:
                changed.append(name)
            if decision.target != decision.size:
                wanted.append(Sizing(name, decision.size, decision.target, explain(decision)))
        self.optimizer.see(self.observations, state.pools)
        if wanted and self.obeys:
            self._report(PoolsSized(tuple(wanted)))
        return changed

    def _decide(self, name: str, limits: Limits, policies: tuple[Policy, ...], now: float) -> Decision:
        follower = self._followers.get(name)
        if follower is None:
            follower = self._followers[name] = Follower(policies, self._interval_s)
        elif follower.policies != tuple(policy for policy in policies if policy.enabled):
            follower.take(policies)
        observation = self.observations[name] = self._observer.observe(self._state().pools[name], now)
        return follower.step(observation, limits)

    def forecasts(self, pool: str) -> Mapping[str, Forecast]:
        """Return the newest forecast of each predicting policy of a pool."""
        follower = self._followers.get(pool)
        return follower.forecasts() if follower else {}


def policies_of(policies: Mapping[str, Policy], pool: str) -> tuple[Policy, ...]:
    """Return the policies that hold for a pool: its own, and those for every pool unless it has its own."""
    own = tuple(policy for policy in policies.values() if policy.pool == pool)
    return own or tuple(policy for policy in policies.values() if not policy.pool)


def limits_of(pool: Pool, state: FleetState) -> Limits:
    """Return what bounds a pool; a halt of scaling holds it as an operator's own hold does."""
    halts = [Hold(0.0, halt.who, f"{halt.scope} halted") for halt in state.halted.values()]
    return Limits(least(state, pool), pool.spec.max, pool.spec.cost, halts[0] if halts else pool.hold)
