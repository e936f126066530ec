"""Which room decides each verb; the one place where rooms meet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from engine.agents import registry
from engine.booster import registering
from engine.coordinator import gangs, hosts, mail, rounds, sessions, swarms
from engine.coordinator.sizing import Resizing, decide_edit, places_for
from engine.model.agent_commands import (
    AllocateAgent,
    DrainAgent,
    RegisterAgent,
    ReleaseAgent,
    RestartAgent,
    UndrainAgent,
    UnregisterAgent,
)
from engine.model.alert_commands import (
    AckAlert,
    CreateRule,
    DeleteRule,
    DisableRule,
    EnableRule,
    EndSilence,
    SilenceAlerts,
    UnackAlert,
    UpdateRule,
)
from engine.model.booster_commands import AddModule, ClearBoosterCache, RemoveModule
from engine.model.budget_commands import SetBudget
from engine.model.errors import CommandRefused, UsageError
from engine.model.events import BoosterCacheCleared, Event
from engine.model.fleet_commands import HaltFleet, ResumeFleet
from engine.model.host_commands import HostVerb
from engine.model.memory_commands import MemoryVerb
from engine.model.pool_commands import (
    AskGang,
    CreatePolicy,
    DeletePolicy,
    EditPool,
    EndGang,
    HoldPool,
    PausePool,
    ReleasePool,
    ScalePool,
    UnpausePool,
    UpdatePolicy,
)
from engine.model.question_commands import AnswerTask, AskOperator, ForgetAnswerRule, TellProgress
from engine.model.review_commands import AcceptReview, DiscardReview, ReopenReview
from engine.model.task_commands import CancelTask, PrioritiseTask, RetryTask, SubmitTask
from engine.model.verbs import Command
from engine.monitoring.alerts import rule_verbs
from engine.scaling import policies, policy_verbs
from engine.scheduling import (
    answering,
    asking,
    budgets,
    halting,
    reviews,
    routing_verbs,
    submission,
)
from engine.scheduling.allocator import FreeAgents
from engine.scheduling.reservations import decide_allocate
from engine.scheduling.router import pool_for
from engine.state import FleetState
from engine.state.deciding import Deciding, Decision

Decide = Callable[[FleetState, Sequence[Any], Deciding], Decision]


def decide_commands(
    state: FleetState, commands: Sequence[Command], deciding: Deciding, free: FreeAgents
) -> Decision:
    """Decide a plan of one kind of verb; all of it or, by an exception, nothing. Raises FleetError."""
    if not commands:
        raise UsageError("a plan needs at least one verb")
    kind = type(commands[0])
    if any(type(command) is not kind for command in commands):
        raise UsageError("a plan holds one kind of verb; send the others in plans of their own")
    if kind is AllocateAgent:
        return decide_allocate(state, commands, deciding, free)  # type: ignore[arg-type]
    decide = _DECIDE.get(kind)
    if decide is None:
        raise UsageError(f"{kind.name} is carried out by the engine's owner, not by the coordinator")
    return decide(state, commands, deciding)


def _decide_scale(state: FleetState, commands: Sequence[ScalePool], deciding: Deciding) -> Decision:
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


def _decide_register(state: FleetState, commands: Sequence[RegisterAgent], deciding: Deciding) -> Decision:
    named = [(command, pool_for(state, command.pool or command.type)) for command in commands]
    resizing = Resizing(state, deciding)
    return registry.decide_register(state, named, deciding, lambda pool, resources, count: places_for(resizing, pool, resources, count))


def _decide_clear(_state: FleetState, commands: Sequence[ClearBoosterCache], deciding: Deciding) -> Decision:
    return Decision([BoosterCacheCleared(deciding.origin.who)], ["cleared" for _ in commands])


def _decide_retry(state: FleetState, commands: Sequence[RetryTask], deciding: Deciding) -> Decision:
    decide = reviews.decide_feedback if any(command.feedback for command in commands) else submission.decide_retry
    return decide(state, commands, deciding)


def _decide_memory(state: FleetState, commands: Sequence[Command], deciding: Deciding) -> Decision:
    if deciding.memory is None:
        raise CommandRefused("this engine keeps no memory")
    return deciding.memory.decide(commands, deciding, state.seq + 1)


_DECIDE: dict[type[Command], Decide] = {
    ScalePool: _decide_scale,
    PausePool: _decide_pause,
    UnpausePool: _decide_pause,
    EditPool: decide_edit,
    HoldPool: policy_verbs.decide_hold,
    ReleasePool: policy_verbs.decide_release,
    AskGang: gangs.decide_ask,
    EndGang: gangs.decide_end,
    CreatePolicy: policy_verbs.decide_create,
    UpdatePolicy: policy_verbs.decide_update,
    DeletePolicy: policy_verbs.decide_delete,
    RegisterAgent: _decide_register,
    UnregisterAgent: registry.decide_unregister,
    DrainAgent: registry.decide_cordon,
    UndrainAgent: registry.decide_cordon,
    RestartAgent: registry.decide_restart,
    ReleaseAgent: registry.decide_release,
    **dict.fromkeys(HostVerb.__args__, hosts.decide_cordon),
    SubmitTask: submission.decide_submit,
    CancelTask: submission.decide_cancel,
    RetryTask: _decide_retry,
    PrioritiseTask: submission.decide_prioritise,
    AcceptReview: reviews.decide_accept,
    DiscardReview: reviews.decide_discard,
    ReopenReview: reviews.decide_reopen,
    AnswerTask: answering.decide_answer,
    ForgetAnswerRule: answering.decide_forget_rule,
    AskOperator: asking.decide_ask,
    TellProgress: asking.decide_progress,
    HaltFleet: halting.decide_halt,
    ResumeFleet: halting.decide_resume,
    SetBudget: budgets.decide_set,
    ClearBoosterCache: _decide_clear,
    **rounds.DECIDE,
    **swarms.DECIDE,
    **mail.DECIDE,
    **sessions.DECIDE,
    **routing_verbs.DECIDE,
    AddModule: registering.decide_add,
    RemoveModule: registering.decide_remove,
    CreateRule: rule_verbs.decide_create,
    UpdateRule: rule_verbs.decide_update,
    DeleteRule: rule_verbs.decide_delete,
    EnableRule: rule_verbs.decide_enable,
    DisableRule: rule_verbs.decide_enable,
    AckAlert: rule_verbs.decide_ack,
    UnackAlert: rule_verbs.decide_ack,
    SilenceAlerts: rule_verbs.decide_silence,
    EndSilence: rule_verbs.decide_unsilence,
    **dict.fromkeys(MemoryVerb.__args__, _decide_memory),
}
