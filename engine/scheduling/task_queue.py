"""Tasks that could run now, by pool: higher priority first, equal priorities in turn by fairness key, waiting ages.

Tasks that want other capabilities stand in queues of their own, so that those that no free agent has hold up nobody.
Owner: the coordinator; an index derived from the state, rebuilt at start. Its limit is tasks.pending_max.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Collection

from engine.model.ids import TaskId
from engine.model.tasks import Task, TaskState
from engine.state import FleetState

STALE_MAX = 256
"""Places of tasks that wait no more, beyond as many as there are tasks that do; then all such places are swept."""

Lane = OrderedDict[str, deque[Task]]
Wanted = tuple[str, ...]


class PoolQueue:
    """Waiting tasks of one pool and one demand: a lane for each priority, in it a line for each fairness key."""

    def __init__(self) -> None:
        self.lanes: dict[int, Lane] = {}
        self.turn = 0
        """When a task was last taken, as a number that grows; equal priorities take turns by it."""

    def _line(self, task: Task) -> tuple[Lane, deque[Task]]:
        lane = self.lanes.get(task.priority)
        if lane is None:
            lane = self.lanes[task.priority] = OrderedDict()
        line = lane.get(task.spec.fairness_key)
        if line is None:
            line = lane[task.spec.fairness_key] = deque()
        return lane, line

    def add(self, task: Task) -> None:
        """Put a task at the end of its line."""
        self._line(task)[1].append(task)

    def put_back(self, task: Task) -> None:
        """Put a task that was taken where it was: it is the next of its lane."""
        lane, line = self._line(task)
        line.appendleft(task)
        lane.move_to_end(task.spec.fairness_key, last=False)

    def head(self, priority: int) -> Task:
        """Return the next task of a lane."""
        return next(iter(self.lanes[priority].values()))[0]

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
        self._pools: dict[str, dict[Wanted, PoolQueue]] = {}
        self._queued: dict[TaskId, tuple[str, int]] = {}
        """Task -> the pool and the priority it was queued with; a queued task that is no longer here is stale."""
        self._ready: dict[str, int] = {}
        """Pool -> how many of its tasks are queued."""
        self._places = 0
        """Queued tasks and stale ones."""
        self._turn = 0

    def rebuild(self, state: FleetState, now: float) -> None:
        """Fill from a state."""
        self._pools.clear()
        self._queued.clear()
        self._ready.clear()
        self._places = 0
        for waiting in state.pending_of.values():
            for task_id in waiting:
                self.update(state.tasks[task_id], now)

    def update(self, task: Task, now: float) -> None:
        """Take note of a changed task: queue it when it could run now, otherwise let its place lapse."""
        task_id = task.spec.id
        known = self._queued.get(task_id)
        if not _is_placeable(task, now):
            if known is not None:
                del self._queued[task_id]
                self._ready[known[0]] -= 1
        elif known != (place := _place_of(task)):
            self._queued[task_id] = place
            if known is not None:
                self._ready[known[0]] -= 1
            self._ready[task.spec.pool] = self._ready.get(task.spec.pool, 0) + 1
            self._queue_of(task).add(task)
            self._places += 1
            if self._places > 2 * len(self._queued) + STALE_MAX:
                self._sweep()

    def put_back(self, task: Task) -> None:
        """Put a task that next() gave where it was."""
        self._queued[task.spec.id] = _place_of(task)
        self._ready[task.spec.pool] += 1
        self._queue_of(task).put_back(task)
        self._places += 1

    def next(self, pool: str, now: float, unfit: Collection[Wanted] = ()) -> Task | None:
        """Remove and return the task of a pool that should run next, or None; those that want what is in `unfit` wait.

        Aging counts from the submission.
        """
        queues = self._pools.get(pool, {})
        while True:
            found = self._choose(queues, now, unfit)
            if found is None:
                return None
            wanted, priority = found
            queue = queues[wanted]
            task = queue.take(priority)
            self._places -= 1
            if not queue.lanes:
                del queues[wanted]
            if self._queued.get(task.spec.id) == (pool, priority) and task.state is TaskState.PENDING:
                del self._queued[task.spec.id]
                self._ready[pool] -= 1
                self._turn = queue.turn = self._turn + 1
                return task

    def ready(self, pool: str) -> int:
        """Return how many tasks of a pool could run now."""
        return self._ready.get(pool, 0)

    def pools_waiting(self) -> list[str]:
        """Return the pools that have tasks to place."""
        return [name for name, queues in self._pools.items() if queues]

    def __len__(self) -> int:
        """Return how many tasks could run now."""
        return len(self._queued)

    def check(self, state: FleetState, now: float) -> None:
        """Raise AssertionError unless exactly the tasks that can run are queued; those just off a back-off may follow."""
        placeable = {task.spec.id: task for task in state.tasks.values() if _is_placeable(task, now)}
        for task_id, place in self._queued.items():
            assert task_id in placeable, f"{task_id} is queued and cannot run"
            assert _place_of(placeable[task_id]) == place, f"{task_id} is queued at {place}"
        for pool in state.pools:
            assert self.ready(pool) == sum(placeable[task_id].spec.pool == pool for task_id in self._queued)
        late = [task_id for task_id, task in placeable.items() if task_id not in self._queued and not task.not_before]
        assert not late, f"could run and are not queued: {late[:5]}"
        places = [task for queues in self._pools.values() for queue in queues.values() for task in _tasks_in(queue)]
        assert len(places) == self._places
        assert set(self._queued) <= {task.spec.id for task in places}

    def _queue_of(self, task: Task) -> PoolQueue:
        queues = self._pools.setdefault(task.spec.pool, {})
        queue = queues.get(task.spec.capabilities)
        if queue is None:
            queue = queues[task.spec.capabilities] = PoolQueue()
        return queue

    def _choose(self, queues: dict[Wanted, PoolQueue], now: float, unfit: Collection[Wanted]) -> tuple[Wanted, int] | None:
        lanes: dict[int, Wanted] = {}
        for wanted, queue in queues.items():
            if wanted in unfit:
                continue
            for priority in queue.lanes:
                other = lanes.get(priority)
                if other is None or queue.turn < queues[other].turn:
                    lanes[priority] = wanted
        if not lanes:
            return None
        if len(lanes) == 1:
            priority = next(iter(lanes))
        else:
            priority = max(lanes, key=lambda one: one + (now - queues[lanes[one]].head(one).spec.submitted_at) / self._aging_s)
        return lanes[priority], priority

    def _sweep(self) -> None:
        """Leave out stale places."""
        old, self._pools, self._places = self._pools, {}, 0
        kept: set[TaskId] = set()
        for queues in old.values():
            for queue in queues.values():
                for task in _tasks_in(queue):
                    if self._queued.get(task.spec.id) == _place_of(task) and task.spec.id not in kept:
                        kept.add(task.spec.id)
                        self._queue_of(task).add(task)
        self._places = len(kept)


def _place_of(task: Task) -> tuple[str, int]:
    return task.spec.pool, task.priority


def _is_placeable(task: Task, now: float) -> bool:
    return task.state is TaskState.PENDING and task.waiting_on == 0 and not task.over and task.not_before <= now


def _tasks_in(queue: PoolQueue) -> list[Task]:
    return [task for lane in queue.lanes.values() for line in lane.values() for task in line]
