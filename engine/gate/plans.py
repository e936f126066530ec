"""What a verb would do, in before, after and effect, and the calls that take it back; pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from engine.agents.registry import find_agent
from engine.gate import policy_plans
from engine.model import commands as c
from engine.model.agents import Allocation
from engine.model.plans import Call, PlanStep
from engine.model.tasks import FINISHED, HELD, TaskState
from engine.model.wire import call_of
from engine.scaling.policies import find_pool, leavers, wanted_size
from engine.scheduling.router import pool_by_capabilities, pool_for
from engine.scheduling.submission import doomed_by, find_task, revived_with
from engine.state import FleetState

STEPS_MAX = 200
"""Steps that a plan spells out; the rest is counted in its last step."""


def describe(state: FleetState, commands: Sequence[c.Command]) -> list[PlanStep]:
    """Return one step for each verb, at most STEPS_MAX. Raises FleetError as executing would."""
    steps = [_DESCRIBE[type(command)](state, command) for command in commands[:STEPS_MAX]]
    rest = len(commands) - len(steps)
    if rest > 0:
        steps.append(PlanStep(Call(commands[0].name), f"{rest} more", "", "", "likewise"))
    return steps


def inverse_of(state: FleetState, command: c.Command) -> Call | None:
    """Return the call that takes a verb back, from the state before it, or None when there is none."""
    if isinstance(command, c.ScalePool):
        pool = state.pools.get(command.pool)
        return Call(command.name, {"pool": command.pool, "size": str(pool.size)}) if pool else None
    if isinstance(command, c.PausePool | c.ResumePool):
        pool = state.pools.get(command.pool)
        changes = pool is not None and pool.paused is isinstance(command, c.ResumePool)
        return Call(command.inverse, {"pool": command.pool}) if changes else None
    if isinstance(command, policy_plans.ScalingVerb):
        return policy_plans.inverse_of(state, command)
    if isinstance(command, c.DrainAgent | c.UndrainAgent):
        agent = state.agent_named(command.agent)
        changes = agent is not None and agent.cordoned is isinstance(command, c.UndrainAgent)
        return Call(command.inverse, {"agent": command.agent}) if changes else None
    if isinstance(command, c.CancelTask):
        task = state.tasks.get(command.task)  # type: ignore[call-overload]
        # Lenient: what ended by itself while it was being stopped must not keep the others from coming back.
        return Call(command.inverse, {"task": command.task, "lenient": True}) if task and task.state not in FINISHED else None
    if isinstance(command, c.RetryTask):
        return Call(command.inverse, {"task": command.task})
    if isinstance(command, c.PrioritiseTask):
        task = state.tasks.get(command.task)  # type: ignore[call-overload]
        return Call(command.name, {"task": command.task, "priority": task.priority}) if task else None
    return None


def inverse_of_value(command: c.Command, value: object) -> list[Call]:
    """Return the calls that take a verb back which only its answer tells: what it made."""
    if isinstance(command, c.SubmitTask):
        return [Call("task.cancel", {"task": str(value)})]
    if isinstance(command, c.RegisterAgent):
        made = value if isinstance(value, list) else [value]
        return [Call("agent.unregister", {"agent": str(agent)}) for agent in made]
    if isinstance(command, c.AllocateAgent) and isinstance(value, Allocation):
        return [Call("agent.release", {"allocation": str(value.id)})]
    return []


def _scale(state: FleetState, command: c.ScalePool) -> PlanStep:
    pool = find_pool(state, command.pool)
    size = wanted_size(pool, command.size)
    staying = [agent for agent in state.agents_in(command.pool) if not agent.retiring]
    more = size - len(staying)
    effect = "no change"
    if more > 0:
        effect = f"starts {more} agent{'s' if more > 1 else ''}"
    elif more < 0:
        going = leavers(staying, -more)
        busy = sum(agent.task is not None or agent.allocation is not None for agent in going)
        effect = f"removes {len(going) - busy} now" + (f", {busy} busy when they finish" if busy else "")
    call, warning = call_of(replace(command, size=str(size))), policy_plans.revert_warning(state, command.pool)
    return PlanStep(call, command.pool, str(pool.size), str(size), effect, warning, changes=more != 0 or size != pool.size)


def _pause(state: FleetState, command: c.PausePool | c.ResumePool) -> PlanStep:
    pool = find_pool(state, command.pool)
    paused = isinstance(command, c.PausePool)
    waiting = len(state.pending_of.get(command.pool, ()))
    effect = f"{waiting} waiting tasks {'keep waiting' if paused else 'are placed'}"
    return PlanStep(
        call_of(command), command.pool, _paused(pool.paused), _paused(paused), effect, changes=pool.paused is not paused
    )


def _paused(paused: bool) -> str:  # noqa: FBT001  # the one argument it is about
    return "paused" if paused else "placing"


def _register(state: FleetState, command: c.RegisterAgent) -> PlanStep:
    pool = state.pools[pool_for(state, command.pool or command.type)]
    return PlanStep(
        call_of(command), pool.spec.name, f"{pool.agents} agents", f"{pool.agents + command.count} agents", f"starts {command.count}"
    )


def _agent(state: FleetState, command: Any) -> PlanStep:  # noqa: ANN401  # any verb with an agent
    agent = find_agent(state, command.agent)
    after, idle, busy = {
        "agent.unregister": ("gone", "leaves now", "leaves when its task ends"),
        "agent.drain": ("drained", "takes no more work", "finishes its task, then takes no more"),
        "agent.undrain": ("idle", "takes work again", "goes on taking work"),
        "agent.restart": ("starting", "starts anew now", "starts anew when its task ends"),
    }[command.name]
    working = agent.task is not None or agent.allocation is not None
    warning = ""
    if command.name == "agent.unregister":
        pool = state.pools[agent.spec.pool]
        warning = f"{pool.spec.name} falls below its min of {pool.spec.min}" if pool.size <= pool.spec.min else ""
    changes = not (command.name == "agent.drain" and agent.cordoned) and not (
        command.name == "agent.undrain" and not agent.cordoned
    )
    return PlanStep(call_of(command), agent.spec.name, agent.status, after, busy if working else idle, warning, changes)


def _allocate(state: FleetState, command: c.AllocateAgent) -> PlanStep:
    pool = state.pools[pool_for(state, command.pool_type)]
    free = pool.by_status.get("idle", 0)
    return PlanStep(call_of(command), pool.spec.name, f"{free} idle", f"{max(0, free - 1)} idle", f"reserved for {command.expires_s:g} s at most")


def _release(state: FleetState, command: c.ReleaseAgent) -> PlanStep:
    return PlanStep(call_of(command), command.allocation, "reserved", "free")


def _submit(state: FleetState, command: c.SubmitTask) -> PlanStep:
    pool = state.pools[pool_for(state, command.pool) if command.pool else pool_by_capabilities(state, command.capabilities)]
    waiting = len(state.pending_of.get(pool.spec.name, ()))
    known = state.keys.get(command.idempotency_key) if command.idempotency_key else None
    effect = f"is {known} already" if known else f"{waiting} tasks wait in {pool.spec.name}"
    warning = "pool is paused" if pool.paused else "pool has no agents" if not pool.agents else ""
    return PlanStep(call_of(command), command.title or command.type, "", "pending", effect, warning, changes=known is None)


def _cancel(state: FleetState, command: c.CancelTask) -> PlanStep:
    task = find_task(state, command.task)
    held = task.state in HELD
    effect = f"stopped on {task.agent_name}; its work is lost" if held else "never runs"
    doomed = len(doomed_by(state, [task.spec.id])) if task.state not in FINISHED else 0
    warning = f"{doomed} task{'s' if doomed > 1 else ''} that need{'' if doomed > 1 else 's'} it {'are' if doomed > 1 else 'is'} cancelled too" if doomed else ""
    if task.state in FINISHED:
        return PlanStep(call_of(command), task.spec.title, task.state, task.state, "has ended already", changes=False)
    return PlanStep(call_of(command), task.spec.title, task.state, "cancelled", effect, warning)


def _retry(state: FleetState, command: c.RetryTask) -> PlanStep:
    task = find_task(state, command.task)
    if task.stopping in ("cancel", "retry"):
        return PlanStep(call_of(command), task.spec.title, "stopping", "pending", "runs again once it has stopped")
    if task.state not in FINISHED or task.state is TaskState.SUCCEEDED:
        return PlanStep(call_of(command), task.spec.title, task.state, task.state, "is left as it is", changes=False)
    revived = len(revived_with(state, [task.spec.id], state.at))
    more = f", and {revived} more that fell with it" if revived else ""
    return PlanStep(call_of(command), task.spec.title, task.state, "pending", f"runs again, {task.spec.max_attempts} attempts{more}")


def _prioritise(state: FleetState, command: c.PrioritiseTask) -> PlanStep:
    task = find_task(state, command.task)
    return PlanStep(
        call_of(command), task.spec.title, str(task.priority), str(command.priority), changes=task.priority != command.priority
    )


def _stop(state: FleetState, command: c.StopEngine) -> PlanStep:
    held = sum(state.totals.by_state.get(kind, 0) for kind in HELD)
    waiting = state.totals.by_state.get("pending", 0)
    return PlanStep(
        call_of(command), "engine", "running", "stopped", f"{held} running tasks run again at the next start, {waiting} wait"
    )


_DESCRIBE: dict[type[c.Command], Callable[[FleetState, Any], PlanStep]] = {
    c.ScalePool: _scale,
    c.PausePool: _pause,
    c.ResumePool: _pause,
    **policy_plans.DESCRIBE,
    c.RegisterAgent: _register,
    c.UnregisterAgent: _agent,
    c.DrainAgent: _agent,
    c.UndrainAgent: _agent,
    c.RestartAgent: _agent,
    c.AllocateAgent: _allocate,
    c.ReleaseAgent: _release,
    c.SubmitTask: _submit,
    c.CancelTask: _cancel,
    c.RetryTask: _retry,
    c.PrioritiseTask: _prioritise,
    c.StopEngine: _stop,
}
