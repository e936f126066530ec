"""Events in words: one line for the log, with its level and subject; pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from engine.gate import alert_plans, budgets, reviewing, routes
from engine.gate import mail as mail_lines
from engine.gate import sessions as session_lines
from engine.gate import swarms as swarm_lines
from engine.gate import votes as vote_lines
from engine.gate.memory_words import (
    exchange_line,
    is_about_entry,
    memory_line,
    plan_words,
    without_entry,
)
from engine.model import events as ev
from engine.model import room_events as room
from engine.model.agent_events import (
    AgentAllocated,
    AgentReleased,
    AgentsBroken,
    AgentsCordoned,
    AgentsReady,
    AgentsReconfigured,
    AgentsRegistered,
    AgentsRemoved,
    AgentsRetiring,
    AgentsRevived,
    AgentsStarting,
    Cordon,
    HostCordoned,
    HostHealth,
    HostLost,
)
from engine.model.agents import Health
from engine.model.machines import say_amount
from engine.model.memory_events import (
    MemoryChanged,
    MemoryConflicted,
    MemoryExchanged,
    MemoryPermitted,
    MemoryPurged,
)
from engine.model.modules import SHORT_HASH
from engine.model.pool_events import (
    PolicyRemoved,
    PolicySet,
    PoolConfigured,
    PoolEdited,
    PoolHeld,
    PoolPaused,
    PoolScaled,
)
from engine.model.question_events import (
    AnswerRuleForgotten,
    AnswerRuleSet,
    QuestionAnswered,
    QuestionAsked,
    TaskProgressed,
)
from engine.model.questions import in_a_line
from engine.model.review_events import ReviewMoved, ReviewOpened
from engine.model.rows import EventRow
from engine.model.task_events import (
    LateResult,
    TaskFailed,
    TaskHandedOver,
    TaskPrioritised,
    TaskReturned,
    TasksCancelled,
    TasksLeased,
    TasksReplayed,
    TasksRerouted,
    TasksStarted,
    TasksStopping,
    TasksSubmitted,
    TasksSucceeded,
)
from engine.state import FleetState

NAMED_MAX = 3
"""Things an event of many names; the rest is counted."""


def event_row(state: FleetState, record: ev.Record) -> EventRow:
    """Return a record as a line; names come from the state as it is after it."""
    event = record.event
    level, subject, text = _WORDS[type(event)](state, event)
    return EventRow(f"ev_{record.seq}", record.at, event.type, level, subject, text, record.cause)


Line = tuple[str, str, str]


def _names(names: Sequence[str]) -> str:
    shown = ", ".join(names[:NAMED_MAX])
    rest = len(names) - NAMED_MAX
    return f"{shown} and {rest} more" if rest > 0 else shown


def _agents(state: FleetState, ids: Sequence[Any]) -> str:
    head = [state.agents[id_].spec.name if id_ in state.agents else str(id_) for id_ in ids[:NAMED_MAX]]
    return _names([*head, *([""] * (len(ids) - len(head)))])


def _titles(state: FleetState, ids: Sequence[Any]) -> str:
    head = [_title(state, id_) for id_ in ids[:NAMED_MAX]]
    return _names([*head, *([""] * (len(ids) - len(head)))])


def _title(state: FleetState, task_id: Any) -> str:  # noqa: ANN401  # an id of a task
    task = state.tasks.get(task_id)
    return task.spec.title if task else str(task_id)


def _one(ids: Sequence[Any]) -> str:
    return str(ids[0]) if len(ids) == 1 else ""


def _took_over(_state: FleetState, e: ev.EngineTookOver) -> Line:
    adopted = f", adopted {len(e.adopted)} running task{'s' if len(e.adopted) > 1 else ''}" if e.adopted else ""
    return "info", e.engine, f"engine {e.version} started, pid {e.pid}{adopted}"


def _configured(_state: FleetState, e: PoolConfigured) -> Line:
    spec = e.spec
    return "info", spec.name, f"pool {spec.name}: {spec.min}..{spec.max} {spec.kind} agents, priority {spec.priority}"


def _registered(state: FleetState, e: AgentsRegistered) -> Line:
    return "info", _one([spec.id for spec in e.agents]), f"registered {_names([spec.name for spec in e.agents])}"


def _reconfigured(state: FleetState, e: AgentsReconfigured) -> Line:
    return "info", _one([spec.id for spec in e.agents]), f"new figures for {_names([spec.name for spec in e.agents])}"


def _ready(state: FleetState, e: AgentsReady) -> Line:
    return "info", _one(e.agents), f"ready on {e.host.kind} host {e.host.pid}: {_agents(state, e.agents) or 'nobody yet'}"


def _broken(state: FleetState, e: AgentsBroken) -> Line:
    return "error", _one(e.agents), f"cannot start {_agents(state, e.agents)}: {e.reason}"


def _starting(state: FleetState, e: AgentsStarting) -> Line:
    return "info", _one(e.agents), f"starting {_agents(state, e.agents)}: {e.reason}"


def _cordoned(state: FleetState, e: AgentsCordoned) -> Line:
    return "info", _one(e.agents), f"{'draining' if e.cordoned else 'working again:'} {_agents(state, e.agents)}"


def _retiring(state: FleetState, e: AgentsRetiring) -> Line:
    return "info", _one(e.agents), f"{'restarting' if e.restart else 'leaving'} after its task: {_agents(state, e.agents)}: {e.reason}"


def _revived(state: FleetState, e: AgentsRevived) -> Line:
    return "info", _one(e.agents), f"stays after all: {_agents(state, e.agents)}: its pool wants as many again"


def _removed(_state: FleetState, e: AgentsRemoved) -> Line:
    return "info", _one(e.agents), f"{len(e.agents)} agent{'s' if len(e.agents) > 1 else ''} left: {e.reason}"


def _health(_state: FleetState, e: HostHealth) -> Line:
    return ("info" if e.health is Health.HEALTHY else "warn"), e.host, f"host {e.host} is {e.health}: {e.evidence}"


def _submitted(_state: FleetState, e: TasksSubmitted) -> Line:
    return "info", _one([spec.id for spec in e.tasks]), f"accepted {_names([spec.title for spec in e.tasks])}"


def _leased(state: FleetState, e: TasksLeased) -> Line:
    pairs = [f"{_title(state, lease.task)} → {_agents(state, [lease.agent])}" for lease in e.leases[:NAMED_MAX]]
    return "info", _one([lease.task for lease in e.leases]), _names([*pairs, *([""] * (len(e.leases) - len(pairs)))])


def _started(state: FleetState, e: TasksStarted) -> Line:
    ids = [task_id for task_id, _, _ in e.tasks]
    return "info", _one(ids), f"started {_titles(state, ids)}"


def _succeeded(state: FleetState, e: TasksSucceeded) -> Line:
    ids = [outcome.task for outcome in e.outcomes]
    return "info", _one(ids), f"succeeded {_titles(state, ids)}"


def _failed(state: FleetState, e: TaskFailed) -> Line:
    outcome = e.outcome
    word = "dead" if e.dead else "failed"
    return "error", outcome.task, f"{word} {_title(state, outcome.task)}: {outcome.error_kind}: {outcome.error}"


def _returned(state: FleetState, e: TaskReturned) -> Line:
    return "warn", e.task, f"waits again {_title(state, e.task)}: {e.kind}: {e.reason}"


def _rerouted(state: FleetState, e: TasksRerouted) -> Line:
    ids = [moved.task for moved in e.tasks]
    first = e.tasks[0]
    kept = f"; repeat it with {first.reproducer}" if first.reproducer else ""
    level = "warn" if any(moved.failure for moved in e.tasks) else "info"
    return level, _one(ids), f"handed on to {e.pool}: {_titles(state, ids)}: {first.reason}{kept}"


def _late(state: FleetState, e: LateResult) -> Line:
    return "warn", e.outcome.task, f"late result of attempt {e.outcome.token} not applied: {_title(state, e.outcome.task)}"


def _stopping(state: FleetState, e: TasksStopping) -> Line:
    return "info", _one(e.tasks), f"stopping ({e.why}) {_titles(state, e.tasks)}"


def _cancelled(state: FleetState, e: TasksCancelled) -> Line:
    return "warn", _one(e.tasks), f"cancelled {_titles(state, e.tasks)}: {e.reason}"


def _replayed(state: FleetState, e: TasksReplayed) -> Line:
    return "info", _one(e.tasks), f"runs again {_titles(state, e.tasks)}"


def _allocated(state: FleetState, e: AgentAllocated) -> Line:
    return "info", e.allocation.agent, f"reserved {_agents(state, [e.allocation.agent])} for {e.allocation.task_id}"


def _audited(_state: FleetState, e: ev.Audited) -> Line:
    entry = e.entry
    if is_about_entry(entry):
        entry = replace(without_entry(entry), reason="")
    why = f" ({entry.reason})" if entry.reason else ""
    return ("info" if entry.result == "done" else "warn"), entry.target, f"{entry.action} {entry.target}{why}: {entry.result}"


def _changes(overrides: dict[str, float]) -> str:
    return ", ".join(f"{key} {value:g}" for key, value in overrides.items())


_WORDS: dict[type, Callable[[FleetState, Any], Line]] = {
    ev.EngineTookOver: _took_over,
    PoolConfigured: _configured,
    PoolEdited: lambda _s, e: ("info", e.pool, f"{e.pool} {_changes(e.overrides) or 'as configured again'}"),
    PoolScaled: lambda _s, e: ("info", e.pool, f"{e.pool} scaled to {e.size}" + (f": {e.reason}" if e.reason else "")),
    **alert_plans.WORDS,
    room.PoolWaits: lambda _s, e: ("warn", e.pool, f"{e.waits.agents} of {e.pool}: {e.waits.text}") if e.waits else ("info", e.pool, f"{e.pool} has room for all its agents"),
    room.TasksWaitForRoom: lambda _s, e: ("warn", e.pool, f"tasks of {e.pool}: {e.text}") if e.text else ("info", e.pool, f"tasks of {e.pool} wait for memory no longer"),
    room.MachineGone: lambda _s, e: ("info", e.machine, f"machine {e.machine} is there no more"),
    room.MachineSeen: lambda _s, e: ("info", e.machine, f"machine {e.machine} has {', '.join(say_amount(*amount) for amount in e.capacity.items())} for agents"),
    room.GangAsked: lambda _s, e: ("info", e.gang.id, f"{e.gang.who} asks for {e.gang.agents} agents of {e.gang.pool} at once"),
    room.GangWaits: lambda _s, e: ("warn", e.gang, f"gang {e.gang} {e.text}"),
    room.GangGranted: lambda _s, e: ("info", e.gang, f"gang {e.gang} starts"),
    room.GangEnded: lambda _s, e: ("info", e.gang, f"gang {e.gang} of {e.size} in {e.pool} is over: {e.reason}"),
    **vote_lines.WORDS,
    **swarm_lines.WORDS,
    **mail_lines.WORDS,
    **session_lines.WORDS,
    **routes.WORDS,
    **budgets.WORDS,
    PoolHeld: lambda _s, e: ("info", e.pool, f"{e.pool} held by {e.hold.who}" if e.hold else f"{e.pool} follows its load again"),
    ev.ModuleAdded: lambda _s, e: ("info", e.module.name, f"module {e.module.name} added: {', '.join(row.name for row in e.module.facts.operations)}, sha256 {e.module.facts.sha256[:SHORT_HASH]}"),
    ev.ModuleRemoved: lambda _s, e: ("info", e.name, f"module {e.name} removed, sha256 {e.sha256[:SHORT_HASH]}"),
    PolicySet: lambda _s, e: ("info", e.policy.id, f"policy {e.policy.id} {'set' if e.policy.enabled else 'set, disabled'}"),
    PolicyRemoved: lambda _s, e: ("info", e.policy, f"policy {e.policy} removed"),
    PoolPaused: lambda _s, e: ("warn" if e.paused else "info", e.pool, f"{e.pool} {'paused' if e.paused else 'resumed'}"),
    AgentsRegistered: _registered,
    AgentsReconfigured: _reconfigured,
    AgentsReady: _ready,
    AgentsBroken: _broken,
    AgentsStarting: _starting,
    AgentsCordoned: _cordoned,
    AgentsRetiring: _retiring,
    AgentsRevived: _revived,
    AgentsRemoved: _removed,
    HostLost: lambda _s, e: ("warn", e.host, f"host {e.host} is gone: {e.reason}"),
    HostHealth: _health,
    HostCordoned: lambda _s, e: ("info" if e.cordon is Cordon.OPEN else "warn", e.host, f"host {e.host} is {e.cordon}{f' {e.reason}' if e.reason else ''}"),
    TasksSubmitted: _submitted,
    TasksLeased: _leased,
    TasksStarted: _started,
    TasksSucceeded: _succeeded,
    TaskFailed: _failed,
    TaskReturned: _returned,
    TasksRerouted: _rerouted,
    TaskHandedOver: lambda s, e: ("info", e.task, f"{_title(s, e.task)} {f'was handed over, and is called {e.remote_task} there' if e.remote_task else 'is not at the agent any more to whom it was handed over'}"),
    LateResult: _late,
    TasksStopping: _stopping,
    TasksCancelled: _cancelled,
    TasksReplayed: _replayed,
    QuestionAsked: lambda s, e: ("warn", e.task, f"{_title(s, e.task)} asks: {f'{e.question.ask.tool}: ' if e.question.ask.tool else ''}{in_a_line(e.question.ask)}"),
    QuestionAnswered: lambda s, e: ("info", e.task, f"{_title(s, e.task)} is told: {e.answer.reply.decision}, by {e.answer.by}{f' (rule {e.answer.rule})' if e.answer.rule else ''}"),
    ReviewOpened: lambda s, e: ("info", e.task, f"{_title(s, e.task)} waits for a review: {e.work.branch}, {reviewing.in_short(e.work)}{f', check {e.work.check}' if e.work.check else ''}"),
    ReviewMoved: lambda s, e: ("info", e.task, f"{_title(s, e.task)} {'waits for a review again' if e.state == 'waiting' else e.state}{f' into {e.onto} by {e.how}' if e.onto else ''}, by {e.who}"),
    AnswerRuleSet: lambda _s, e: ("info", e.pool, f"agents of {e.pool} are answered {e.rule.decision} to {e.rule.rule} from now on, by {e.rule.by}"),
    TaskProgressed: lambda s, e: ("info", e.task, f"{_title(s, e.task)}: {f'{e.said.ratio:.0%} ' if e.said.ratio >= 0 else ''}{e.said.text}"),
    AnswerRuleForgotten: lambda _s, e: ("info", e.pool, f"agents of {e.pool} ask again about {e.rule}"),
    TaskPrioritised: lambda s, e: ("info", e.task, f"priority {e.priority} for {_title(s, e.task)}"),
    AgentAllocated: _allocated,
    AgentReleased: lambda _s, e: ("info", e.allocation, f"reservation {e.allocation} ended: {e.reason}"),
    ev.FleetHalted: lambda _s, e: (
        ("warn", e.scope, f"{e.scope} halted by {e.by}") if e.halted else ("info", e.scope, f"{e.scope} resumed by {e.by}")
    ),
    ev.BoosterCacheCleared: lambda _s, e: ("info", "booster", f"the booster's kept answers were cleared by {e.by}"),
    MemoryChanged: lambda _s, e: memory_line(e),
    MemoryPermitted: lambda _s, e: memory_line(e),
    MemoryPurged: lambda _s, e: memory_line(e),
    MemoryConflicted: lambda _s, e: exchange_line(e),
    MemoryExchanged: lambda _s, e: exchange_line(e),
    ev.PlanApplied: lambda _s, e: ("info", e.plan.id, f"plan {plan_words(e.plan)}"),
    ev.PlanUndone: lambda _s, e: ("info", e.plan, f"plan {e.plan} {'undone' if e.undone else 'applied again'}"),
    ev.Audited: _audited,
}
