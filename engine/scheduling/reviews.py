"""Reviews of what tasks did in worktrees: when one opens, what operators decide, and the task that goes on by feedback; pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from engine.model import wire
from engine.model.errors import CommandRefused, UsageError
from engine.model.events import Event
from engine.model.ids import TASK_PREFIX, TaskId
from engine.model.pools import SESSION
from engine.model.review_commands import AcceptReview, DiscardReview, ReopenReview
from engine.model.review_events import ReviewMoved, ReviewOpened
from engine.model.reviews import Review, ReviewState, Work
from engine.model.task_commands import RetryTask
from engine.model.task_events import TaskFailed, TasksSubmitted, TasksSucceeded
from engine.model.tasks import FINISHED, Outcome, Task, TaskSpec
from engine.scheduling.submission import find_task
from engine.state import FleetState
from engine.state.deciding import Deciding, Decision

RESULT_KEY = "workspace"
"""Under which a result tells what was done in a worktree."""
ASIDE = "What was done so far is in this directory, and on its branch. Whoever reviewed it asks for changes:"
FEEDBACK_MAX = 100_000


def with_reviews(state: FleetState, events: Sequence[Event]) -> list[Event]:
    """Return events with those that open reviews of what the tasks that end by them left on branches."""
    opened: list[Event] = []
    for event in events:
        outcomes = event.outcomes if isinstance(event, TasksSucceeded) else (event.outcome,) if isinstance(event, TaskFailed) else ()
        for outcome in outcomes:
            if RESULT_KEY in outcome.result and (work := _work_of(state, outcome)) is not None:
                opened.append(ReviewOpened(outcome.task, work))
    return [*events, *opened]


def _work_of(state: FleetState, outcome: Outcome) -> Work | None:
    """Return what an attempt left on a branch, None if it left nothing there."""
    task = state.tasks[outcome.task]
    told = outcome.result[RESULT_KEY]
    if state.pools[task.spec.pool].spec.worktree is None or not isinstance(told, dict) or not told.get("branch") or not told.get("head"):
        return None
    agent = state.agents.get(task.agent) if task.agent is not None else None
    host = state.hosts.get(agent.host) if agent is not None and agent.host is not None else None
    away = host.info.id if host is not None and host.info.joined is not None else ""
    try:
        return msgspec.convert({**told, "commits": told.get("count", 0), "host": away}, Work)
    except msgspec.ValidationError:
        return None


def find_review(state: FleetState, word: str) -> Review:
    """Return the review of a task's work. Raises NotFound, CommandRefused when it left none."""
    task = find_task(state, word)
    if task.review is None:
        why = "it has not ended" if task.state not in FINISHED else "it left nothing on a branch of its own"
        raise CommandRefused(f"there is nothing of {word} to review: {why}")
    return task.review


def find_waiting(state: FleetState, word: str) -> Review:
    """Return a review that waits. Raises NotFound, CommandRefused."""
    review = find_review(state, word)
    if review.state is ReviewState.RETRIED:
        raise CommandRefused(f"{review.next} goes on with what {word} did; review that one, or cancel it")
    if review.state is not ReviewState.WAITING:
        raise CommandRefused(f"what {word} did is {review.state} already, by {review.who}; `reopen {word}` has it wait again")
    return review


def find_decided(state: FleetState, word: str) -> Review:
    """Return a review that was accepted or discarded. Raises NotFound, CommandRefused."""
    review = find_review(state, word)
    if review.state is ReviewState.RETRIED:
        raise CommandRefused(f"{review.next} goes on with what {word} did; cancel that one, and this waits again")
    if review.state is ReviewState.WAITING:
        raise CommandRefused(f"what {word} did waits for a review as it is")
    return review


def decide_accept(state: FleetState, commands: Sequence[AcceptReview], deciding: Deciding) -> Decision:
    """Note that work was taken over. Raises NotFound, CommandRefused."""
    for command in commands:
        find_waiting(state, command.task)
    who = deciding.origin.who
    moved: list[Event] = [ReviewMoved(TaskId(one.task), ReviewState.ACCEPTED, who, one.how, one.onto, one.made) for one in commands]
    return Decision(moved, [one.made or "accepted" for one in commands])


def decide_discard(state: FleetState, commands: Sequence[DiscardReview], deciding: Deciding) -> Decision:
    """Note that work was dropped. Raises NotFound, CommandRefused."""
    for command in commands:
        find_waiting(state, command.task)
    return Decision([ReviewMoved(TaskId(one.task), ReviewState.DISCARDED, deciding.origin.who) for one in commands], ["discarded" for _ in commands])


def decide_reopen(state: FleetState, commands: Sequence[ReopenReview], deciding: Deciding) -> Decision:
    """Have reviews wait again. Raises NotFound, CommandRefused."""
    for command in commands:
        find_decided(state, command.task)
    return Decision([ReviewMoved(TaskId(one.task), ReviewState.WAITING, deciding.origin.who) for one in commands], ["waiting" for _ in commands])


# ---- feedback


def decide_feedback(state: FleetState, commands: Sequence[RetryTask], deciding: Deciding) -> Decision:
    """Submit tasks that go on with what others did, as reviewers ask. Raises FleetError."""
    if any(not command.feedback for command in commands):
        raise UsageError("feedback is for each task of a plan or for none; send the others in a plan of their own")
    if len({command.task for command in commands}) < len(commands):
        raise UsageError("two tasks cannot go on with the same work; give all of the feedback at once")
    room = deciding.config.tasks.pending_max - state.unfinished
    if len(commands) > room:
        raise CommandRefused(f"{len(commands)} tasks are too many: {max(room, 0)} more can wait; cancel some or let them end")
    specs = tuple(follow_up(state, command, deciding) for command in commands)
    return Decision([TasksSubmitted(specs)], [spec.id for spec in specs])


def follow_up(state: FleetState, command: RetryTask, deciding: Deciding) -> TaskSpec:
    """Return the task that goes on with another one's work. Raises NotFound, CommandRefused, UsageError."""
    task = find_task(state, command.task)
    if task.state not in FINISHED:
        raise CommandRefused(f"{command.task} is {task.state}; feedback is for a task that has ended")
    if len(command.feedback) > FEEDBACK_MAX:
        raise UsageError(f"the feedback has {len(command.feedback):,} characters; at most {FEEDBACK_MAX:,}")
    work = find_waiting(state, command.task).work if task.review is not None else None
    if work is not None and work.host:
        raise CommandRefused(f"the worktree of {command.task} is on host {work.host}, and tasks do not choose their host; submit a new one")
    return msgspec.structs.replace(
        task.spec,
        id=TaskId(deciding.ids.new(TASK_PREFIX)),
        payload=_payload(task, command.feedback, _conversation(state, task, work)),
        priority=task.priority,
        idempotency_key="",
        depends_on=(),
        take_inputs=False,
        run_after_failure=False,
        deadline=0.0,
        submitted_by=deciding.origin.who,
        submitted_at=deciding.now,
        routed=f"feedback on {command.task}",
        follows=task.spec.id,
        work=work,
    )


def resumes(state: FleetState, task: Task) -> bool:
    """Tell whether feedback on a task goes on with the conversation in which it was done."""
    return bool(_conversation(state, task, task.review.work if task.review is not None else None))


def _conversation(state: FleetState, task: Task, work: Work | None) -> str:
    """Return the conversation that another process can go on with: it must be where that one was."""
    pool = state.pools[task.spec.pool].spec
    name = task.result.get("session")
    is_there = work is not None and pool.worktree is not None and pool.worktree.per == "task"
    return name if is_there and pool.kind == SESSION and isinstance(name, str) else ""


def _payload(task: Task, feedback: str, conversation: str) -> dict[str, object]:
    payload = {name: value for name, value in task.spec.payload.items() if name != "resume"}
    if conversation:
        return {**payload, "prompt": feedback, "resume": conversation}
    given = task.spec.payload.get("prompt")
    before = given if isinstance(given, str) else wire.encode(task.spec.payload).decode()
    return {**payload, "prompt": f"{before}\n\n{ASIDE}\n\n{feedback}"}
