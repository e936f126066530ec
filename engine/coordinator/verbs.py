"""Which room decides each verb; the one place where rooms meet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from engine.agents import registry
from engine.coordinator.sizing import resize, staying
from engine.model import commands as c
from engine.model.agents import Allocation
from engine.model.errors import CommandRefused, UsageError
from engine.model.events import AgentAllocated, Event, PoolScaled
from engine.model.ids import ALLOCATION_PREFIX, AllocationId, TaskId
from engine.model.tasks import TaskSpec
from engine.scaling import policies, policy_verbs
from engine.scheduling import submission
from engine.scheduling.allocator import FreeAgents
from engine.scheduling.router import pool_for
from engine.state import FleetState
from engine.state.deciding import Deciding, Decision

Decide = Callable[[FleetState, Sequence[Any], Deciding], Decision]


def decide_commands(
    state: FleetState, commands: Sequence[c.Command], deciding: Deciding, free: FreeAgents
) -> Decision:
    """Decide a plan of one kind of verb; all of it or, by an exception, nothing. Raises FleetError."""
    if not commands:
        raise UsageError("a plan needs at least one verb")
    kind = type(commands[0])
    if any(type(command) is not kind for command in commands):
        raise UsageError("a plan holds one kind of verb; send the others in plans of their own")
    if kind is c.AllocateAgent:
        return _decide_allocate(state, commands, deciding, free)  # type: ignore[arg-type]
    decide = _DECIDE.get(kind)
    if decide is None:
        raise UsageError(f"{kind.name} is carried out by the engine's owner, not by the coordinator")
    return decide(state, commands, deciding)


def _decide_scale(state: FleetState, commands: Sequence[c.ScalePool], deciding: Deciding) -> Decision:
    events: list[Event] = []
    sizes = policies.decide_sizes(state, commands)
    more = sum(max(0, size - staying(state, pool.spec.name)) for pool, size in sizes)
    registry.check_room(state, more, deciding)
    for pool, size in sizes:
        events += resize(state, pool, size, "", deciding)
    return Decision(events, [size for _, size in sizes])


def _decide_pause(state: FleetState, commands: Sequence[Any], _deciding: Deciding) -> Decision:
    return Decision(policies.decide_pause(state, commands), [command.pool for command in commands])


def _decide_register(state: FleetState, commands: Sequence[c.RegisterAgent], deciding: Deciding) -> Decision:
    meant = [(command, pool_for(state, command.pool or command.type)) for command in commands]
    decision = registry.decide_register(state, meant, deciding)
    for place, event in enumerate(decision.events):
        if isinstance(event, PoolScaled):  # those that are leaving are no part of the size
            leaving = state.pools[event.pool].agents - staying(state, event.pool)
            size = max(event.size - leaving, state.pools[event.pool].size)
            decision.events[place] = PoolScaled(event.pool, size)
    return decision


def _decide_release(state: FleetState, commands: Sequence[c.ReleaseAgent], deciding: Deciding) -> Decision:
    if len({command.allocation for command in commands}) < len(commands):
        raise CommandRefused("a reservation is named twice in one plan; name each once")
    return registry.decide_release(state, commands, deciding)


def _decide_unregister(state: FleetState, commands: Sequence[c.UnregisterAgent], deciding: Deciding) -> Decision:
    return _one_value_each(state, commands, registry.decide_unregister(state, commands, deciding))


def _decide_restart(state: FleetState, commands: Sequence[c.RestartAgent], deciding: Deciding) -> Decision:
    return _one_value_each(state, commands, registry.decide_restart(state, commands, deciding))


def _one_value_each(state: FleetState, commands: Sequence[Any], decision: Decision) -> Decision:
    """Answer every command, also those that name the same agent."""
    return Decision(decision.events, [registry.find_agent(state, command.agent).spec.id for command in commands])


def _decide_allocate(
    state: FleetState, commands: Sequence[c.AllocateAgent], deciding: Deciding, free: FreeAgents
) -> Decision:
    events: list[Event] = []
    values: list[object] = []
    meant = [(command, pool_for(state, command.pool_type)) for command in commands]
    for command, pool in meant:
        spec = TaskSpec(TaskId(command.task_id), "allocation", pool, {}, capabilities=command.capabilities)
        chosen = free.choose(spec)
        if chosen is None:
            for event in events:
                assert isinstance(event, AgentAllocated)
                free.update(state.agents[event.allocation.agent])
            raise CommandRefused(f"no free agent in {pool} has {', '.join(command.capabilities) or 'time'}; scale it up or wait")
        agent, placement = chosen
        reasoning = f"{agent.spec.name}: score {placement.value:.3f}, best of {placement.candidates} free"
        allocation = Allocation(
            AllocationId(deciding.ids.new(ALLOCATION_PREFIX)),
            agent.spec.id,
            command.task_id,
            pool,
            deciding.now,
            deciding.now + command.expires_s,
            placement.value,
            reasoning,
        )
        events.append(AgentAllocated(allocation))
        values.append(allocation)
    return Decision(events, values)


_DECIDE: dict[type[c.Command], Decide] = {
    c.ScalePool: _decide_scale,
    c.PausePool: _decide_pause,
    c.ResumePool: _decide_pause,
    c.HoldPool: policy_verbs.decide_hold,
    c.ReleasePool: policy_verbs.decide_release,
    c.CreatePolicy: policy_verbs.decide_create,
    c.UpdatePolicy: policy_verbs.decide_update,
    c.DeletePolicy: policy_verbs.decide_delete,
    c.RegisterAgent: _decide_register,
    c.UnregisterAgent: _decide_unregister,
    c.DrainAgent: registry.decide_cordon,
    c.UndrainAgent: registry.decide_cordon,
    c.RestartAgent: _decide_restart,
    c.ReleaseAgent: _decide_release,
    c.SubmitTask: submission.decide_submit,
    c.CancelTask: submission.decide_cancel,
    c.RetryTask: submission.decide_retry,
    c.PrioritiseTask: submission.decide_prioritise,
}
