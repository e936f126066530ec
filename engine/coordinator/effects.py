"""Which effects follow from events, once these are in the journal."""

from __future__ import annotations

from collections.abc import Iterable

from engine.model import effects as fx
from engine.model import events as ev
from engine.model.agent_events import AgentsRegistered, AgentsRemoved, AgentsStarting
from engine.model.question_events import QuestionAnswered
from engine.model.task_events import TasksLeased, TasksStopping
from engine.scheduling.halting import FREEZE_GRACE_S, HALT


def effects_of(records: Iterable[ev.Record]) -> list[fx.Effect]:
    """Return what must be done outside because of records, in their order."""
    found: list[fx.Effect] = []
    for record in records:
        event = record.event
        if isinstance(event, TasksLeased):
            found.append(fx.Deliver(event.leases))
        elif isinstance(event, AgentsRegistered):
            found.append(fx.StartAgents(tuple(spec.id for spec in event.agents)))
        elif isinstance(event, AgentsStarting):
            found.append(fx.StartAgents(event.agents))
        elif isinstance(event, AgentsRemoved):
            found.append(fx.StopAgents(event.agents))
        elif isinstance(event, ev.BoosterCacheCleared):
            found.append(fx.ClearCaches())
        elif isinstance(event, QuestionAnswered) and event.ask:
            found.append(fx.GiveAnswer(event.task, event.token, event.ask, event.answer.reply))
        elif isinstance(event, TasksStopping) and event.why != "retry":  # those are being stopped already
            found.append(fx.StopRuns(event.tasks, FREEZE_GRACE_S if event.why == HALT else None))
    return found
