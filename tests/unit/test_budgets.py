"""Budgets: what is counted of whom and when, what limits stop and let go on, and what verbs make of limits."""

from __future__ import annotations

from typing import Any

import pytest
from engine.gate.rows import task_row
from engine.gate.why_pools import explain_pool
from engine.model import reports as r
from engine.model.agent_commands import AllocateAgent
from engine.model.budget_commands import SetBudget
from engine.model.budget_events import BudgetMoved
from engine.model.budgets import Figures, Ledger, Spent, Used, used_of
from engine.model.errors import CommandRefused, ConfigError, NotFound, UsageError
from engine.model.ids import TaskId
from engine.model.task_commands import RetryTask
from engine.model.tasks import Outcome
from engine.scheduling.router import count_reasons
from tests.unit.core_fleet import Fleet

HOUR_S = 3_600


def fleet_with(pool: dict[str, Any] | None = None, **budget: Any) -> Fleet:
    return Fleet({"coder": {"min": 2, "max": 9, "budget": pool or {}}}, budget=budget)


def use(fleet: Fleet, task: TaskId, cost: float | None = None, *, tokens: float | None = None, turns: float | None = None, model: str = "m", token: int = 0) -> None:
    """Have the running attempt of a task tell what it used so far."""
    fleet.report(r.TasksUsed((Used(task, token or fleet.task(task).attempt, {model: Figures(cost, tokens)}, turns),)))


def stop(fleet: Fleet, task: TaskId, **usage: float) -> None:
    """End an attempt that was told to stop, as its program would."""
    fleet.end(task, ok=False, error_kind="stopped", error="", usage=usage)


def total(fleet: Fleet, scope: str = "fleet") -> Spent:
    found = fleet.state.spending.ledgers.get(scope)
    return found.total if found else Spent()


def test_what_attempts_tell_counts_once_for_task_agent_pool_fleet_and_model() -> None:
    fleet = Fleet()
    task = fleet.run()
    use(fleet, task, tokens=100, turns=1)
    use(fleet, task, tokens=100, turns=1)
    assert fleet.types().count("task.spent") == 1, "what was known is no news"
    use(fleet, task, tokens=300, turns=2)
    assert (total(fleet).tokens, total(fleet).unpriced, total(fleet).turns) == (300, 300, 2)
    fleet.now += 60
    fleet.end(task, usage={"cost": 0.5, "turns": 3, "cpu_s": 9.0}, models={"m": {"cost": 0.4, "input_tokens": 200, "cache_read_tokens": 150}, "n": {"cost": 0.1, "output_tokens": 10}})
    for scope in ("fleet", "pools/coder"):
        found = total(fleet, scope)
        assert (found.of("cost"), found.tokens, found.unpriced, found.turns, found.seconds) == (0.5, 360, 0, 3, 60)
    assert (total(fleet, "models/m").tokens, total(fleet, "models/n").of("cost")) == (350, 0.1)
    told = {"cost": 0.5, "tokens": 360, "unpriced": 0, "turns": 3}
    assert fleet.task(task).spent == pytest.approx(told)
    assert fleet.agent(fleet.task(task).agent_name).spent == pytest.approx({**told, "seconds": 60})
    assert fleet.task(task).run_s(fleet.now + 500) == 60


def test_late_and_repeated_results_cost_what_they_cost_and_nothing_twice() -> None:
    fleet = Fleet()
    task = fleet.run()
    use(fleet, task, 0.2)
    fleet.down()
    fleet.end(task, token=1, usage={"cost": 0.3})
    fleet.end(task, token=1, usage={"cost": 0.3})
    assert total(fleet).of("cost") == 0.3
    assert fleet.task(task).state == "pending"
    use(fleet, TaskId("tsk_unknown"), 5.0, token=1)
    use(fleet, task, 5.0, token=7)
    assert total(fleet).of("cost") == 0.3, "nobody has that task or that attempt"


def test_wall_time_falls_where_it_ran_and_is_kept_over_attempts() -> None:
    ledger = Ledger("fleet")
    ledger.run(HOUR_S - 10, 2 * HOUR_S + 5)
    assert [slot.seconds for slot in ledger.hours.values()] == [10, HOUR_S, 5]
    assert ledger.total.seconds == sum(slot.seconds for slot in ledger.days.values()) == HOUR_S + 15
    assert ledger.within("hour", 2 * HOUR_S + 100).seconds == 5
    fleet = Fleet()
    task = fleet.run(max_attempts=2, backoff_s=0)
    fleet.now += 7
    fleet.end(task, ok=False)
    fleet.now += 100
    fleet.place()
    fleet.begin(task)
    fleet.now += 3
    fleet.end(task, ok=False)
    assert fleet.task(task).state == "dead"
    assert fleet.task(task).run_s(fleet.now) == total(fleet, "pools/coder").seconds == 10
    fleet.do(RetryTask(task))
    assert fleet.task(task).run_s(fleet.now) == 10


def test_a_whole_that_names_no_model_replaces_what_several_models_told() -> None:
    fleet = Fleet()
    task = fleet.run()
    fleet.report(r.TasksUsed((Used(task, 1, {"m": Figures(None, 100), "n": Figures(None, 50)}, 2),)))
    fleet.end(task, usage={"cost": 0.5})
    assert (total(fleet).of("cost"), total(fleet).tokens, total(fleet).unpriced, total(fleet).turns) == (0.5, 150, 0, 2)
    assert total(fleet, "models/m").tokens == 0


def test_old_slots_go_and_the_rate_is_of_the_last_minutes() -> None:
    ledger = Ledger("fleet")
    assert ledger.rate("cost", 0.0) == 0
    for minute in range(100):
        ledger.add(Spent(cost=0.6), minute * 60.0)
    assert (len(ledger.minutes), ledger.total.of("cost")) == (15, 60)
    assert ledger.rate("cost", 99 * 60.0 + 60) == pytest.approx(0.01)
    assert ledger.rate("cost", 200 * 60.0) == 0


@pytest.mark.parametrize("where", ["fleet", "pool"])
def test_a_used_up_limit_stops_what_runs_and_nothing_begins_until_the_hour_ends(where: str) -> None:
    limits = {"cost_per_hour": 1.0, "soft": 0.5}
    fleet = fleet_with(limits) if where == "pool" else fleet_with(None, **limits)
    scope = "pools/coder" if where == "pool" else "fleet"
    first, second, third = (fleet.submit() for _ in range(3))
    fleet.place()
    for task in (first, second):
        fleet.begin(task)
    use(fleet, first, 0.6)
    [told] = [event for event in fleet.events if isinstance(event, BudgetMoved)]
    assert (told.scope, told.limit, told.reached and told.reached.level) == (scope, "cost_per_hour", "soft")
    assert not fleet.task(first).stopping
    use(fleet, second, 0.4)
    assert [fleet.task(task).stopping for task in (first, second)] == ["budget", "budget"]
    stop(fleet, first, cost=0.7)
    stop(fleet, second)
    assert {(task.state, task.tries) for task in fleet.state.tasks.values()} == {("pending", 0)}
    assert not fleet.place()
    assert "cost of an hour is used up: $1.00 of $1.00; the next hour begins at 01:00 UTC; `budget cost_per_hour +N" in task_row(fleet.state, fleet.task(third), fleet.now).reason
    assert [*count_reasons(fleet.state, fleet.task(third))] == ["free, but its budget is used up"]
    assert explain_pool(fleet.state, fleet.state.pools["coder"], fleet.now, None).headline.startswith("it takes no work: cost of an hour is used up")
    fleet.after(HOUR_S - fleet.now)
    assert not fleet.state.spending.budgets[scope].reached
    assert len(fleet.place()) == 2


def test_a_task_over_its_own_limit_waits_alone_until_it_is_raised() -> None:
    fleet = fleet_with({"cost_per_task": 1.0, "turns_per_task": 10}, cost_per_task=5.0)
    task, other = fleet.run(), fleet.run()
    use(fleet, task, 1.2, turns=3)
    assert [fleet.task(one).stopping for one in (task, other)] == ["budget", ""]
    stop(fleet, task, cost=1.3)
    assert fleet.task(task).over.startswith("cost of a task is used up: $1.20 of $1.00; `budget cost_per_task +N tsk_")
    assert not fleet.place()
    assert fleet.do(SetBudget("cost_per_task", "+1", task)) == ["2"]
    assert not fleet.task(task).over
    assert list(fleet.place()) == [task]
    fleet.begin(task)
    use(fleet, task, 0.5, turns=7)
    assert fleet.task(task).stopping == "budget", "its turns are those of all attempts"
    fleet.end(task)
    assert fleet.task(task).state == "succeeded"
    assert not fleet.task(task).over
    assert f"tasks/{task}" in fleet.state.spending.budgets, "what an operator set is kept with the task"


def test_an_agent_over_its_limit_takes_no_more_and_others_do() -> None:
    fleet = fleet_with({"tokens_per_agent": 1_000})
    task = fleet.run()
    agent = fleet.agent(fleet.task(task).agent_name)
    fleet.end(task, usage={"input_tokens": 900, "output_tokens": 200})
    assert "tokens of an agent is used up: 1,100 tokens of 1,000 tokens" in agent.over
    fleet.submit()
    fleet.submit()
    assert len(fleet.place()) == 1
    fleet.do(SetBudget("tokens_per_agent", "none", agent.spec.name))
    assert len(fleet.place()) == 1


def test_run_time_ends_without_a_word_of_the_agent() -> None:
    fleet = fleet_with({"seconds_per_task": 30})
    task = fleet.run()
    fleet.after(10)
    assert not fleet.task(task).stopping
    fleet.after(21)
    assert fleet.task(task).stopping == "budget"
    stop(fleet, task)
    assert not fleet.place(), "what it ran is not forgotten with the attempt"
    hours = fleet_with(None, seconds_per_hour=50)
    [hours.run() for _ in range(2)]
    hours.after(26)
    assert {task.stopping for task in hours.state.tasks.values()} == {"budget"}


def test_limits_are_set_once_for_all_and_undone_by_what_they_were() -> None:
    fleet = fleet_with({"cost_per_day": 10.0})
    assert fleet.do(SetBudget("cost_per_day", "+2.5", "coder")) == ["12.5"]
    assert not [event for event in fleet.events[-1:] if event.type != "budget.set"]
    before = len(fleet.events)
    assert fleet.do(SetBudget("cost_per_day", "12.50", "coder")) == ["12.5"]
    assert len(fleet.events) == before, "it is so already"
    assert fleet.do(SetBudget("cost_per_day", "configured", "coder")) == ["configured"]
    assert fleet.state.spending.budgets["pools/coder"].amount("cost_per_day") == 10
    for bad, error in (
        (SetBudget("cost_per_day", "lots"), UsageError),
        (SetBudget("cost_per_day", "nan"), UsageError),
        (SetBudget("cost_per_day", "-1"), UsageError),
        (SetBudget("cost_per_day", "+1"), UsageError),
        (SetBudget("soft", "2"), UsageError),
        (SetBudget("soft", "none"), UsageError),
        (SetBudget("cost_per_day", "1", "nobody"), NotFound),
        (SetBudget("cost_per_day", "1", fleet.submit()), UsageError),
    ):
        with pytest.raises(error):
            fleet.do(bad)


def test_nothing_may_be_used_of_a_limit_of_zero() -> None:
    fleet = fleet_with()
    task = fleet.run()
    fleet.do(SetBudget("cost_per_hour", "0"))
    assert fleet.task(task).stopping == "budget"
    with pytest.raises(CommandRefused, match="coder takes no work"):
        fleet.do(AllocateAgent("mine", "coder"))
    fleet.do(SetBudget("cost_per_hour", "none"))
    fleet.report(r.TasksEnded((Outcome(task, 1, ok=False, error_kind="stopped"),)))
    assert fleet.place()


def test_configuration_is_strict() -> None:
    with pytest.raises(ConfigError, match="cost_per_week"):
        fleet_with({"cost_per_week": 1})
    with pytest.raises(ConfigError, match="greater than or equal to 0"):
        fleet_with({"cost_per_day": -1})
    with pytest.raises(ConfigError, match="soft"):
        fleet_with(None, soft=0)


@pytest.mark.parametrize(
    ("usage", "figures"),
    [
        ({"tokens": 7.0, "input_tokens": 5.0}, Figures(None, 7, {"input_tokens": 5.0})),
        ({"input_tokens": 5.0, "cache_read_tokens": 2.0}, Figures(None, 7, {"input_tokens": 5.0, "cache_read_tokens": 2.0})),
        ({"cost_usd": 0.1}, Figures(0.1, None)),
        ({"cost": 0.0}, Figures(0.0, None)),
    ],
)
def test_usage_is_read_whole_or_by_part(usage: dict[str, float], figures: Figures) -> None:
    used = used_of(usage, {}, TaskId("tsk_1"), 1)
    assert used is not None
    assert used.models == {"": figures}
    assert used_of({"cpu_s": 1.0}, {}, TaskId("tsk_1"), 1) is None


def test_tasks_that_end_together_are_counted_as_one_by_one() -> None:
    one_by_one, together = Fleet(), Fleet()
    for fleet in (one_by_one, together):
        fleet.now = 100.0
        tasks = [fleet.submit() for _ in range(2)]
        fleet.place()
        for task, began in zip(tasks, (100.0, 119.0), strict=True):
            fleet.now = began
            fleet.begin(task)
        fleet.now = 121.0
        ends = [Outcome(task, 1, ok=True, started_at=began, ended_at=121.0) for task, began in zip(tasks, (100.0, 120.5), strict=True)]
        for report in ([ends] if fleet is together else [[end] for end in ends]):
            fleet.report(r.TasksEnded(tuple(report)))
    assert one_by_one.state.spending == together.state.spending
    assert [slot.seconds for slot in together.state.spending.ledgers["fleet"].minutes.values()] == [20.0, 1.5]
    assert total(together, "pools/coder").seconds == 21.5
