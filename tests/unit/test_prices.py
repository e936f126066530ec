"""The price list: what it prices, what it leaves alone, and what it stops."""

from __future__ import annotations

from typing import Any

import pytest
from engine.config import parse_config
from engine.model import reports as r
from engine.model.budgets import Figures, used_of
from engine.model.errors import ConfigError
from engine.model.ids import TaskId
from engine.model.prices import priced
from engine.model.tasks import TaskState
from tests.unit.core_fleet import Fleet
from tests.unit.test_budgets import total

PRICES = [
    {"model": "gpt-5*", "input": 1.25, "output": 10, "cacheRead": 0.125},
    {"pool": "codex-*", "input": 2, "output": 8, "cache_write": 3},
]
USAGE = {"input_tokens": 1_000_000.0, "output_tokens": 100_000.0, "cache_read_tokens": 2_000_000.0, "reasoning_tokens": 5_000.0}
READ_AND_WRITTEN = 3_100_000


def figures(usage: dict[str, float], model: str, pool: str) -> Figures:
    used = used_of(usage, {model: usage} if model else {}, TaskId("tsk_1"), 1)
    assert used is not None
    (found,) = priced(used, pool, parse_config({"prices": PRICES}, "test").prices).models.values()
    return found


@pytest.mark.parametrize(
    ("usage", "model", "pool", "cost"),
    [
        (USAGE, "gpt-5.4-codex", "coder", 1.25 + 1.0 + 0.25),
        (USAGE, "", "codex-cli", 2 + 0.8 + 4),
        ({**USAGE, "cache_write_tokens": 1_000_000.0}, "", "codex-cli", 2 + 0.8 + 4 + 3),
        ({**USAGE, "cost": 0.5}, "gpt-5", "coder", 0.5),
        ({"cost": 0.0, "input_tokens": 9.0}, "gpt-5", "coder", 0.0),
        (USAGE, "other", "coder", None),
        (USAGE, "", "coder", None),
        ({"tokens": 500.0}, "gpt-5", "coder", None),
    ],
    ids=["by model", "by pool", "cache written", "told", "told to be free", "another model", "no name", "tokens not by part"],
)
def test_what_has_a_price_costs_it_and_what_was_told_stays(usage: dict[str, float], model: str, pool: str, cost: float | None) -> None:
    found = figures(usage, model, pool)
    assert found.cost == (None if cost is None else pytest.approx(cost))
    assert found.parts == {}, "the journal has no use for them"


def fleet(**more: Any) -> Fleet:
    return Fleet({"coder": {"min": 1, "max": 9}}, prices=PRICES, **more)


def test_a_limit_of_cost_stops_an_agent_that_tells_tokens_alone() -> None:
    subject = fleet(budget={"cost_per_task": 2.0})
    task = subject.run()
    for output, is_stopped in ((50_000.0, False), (150_000.0, True)):
        used = used_of({"output_tokens": output, "input_tokens": 500_000.0}, {"gpt-5": {"output_tokens": output, "input_tokens": 500_000.0}}, task, 1)
        assert used is not None
        subject.report(r.TasksUsed((used,)))
        assert bool(subject.task(task).stopping) is is_stopped
    found = total(subject)
    assert (found.of("cost"), found.tokens, found.unpriced) == (2.125, 650_000, 0)


def test_what_is_told_at_the_end_replaces_what_was_priced() -> None:
    subject = fleet()
    task = subject.run()
    parts = {"input_tokens": 1_000_000.0}
    used = used_of(parts, {"gpt-5": parts}, task, 1)
    assert used is not None
    subject.report(r.TasksUsed((used,)))
    assert total(subject).of("cost") == 1.25
    subject.end(task, usage={"cost": 1.0, **parts}, models={"gpt-5": {"cost": 1.0, **parts}})
    assert subject.task(task).state is TaskState.SUCCEEDED
    assert (total(subject).of("cost"), total(subject).tokens) == (1.0, 1_000_000)


@pytest.mark.parametrize(
    ("price", "text"),
    [
        ({"model": "m", "input": 1}, "prices.0.output"),
        ({"input": -1, "output": 1}, "prices.0.input: Input should be greater than or equal to 0"),
        ({"input": 1, "output": 1, "cached": 1}, "unknown key 'prices.0.cached'"),
    ],
)
def test_a_price_that_is_none_is_refused(price: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        parse_config({"prices": [price]}, "test")
