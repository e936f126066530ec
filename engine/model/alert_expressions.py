"""The conditions of rules: `p95(allocation_ms, 5m) > 100 and queue_depth > 10`, read once, with the place of every mistake.

Owner: nobody; pure. The grammar, which docs/monitoring.md explains:

    condition  = all { "or" all }
    all        = one { ("and" | "unless") one }
    one        = "(" condition ")" | operand [ (">" | ">=" | "<" | "<=" | "==" | "!=") number [ "%" ] ]
    operand    = series | name "(" series [ "," duration ] ")"
    series     = metric [ "{" label ("=" | "!=" | "=~" | "!~") text { "," ... } "}" ]

A comparison is left out where the answer is yes or no: `absent(...)`, `event(...)`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from typing import NamedTuple

from engine.model.alerts import Matcher, check_pattern
from engine.model.errors import UsageError
from engine.model.events import EVENTS
from engine.model.metrics import ALIASES, CATALOGUE, RECORDED, Kind, Label
from engine.model.wire import nearest

TEXT_MAX = 500
PARTS_MAX = 16
"""Comparisons in one condition."""
WINDOW_MIN_S, WINDOW_MAX_S = 5.0, 86_400.0
EVENT_S = 60.0
"""How far back `event(...)` looks when it does not say."""
EVENT_LABELS = {
    "agent.failed": ("kind", "pool"),
    "host.lost": ("kind",),
    "task.failed": ("pool",),
    "task.returned": ("pool",),
    "act.refused": ("who",),
    "guardrail.refused": ("who",),
}
"""What is known of single events; the two last are acts that anything, or a guardrail, refused: lines of the audit."""
REFUSED, REFUSED_BY_RULE = "act.refused", "guardrail.refused"
EVENT_TYPES = frozenset({*EVENTS, *EVENT_LABELS})
UNITS = {"s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}
QUANTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}
AVERAGES = ("avg", "min", "max")
CHANGES = ("drop", "rise")
FUNCTIONS = (*AVERAGES, *QUANTILES, *CHANGES, "absent", "event")


class ExpressionError(UsageError):
    """A condition that cannot be read; the message names the place."""

    def __init__(self, reason: str, at: int, text: str) -> None:
        super().__init__(f"column {at + 1} of {text!r}: {reason}")
        self.at = at
        """Characters before the mistake."""
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Operand:
    """A value for each of some series."""

    metric: str
    """A metric of the catalogue, one that callers record, or (of `event`) an event's type."""
    matchers: tuple[Matcher, ...] = ()
    function: str = ""
    """Empty = as it reads now."""
    window_s: float = 0.0

    @property
    def label(self) -> Label:
        """What its series are about."""
        known = CATALOGUE.get(self.metric)
        return known.label if known is not None else Label.POOL

    @property
    def unit(self) -> str:
        """The unit of its values."""
        if self.function in CHANGES:
            return "ratio"
        known = CATALOGUE.get(self.metric)
        return known.unit if known is not None and self.function != "absent" else "s" if self.function == "absent" else "count"

    @property
    def is_answer(self) -> bool:
        """Tell whether it says yes or no by itself."""
        return self.function in ("absent", "event")


@dataclass(frozen=True, slots=True)
class Comparison:
    """An operand against a limit."""

    operand: Operand
    operator: str
    limit: float


@dataclass(frozen=True, slots=True)
class Both:
    """Two conditions: and, or, unless."""

    operator: str
    left: Condition
    right: Condition


Condition = Comparison | Both

COMPARE: dict[str, Callable[[float, float], bool]] = {
    ">": lambda value, limit: value > limit,
    ">=": lambda value, limit: value >= limit,
    "<": lambda value, limit: value < limit,
    "<=": lambda value, limit: value <= limit,
    "==": lambda value, limit: value == limit,
    "!=": lambda value, limit: value != limit,
}


def comparisons(condition: Condition) -> Iterator[Comparison]:
    """Give the comparisons of a condition, in their order."""
    if isinstance(condition, Both):
        yield from comparisons(condition.left)
        yield from comparisons(condition.right)
    else:
        yield condition


def written_duration(seconds: float) -> str:
    """Write a duration as a condition has it, such as 5m."""
    unit = next((unit for unit, length in reversed(UNITS.items()) if seconds >= length and seconds % length == 0), "s")
    return f"{seconds / UNITS[unit]:g}{unit}"


# ---- reading

_TOKEN = re.compile(
    r"\s*(?:(?P<word>[A-Za-z_][A-Za-z0-9_.\-]*)|(?P<duration>\d+[smhd]\b)|(?P<number>-?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)"
    r"|(?P<text>\"[^\"]*\"|'[^']*')|(?P<sign>>=|<=|==|!=|=~|!~|[()<>{},=%]))"
)


class _Token(NamedTuple):
    kind: str
    text: str
    at: int


def parse(text: str) -> Condition:
    """Return the condition that a text says. Raises ExpressionError that names the place and what to write."""
    return _Reader(text).read()


class _Reader:
    """Reads one text from left to right."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = self._split()
        self._next = 0
        self._parts = 0
        self._depth = 0

    def _split(self) -> list[_Token]:
        text = self._text
        if len(text) > TEXT_MAX:
            raise ExpressionError(f"a condition has {TEXT_MAX} characters at most", TEXT_MAX, text[:40] + "…")
        tokens, at, end = [], 0, len(text.rstrip())
        while at < end:
            found = _TOKEN.match(text, at)
            if found is None:
                at += len(text[at:]) - len(text[at:].lstrip())
                raise ExpressionError(f"{text[at]!r} means nothing here", at, text)
            kind = found.lastgroup or ""
            tokens.append(_Token(kind, found.group(kind), found.start(kind)))
            at = found.end()
        tokens.append(_Token("end", "", end))
        return tokens

    def read(self) -> Condition:
        condition = self._any()
        if self._peek().kind != "end":
            raise self._wrong("it could have ended here; join conditions by `and`, `or` or `unless`")
        return condition

    def _peek(self) -> _Token:
        return self._tokens[self._next]

    def _take(self, *texts: str) -> _Token | None:
        """Return the next token when it is one of these, and go on."""
        token = self._peek()
        if token.kind in ("word", "sign") and token.text in texts:
            self._next += 1
            return token
        return None

    def _need(self, sign: str, why: str) -> None:
        if self._take(sign) is None:
            raise self._wrong(f"`{sign}` is missing{why}")

    def _wrong(self, reason: str, token: _Token | None = None) -> ExpressionError:
        return ExpressionError(reason, (token or self._peek()).at, self._text)

    def _any(self) -> Condition:
        condition = self._all()
        while self._take("or"):
            condition = Both("or", condition, self._all())
        return condition

    def _all(self) -> Condition:
        condition = self._one()
        while joint := self._take("and", "unless"):
            condition = Both(joint.text, condition, self._one())
        return condition

    def _one(self) -> Condition:
        if bracket := self._take("("):
            self._depth += 1
            if self._depth > PARTS_MAX:
                raise self._wrong(f"brackets go {PARTS_MAX} deep at most", bracket)
            condition = self._any()
            self._need(")", f" for the bracket at column {bracket.at + 1}")
            self._depth -= 1
            return condition
        self._parts += 1
        if self._parts > PARTS_MAX:
            raise self._wrong(f"a condition compares {PARTS_MAX} times at most")
        begin = self._peek()
        operand = self._operand()
        operator = self._take(*COMPARE)
        if operator is not None:
            return Comparison(operand, operator.text, self._limit())
        if self._take("="):
            raise self._wrong("write `==` to compare", self._tokens[self._next - 1])
        if operand.is_answer:
            return Comparison(operand, ">", 0.0)
        raise self._wrong(f"{begin.text} is a figure, not a condition: compare it, such as `> 100`")

    def _limit(self) -> float:
        token = self._peek()
        if token.kind == "duration":
            self._next += 1
            return _seconds(token.text)
        if token.kind != "number":
            raise self._wrong("a number is missing, such as 100, 0.8 or 80%")
        self._next += 1
        value = float(token.text)
        if not math.isfinite(value):
            raise self._wrong(f"{token.text} is too large a number", token)
        return value / 100 if self._take("%") else value

    def _operand(self) -> Operand:
        token = self._peek()
        if token.kind != "word":
            raise self._wrong("a metric or a function is missing; `fleet-tui metrics` lists metrics")
        self._next += 1
        if self._take("("):
            return self._call(token)
        return self._plain(token)

    def _plain(self, token: _Token) -> Operand:
        if token.text in FUNCTIONS:
            raise self._wrong(f"{token.text} is a function: write {_example(token.text)}", token)
        metric = self._metric(token)
        known = CATALOGUE.get(metric)
        if known is not None and known.kind is Kind.HISTOGRAM:
            raise self._wrong(f"{metric} is many durations: write p95({metric}, 5m)", token)
        if known is not None and known.label is Label.AGENT and known.kind is Kind.COUNTER:
            raise self._wrong(f"{metric} is a rate of one agent, which rules do not look at", token)
        return Operand(metric, self._selection(metric))

    def _call(self, function: _Token) -> Operand:
        name = function.text
        if name not in FUNCTIONS:
            raise self._wrong(f"no function {name!r}{nearest(name, set(FUNCTIONS))}; there are {', '.join(FUNCTIONS)}", function)
        token = self._peek()
        if token.kind != "word":
            raise self._wrong(f"{name} takes {'an event' if name == 'event' else 'a metric'}: write {_example(name)}")
        self._next += 1
        metric = self._event(token) if name == "event" else self._metric(token)
        operand = Operand(metric, self._selection(metric), name, self._window(name))
        self._need(")", f" for the bracket of {name}")
        self._check(operand, token)
        return operand

    def _window(self, name: str) -> float:
        if self._take(",") is None:
            if name == "event":
                return EVENT_S
            raise self._wrong(f"how far back {name} looks is missing: write {_example(name)}")
        token = self._peek()
        if token.kind != "duration":
            raise self._wrong("a duration is missing, such as 30s, 5m or 1h")
        self._next += 1
        seconds = _seconds(token.text)
        if not WINDOW_MIN_S <= seconds <= WINDOW_MAX_S:
            raise self._wrong("a window is 5s to 1d long", token)
        return seconds

    def _check(self, operand: Operand, token: _Token) -> None:
        known = CATALOGUE.get(operand.metric)
        is_durations = known is not None and known.kind is Kind.HISTOGRAM
        name, metric = operand.function, operand.metric
        if operand.label is Label.AGENT and name != "event":
            raise self._wrong(f"{metric} is a figure of one agent, whose past is not looked at: compare it as it is, and set the rule's `for`", token)
        if name in QUANTILES and not is_durations:
            raise self._wrong(f"{metric} is no duration: {name} is of durations, such as allocation_ms; write avg, min or max", token)
        if name in AVERAGES and is_durations:
            raise self._wrong(f"{metric} is many durations: write p50, p90, p95 or p99 in place of {name}", token)

    def _metric(self, token: _Token) -> str:
        if token.text.startswith(RECORDED) and len(token.text) > len(RECORDED):
            return token.text
        metric = ALIASES.get(token.text, token.text)
        if metric not in CATALOGUE:
            raise self._wrong(f"no metric {token.text!r}{nearest(token.text, {*CATALOGUE, *ALIASES})}; your own ones begin with {RECORDED}", token)
        return metric

    def _event(self, token: _Token) -> str:
        if token.text not in EVENT_TYPES:
            raise self._wrong(f"no event {token.text!r}{nearest(token.text, set(EVENT_TYPES))}", token)
        return token.text

    def _selection(self, metric: str) -> tuple[Matcher, ...]:
        """Read what is between braces, if there are any."""
        brace = self._take("{")
        if brace is None:
            return ()
        matchers = [self._matcher(metric)]
        while self._take(","):
            matchers.append(self._matcher(metric))
        self._need("}", f" for the brace at column {brace.at + 1}")
        return tuple(matchers)

    def _matcher(self, metric: str) -> Matcher:
        token = self._peek()
        allowed = labels_for(metric)
        if token.kind != "word" or token.text not in allowed:
            raise self._wrong(f"{metric} has {'the label ' + ' and '.join(allowed) if allowed else 'no labels'}")
        self._next += 1
        operator = self._take("=", "!=", "=~", "!~")
        if operator is None:
            raise self._wrong('one of =, !=, =~ and !~ is missing, such as {pool="coder"}')
        value = self._peek()
        if value.kind != "text":
            raise self._wrong('a text in quotes is missing, such as {pool="coder"}')
        self._next += 1
        pattern = value.text[1:-1]
        if operator.text.endswith("~"):
            try:
                check_pattern(pattern)
            except UsageError as error:
                raise self._wrong(str(error), value) from error
        return Matcher(token.text, operator.text, pattern)


def labels_for(metric: str) -> tuple[str, ...]:
    """Return the labels by which series of a metric, or an event, can be picked."""
    if metric.startswith(RECORDED):
        return ("source",)
    known = CATALOGUE.get(metric)
    if known is None:
        return EVENT_LABELS.get(metric) or (("pool",) if any(spec.name == "pool" for spec in fields(EVENTS[metric])) else ())
    return {Label.POOL: ("pool",), Label.AGENT: ("agent", "pool"), Label.FLEET: ()}[known.label]


def _seconds(text: str) -> float:
    return float(text[:-1]) * UNITS[text[-1]]


def _example(function: str) -> str:
    if function == "event":
        return "event(agent.failed, 5m)"
    metric = {"absent": "hosts", **dict.fromkeys(QUANTILES, "allocation_ms"), **dict.fromkeys(CHANGES, "succeeded")}.get(function, "memory")
    return f"{function}({metric}, 5m)"
