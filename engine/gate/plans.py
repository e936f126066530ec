"""What a verb would do, in before, after and effect; pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from typing import Any

from engine.agents.registry import find_agent, revivable
from engine.coordinator.hosts import agents_of, cordon_of, find_host
from engine.gate import (
    alert_plans,
    baselines,
    budgets,
    gang_plans,
    mail,
    module_plans,
    policy_plans,
    questions,
    reviewing,
    routes,
    sessions,
    swarms,
    votes,
)
from engine.model import wire
from engine.model.agent_commands import (
    AllocateAgent,
    DrainAgent,
    RegisterAgent,
    ReleaseAgent,
    RestartAgent,
    UndrainAgent,
    UnregisterAgent,
)
from engine.model.agent_events import Cordon
from engine.model.booster_commands import AddModule, ClearBoosterCache, RemoveModule
from engine.model.budget_commands import SetBudget
from engine.model.data_commands import BackUpFleet, RotateKeys
from engine.model.errors import CommandRefused, PlanChanged
from engine.model.fleet_commands import HaltFleet, ResumeFleet, StopEngine
from engine.model.host_commands import HostVerb
from engine.model.memory_commands import (
    ConsolidateMemory,
    EraseOwner,
    MemoryVerb,
    SynchronizeMemory,
)
from engine.model.plans import Call, PlanStep
from engine.model.pool_commands import PausePool, ScalePool, UnpausePool
from engine.model.question_commands import AnswerTask
from engine.model.task_commands import CancelTask, PrioritiseTask, RetryTask, SubmitTask
from engine.model.tasks import FINISHED, HELD, TaskState
from engine.model.verbs import Command
from engine.model.wire import call_of
from engine.scaling.policies import find_pool, leavers, wanted_size
from engine.scheduling.answering import find_question
from engine.scheduling.budgets import meant
from engine.scheduling.router import pool_for
from engine.scheduling.submission import doomed_by, find_task, pool_of, revived_with
from engine.state import FleetState
from engine.state.deciding import Deciding

STEPS_MAX = 200
"""Steps that a plan spells out; the rest is counted in its last step."""
FATES_MAX = 3


def exact(state: FleetState, command: Command, *, restoring: bool = False) -> Command:
    """Return a verb that means the same whatever happens meanwhile: `+3` becomes the size it is now. Raises FleetError."""
    if isinstance(command, ScalePool):
        return replace(command, size=str(wanted_size(find_pool(state, command.pool), command.size, restoring=restoring)))
    if isinstance(command, SetBudget):
        return replace(command, amount=meant(state, command))
    if isinstance(command, AnswerTask) and not command.question:
        return replace(command, question=find_question(find_task(state, command.task), "").id)
    return command


def describe(state: FleetState, commands: Sequence[Command], deciding: Deciding) -> list[PlanStep]:
    """Return one step for each verb. Raises FleetError as executing would."""
    describers: dict[type[Command], Callable[[FleetState, Any], PlanStep]] = {**_DESCRIBE, SubmitTask: partial(_submit, deciding=deciding), AddModule: partial(module_plans.add, deciding=deciding), RetryTask: partial(_retry, deciding=deciding)}
    if deciding.restoring:
        describers[ScalePool] = partial(_scale, restoring=True)
    describers |= dict.fromkeys(MemoryVerb.__args__, partial(_memory, deciding=deciding))
    return [describers[type(command)](state, command) for command in commands]


def _memory(_state: FleetState, command: Command, *, deciding: Deciding) -> PlanStep:
    if deciding.memory is None:
        raise CommandRefused("this engine keeps no memory")
    return deciding.memory.describe(command, deciding)


def shown(steps: Sequence[PlanStep]) -> tuple[PlanStep, ...]:
    """Return the steps that a plan spells out, with the rest counted by what becomes of them."""
    rest = steps[STEPS_MAX:]
    if not rest:
        return tuple(steps)
    fates = Counter(in_words(step) for step in rest)
    told = ", ".join(f"{number} {fate}" for fate, number in fates.most_common(FATES_MAX))
    more = PlanStep(Call(steps[0].call.name), f"{len(rest)} more", "", told, changes=any(step.changes for step in rest))
    return (*steps[:STEPS_MAX], more)


_ALIKE = {
    **dict.fromkeys(("starting", "idle", "assigned", "busy"), "working"),
    **dict.fromkeys(("leased", "running", "needs_input"), "held"),
}
"""Words of `before` that a plan need not tell apart: agents and tasks move between them by themselves all the time."""


def substance(step: PlanStep) -> tuple[str, str, str, str, bool]:
    """Return what of a step must still be so when it is carried out; counts of what happens to wait or run are not."""
    before = "" if step.call.name in _COUNTED else _ALIKE.get(step.before, step.before)
    after = "" if step.call.name in _COUNTED else step.after
    return step.target, before, after, step.warning, step.changes


@dataclass(frozen=True, slots=True)
class Said:
    """What a plan said that it would do."""

    steps: Sequence[PlanStep]
    """As far as the plan spells them out."""
    substance: str
    """Hash of what must still be so when it is carried out; the same in every engine."""

    @classmethod
    def by(cls, steps: Sequence[PlanStep]) -> Said:
        """Return what steps say."""
        return cls(shown(steps), sha256(wire.encode([substance(step) for step in steps])).hexdigest())

    def check(self, now: Sequence[PlanStep]) -> None:
        """Raise PlanChanged when it would do something else now, with what differs."""
        if self.by(now).substance == self.substance:
            return
        differing = ((old, new) for old, new in zip(self.steps, now, strict=False) if substance(old) != substance(new))
        old, new = next(differing, (None, None))
        told = f"it would touch {len(now)} things"
        if old and new:
            more = "; ".join(dict.fromkeys(text for text in (in_words(new), new.effect, new.warning) if text))
            told = f"{old.target} was {in_words(old)}, now {more}"
        raise PlanChanged(f"the fleet changed since this plan was made: {told}; nothing was changed, look at the new plan")


def in_words(step: PlanStep) -> str:
    """Return `before → after`."""
    return f"{step.before} → {step.after}" if step.before else step.after


def _some(number: int, thing: str, does: str, do: str) -> str:
    """Return `1 task waits`, `2 tasks wait`; what is counted comes first in `thing`'s words."""
    first, _, rest = thing.partition(" at ")
    many = f"{first}s{f' at {rest}' if rest else ''}"
    return f"{number} {thing} {does}" if number == 1 else f"{number} {many} {do}"


_COUNTED = frozenset({AllocateAgent.name, ConsolidateMemory.name, EraseOwner.name})
"""Verbs whose before and after count what is free, or there, just now."""


def _scale(state: FleetState, command: ScalePool, *, restoring: bool = False) -> PlanStep:
    pool = find_pool(state, command.pool)
    size = wanted_size(pool, command.size, restoring=restoring)
    staying = [agent for agent in state.agents_in(command.pool) if not agent.retiring]
    more = size - len(staying)
    effect = "no change"
    if more > 0:
        back = min(more, len(revivable(state, command.pool)))
        effect = f"{back} that {'were' if back > 1 else 'was'} leaving stay{'' if back > 1 else 's'}" if back else ""
        new = more - back
        effect += (", " if back and new else "") + (f"starts {new} agent{'s' if new > 1 else ''}" if new else "")
    elif more < 0:
        going = leavers(staying, -more)
        busy = sum(agent.task is not None or agent.allocation is not None for agent in going)
        effect = f"removes {len(going) - busy} now" + (f", {busy} busy when they finish" if busy else "")
    call, warning = call_of(replace(command, size=str(size))), policy_plans.revert_warning(state, command.pool)
    return PlanStep(call, command.pool, str(pool.size), str(size), effect, warning, changes=more != 0 or size != pool.size)


def _pause(state: FleetState, command: PausePool | UnpausePool) -> PlanStep:
    pool = find_pool(state, command.pool)
    paused = isinstance(command, PausePool)
    waiting = len(state.pending_of.get(command.pool, ()))
    does, do = ("keeps waiting", "keep waiting") if paused else ("is placed", "are placed")
    effect = _some(waiting, "waiting task", does, do) if waiting else "no task waits"
    return PlanStep(
        call_of(command), command.pool, _paused(pool.paused), _paused(paused), effect, changes=pool.paused is not paused
    )


def _paused(paused: bool) -> str:  # noqa: FBT001  # the one argument it is about
    return "paused" if paused else "placing"


def _register(state: FleetState, command: RegisterAgent) -> PlanStep:
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


def _host(state: FleetState, command: HostVerb) -> PlanStep:
    host = find_host(state, command.host)
    cordon = cordon_of(command)
    agents = agents_of(state, host.info.id)
    busy = sum(agent.task is not None or agent.allocation is not None for agent in agents)
    effect = {
        Cordon.OPEN: "agents start there again",
        Cordon.CORDONED: f"no more agents start there; its {len(agents)} go on",
        Cordon.DRAINING: f"{len(agents) - busy} of its agents go to other hosts now, {busy} when their task ends",
    }[cordon]
    return PlanStep(call_of(command), host.info.id, host.cordon, cordon, effect, "", host.cordon is not cordon)


def _allocate(state: FleetState, command: AllocateAgent) -> PlanStep:
    pool = state.pools[pool_for(state, command.pool_type)]
    free = pool.by_status.get("idle", 0)
    return PlanStep(call_of(command), pool.spec.name, f"{free} idle", f"{max(0, free - 1)} idle", f"reserved for {command.expires_s:g} s at most")


def _release(state: FleetState, command: ReleaseAgent) -> PlanStep:
    return PlanStep(call_of(command), command.allocation, "reserved", "free")


def _submit(state: FleetState, command: SubmitTask, deciding: Deciding) -> PlanStep:
    name, routed = pool_of(state, command, deciding)
    pool = state.pools[name]
    waiting = len(state.pending_of.get(pool.spec.name, ()))
    known = state.keys.get(command.idempotency_key) if command.idempotency_key else None
    effect = f"is {known} already" if known else f"{_some(waiting, 'task', 'waits', 'wait')} in {pool.spec.name}"
    effect += f" ({routed})" if routed and not known else ""
    warning = "pool is paused" if pool.paused else "pool has no agents" if not pool.agents else ""
    return PlanStep(call_of(command), command.title or command.type, "", "pending", effect, warning, changes=known is None)


def _cancel(state: FleetState, command: CancelTask) -> PlanStep:
    task = find_task(state, command.task)
    held = task.state in HELD
    effect = f"stopped on {task.agent_name}; its work is lost" if held else "never runs"
    doomed = len(doomed_by(state, [task.spec.id])) if task.state not in FINISHED else 0
    warning = _some(doomed, "task", "that needs it is cancelled too", "that need it are cancelled too") if doomed else ""
    if task.state in FINISHED:
        return PlanStep(call_of(command), task.spec.title, task.state, task.state, "has ended already", changes=False)
    return PlanStep(call_of(command), task.spec.title, task.state, "cancelled", effect, warning)


def _retry(state: FleetState, command: RetryTask, deciding: Deciding) -> PlanStep:
    if command.feedback:
        return reviewing.describe_feedback(state, command, deciding)
    task = find_task(state, command.task)
    if task.stopping in ("cancel", "retry"):
        return PlanStep(call_of(command), task.spec.title, "stopping", "pending", "runs again once it has stopped")
    if task.state not in FINISHED or task.state is TaskState.SUCCEEDED:
        return PlanStep(call_of(command), task.spec.title, task.state, task.state, "is left as it is", changes=False)
    revived = len(revived_with(state, [task.spec.id], state.at))
    more = f", and {revived} more that fell with it" if revived else ""
    return PlanStep(call_of(command), task.spec.title, task.state, "pending", f"runs again, {task.spec.max_attempts} attempts{more}")


def _prioritise(state: FleetState, command: PrioritiseTask) -> PlanStep:
    task = find_task(state, command.task)
    return PlanStep(
        call_of(command), task.spec.title, str(task.priority), str(command.priority), changes=task.priority != command.priority
    )


def _stop(state: FleetState, command: StopEngine) -> PlanStep:
    held = sum(state.totals.by_state.get(kind, 0) for kind in HELD)
    waiting = state.totals.by_state.get("pending", 0)
    return PlanStep(
        call_of(command), "engine", "running", "stopped", f"{_some(held, 'running task', 'runs', 'run')} again at the next start, {waiting} more {'waits' if waiting == 1 else 'wait'}"
    )


def _halt(state: FleetState, command: HaltFleet) -> PlanStep:
    held = sum(task.state in HELD and not task.stopping for task in state.tasks.values())
    effect = {
        "scaling": "pools keep their sizes, whatever the load; `scale` still works",
        "placing": "no task is given to an agent, and pools keep their sizes; what runs goes on",
        "agents": f"{_some(held, 'task at work', 'is stopped and waits', 'are stopped and wait')} again, no attempt counted; nothing is placed or scaled",
    }[command.scope]
    is_so = command.scope in state.halted
    return PlanStep(call_of(command), command.scope, "halted" if is_so else "going on", "halted", effect, changes=not is_so)


def _resume(state: FleetState, command: ResumeFleet) -> PlanStep:
    scopes = [command.scope] if command.scope else list(state.halted)
    ended = [scope for scope in scopes if scope in state.halted]
    waiting = state.totals.by_state.get("pending", 0)
    left = [scope for scope in state.halted if scope not in scopes]
    effect = f"still halted: {', '.join(left)}" if left else _some(waiting, "waiting task", "is placed", "are placed") if ended else ""
    target = ", ".join(ended) or command.scope or "fleet"
    return PlanStep(call_of(command), target, "halted" if ended else "going on", "going on", effect, changes=bool(ended))


_DESCRIBE: dict[type[Command], Callable[[FleetState, Any], PlanStep]] = {
    ScalePool: _scale,
    PausePool: _pause,
    UnpausePool: _pause,
    **policy_plans.DESCRIBE,
    **budgets.DESCRIBE,
    **gang_plans.DESCRIBE,
    **questions.DESCRIBE,
    **votes.DESCRIBE,
    **swarms.DESCRIBE,
    **mail.DESCRIBE,
    **sessions.DESCRIBE,
    **routes.DESCRIBE,
    **alert_plans.DESCRIBE,
    **reviewing.DESCRIBE,
    RegisterAgent: _register,
    UnregisterAgent: _agent,
    DrainAgent: _agent,
    UndrainAgent: _agent,
    RestartAgent: _agent,
    **dict.fromkeys(HostVerb.__args__, _host),
    AllocateAgent: _allocate,
    ReleaseAgent: _release,
    CancelTask: _cancel,
    PrioritiseTask: _prioritise,
    HaltFleet: _halt,
    ResumeFleet: _resume,
    ClearBoosterCache: lambda _state, command: PlanStep(call_of(command), "booster", "", "no answer is kept", "the next ones are made anew"),
    BackUpFleet: lambda _state, command: PlanStep(call_of(command), "fleet", "", f"copied to {command.file or 'a new file in its backups'}", "the engine goes on meanwhile"),
    RemoveModule: module_plans.remove,
    SynchronizeMemory: lambda _state, command: PlanStep(
        call_of(command), command.peer or "all peers", "", "changes of both sides are exchanged", "what was written on both sides is decided by version, then time; the rest is kept: see conflicts"
    ),
    **baselines.DESCRIBE,
    RotateKeys: lambda _state, command: PlanStep(call_of(command), "memory", "", "new keys seal what is stored from now on", "what is there stays as it is, and readable"),
    StopEngine: _stop,
}
