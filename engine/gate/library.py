"""The seeds' calls for programs that embed the engine: the same verbs through the same gate, as methods."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, cast

from engine.agents.registry import find_agent
from engine.coordinator import Coordinator
from engine.gate import Gate
from engine.model.agent_commands import AllocateAgent, RegisterAgent, ReleaseAgent, UnregisterAgent
from engine.model.agents import Agent, Allocation
from engine.model.ids import AgentId
from engine.model.library import (
    AgentConfig,
    AgentFilter,
    RoutingStats,
    TaskRequirements,
    TaskResult,
    from_caller,
)
from engine.model.pool_commands import ScalePool
from engine.model.rows import FleetStatus
from engine.model.verbs import Command


class LibraryCalls:
    """Methods of a fleet that has a coordinator and gives out operators."""

    coordinator: Coordinator

    def operator(self) -> Gate:
        """Return an operator with the library's own authority."""
        raise NotImplementedError

    def status(self) -> FleetStatus:
        """Return the fleet in one look."""
        raise NotImplementedError

    def wasm_utilization(self) -> float | None:
        """Return the share of their time that the booster's instances were at work; None without a booster."""
        raise NotImplementedError

    async def register_agent(self, config: AgentConfig | Mapping[str, Any]) -> AgentId:
        """Add an agent to its type's pool and return its id. Raises FleetError."""
        wanted = from_caller(AgentConfig, config)
        command = RegisterAgent(
            wanted.type,
            wanted.pool,
            capabilities=wanted.capabilities,
            memory=wanted.resources.memory,
            cpu=wanted.resources.cpu,
        )
        return cast("AgentId", await self._do(command))

    async def unregister_agent(self, agent_id: str) -> None:
        """Take an agent out; a busy one finishes first. Raises NotFound."""
        await self._do(UnregisterAgent(agent_id))

    def get_agent(self, agent_id: str) -> Agent:
        """Return a copy of the record of an agent, by id or name. Raises NotFound."""
        return copy.copy(find_agent(self.coordinator.state, agent_id))

    def list_agents(self, wanted: AgentFilter | Mapping[str, Any] | None = None) -> list[Agent]:
        """Return copies of the agents that match."""
        only = from_caller(AgentFilter, wanted or {})
        return [copy.copy(agent) for agent in self.coordinator.state.agents.values() if _matches(agent, only)]

    async def allocate_agent(self, requirements: TaskRequirements | Mapping[str, Any]) -> Allocation:
        """Reserve a free agent for work that the caller runs itself. Raises CommandRefused when none is free."""
        wanted = from_caller(TaskRequirements, requirements)
        command = AllocateAgent(wanted.task_id, wanted.pool_type, wanted.capabilities, wanted.expires_s)
        return cast("Allocation", await self._do(command))

    async def release_agent(self, allocation_id: str, result: TaskResult | Mapping[str, Any] | None = None) -> None:
        """Give a reserved agent back. Raises NotFound."""
        outcome = from_caller(TaskResult, result or {})
        await self._do(ReleaseAgent(allocation_id, outcome.success, outcome.seconds))

    async def scale_pool(self, pool_type: str, target_size: int) -> None:
        """Set how many agents a pool should have. Raises FleetError."""
        await self._do(ScalePool(pool_type, str(target_size)))

    async def get_fleet_status(self) -> FleetStatus:
        """Return the fleet in one look: status.agents.total, status.pools, status.tasks."""
        return self.status()

    def get_routing_stats(self) -> RoutingStats:
        """Return the router's counters, from the fleet's own."""
        state = self.coordinator.state
        totals = state.totals
        ended = totals.succeeded + totals.failed + totals.dead + totals.retried
        busy_s = sum(pool.busy_s for pool in state.pools.values())
        return RoutingStats(
            totals.submitted,
            totals.succeeded,
            totals.failed + totals.dead,
            totals.retried + totals.rerouted,
            busy_s / ended if ended else 0.0,
            self.wasm_utilization(),
        )

    async def _do(self, command: Command) -> object:
        return (await self.operator().execute([command])).first()


def _matches(agent: Agent, wanted: AgentFilter) -> bool:
    spec = agent.spec
    return (
        wanted.pool in ("", spec.pool)
        and wanted.type in ("", spec.type)
        and wanted.status in ("", agent.status)
        and set(wanted.capabilities) <= set(spec.capabilities)
    )
