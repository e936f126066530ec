"""The life of alerts, and what keeps them quiet."""

from __future__ import annotations

from dataclasses import replace

import pytest
from engine.model.alert_expressions import parse
from engine.model.alert_words import AUTO, Severity
from engine.model.alerts import (
    Alert,
    AlertState,
    Rule,
    Silence,
    calculate_severity,
    fingerprint,
    labels_of,
    matcher_of,
)
from engine.model.errors import UsageError
from engine.monitoring.alerts.backtest import Sample, check_replayable, replay
from engine.monitoring.alerts.evaluating import Found, Verdict
from engine.monitoring.alerts.lifecycle import (
    ACTIVE_MAX,
    FLAP_CALM_S,
    FLAPS,
    STALE_S,
    Look,
    Quiet,
    Watched,
    step,
)
from engine.monitoring.alerts.silencing import HALT, is_about_flow, quieted
from hypothesis import given
from hypothesis import strategies as st

CODER = (("pool", "coder"),)


class Watch:
    """One rule, looked at second by second."""

    def __init__(self, **changes: object) -> None:
        self.watched = watched(**changes)
        self.alerts: dict[str, Alert] = {}
        self.quiet: dict[str, Quiet] = {}
        self.now = 1_000.0
        self.moves: list[tuple[float, str]] = []

    def look(self, value: float | None, after_s: float = 1.0, **look: object) -> Alert | None:
        """Look once; None = the value is unknown."""
        self.now += after_s
        found = Found({CODER: Verdict(value, value > 100)} if value is not None else {}, others_known=False)
        stepped = step(self.watched, found, self.alerts, self.quiet, Look(self.now, **look))  # type: ignore[arg-type]
        for alert in stepped.moved:
            self.moves.append((self.now, alert.state.value))
            self.alerts[alert.id] = alert
            if alert.state is AlertState.INACTIVE:
                del self.alerts[alert.id]
        return next(iter(self.alerts.values()), None)

    def state(self, value: float | None, after_s: float = 1.0, **look: object) -> str:
        alert = self.look(value, after_s, **look)
        return alert.state.value if alert else "none"


def watched(**changes: object) -> Watched:
    rule = replace(Rule("deep", "queue_depth > 100"), **changes)  # type: ignore[arg-type]
    return Watched(rule, parse(rule.expr))


def alert(rule: str = "deep", pool: str = "coder", **changes: object) -> Alert:
    labels = {"pool": pool} if pool else {}
    whole = Alert(fingerprint(rule, labels), rule, labels, Severity.WARNING, AlertState.FIRING, 1.0, 0.0, 0.0)
    return replace(whole, **changes)  # type: ignore[arg-type]


# ---- pending, firing, resolved


def test_it_fires_once_it_held_as_long_as_for_says() -> None:
    watch = Watch(for_s=10.0)
    assert [watch.state(101) for _ in range(11)] == ["pending"] * 10 + ["firing"]
    assert watch.state(99) == "resolved"
    assert watch.moves == [(1001.0, "pending"), (1011.0, "firing"), (1012.0, "resolved")], "a value that goes on moves nothing"


def test_without_for_it_fires_at_once() -> None:
    assert Watch().state(101) == "firing"


def test_one_look_without_the_condition_begins_for_anew() -> None:
    watch = Watch(for_s=3.0)
    assert [watch.state(value) for value in (101, 101, 101, 100, 101, 101, 101, 101)] == ["pending"] * 3 + ["none"] + ["pending"] * 3 + ["firing"]


@pytest.mark.parametrize("gap", [None])
def test_an_unknown_value_begins_for_anew_and_fires_nothing(gap: None) -> None:
    watch = Watch(for_s=3.0)
    assert [watch.state(value) for value in (101, 101, 101, gap, 101)] == ["pending"] * 3 + ["none", "pending"]
    assert [Watch().state(gap) for _ in range(3)] == ["none"] * 3


def test_keep_firing_for_bridges_gaps() -> None:
    watch = Watch(for_s=3.0, keep_firing_for_s=5.0)
    assert [watch.state(value) for value in (101, None, None, 101)] == ["pending"] * 3 + ["firing"]
    assert [watch.state(50) for _ in range(6)] == ["firing"] * 5 + ["resolved"]


def test_a_firing_alert_outlives_what_is_not_measured_for_a_while() -> None:
    watch = Watch()
    watch.look(101)
    assert watch.state(None) == "firing"
    assert watch.state(None, STALE_S - 1) == "firing"
    last = watch.look(None, 1.0)
    assert last is not None
    assert last.state is AlertState.RESOLVED
    assert "no longer measured" in last.message


def test_what_nobody_watched_does_not_count() -> None:
    watch = Watch(for_s=60.0)
    watch.look(101)
    assert watch.state(101, 3_600.0, unwatched_s=3_600.0) == "pending", "an hour's jump of the clock is no hour of trouble"
    assert watch.state(101, 59.0) == "pending"
    last = watch.look(101, 1.0)
    assert last is not None
    assert last.state is AlertState.FIRING
    assert last.since == 1_001.0, "when it began is still told"


def test_a_clock_that_goes_back_delays_and_fires_nothing_early() -> None:
    watch = Watch(for_s=60.0)
    watch.look(101)
    watch.look(101, 30.0)
    assert watch.state(101, -500.0, unwatched_s=-500.0) == "pending"
    assert watch.state(101, 29.0) == "pending"
    assert watch.state(101, 1.0) == "firing"


def test_of_a_pool_that_is_gone_it_is_resolved_at_once() -> None:
    watch = Watch(keep_firing_for_s=600.0)
    watch.look(101)
    last = watch.look(101, 1.0, is_gone=lambda labels: labels.get("pool") == "coder")
    assert last is not None
    assert (last.state, last.message) == (AlertState.RESOLVED, "deep of coder: 101 (it is gone)")


def test_flapping_is_damped_until_it_is_calm() -> None:
    watch = Watch()
    for _ in range(FLAPS):
        watch.look(101)
        watch.look(50)
    last = next(iter(watch.alerts.values()))
    assert last.flapping
    assert last.state is AlertState.FIRING, "the last of them stays"
    assert len(watch.moves) == 2 * FLAPS - 1
    for _ in range(20):
        watch.look(101)
        watch.look(50)
    assert len(watch.moves) == 2 * FLAPS - 1, "nobody is told of the others"
    assert watch.state(50, FLAP_CALM_S) == "resolved"
    last = next(iter(watch.alerts.values()))
    assert not last.flapping


def test_the_same_trouble_has_the_same_id() -> None:
    first, second = Watch(labels={"team": "core"}), Watch(labels={"team": "core"})
    one, other = first.look(101), second.look(500, 77.0)
    assert one is not None
    assert other is not None
    assert one.id == other.id == fingerprint("deep", {"team": "core", "pool": "coder"})
    assert first.state(50) == "resolved", "labels of the rule do not hide whose value it is"


def test_a_rule_has_so_many_alerts_and_counts_the_others() -> None:
    found = Found({(("agent", f"a-{number}"),): Verdict(200.0, holds=True) for number in range(10_000)}, others_known=False)
    stepped = step(watched(), found, {}, {}, Look(5.0))
    assert len(stepped.moved) == ACTIVE_MAX
    assert stepped.left_out == 10_000 - ACTIVE_MAX


@pytest.mark.row(225)
@pytest.mark.parametrize(
    ("value", "limit", "severity"),
    [(101, 100, "info"), (126, 100, "warning"), (201, 100, "critical"), (0.4, 0.8, "warning"), (0.3, 0.8, "critical"), (1, 0, "critical")],
)
def test_severity_by_distance(value: float, limit: float, severity: str) -> None:
    assert calculate_severity(value, limit) == severity


def test_a_severity_by_distance_only_grows_while_it_fires() -> None:
    watch = Watch(severity=AUTO)
    seen = []
    for value in (101, 150, 500, 150):
        now = watch.look(value)
        assert now is not None
        seen.append(now.severity.value)
    assert seen == ["info", "warning", "critical", "critical"]


def test_what_it_says() -> None:
    watch = Watch(summary="{pool} waits: {value} of {limit}, see {rule}{nothing}")
    said = watch.look(1234)
    assert said is not None
    assert said.message == "coder waits: 1,234 of 100, see deep{nothing}"


@given(st.lists(st.sampled_from([50.0, 101.0, None]), max_size=80), st.floats(0, 8), st.floats(0, 8))
def test_any_sequence_keeps_the_order_of_life(values: list[float | None], for_s: float, keep_s: float) -> None:
    watch = Watch(for_s=for_s, keep_firing_for_s=keep_s)
    for value in values:
        watch.look(value)
    allowed = {("pending", "firing"), ("pending", "inactive"), ("firing", "resolved")}
    begin = {"pending"} if for_s else {"firing"}
    before = "none"
    for _at, state in watch.moves:
        assert (before, state) in allowed or (before in ("none", "inactive", "resolved") and state in begin)
        before = state


# ---- silences and what explains what


def test_a_silence_holds_until_its_end() -> None:
    silence = Silence("s1", ("pool=coder", "rule=~de.*"), until=100.0, by="kim", why="known")
    [moved] = quieted([alert()], [silence], (), 50.0, halted=False)
    assert moved.silenced_by == "s1"
    assert not moved.is_loud
    assert quieted([moved], [silence], (), 99.0, halted=False) == []
    [again] = quieted([moved], [silence], (), 100.0, halted=False)
    assert again.is_loud
    assert quieted([alert(pool="other")], [silence], (), 50.0, halted=False) == []


def test_a_critical_alert_explains_the_others_of_its_pool() -> None:
    critical = alert("down", severity=Severity.CRITICAL)
    [moved] = quieted([critical, alert(), alert(pool="other"), alert(pool="")], [], (), 5.0, halted=False)
    assert (moved.rule, moved.inhibited_by) == ("deep", critical.id)
    [again] = quieted([replace(critical, state=AlertState.RESOLVED), moved], [], (), 6.0, halted=False)
    assert not again.inhibited_by


def test_a_halt_explains_work_that_does_not_flow() -> None:
    assert is_about_flow(parse("drop(succeeded, 10m) > 10%"))
    assert not is_about_flow(parse("host_memory > 0.9"))
    [moved] = quieted([alert("slow"), alert("full")], [], {"slow"}, 5.0, halted=True)
    assert (moved.rule, moved.inhibited_by) == ("slow", HALT)


# ---- matchers


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("pool=coder", True), ("pool != coder", False), ('pool=~"cod.*"', True), ("pool=~cod", False), ("pool!~cod", True),
        ("rule=deep", True), ("severity=warning", True), ("team=", True), ("team!=", False),
    ],
)  # fmt: skip
def test_matchers_are_those_of_alertmanager(text: str, holds: bool) -> None:  # noqa: FBT001
    assert matcher_of(text).matches(labels_of(alert())) is holds


@pytest.mark.parametrize("text", ["", "pool", "=coder", "pool=~[", "pool=~(a+)+", "pool=~" + "a" * 201, "pool=~(a)\\1"])
def test_bad_matchers_are_explained(text: str) -> None:
    with pytest.raises(UsageError):
        matcher_of(text)


# ---- a rule tried on the past


def samples_of(values: list[float | None], step_s: float = 1.0) -> list[Sample]:
    found = [Sample(1_000.0 + number * step_s, {("queue_depth", "coder"): value}, {}) for number, value in enumerate(values) if value is not None]
    return [one for one in found if one.values]


def test_a_replay_tells_when_a_rule_would_have_fired() -> None:
    found = replay(watched(for_s=3.0), samples_of([5.0] * 10 + [500.0] * 20 + [5.0] * 10 + [500.0] * 5), ["coder"], 1.0)
    assert [(one.pending_at, one.fired_at, one.resolved_at) for one in found.fired] == [(1_010.0, 1_013.0, 1_030.0), (1_040.0, 1_043.0, 0.0)]
    assert (found.total, found.samples, found.known, found.held) == (2, 45, 45, 25)


def test_a_replay_by_minutes_counts_minutes_and_leaves_gaps_out() -> None:
    rule = watched(expr="avg(queue_depth, 10m) > 100", for_s=300.0)
    found = replay(rule, samples_of([5.0] * 20 + [500.0] * 40 + [5.0] * 20, 60.0), ["coder"], 60.0)
    [one] = found.fired
    assert 1_000 + 25 * 60 <= one.fired_at <= 1_000 + 29 * 60
    gap = replay(watched(for_s=1_200.0), samples_of([500.0] * 10 + [None] * 60 + [500.0] * 9, 60.0), ["coder"], 60.0)
    assert gap.total == 0, "an hour without figures is no hour of trouble"


@pytest.mark.parametrize("expr", ["event(host.lost)", "agent_rss_mb > 5 or hosts > 1"])
def test_what_the_history_does_not_have_is_not_tried(expr: str) -> None:
    with pytest.raises(UsageError):
        check_replayable(parse(expr))
