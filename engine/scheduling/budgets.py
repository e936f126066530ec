"""Budgets: what follows from what work uses. Little left is told; used up = nothing more begins, and what runs is stopped and waits.

A limit is looked at when an attempt tells what it used, ends, or a limit is set; wall time also once a second; an hour or a day also
when it ends. So what is used beyond a limit is at most what each agent that runs uses until it next tells. Owner: nobody; pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from engine.model.agents import Agent
from engine.model.budget_commands import SetBudget
from engine.model.budget_events import BudgetMoved, BudgetsConfigured, BudgetSet, TasksSpent
from engine.model.budget_words import (
    AS_CONFIGURED,
    FLEET,
    HARD,
    NONE,
    SOFT,
    STOPPED_BY_BUDGET,
    WINDOWS,
    id_of,
    measure_of,
    say_amount,
    say_limit,
    scope_of,
    span_of,
)
from engine.model.budgets import NO_LIMIT, Budget, Reached
from engine.model.errors import NotFound, UsageError
from engine.model.events import Event
from engine.model.ids import AgentId, TaskId
from engine.model.task_events import (
    TaskFailed,
    TaskReturned,
    TasksCancelled,
    TasksReplayed,
    TasksRerouted,
    TasksStopping,
    TasksSucceeded,
)
from engine.model.tasks import FINISHED, HELD, Task
from engine.model.wire import nearest
from engine.scheduling.timers import Due
from engine.state import FleetState, Touched
from engine.state.deciding import Deciding, Decision

DUE = "budget"
"""Kind of the timers of budgets; their name is a scope, empty = whatever has a limit of wall time."""
AMOUNT_MAX = 1e15
LOOK_S = 1.0
"""How often wall time is looked at while something runs."""


# ---- what follows


@dataclass(slots=True)
class _Affected:
    """What may have come to a limit, or away from one."""

    scopes: dict[str, None] = field(default_factory=dict)
    tasks: dict[TaskId, None] = field(default_factory=dict)
    agents: dict[AgentId, None] = field(default_factory=dict)

    def add(self, state: FleetState, ids: Iterable[TaskId]) -> None:
        """Add tasks, whoever has them or had them last, their pools and the fleet."""
        for id_ in ids:
            task = state.tasks.get(id_)
            if task is None:
                continue
            self.tasks[id_] = None
            self.scopes |= {FLEET: None, scope_of("pools", task.spec.pool): None}
            agent = state.agent_named(task.agent or task.agent_name)
            if agent is not None:
                self.agents[agent.spec.id] = None


def decide_after(state: FleetState, events: Sequence[Event], now: float) -> list[Event]:
    """Return what follows from events for budgets, once they are applied."""
    if not state.spending.budgets:
        return []
    affected = _Affected()
    for event in events:
        if isinstance(event, BudgetsConfigured | BudgetSet):
            return _look(state, _everything(state), now)
        affected.add(state, _tasks_of(event))
    return _look(state, affected, now) if affected.scopes else []


def _tasks_of(event: Event) -> Iterable[TaskId]:
    match event:
        case TasksSpent():
            return (used.task for used in event.used)
        case TasksSucceeded():
            return (outcome.task for outcome in event.outcomes)
        case TaskFailed():
            return (event.outcome.task,)
        case TaskReturned():
            return (event.task,)
        case TasksRerouted():
            return (moved.task for moved in event.tasks)
        case TasksCancelled() | TasksReplayed():
            return event.tasks
    return ()


def _everything(state: FleetState) -> _Affected:
    affected = _Affected({scope: None for scope in (FLEET, *(scope_of("pools", pool) for pool in state.pools)) if scope in state.spending.budgets})
    affected.tasks.update((id_, None) for id_, task in state.tasks.items() if task.state not in FINISHED and (task.spent or task.over or task.started_at))
    affected.agents.update((id_, None) for id_, agent in state.agents.items() if agent.spent or agent.over or agent.task)
    return affected


def _look(state: FleetState, affected: _Affected, now: float) -> list[Event]:
    events: list[Event] = []
    stopping: dict[TaskId, None] = {}
    for scope in affected.scopes:
        budget = state.spending.budgets.get(scope)
        if budget is not None:
            moved, is_over = _moves(budget, [(limit, _used(state, scope, limit, now), budget.amount(limit)) for limit in _windows(budget)], budget.soft, now)
            events += moved
            stopping.update((task.spec.id, None) for task in held_in(state, scope) if is_over)
    for task_id in affected.tasks:
        task = state.tasks[task_id]
        moved, is_over = _of_one(state, scope_of("tasks", task_id), task.spec.pool, _of_task(task, now), now)
        events += moved
        stopping.update({task_id: None} if is_over and task.state in HELD else {})
    for agent_id in affected.agents:
        agent = state.agents.get(agent_id)
        if agent is not None:
            moved, is_over = _of_one(state, scope_of("agents", agent_id), agent.spec.pool, _of_agent(state, agent, now), now)
            events += moved
            stopping.update({agent.task: None} if is_over and agent.task else {})
    stopped = tuple(id_ for id_ in stopping if not state.tasks[id_].stopping)
    return [*events, *([TasksStopping(stopped, STOPPED_BY_BUDGET)] if stopped else [])]


def _windows(budget: Budget) -> list[str]:
    """Return the limits of hours and days that there are, and those that were reached and are no more."""
    return [limit for limit in {**budget.limits(), **budget.reached} if span_of(limit) in WINDOWS]


def _of_one(state: FleetState, scope: str, pool: str, used: dict[str, float], now: float) -> tuple[list[Event], bool]:
    """Return what follows for a task or an agent, by what it used of each measure; one that has ended has used nothing."""
    span = scope.partition("/")[0][:-1]
    budget = state.spending.budgets.get(scope) or Budget(scope)
    limits = [(f"{measure}_per_{span}", amount) for measure, amount in used.items()]
    known = dict.fromkeys((*(limit for limit, _ in limits), *budget.reached))
    found = [(limit, dict(limits).get(limit, 0.0), state.spending.amount_of(scope, pool, limit) if limit in dict(limits) else NO_LIMIT) for limit in known]
    return _moves(budget, found, state.spending.soft_of(pool), now)


def _of_task(task: Task, now: float) -> dict[str, float]:
    if task.state in FINISHED:
        return {}
    return {**{measure: max(0.0, task.spent.get(measure, 0.0)) for measure in ("cost", "tokens", "turns")}, "seconds": task.run_s(now)}


def _of_agent(state: FleetState, agent: Agent, now: float) -> dict[str, float]:
    task = state.tasks.get(agent.task) if agent.task else None
    running = max(0.0, now - task.started_at) if task is not None and task.started_at else 0.0
    told = {measure: max(0.0, agent.spent.get(measure, 0.0)) for measure in ("cost", "tokens", "turns")}
    return {**told, "seconds": agent.spent.get("seconds", 0.0) + running}


def _moves(budget: Budget, limits: Iterable[tuple[str, float, float]], soft: float, now: float) -> tuple[list[Event], bool]:
    """Return which limits are at another level than before, and whether one is used up: of (limit, used, amount)."""
    events: list[Event] = []
    is_over = False
    for limit, used, amount in limits:
        level = HARD if used >= amount else SOFT if soft < 1 and used >= soft * amount > 0 else ""
        is_over |= level == HARD
        before = budget.reached.get(limit)
        until = _end_of(span_of(limit), now)
        if (before.level, before.amount, before.until) == (level, amount, until) if before is not None else not level:
            continue
        text = _text(budget.scope, limit, level, (used, amount), until)
        reached = Reached(level, used, amount, now, text, until) if level else None
        events.append(BudgetMoved(budget.scope, limit, reached, text))
    return events, is_over


def _end_of(span: str, now: float) -> float:
    length_s = WINDOWS.get(span, 0)
    return (now // length_s + 1) * length_s if length_s else 0.0


def _text(scope: str, limit: str, level: str, figures: tuple[float, float], until: float) -> str:
    measure, (used, amount) = measure_of(limit), figures
    if not level:
        return f"{say_limit(limit)}: {say_amount(measure, used)} used, there is room again"
    told = f"{say_limit(limit)} {'is used up' if level == HARD else 'is nearly used up'}: {say_amount(measure, used)} of {say_amount(measure, amount)}"
    again = f"; the next {span_of(limit)} begins at {datetime.fromtimestamp(until, UTC):%H:%M} UTC" if until else ""
    return f"{told}{again}; `budget {limit} +N {id_of(scope)}` raises it" if level == HARD else f"{told}{again}"


def _used(state: FleetState, scope: str, limit: str, now: float) -> float:
    """Return what the fleet or a pool has used of a limit in the present hour or day, with the wall time of what runs."""
    measure, span = measure_of(limit), span_of(limit)
    ledger = state.spending.ledgers.get(scope)
    used = ledger.within(span, now).of(measure) if ledger is not None else 0.0
    if measure != "seconds":
        return used
    since = now // WINDOWS[span] * WINDOWS[span]
    return used + sum(max(0.0, now - max(since, task.started_at)) for task in held_in(state, scope) if task.started_at)


def used_of_limit(state: FleetState, scope: str, limit: str, now: float) -> float | None:
    """Return what is used of a limit now; None of what holds for each task or agent of a pool or of the fleet."""
    kind = scope.partition("/")[0]
    if span_of(limit) in WINDOWS:
        return _used(state, scope, limit, now)
    if kind == "tasks" and (task := state.tasks.get(TaskId(id_of(scope)))) is not None:
        return _of_task(task, now).get(measure_of(limit), 0.0)
    if kind == "agents" and (agent := state.agents.get(AgentId(id_of(scope)))) is not None:
        return _of_agent(state, agent, now).get(measure_of(limit), 0.0)
    return None


def held_in(state: FleetState, scope: str) -> Iterator[Task]:
    """Give the tasks that agents of the fleet or of a pool have."""
    pools = state.pools if scope == FLEET else [id_of(scope)]
    for pool in pools:
        for agent in state.agents_in(pool):
            if agent.task is not None:
                yield state.tasks[agent.task]


def ends_at(state: FleetState, scope: str, limit: str, now: float) -> tuple[float, float]:
    """Return how much of a limit of an hour or a day is used a second, and when it ends at that rate; 0 = not known, or not before."""
    ledger = state.spending.ledgers.get(scope)
    if ledger is None or span_of(limit) not in WINDOWS:
        return 0.0, 0.0
    budget, rate = state.spending.budgets[scope], ledger.rate(measure_of(limit), now)
    left = budget.amount(limit) - _used(state, scope, limit, now)
    if rate <= 0 or left <= 0:
        return rate, 0.0
    at = now + left / rate
    return rate, at if at < _end_of(span_of(limit), now) else 0.0


# ---- time


def dues(state: FleetState, touched: Touched, now: float) -> Iterator[Due]:
    """Return when budgets are to be looked at again, after something changed."""
    if not state.spending.budgets:
        return
    for scope in touched.budgets:
        budget = state.spending.budgets.get(scope)
        yield from ((one.until, DUE, scope, 0) for one in (budget.reached.values() if budget is not None else ()) if one.until)
    if touched.tasks:
        yield from looks(state, now)


def dues_of_all(state: FleetState, now: float) -> Iterator[Due]:
    """Return when budgets are to be looked at after a start."""
    yield from dues(state, Touched(budgets=dict.fromkeys(state.spending.budgets)), now)
    yield from looks(state, now)


def looks(state: FleetState, now: float) -> Iterator[Due]:
    """Return the next look at wall time, if something runs and a limit is about that."""
    if state.spending.has_seconds() and any(state.totals.by_state.get(one) for one in HELD):
        yield ((now // LOOK_S + 1) * LOOK_S, DUE, "", 0)


def decide_due(state: FleetState, scopes: Sequence[str], now: float) -> list[Event]:
    """Return what follows from the time that has passed."""
    if not scopes:
        return []
    if "" in scopes:
        return _look(state, _everything(state), now)
    return _look(state, _Affected(dict.fromkeys(scopes)), now)


# ---- limits


def decide_configured(state: FleetState, budgets: dict[str, dict[str, float]]) -> list[Event]:
    """Return what brings the limits in line with the configuration."""
    known = {scope: budget.configured for scope, budget in state.spending.budgets.items() if budget.configured}
    return [BudgetsConfigured(budgets)] if known != budgets else []


def scope_named(state: FleetState, word: str, limit: str) -> str:
    """Return the scope that a word means: `fleet`, a name or an id, or `pools/NAME`, `agents/NAME`, `tasks/ID`. Raises NotFound, and UsageError for a limit that it cannot have."""
    if word == FLEET:
        return FLEET
    kind, _, rest = word.partition("/")
    kind, word = (kind, rest) if kind in ("pools", "agents", "tasks") and rest else ("", word)
    if word in state.pools and kind in ("", "pools"):
        return scope_of("pools", word)
    agent = state.agent_named(word) if kind in ("", "agents") else None
    task = state.tasks.get(TaskId(word)) if kind in ("", "tasks") else None
    if agent is None and task is None:
        raise NotFound(f"no pool, agent or task {word!r}{nearest(word, {FLEET, *state.pools})}")
    span = "task" if task is not None else "agent"
    if span_of(limit) != span:
        raise UsageError(f"{limit} is no limit of {'a task' if task is not None else 'an agent'}; its own are those that end in _per_{span}")
    return scope_of("tasks", task.spec.id) if task is not None else scope_of("agents", agent.spec.id if agent is not None else "")


def said(state: FleetState, scope: str, limit: str) -> str:
    """Return what an operator said of a limit: a number, `none`, or `configured` when nobody said anything."""
    budget = state.spending.budgets.get(scope)
    amount = budget.changed.get(limit) if budget is not None else None
    return AS_CONFIGURED if amount is None else NONE if amount < 0 else written(amount)


def written(amount: float) -> str:
    """Return a number as one would type it."""
    return format(amount, ".12g")


def amount_now(state: FleetState, scope: str, limit: str) -> float:
    """Return a limit as it is; NO_LIMIT where there is none."""
    kind, id_ = scope.partition("/")[0], id_of(scope)
    if kind == "tasks":
        return state.spending.amount_of(scope, state.tasks[TaskId(id_)].spec.pool, limit)
    if kind == "agents":
        return state.spending.amount_of(scope, state.agents[AgentId(id_)].spec.pool, limit)
    budget = state.spending.budgets.get(scope) or Budget(scope)
    return budget.soft if limit == SOFT else budget.amount(limit)


def meant(state: FleetState, command: SetBudget) -> str:
    """Return the amount that a verb means, as `said` has it. Raises UsageError, NotFound."""
    scope, text = scope_named(state, command.of, command.limit), command.amount.strip().lstrip("$").replace("_", "")
    if text in (NONE, AS_CONFIGURED):
        if text == NONE and command.limit == SOFT:
            raise UsageError("soft = 1 tells of no limit before it is used up")
        return text
    before = amount_now(state, scope, command.limit)
    more = text.startswith("+")
    if more and before == NO_LIMIT:
        raise UsageError(f"there is no {say_limit(command.limit)} to add to; give the whole amount")
    try:
        amount = round((before if more else 0.0) + float(text.removeprefix("+").lstrip("$")), 9)
    except ValueError:
        raise UsageError(f"amount is {command.amount!r}; give a number, +N, none or configured") from None
    if command.limit == SOFT and not 0 < amount <= 1:
        raise UsageError(f"amount is {command.amount!r}; the soft share is above 0 and at most 1")
    if not 0 <= amount <= AMOUNT_MAX:
        raise UsageError(f"amount is {command.amount!r}; it must be from 0 to {AMOUNT_MAX:g}")
    return written(amount)


def decide_set(state: FleetState, commands: Sequence[SetBudget], deciding: Deciding) -> Decision:
    """Set limits; one that is so already gives nothing. Raises UsageError, NotFound."""
    events: list[Event] = []
    values = []
    for command in commands:
        scope, amount = scope_named(state, command.of, command.limit), meant(state, command)
        values.append(amount)
        if amount != said(state, scope, command.limit):
            number = None if amount == AS_CONFIGURED else -1.0 if amount == NONE else float(amount)
            events.append(BudgetSet(scope, command.limit, number, deciding.origin.who))
    return Decision(events, values)
