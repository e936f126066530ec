"""Whether a condition holds, for each set of labels that its series have; pure.

Owner: nobody. There are three answers: it holds, it does not, and unknown, which is when a figure was not measured. Unknown
is not a value, and never makes anything hold. Two conditions meet where the labels that both have are the same, so that a
figure of the fleet goes with every pool.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from engine.model.alert_expressions import COMPARE, Comparison, Condition, Operand
from engine.model.alerts import Labels


class Verdict(NamedTuple):
    """The answer for one set of labels that is known."""

    value: float
    holds: bool


class Found(NamedTuple):
    """The answers for all sets of labels."""

    verdicts: Mapping[Labels, Verdict]
    others_known: bool
    """Of labels that are not named it is known that the condition does not hold; False = nothing is known of them."""

    def of(self, labels: Labels) -> Verdict | None:
        """Return the answer for a set of labels, None when it is unknown."""
        verdict = self.verdicts.get(labels)
        return verdict if verdict is not None or not self.others_known else Verdict(0.0, holds=False)


class Reading(Protocol):
    """Knows the figures of an instant."""

    def values(self, operand: Operand) -> Mapping[Labels, float]:
        """Return what is known of an operand, by labels."""
        ...

    def is_complete(self, operand: Operand) -> bool:
        """Tell whether everything that is not among the values is known to be 0."""
        ...


def evaluate(condition: Condition, reading: Reading) -> Found:
    """Return for which labels a condition holds."""
    if isinstance(condition, Comparison):
        return _compare(condition, reading)
    left, right = evaluate(condition.left, reading), evaluate(condition.right, reading)
    return _JOIN[condition.operator](left, right)


def _compare(comparison: Comparison, reading: Reading) -> Found:
    holds, limit = COMPARE[comparison.operator], comparison.limit
    values = reading.values(comparison.operand)
    verdicts = {labels: Verdict(value, holds(value, limit)) for labels, value in values.items() if value == value}  # noqa: PLR0124  # NaN is not itself
    return Found(verdicts, not holds(0.0, limit) and reading.is_complete(comparison.operand))


def _and(left: Found, right: Found) -> Found:
    verdicts = {}
    for labels, verdict in left.verdicts.items():
        other = _meet(labels, right)
        if not verdict.holds or (other is not None and not other.holds):
            verdicts[labels] = Verdict(verdict.value, holds=False)
        elif other is not None:
            verdicts[labels] = verdict
    return Found(verdicts, left.others_known or right.others_known)


def _or(left: Found, right: Found) -> Found:
    verdicts = dict(left.verdicts)
    for labels, verdict in right.verdicts.items():
        mine = verdicts.get(labels)
        if mine is None or (verdict.holds and not mine.holds):
            verdicts[labels] = verdict
    return Found(verdicts, left.others_known and right.others_known)


def _unless(left: Found, right: Found) -> Found:
    verdicts = {}
    for labels, verdict in left.verdicts.items():
        other = _meet(labels, right)
        verdicts[labels] = Verdict(verdict.value, verdict.holds and not (other is not None and other.holds))
    return Found(verdicts, left.others_known)


_JOIN = {"and": _and, "or": _or, "unless": _unless}


def _meet(labels: Labels, found: Found) -> Verdict | None:
    """Return the answer for labels that agree with these, one that holds before others."""
    exact = found.verdicts.get(labels)
    if exact is not None:
        return exact
    first = next(iter(found.verdicts), None)
    if first is not None and _names(first) != _names(labels):
        mine = dict(labels)
        agreeing = [one for others, one in found.verdicts.items() if all(mine.get(name, value) == value for name, value in others)]
        if agreeing:
            return next((one for one in agreeing if one.holds), agreeing[0])
    return Verdict(0.0, holds=False) if found.others_known else None


def _names(labels: Labels) -> list[str]:
    return [name for name, _ in labels]
