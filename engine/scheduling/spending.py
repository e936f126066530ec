"""What attempts tell of their use, kept once: those that go on, those that end, and late ones; pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from engine.model.budget_events import TasksSpent
from engine.model.budgets import Used, used_of
from engine.model.events import Event
from engine.model.ids import TaskId
from engine.model.prices import priced
from engine.model.reports import TasksUsed
from engine.model.tasks import Outcome
from engine.state import FleetState
from engine.state.deciding import Deciding


def decide_used(state: FleetState, report: TasksUsed, deciding: Deciding) -> list[Event]:
    """Keep what attempts told of their use, where it is new."""
    return spent(state, report.used, deciding)


def spent_by(state: FleetState, outcomes: Sequence[Outcome], deciding: Deciding) -> list[Event]:
    """Return what attempts that ended told of their use, late ones too: their money is gone all the same."""
    told = (used_of(outcome.usage, outcome.models, outcome.task, outcome.token) for outcome in outcomes if outcome.usage or outcome.models)
    return spent(state, [used for used in told if used is not None], deciding)


def spent(state: FleetState, told: Iterable[Used], deciding: Deciding) -> list[Event]:
    """Return the event for what is new, with the cost of what has a price."""
    fresh: dict[tuple[TaskId, int], Used] = {}
    for used in told:
        task = state.tasks.get(used.task)
        if task is None or used.token > task.attempt or task.spec.sample_of:
            continue
        before, used = task.metered.get(used.token), priced(used, task.spec.pool, deciding.config.prices)
        now = used if before is None else used.after(before)
        if now != before:
            fresh[used.task, used.token] = now
    return [TasksSpent(tuple(fresh.values()))] if fresh else []
