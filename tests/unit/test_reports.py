"""Reports of how the fleet performed: aggregates, trends, regressions; gaps; the same as text, Markdown and HTML."""

from __future__ import annotations

import random
import sqlite3
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Mapping, Sequence
from html.parser import HTMLParser
from typing import Any

import pytest
from engine.gate.reporting import Wanted, window_of
from engine.memory.migrations import migrate, steps
from engine.model.errors import UsageError
from engine.model.report_sections import length, sections_of
from engine.monitoring.archive import Key
from engine.monitoring.reports import (
    Series,
    Verdict,
    comparisons_of,
    is_reported,
    series_of,
    trends_of,
)
from engine.monitoring.series import SeriesStore
from engine.monitoring.trends import Window
from fleet_tui.report_pages import markdown_of, page_of, text_of
from tests.histories import write_past

NOON = 1_800_000_000
HALF_HOUR = 1_800
SLOW_FROM = NOON + HALF_HOUR
RESPONSE: Key = ("response_ms", "coder")


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection, steps())
    yield connection
    connection.close()


def past(at: int) -> tuple[Mapping[Key, float], Mapping[Key, Sequence[float]]]:
    """Return a fleet that answers three times slower from SLOW_FROM on; the queue grows all the time; load falls."""
    rng = random.Random(at)
    slow = 3.0 if at >= SLOW_FROM else 1.0
    values = {
        ("agents", ""): 4.0,
        ("queue_depth", "coder"): (at - NOON) / 60,
        ("error_rate", ""): rng.choice((0.0, 0.0, 0.1)),
        ("succeeded", ""): rng.gauss(10, 1) / slow,
        ("load", ""): rng.gauss(20, 1) / slow,
    }
    return values, {RESPONSE: [rng.gauss(100, 10) * slow for _ in range(5)], ("run_ms", "coder"): []}


async def series_in(store: SeriesStore, since: int, until: int) -> dict[Key, Series]:
    window = Window(since, until, 60, 60)
    keys = [key for key in sorted(store.keys) if is_reported(key)]
    found = [series_of(key, await store.read(key, 60, since, until), window) for key in keys]
    return {one.key: one for one in found}


@pytest.mark.row(226)
async def test_aggregates_are_those_of_the_samples(connection: sqlite3.Connection) -> None:
    store = await write_past(connection, NOON, NOON + HALF_HOUR, past)
    found = await series_in(store, NOON, NOON + HALF_HOUR)
    samples = [past(at) for at in range(NOON, NOON + HALF_HOUR, 10)]
    queue = found["queue_depth", "coder"].aggregate
    depths = [values["queue_depth", "coder"] for values, _ in samples]
    assert queue.mean == pytest.approx(sum(depths) / len(depths), rel=1e-5)
    assert (queue.least, queue.most, queue.total, queue.measured) == (0, pytest.approx(max(depths)), None, 1)
    done = found["succeeded", ""].aggregate
    assert done.total == pytest.approx(sum(values["succeeded", ""] for values, _ in samples), rel=1e-5)
    response = found[RESPONSE].aggregate
    assert response.total == 5 * len(samples)
    assert response.p50 is not None and 64 <= response.p50 <= 128, "the bucket of 100 ms"
    assert response.mean is None
    nothing_ran = found["run_ms", "coder"].aggregate
    assert (nothing_ran.p95, nothing_ran.total, nothing_ran.measured) == (None, 0, 1), "looked, and there was none"


@pytest.mark.row(226)
async def test_what_was_not_measured_is_no_figure(connection: sqlite3.Connection) -> None:
    store = await write_past(connection, NOON, NOON + 600, past)
    found = await series_in(store, NOON - 600, NOON + 600)
    assert found["agents", ""].aggregate.measured == 0.5
    assert found["agents", ""].steps[:10] == [None] * 10
    nothing = (await series_in(store, NOON - 1_200, NOON - 600))["agents", ""].aggregate
    assert (nothing.mean, nothing.p95, nothing.most, nothing.total, nothing.measured) == (None, None, None, None, 0)
    trends = {(one.metric, one.label): one for one in trends_of(list((await series_in(store, NOON - 1_200, NOON - 600)).values()), 60)}
    assert trends["agents", ""].direction == "unknown"


@pytest.mark.row(233)
async def test_a_slower_fleet_has_regressed_and_a_queue_that_grows_is_a_trend(connection: sqlite3.Connection) -> None:
    store = await write_past(connection, NOON, NOON + 2 * HALF_HOUR, past)
    before = await series_in(store, NOON, SLOW_FROM)
    now = await series_in(store, SLOW_FROM, NOON + 2 * HALF_HOUR)
    found = {(one.metric, one.label): one for one in comparisons_of({key: one.steps for key, one in before.items()}, list(now.values()))}
    assert found[RESPONSE].verdict is Verdict.REGRESSED
    assert found[RESPONSE].effect == 1 and found[RESPONSE].p is not None and found[RESPONSE].p < 0.001
    assert found["succeeded", ""].verdict is Verdict.LESS_WORK, "fewer ended because there were fewer"
    assert found["load", ""].verdict is Verdict.CHANGED
    assert found["error_rate", ""].verdict is Verdict.SAME
    assert found["agents", ""].verdict is Verdict.SAME, "nothing but ties"
    assert found["run_ms", "coder"].verdict is Verdict.UNKNOWN
    trends = {(one.metric, one.label): one for one in trends_of(list(before.values()), 60)}
    queue = trends["queue_depth", "coder"]
    assert queue.direction == "rising" and queue.is_worse
    assert queue.per_hour == pytest.approx(60, rel=0.01)
    assert trends[RESPONSE].direction == "steady"
    whole = {(one.metric, one.label): one for one in trends_of(list((await series_in(store, NOON, NOON + 2 * HALF_HOUR)).values()), 60)}
    assert whole[RESPONSE].direction == "rising" and whole[RESPONSE].is_worse, "a step, no slope"
    short = comparisons_of({RESPONSE: before[RESPONSE].steps[:9]}, [now[RESPONSE]])
    assert short[0].verdict is Verdict.UNKNOWN, "nine minutes are too few"


async def test_nothing_regresses_where_nothing_changed(connection: sqlite3.Connection) -> None:
    steady = [lambda at, seed=seed: ({("queue_depth", ""): random.Random(at * seed).gauss(50, 10)}, {}) for seed in range(1, 21)]
    wrong = 0
    for number, one in enumerate(steady):
        begin = NOON + number * 86_400
        store = await write_past(connection, begin, begin + 2 * HALF_HOUR, one)
        halves = [await series_in(store, begin + half * HALF_HOUR, begin + (half + 1) * HALF_HOUR) for half in (0, 1)]
        [compared] = comparisons_of({key: series.steps for key, series in halves[0].items()}, list(halves[1].values()))
        wrong += compared.verdict is not Verdict.SAME
    assert wrong == 0


def test_windows_are_whole_minutes_or_hours_that_are_over() -> None:
    assert window_of(Wanted(3_600), NOON + 59) == Window(NOON - 3_600, NOON, 60, 60)
    assert window_of(Wanted(7 * 86_400), NOON + 3_599).step == 3_600
    for wrong in (Wanted(30), Wanted(31 * 86_400), Wanted(3_600, -1)):
        with pytest.raises(UsageError, match="1m to 30d"):
            window_of(wrong, NOON)


def made(**changes: object) -> dict[str, Any]:
    """Return a report with something of everything."""
    series = {"metric": "response_ms", "label": "", "unit": "ms"}
    return {
        "fleet": "north & south", "generated_at": NOON + 3_605.0,
        "timeframe": {"asked_since": NOON - 82_800.0, "since": float(NOON), "until": NOON + 3_600.0, "step_s": 60, "measured": 0.987},
        "metrics": [
            {"name": "response_ms", "label": "", "unit": "ms", "help": "", "kind": "histogram", "worse": "up", "step_s": 60, "values": [100.0, None, 120.0, 130.0]},
            {"name": "queue_depth", "label": "a<b", "unit": "count", "help": "", "kind": "gauge", "worse": "up", "step_s": 60, "values": [None, None]},
        ],
        "aggregates": [
            {**series, "mean": None, "least": 64.0, "most": 256.0, "p50": 100.0, "p95": 130.0, "p99": 140.0, "total": 1_234.0, "measured": 1.0},
            {"metric": "queue_depth", "label": "a<b", "unit": "count", "mean": None, "least": None, "most": None, "p50": None, "p95": None, "p99": None, "total": None, "measured": 0.5},
        ],
        "trends": [
            {"metric": "response_ms", "label": "", "direction": "rising", "change": 0.2, "per_hour": 20.0, "p": 0.001, "is_worse": True},
            {"metric": "queue_depth", "label": "a<b", "direction": "unknown", "change": None, "per_hour": None, "p": None, "is_worse": False},
        ],
        "baseline": {"name": "", "since": NOON - 3_600.0, "until": float(NOON)},
        "comparisons": [
            {**series, "before": 60.0, "now": 120.0, "change": 1.0, "effect": 0.9, "p": 0.00001, "verdict": "regressed"},
            {"metric": "queue_depth", "label": "a<b", "unit": "count", "before": None, "now": None, "change": None, "effect": None, "p": None, "verdict": "unknown"},
        ],
        "risks": [{"id": "agt_1", "name": "coder-3", "pool": "a<b", "risk": 0.74, "signs": [{"kind": "memory", "level": 0.7, "text": "it grows"}], "unknown": [], "verb": "restart coder-3", "call": None}],
        "recommendations": [{"kind": "idle", "target": "a|b", "text": "a|b is idle: 4 agents → 1 agent", "why": ["at most 0 of 4 agents had work"], "verb": "scale 'a|b' 1"}],
        "not_measured": ["tokens"], "left_out": [], **changes,
    }  # fmt: skip


class Page(HTMLParser):
    """What a page of HTML opens and does not close, and what it would load."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loads: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.loads += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.loads += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.row(222, 226)
def test_a_page_is_whole_loads_nothing_and_its_charts_have_gaps() -> None:
    text = "\n".join(page_of(made()))
    page = Page()
    page.feed(text)
    assert page.open == [] and page.loads == []
    assert "north &amp; south" in text and "a&lt;b" in text
    [chart] = ElementTree.fromstring(f"<r>{text[text.index('<figure>') : text.rindex('</figure>')]}</figure></r>").iter("svg")
    lines = [one.attrib["points"].split() for one in chart.iter("polyline")]
    assert [len(line) for line in lines] == [2, 2], "a point alone is drawn as a dot, after the gap goes a line of two"
    assert lines[0][0] == lines[0][1]
    assert [one for one in chart.iter("line") if "stroke-dasharray" in one.attrib], "where it was before"


def test_texts_say_what_is_missing() -> None:
    text = "\n".join(text_of(made()))
    assert "98.7 % measured" in text
    assert "nothing was measured before 2027-01-15 08:00" in text
    assert "coder-3  74%   memory: it grows" in text and "1 agent at risk" in text
    assert "1 regressed" in text and "+20% worse" in text
    assert "Nothing is known of the fleet's tokens" in text
    markdown = markdown_of(made())
    assert all(line.count("|") - line.count("\\|") == 9 for line in markdown if line.startswith("| regressed"))
    assert "a\\|b is idle: 4 agents → 1 agent; at most 0 of 4 agents had work" in "\n".join(markdown)
    alone = made(comparisons=[], baseline={"name": "", "since": 0.0, "until": 1.0}, risks=[], recommendations=[], not_measured=[])
    assert [one.title for one in sections_of(alone)] == ["In short", "The fleet", "Pools"]
    assert "Nothing can be compared" in "\n".join(text_of(alone))
    assert [length(span) for span in (60, 5_400, 86_400, 90_000)] == ["1m", "90m", "1d", "25h"]
