"""What each event about tasks changes."""

from __future__ import annotations

from typing import Any

from engine.model.agents import AgentStatus
from engine.model.budget_words import scope_of
from engine.model.ids import TaskId
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
from engine.model.tasks import ENGINE_LOST, Task, TaskError, TaskState
from engine.state.agent_events import at_rest
from engine.state.budget_events import Runs, count_run, settle
from engine.state.review_events import hand_on, leave, set_review, take_back
from engine.state.tables import Tables


def _tasks_submitted(tables: Tables, event: TasksSubmitted, at: float) -> None:
    tables.totals.submitted += sum(not spec.sample_of for spec in event.tasks)
    for spec in event.tasks:
        task = Task(spec, priority=spec.priority, history=[(at, "submitted", "")])
        tables.add_task(task)
        if spec.follows:
            hand_on(tables, spec, at)


def _tasks_leased(tables: Tables, event: TasksLeased, at: float) -> None:
    for lease in event.leases:
        task, agent = tables.tasks[lease.task], tables.agents[lease.agent]
        task.attempt = lease.token
        task.agent, task.agent_name = lease.agent, agent.spec.name
        task.machine = agent.spec.machine if agent.spec.machine in tables.hosts else ""
        task.placement = lease.placement
        task.leased_at, task.started_at = at, 0.0
        task.stopping = ""
        task.asked_s = 0.0
        task.note(at, "leased", agent.spec.name)
        tables.set_state(task, TaskState.LEASED)
        tables.set_to_work(agent, task)


def _tasks_started(tables: Tables, event: TasksStarted, _at: float) -> None:
    for task_id, _token, began in event.tasks:
        task = tables.tasks[task_id]
        task.started_at = began
        task.told, task.said = {}, None
        task.note(began, "started", task.agent_name)
        tables.set_state(task, TaskState.RUNNING)
        if task.agent is not None:
            tables.set_to_work(tables.agents[task.agent], task)


def _give_back(  # noqa: PLR0913  # how the attempt went
    tables: Tables, task: Task, at: float, *, began: float, ok: bool, counts: bool
) -> None:
    """Take a task off its agent; `counts` = it says something about the agent. What it asked is asked no more."""
    if task.questions:
        for question in task.questions:
            del tables.asking[question]
            tables.touched.questions[question] = None
        task.questions = {}
        task.asked_at = 0.0
    agent = tables.agents.get(task.agent) if task.agent else None
    task.agent = None
    if agent is None:
        return
    agent.task = None
    if counts and began:
        seconds = max(0.0, at - began)
        agent.note_finished(task.spec.type, seconds, ok=ok)
        tables.pools[task.spec.pool].busy_s += seconds
    if agent.retiring or agent.restarting:
        tables.set_status(agent, AgentStatus.DRAINING, at)
    elif agent.status in (AgentStatus.STARTING, AgentStatus.FAILED):  # the task was adopted, and ended before it was up
        tables.set_status(agent, agent.status, at)
    else:
        tables.set_status(agent, at_rest(agent), at)


def _tasks_succeeded(tables: Tables, event: TasksSucceeded, at: float) -> None:
    runs: Runs = {}
    for outcome in event.outcomes:
        task = tables.tasks[outcome.task]
        ended = outcome.ended_at or at
        task.started_at = outcome.started_at or task.started_at
        task.result, task.artifact, task.usage = outcome.result, outcome.artifact, outcome.usage
        task.error, task.remote_task = None, ""
        task.note(ended, "succeeded", task.agent_name)
        count_run(tables, task, ended, runs)
        _give_back(tables, task, ended, began=task.started_at, ok=True, counts=True)
        if not task.spec.sample_of:
            tables.pools[task.spec.pool].succeeded += 1
            tables.totals.succeeded += 1
        _finish(tables, task, TaskState.SUCCEEDED, ended)
    settle(tables, runs)


def _task_failed(tables: Tables, event: TaskFailed, at: float) -> None:
    outcome = event.outcome
    task = tables.tasks[outcome.task]
    task.started_at = outcome.started_at or task.started_at
    task.error = TaskError(outcome.error_kind, outcome.error)
    task.result, task.artifact, task.usage = outcome.result, outcome.artifact, outcome.usage
    task.note(at, "dead" if event.dead else "failed", f"{outcome.error_kind}: {outcome.error}")
    count_run(tables, task, at)
    _give_back(tables, task, at, began=task.started_at, ok=False, counts=not event.death)
    task.deaths += event.death
    task.uncounted += event.death
    pool = tables.pools[task.spec.pool]
    pool.deaths += event.death
    if task.spec.sample_of:
        pass
    elif event.dead:
        pool.dead += 1
        tables.totals.dead += 1
    else:
        pool.failed += 1
        tables.totals.failed += 1
    _finish(tables, task, TaskState.DEAD if event.dead else TaskState.FAILED, at)


def _task_returned(tables: Tables, event: TaskReturned, at: float) -> None:
    task = tables.tasks[event.task]
    task.deaths += event.death
    task.uncounted += not event.counts
    task.retries += 1
    task.not_before = event.not_before
    task.error = TaskError(event.kind, event.reason)
    task.stopping = ""
    task.note(at, "returned", f"{event.kind}: {event.reason}")
    if event.kind != ENGINE_LOST:  # how long it ran before its engine ended is not known
        count_run(tables, task, at, is_last=False)
    _give_back(tables, task, at, began=event.began, ok=False, counts=not event.death)
    task.started_at = 0.0
    pool = tables.pools[task.spec.pool]
    pool.retried += not task.spec.sample_of
    pool.deaths += event.death
    tables.totals.retried += not task.spec.sample_of
    tables.set_state(task, TaskState.PENDING)
    tables.set_waiting_on(task, len(tables.awaited_by(task)))  # not 0 if one was replayed and it runs after failures, too


def _tasks_rerouted(tables: Tables, event: TasksRerouted, at: float) -> None:
    for moved in event.tasks:
        task = tables.tasks[moved.task]
        pool = tables.pools[task.spec.pool]
        task.note(at, "handed on", f"to {event.pool}: {moved.reason}")
        task.error = None
        task.stopping = ""
        task.not_before = 0.0
        if moved.token:
            task.deaths += moved.death
            pool.deaths += moved.death
            task.uncounted += 1
            count_run(tables, task, at, is_last=False)
            _give_back(tables, task, at, began=0.0, ok=False, counts=False)
            task.started_at = 0.0
        tables.move_task(task, event.pool)
        tables.totals.rerouted += 1


def _task_handed_over(tables: Tables, event: TaskHandedOver, at: float) -> None:
    task = tables.tasks[event.task]
    task.remote_task = event.remote_task
    if event.remote_task:
        task.note(at, "handed over", f"as {event.remote_task}")
    tables.touched.tasks[event.task] = None


def _late_result(tables: Tables, event: LateResult, at: float) -> None:
    tables.totals.late += 1
    task = tables.tasks.get(event.outcome.task)
    if task is not None:
        task.note(at, "late result", f"attempt {event.outcome.token}, not applied")
        tables.touched.tasks[task.spec.id] = None


def _tasks_stopping(tables: Tables, event: TasksStopping, at: float) -> None:
    for task_id in event.tasks:
        task = tables.tasks[task_id]
        task.stopping = event.why
        task.note(at, "stopping", event.why)
        tables.touched.tasks[task_id] = None


def _tasks_cancelled(tables: Tables, event: TasksCancelled, at: float) -> None:
    for task_id in event.tasks:
        task = tables.tasks[task_id]
        task.error = TaskError(event.kind, event.reason)
        task.note(at, "cancelled", event.reason)
        count_run(tables, task, at)
        _give_back(tables, task, at, began=task.started_at, ok=False, counts=False)
        tables.pools[task.spec.pool].cancelled += 1
        tables.totals.cancelled += 1
        _finish(tables, task, TaskState.CANCELLED, at)


def _finish(tables: Tables, task: Task, end: TaskState, at: float) -> None:
    task.finished_at = at
    task.stopping = ""
    tables.set_waiting_on(task, 0)
    tables.set_state(task, end)
    tables.finished[task.spec.id] = None
    if task.spec.follows:
        take_back(tables, task.spec)
    for waiting in tables.waiting_for(task.spec.id) if task.spec.id in tables.dependents else ():
        tables.set_waiting_on(waiting, waiting.waiting_on - 1)
        tables.touched.tasks[waiting.spec.id] = None
    if end is TaskState.SUCCEEDED and task.spec.depends_on:
        _release(tables, task)
    while len(tables.finished) > tables.finished_max:
        oldest, _ = tables.finished.popitem(last=False)
        if oldest in tables.dependents:
            tables.needed[oldest] = None
        else:
            _release(tables, _forget(tables, oldest))


def _release(tables: Tables, task: Task) -> None:
    """Depend on nothing any more: the task has succeeded or is forgotten. What was kept for it alone is forgotten too."""
    done = [task]
    while done:  # not by recursion: a chain of tasks may be long
        task = done.pop()
        for needed in set(task.spec.depends_on):
            dependents = tables.dependents.get(needed, {})
            if task.spec.id not in dependents:
                continue
            del dependents[task.spec.id]
            if dependents:
                continue
            del tables.dependents[needed]
            if needed in tables.needed:
                del tables.needed[needed]
                done.append(_forget(tables, needed))


def _forget(tables: Tables, task_id: TaskId) -> Task:
    task = tables.tasks.pop(task_id)
    leave(tables, task)
    pool = tables.pools[task.spec.pool]
    for counts in (pool.by_state, tables.totals.by_state):
        counts[task.state] -= 1
    if tables.keys.get(task.spec.idempotency_key) == task_id:
        del tables.keys[task.spec.idempotency_key]
    if tables.spending.budgets.pop(scope_of("tasks", task_id), None) is not None:
        tables.touched.budgets[scope_of("tasks", task_id)] = None
    tables.touched.forgotten_tasks[task_id] = task
    return task


def _tasks_replayed(tables: Tables, event: TasksReplayed, at: float) -> None:
    for task_id in event.tasks:
        tables.finished.pop(task_id, None)
        tables.needed.pop(task_id, None)
        task = tables.tasks[task_id]
        assert task.state is not TaskState.SUCCEEDED, f"{task_id} succeeded: nothing that it depends on is kept for it"
        task.uncounted, task.deaths = task.attempt, 0
        task.retries += 1
        if task.started_at:
            task.spent["seconds"] = task.run_s(at)
        task.finished_at = task.leased_at = task.started_at = task.not_before = 0.0
        task.replayed_at = at
        task.error = None
        task.note(at, "replayed", "")
        if task.review is not None:
            set_review(tables, task, None)
        if task.spec.follows:
            hand_on(tables, task.spec, at)
        tables.set_state(task, TaskState.PENDING)
    for task_id in event.tasks:
        for task in (tables.tasks[task_id], *tables.waiting_for(task_id)):
            tables.set_waiting_on(task, len(tables.awaited_by(task)))
            tables.touched.tasks[task.spec.id] = None


def _task_prioritised(tables: Tables, event: TaskPrioritised, at: float) -> None:
    task = tables.tasks[event.task]
    task.priority = event.priority
    task.note(at, "priority", str(event.priority))
    tables.touched.tasks[event.task] = None


TRANSITIONS: dict[type, Any] = {
    TasksSubmitted: _tasks_submitted,
    TasksLeased: _tasks_leased,
    TasksStarted: _tasks_started,
    TasksSucceeded: _tasks_succeeded,
    TaskFailed: _task_failed,
    TaskReturned: _task_returned,
    TasksRerouted: _tasks_rerouted,
    TaskHandedOver: _task_handed_over,
    LateResult: _late_result,
    TasksStopping: _tasks_stopping,
    TasksCancelled: _tasks_cancelled,
    TasksReplayed: _tasks_replayed,
    TaskPrioritised: _task_prioritised,
}
