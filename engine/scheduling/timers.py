"""What is due when: back-offs, time-outs, deadlines of tasks and votes, reservations that expire, agents that should have left.

Owner: the coordinator; a heap derived from the state, checked against it when an entry falls due.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence

from engine.model.agent_events import AgentReleased
from engine.model.agents import Agent
from engine.model.events import Event
from engine.model.ids import AgentId, AllocationId, TaskId
from engine.model.task_events import TaskFailed, TasksCancelled, TasksStopping
from engine.model.tasks import FINISHED, HELD, Outcome, Task, TaskState
from engine.scheduling.answering import decide_overdue
from engine.scheduling.halting import DRAIN
from engine.scheduling.submission import doom, each_once
from engine.state import FleetState

Due = tuple[float, str, str, int]
"""(instant, kind, id, attempt or 0)."""

STALE_MAX = 1_024
"""Entries that hold no more, beyond as many as there are that do; then they are swept."""


class Timers:
    """The next instant at which time alone changes something."""

    def __init__(self) -> None:
        self._heap: list[Due] = []
        self._known: set[Due] = set()
        """Entries of the heap that still hold."""
        self._of: dict[TaskId, tuple[Due, ...]] = {}

    def rebuild(self, state: FleetState) -> None:
        """Fill from a state."""
        self._heap.clear()
        self._known.clear()
        self._of.clear()
        for task in state.tasks.values():
            self.update(task)
        for allocation in state.allocations.values():
            self.add((allocation.expires_at, "allocation", allocation.id, 0))
        for agent in state.agents.values():
            if agent.leaves_by:
                self.add((agent.leaves_by, "drain", agent.spec.id, 0))
        for round_ in state.rounds.values():
            if round_.is_open:
                self.add((round_.proposal.deadline, "proposal", round_.proposal.id, 0))

    def add(self, due: Due) -> None:
        """Wait for an instant; the same entry twice is one."""
        if due not in self._known:
            self._known.add(due)
            heapq.heappush(self._heap, due)
            if len(self._heap) > 2 * len(self._known) + STALE_MAX:
                self._heap = list(self._known)
                heapq.heapify(self._heap)

    def update(self, task: Task) -> None:
        """Take note of a changed task: wait for what can fall due now, and no more for what could before."""
        task_id = task.spec.id
        dues = _dues_of(task)
        for due in self._of.pop(task_id, ()):
            if due not in dues:
                self._known.discard(due)
        if dues:
            self._of[task_id] = dues
            for due in dues:
                self.add(due)

    def next_at(self) -> float | None:
        """Return the next instant, or None when nothing is waited for."""
        return self._heap[0][0] if self._heap else None

    def take_due(self, now: float) -> list[Due]:
        """Remove and return what is due, oldest first."""
        due = []
        while self._heap and self._heap[0][0] <= now:
            entry = heapq.heappop(self._heap)
            if entry in self._known:
                self._known.discard(entry)
                due.append(entry)
        return due

    def check(self, state: FleetState, now: float) -> None:
        """Raise AssertionError unless exactly what can fall due later is waited for."""
        wanted = {due for task in state.tasks.values() for due in _dues_of(task)}
        wanted |= {(agent.leaves_by, "drain", agent.spec.id, 0) for agent in state.agents.values() if agent.leaves_by}
        wanted |= {(held.expires_at, "allocation", held.id, 0) for held in state.allocations.values()}
        wanted |= {(one.proposal.deadline, "proposal", one.proposal.id, 0) for one in state.rounds.values() if one.is_open}
        missing = [due for due in wanted - self._known if due[0] > now]
        assert not missing, f"not waited for: {missing[:5]}"
        idle = [due for due in self._known - wanted if due[1] not in ("allocation", "drain", "proposal", "swarm", "mail", "session", "budget")]
        assert not idle, f"waited for in vain: {idle[:5]}"
        assert self._known <= set(self._heap)


def _dues_of(task: Task) -> tuple[Due, ...]:
    spec = task.spec
    if task.state in FINISHED:
        return ()
    dues: list[Due] = []
    if spec.deadline:
        dues.append((spec.deadline, "deadline", spec.id, 0))
    if task.state is TaskState.PENDING:
        if task.not_before:
            dues.append((task.not_before, "ready", spec.id, task.attempt))
        if spec.queue_timeout_s and not task.leased_at:
            dues.append((max(spec.submitted_at, task.replayed_at) + spec.queue_timeout_s, "queue", spec.id, 0))
    elif task.state is TaskState.RUNNING and spec.timeout_s:
        dues.append((task.started_at + task.asked_s + spec.timeout_s, "timeout", spec.id, task.attempt))
    dues += [(one.expires_at, "question", spec.id, task.attempt) for one in task.questions.values() if one.expires_at]
    return tuple(dues)


def decide_due(state: FleetState, due: Sequence[Due], now: float) -> list[Event]:
    """Return what follows from the instants that passed; entries that no longer hold give nothing."""
    events = _decide_questions(state, due, now)
    ended: set[TaskId] = set()
    for _at, kind, name, attempt in due:
        if kind == "allocation":
            allocation = state.allocations.get(AllocationId(name))
            if allocation is not None:
                events.append(AgentReleased(allocation.id, ok=False, seconds=now - allocation.at, reason="reservation expired"))
            continue
        if kind == "drain":
            events += _decide_drained(state, state.agents.get(AgentId(name)), now)
            continue
        task = state.tasks.get(TaskId(name))
        if task is None or task.state in FINISHED or task.spec.id in ended:
            continue
        if kind == "timeout" and task.state is TaskState.RUNNING and task.attempt == attempt and not task.stopping:
            events.append(TasksStopping((task.spec.id,), "timeout"))
        elif kind == "deadline" and task.state in HELD and task.stopping not in ("deadline", "cancel"):
            events.append(TasksStopping((task.spec.id,), "deadline"))
        elif task.state is TaskState.PENDING and (kind == "deadline" or (kind == "queue" and not task.leased_at)):
            new = _decide_too_late(state, task, kind)
            events += new
            ended |= {task.spec.id, *(id_ for event in new if isinstance(event, TasksCancelled) for id_ in event.tasks)}
    return each_once(events)


def _decide_questions(state: FleetState, due: Sequence[Due], now: float) -> list[Event]:
    tasks = [state.tasks.get(TaskId(name)) for name in dict.fromkeys(name for _at, kind, name, _attempt in due if kind == "question")]
    return [event for task in tasks if task is not None for event in decide_overdue(task, now)]


def _decide_drained(state: FleetState, agent: Agent | None, now: float) -> list[Event]:
    """Return what takes from an agent that leaves what it did not finish by its deadline; nothing when it stays."""
    if agent is None or not 0 < agent.leaves_by <= now:
        return []
    allocation = state.allocations.get(agent.allocation) if agent.allocation else None
    if allocation is not None:
        reason = f"{agent.spec.name} was to leave and the drain deadline passed"
        return [AgentReleased(allocation.id, ok=False, seconds=now - allocation.at, reason=reason)]
    task = state.tasks.get(agent.task) if agent.task else None
    return [TasksStopping((task.spec.id,), DRAIN)] if task is not None and task.state in HELD and not task.stopping else []


def _decide_too_late(state: FleetState, task: Task, kind: str) -> list[Event]:
    spec = task.spec
    text = "its deadline passed while it waited" if kind == "deadline" else f"no agent took it within {spec.queue_timeout_s:g} s"
    error_kind = "deadline" if kind == "deadline" else "queue_timeout"
    outcome = Outcome(spec.id, task.attempt, ok=False, error_kind=error_kind, error=text, retryable=False)
    return [TaskFailed(outcome, dead=False), *doom(state, [spec.id], "failed")]
