"""Facts about budgets; part of the events in engine.model.events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from engine.model.budgets import Reached, Used


@dataclass(frozen=True, slots=True)
class TasksSpent:
    """Attempts told what they have used so far."""

    type: ClassVar[str] = "task.spent"
    used: tuple[Used, ...]


@dataclass(frozen=True, slots=True)
class BudgetsConfigured:
    """The configuration has these limits, and no others: by scope and limit."""

    type: ClassVar[str] = "budget.configured"
    budgets: dict[str, dict[str, float]]


@dataclass(frozen=True, slots=True)
class BudgetSet:
    """An operator set a limit; below 0 = there is none, None = it is as configured."""

    type: ClassVar[str] = "budget.set"
    scope: str
    limit: str
    amount: float | None
    by: str


@dataclass(frozen=True, slots=True)
class BudgetMoved:
    """A limit of a scope was reached, or its soft share, or neither is any more (None); `text` says so to people."""

    type: ClassVar[str] = "budget.reached"
    scope: str
    limit: str
    reached: Reached | None
    text: str
