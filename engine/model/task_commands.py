"""The verbs about tasks; part of the table in engine.model.commands."""

from __future__ import annotations

from typing import Any

from engine.model.verbs import Command, Danger, arg, verb


@verb
class SubmitTask(Command):
    """Hand a task to a pool; it is accepted when it is in the journal."""

    name = "task.submit"
    verb = "submit"
    help = "Hand a task to a pool"
    inverse = "task.cancel"
    undo_note = "the task is cancelled, not forgotten; it cannot be taken back once it has ended"

    type: str = arg("what to do: code.outline, noop, command, or the handler's own word")
    pool: str = arg("pool that does it", default="", completes="pools")
    prompt: str = arg("text for the agent; becomes payload.prompt", default="", option=True)
    payload: dict[str, Any] = arg("JSON object for the agent", default={}, option=True)
    title: str = arg("what people call it", default="", option=True)
    priority: int = arg("1..10, higher first", default=5, ge=1, le=10, option=True)
    capabilities: tuple[str, ...] = arg("capabilities the agent must have", default=(), option=True)
    fairness_key: str = arg("tasks of equal priority take turns by this key", default="", option=True)
    idempotency_key: str = arg("the same key gives the same task", default="", option=True)
    depends_on: tuple[str, ...] = arg("task ids that must succeed first", default=(), completes="tasks", option=True)
    take_inputs: bool = arg("deliver the results of depends_on under `inputs`", default=False, option=True)
    run_after_failure: bool = arg("run even if a dependency did not succeed", default=False, option=True)
    deadline_s: float = arg("must have ended within; 0 = none", default=0.0, ge=0, unit="s", option=True)
    timeout_s: float = arg("longest run of one attempt; 0 = the pool's", default=0.0, ge=0, unit="s", option=True)
    queue_timeout_s: float = arg("longest wait for an agent; 0 = none", default=0.0, ge=0, unit="s", option=True)
    max_attempts: int = arg("attempts before it is a dead letter", default=3, ge=1, le=100, option=True)
    backoff_s: float = arg("wait before the second attempt; doubles", default=1.0, ge=0, le=3600, unit="s", option=True)
    workspace: str = arg("directory the task may write to", default="", option=True)
    apply: bool = arg("write edits to files inside the workspace", default=False, option=True)
    region: str = arg("region that does it; empty = this one, or one that may keep it", default="", completes="regions", option=True)
    residency: tuple[str, ...] = arg("tags of what it is about, such as eu: only a region with all of them may keep it", default=(), option=True)


@verb
class CancelTask(Command):
    """Stop a task; a running one is stopped in its process."""

    name = "task.cancel"
    verb = "cancel"
    help = "Stop a task; a running one is stopped in its process"
    for_agents = True
    danger = Danger.DESTRUCTIVE
    inverse = "task.retry"
    undo_note = "a running task begins anew: what it had done is lost"

    task: str = arg("task id", completes="tasks")


@verb
class RetryTask(Command):
    """Run a failed, cancelled or dead task again, with a full set of attempts; with it those that fell only with it.

    With feedback any task that has ended: a new one goes on with what it did, in its worktree and on its branch.
    """

    name = "task.retry"
    verb = "retry"
    help = "Run a failed, cancelled or dead task again, or have its work improved by feedback"
    inverse = "task.cancel"
    undo_note = "the task ends as cancelled, whatever it had ended as, and its result is gone; one that goes on by feedback is cancelled itself"

    task: str = arg("task id", completes="tasks")
    lenient: bool = arg("leave out a task that cannot be run again, instead of refusing", default=False, option=True)
    feedback: str = arg("what a reviewer wants changed: a new task goes on where this one ended", default="", option=True)


@verb
class PrioritiseTask(Command):
    """Change the priority of a waiting task."""

    name = "task.prioritise"
    verb = "prioritise"
    help = "Change the priority of a waiting task"
    inverse = "task.prioritise"

    task: str = arg("task id", completes="tasks")
    priority: int = arg("1..10, higher first", ge=1, le=10)
