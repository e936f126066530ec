"""Which agents are likely to fail soon, by their own past: late beats, errors, memory that grows, tasks that take longer.

Owner: nobody; pure functions. Every agent is compared with itself (its last RECENT_MIN minutes against those before) and with its pool:
what all of a pool do is their work, and no agent's fault. A sign that cannot be judged is unknown, and counts for nothing. Each sign has
a level of 0..1 and a line of evidence; the risk is that at least one of them means it: 1 - (1 - a)(1 - b)... It is a score, not a
probability: how often it is right is measured with made-up faults (tests/simulation/test_maintenance.py).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from statistics import fmean, median
from typing import NamedTuple

from engine.monitoring.comparing import compare, slope

PAST_MIN, USUAL_UNTIL_MIN, RECENT_MIN = 180, 60, 12
"""Minutes that are looked at; up to how long ago is the usual, since trouble may come slowly; and those that are now."""
KNOWN_BEFORE_MIN, KNOWN_NOW_MIN = 15, 6
"""Known minutes of each without which a sign is unknown."""
ALPHA = 0.01
EFFECT_MIN = 0.5
AT_RISK = 0.5
"""Risk from which something is proposed."""
LATE_S = 2.5
"""Silence below which beats are in time, whatever was usual."""
LATE_FACTOR, SLOW_FACTOR = 1.5, 1.4
ERRORS_MIN = 4
ERROR_RATE_MIN = 0.15
HORIZON_MIN = 60.0
"""Memory that reaches its limit later than this is no sign."""
GROWTH_MIN = 0.05
"""Of the memory held, in the time looked at: less is no growth."""
UNLIMITED = 0.3
"""Level of memory that grows and has no limit."""
FULL = 0.9
"""Of the limit, from which memory alone is a sign."""

Minutes = Sequence[float | None]


class AgentPast(NamedTuple):
    """What an agent read, minute by minute, oldest first, all of the same minutes; None where nothing is known."""

    silence_s: Minutes
    """Longest time without a beat."""
    succeeded: Minutes
    failed: Minutes
    """Tasks that ended in the minute."""
    busy_s: Minutes
    """Seconds at work of the tasks that ended in it."""
    rss_mb: Minutes
    limit_mb: float
    """Memory granted to it; 0 = nobody said."""


class Kind(StrEnum):
    """What a sign is about."""

    HEARTBEAT = "heartbeat"
    ERRORS = "errors"
    MEMORY = "memory"
    LATENCY = "latency"


class Sign(NamedTuple):
    """One reason to worry."""

    kind: Kind
    level: float
    """0..1."""
    text: str


class Risk(NamedTuple):
    """How likely an agent is to fail, and why."""

    risk: float
    signs: tuple[Sign, ...]
    """Those above 0, the worst first."""
    unknown: tuple[Kind, ...]
    """What could not be judged."""
    proposal: str
    """restart, drain, or empty."""


def risk_of(agent: AgentPast, peers: Sequence[AgentPast] = ()) -> Risk:
    """Return the risk of an agent, given the others of its pool."""
    found: Mapping[Kind, Sign | None] = {kind: look(agent, peers) for kind, look in _LOOKS.items()}
    signs = sorted((sign for sign in found.values() if sign is not None and sign.level > 0), key=lambda sign: -sign.level)
    risk = 1 - math.prod(1 - sign.level for sign in signs)
    return Risk(risk, tuple(signs), tuple(kind for kind, sign in found.items() if sign is None), _proposal(risk, signs))


def _proposal(risk: float, signs: Sequence[Sign]) -> str:
    """Restart what a fresh start cures; give no more work to what has to be looked at."""
    if risk < AT_RISK:
        return ""
    return "restart" if signs[0].kind in (Kind.MEMORY, Kind.LATENCY) else "drain"


def _split(minutes: Minutes) -> tuple[Minutes, Minutes] | None:
    """Return the minutes before and those of now; None when too few of them are known."""
    before, now = minutes[:-USUAL_UNTIL_MIN], minutes[-RECENT_MIN:]
    if _count(before) < KNOWN_BEFORE_MIN:  # a young agent
        before = minutes[:-RECENT_MIN]
    enough = _count(before) >= KNOWN_BEFORE_MIN and _count(now) >= KNOWN_NOW_MIN
    return (before, now) if enough else None


def _count(minutes: Minutes) -> int:
    return sum(value is not None for value in minutes)


def _known(minutes: Minutes) -> list[float]:
    return [value for value in minutes if value is not None]


def _grew(minutes: Minutes, least: float) -> tuple[float, float, float] | None:
    """Return the medians of before and now and how many times the first the second is, 0 when that is less than `least` or may be chance.

    None = unknown. What costs time is done only where there is something to see.
    """
    parts = _split(minutes)
    if parts is None:
        return None
    before, now = (median(_known(part)) for part in parts)
    if before <= 0 or now < least * before:
        return before, now, 0.0
    # Minutes that are alike prove less than it believes, and twelve of them would prove nothing; that is what `least` is for.
    difference = compare(*parts, correlation=0.0)
    surely = difference is not None and difference.p < ALPHA and difference.effect >= EFFECT_MIN
    return before, now, now / before if surely else 0.0


def _level(value: float, least: float, full: float) -> float:
    """Return 0 below the least, 0.5 at it, 1 from the full value on, and what is between in proportion."""
    if value < least:
        return 0.0
    return min(1.0, 0.5 + 0.5 * (value - least) / (full - least))


def _heartbeat(agent: AgentPast, _peers: Sequence[AgentPast]) -> Sign | None:
    grew = _grew(agent.silence_s, LATE_FACTOR)
    if grew is None:
        return None
    before, now, factor = grew
    level = _level(factor, LATE_FACTOR, 2 * LATE_FACTOR) if now >= LATE_S else 0.0
    return Sign(Kind.HEARTBEAT, level, f"beats come late: up to {now:.1f} s apart in the last {RECENT_MIN} min, usually {before:.1f} s")


def _ended(agent: AgentPast) -> tuple[Minutes, Minutes]:
    return agent.succeeded, agent.failed


def _errors(agent: AgentPast, peers: Sequence[AgentPast]) -> Sign | None:
    parts = [_split(minutes) for minutes in _ended(agent)]
    if parts[0] is None or parts[1] is None:
        return None
    won, lost = (sum(_known(part[1])) for part in (parts[0], parts[1]))
    won_before, lost_before = (sum(_known(part[0])) for part in (parts[0], parts[1]))
    if lost < ERRORS_MIN:
        return Sign(Kind.ERRORS, 0.0, "")
    rate, before = lost / (won + lost), lost_before / max(1.0, won_before + lost_before)
    others = _errors_of(peers)
    usual = max(before, others or 0.0)
    # Wilson's lower bound, 99 %: what the rate is at least, given how few tasks there were.
    least = _wilson(lost, won + lost)
    level = _level(least, max(ERROR_RATE_MIN, 2 * usual), 1.0) if rate > usual else 0.0
    told = f", {others:.0%} of its pool's" if others is not None else ""
    return Sign(Kind.ERRORS, level, f"{rate:.0%} of its tasks failed in the last {RECENT_MIN} min ({lost:.0f} of {won + lost:.0f}), usually {before:.0%}{told}")


def _errors_of(peers: Sequence[AgentPast]) -> float | None:
    won, lost = (sum(sum(_known(_ended(one)[which][-RECENT_MIN:])) for one in peers) for which in (0, 1))
    return lost / (won + lost) if won + lost else None


def _wilson(hits: float, tries: float, z: float = 2.326) -> float:
    share = hits / tries
    centre = share + z * z / (2 * tries)
    return (centre - z * math.sqrt(share * (1 - share) / tries + z * z / (4 * tries * tries))) / (1 + z * z / tries)


def _memory(agent: AgentPast, _peers: Sequence[AgentPast]) -> Sign | None:
    if _split(agent.rss_mb) is None:
        return None
    now, limit = fmean(_known(agent.rss_mb)[-3:]), agent.limit_mb
    each = _growth(agent.rss_mb[-2 * RECENT_MIN :], now)
    grows = f"memory grows by {each:.1f} MB a minute, to {now:.0f} MB"
    if each and not limit:
        return Sign(Kind.MEMORY, UNLIMITED, f"{grows}; nothing limits it")
    if each:
        left_min = max(0.0, (limit - now) / each)
        level = 0.0 if left_min > HORIZON_MIN else _level(HORIZON_MIN - left_min, 0.0, HORIZON_MIN)
        return Sign(Kind.MEMORY, level, f"{grows}; at that rate it reaches its {limit:.0f} MB in {left_min:.0f} min")
    level = _level(now / limit, FULL, 1.0) if limit else 0.0
    return Sign(Kind.MEMORY, level, f"memory is at {now:.0f} of {limit:.0f} MB")


def _growth(window: Minutes, now: float) -> float:
    """Return by how many MB a minute memory grows steadily, in both halves of a window; 0 = it does not."""
    known = _known(window)
    if known[-1] - known[0] < GROWTH_MIN * now:
        return 0.0
    each, first, second = (slope(part) or 0.0 for part in (window, window[:RECENT_MIN], window[RECENT_MIN:]))
    # A step in the middle has a steep slope as a whole, and none in its halves.
    is_steady = min(first, second) >= each / 2 and each * len(window) >= GROWTH_MIN * now
    return each if is_steady else 0.0


def task_s(agent: AgentPast) -> Minutes:
    """Return the mean seconds at work of the tasks that ended in each minute; None where none did."""
    return [
        busy / (won + lost) if busy is not None and won is not None and lost is not None and won + lost else None
        for busy, won, lost in zip(agent.busy_s, agent.succeeded, agent.failed, strict=True)
    ]


def _latency(agent: AgentPast, peers: Sequence[AgentPast]) -> Sign | None:
    grew = _grew(task_s(agent), SLOW_FACTOR)
    if grew is None:
        return None
    before, now, factor = grew
    usual = _usual_factor(peers) if factor else 1.0
    level = _level(factor / usual, SLOW_FACTOR, 3 * SLOW_FACTOR)
    told = f", its pool's {usual:.1f} times" if usual > 1.05 else ""  # noqa: PLR2004  # not worth a word
    return Sign(Kind.LATENCY, level, f"tasks take {now:.2f} s in the last {RECENT_MIN} min, usually {before:.2f} s: {factor:.1f} times as long{told}")


def _usual_factor(peers: Sequence[AgentPast]) -> float:
    """Return how much longer the tasks of a pool take than before, never less than 1; 1 when nobody knows."""
    factors = []
    for one in peers:
        parts = _split(task_s(one))
        if parts is not None and (before := median(_known(parts[0]))) > 0:
            factors.append(median(_known(parts[1])) / before)
    return max(1.0, median(factors)) if factors else 1.0


_LOOKS: Mapping[Kind, Callable[[AgentPast, Sequence[AgentPast]], Sign | None]] = {
    Kind.HEARTBEAT: _heartbeat,
    Kind.ERRORS: _errors,
    Kind.MEMORY: _memory,
    Kind.LATENCY: _latency,
}
