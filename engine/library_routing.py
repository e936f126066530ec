"""The seeds' TaskRouter and IntelligentRouter for programs that embed the engine: where a task would go now, and why.

They work on a fleet that is given, or on one of their own between initialize() and shutdown(). Nothing is placed by asking; the
engine places tasks by the same rules, lessons and scores when they are submitted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from engine.fleet import FleetManager
from engine.gate.routes import advice_words, in_full, route_ids
from engine.library import Manager
from engine.model.config_sections import RoutingRule
from engine.model.errors import UsageError
from engine.model.ids import AgentId, TaskId
from engine.model.learned import Advice, By
from engine.model.library import (
    AgentScore,
    RoutingContext,
    RoutingDecision,
    RoutingResult,
    RoutingStats,
    ScoredAgent,
    from_caller,
)
from engine.model.tasks import Placement, TaskSpec
from engine.scheduling.allocator import FreeAgents
from engine.scheduling.router import pool_by_capabilities, pool_for

FACTORS = ("capabilityMatch", "availability", "performance", "cost", "historical")
METHODS = {By.RULE: "rule-based", By.LEARNED: "ml-based", By.SCORE: "performance-based", By.EXPLORED: "exploration"}
RUNNERS_UP = 2
"""The seeds' slice(1, 3)."""


class _Asking(Manager):
    """Asks where a task would go."""

    def __init__(self, config: Mapping[str, Any] | None = None, *, fleet: FleetManager | None = None) -> None:
        """Take a fleet, or check the section routing for one of its own. Raises ConfigError, UsageError."""
        if fleet is not None and config:
            raise UsageError("give the section routing to the fleet's own configuration, not both a fleet and a config")
        super().__init__(fleet, {"routing": dict(config or {})})

    def _place(self, wanted: RoutingContext) -> tuple[str, Placement] | None:
        """Return the agent and the numbers of a placement that is not made; None when nobody is free. Raises NotFound, CommandRefused."""
        fleet = self.fleet
        state, now = fleet.coordinator.state, fleet.clock.now()
        pool = pool_for(state, wanted.pool) if wanted.pool else pool_by_capabilities(state, tuple(wanted.capabilities))
        spec = TaskSpec(TaskId(""), wanted.type, pool, dict(wanted.payload), priority=wanted.priority, capabilities=tuple(wanted.capabilities), fairness_key=wanted.fairness_key)
        free = FreeAgents(fleet.config.routing.weights(), fleet.rng, fleet.router.asked(), state.pools)
        for agent in state.agents_in(pool):
            free.update(agent)
        found = free.choose(spec, now, 1)
        return (found[0].spec.id, found[1]) if found is not None else None

    def _name(self, agent: str) -> str:
        known = self.fleet.coordinator.state.agents.get(AgentId(agent))
        return known.spec.name if known is not None else agent

    def _scored(self, agent: str, placement: Placement) -> ScoredAgent:
        factors = dict(zip(FACTORS, placement.factors, strict=True))
        reasoning = ", ".join(f"{name} {value:.2f}" for name, value in factors.items())
        return ScoredAgent(AgentId(agent), AgentScore(placement.value, factors, reasoning))


class TaskRouter(_Asking):
    """Where a task would go by all that decides: analyse, find, filter, score, select."""

    async def route_task(self, task: RoutingContext | Mapping[str, Any]) -> RoutingResult:
        """Return the agent, its score and two runners-up; success is False when no free agent fits. Raises NotFound, CommandRefused."""
        wanted = from_caller(RoutingContext, task)
        found = self._place(wanted)
        if found is None:
            return RoutingResult(success=False, target=None, routing_score=0.0, alternatives=(), reasoning="no free agent has what it wants")
        agent, placement = found
        reasoning = advice_words(placement.advice, self._name) if placement.advice else f"best score of {placement.candidates} free"
        return RoutingResult(success=True, target=AgentId(agent), routing_score=placement.value, alternatives=placement.alternatives[:RUNNERS_UP], reasoning=reasoning)

    async def score_agent(self, task: RoutingContext | Mapping[str, Any]) -> ScoredAgent | None:
        """Return the agent that would be chosen with its five factors; None when nobody is free."""
        found = self._place(from_caller(RoutingContext, task))
        return self._scored(*found) if found is not None else None


class IntelligentRouter(_Asking):
    """Rules first, then what was learned, then scores. `config` is the section routing of a fleet's configuration."""

    @property
    def routing_rules(self) -> tuple[RoutingRule, ...]:
        """The rules, in their order."""
        return self.fleet.config.routing.rules

    @property
    def performance_history(self) -> dict[str, list[dict[str, Any]]]:
        """Pool -> its newest decisions with what was expected and what came of them, newest first."""
        router, state = self.fleet.router, self.fleet.coordinator.state
        return {pool: in_full(router, state, pool)["decisions"] for pool in route_ids(router, state)}

    @property
    def routing_stats(self) -> RoutingStats:
        """The six counters."""
        return self.fleet.get_routing_stats()

    async def route(self, task: RoutingContext | Mapping[str, Any]) -> RoutingDecision | None:
        """Return who would take a task and what decided; None when no free agent fits. Raises NotFound, CommandRefused."""
        found = self._place(from_caller(RoutingContext, task))
        if found is None:
            return None
        agent, placement = found
        advice = placement.advice
        if advice is None:
            return RoutingDecision(AgentId(agent), placement.value, f"best score of {placement.candidates} free", METHODS[By.SCORE])
        return RoutingDecision(AgentId(agent), _confidence(advice, placement), advice_words(advice, self._name), METHODS[advice.by])

    async def learn_from_outcomes(self) -> Mapping[str, int]:
        """Have what was learned kept now, and return from how many outcomes each pool has learned; learning itself never stops."""
        router = self.fleet.router
        router.keep(everything=True)
        await self.fleet.coordinator.settled()
        return {pool: course.model.outcomes for pool, course in router.courses.items()}

    def pools(self) -> Sequence[str]:
        """Return the pools of which something is known."""
        return route_ids(self.fleet.router, self.fleet.coordinator.state)


def _confidence(advice: Advice, placement: Placement) -> float:
    return advice.confidence if advice.by in (By.RULE, By.LEARNED) else placement.value
