"""Rows of budgets: one for each limit."""

from __future__ import annotations

from typing import NamedTuple


class BudgetRow(NamedTuple):
    """A limit on what work may use. Amounts are dollars, tokens, turns or seconds, by its measure; instants in epoch seconds, 0 = none."""

    id: str
    """`fleet/cost_per_day`, `pools/coder/tokens_per_hour`, `tasks/tsk_…/cost_per_task`."""
    of: str
    """The fleet, a pool; an agent or a task whose own limit was set or reached."""
    kind: str
    """fleet, pool, agent or task."""
    limit: str
    amount: float
    used: float | None
    """In the present hour or day, or by the task or agent; None where each of many has this limit."""
    share: float | None
    """Used of the limit; 1 = all. None as `used`, and for a limit of 0."""
    level: str
    """`open`; `soft`: little is left; `hard`: it is used up, and nothing more begins."""
    per_hour: float | None
    """How much is used in an hour at the rate of the last quarter of one; None = nothing was, or that is not known."""
    ends_at: float
    """When nothing is left at that rate, if that is before it begins anew."""
    renews_at: float
    """When the hour or day ends."""
    unpriced: float
    """Tokens of which nobody told the cost: it is not in `used`. 0 for limits of anything but cost."""
    since: float
    """When it was reached, or nearly was."""
    title: str
    """Of a task or an agent, for people."""
    reason: str
