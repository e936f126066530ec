"""Budgets: the words and limits that verbs and screens need, without the records that only the engine makes.

Owner: nobody; values only. Costs are dollars, as agents tell them; tokens are all that a model read or wrote, caches included;
seconds are wall time of attempts. Hours and days are those of UTC.
"""

from __future__ import annotations

HOUR_S, DAY_S = 3_600, 86_400
MEASURES = ("cost", "tokens", "turns", "seconds")
SPANS = ("task", "agent", "hour", "day")
SOFT = "soft"
"""The share of each limit at which it is told that little is left."""
HARD = "hard"
"""The level of a limit that is used up."""
LIMITS = tuple(f"{measure}_per_{span}" for measure in MEASURES for span in SPANS)
WINDOWS = {"hour": HOUR_S, "day": DAY_S}
SOFT_SHARE = 0.8

FLEET = "fleet"
"""The scope of the fleet as a whole; others are `pools/NAME`, `agents/ID` and `tasks/ID`, and ledgers have `models/NAME`."""
NONE = "none"
AS_CONFIGURED = "configured"
STOPPED_BY_BUDGET = "budget"
"""Task.stopping of an attempt that is stopped for a limit; it waits again, and the attempt does not count."""


def scope_of(kind: str, id_: str) -> str:
    """Return the scope of a pool, an agent or a task."""
    return f"{kind}/{id_}"


def id_of(scope: str) -> str:
    """Return the name or id of what a scope is; `fleet` of the fleet."""
    return scope.partition("/")[2] or scope


def measure_of(limit: str) -> str:
    """Return what a limit is about."""
    return limit.partition("_per_")[0]


def span_of(limit: str) -> str:
    """Return for what a limit holds: each task, each agent, an hour or a day."""
    return limit.partition("_per_")[2]


def say_amount(measure: str, amount: float) -> str:
    """Return an amount with its unit."""
    if measure == "cost":
        return f"${amount:,.2f}" if amount >= 0.1 or not amount else f"${amount:.4f}"  # noqa: PLR2004  # below it cents say little
    if measure == "seconds":
        return f"{amount:,.0f} s"
    return f"{amount:,.0f} {measure}" if amount != 1 else f"1 {measure[:-1]}"


def say_limit(limit: str) -> str:
    """Return a limit in words: `cost of a day`, `tokens of a task`."""
    span = span_of(limit)
    return f"{measure_of(limit) if measure_of(limit) != 'seconds' else 'run time'} of {'an' if span in ('agent', 'hour') else 'a'} {span}"
