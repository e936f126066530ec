"""Conditions of rules: what is read, what is refused and where, and what they come to."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from math import inf, nan

import pytest
from engine.model.alert_expressions import (
    Both,
    Comparison,
    ExpressionError,
    Operand,
    comparisons,
    parse,
    written_duration,
)
from engine.model.alerts import Labels
from engine.model.errors import UsageError
from engine.monitoring.alerts.evaluating import evaluate
from engine.monitoring.alerts.windows import KINDS_MAX, SLOTS, Key, Windows
from engine.monitoring.histogram import BUCKETS, bucket_of
from hypothesis import given
from hypothesis import strategies as st

CODER: Labels = (("pool", "coder"),)
TESTER: Labels = (("pool", "tester"),)


class Figures:
    """Windows for one condition, fed second by second."""

    def __init__(self, text: str, pools: tuple[str, ...] = ("coder", "tester"), agents: Mapping[Labels, float] | None = None) -> None:
        self.pools = list(pools)
        self.condition = parse(text)
        self.windows = Windows(lambda: self.pools, lambda _metric: agents or {})
        self.now = 10_000.0
        self.windows.watch([one.operand for one in comparisons(self.condition)], self.now)

    def feed(self, values: Mapping[Key, float], seconds: int = 1, durations: Mapping[Key, list[float]] | None = None) -> None:
        for _ in range(seconds):
            self.now += 1.0
            self.windows.sample(self.now, values, durations or {})

    def holding(self) -> dict[Labels, float]:
        return {labels: verdict.value for labels, verdict in evaluate(self.condition, self.windows).verdicts.items() if verdict.holds}

    def known(self) -> set[Labels]:
        return set(evaluate(self.condition, self.windows).verdicts)


def durations_of(*milliseconds: float) -> list[float]:
    counts = [0.0] * (BUCKETS + 1)
    for value in milliseconds:
        counts[bucket_of(value)] += 1
    return counts


# ---- reading


def test_what_binds_how() -> None:
    condition = parse("host_cpu > 90% or host_memory >= 0.9 and not_there > 1".replace("not_there", "hosts"))
    assert isinstance(condition, Both)
    assert condition.operator == "or"
    assert condition.left == Comparison(Operand("host_cpu"), ">", 0.9)
    assert isinstance(condition.right, Both)
    assert isinstance(parse("(host_cpu > 1 or hosts < 1) unless hosts == 3"), Both)


def test_seeds_spellings_and_windows() -> None:
    [one] = comparisons(parse("avg(memoryUsage, 2m) > 80%"))
    assert (one.operand.metric, one.operand.window_s, one.limit) == ("memory", 120.0, 0.8)
    [one] = comparisons(parse("absent(hosts, 1m)"))
    assert (one.operator, one.limit) == (">", 0.0)


@pytest.mark.parametrize(
    ("text", "column", "said"),
    [
        ("", 1, "a metric or a function is missing"),
        ("queue_dept > 1", 1, "did you mean 'queue_depth'"),
        ("queue_depth", 12, "is a figure, not a condition"),
        ("queue_depth >", 14, "a number is missing"),
        ("queue_depth = 5", 13, "write `==`"),
        ("queue_depth > 1e999", 15, "too large"),
        ("queue_depth > 1 hosts", 17, "it could have ended here"),
        ("(queue_depth > 1", 17, "`)` is missing for the bracket at column 1"),
        ("queue_depth $ 3", 13, "'$' means nothing here"),
        ('queue_depth{agent="x"} > 1', 13, "has the label pool"),
        ("queue_depth{pool=coder} > 1", 18, "a text in quotes is missing"),
        ('queue_depth{pool=~"("} > 1', 19, "is no regular expression"),
        ('hosts{pool="x"} > 1', 7, "hosts has no labels"),
        ("allocation_ms > 5", 1, "write p95(allocation_ms, 5m)"),
        ("avg(allocation_ms, 5m) > 5", 5, "write p50, p90, p95 or p99"),
        ("p95(memory, 5m) > 5", 5, "memory is no duration"),
        ("avg(memory) > 5", 11, "how far back avg looks is missing"),
        ("avg(memory, 5) > 5", 13, "a duration is missing"),
        ("avg(memory, 1s) > 5", 13, "a window is 5s to 1d long"),
        ("averag(memory, 5m) > 5", 1, "no function 'averag'; did you mean 'avg'"),
        ("p95 > 5", 1, "is a function"),
        ("event(agents.failed)", 7, "did you mean 'agent.failed'"),
        ("avg(agent_cpu, 5m) > 1", 5, "set the rule's `for`"),
        ("recorded. > 5", 1, "no metric"),
        ("x" * 501, 501, "500 characters at most"),
        ("(" * 40 + "hosts > 1" + ")" * 40, 17, "brackets go 16 deep"),
        (" and ".join(["hosts > 1"] * 17), 225, "compares 16 times at most"),
    ],
)
def test_mistakes_are_explained_at_their_place(text: str, column: int, said: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse(text)
    assert said in str(caught.value)
    assert str(caught.value).startswith(f"column {column} of ")


@given(st.text(alphabet="queue_depth hosts avg(memory,5m)><=1.%andor\"{}pool~!", max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(UsageError):
        parse(text)


@pytest.mark.parametrize(("seconds", "text"), [(5, "5s"), (300, "5m"), (7_200, "2h"), (86_400, "1d"), (90, "90s")])
def test_durations_read_as_they_are_written(seconds: float, text: str) -> None:
    assert written_duration(seconds) == text
    [one] = comparisons(parse(f"avg(memory, {text}) > 1"))
    assert one.operand.window_s == seconds


# ---- what it comes to


def test_every_pool_by_itself_and_the_fleet_when_asked() -> None:
    sample = {("queue_depth", ""): 500.0, ("queue_depth", "coder"): 150.0, ("queue_depth", "tester"): 5.0}
    for text, holding in (
        ("queue_depth > 100", {CODER: 150.0}),
        ('queue_depth{pool=""} > 100', {(): 500.0}),
        ('queue_depth{pool!="coder"} >= 5', {TESTER: 5.0}),
        ('queue_depth{pool=~"c.*"} > 0', {CODER: 150.0}),
    ):
        figures = Figures(text)
        figures.feed(sample)
        assert figures.holding() == holding


@pytest.mark.parametrize("value", [nan, inf, -inf])
def test_what_is_no_number_is_unknown(value: float) -> None:
    figures = Figures("queue_depth != 5")
    figures.feed({("queue_depth", "coder"): value})
    assert figures.known() == set()


def test_a_figure_of_the_fleet_goes_with_every_pool() -> None:
    figures = Figures("queue_depth > 100 and host_cpu > 90%")
    figures.feed({("queue_depth", "coder"): 150.0, ("queue_depth", "tester"): 5.0, ("host_cpu", ""): 0.95})
    assert figures.holding() == {CODER: 150.0}
    figures.feed({("queue_depth", "coder"): 150.0, ("host_cpu", ""): 0.5})
    assert figures.holding() == {}
    figures.feed({("queue_depth", "coder"): 150.0, ("queue_depth", "tester"): 5.0})
    assert figures.known() == {TESTER}, "of coder nothing is known without the other half"


def test_or_and_unless() -> None:
    figures = Figures("queue_depth > 100 or utilisation > 90%")
    figures.feed({("queue_depth", "coder"): 5.0, ("utilisation", "coder"): 0.95, ("queue_depth", "tester"): 200.0})
    assert figures.holding() == {CODER: 0.95, TESTER: 200.0}
    figures = Figures("queue_depth > 100 unless utilisation > 90%")
    figures.feed({("queue_depth", "coder"): 200.0, ("utilisation", "coder"): 0.95, ("queue_depth", "tester"): 200.0})
    assert figures.holding() == {TESTER: 200.0}


def test_an_average_says_nothing_before_its_window_is_half_full() -> None:
    figures = Figures("avg(memory, 1m) > 0.8")
    figures.feed({("memory", "coder"): 1.0}, 30)
    assert figures.known() == set()
    figures.feed({("memory", "coder"): 1.0}, 2)
    assert figures.holding() == {CODER: 1.0}
    figures.feed({("memory", "coder"): 0.0}, 60)
    assert figures.known() == {CODER}
    assert figures.holding() == {}
    figures.feed({}, 61)
    assert figures.known() == set(), "of what is not measured any more nothing is known"


def test_quantiles_are_of_everything_in_the_window() -> None:
    figures = Figures("p95(allocation_ms, 1m) > 100")
    figures.feed({}, 40, {("allocation_ms", "coder"): durations_of(*[10.0] * 99)})
    assert figures.known() == {CODER}
    assert figures.holding() == {}
    figures.feed({}, 5, {("allocation_ms", "coder"): durations_of(*[900.0] * 99)})
    [value] = figures.holding().values()
    assert 512 <= value <= 1_024


def test_a_drop_is_against_the_window_before() -> None:
    figures = Figures("drop(succeeded, 1m) > 10%")
    figures.feed({("succeeded", "coder"): 10.0}, 100)
    assert figures.holding() == {}
    figures.feed({("succeeded", "coder"): 5.0}, 55)
    [value] = figures.holding().values()
    assert value == pytest.approx(0.48, abs=0.05)
    figures.feed({("succeeded", "coder"): 5.0}, 65)
    assert figures.holding() == {}, "the lower level is what is usual now"


def test_a_rise_of_durations_is_of_their_median() -> None:
    figures = Figures("rise(response_ms, 30s) > 50%")
    figures.feed({}, 31, {("response_ms", "coder"): durations_of(100.0)})
    figures.feed({}, 31, {("response_ms", "coder"): durations_of(400.0)})
    assert set(figures.holding()) == {CODER}


def test_absent_is_of_pools_that_there_are() -> None:
    figures = Figures("absent(rss_mb, 10s)")
    figures.feed({("rss_mb", "coder"): 1.0, ("rss_mb", "tester"): 1.0}, 5)
    figures.feed({("rss_mb", "coder"): 1.0}, 9)
    assert figures.holding() == {}
    figures.feed({("rss_mb", "coder"): 1.0}, 2)
    assert set(figures.holding()) == {TESTER}
    figures.pools.remove("tester")
    assert figures.holding() == {}


def test_events_are_counted_by_what_they_are_about() -> None:
    figures = Figures('event(agent.failed{kind="booster"}, 30s) >= 2')
    figures.feed({})
    for kind, pool in (("booster", "wasm"), ("booster", "wasm"), ("python", "coder")):
        figures.windows.note("agent.failed", (("kind", kind), ("pool", pool)))
    assert figures.holding() == {(("kind", "booster"), ("pool", "wasm")): 2.0}
    figures.feed({}, 31)
    assert figures.holding() == {}
    found = evaluate(figures.condition, figures.windows)
    verdict = found.of((("kind", "booster"), ("pool", "wasm")))
    assert verdict is not None, "a whole window was watched: there were none"
    assert not verdict.holds


def test_before_a_window_was_watched_nothing_is_known_of_events() -> None:
    figures = Figures("event(host.lost, 30s)")
    figures.feed({}, 10)
    assert evaluate(figures.condition, figures.windows).of((("kind", "python"),)) is None


def test_agents_are_compared_as_they_are() -> None:
    agents = {(("agent", "coder-1"), ("pool", "coder")): 900.0, (("agent", "coder-2"), ("pool", "coder")): 100.0}
    figures = Figures('agent_rss_mb{pool="coder"} > 500', agents=agents)
    figures.feed({})
    assert figures.holding() == {(("agent", "coder-1"), ("pool", "coder")): 900.0}


def test_a_clock_that_goes_back_begins_windows_anew() -> None:
    figures = Figures("avg(memory, 1m) > 0.8")
    figures.feed({("memory", "coder"): 1.0}, 60)
    assert figures.holding()
    figures.now -= 3_600
    figures.feed({("memory", "coder"): 0.1})
    assert figures.known() == set()
    figures.feed({("memory", "coder"): 0.1}, 60)
    assert figures.known() == {CODER}
    assert figures.holding() == {}


def test_a_window_is_bounded_however_long_it_is_and_whoever_is_named() -> None:
    figures = Figures("avg(memory, 1h) > 0.8 or event(act.refused, 1h) > 1000")
    figures.feed({("memory", "coder"): 1.0}, 4_000)
    for number in range(2 * KINDS_MAX):
        figures.windows.note("act.refused", (("who", f"somebody-{number}"),))
    kept = [ring for one in figures.windows._kept.values() for ring in one.rings.values()]  # noqa: SLF001  # what it holds is the question
    assert len(kept) <= KINDS_MAX + 2
    assert max(len(ring.slots) for ring in kept) <= SLOTS + 1
