"""Agents reserved for callers that run their tasks themselves."""

from __future__ import annotations

from collections.abc import Sequence

from engine.model.agent_commands import AllocateAgent
from engine.model.agent_events import AgentAllocated
from engine.model.agents import Allocation
from engine.model.errors import CommandRefused
from engine.model.ids import ALLOCATION_PREFIX, AllocationId, TaskId
from engine.model.tasks import TaskSpec
from engine.scheduling.allocator import FreeAgents
from engine.scheduling.halting import check_placing
from engine.scheduling.router import pool_for
from engine.state import FleetState
from engine.state.deciding import Deciding, Decision


def decide_allocate(state: FleetState, commands: Sequence[AllocateAgent], deciding: Deciding, free: FreeAgents) -> Decision:
    """Reserve the best free agent for each. Raises CommandRefused when there are not enough (none is reserved then), or nothing is placed."""
    check_placing(state)
    allocations: list[Allocation] = []
    for command, pool in [(command, pool_for(state, command.pool_type)) for command in commands]:
        if text := state.spending.closed(pool):
            raise CommandRefused(f"{pool} takes no work: {text}")
        spec = TaskSpec(TaskId(command.task_id), "allocation", pool, {}, capabilities=command.capabilities)
        chosen = free.choose(spec)
        if chosen is None:
            for taken in allocations:
                free.update(state.agents[taken.agent])
            raise CommandRefused(f"no free agent in {pool} has {', '.join(command.capabilities) or 'time'}; scale it up or wait")
        agent, placement = chosen
        allocations.append(
            Allocation(
                AllocationId(deciding.ids.new(ALLOCATION_PREFIX)),
                agent.spec.id,
                command.task_id,
                pool,
                deciding.now,
                deciding.now + command.expires_s,
                placement.value,
                f"{agent.spec.name}: score {placement.value:.3f}, best of {placement.candidates} free",
            )
        )
    return Decision([AgentAllocated(allocation) for allocation in allocations], allocations)
