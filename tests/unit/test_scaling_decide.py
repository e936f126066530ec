"""One decision: properties that hold for any load and policy, and the meaning of each rule by example."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import pytest
from engine.model.scaling import (
    Decision,
    Direction,
    Fallback,
    FallbackSize,
    Hold,
    Limits,
    Observation,
    Panic,
    Policy,
    Prediction,
    Rate,
    Select,
    Trigger,
    Why,
)
from engine.scaling.decide import decide
from engine.scaling.history import Forecast, History
from engine.scaling.words import explain
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import examples

LIMITS = Limits(min=1, max=50)
TRACKING = Policy("pol_t", "track", target=0.85, scale_down=Direction())


def seen(at: float, size: int = 4, **values: object) -> Observation:
    figures: dict[str, object] = {"ready": size, "busy": 0, "waiting": 0, "service_s": 1.0, **values}
    return Observation(at, size, **figures)  # type: ignore[arg-type]


def follow(policies: Sequence[Policy], observations: Sequence[Observation], limits: Limits = LIMITS) -> list[Decision]:
    """Feed observations as they are, whatever is decided."""
    history = History()
    decisions = []
    for now in observations:
        history.observe(now, policies)
        decisions.append(decide(now, policies, limits, history))
        history.decided(decisions[-1])
    return decisions


def obey(policies: Sequence[Policy], loads: Sequence[tuple[int, int]], limits: Limits = LIMITS, size: int = 4) -> list[Decision]:
    """Feed (busy, waiting) once a second to a pool that has the decided size at once."""
    history = History()
    decisions = []
    for at, (busy, waiting) in enumerate(loads):
        now = seen(float(at), size, busy=min(busy, size), waiting=waiting)
        history.observe(now, policies)
        decision = decide(now, policies, limits, history)
        history.decided(decision)
        decisions.append(decision)
        size = decision.target
    return decisions


def whys(decision: Decision) -> list[Why]:
    return [reason.why for reason in decision.reasons]


# ---- properties

rates = st.builds(Rate, period_s=st.integers(1, 30).map(float), agents=st.integers(0, 6), percent=st.sampled_from([0.0, 10.0, 50.0, 100.0]))
directions = st.builds(
    Direction,
    stabilization_s=st.integers(0, 20).map(float),
    rates=st.lists(rates, max_size=2).map(tuple),
    select=st.sampled_from([Select.MAX, Select.MIN, Select.DISABLED]),
    cooldown_s=st.integers(0, 10).map(float),
    step_max=st.integers(0, 8),
)
triggers = st.builds(
    Trigger,
    metric=st.sampled_from(["queue_length", "utilisation", "oldest_waiting_s"]),
    threshold=st.sampled_from([0.3, 0.8, 2.0, 10.0]),
    sustained_s=st.integers(0, 15).map(float),
    step=st.integers(0, 5),
)
policies = st.builds(
    Policy,
    id=st.sampled_from(["pol_a", "pol_b", "pol_c"]),
    name=st.just("any"),
    up=st.none() | triggers,
    down=st.none() | triggers,
    target=st.sampled_from([0.0, 0.5, 0.85]),
    drain_s=st.sampled_from([1.0, 5.0, 30.0]),
    tolerance=st.sampled_from([0.0, 0.1]),
    scale_up=directions,
    scale_down=directions,
    zero_after_s=st.sampled_from([0.0, 5.0]),
    panic=st.none() | st.just(Panic(window_s=4.0, threshold=2.0, stable_s=10.0)),
)
policy_lists = st.lists(policies, max_size=3, unique_by=lambda policy: policy.id)
load_lists = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 60)), min_size=1, max_size=60)


@given(policy_lists, load_lists, st.integers(0, 5), st.integers(5, 50))
@settings(max_examples=examples(200), deadline=None)
def test_never_outside_the_limits_and_the_same_inputs_give_the_same_decisions(chosen, loads, low, high) -> None:
    limits = Limits(min=low, max=high)
    first = obey(chosen, loads, limits, size=low)
    assert all(low <= decision.target <= high for decision in first)
    assert first == obey(chosen, loads, limits, size=low)


@given(load_lists, st.lists(rates.filter(lambda rate: not rate.percent), min_size=1, max_size=2), st.booleans())
@settings(max_examples=examples(200), deadline=None)
def test_never_more_agents_in_any_period_than_the_rates_allow(loads, limits_of_rate, widest) -> None:
    select = Select.MAX if widest else Select.MIN
    policy = replace(TRACKING, scale_up=Direction(rates=tuple(limits_of_rate), select=select))
    decisions = obey([policy], loads)
    moves = [(decision.at, decision.target - decision.size) for decision in decisions]
    pick = max if widest else min

    def added(rate: Rate, end: float) -> int:
        return sum(delta for at, delta in moves if delta > 0 and end - rate.period_s < at <= end)

    for at, delta in moves:
        if delta > 0:
            assert pick(rate.agents - added(rate, at) for rate in limits_of_rate) >= 0


@given(load_lists, rates, st.booleans(), st.integers(1, 30))
@settings(max_examples=examples(300), deadline=None)
def test_neither_way_more_than_a_rate_of_agents_or_percent_allows_in_any_period(loads, rate, is_up, size) -> None:
    """A move is seen as an event one look later, so a period reaches one look further back; the rate is of the size at its start."""
    bounded = Direction(rates=(rate,))
    policy = replace(TRACKING, tolerance=0.0, **{"scale_up" if is_up else "scale_down": bounded})
    decisions = obey([policy], loads, size=size)
    sign = 1 if is_up else -1
    for end, last in enumerate(decisions):
        if (last.target - last.size) * sign <= 0:
            continue
        within = [decision for decision in decisions[: end + 1] if decision.at + 1 > last.at - rate.period_s]
        moved = sum(max(0, (decision.target - decision.size) * sign) for decision in within)
        share = within[0].size * rate.percent / 100
        allowed = max(rate.agents, math.ceil(share) if is_up else math.floor(share), 1 if rate.percent else 0)
        assert moved <= allowed


@given(load_lists, st.integers(2, 20))
@settings(max_examples=examples(200), deadline=None)
def test_never_turns_round_inside_a_stabilization_window(loads, window) -> None:
    policy = replace(TRACKING, tolerance=0.0, scale_down=Direction(stabilization_s=float(window)))
    decisions = obey([policy], loads)
    raised_at = -math.inf
    for decision in decisions:
        if decision.target > decision.size:
            raised_at = decision.at
        elif decision.target < decision.size:
            assert decision.at - raised_at > window - 1, "what was raised within the window went down"


@given(st.integers(1, 40), st.integers(0, 40), st.integers(0, 40), st.integers(0, 30))
@settings(max_examples=examples(300), deadline=None)
def test_more_load_never_gives_fewer_agents(size, busy, waiting, more) -> None:
    limits = Limits(min=0, max=1_000)
    busy = min(busy, size)
    low = follow([TRACKING], [seen(0.0, size, busy=busy, waiting=waiting)], limits)[0]
    high = follow([TRACKING], [seen(0.0, size, busy=busy, waiting=waiting + more)], limits)[0]
    assert high.target >= low.target


@given(policy_lists, load_lists, st.floats(0, 60), st.floats(0, 0.5))
@settings(max_examples=examples(200), deadline=None)
def test_a_forecast_never_lowers_a_recommendation(chosen, loads, foreseen, mape) -> None:
    predicting = [replace(policy, prediction=Prediction(error_max=0.3)) for policy in chosen]
    history, plain = History(), History()
    for at, (busy, waiting) in enumerate(loads):
        now = seen(float(at), 10, busy=min(busy, 10), waiting=waiting)
        history.observe(now, predicting)
        plain.observe(now, chosen)
        forecast = Forecast(at + 5.0, foreseen, foreseen, foreseen, mape)
        without = decide(now, chosen, LIMITS, plain)
        raised = decide(now, predicting, LIMITS, history, {policy.id: forecast for policy in chosen})
        assert dict(without.advised).keys() == dict(raised.advised).keys()
        for policy_id, size in without.advised:
            assert dict(raised.advised)[policy_id] >= size
        plain.decided(without)
        history.decided(without)


# ---- what each rule means


def test_tracks_demand_to_its_goal() -> None:
    decision = follow([TRACKING], [seen(0.0, 4, busy=4, waiting=30)])[0]
    assert decision.target == math.ceil((4 + 30 * 1.0 / 5.0) / 0.85)
    assert whys(decision) == [Why.TARGET]


def test_leaves_small_differences_alone() -> None:
    decision = follow([replace(TRACKING, tolerance=0.2)], [seen(0.0, 10, busy=9)])[0]
    assert (decision.target, whys(decision)) == (10, [Why.TOLERATED])


def cpu(up_s: float = 300.0, down_s: float = 600.0, *, hold: bool = False) -> Policy:
    return Policy(
        "pol_cpu",
        "cpu-scaling",
        up=Trigger("cpu", 0.8, up_s),
        down=Trigger("cpu", 0.3, down_s),
        scale_up=Direction(step_max=50),
        scale_down=Direction(step_max=20),
        hold_on_missing=hold,
    )


def test_a_condition_must_hold_without_a_break() -> None:
    values = [0.9] * 4 + [0.7] + [0.9] * 6
    decisions = follow([cpu(5.0)], [seen(float(at), 10, cpu=value) for at, value in enumerate(values)])
    assert [decision.target for decision in decisions] == [10] * 10 + [12]
    assert decisions[0].waits_until == 5.0
    assert whys(decisions[3]) == [Why.SUSTAINING]
    assert dict(decisions[10].reasons[0].figures) == {"cpu": 0.9, "threshold": 0.8, "sustained_s": 5.0}


@pytest.mark.parametrize("nothing", [None, math.nan, math.inf])
def test_a_missing_sample_breaks_a_condition_unless_told_otherwise(nothing: float | None) -> None:
    values = [0.9, 0.9, nothing, 0.9, 0.9, 0.9]
    observations = [seen(float(at), 10, cpu=value) for at, value in enumerate(values)]
    assert [decision.target for decision in follow([cpu(4.0)], observations)] == [10] * 6
    assert follow([cpu(4.0, hold=True)], observations)[4].target > 10


def test_a_gap_between_observations_breaks_a_condition() -> None:
    observations = [seen(at, 10, cpu=0.9) for at in (0.0, 1.0, 2.0, 60.0, 61.0)]
    assert [decision.target for decision in follow([cpu(5.0)], observations)] == [10] * 5


def test_a_fired_condition_must_hold_again_at_the_new_size() -> None:
    observations = [seen(float(at), 10 if at < 4 else 12, cpu=0.9) for at in range(8)]
    targets = [decision.target for decision in follow([cpu(3.0)], observations)]
    assert targets == [10, 10, 10, 12, 12, 12, 12, 14]


def test_a_clock_that_jumps_back_begins_anew() -> None:
    observations = [seen(at, 10, cpu=0.9) for at in (100.0, 101.0, 50.0, 51.0, 52.0)]
    assert [decision.target for decision in follow([cpu(3.0)], observations)] == [10] * 5


def test_panic_ignores_the_slow_rules_and_never_shrinks() -> None:
    policy = replace(
        TRACKING,
        scale_up=Direction(stabilization_s=60.0, rates=(Rate(60.0, agents=1),)),
        panic=Panic(window_s=3.0, threshold=2.0, stable_s=20.0),
    )
    decisions = obey([policy], [(4, 0)] + [(4, 60)] * 4 + [(0, 0)] * 24)
    burst = decisions[4]
    assert burst.target > burst.size or decisions[1].target > decisions[1].size
    assert Why.PANIC in whys(decisions[1])
    assert all(decision.target >= decision.size for decision in decisions[5:20])
    assert any(Why.PANIC_HOLDS in whys(decision) for decision in decisions[5:20])
    assert decisions[-1].target < decisions[6].size


def test_back_from_zero_by_activation_and_to_zero_by_idleness_alone() -> None:
    limits = Limits(min=0, max=10)
    policy = replace(TRACKING, activation=3, zero_after_s=5.0)
    asleep = follow([policy], [seen(0.0, 0, waiting=2), seen(1.0, 0, waiting=3)], limits)
    assert [decision.target for decision in asleep] == [0, 1]
    assert whys(asleep[1]) == [Why.ACTIVATED]
    idle = obey([policy], [(0, 0)] * 8, limits, size=2)
    assert [decision.target for decision in idle] == [1, 1, 1, 1, 1, 0, 0, 0]
    never = obey([replace(policy, zero_after_s=0.0)], [(0, 0)] * 8, limits, size=2)
    assert never[-1].target == 1


@pytest.mark.parametrize(
    ("behaviour", "target"),
    [
        (FallbackSize.STATIC, 6),
        (FallbackSize.CURRENT, 10),
        (FallbackSize.CURRENT_IF_HIGHER, 10),
        (FallbackSize.CURRENT_IF_LOWER, 6),
    ],
)
def test_falls_back_after_so_many_missing_samples(behaviour: FallbackSize, target: int) -> None:
    policy = replace(cpu(), fallback=Fallback(failures=3, size=6, behaviour=behaviour))
    decisions = follow([policy], [seen(float(at), 10, cpu=None) for at in range(3)])
    assert [decision.target for decision in decisions[:2]] == [10, 10]
    assert whys(decisions[0]) == [Why.UNKNOWN]
    assert decisions[2].target == target


def test_a_missing_metric_does_not_keep_another_from_raising() -> None:
    policy = replace(TRACKING, up=Trigger("cpu", 0.8, 5.0))
    up = follow([policy], [seen(0.0, 4, busy=4, waiting=40, cpu=None)])[0]
    down = follow([policy], [seen(0.0, 40, busy=2, cpu=None)])[0]
    assert up.target > 4
    assert (down.target, whys(down)) == (40, [Why.UNKNOWN])


def test_the_highest_of_several_policies_counts() -> None:
    greedy = Policy("pol_g", "greedy", up=Trigger("queue_length", 5.0, step=9))
    decision = follow([TRACKING, greedy], [seen(0.0, 4, busy=4, waiting=6)])[0]
    assert decision.target == 13
    assert decision.reasons[0].policy == "pol_g"
    assert dict(decision.advised) == {"pol_t": math.ceil((4 + 6 / 5) / 0.85), "pol_g": 13}


def test_a_lone_trigger_that_does_not_hold_has_no_opinion() -> None:
    lone = Policy("pol_g", "lone", up=Trigger("queue_length", 5.0, step=9))
    decision = follow([TRACKING, lone], [seen(0.0, 20, busy=2)])[0]
    assert decision.target == math.ceil(2 / 0.85)


def test_a_hold_keeps_the_size_until_it_ends() -> None:
    limits = replace(LIMITS, hold=Hold(2.0, "ada"))
    decisions = follow([TRACKING], [seen(float(at), 4, busy=4, waiting=60) for at in range(3)], limits)
    assert [whys(decision) for decision in decisions[:2]] == [[Why.HELD], [Why.HELD]]
    assert decisions[0].waits_until == 2.0
    assert decisions[2].target > 4


def test_the_budget_caps_what_load_would_like() -> None:
    policy = replace(TRACKING, cost_per_hour_max=36.0)
    limits = replace(LIMITS, cost_per_agent_s=0.001)
    decision = follow([policy], [seen(0.0, 4, busy=4, waiting=400)], limits)[0]
    assert decision.target == 10
    assert Why.BUDGET in whys(decision)


def test_a_disabled_direction_stays() -> None:
    policy = replace(TRACKING, scale_down=Direction(select=Select.DISABLED))
    decision = follow([policy], [seen(0.0, 20, busy=1)])[0]
    assert (decision.target, whys(decision)[-1]) == (20, Why.DISABLED)


def test_no_policy_leaves_the_size_alone() -> None:
    decision = follow([], [seen(0.0, 7, waiting=100)])[0]
    assert (decision.target, whys(decision)) == (7, [Why.NO_POLICY])


def test_it_says_what_decided_the_mean_with_what_is_spare_or_what_waits_now() -> None:
    policy = Policy("p", "", target=1.0, safety=1.0, average_s=60.0, drain_s=20.0, tolerance=0.1)
    steady = follow([policy], [seen(float(at), 9, busy=9, waiting=0) for at in range(90)], LIMITS)[-1]
    assert (steady.target, explain(steady)) == (12, "mean demand 9 for a goal of 1 and 3 to spare")
    burst = follow([policy], [seen(float(at), 9, busy=9, waiting=30 * (at > 80), service_s=40.0) for at in range(90)], LIMITS)[-1]
    assert (burst.target, explain(burst)) == (39, "demand 39 for a goal of 1")
