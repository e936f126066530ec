"""What follows from a plan beyond its steps: agents that can be given tasks, who is drained, what is lost, what it costs, and
whom it gets in the way of. From the events that the verbs would make, so that a plan and its execution cannot differ; pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set

from engine.model import events as ev
from engine.model.agent_commands import RegisterAgent, UndrainAgent
from engine.model.agent_events import (
    AgentsCordoned,
    AgentsRegistered,
    AgentsRemoved,
    AgentsRetiring,
    AgentsRevived,
)
from engine.model.agents import Agent, AgentStatus
from engine.model.ids import AgentId, TaskId
from engine.model.plans import Capacity, Note, Plan, PlanStep
from engine.model.pool_commands import ScalePool, UnpausePool
from engine.model.pool_events import PoolPaused
from engine.model.task_events import TasksCancelled, TasksStopping
from engine.model.verbs import Command
from engine.state import FleetState

NAMED_MAX = 5
"""Things that a note names; the rest is counted."""


def capacity_of(state: FleetState, events: Sequence[ev.Event]) -> tuple[Capacity, ...]:
    """Return the pools whose agents for tasks change in number, with before and after."""
    came, went = _moves(state, events)
    paused = {event.pool: event.paused for event in events if isinstance(event, PoolPaused)}
    halted = set(state.halted)
    for event in events:
        if isinstance(event, ev.FleetHalted):
            halted = halted | {event.scope} if event.halted else halted - {event.scope}
    was_open, is_open = not state.is_halted("placing"), halted <= {"scaling"}
    pools = state.pools if was_open is not is_open else {**came, **went, **paused}
    found = []
    for name in pools:
        pool = state.pools[name]
        able = [agent for agent in state.agents_in(name) if _is_able(agent)]
        later = len(able) + came.get(name, 0) - went.get(name, 0)
        before = len(able) if was_open and not pool.paused else 0
        after = later if is_open and not paused.get(name, pool.paused) else 0
        busy = sum(agent.status in (AgentStatus.ASSIGNED, AgentStatus.BUSY) for agent in able)
        if before != after:
            found.append(Capacity(name, before, after, busy, len(state.pending_of.get(name, ()))))
    return tuple(found)


def _is_able(agent: Agent) -> bool:
    """Tell whether tasks are, or soon will be, placed on an agent."""
    return not (agent.cordoned or agent.retiring or agent.status is AgentStatus.FAILED)


def _moves(state: FleetState, events: Sequence[ev.Event]) -> tuple[dict[str, int], dict[str, int]]:
    """Return how many agents come to each pool's work and how many go from it."""
    came: dict[str, int] = {}
    went: dict[str, int] = {}
    for event in events:
        if isinstance(event, AgentsRegistered):
            for spec in event.agents:
                came[spec.pool] = came.get(spec.pool, 0) + 1
        for agent in _agents(state, event):
            able = _is_able(agent)
            if isinstance(event, AgentsRevived):
                came[agent.spec.pool] = came.get(agent.spec.pool, 0) + 1
            elif isinstance(event, AgentsCordoned) and not event.cordoned:
                came[agent.spec.pool] = came.get(agent.spec.pool, 0) + (agent.cordoned and not agent.retiring)
            elif able:
                went[agent.spec.pool] = went.get(agent.spec.pool, 0) + 1
    return came, went


def _agents(state: FleetState, event: ev.Event) -> list[Agent]:
    """Return the agents that an event takes from their work or gives back to it."""
    if isinstance(event, AgentsRemoved | AgentsCordoned | AgentsRevived) or (isinstance(event, AgentsRetiring) and not event.restart):
        return [state.agents[agent_id] for agent_id in event.agents]
    return []


def notes_on(state: FleetState, events: Sequence[ev.Event], named: Set[str], now: float) -> list[Note]:
    """Return who is drained, what is lost and what it costs, in sentences; ids in `named` have steps that say so."""
    notes: list[Note] = []
    for event in events:
        if isinstance(event, AgentsRetiring):
            limit = f", in {event.leaves_by - now:.0f} s at the latest: then it is handed back" if event.leaves_by else ""
            fate = "starts anew when its task ends" if event.restart else f"leaves when its task ends{limit}"
            notes += _note("drain", fate, (_agent_name(state, id_) for id_ in event.agents if id_ not in named))
        elif isinstance(event, TasksStopping):
            notes += _note("loss", "work done so far is lost", (_running(state, id_) for id_ in event.tasks if id_ not in named))
        elif isinstance(event, TasksCancelled):
            along = (state.tasks[id_].spec.title for id_ in event.tasks if id_ not in named)
            notes += _note("loss", "cancelled too, for want of them", along)
    return notes + _costs(state, events)


def _note(kind: str, fate: str, names: Iterable[str]) -> list[Note]:
    found = list(names)
    return [Note(kind, f"{fate}: {_names(found)}")] if found else []


def _costs(state: FleetState, events: Sequence[ev.Event]) -> list[Note]:
    came, went = _moves(state, events)
    notes = []
    for name in {**came, **went}:
        cost = state.pools[name].spec.cost
        change = (came.get(name, 0) - went.get(name, 0)) * cost
        if change:
            notes.append(Note("cost", f"{name}: {change:+g} for each second in which all of them work ({cost:g} an agent)"))
    return notes


def conflicts(
    state: FleetState, commands: Sequence[Command], steps: Sequence[PlanStep], others: Sequence[tuple[str, Plan]], now: float
) -> list[Note]:
    """Return what a plan gets in the way of, or what makes it pointless; `others` are plans that other operators look at."""
    targets = {step.target for step in steps}
    notes = []
    for who, plan in others:
        both = [step for step in plan.steps if step.target in targets]
        if both:
            first = both[0]
            text = f"{who} has looked for {now - plan.at:.0f} s at a plan for {first.target}: {first.before} → {first.after}"
            notes.append(Note("conflict", text))
    first_command = commands[0]
    if isinstance(first_command, ScalePool | RegisterAgent):
        pools = {name for step in steps if (name := step.target) in state.pools and state.pools[name].paused}
        notes += [Note("conflict", f"{name} is paused: its agents are given no tasks until `unpause {name}`") for name in sorted(pools)]
    if isinstance(first_command, ScalePool | RegisterAgent | UnpausePool | UndrainAgent) and state.is_halted("placing"):
        notes.append(Note("conflict", "the fleet is halted: no agent is given a task until `resume`"))
    return notes


def _names(names: Sequence[str]) -> str:
    rest = len(names) - NAMED_MAX
    return ", ".join(names[:NAMED_MAX]) + (f" and {rest} more" if rest > 0 else "")


def _agent_name(state: FleetState, agent_id: AgentId) -> str:
    return state.agents[agent_id].spec.name


def _running(state: FleetState, task_id: TaskId) -> str:
    task = state.tasks[task_id]
    return f"{task.spec.title} on {task.agent_name}"
