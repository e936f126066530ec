"""Alerts as everybody sees them: rules, what they found, silences, and the words that name what an alert is about.

Owner: nobody; values only. An alert is one rule that holds for one set of labels; its id is made of both, so the same trouble
has the same id before and after a restart. Durations are seconds, instants the fleet's clock.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from engine.model.alert_words import Severity
from engine.model.errors import UsageError

BUILTIN, FILE, OPERATOR = "builtin", "file", "operator"
"""Where a rule is from."""
Labels = tuple[tuple[str, str], ...]
"""Name and value, sorted by name."""


class AlertState(StrEnum):
    """Where an alert is in its life."""

    INACTIVE = "inactive"
    """Was pending and is no longer; such an alert is kept by nobody."""
    PENDING = "pending"
    """The condition holds, but not yet as long as the rule's `for`."""
    FIRING = "firing"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Rule:
    """A condition to watch, and what it means when it holds."""

    id: str
    expr: str
    """As people write it; engine.model.alert_expressions reads it."""
    name: str = ""
    """Empty = its id."""
    for_s: float = 0.0
    """The condition must hold so long before the alert fires."""
    keep_firing_for_s: float = 0.0
    """It fires so long after the condition held last."""
    severity: str = Severity.WARNING
    """A severity, or `auto`."""
    labels: dict[str, str] = field(default_factory=dict)
    """Added to those that the condition's series have."""
    summary: str = ""
    """In words, with {value} and {label} of any label; empty = made from the expression."""
    runbook: str = ""
    """Where it is written what to do."""
    actions: tuple[str, ...] = ()
    """Verbs with their arguments, as on the command line, with {label} of any label; done once when it fires."""
    enabled: bool = True
    created_at: float = 0.0
    source: str = OPERATOR
    """builtin, file or operator."""


@dataclass(frozen=True, slots=True)
class Silence:
    """Nobody is told of alerts that have all these labels, for a while."""

    id: str
    matchers: tuple[str, ...]
    until: float
    by: str
    why: str
    created_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Alert:
    """One rule, for one set of labels."""

    id: str
    rule: str
    labels: dict[str, str]
    severity: Severity
    state: AlertState
    value: float
    """When it last changed; the newest one is in the rows."""
    since: float
    """When the condition began to hold."""
    counted_from: float
    """Where its `for` begins: later than `since` by what nobody watched in between."""
    message: str = ""
    fired_at: float = 0.0
    resolved_at: float = 0.0
    fires: tuple[float, ...] = ()
    """When it fired the last few times."""
    flapping: bool = False
    """It fired and resolved so often that it now stays firing until it has been calm for a while."""
    acked_by: str = ""
    """Who takes care of it; empty = nobody."""
    ack_why: str = ""
    acked_at: float = 0.0
    silenced_by: str = ""
    """The silence's id; empty = none."""
    inhibited_by: str = ""
    """The alert, or `halt`, that explains this one; empty = none."""

    @property
    def is_active(self) -> bool:
        """Tell whether it is pending or firing."""
        return self.state in (AlertState.PENDING, AlertState.FIRING)

    @property
    def is_loud(self) -> bool:
        """Tell whether somebody is to be told: it fires, and nothing keeps it quiet."""
        return self.state is AlertState.FIRING and not self.silenced_by and not self.inhibited_by


class Transition(NamedTuple):
    """An alert that changed, durably."""

    alert: Alert
    before: Alert | None
    """None = it is new, or was not known."""


def fingerprint(rule: str, labels: Mapping[str, str]) -> str:
    """Return the id of a rule's alert with certain labels: always the same one."""
    text = "\x1f".join([rule, *(f"{name}={value}" for name, value in sorted(labels.items()))])
    return f"alt_{hashlib.blake2b(text.encode(), digest_size=8).hexdigest()}"


FAR = 2.0
NEAR = 1.25
"""Times a limit: beyond FAR it is critical, below NEAR only worth knowing."""


def calculate_severity(value: float, limit: float) -> Severity:
    """Return how bad a value on the wrong side of a limit is, by how many times it is away from it."""
    least, most = sorted((abs(value), abs(limit)))
    if most <= NEAR * least:
        return Severity.INFO
    return Severity.WARNING if most <= FAR * least else Severity.CRITICAL


# ---- matchers

_MATCHER = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_.]*)\s*(=~|!~|!=|=)\s*(.*?)\s*", re.DOTALL)
PATTERN_MAX = 200
"""Characters of a regular expression."""


class Matcher(NamedTuple):
    """What one label must, or must not, be; a label that is not there is empty."""

    label: str
    operator: str
    """=, !=, =~ or !~; regular expressions match the whole value."""
    value: str

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Tell whether labels are as it says."""
        value = labels.get(self.label, "")
        found = re.fullmatch(self.value, value) is not None if self.operator.endswith("~") else value == self.value
        return found != self.operator.startswith("!")

    def __str__(self) -> str:
        return f"{self.label}{self.operator}{self.value}"


def matcher_of(text: str) -> Matcher:
    """Return the matcher that somebody wrote, such as `pool=coder` or `rule=~latency-.*`. Raises UsageError."""
    found = _MATCHER.fullmatch(text)
    if found is None:
        raise UsageError(f"{text!r} is no matcher: write label=value, label!=value, label=~pattern or label!~pattern")
    label, operator, value = found.groups()
    if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
        value = value[1:-1]
    if operator.endswith("~"):
        check_pattern(value)
    return Matcher(label, operator, value)


def check_pattern(pattern: str) -> None:
    """Raise UsageError for what is no regular expression, or could take long."""
    if len(pattern) > PATTERN_MAX:
        raise UsageError(f"a pattern has {PATTERN_MAX} characters at most, this one has {len(pattern)}")
    if re.search(r"[+*}]\)*[+*{]", pattern) or re.search(r"\\\d", pattern):
        raise UsageError(f"{pattern!r} repeats what repeats, or refers back, and could take for ever; write it more simply")
    try:
        re.compile(pattern)
    except re.error as error:
        raise UsageError(f"{pattern!r} is no regular expression: {error}") from error


def all_match(matchers: Iterable[Matcher], labels: Mapping[str, str]) -> bool:
    """Tell whether labels are as all matchers say."""
    return all(matcher.matches(labels) for matcher in matchers)


def labels_of(alert: Alert) -> dict[str, str]:
    """Return the labels that matchers see: its own, its rule and its severity."""
    return {**alert.labels, "rule": alert.rule, "severity": alert.severity.value}
