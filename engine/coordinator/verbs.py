"""Which room decides each verb; the one place where rooms meet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from engine.agents import registry
from engine.booster import registering
from engine.coordinator import gangs
from engine.coordinator.sizing import Resizing, decide_edit, machines_for
from engine.model import commands as c
from engine.model.errors import CommandRefused, UsageError
from engine.model.events import BoosterCacheCleared, Event
from engine.model.memory_commands import MemoryVerb
from engine.scaling import policies, policy_verbs
from engine.scheduling import halting, submission
from engine.scheduling.allocator import FreeAgents
from engine.scheduling.reservations import decide_allocate
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
        return decide_allocate(state, commands, deciding, free)  # type: ignore[arg-type]
    decide = _DECIDE.get(kind)
    if decide is None:
        raise UsageError(f"{kind.name} is carried out by the engine's owner, not by the coordinator")
    return decide(state, commands, deciding)


def _decide_scale(state: FleetState, commands: Sequence[c.ScalePool], deciding: Deciding) -> Decision:
    events: list[Event] = []
    sizes = policies.decide_sizes(state, commands, restoring=deciding.restoring)
    more = sum(max(0, registry.missing(state, pool.spec.name, size)) for pool, size in sizes)
    registry.check_room(state, more, deciding)
    resizing = Resizing(state, deciding)
    for pool, size in sizes:
        events += resizing.resize(pool, size)
    return Decision(events, [size for _, size in sizes])


def _decide_pause(state: FleetState, commands: Sequence[Any], _deciding: Deciding) -> Decision:
    return Decision(policies.decide_pause(state, commands), [command.pool for command in commands])


def _decide_register(state: FleetState, commands: Sequence[c.RegisterAgent], deciding: Deciding) -> Decision:
    named = [(command, pool_for(state, command.pool or command.type)) for command in commands]
    resizing = Resizing(state, deciding)
    return registry.decide_register(state, named, deciding, lambda pool, resources, count: machines_for(resizing, pool, resources, count))


def _decide_clear(_state: FleetState, commands: Sequence[c.ClearBoosterCache], deciding: Deciding) -> Decision:
    return Decision([BoosterCacheCleared(deciding.origin.who)], ["cleared" for _ in commands])


def _decide_memory(state: FleetState, commands: Sequence[c.Command], deciding: Deciding) -> Decision:
    if deciding.memory is None:
        raise CommandRefused("this engine keeps no memory")
    return deciding.memory.decide(commands, deciding, state.seq + 1)


_DECIDE: dict[type[c.Command], Decide] = {
    c.ScalePool: _decide_scale,
    c.PausePool: _decide_pause,
    c.UnpausePool: _decide_pause,
    c.EditPool: decide_edit,
    c.HoldPool: policy_verbs.decide_hold,
    c.ReleasePool: policy_verbs.decide_release,
    c.AskGang: gangs.decide_ask,
    c.EndGang: gangs.decide_end,
    c.CreatePolicy: policy_verbs.decide_create,
    c.UpdatePolicy: policy_verbs.decide_update,
    c.DeletePolicy: policy_verbs.decide_delete,
    c.RegisterAgent: _decide_register,
    c.UnregisterAgent: registry.decide_unregister,
    c.DrainAgent: registry.decide_cordon,
    c.UndrainAgent: registry.decide_cordon,
    c.RestartAgent: registry.decide_restart,
    c.ReleaseAgent: registry.decide_release,
    c.SubmitTask: submission.decide_submit,
    c.CancelTask: submission.decide_cancel,
    c.RetryTask: submission.decide_retry,
    c.PrioritiseTask: submission.decide_prioritise,
    c.HaltFleet: halting.decide_halt,
    c.ResumeFleet: halting.decide_resume,
    c.ClearBoosterCache: _decide_clear,
    c.AddModule: registering.decide_add,
    c.RemoveModule: registering.decide_remove,
    **dict.fromkeys(MemoryVerb.__args__, _decide_memory),
}
