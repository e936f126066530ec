"""Signs of trouble: each by itself, what is harmless, what cannot be judged; and agents' minutes from the archive's rows."""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence

import pytest
from engine.monitoring.agents import as_counted, packed, table_of
from engine.monitoring.archive import IDS
from engine.monitoring.maintenance import (
    PAST_MIN,
    RECENT_MIN,
    AgentPast,
    Kind,
    Risk,
    risk_of,
    task_s,
)

BEFORE = PAST_MIN - RECENT_MIN


def minutes(before: float, now: float) -> list[float | None]:
    """Return minutes with a little unrest, so that no two are the same."""
    return [(before if at < BEFORE else now) * (1 + 0.02 * math.sin(7 * at)) for at in range(PAST_MIN)]


def past(**changes: object) -> AgentPast:
    well = AgentPast(minutes(1, 1), minutes(6, 6), [0.0] * PAST_MIN, minutes(12, 12), minutes(300, 300), 1_024.0)
    return well._replace(**changes)  # type: ignore[arg-type]


def kinds(risk: Risk) -> list[Kind]:
    return [sign.kind for sign in risk.signs]


@pytest.mark.row(235)
def test_an_agent_that_does_as_always_is_at_no_risk() -> None:
    assert risk_of(past()) == Risk(0.0, (), (), "")


@pytest.mark.row(235)
def test_late_beats_are_a_sign_unless_they_are_still_in_time() -> None:
    found = risk_of(past(silence_s=minutes(1.2, 4.5)))
    assert kinds(found) == [Kind.HEARTBEAT] and found.proposal == "drain"
    assert "up to 4.5 s apart in the last 12 min, usually 1.2 s" in found.signs[0].text
    assert not risk_of(past(silence_s=minutes(0.5, 1.5))).signs, "three times as long, and in time all the same"


@pytest.mark.row(235)
def test_errors_are_a_sign_unless_the_whole_pool_has_them() -> None:
    failing = past(succeeded=minutes(6, 2), failed=[0.0] * BEFORE + [4.0] * RECENT_MIN)
    found = risk_of(failing, [past(), past()])
    assert kinds(found) == [Kind.ERRORS] and found.proposal == "drain"
    assert "67% of its tasks failed in the last 12 min (48 of 72), usually 0%, 0% of its pool's" in found.signs[0].text
    assert not risk_of(failing, [failing, failing]).signs
    assert not risk_of(past(failed=[0.0] * (PAST_MIN - 1) + [3.0])).signs, "three of a minute are no trend"


@pytest.mark.row(235)
def test_memory_that_grows_is_a_sign_by_when_it_reaches_its_limit() -> None:
    def grown(each: float) -> list[float | None]:
        return [300 + max(0, at - PAST_MIN + 2 * RECENT_MIN) * each + math.sin(at) for at in range(PAST_MIN)]

    found = risk_of(past(rss_mb=grown(20)))
    assert kinds(found) == [Kind.MEMORY] and found.proposal == "restart"
    assert "memory grows by 20.0 MB a minute, to 741 MB; at that rate it reaches its 1024 MB in 14 min" in found.signs[0].text
    assert risk_of(past(rss_mb=grown(30))).risk > found.risk
    assert not risk_of(past(rss_mb=grown(2))).signs, "in hours"
    assert "nothing limits it" in risk_of(past(rss_mb=grown(20), limit_mb=0.0)).signs[0].text
    stepped = [value + (300 if at >= PAST_MIN - RECENT_MIN else 0) for at, value in enumerate(minutes(300, 300)) if value]
    assert not risk_of(past(rss_mb=stepped)).signs, "once, and no further"
    assert "memory is at 1000 of 1024 MB" in risk_of(past(rss_mb=[1_000.0] * PAST_MIN)).signs[0].text


@pytest.mark.row(235)
def test_longer_tasks_are_a_sign_unless_the_whole_pool_has_them() -> None:
    slow = past(busy_s=minutes(12, 36))
    found = risk_of(slow, [past(), past()])
    assert kinds(found) == [Kind.LATENCY] and found.proposal == "restart"
    assert "3.0 times as long" in found.signs[0].text
    assert not risk_of(slow, [slow, slow]).signs
    assert task_s(past(succeeded=[0.0] * PAST_MIN, failed=[0.0] * PAST_MIN))[0] is None, "no task ended: unknown"


@pytest.mark.row(235)
def test_what_is_not_known_is_no_sign_and_is_told() -> None:
    nothing: Sequence[float | None] = [None] * PAST_MIN
    silent = past(silence_s=nothing, rss_mb=nothing)
    assert risk_of(silent).unknown == (Kind.HEARTBEAT, Kind.MEMORY)
    assert risk_of(AgentPast(nothing, nothing, nothing, nothing, nothing, 0.0)) == Risk(0.0, (), tuple(Kind), "")


def test_two_signs_are_worse_than_one() -> None:
    late = past(silence_s=minutes(1.2, 2.6))
    both = late._replace(busy_s=minutes(12, 24))
    assert risk_of(both).risk > risk_of(late).risk
    assert len(risk_of(both).signs) == 2


def test_minutes_of_all_agents_follow_their_places() -> None:
    lists = [(0, packed(b"agt_a\nagt_b", IDS)), (120, packed(b"\nagt_b\nagt_c", IDS))]
    columns = [(at, packed(array("f", values).tobytes(), "agent_busy")) for at, values in ((0, [1, 2]), (120, [math.nan, 3, 4]), (180, [9, 5, 6]))]
    table = table_of(lists, columns, 0, 4)
    assert table.of("agt_b") == [2, None, 3, 5], "a minute was not kept"
    assert table.of("agt_c") == [None, None, 4, 6]
    assert table.of("agt_a") == [1, None, None, None], "its place is another's now, or nobody's"
    assert as_counted([1, 3, None, 4, 2]) == [2, None, None, None], "a count that falls began anew"
