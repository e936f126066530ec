"""Which swarm of several suits an objective best, and how swarms and fleets of them are; pure.

fitness = capability match x free capacity x success, each 0..1. Where no swarm has room the objective waits at the one that
suits it best otherwise, so that whatever suits at all is taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

PRIOR_OBJECTIVES = 4
"""A swarm's success counts as if it had this many objectives at its members' mean reliability before its first."""
EVIDENCE_MIN = 3
"""Objectives that must have ended before their share of successes says how a swarm is."""
WELL, ILL = 0.8, 0.5
"""Shares of objectives that succeeded, or of members that can work: below the first a swarm is degraded, below the other unhealthy."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A swarm that may be given an objective."""

    id: str
    name: str
    match: float
    """Share of the wanted capabilities that its members have between them."""
    members: int
    free: int
    """Members that could begin at once."""
    waiting: int
    """Objectives that it has and that have not ended."""
    won: int
    ended: int
    """Objectives that succeeded or failed; those that somebody stopped say nothing."""
    reliability: float
    """Mean of its members, 0..1."""

    @property
    def capacity(self) -> float:
        """Return how much of it is free, 0..1: the share of its members, less the more objectives are before this one."""
        return self.free / self.members / (1 + self.waiting) if self.members else 0.0

    @property
    def success(self) -> float:
        """Return how often it succeeds, 0..1, smoothed towards how reliable its members are."""
        return (self.won + self.reliability * PRIOR_OBJECTIVES) / (self.ended + PRIOR_OBJECTIVES)

    @property
    def fitness(self) -> float:
        """Return how well it suits, 0..1; 0 when nobody is free."""
        return self.match * self.capacity * self.success

    @property
    def promise(self) -> float:
        """Return how well it suits an objective that waits, 0..1."""
        return self.match * self.success / (1 + self.waiting)


def ranked(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Return those that suit at all, the best first; one with somebody free is before all without. Of equals the oldest id leads."""
    suiting = [one for one in candidates if one.match > 0 and one.members]
    return sorted(suiting, key=lambda one: (-one.fitness, -one.promise, one.id))


def reason(order: Sequence[Candidate]) -> str:
    """Return why the first of some was chosen, in a line."""
    best = order[0]
    factors = f"match {best.match:.2f} × free {best.capacity:.2f} × success {best.success:.2f} = {best.fitness:.2f}"
    if not best.free:
        factors = f"no swarm has room; it waits for the best: match {best.match:.2f}, success {best.success:.2f}, {best.waiting} before it"
    others = f"; next {order[1].name} with {order[1].fitness:.2f}" if len(order) > 1 and best.free else ""
    return f"{factors}{others}" if len(order) > 1 else f"{factors}; no other suits"


class Condition(StrEnum):
    """How a swarm or a fleet of swarms is, the best first."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"


@dataclass(frozen=True, slots=True)
class Vitals:
    """What tells how a swarm is."""

    failed: str = ""
    """Why it has failed; empty = it has not."""
    members: int = 0
    able: int = 0
    """Members that take work and whose host answers in time."""
    won: int = 0
    ended: int = 0


def condition_of(vitals: Vitals) -> tuple[Condition, tuple[str, ...]]:
    """Return how a swarm is, and the evidence for anything but healthy."""
    if vitals.failed:
        return Condition.UNHEALTHY, (vitals.failed,)
    shares = [(vitals.able, vitals.members, "members can work")]
    if vitals.ended >= EVIDENCE_MIN:
        shares.append((vitals.won, vitals.ended, "objectives succeeded"))
    found = [(_condition(part / whole if whole else 0.0), f"{part} of {whole} {what}") for part, whole, what in shares]
    return worst(condition for condition, _ in found), tuple(words for condition, words in found if condition is not Condition.HEALTHY)


def _condition(share: float) -> Condition:
    if share < ILL:
        return Condition.UNHEALTHY
    return Condition.DEGRADED if share < WELL else Condition.HEALTHY


def worst(conditions: Iterable[Condition]) -> Condition:
    """Return the worst of some conditions; healthy when there is none."""
    return max(conditions, key=list(Condition).index, default=Condition.HEALTHY)


def condition_of_fleet(conditions: Sequence[Condition]) -> Condition:
    """Return how a fleet of swarms is: unhealthy when none of its swarms is better, degraded when any is not healthy."""
    if conditions and all(one is Condition.UNHEALTHY for one in conditions):
        return Condition.UNHEALTHY
    return Condition.HEALTHY if all(one is Condition.HEALTHY for one in conditions) else Condition.DEGRADED
