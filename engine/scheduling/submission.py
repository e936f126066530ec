"""What operators ask of tasks: submit, cancel, retry, prioritise."""

from __future__ import annotations

import difflib
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from engine.model.code_routes import CODE_PREFIX, CodeClass, CodeRoute
from engine.model.errors import CommandRefused, NotFound, UsageError
from engine.model.events import Event
from engine.model.ids import TASK_PREFIX, TaskId
from engine.model.modules import SHORT_HASH, USER_PREFIX, list_operations, module_of
from engine.model.plain import NESTING_MAX, NOT_JSON, plain_object
from engine.model.pools import BOOSTER
from engine.model.task_commands import CancelTask, PrioritiseTask, RetryTask, SubmitTask
from engine.model.task_events import (
    TaskFailed,
    TaskPrioritised,
    TasksCancelled,
    TasksReplayed,
    TasksStopping,
    TasksSubmitted,
)
from engine.model.tasks import FELL, FINISHED, HELD, Task, TaskSpec, TaskState
from engine.model.verbs import Command
from engine.scheduling.handing import regular_pool
from engine.scheduling.residency import check_residency
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
    room = deciding.config.tasks.pending_max - state.unfinished
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
    check_residency(deciding.config, command)
    pool, routed = pool_of(state, command, deciding)
    for needed in command.depends_on:
        before = state.tasks.get(TaskId(needed))
        if before is None:
            raise NotFound(f"depends_on: no task {needed!r} in memory")
        if before.state in FINISHED and before.state is not TaskState.SUCCEEDED and not command.run_after_failure:
            raise CommandRefused(f"depends_on: {needed} is {before.state}; retry it first, or set run_after_failure")
    if command.apply and not command.workspace:
        raise UsageError("apply needs a workspace: the directory that the task may write to")
    try:
        payload = plain_object(command.payload if not command.prompt else {**command.payload, "prompt": command.prompt})
    except NOT_JSON as error:
        raise UsageError(f"the payload is no JSON: {error}; give plain values, nested at most {NESTING_MAX} deep") from error
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
        routed=routed,
        residency=command.residency,
    )


def pool_of(state: FleetState, command: SubmitTask, deciding: Deciding) -> tuple[str, str]:
    """Return the pool of a task, and why if the fleet chose it. Raises FleetError."""
    if command.type.startswith(USER_PREFIX) and not command.capabilities and _is_boosters(state, command.pool):
        return _user_pool(state, command)
    if command.pool:
        return (command.pool if command.pool in state.pools else pool_for(state, command.pool)), ""
    if command.capabilities or not command.type.startswith(CODE_PREFIX):
        return pool_by_capabilities(state, command.capabilities), ""
    route = deciding.classify(state, command) if deciding.classify else CodeRoute(CodeClass.REGULAR, "there is no booster")
    booster = next((name for name, pool in state.pools.items() if pool.spec.kind == BOOSTER), "")
    if route.of is CodeClass.BOOSTER and booster:
        return booster, str(route)
    regular = regular_pool(state, deciding.config)
    if not regular:
        raise CommandRefused(f"no pool of regular agents can do {command.type}; name a pool ({route.reason})")
    return regular, str(route)


def _is_boosters(state: FleetState, name: str) -> bool:
    """Tell whether a pool is the booster's; a task that names none and is a module's is meant for it."""
    pool = state.pools.get(name)
    return not name or (pool is not None and pool.spec.kind == BOOSTER)


def _user_pool(state: FleetState, command: SubmitTask) -> tuple[str, str]:
    """Return the booster's pool for what a module of an operator does. Raises CommandRefused."""
    module = module_of(state.modules, command.type)
    if module is None:
        known = list_operations(state.modules)
        near = difflib.get_close_matches(command.type, known, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(known)}" if known else "there are none; add one: add-module NAME PATH"
        raise NotFound(f"no module offers {command.type}; {hint}")
    booster = command.pool or next((name for name, pool in state.pools.items() if pool.spec.kind == BOOSTER), "")
    if not booster:
        raise CommandRefused(f"{command.type} is done by the booster only, and there is none in this fleet; `fleet-tui doctor` says why")
    return booster, "" if command.pool else f"offered by the module {module.name} ({module.facts.sha256[:SHORT_HASH]})"


def with_pool(state: FleetState, command: Command, deciding: Deciding) -> Command:
    """Return a verb as it is, or a task with the pool that it would go to. Raises FleetError."""
    if not isinstance(command, SubmitTask) or command.pool:
        return command
    return replace(command, pool=pool_of(state, command, deciding)[0])


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
    """Return the events that cancel tasks and the waiting ones that cannot run without them."""
    ids = [task.spec.id for task in tasks]
    return [TasksCancelled(tuple(ids), reason), *doom(state, ids, "was cancelled")]


def doom(state: FleetState, ids: Sequence[TaskId], fate: str) -> list[Event]:
    """Return the event that cancels the waiting tasks which cannot run without these, if there are any."""
    doomed = doomed_by(state, ids)
    return [TasksCancelled(tuple(doomed), f"needs {ids[0]}, which {fate}", FELL)] if doomed else []


def doomed_by(state: FleetState, ids: Sequence[TaskId]) -> list[TaskId]:
    """Return the waiting tasks that can no longer run once these do not succeed, nearest first."""
    doomed: dict[TaskId, None] = {}
    frontier = deque(ids)
    while frontier:
        for waiting in state.waiting_for(frontier.popleft()):
            waiting_id = waiting.spec.id
            if not waiting.spec.run_after_failure and waiting_id not in doomed and waiting_id not in ids:
                doomed[waiting_id] = None
                frontier.append(waiting_id)
    return list(doomed)


def revived_with(state: FleetState, ids: Collection[TaskId], now: float) -> list[TaskId]:
    """Return the tasks that fell only for want of these and can run once these do."""
    return _able_together(state, _fallen_from(state, ids), dict.fromkeys(ids), now)


def _fallen_from(state: FleetState, ids: Collection[TaskId]) -> list[TaskId]:
    """Return the tasks that fell with these, or with those that did."""
    fallen: dict[TaskId, None] = {}
    frontier = deque(ids)
    while frontier:
        for dependent in state.dependents.get(frontier.popleft(), ()):
            if state.tasks[dependent].fell and dependent not in fallen and dependent not in ids:
                fallen[dependent] = None
                frontier.append(dependent)
    return list(fallen)


def _able_together(state: FleetState, ids: Collection[TaskId], others: Mapping[TaskId, None], now: float) -> list[TaskId]:
    """Return those of some ended tasks that can run again, together and with others that do."""
    running = dict(others)
    left = sorted(ids)  # by birth, so that whatever one depends on is judged before it, unless the wall clock was set back
    while True:
        rest = []
        for task_id in left:
            if _why_not_again(state, state.tasks[task_id], running, now):
                rest.append(task_id)
            else:
                running[task_id] = None
        if not rest or len(rest) == len(left):
            return [task_id for task_id in running if task_id not in others]
        left = rest


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
            event = replace(event, tasks=tuple(task_id for task_id in event.tasks if task_id not in ended))
            ended.update(event.tasks)
            if not event.tasks:
                continue
        kept.append(event)
    return kept


def decide_retry(state: FleetState, commands: Sequence[RetryTask], deciding: Deciding) -> Decision:
    """Run ended tasks again with a full set of attempts, and with them those that fell only with them.

    One that is still being stopped by a cancel runs again once it has stopped. Raises CommandRefused for one that has
    not ended badly, or that could not run, unless the command is lenient: then it stays as it is, or, when only what it
    depends on is missing, comes back together with that.
    """
    now = deciding.now
    asked = {TaskId(command.task): find_task(state, command.task) for command in commands}
    stopping = [task_id for task_id, task in asked.items() if task.stopping in ("cancel", "retry")]
    candidates = {*asked, *_fallen_from(state, asked)}.difference(stopping)
    for command in commands:
        refusal = _why_not_again(state, asked[TaskId(command.task)], candidates, now)
        if refusal and not command.lenient and command.task not in stopping:
            raise CommandRefused(refusal)
    replayed = _able_together(state, candidates, {}, now)
    room = deciding.config.tasks.pending_max - state.unfinished
    if len(replayed) > room:
        raise CommandRefused(f"{len(replayed)} tasks are too many: {max(room, 0)} more can wait; cancel some or let them end")
    falling = [task for task_id, task in asked.items() if task_id not in replayed and not task.fell and not _why_over(task, now)]
    events: list[Event] = []
    if replayed or falling:
        events.append(TasksReplayed((*replayed, *(task.spec.id for task in falling))))
    for task in falling:
        events.append(TasksCancelled((task.spec.id,), f"needs {_missing(state, task, replayed)}, which did not succeed", FELL))
    if stopping:
        events.append(TasksStopping(tuple(stopping), "retry"))
    return Decision(events, [command.task for command in commands])


def _why_not_again(state: FleetState, task: Task, others: Collection[TaskId], now: float) -> str:
    """Return why a task cannot be run again together with some others, empty if it can."""
    over = _why_over(task, now)
    if over:
        return over
    missing = _missing(state, task, others)
    if missing is None:
        return ""
    return f"{task.spec.id} needs {missing}, which is {state.tasks[missing].state}; retry that one, and this one with it"


def _why_over(task: Task, now: float) -> str:
    """Return why a task cannot be run again whatever else is, empty if it can."""
    if task.state not in (TaskState.FAILED, TaskState.CANCELLED, TaskState.DEAD):
        return f"{task.spec.id} is {task.state}; only failed, cancelled and dead tasks can be run again"
    if task.spec.deadline and task.spec.deadline <= now:
        return f"the deadline of {task.spec.id} has passed; submit it anew"
    return ""


def _missing(state: FleetState, task: Task, others: Collection[TaskId]) -> TaskId | None:
    """Return what a task depends on that ended without success and is none of the others, if there is any."""
    for needed in task.spec.depends_on if not task.spec.run_after_failure else ():
        before = state.tasks.get(needed)
        if before is not None and before.state in FINISHED and before.state is not TaskState.SUCCEEDED and needed not in others:
            return needed
    return None


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
