"""What facts about budgets do to the tables, and how the wall time of attempts is counted."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from engine.model.agents import Agent
from engine.model.budget_events import BudgetMoved, BudgetsConfigured, BudgetSet, TasksSpent
from engine.model.budget_words import FLEET, id_of, scope_of
from engine.model.budgets import (
    ATTEMPTS_MAX,
    MINUTE_S,
    MODELS_MAX,
    OTHERS,
    Budget,
    Spent,
    Used,
    spent_of,
)
from engine.model.ids import AgentId, TaskId
from engine.model.tasks import Task
from engine.state.tables import Tables

_TOLD = ("cost", "tokens", "unpriced", "turns")


Runs = dict[tuple[str, int], float]
"""Pool and number of a minute -> seconds of attempts that began and ended in it."""


def count_run(tables: Tables, task: Task, ended: float, runs: Runs | None = None, *, is_last: bool = True) -> None:
    """Count the wall time of an attempt that ends; of the last one the task itself tells it by its instants.

    Of many that end together short ones are gathered in `runs`, for settle(): a burst of tasks costs little.
    """
    began = task.started_at
    if not began or ended <= began or task.spec.sample_of:
        return
    minute = int(ended // MINUTE_S)
    if runs is not None and began >= minute * MINUTE_S:
        key = (task.spec.pool, minute)
        runs[key] = runs.get(key, 0.0) + ended - began
    else:
        for scope in (FLEET, scope_of("pools", task.spec.pool)):
            tables.spending.ledger(scope).run(began, ended)
            tables.touched.ledgers[scope] = None
    if not is_last:
        task.spent["seconds"] = task.spent.get("seconds", 0.0) + ended - began
    agent = tables.agents.get(task.agent) if task.agent else None
    if agent is not None:
        agent.spent["seconds"] = agent.spent.get("seconds", 0.0) + ended - began


def settle(tables: Tables, runs: Runs) -> None:
    """Count what was gathered."""
    for (pool, minute), seconds in runs.items():
        for scope in (FLEET, scope_of("pools", pool)):
            tables.spending.ledger(scope).last(seconds, minute * MINUTE_S)
            tables.touched.ledgers[scope] = None


def _tasks_spent(tables: Tables, event: TasksSpent, at: float) -> None:
    for used in event.used:
        task = tables.tasks[used.task]
        before = task.metered.get(used.token)
        agent = tables.agents.get(task.agent) if task.agent and task.attempt == used.token else None
        more = used.sum()
        if before is not None:
            more.add(before.sum(), -1)  # what was told too high before is less
        _count(tables, (FLEET, scope_of("pools", task.spec.pool)), more, at)
        _count_models(tables, used, before, at)
        _note_spent(task, agent, more)
        task.metered[used.token] = used
        while len(task.metered) > ATTEMPTS_MAX:
            del task.metered[min(task.metered)]
        tables.touched.tasks[used.task] = None
        if agent is not None:
            tables.touched.agents[agent.spec.id] = None


def _count(tables: Tables, scopes: Iterable[str], more: Spent, at: float) -> None:
    for scope in scopes:
        tables.spending.ledger(scope).add(more, at)
        tables.touched.ledgers[scope] = None


def _count_models(tables: Tables, used: Used, before: Used | None, at: float) -> None:
    known = before.models if before is not None else {}
    for name in {**known, **used.models}:
        more = spent_of(used.models[name]) if name in used.models else Spent()
        if name in known:
            more.add(spent_of(known[name]), -1)
        scope = scope_of("models", name)
        if scope not in tables.spending.ledgers and sum(one.startswith("models/") for one in tables.spending.ledgers) >= MODELS_MAX:
            scope = scope_of("models", OTHERS)
        _count(tables, (scope,), more, at)


def _note_spent(task: Task, agent: Agent | None, more: Spent) -> None:
    for one in (task, agent):
        if one is not None:
            one.spent.update({name: one.spent.get(name, 0.0) + getattr(more, name) for name in _TOLD if getattr(more, name) or name in one.spent})


def _configured(tables: Tables, event: BudgetsConfigured, _at: float) -> None:
    budgets = tables.spending.budgets
    for scope in {**budgets, **event.budgets}:
        budget = budgets.get(scope) or Budget(scope)
        _keep(tables, msgspec.structs.replace(budget, configured=event.budgets.get(scope, {})))


def _set(tables: Tables, event: BudgetSet, _at: float) -> None:
    budget = tables.spending.budgets.get(event.scope) or Budget(event.scope)
    changed = {limit: amount for limit, amount in budget.changed.items() if limit != event.limit}
    if event.amount is not None:
        changed[event.limit] = event.amount
    _keep(tables, msgspec.structs.replace(budget, changed=changed))


def _moved(tables: Tables, event: BudgetMoved, at: float) -> None:
    budget = tables.spending.budgets.get(event.scope) or Budget(event.scope)
    reached = {limit: one for limit, one in budget.reached.items() if limit != event.limit}
    if event.reached is not None:
        reached[event.limit] = event.reached
    budget = msgspec.structs.replace(budget, reached=reached)
    _keep(tables, budget)
    over = budget.closed()
    kind = event.scope.partition("/")[0]
    if kind == "tasks" and (task := tables.tasks.get(TaskId(id_of(event.scope)))) is not None:
        task.over = over
        task.note(at, "budget", event.text)
        tables.touched.tasks[task.spec.id] = None
    elif kind == "agents" and (agent := tables.agents.get(AgentId(id_of(event.scope)))) is not None:
        agent.over = over
        tables.touched.agents[agent.spec.id] = None
    elif kind == "pools":
        tables.touched.pools[id_of(event.scope)] = None
    elif kind == FLEET:
        tables.touched.pools.update(dict.fromkeys(tables.pools))


def _keep(tables: Tables, budget: Budget) -> None:
    tables.touched.budgets[budget.scope] = None
    if budget.configured or budget.changed or budget.reached:
        tables.spending.budgets[budget.scope] = budget
    else:
        tables.spending.budgets.pop(budget.scope, None)


TRANSITIONS: dict[type, Callable[[Tables, Any, float], None]] = {
    TasksSpent: _tasks_spent,
    BudgetsConfigured: _configured,
    BudgetSet: _set,
    BudgetMoved: _moved,
}
