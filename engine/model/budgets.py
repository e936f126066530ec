"""Budgets: what work has used, when and with which model, and the limits on that.

Owner: FleetState.apply. Costs are dollars, as agents tell them; tokens are all that a model read or wrote, caches included; seconds
are wall time of attempts. Instants are seconds of the fleet clock; hours and days are those of UTC. Limits: MINUTES_MAX, HOURS_MAX
and DAYS_MAX slots of a ledger, MODELS_MAX models, ATTEMPTS_MAX attempts of a task.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from engine.model.budget_words import (
    DAY_S,
    FLEET,
    HARD,
    HOUR_S,
    LIMITS,
    SOFT,
    SOFT_SHARE,
    measure_of,
    scope_of,
)
from engine.model.ids import TaskId
from engine.model.plain import printable

MINUTE_S = 60
RATE_MIN_S = 300
MINUTES_MAX, HOURS_MAX, DAYS_MAX = 15, 24, 31
MODELS_MAX = 100
"""Models with a ledger of their own; what others use counts under OTHERS."""
OTHERS = "others"
MODEL_NAME_MAX = 80
ATTEMPTS_MAX = 4
"""Newest attempts of a task of which is known what they told of their use so far."""

TOKEN_PARTS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens")
"""Names under which an outcome's usage tells of tokens by part; `tokens` = all of them."""

NO_LIMIT = math.inf


# ---- what was used


class Figures(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an attempt has used of one model so far; None = it did not say."""

    cost: float | None = None
    tokens: float | None = None
    parts: dict[str, float] = {}
    """Of the tokens, as they were told; only on the way to who knows the prices."""

    def after(self, before: Figures) -> Figures:
        """Return what is known now: what is not told again is as it was told before."""
        return Figures(before.cost if self.cost is None else self.cost, before.tokens if self.tokens is None else self.tokens, self.parts or before.parts)


class Used(msgspec.Struct, frozen=True):
    """What one attempt has used so far, all told."""

    task: TaskId
    token: int
    models: dict[str, Figures] = {}
    """By model; the empty name is that of one which nobody told."""
    turns: float | None = None

    def after(self, before: Used) -> Used:
        """Return what is known now: what is not told again is as it was told before."""
        models, known = self.models, before.models
        if list(models) == [""] and len(known) == 1:
            models = {next(iter(known)): models[""]}
        elif list(models) == [""] and known:  # the whole, and no longer whose it is
            told = [one.tokens for one in known.values() if one.tokens is not None]
            models, known = {"": models[""].after(Figures(None, sum(told) if told else None))}, {}
        merged = {name: one for name, one in known.items() if name or not models} | models
        merged = {name: one.after(known[name]) if name in known else one for name, one in merged.items()}
        return Used(self.task, self.token, merged, before.turns if self.turns is None else self.turns)

    def sum(self) -> Spent:
        """Return all of it."""
        found = Spent(turns=self.turns or 0.0)
        for figures in self.models.values():
            found.add(spent_of(figures))
        return found


class Spent(msgspec.Struct, omit_defaults=True):
    """Amounts that were used."""

    cost: float = 0.0
    tokens: float = 0.0
    turns: float = 0.0
    seconds: float = 0.0
    unpriced: float = 0.0
    """Of the tokens those of which nobody told the cost: it is unknown, not 0."""

    def add(self, more: Spent, sign: int = 1) -> None:
        """Count more in, or with -1 out."""
        self.cost += sign * more.cost
        self.tokens += sign * more.tokens
        self.turns += sign * more.turns
        self.seconds += sign * more.seconds
        self.unpriced += sign * more.unpriced

    def of(self, measure: str) -> float:
        """Return one of them; what is left over from adding and taking away fractions of a cent is none."""
        return max(0.0, round(float(getattr(self, measure)), 9))


def spent_of(figures: Figures) -> Spent:
    """Return figures as amounts."""
    return Spent(figures.cost or 0.0, figures.tokens or 0.0, unpriced=0.0 if figures.cost is not None else figures.tokens or 0.0)


class Ledger(msgspec.Struct):
    """What the fleet, a pool or a model has used: in all, and by minute, hour and day."""

    scope: str
    total: Spent = msgspec.field(default_factory=Spent)
    minutes: dict[int, Spent] = {}
    """Number of the minute since the epoch -> what was used in it; the newest."""
    hours: dict[int, Spent] = {}
    days: dict[int, Spent] = {}

    def add(self, spent: Spent, at: float) -> None:
        """Count what was told at an instant."""
        self.total.add(spent)
        for slots, length_s, most in ((self.minutes, MINUTE_S, MINUTES_MAX), (self.hours, HOUR_S, HOURS_MAX), (self.days, DAY_S, DAYS_MAX)):
            _slot(slots, int(at // length_s), most).add(spent)

    def last(self, seconds: float, at: float) -> None:
        """Count wall time that fell into the minute of an instant."""
        self.total.seconds += seconds
        for slots, length_s, most in ((self.minutes, MINUTE_S, MINUTES_MAX), (self.hours, HOUR_S, HOURS_MAX), (self.days, DAY_S, DAYS_MAX)):
            _slot(slots, int(at // length_s), most).seconds += seconds

    def run(self, began: float, ended: float) -> None:
        """Count the wall time of an attempt, each part where it fell."""
        self.total.seconds += ended - began
        for slots, length_s, most in ((self.minutes, MINUTE_S, MINUTES_MAX), (self.hours, HOUR_S, HOURS_MAX), (self.days, DAY_S, DAYS_MAX)):
            last = int(ended // length_s)
            for number in range(max(int(began // length_s), last - most + 1), last + 1):
                start = number * length_s
                _slot(slots, number, most).seconds += min(ended, start + length_s) - max(began, start)

    def within(self, span: str, now: float) -> Spent:
        """Return what was used in the present hour or day."""
        slots, length_s = (self.hours, HOUR_S) if span == "hour" else (self.days, DAY_S)
        return slots.get(int(now // length_s)) or Spent()

    def rate(self, measure: str, now: float) -> float:
        """Return how much was used a second in the last MINUTES_MAX minutes; 0 = nothing.

        Of a ledger that is younger, in the time since it began, but at least RATE_MIN_S: one answer is no rate.
        """
        first = int(now // MINUTE_S) - MINUTES_MAX + 1
        recent = {number: slot for number, slot in self.minutes.items() if number >= first}
        used = sum(slot.of(measure) for slot in recent.values())
        since = max(first, min(self.minutes, default=0)) * MINUTE_S
        return used / max(RATE_MIN_S, now - since) if used else 0.0


def _slot(slots: dict[int, Spent], number: int, most: int) -> Spent:
    slot = slots.get(number)
    if slot is None:
        slot = slots[number] = Spent()
        while len(slots) > most:
            del slots[min(slots)]
    return slot


# ---- limits


class Reached(msgspec.Struct, frozen=True):
    """A limit, or its soft share, that was reached."""

    level: str
    """SOFT: little is left, or HARD: it is used up."""
    used: float
    """As it was then."""
    amount: float
    at: float
    text: str
    """What it is and what to do, for people."""
    until: float = 0.0
    """When the hour or day ends; 0 = it does not end by itself."""


class Budget(msgspec.Struct, frozen=True):
    """The limits of one scope, and which of them were reached."""

    scope: str
    configured: dict[str, float] = {}
    changed: dict[str, float] = {}
    """What operators set beside the configuration, by limit; below 0 = there is no such limit."""
    reached: dict[str, Reached] = {}

    def amount(self, limit: str) -> float:
        """Return a limit, NO_LIMIT where there is none."""
        found = self.changed.get(limit, self.configured.get(limit, -1.0))
        return found if found >= 0 else NO_LIMIT

    @property
    def soft(self) -> float:
        """Return the share of each limit at which it is told."""
        return min(1.0, self.changed.get(SOFT, self.configured.get(SOFT, SOFT_SHARE)))

    def limits(self) -> dict[str, float]:
        """Return the limits that there are, in the order of LIMITS."""
        return {limit: amount for limit in LIMITS if (amount := self.amount(limit)) != NO_LIMIT}

    def closed(self) -> str:
        """Return why nothing more may be used, in words; empty when no limit is used up."""
        return next((one.text for one in self.reached.values() if one.level == HARD), "")


@dataclass(slots=True)
class Spending:
    """Budgets and ledgers, each by its scope."""

    budgets: dict[str, Budget] = field(default_factory=dict)
    ledgers: dict[str, Ledger] = field(default_factory=dict)

    def ledger(self, scope: str) -> Ledger:
        """Return the ledger of a scope; it is made when there is none."""
        found = self.ledgers.get(scope)
        if found is None:
            found = self.ledgers[scope] = Ledger(scope)
        return found

    def amount_of(self, scope: str, pool: str, limit: str) -> float:
        """Return a limit of a task or an agent: its own, else the least of its pool's and the fleet's; NO_LIMIT where there is none."""
        own = self.budgets.get(scope)
        if own is not None and limit in own.changed:
            return own.amount(limit)
        return min((budget.amount(limit) for one in (scope_of("pools", pool), FLEET) if (budget := self.budgets.get(one)) is not None), default=NO_LIMIT)

    def soft_of(self, pool: str) -> float:
        """Return the share of the limits of a pool's tasks and agents at which it is told."""
        found = self.budgets.get(scope_of("pools", pool)) or self.budgets.get(FLEET)
        return found.soft if found is not None else SOFT_SHARE

    def closed(self, pool: str) -> str:
        """Return why a pool takes no work, its own limits and the fleet's; empty when none is used up."""
        found = (budget.closed() for scope in (FLEET, scope_of("pools", pool)) if (budget := self.budgets.get(scope)) is not None)
        return next((text for text in found if text), "")

    def has_seconds(self) -> bool:
        """Tell whether any limit is about wall time, which goes on without a word of any agent."""
        return any(measure_of(limit) == "seconds" for budget in self.budgets.values() for limit in (*budget.configured, *budget.changed) if limit != SOFT)


def used_of(usage: Mapping[str, float], models: Mapping[str, Mapping[str, float]], task: TaskId, token: int) -> Used | None:
    """Return what an attempt told that it used; None when it told nothing that counts here."""
    found = {printable(name)[:MODEL_NAME_MAX]: figures for name, one in models.items() if (figures := _figures(one)) != Figures()}
    whole = _figures(usage)
    if len(found) <= 1 and whole != Figures():
        [name] = found or [""]
        found = {name: whole.after(found.get(name, Figures()))}  # what is told of the whole is told of the one model
    turns = usage.get("turns")
    return Used(task, token, found, turns) if found or turns is not None else None


def _figures(usage: Mapping[str, float]) -> Figures:
    parts = {name: usage[name] for name in TOKEN_PARTS if name in usage}
    tokens = usage["tokens"] if "tokens" in usage else sum(parts.values()) if parts else None
    return Figures(usage.get("cost", usage.get("cost_usd")), tokens, parts)
