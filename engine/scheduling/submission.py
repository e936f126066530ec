"""What operators ask of tasks: submit, cancel, retry, prioritise."""

from __future__ import annotations

from collections.abc import Sequence

from engine.model.commands import CancelTask, PrioritiseTask, RetryTask, SubmitTask
from engine.model.errors import CommandRefused, NotFound, UsageError
from engine.model.events import (
    Event,
    TaskFailed,
    TaskPrioritised,
    TasksCancelled,
    TasksReplayed,
    TasksStopping,
    TasksSubmitted,
)
from engine.model.ids import TASK_PREFIX, TaskId
from engine.model.tasks import FINISHED, HELD, Task, TaskSpec, TaskState
from engine.scheduling.router import pool_by_capabilities, pool_for
from engine.state import FleetState
from engine.state.deciding import Deciding, Decision

TITLE_MAX = 120


def find_task(state: FleetState, word: str) -> Task:
    """Return the task with that id. Raises NotFound."""
    task = state.tasks.get(TaskId(word))
    if task is None:
        raise NotFound(f"no task {word!r} in memory; `get tasks` lists them, finished ones are kept for a while")
    return task


def decide_submit(state: FleetState, commands: Sequence[SubmitTask], deciding: Deciding) -> Decision:
    """Accept tasks; a known idempotency key answers with the task that has it. Raises FleetError."""
    room = deciding.config.tasks.pending_max - (len(state.tasks) - len(state.finished))
    if len(commands) > room:
        raise CommandRefused(f"{len(commands)} tasks are too many: {max(room, 0)} more can wait; cancel some or let them end")
    specs: list[TaskSpec] = []
    values: list[TaskId] = []
    new_keys: dict[str, TaskId] = {}
    for command in commands:
        key = command.idempotency_key
        known = (state.keys.get(key) or new_keys.get(key)) if key else None
        if known is not None:
            values.append(known)
            continue
        spec = _spec(state, command, deciding)
        specs.append(spec)
        values.append(spec.id)
        if key:
            new_keys[key] = spec.id
    return Decision([TasksSubmitted(tuple(specs))] if specs else [], values)


def _spec(state: FleetState, command: SubmitTask, deciding: Deciding) -> TaskSpec:
    if command.pool:
        pool = command.pool if command.pool in state.pools else pool_for(state, command.pool)
    else:
        pool = pool_by_capabilities(state, command.capabilities)
    for needed in command.depends_on:
        before = state.tasks.get(TaskId(needed))
        if before is None:
            raise NotFound(f"depends_on: no task {needed!r} in memory")
        if before.state in FINISHED and before.state is not TaskState.SUCCEEDED and not command.run_after_failure:
            raise CommandRefused(f"depends_on: {needed} is {before.state}; retry it first, or set run_after_failure")
    if command.apply and not command.workspace:
        raise UsageError("apply needs a workspace: the directory that the task may write to")
    payload = command.payload if not command.prompt else {**command.payload, "prompt": command.prompt}
    return TaskSpec(
        TaskId(deciding.ids.new(TASK_PREFIX)),
        command.type,
        pool,
        payload,
        title=(command.title or _title(command))[:TITLE_MAX],
        priority=command.priority,
        capabilities=command.capabilities,
        fairness_key=command.fairness_key,
        idempotency_key=command.idempotency_key,
        depends_on=tuple(TaskId(needed) for needed in dict.fromkeys(command.depends_on)),
        take_inputs=command.take_inputs,
        run_after_failure=command.run_after_failure,
        deadline=deciding.now + command.deadline_s if command.deadline_s else 0.0,
        timeout_s=command.timeout_s or deciding.config.tasks.timeout_s,
        queue_timeout_s=command.queue_timeout_s,
        max_attempts=command.max_attempts,
        backoff_s=command.backoff_s,
        workspace=command.workspace,
        apply=command.apply,
        submitted_by=deciding.origin.who,
        submitted_at=deciding.now,
    )


def _title(command: SubmitTask) -> str:
    if command.prompt:
        return command.prompt.splitlines()[0]
    path = command.payload.get("path")
    return f"{command.type} {path}" if isinstance(path, str) else command.type


def decide_cancel(state: FleetState, commands: Sequence[CancelTask], deciding: Deciding) -> Decision:
    """Cancel tasks that wait, stop those that run; one that has ended stays as it is. Raises NotFound."""
    waiting: dict[TaskId, Task] = {}
    running: dict[TaskId, None] = {}
    values: list[str] = []
    for command in commands:
        task = find_task(state, command.task)
        values.append("already " + task.state if task.state in FINISHED else "stopping" if task.state in HELD else "cancelled")
        if task.state in HELD and task.stopping != "cancel":
            running[task.spec.id] = None
        elif task.state is TaskState.PENDING:
            waiting[task.spec.id] = task
    events: list[Event] = []
    if running:
        events.append(TasksStopping(tuple(running), "cancel"))
    if waiting:
        events += cancel_with_dependents(state, list(waiting.values()), f"by {deciding.origin.who}")
    return Decision(events, values)


def cancel_with_dependents(state: FleetState, tasks: Sequence[Task], reason: str) -> list[Event]:
    """Return the events that cancel waiting tasks and those that cannot run without them."""
    ids = [task.spec.id for task in tasks]
    followers = doomed_by(state, ids)
    events: list[Event] = [TasksCancelled(tuple(ids), reason)]
    if followers:
        events.append(TasksCancelled(tuple(followers), f"needs {ids[0]}, which was cancelled"))
    return events


def doomed_by(state: FleetState, ids: Sequence[TaskId]) -> list[TaskId]:
    """Return the waiting tasks that can no longer run once these do not succeed, nearest first."""
    doomed: dict[TaskId, None] = {}
    frontier = list(ids)
    while frontier:
        ended = frontier.pop(0)
        for waiting_id in state.dependents.get(ended, ()):
            waiting = state.tasks[waiting_id]
            if not waiting.spec.run_after_failure and waiting_id not in doomed and waiting_id not in ids:
                doomed[waiting_id] = None
                frontier.append(waiting_id)
    return list(doomed)


def each_once(events: Sequence[Event]) -> list[Event]:
    """Leave out of each cancellation what an earlier event of the same decision has already ended."""
    ended: set[TaskId] = set()
    kept: list[Event] = []
    for event in events:
        if isinstance(event, TaskFailed):
            if event.outcome.task in ended:
                continue
            ended.add(event.outcome.task)
        elif isinstance(event, TasksCancelled):
            event = TasksCancelled(tuple(task_id for task_id in event.tasks if task_id not in ended), event.reason)
            ended.update(event.tasks)
            if not event.tasks:
                continue
        kept.append(event)
    return kept


def decide_retry(state: FleetState, commands: Sequence[RetryTask], _deciding: Deciding) -> Decision:
    """Run ended tasks again with a full set of attempts.

    Raises CommandRefused for one that has not ended badly, or that needs one which will not succeed.
    """
    replayed: dict[TaskId, None] = {}
    asked = {command.task for command in commands}
    for command in commands:
        task = find_task(state, command.task)
        if task.state not in (TaskState.FAILED, TaskState.CANCELLED, TaskState.DEAD):
            raise CommandRefused(f"{task.spec.id} is {task.state}; only failed, cancelled and dead tasks can be run again")
        for needed in task.spec.depends_on if not task.spec.run_after_failure else ():
            before = state.tasks.get(needed)
            if before is not None and before.state in FINISHED and before.state is not TaskState.SUCCEEDED and needed not in asked:
                raise CommandRefused(f"{task.spec.id} needs {needed}, which is {before.state}; retry both, that one first")
        replayed[task.spec.id] = None
    return Decision([TasksReplayed(tuple(replayed))] if replayed else [], [command.task for command in commands])


def decide_prioritise(state: FleetState, commands: Sequence[PrioritiseTask], _deciding: Deciding) -> Decision:
    """Change priorities of waiting tasks. Raises CommandRefused for one that does not wait."""
    events: list[Event] = []
    for command in commands:
        task = find_task(state, command.task)
        if task.state is not TaskState.PENDING:
            raise CommandRefused(f"{task.spec.id} is {task.state}; only a waiting task has a place in the queue")
        if task.priority != command.priority:
            events.append(TaskPrioritised(task.spec.id, command.priority))
    return Decision(events, [command.priority for command in commands])
