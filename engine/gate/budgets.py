"""Budgets as operators see them: rows, what was spent by whom, what the verb would do, and their events in words; pure."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from engine.model.budget_commands import SetBudget
from engine.model.budget_events import BudgetMoved, BudgetsConfigured, BudgetSet, TasksSpent
from engine.model.budget_rows import BudgetRow
from engine.model.budget_words import (
    AS_CONFIGURED,
    DAY_S,
    FLEET,
    HARD,
    HOUR_S,
    NONE,
    SOFT,
    WINDOWS,
    id_of,
    measure_of,
    say_amount,
    say_limit,
    scope_of,
    span_of,
)
from engine.model.budgets import NO_LIMIT, Budget, Ledger, Spent
from engine.model.errors import NotFound
from engine.model.ids import AgentId, TaskId
from engine.model.plans import Call, PlanStep
from engine.model.tasks import FINISHED, HELD
from engine.model.verbs import Command
from engine.scheduling import budgets
from engine.state import FleetState

MOST_SHOWN = 20
"""Tasks and agents that a report of spending names, those that cost the most."""
Line = tuple[str, str, str]


# ---- rows


def row_ids(state: FleetState) -> list[str]:
    """Return the ids of all limits: of the fleet and pools, and those of agents and tasks that were set or reached."""
    return [id_ for scope in state.spending.budgets for id_ in ids_of(state, scope)]


def ids_of(state: FleetState, scope: str) -> list[str]:
    """Return the ids of the limits of a scope."""
    budget = state.spending.budgets.get(scope)
    return [f"{scope}/{limit}" for limit in dict.fromkeys((*budget.limits(), *budget.reached))] if budget is not None else []


def budget_row(state: FleetState, id_: str, now: float) -> BudgetRow | None:
    """Return the row of a limit, None when there is none, or the task that had it has ended."""
    scope, _, limit = id_.rpartition("/")
    budget = state.spending.budgets.get(scope)
    if budget is None or limit not in {*budget.limits(), *budget.reached}:
        return None
    kind = scope.partition("/")[0]
    task = state.tasks.get(TaskId(id_of(scope))) if kind == "tasks" else None
    agent = state.agents.get(AgentId(id_of(scope))) if kind == "agents" else None
    if kind in ("tasks", "agents") and (agent is None and (task is None or task.state in FINISHED)):
        return None
    reached = budget.reached.get(limit)
    amount = budgets.amount_now(state, scope, limit)
    used = budgets.used_of_limit(state, scope, limit, now)
    rate, ends_at = budgets.ends_at(state, scope, limit, now)
    ledger = state.spending.ledgers.get(scope)
    is_window, counts_cost = span_of(limit) in WINDOWS, measure_of(limit) == "cost"
    return BudgetRow(
        id_,
        agent.spec.name if agent is not None else id_of(scope),
        kind.removesuffix("s"),
        limit,
        amount if amount != NO_LIMIT else -1.0,
        used,
        used / amount if used is not None and 0 < amount < NO_LIMIT else None,
        reached.level if reached is not None else "open",
        rate * HOUR_S if rate > 0 else None,
        ends_at,
        (now // WINDOWS[span_of(limit)] + 1) * WINDOWS[span_of(limit)] if is_window else 0.0,
        ledger.within(span_of(limit), now).unpriced if ledger is not None and is_window and counts_cost else 0.0,
        reached.at if reached is not None else 0.0,
        task.spec.title if task is not None else "",
        reached.text if reached is not None else "",
    )


def most_used(state: FleetState, pool: str, now: float) -> float | None:
    """Return the largest share used of the limits of an hour or a day of a pool, or (empty) of the fleet; None where there are none."""
    budget = state.spending.budgets.get(scope_of("pools", pool) if pool else FLEET)
    rows = (budget_row(state, f"{budget.scope}/{limit}", now) for limit in budget.limits() if span_of(limit) in WINDOWS) if budget is not None else ()
    return max((row.share for row in rows if row is not None and row.share is not None), default=None)


# ---- what was spent


def spending(state: FleetState, now: float) -> dict[str, Any]:
    """Return what was used: by pool, model, task, agent, day and hour, and every limit. Amounts are those of `Spent`."""
    ledgers = state.spending.ledgers
    fleet = ledgers.get(FLEET) or Ledger(FLEET)
    rows = (budget_row(state, id_, now) for id_ in row_ids(state))
    return {
        "at": now,
        "limits": [row._asdict() for row in rows if row is not None],
        "total": _plain(fleet.total),
        "pools": [_of_ledger("pool", ledger, now) for scope, ledger in ledgers.items() if scope.startswith("pools/")],
        "models": [_of_ledger("model", ledger, now) for scope, ledger in ledgers.items() if scope.startswith("models/")],
        "tasks": [
            {"task": task.spec.id, "title": task.spec.title, "pool": task.spec.pool, "state": task.state, **_amounts(task.spent), "seconds": task.run_s(now)}
            for task in _dearest(state.tasks.values())
        ],
        "agents": [{"agent": agent.spec.name, "pool": agent.spec.pool, **_amounts(agent.spent)} for agent in _dearest(state.agents.values())],
        "days": [{"at": float(number * DAY_S), **_plain(slot)} for number, slot in sorted(fleet.days.items(), reverse=True)],
        "hours": [{"at": float(number * HOUR_S), **_plain(slot)} for number, slot in sorted(fleet.hours.items(), reverse=True)],
    }


def _of_ledger(word: str, ledger: Ledger, now: float) -> dict[str, Any]:
    windows = {span: _plain(ledger.within(span, now)) for span in WINDOWS}
    return {word: ledger.scope.partition("/")[2], **windows, "total": _plain(ledger.total)}


def _plain(spent: Spent) -> dict[str, float]:
    return {name: spent.of(name) for name in Spent.__struct_fields__}


def _amounts(spent: dict[str, float]) -> dict[str, float]:
    return {name: max(0.0, round(spent.get(name, 0.0), 9)) for name in Spent.__struct_fields__}


def _dearest(things: Iterable[Any]) -> list[Any]:
    """Return those that told of costs or tokens, the dearest first."""
    told = (thing for thing in things if thing.spent.get("cost") or thing.spent.get("tokens") or thing.spent.get("turns"))
    return heapq.nlargest(MOST_SHOWN, told, key=lambda thing: (thing.spent.get("cost", 0.0), thing.spent.get("tokens", 0.0)))


# ---- the verb


def _set(state: FleetState, command: SetBudget) -> PlanStep:
    scope, amount = budgets.scope_named(state, command.of, command.limit), budgets.meant(state, command)
    before, after = _shown(state, scope, command.limit), _after(state, scope, command.limit, amount)
    number = NO_LIMIT if amount == NONE else _configured(state, scope, command.limit) if amount == AS_CONFIGURED else float(amount)
    effect = "" if command.limit == SOFT else _effect(state, scope, command.limit, number)
    call = Call(command.name, {"limit": command.limit, "amount": amount, "of": command.of})
    target = command.of if command.of == FLEET else id_of(scope)
    return PlanStep(call, target, f"{command.limit} {before}", f"{command.limit} {after}", effect, changes=amount != budgets.said(state, scope, command.limit))


def _configured(state: FleetState, scope: str, limit: str) -> float:
    """Return a limit without what an operator set."""
    kind = scope.partition("/")[0]
    if kind in ("tasks", "agents"):
        thing = state.tasks[TaskId(id_of(scope))] if kind == "tasks" else state.agents[AgentId(id_of(scope))]
        return state.spending.amount_of("", thing.spec.pool, limit)
    budget = state.spending.budgets.get(scope) or Budget(scope)
    return budget.configured.get(limit, NO_LIMIT)


def _shown(state: FleetState, scope: str, limit: str) -> str:
    amount = budgets.amount_now(state, scope, limit)
    return NONE if amount == NO_LIMIT else budgets.written(amount)


def _after(state: FleetState, scope: str, limit: str, amount: str) -> str:
    if amount != AS_CONFIGURED or limit == SOFT:
        return amount
    number = _configured(state, scope, limit)
    return f"as configured: {NONE if number == NO_LIMIT else budgets.written(number)}"


def _effect(state: FleetState, scope: str, limit: str, amount: float) -> str:
    used = budgets.used_of_limit(state, scope, limit, state.at)
    if used is None:
        return f"for each {span_of(limit)} of its own"
    told = f"{say_amount(measure_of(limit), used)} used so far"
    if used < amount:
        return f"{told}; work goes on"
    if scope.startswith("tasks/"):
        held = 1 if state.tasks[TaskId(id_of(scope))].state in HELD else 0
    elif scope.startswith("agents/"):
        held = 1 if state.agents[AgentId(id_of(scope))].task else 0
    else:
        held = sum(1 for _ in budgets.held_in(state, scope))
    return f"{told}: nothing more begins, {held} {'task is' if held == 1 else 'tasks are'} stopped and {'waits' if held == 1 else 'wait'}"


DESCRIBE: dict[type[Command], Callable[[FleetState, Any], PlanStep]] = {SetBudget: _set}


def inverse_of(state: FleetState, command: SetBudget) -> list[Call]:
    """Return the call that takes the verb back, from the state before it; none when it changes nothing."""
    before = budgets.said(state, budgets.scope_named(state, command.of, command.limit), command.limit)
    return [Call(command.name, {"limit": command.limit, "amount": before, "of": command.of})] if before != budgets.meant(state, command) else []


def found_by(state: FleetState, command: SetBudget) -> str:
    """Return what the verb would replace; empty when what it is about has gone."""
    return budgets.said(state, budgets.scope_named(state, command.of, command.limit), command.limit) if _is_there(state, command) else ""


def goal(state: FleetState, command: SetBudget) -> str:
    """Return what the verb will leave; empty when what it is about has gone."""
    return budgets.meant(state, command) if _is_there(state, command) else ""


def _is_there(state: FleetState, command: SetBudget) -> bool:
    try:
        budgets.scope_named(state, command.of, command.limit)
    except NotFound:
        return False
    return True


# ---- events


def _spent(state: FleetState, event: TasksSpent) -> Line:
    used = event.used[0]
    task, told = state.tasks.get(used.task), used.sum()
    words = [say_amount(name, told.of(name)) for name in ("cost", "tokens", "turns") if told.of(name)]
    more = f" and {len(event.used) - 1} more" if len(event.used) > 1 else ""
    return "info", used.task, f"{task.spec.title if task else used.task}{more} used {', '.join(words) or 'nothing'} so far"


def _set_words(_state: FleetState, event: BudgetSet) -> Line:
    amount = AS_CONFIGURED if event.amount is None else NONE if event.amount < 0 else budgets.written(event.amount)
    return "info", id_of(event.scope), f"{event.by} sets {event.limit} of {id_of(event.scope)} to {amount}"


def _moved(state: FleetState, event: BudgetMoved) -> Line:
    level = "info" if event.reached is None else "error" if event.reached.level == HARD else "warn"
    return level, id_of(event.scope), f"{_named(state, event.scope)}: {event.text}"


def _named(state: FleetState, scope: str) -> str:
    agent = state.agents.get(AgentId(id_of(scope)))
    return "the fleet" if scope == FLEET else agent.spec.name if agent is not None else id_of(scope)


WORDS: dict[type, Callable[[FleetState, Any], Line]] = {
    TasksSpent: _spent,
    BudgetsConfigured: lambda _state, event: ("info", FLEET, f"limits as configured: {', '.join(_told(event.budgets)) or 'none'}"),
    BudgetSet: _set_words,
    BudgetMoved: _moved,
}


def _told(limits: dict[str, dict[str, float]]) -> Iterator[str]:
    for scope, found in limits.items():
        yield from (f"{say_limit(limit)} of {id_of(scope)} {say_amount(measure_of(limit), amount)}" for limit, amount in found.items() if limit != SOFT)
