"""What takes a plan back, what it must find for that, and what is left to take back when time has passed; pure.

A plan keeps the calls that take it back and, for each, what it left behind (a size, a priority). Undo leaves out what
needs no undoing any more, and is refused where somebody else has changed the same thing since. Redo alike.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any

from engine.coordinator.hosts import cordon_of
from engine.coordinator.sizing import edited
from engine.gate import alert_plans, budgets, policy_plans, reviewing, routes, swarms
from engine.model import commands as c
from engine.model import wire
from engine.model.agent_commands import (
    AllocateAgent,
    DrainAgent,
    RegisterAgent,
    ReleaseAgent,
    UndrainAgent,
    UnregisterAgent,
)
from engine.model.agent_events import Cordon
from engine.model.agents import Allocation
from engine.model.alert_commands import (
    AlertVerb,
    CreateRule,
    DeleteRule,
    EndSilence,
    SilenceAlerts,
    UpdateRule,
)
from engine.model.booster_commands import AddModule, RemoveModule
from engine.model.budget_commands import SetBudget
from engine.model.consensus_commands import OpenProposal, WithdrawProposal
from engine.model.errors import CommandRefused, NotFound
from engine.model.fleet_commands import HaltFleet, RedoPlan, ResumeFleet, UndoPlan
from engine.model.host_commands import CordonHost, DrainHost, HostVerb, UncordonHost
from engine.model.ids import AllocationId, GangId, HostId, PlanId, ProposalId, SessionId, TaskId
from engine.model.memory import ChangedEntry
from engine.model.memory_commands import RestoreEntry
from engine.model.modules import SHORT_HASH, UserModule
from engine.model.plans import Call
from engine.model.policy_text import policy_table
from engine.model.pool_commands import (
    AskGang,
    CreatePolicy,
    DeletePolicy,
    EditPool,
    EndGang,
    PausePool,
    ScalePool,
    UnpausePool,
    UpdatePolicy,
)
from engine.model.review_commands import AcceptReview, DiscardReview, ReopenReview, ReviewVerb
from engine.model.routing_commands import ALL_POOLS, ForgetRouting, RecallRouting, SetRouting
from engine.model.scaling import Policy
from engine.model.swarm_commands import (
    CreateSwarm,
    EditSwarm,
    EndSwarm,
    GiveObjective,
    PauseSwarm,
    StopSession,
    UnpauseSwarm,
)
from engine.model.task_commands import CancelTask, PrioritiseTask, RetryTask, SubmitTask
from engine.model.tasks import FINISHED, Task, TaskState
from engine.model.verbs import Command
from engine.model.wire import command_of
from engine.scaling.policy_verbs import created, updated
from engine.scheduling.routing_verbs import can_recall, mode_set
from engine.state import FleetState, KeptPlan

UNDO_CALLS_MAX = 1_000
"""A plan with more verbs to take back cannot be undone."""
REDO_CALLS_MAX = 50
NO_MODULE = "no module"


Back = tuple[Call, str]
"""A call that takes something back, and what it must find; empty = anything."""


# ---- the calls that take a verb back


def inverse_of(state: FleetState, command: Command) -> list[Call]:
    """Return the calls that take a verb back, from the state before it; none when it changes nothing or cannot be undone."""
    find = _INVERSE.get(type(command))
    return find(state, command) if find is not None else []


def _scale(state: FleetState, command: ScalePool) -> list[Call]:
    pool = state.pools.get(command.pool)
    changes = pool is not None and str(pool.size) != command.size
    return [Call(command.name, {"pool": command.pool, "size": str(pool.size)})] if pool and changes else []


def _pause(state: FleetState, command: PausePool | UnpausePool) -> list[Call]:
    pool = state.pools.get(command.pool)
    changes = pool is not None and pool.paused is isinstance(command, UnpausePool)
    return [Call(command.inverse, {"pool": command.pool})] if changes else []


def _cordon(state: FleetState, command: DrainAgent | UndrainAgent) -> list[Call]:
    agent = state.agent_named(command.agent)
    changes = agent is not None and agent.cordoned is isinstance(command, UndrainAgent)
    return [Call(command.inverse, {"agent": command.agent})] if changes else []


def _host(state: FleetState, command: HostVerb) -> list[Call]:
    host = state.hosts.get(HostId(command.host))
    if host is None or host.cordon is cordon_of(command):
        return []
    name = {Cordon.OPEN: UncordonHost.name, Cordon.CORDONED: CordonHost.name, Cordon.DRAINING: DrainHost.name}[host.cordon]
    return [Call(name, {"host": command.host})]


def _cancel(state: FleetState, command: CancelTask) -> list[Call]:
    """Lenient: what ended by itself while it was being stopped must not keep the others from coming back."""
    task = state.tasks.get(TaskId(command.task))
    ends = task is not None and task.state not in FINISHED
    return [Call(command.inverse, {"task": command.task, "lenient": True})] if ends else []


def _routing(state: FleetState, command: SetRouting | ForgetRouting) -> list[Call]:
    return routes.inverse_of(state, command)


def _retry(_state: FleetState, command: RetryTask) -> list[Call]:
    return [Call(command.inverse, {"task": command.task})] if not command.feedback else []


def _prioritise(state: FleetState, command: PrioritiseTask) -> list[Call]:
    task = state.tasks.get(TaskId(command.task))
    changes = task is not None and task.priority != command.priority
    return [Call(command.name, {"task": command.task, "priority": task.priority})] if task and changes else []


def _halt(state: FleetState, command: HaltFleet) -> list[Call]:
    return [Call(command.inverse, {"scope": command.scope})] if command.scope not in state.halted else []


def _resume(state: FleetState, command: ResumeFleet) -> list[Call]:
    ended = [command.scope] if command.scope else list(state.halted)
    return [Call(command.inverse, {"scope": scope}) for scope in ended if scope in state.halted]


def _policy(state: FleetState, command: policy_plans.ScalingVerb) -> list[Call]:
    call = policy_plans.inverse_of(state, command)
    return [call] if call is not None else []


def _alert(state: FleetState, command: AlertVerb) -> list[Call]:
    call = alert_plans.inverse_of(state, command)
    return [call] if call is not None else []


def _module(state: FleetState, command: AddModule | RemoveModule) -> list[Call]:
    before = state.modules.get(command.module)
    if before is not None:
        return [Call(AddModule.name, {"module": before.name, "sha256": before.facts.sha256})] if _found_module(before) != _left_module(command) else []
    return [Call(RemoveModule.name, {"module": command.module})] if isinstance(command, AddModule) else []


def _left_module(command: AddModule | RemoveModule) -> str:
    return f"module {command.sha256[:SHORT_HASH]}" if isinstance(command, AddModule) else NO_MODULE


def _found_module(module: UserModule | None) -> str:
    return f"module {module.facts.sha256[:SHORT_HASH]}" if module is not None else NO_MODULE


_INVERSE: dict[type[Command], Callable[[FleetState, Any], list[Call]]] = {
    ScalePool: _scale,
    PausePool: _pause,
    UnpausePool: _pause,
    **dict.fromkeys(policy_plans.ScalingVerb.__args__, _policy),
    DrainAgent: _cordon,
    UndrainAgent: _cordon,
    **dict.fromkeys(HostVerb.__args__, _host),
    CancelTask: _cancel,
    RetryTask: _retry,
    SetRouting: _routing,
    ForgetRouting: _routing,
    PrioritiseTask: _prioritise,
    **dict.fromkeys((AcceptReview, DiscardReview), reviewing.inverse_of),
    HaltFleet: _halt,
    ResumeFleet: _resume,
    SetBudget: budgets.inverse_of,
    AddModule: _module,
    RemoveModule: _module,
    **dict.fromkeys(AlertVerb.__args__, _alert),
    **dict.fromkeys((EditSwarm, PauseSwarm, UnpauseSwarm), swarms.inverse_of),
}


def inverse_of_value(command: Command, value: object) -> list[Call]:
    """Return the calls that take a verb back which only its answer tells: what it made."""
    if isinstance(command, SubmitTask) or (isinstance(command, RetryTask) and command.feedback):
        return [Call("task.cancel", {"task": str(value)})]
    if isinstance(command, OpenProposal):
        return [Call("proposal.withdraw", {"proposal": str(value)})]
    if isinstance(command, GiveObjective):
        return [Call("session.stop", {"session": str(value)})]
    if isinstance(command, CreateSwarm):
        return [Call("swarm.end", {"swarm": str(value)})]
    if isinstance(command, SilenceAlerts):
        return [Call(EndSilence.name, {"silence": str(value)})]
    if isinstance(command, AskGang):
        return [Call("gang.end", {"gang": str(value)})]
    if isinstance(command, RegisterAgent):
        made = value if isinstance(value, list) else [value]
        return [Call("agent.unregister", {"agent": str(agent)}) for agent in made]
    if isinstance(value, ChangedEntry):
        return [_restore(value, value.previous, value.record, value.conflicts)] if value.previous or value.version == 1 else []
    if isinstance(command, AllocateAgent) and isinstance(value, Allocation):
        return [Call("agent.release", {"allocation": str(value.id)})]
    return []


def _restore(entry: ChangedEntry, record: int, over: int = -1, conflicts: int = -1) -> Call:
    """Return the call that gives an entry back what a record says; no value passes through a plan."""
    return Call("memory.restore", {"key": entry.key, "record": record, "over": over, "conflicts": conflicts, "namespace": entry.namespace, "owner": entry.owner})


def _restore_again(command: Command, entry: ChangedEntry) -> Call:
    """Return the call that changes an entry once more as a verb did: conflicts that it settled are settled, though under other names."""
    did = 0 if entry.conflicts > 0 else command.conflicts if isinstance(command, RestoreEntry) else -1
    return _restore(entry, entry.record, conflicts=did)


def calls_again(commands: Sequence[Command], values: Sequence[object]) -> list[Call]:
    """Return the calls that do verbs again after an undo; none when there are too many."""
    if len(commands) > REDO_CALLS_MAX:
        return []
    pairs = zip(commands, values, strict=True)
    return [_restore_again(command, value) if isinstance(value, ChangedEntry) else wire.call_of(command) for command, value in pairs]


def backs(state: FleetState, command: Command) -> list[Back]:
    """Return what takes a verb back, from the state before it, each with what the verb will have left."""
    left = _goal(state, command)
    return [(call, left) for call in inverse_of(state, command)]


def calls_back(commands: Sequence[Command], before: Sequence[Sequence[Back]], values: Sequence[object]) -> list[Back]:
    """Return what takes verbs back, last verb first; `before` is from `backs`. None when there are too many."""
    if len(commands) > UNDO_CALLS_MAX:
        return []
    back: list[Back] = []
    for command, calls, value in zip(commands, before, values, strict=True):
        made = [(call, "") for call in inverse_of_value(command, value)]
        back = [*calls, *made, *back]
    return back


# ---- what undo and redo must find


def _goal(state: FleetState, command: Command) -> str:
    """Return what a verb will leave of that which it sets; empty for verbs that set nothing."""
    match command:
        case ScalePool():
            return command.size
        case PrioritiseTask():
            return str(command.priority)
        case SetRouting() | SetBudget():
            return command.mode if isinstance(command, SetRouting) else budgets.goal(state, command)
        case CreatePolicy():
            return version_of(created(state, command))
        case UpdatePolicy():
            return version_of(updated(state, command))
        case EditPool():
            return _version(edited(state, command)[1])
        case CreateRule() | UpdateRule():
            return _version(alert_plans.goal(state, command))
        case AddModule() | RemoveModule():
            return _left_module(command)
        case EditSwarm():
            return _version(swarms.goal(state, command))
    return ""


def version_of(policy: Policy) -> str:
    """Return a word that another policy, however little it differs, does not have."""
    return _version(policy_table(policy))


def _version(table: Mapping[str, object]) -> str:
    return f"version {zlib.crc32(wire.encode(dict(sorted(table.items())))):08x}"


def found_by(state: FleetState, command: Command) -> str:
    """Return what a verb would replace: the size, priority or policy as it is; empty for verbs that set nothing."""
    if isinstance(command, ScalePool):
        pool = state.pools.get(command.pool)
        return str(pool.size) if pool else ""
    if isinstance(command, PrioritiseTask):
        task = state.tasks.get(TaskId(command.task))
        return str(task.priority) if task else ""
    if isinstance(command, SetRouting | SetBudget):
        return _word_set(state, command)
    if isinstance(command, RecallRouting):
        return "forgotten" if can_recall(state, command.pool) else ""
    if isinstance(command, UpdatePolicy | DeletePolicy):
        policy = state.policies.get(command.id)
        return version_of(policy) if policy else ""
    if isinstance(command, EditPool):
        pool = state.pools.get(command.pool)
        return _version(pool.overrides) if pool else ""
    if isinstance(command, UpdateRule | DeleteRule):
        return _version(alert_plans.version(state, command.id)) if command.id in state.alerting.rules else ""
    if isinstance(command, AddModule | RemoveModule):
        return _found_module(state.modules.get(command.module))
    if isinstance(command, EditSwarm):
        return _version(swarms.found_by(state, command))
    return ""


def _word_set(state: FleetState, command: SetRouting | SetBudget) -> str:
    if isinstance(command, SetBudget):
        return budgets.found_by(state, command)
    return mode_set(state, command.pool) if command.pool != ALL_POOLS else ""


def left_to_do(state: FleetState, kept: KeptPlan, *, undo: bool) -> list[Command]:
    """Return the verbs that undo or redo still takes. Raises CommandRefused when none is left, or it would do harm."""
    plan = kept.plan
    calls, expected = (plan.inverse, plan.left) if undo else (plan.calls, plan.found)
    commands = [command_of(call) for call in calls]
    word = "undo" if undo else "redo"
    left: list[Command] = []
    for command, wanted in zip(commands, expected or ("",) * len(commands), strict=True):
        if _is_needless(state, command, undo=undo):
            continue
        now = found_by(state, command)
        if wanted and now != wanted:
            target = str(next(iter(command_values(command))))
            raise CommandRefused(
                f"{target} is {now} now, not {wanted} as it was {'left by' if undo else 'found by'} {plan.summary!r}"
                f"{_who_since(state, target, plan.id)}: to {word} it would take that back too; change it by hand"
            )
        left.append(command)
    if not left:
        raise CommandRefused(f"nothing is left to {word} of {plan.summary!r}: it ended, left or was changed back since")
    return left


def command_values(command: Command) -> list[object]:
    """Return a verb's arguments in order."""
    return [getattr(command, spec.name) for spec in fields(command)]


def _who_since(state: FleetState, target: str, plan: PlanId) -> str:
    entry = next((entry for entry in reversed(state.audit) if entry.target == target and entry.result == "done"), None)
    return f" ({entry.who}, {entry.action} by {entry.via})" if entry is not None and entry.plan != plan else ""


def _is_needless(state: FleetState, command: Command, *, undo: bool) -> bool:  # noqa: PLR0911  # one line a kind of verb
    """Tell whether a verb has nothing to do: all is as it would make it or, for undo, what it is about has gone."""
    match command:
        case ScalePool():
            return found_by(state, command) == command.size
        case PausePool() | UnpausePool():
            return not _pause(state, command)
        case DrainAgent() | UndrainAgent() | UnregisterAgent():
            return _is_needless_for_agent(state, command, undo=undo)
        case CordonHost() | DrainHost() | UncordonHost():
            return undo if HostId(command.host) not in state.hosts else not _host(state, command)
        case WithdrawProposal() | EndGang() | ReleaseAgent():
            return undo and _is_over(state, command)
        case CancelTask() | RetryTask() | PrioritiseTask() | AcceptReview() | DiscardReview() | ReopenReview():
            return _is_needless_for_task(state, command, undo=undo)
        case HaltFleet() | ResumeFleet():
            return not inverse_of(state, command)
        case AddModule() | RemoveModule() | SetRouting() | RecallRouting() | SetBudget():
            return found_by(state, command) == _goal(state, command)
        case EditSwarm() | PauseSwarm() | UnpauseSwarm() | EndSwarm() | StopSession():
            return swarms.is_needless(state, command, undo=undo)
    return False


def _is_over(state: FleetState, command: WithdrawProposal | EndGang | ReleaseAgent) -> bool:
    """Tell whether what a verb would end has ended."""
    if isinstance(command, EndGang):
        return GangId(command.gang) not in state.gangs
    if isinstance(command, ReleaseAgent):
        return AllocationId(command.allocation) not in state.allocations
    round_ = state.rounds.get(ProposalId(command.proposal))
    return round_ is None or not round_.is_open


def _is_needless_for_agent(state: FleetState, command: DrainAgent | UndrainAgent | UnregisterAgent, *, undo: bool) -> bool:
    agent = state.agent_named(command.agent)
    is_going = agent is None or agent.retiring
    if isinstance(command, UnregisterAgent):
        return undo and is_going
    return undo if is_going else not _cordon(state, command)


def _is_needless_for_task(state: FleetState, command: CancelTask | RetryTask | PrioritiseTask | ReviewVerb, *, undo: bool) -> bool:
    if isinstance(command, ReviewVerb):
        return reviewing.is_needless(state, command)
    task = state.tasks.get(TaskId(command.task))
    if task is None:
        return undo
    if isinstance(command, CancelTask):
        return task.state in FINISHED
    if isinstance(command, RetryTask):
        return undo and (_is_given_out_again(state, task) or (task.state not in FINISHED and not task.stopping))
    return task.priority == command.priority or (undo and task.state is not TaskState.PENDING)


def _is_given_out_again(state: FleetState, task: Task) -> bool:
    """Tell whether a task was a session's that no longer waits for it: what it was about is done by another one, or by nobody any more."""
    session = state.swarming.sessions.get(SessionId(task.spec.fairness_key))
    return session is not None and task.spec.id not in set(session.open_tasks())


def find_kept(state: FleetState, command: UndoPlan | RedoPlan, who: str, now: float) -> KeptPlan:
    """Return the plan that undo or redo means. Raises CommandRefused when there is none, or it is too late."""
    undo = isinstance(command, UndoPlan)
    kept = state.plans.get(PlanId(command.plan)) if command.plan else _last_of(state, who, undo=undo)
    if kept is None:
        raise NotFound(f"no plan {command.plan!r}" if command.plan else f"nothing to {command.verb}")
    plan = kept.plan
    if (kept.undone_by is None) is not undo:
        raise CommandRefused(f"plan {plan.id} {'was undone already' if undo else 'is not undone'}")
    if not (plan.inverse if undo else plan.calls):
        raise CommandRefused(f"{plan.summary!r} ({plan.id}) cannot be taken back{_why_not(kept)}; `plans` lists those before it")
    if undo and now > plan.undo_until:
        raise CommandRefused(f"the undo window of {plan.id} has closed; do the opposite by hand")
    return kept


def _last_of(state: FleetState, who: str, *, undo: bool) -> KeptPlan | None:
    """Return somebody's last plan that stands, or the one undone last."""
    mine = [kept for kept in state.plans.values() if kept.plan.who == who and (kept.undone_by is None) is undo]
    return max(reversed(mine), key=lambda kept: kept.seq, default=None)


def _why_not(kept: KeptPlan) -> str:
    kind = c.COMMANDS.get(kept.plan.calls[0].name) if kept.plan.calls else None
    return f": {kind.irreversible}" if kind is not None and kind.irreversible else " or repeated"
