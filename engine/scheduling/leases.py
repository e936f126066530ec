"""What becomes of leased tasks: begun, ended, lost with their agent; fencing of late results; retries and dead letters."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import msgspec

from engine.model.budget_words import STOPPED_BY_BUDGET
from engine.model.events import Event
from engine.model.ids import TaskId
from engine.model.questions import UNANSWERED
from engine.model.reports import HandedOver, TasksBegan, TasksEnded
from engine.model.task_events import (
    LateResult,
    TaskFailed,
    TaskHandedOver,
    TaskReturned,
    TasksCancelled,
    TasksStarted,
    TasksSucceeded,
)
from engine.model.tasks import ENGINE_LOST, HANDED_ON, HELD, Outcome, Task, TaskState
from engine.scheduling.halting import DRAIN, HALT
from engine.scheduling.handing import decide_handed_on, decide_lost_worker
from engine.scheduling.spending import spent_by
from engine.scheduling.submission import cancel_with_dependents, doom, each_once
from engine.state import FleetState
from engine.state.deciding import Deciding

STOPPED = "stopped"
"""Outcome.error_kind of an attempt that ended because it was told to."""
AGENT_LOST = "agent_lost"
"""Outcome.error_kind of an attempt that ended with its agent, through no doing of its own."""

_HANDED_BACK = {
    HALT: ("halted", "stopped by a halt of the fleet"),
    STOPPED_BY_BUDGET: ("budget", "stopped because its budget is used up"),
    DRAIN: ("drained", "its agent was to leave and the drain deadline passed"),
}
"""Task.stopping -> the kind and the words of an attempt that waits again and does not count."""

_ENDED = {"deadline": "its deadline passed while it ran", UNANSWERED: "nobody answered in time what its agent asked"}
"""Task.stopping -> the words of a task that fails for it; its kind is the same word."""


def holds(state: FleetState, task_id: TaskId, token: int) -> Task | None:
    """Return the task if this token is its current lease's, else None: the fence against late reports."""
    task = state.tasks.get(task_id)
    return task if task is not None and task.state in HELD and task.attempt == token else None


def decide_handed_over(state: FleetState, report: HandedOver, _deciding: Deciding) -> list[Event]:
    """Note what somebody else's agent calls a task, if that is news; who followed it under an old lease has no say."""
    task = holds(state, report.task, report.token)
    return [TaskHandedOver(report.task, report.token, report.remote_task)] if task is not None and task.remote_task != report.remote_task else []


def decide_began(state: FleetState, report: TasksBegan, _deciding: Deciding) -> list[Event]:
    """Note the attempts that began; those of an old lease are left out."""
    began = []
    for task_id, token, at in report.tasks:
        task = holds(state, task_id, token)
        if task is not None and task.state is TaskState.LEASED:
            began.append((task_id, token, at))
    return [TasksStarted(tuple(began))] if began else []


def decide_ended(state: FleetState, report: TasksEnded, deciding: Deciding) -> list[Event]:
    """Apply outcomes of current leases, record late ones."""
    events: list[Event] = []
    spent = spent_by(state, report.outcomes, deciding)
    good: dict[TaskId, Outcome] = {}
    bad: set[TaskId] = set()
    for outcome in report.outcomes:
        task = holds(state, outcome.task, outcome.token)
        if task is None or outcome.task in good or outcome.task in bad:
            events.append(LateResult(outcome))
        elif outcome.ok:
            good[outcome.task] = outcome
        else:
            bad.add(outcome.task)
            events += _decide_bad_end(state, task, outcome, deciding)
    if good:
        events.insert(0, TasksSucceeded(tuple(good.values())))
    return [*spent, *(each_once(events) if bad else events)]


def _decide_bad_end(state: FleetState, task: Task, outcome: Outcome, deciding: Deciding) -> list[Event]:
    if task.stopping in _HANDED_BACK:
        return [_returned_uncounted(task, *_HANDED_BACK[task.stopping], deciding)]
    if outcome.error_kind == AGENT_LOST:
        return _decide_loss(state, task, outcome, deciding, suspect=True)
    if outcome.error_kind == ENGINE_LOST and not task.stopping:
        return [_returned_uncounted(task, ENGINE_LOST, outcome.error, deciding)]
    if task.stopping == "cancel":
        return [TasksCancelled((task.spec.id,), "stopped while running"), *doom(state, [task.spec.id], "was cancelled")]
    if task.stopping in _ENDED:
        return fail(state, _told(outcome, task.stopping, _ENDED[task.stopping]), dead=False)
    if task.stopping == "retry":
        return [_returned_uncounted(task, STOPPED, "its cancel was taken back", deciding)]
    if task.stopping == "timeout":
        outcome = _told(outcome, "timeout", f"ran longer than {task.spec.timeout_s:g} s", retryable=True)
    elif outcome.error_kind == STOPPED:
        outcome = _told(outcome, STOPPED, outcome.error or "the engine stopped it", retryable=True)
    elif outcome.error_kind == HANDED_ON:
        handed = decide_handed_on(state, task, outcome, deciding.config)
        return handed if not isinstance(handed, Outcome) else fail(state, handed, dead=False)
    return _retry_or_bury(state, task, outcome, deciding) if outcome.retryable else fail(state, outcome, dead=False)


def _told(outcome: Outcome, kind: str, message: str, *, retryable: bool = False) -> Outcome:
    """Return an outcome as a failure of another kind."""
    return msgspec.structs.replace(outcome, ok=False, error_kind=kind, error=message, retryable=retryable)


def fail(state: FleetState, outcome: Outcome, *, dead: bool, death: bool = False) -> list[Event]:
    """Return the events that end a task badly, and with it those that need it."""
    return [TaskFailed(outcome, dead, death), *doom(state, [outcome.task], "is dead" if dead else "failed")]


def _retry_or_bury(state: FleetState, task: Task, outcome: Outcome, deciding: Deciding) -> list[Event]:
    if task.tries >= task.spec.max_attempts:
        return fail(state, outcome, dead=True)
    return [
        TaskReturned(
            task.spec.id,
            task.attempt,
            outcome.error_kind,
            outcome.error,
            deciding.now + back_off_s(task.spec.backoff_s, task.tries, deciding),
            began=outcome.started_at or task.started_at,
        )
    ]


def back_off_s(first_s: float, tried: int, deciding: Deciding) -> float:
    """Return the wait before the next attempt: doubles with each, bounded, spread by the jitter (seconds)."""
    settings = deciding.config.tasks
    wait = min(first_s * float(2 ** min(tried - 1, 16)), settings.backoff_max_s)
    return wait * (1 + settings.backoff_jitter * (2 * deciding.rng.random() - 1))


def decide_lost(state: FleetState, tasks: Sequence[Task], reason: str, deciding: Deciding) -> list[Event]:
    """Return what tasks do whose host died: wait again at once, end if they were being stopped, or die as poison."""
    events: list[Event] = []
    for task in tasks:
        lost = Outcome(task.spec.id, task.attempt, ok=False, error_kind=AGENT_LOST, error=reason, started_at=task.started_at)
        events += _decide_loss(state, task, lost, deciding, suspect=task.state is TaskState.RUNNING)
    return each_once(events)


def _decide_loss(state: FleetState, task: Task, lost: Outcome, deciding: Deciding, *, suspect: bool) -> list[Event]:
    """Return what a task does whose agent died; `suspect` = the task may have been the reason, so that it counts."""
    spec, reason = task.spec, lost.error
    suspect = suspect and task.stopping != "retry"
    deaths = task.deaths + suspect
    if task.stopping == "cancel":
        return [TasksCancelled((spec.id,), f"stopped with its agent: {reason}"), *doom(state, [task.spec.id], "was cancelled")]
    if task.stopping in _HANDED_BACK:  # stopping it may take its whole host down: that is no death
        kind, why = _HANDED_BACK[task.stopping]
        return [_returned_uncounted(task, kind, f"{why}, with its agent: {reason}", deciding)]
    if task.stopping in _ENDED:
        return fail(state, _told(lost, task.stopping, _ENDED[task.stopping]), dead=False)
    if task.stopping == "timeout":
        told = _told(lost, "timeout", f"ran longer than {spec.timeout_s:g} s", retryable=True)
        return _retry_or_bury(state, task, told, deciding)
    if suspect and deaths >= deciding.config.tasks.poison_deaths:
        text = f"{deaths} agent{'s' if deaths > 1 else ''} died while running it; the last: {reason}"
        return fail(state, _told(lost, "poison", text), dead=True, death=True)
    handed = decide_lost_worker(state, task, reason, deciding.config) if suspect else []
    return handed or [_returned_uncounted(task, AGENT_LOST, reason, deciding, death=suspect)]


def decide_left_by_engine(state: FleetState, survivors: Collection[TaskId], deciding: Deciding) -> list[Event]:
    """Return what the tasks do that the former engine held: but for the survivors nothing of them runs, by no fault of theirs."""
    events: list[Event] = []
    for task in state.tasks.values():
        if task.state not in HELD or task.spec.id in survivors:
            continue
        if task.stopping == "cancel":
            events += cancel_with_dependents(state, [task], "stopped with the engine")
        else:
            events.append(_returned_uncounted(task, ENGINE_LOST, "the engine stopped while it ran", deciding))
    return each_once(events)


def _returned_uncounted(task: Task, kind: str, reason: str, deciding: Deciding, *, death: bool = False) -> TaskReturned:
    """Return the event that a task waits again at once, and that the attempt is none of those it may have."""
    # How long the attempt ran before it was lost is not known, so `began` stays 0: no work of the agent.
    return TaskReturned(task.spec.id, task.attempt, kind, reason, deciding.now, death=death, counts=False)
