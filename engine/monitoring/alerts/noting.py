"""What single events are about, as labels of `event(...)`; pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from engine.model.agent_events import AgentsBroken, HostLost
from engine.model.alert_expressions import REFUSED, REFUSED_BY_RULE
from engine.model.alerts import Labels
from engine.model.events import Audited, Record
from engine.model.ids import AgentId, HostId, TaskId
from engine.model.task_events import TaskFailed, TaskReturned
from engine.state import FleetState, Touched

BY_RULE = "refused by "
"""How the audit's line of an act begins that a guardrail refused."""


class Noted(NamedTuple):
    """Some events of one type that are about the same."""

    event: str
    labels: Labels
    times: float = 1.0


def noted(state: FleetState, record: Record, touched: Touched, hosts: Mapping[HostId, str]) -> Iterator[Noted]:
    """Give what one record counts as; `hosts` are the kinds of hosts that were there before."""
    event = record.event
    if isinstance(event, AgentsBroken):
        yield from _broken(state, event, touched)
    elif isinstance(event, HostLost):
        yield Noted(event.type, (("kind", hosts.get(event.host, "unknown")),))
    elif isinstance(event, TaskFailed | TaskReturned):
        task_id = event.outcome.task if isinstance(event, TaskFailed) else event.task
        yield Noted(event.type, _pool_of(state, task_id, touched))
    elif isinstance(event, Audited):
        yield Noted(event.type, ())
        if event.entry.result != "done":
            labels: Labels = (("who", event.entry.who),)
            yield Noted(REFUSED, labels)
            if event.entry.result.startswith(BY_RULE):
                yield Noted(REFUSED_BY_RULE, labels)
    else:
        pool = getattr(event, "pool", "")
        yield Noted(event.type, (("pool", pool),) if pool else ())


def _broken(state: FleetState, event: AgentsBroken, touched: Touched) -> Iterator[Noted]:
    gone = {agent.spec.id: agent for agent in touched.removed_agents}
    counts: dict[str, int] = {}
    for id_ in event.agents:
        agent = state.agents.get(AgentId(id_)) or gone.get(id_)
        if agent is not None:
            counts[agent.spec.pool] = counts.get(agent.spec.pool, 0) + 1
    for pool, count in counts.items():
        kind = state.pools[pool].spec.kind if pool in state.pools else "unknown"
        yield Noted(event.type, (("kind", kind), ("pool", pool)), count)


def _pool_of(state: FleetState, task_id: TaskId, touched: Touched) -> Labels:
    task = state.tasks.get(task_id) or touched.forgotten_tasks.get(task_id)
    return (("pool", task.spec.pool),) if task is not None else ()
