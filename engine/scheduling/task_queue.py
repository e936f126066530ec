"""Tasks that could run now, by pool: higher priority first, equal priorities in turn by fairness key, waiting ages.

Owner: the coordinator; an index derived from the state, rebuilt at start. Its limit is tasks.pending_max.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator

from engine.model.ids import TaskId
from engine.model.tasks import Task, TaskState
from engine.state import FleetState

Lane = OrderedDict[str, deque[Task]]


class PoolQueue:
    """One pool's waiting tasks: a lane for each priority, in it a line for each fairness key."""

    def __init__(self) -> None:
        self.lanes: dict[int, Lane] = {}

    def add(self, task: Task) -> None:
        """Put a task at the end of its line."""
        lane = self.lanes.get(task.priority)
        if lane is None:
            lane = self.lanes[task.priority] = OrderedDict()
        line = lane.get(task.spec.fairness_key)
        if line is None:
            line = lane[task.spec.fairness_key] = deque()
        line.append(task)

    def heads(self) -> Iterator[tuple[int, Task]]:
        """Yield the next task of each lane with its priority."""
        for priority, lane in self.lanes.items():
            yield priority, next(iter(lane.values()))[0]

    def take(self, priority: int) -> Task:
        """Remove and return the next task of a lane; its fairness key goes to the end of the turn."""
        lane = self.lanes[priority]
        key, line = next(iter(lane.items()))
        task = line.popleft()
        if line:
            lane.move_to_end(key)
        else:
            del lane[key]
            if not lane:
                del self.lanes[priority]
        return task


class TaskQueue:
    """All pools' waiting tasks."""

    def __init__(self, aging_s: float) -> None:
        self._aging_s = aging_s
        self._pools: dict[str, PoolQueue] = {}
        self._queued: dict[TaskId, int] = {}
        """Task -> the priority it was queued with; a queued task that is no longer here is stale."""

    def rebuild(self, state: FleetState, now: float) -> None:
        """Fill from a state."""
        self._pools.clear()
        self._queued.clear()
        for task in state.tasks.values():
            self.update(task, now)

    def update(self, task: Task, now: float) -> None:
        """Take note of a changed task: queue it when it could run now, otherwise let its place lapse."""
        task_id = task.spec.id
        placeable = task.state is TaskState.PENDING and task.waiting_on == 0 and task.not_before <= now
        if not placeable:
            self._queued.pop(task_id, None)
        elif self._queued.get(task_id) != task.priority:
            self._queued[task_id] = task.priority
            queue = self._pools.get(task.spec.pool)
            if queue is None:
                queue = self._pools[task.spec.pool] = PoolQueue()
            queue.add(task)

    def next(self, pool: str, now: float) -> Task | None:
        """Remove and return the task of a pool that should run next, or None. Aging counts from its submission."""
        queue = self._pools.get(pool)
        while queue is not None and queue.lanes:
            if len(queue.lanes) == 1:
                priority = next(iter(queue.lanes))
            else:
                priority, _ = max(queue.heads(), key=lambda head: head[0] + (now - head[1].spec.submitted_at) / self._aging_s)
            task = queue.take(priority)
            if self._queued.get(task.spec.id) == priority and task.state is TaskState.PENDING:
                del self._queued[task.spec.id]
                return task
        return None

    def pools_waiting(self) -> list[str]:
        """Return the pools that have tasks to place."""
        return [name for name, queue in self._pools.items() if queue.lanes]

    def __len__(self) -> int:
        """Return how many tasks could run now."""
        return len(self._queued)
