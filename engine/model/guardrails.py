"""Guardrails as configured: which verbs, on what, by whom; what they demand; and the hours in which they hold.

Every rule that matches counts: one that denies wins, the smallest `max_bulk` wins, demands add up. So their order means
nothing. Rules that contradict each other are refused at start, with where and why. Owner: nobody; values and pure functions.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from functools import cache
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator, model_validator

from engine.model.commands import COMMANDS
from engine.model.config_tree import ConfigTree
from engine.model.consensus_commands import ProposalVerb
from engine.model.memory_commands import (
    ForgetEntry,
    PermitEntry,
    RememberEntry,
    ResolveConflict,
    RestoreEntry,
)
from engine.model.verbs import Command
from engine.model.wire import nearest

RULES_MAX = 200
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MINUTES_A_DAY = 1_440
MINUTES_A_WEEK = 7 * MINUTES_A_DAY
WHOLE_WEEK = (1 << MINUTES_A_WEEK) - 1

_HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)")


class WindowConfig(ConfigTree):
    """Hours of the week in which verbs are allowed (`only`) or refused (`never`)."""

    only: tuple[str, ...] = Field((), description="allowed in these hours alone, such as 'mon-fri 08:00-18:00'")
    never: tuple[str, ...] = Field((), description="refused in these hours, such as 'fri 16:00-24:00' or 'sat,sun'")
    zone: str = Field("UTC", description="time zone by its IANA name, such as Europe/Zurich")

    @field_validator("only", "never")
    @classmethod
    def _readable(cls, spans: tuple[str, ...]) -> tuple[str, ...]:
        for span in spans:
            minutes_of(span)
        return spans

    @field_validator("zone")
    @classmethod
    def _known(cls, zone: str) -> str:
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError(f"this machine knows no time zone {zone!r}; write an IANA name such as Europe/Zurich, or UTC") from error
        return zone

    @model_validator(mode="after")
    def _sometimes_open(self) -> WindowConfig:
        if not self.only and not self.never:
            raise ValueError("a window needs `only` or `never`: hours such as 'mon-fri 08:00-18:00'")
        if not self.minutes():
            raise ValueError("`only` and `never` leave no minute of the week; use `deny` for what is never allowed")
        return self

    def minutes(self) -> int:
        """Return the open minutes of the week as a set of bits, Monday 00:00 first."""
        opened = _union(self.only) if self.only else WHOLE_WEEK
        return opened & ~_union(self.never)

    def is_open(self, at: float) -> bool:
        """Tell whether an instant is inside."""
        return bool(self.minutes() >> _minute_of_week(self._local(at)) & 1)

    def describe(self, at: float) -> str:
        """Return the hours, the time there, and when it opens again if it is closed then."""
        parts = [f"only {', '.join(self.only)}"] * bool(self.only) + [f"never {', '.join(self.never)}"] * bool(self.never)
        local = self._local(at)
        text = f"{' and '.join(parts)} ({self.zone}; it is {_day_and_time(_minute_of_week(local))} there"
        return f"{text})" if self.is_open(at) else f"{text}, open again {_day_and_time(self._opens(local))})"

    def _local(self, at: float) -> datetime:
        return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=at)).astimezone(ZoneInfo(self.zone))

    def _opens(self, local: datetime) -> int:
        now, opened = _minute_of_week(local), self.minutes()
        ahead = opened >> now | opened << (MINUTES_A_WEEK - now)
        return (now + (ahead & -ahead).bit_length() - 1) % MINUTES_A_WEEK


def _minute_of_week(local: datetime) -> int:
    return local.weekday() * MINUTES_A_DAY + local.hour * 60 + local.minute


def _day_and_time(minute: int) -> str:
    day, of_day = divmod(minute, MINUTES_A_DAY)
    return f"{DAYS[day]} {of_day // 60:02d}:{of_day % 60:02d}"


def _union(spans: Sequence[str]) -> int:
    found = 0
    for span in spans:
        found |= minutes_of(span)
    return found


@cache
def minutes_of(span: str) -> int:
    """Return the minutes of the week that `mon-fri 08:00-18:00` means, as bits; days or hours may be left out.

    Hours may pass midnight: `fri 22:00-06:00` ends on Saturday. Raises ValueError.
    """
    words = span.lower().split()
    hours = words.pop() if words and ":" in words[-1] else "00:00-24:00"
    match = _HOURS.fullmatch(hours)
    start, end = (int(match[1]) * 60 + int(match[2]), int(match[3]) * 60 + int(match[4])) if match else (0, 0)
    if not span.strip() or match is None or start == end or end > MINUTES_A_DAY:
        raise ValueError(f"{span!r} is not understood; write days, hours or both: 'mon-fri', '22:00-06:00', 'sat,sun 08:00-12:00'")
    length = end - start if end > start else end - start + MINUTES_A_DAY
    found = 0
    for day in _days_of(" ".join(words), span):
        block = ((1 << length) - 1) << (day * MINUTES_A_DAY + start)
        found |= block | block >> MINUTES_A_WEEK
    return found & WHOLE_WEEK


def _days_of(text: str, span: str) -> list[int]:
    if not text:
        return list(range(7))
    found: list[int] = []
    for part in text.replace(" ", ",").split(","):
        first, _, last = part.partition("-")
        if first not in DAYS or (last or first) not in DAYS:
            raise ValueError(f"{span!r}: {part!r} is no day; days are {', '.join(DAYS)}, or a range such as mon-fri")
        begin, count = DAYS.index(first), (DAYS.index(last or first) - DAYS.index(first)) % 7 + 1
        found += [(begin + step) % 7 for step in range(count)]
    return found


class VoteConfig(ConfigTree):
    """Whose votes a plan needs before it is carried out."""

    voters: tuple[str, ...] = Field(description="agents, pools (the agents that they have then), and operators as @name")
    rule: Literal["quorum", "unanimous"] = Field("quorum", description="how votes make a verdict")
    threshold: float = Field(0.0, ge=0, le=1, description="share of the voters that must approve; 0 = two thirds")
    min_turnout: float = Field(0.5, ge=0, le=1, description="share of the voters that must take part")
    timeout_s: float = Field(3_600.0, ge=1, description="how long they may vote, in seconds")
    proposer_votes: bool = Field(default=False, description="who wants the plan may vote, too, if they are one of the voters")

    @field_validator("voters")
    @classmethod
    def _some(cls, voters: tuple[str, ...]) -> tuple[str, ...]:
        if not voters:
            raise ValueError("nobody could vote: name agents, pools, or operators as @name")
        return voters


_OF_ENTRIES = (RememberEntry, ForgetEntry, PermitEntry, RestoreEntry, ResolveConflict)
NEVER_VOTED = frozenset(kind.name for kind in (*ProposalVerb.__args__, *_OF_ENTRIES))
"""Votes themselves, and verbs about entries: everybody sees a vote, and not everybody may know of an entry or its value."""


class GuardrailConfig(ConfigTree):
    """A rule about verbs. What it leaves out matches everything; patterns take * and ?."""

    name: str = Field("", max_length=60, description="what plans and refusals call it")
    verbs: tuple[str, ...] = Field((), description="verbs by word or full name, such as 'scale', 'pool.*'")
    targets: tuple[str, ...] = Field((), description="pools, agents or tasks by name or id; an agent or task matches by its pool too")
    roles: tuple[Literal["operator", "admin"], ...] = Field((), description="roles it is about")
    operators: tuple[str, ...] = Field((), description="operators it is about, by name")
    faces: tuple[Literal["console", "cli", "api", "mcp", "library"], ...] = Field((), description="how they come")
    deny: str = Field("", description="refuse, with this text")
    confirm: Literal["", "type-name"] = Field("", description="the target's name must be typed; of several, how many they are")
    max_bulk: int | None = Field(None, ge=1, description="most things that one plan may touch: pools, tasks, agents that come or go")
    window: WindowConfig | None = Field(None, description="when it is allowed")
    reason_required: bool = Field(default=False, description="a reason must be given")
    vote: VoteConfig | None = Field(None, description="others vote on the plan, and it is carried out if they accept it")
    because: str = Field("", description="why there is this rule; shown with what it demands")

    @field_validator("verbs")
    @classmethod
    def _known(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in patterns:
            if not any(names_verb((pattern,), kind) for kind in COMMANDS.values()):
                words = {word for kind in COMMANDS.values() for word in (kind.verb, kind.name)}
                raise ValueError(f"no verb matches {pattern!r}{nearest(pattern, words)}")
        return patterns

    @model_validator(mode="after")
    def _means_something(self) -> GuardrailConfig:
        others = [name for name in ("confirm", "max_bulk", "window", "reason_required", "vote") if getattr(self, name)]
        if self.deny and others:
            raise ValueError(f"`deny` refuses everything, so that {' and '.join(others)} would never matter; make two rules of it")
        if not self.deny and not others:
            raise ValueError("the rule demands nothing: give it deny, confirm, max_bulk, window, reason_required or vote")
        never = sorted(COMMANDS[name].verb for name in self.kinds() & NEVER_VOTED) if self.vote else []
        if never:
            raise ValueError(f"{', '.join(never)} cannot be put to the vote; name the verbs that are, without {'them' if len(never) > 1 else 'it'}")
        return self

    def kinds(self) -> frozenset[str]:
        """Return the full names of the verbs that it is about."""
        return frozenset(name for name, kind in COMMANDS.items() if names_verb(self.verbs, kind))

    def is_general(self) -> bool:
        """Tell whether it is about everything and everybody, whatever its verbs."""
        return not (self.targets or self.roles or self.operators or self.faces)


def names_verb(patterns: Sequence[str], kind: type[Command]) -> bool:
    """Tell whether patterns mean a verb, by its word or full name; none mean all."""
    return not patterns or any(fnmatchcase(word, pattern) for pattern in patterns for word in (kind.verb, kind.name))


@dataclass(frozen=True, slots=True)
class Guardrail:
    """A rule in force, with the name that people see."""

    name: str
    rule: GuardrailConfig


def guardrails_of(rules: Sequence[GuardrailConfig]) -> tuple[Guardrail, ...]:
    """Return the rules with their names; one without is called by its place, from 1."""
    return tuple(Guardrail(rule.name or f"guardrail {place}", rule) for place, rule in enumerate(rules, 1))


def check_together(rules: Sequence[GuardrailConfig]) -> None:
    """Raise ValueError when rules contradict each other: same name, one that never matters, hours that never meet."""
    known: dict[str, int] = {}
    for place, rule in enumerate(rules):
        if rule.name and rule.name in known:
            raise ValueError(f"guardrails.{known[rule.name]} and guardrails.{place} have the same name {rule.name!r}; rename one")
        known[rule.name] = place
        for other_place, other in enumerate(rules):
            if place != other_place and other.deny and not rule.deny and _covers(other, rule):
                raise ValueError(
                    f"guardrails.{place} ({_call(rule)}) never matters: guardrails.{other_place} ({_call(other)}) denies all that"
                    " it is about; drop one or narrow the other"
                )
    _check_hours(rules)


def _call(rule: GuardrailConfig) -> str:
    return repr(rule.name) if rule.name else f"verbs {', '.join(rule.verbs) or '*'}"


def _covers(wide: GuardrailConfig, narrow: GuardrailConfig) -> bool:
    """Tell whether a rule surely matches whenever another does."""
    pairs = [(getattr(wide, name), getattr(narrow, name)) for name in ("targets", "roles", "operators", "faces")]
    return narrow.kinds() <= wide.kinds() and all(not one or (other and set(other) <= set(one)) for one, other in pairs)


def _check_hours(rules: Sequence[GuardrailConfig]) -> None:
    """Windows of rules about everybody and everything must leave some hours to each verb; by zone, since zones move."""
    general = [(place, rule, rule.window) for place, rule in enumerate(rules) if rule.window is not None and rule.is_general()]
    for verb in COMMANDS:
        opened: dict[str, tuple[int, int]] = {}
        for place, rule, window in general:
            if verb not in rule.kinds():
                continue
            minutes, before = opened.get(window.zone, (WHOLE_WEEK, place))
            minutes &= window.minutes()
            if not minutes:
                raise ValueError(
                    f"guardrails.{before} and guardrails.{place} together leave no hour of the week to {verb}; let their windows meet"
                )
            opened[window.zone] = (minutes, place)
