"""Where the requirements of scaling contradict each other: what was settled, each under the number of its line."""

from __future__ import annotations

import math
import re
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
from engine.config import parse_config
from engine.model.errors import CommandRefused, UsageError
from engine.model.policy_text import policy_of, problems
from engine.model.scaling import Direction, Limits, Observation, Panic, Policy, Trigger, Why
from engine.scaling.backtest import PoolTrace, replay, replay_static, static_for
from engine.scaling.follower import Follower
from engine.scaling.shapes import trace
from engine.scaling.spreading import Room, spread_down, spread_up
from tests.bench.bench_scaling import FOLLOWING
from tests.unit.test_policy_text import SEED

DOCS = Path(__file__).parents[2] / "docs" / "scaling.md"


def test_the_documented_policy_is_the_one_that_is_measured() -> None:
    [text] = re.findall(r"```toml\n(# fleet\.toml: made.*?)```", DOCS.read_text("utf-8"), re.DOTALL)
    config = parse_config(tomllib.loads(text), "docs/scaling.md")
    [documented] = [policy for policy in config.policies() if policy.id == "coder-demand"]
    assert replace(documented, id=FOLLOWING.id, name=FOLLOWING.name, pool="") == FOLLOWING


# ---- C6: the sixteen pools hold 615 agents, 1,000 are promised, and their min is above minAgents


def test_c6_limits_that_the_pools_cannot_meet_are_warned_about() -> None:
    config = parse_config({"booster": {"enabled": False}, "auto_scaling": {"limits": {"min_agents": 10, "max_agents": 1_000}}}, "test")
    assert sum(spec.max for spec in config.pool_specs()) == 615
    assert config.notices() == [
        "auto_scaling.limits.min_agents is 10, but the pools' min add up to 26",
        "auto_scaling.limits.max_agents is 1000, but the pools' max add up to 615",
    ]


def test_c6_the_preset_for_large_fleets_holds_them() -> None:
    given = {"fleet": {"default_pools": "scale"}, "booster": {"enabled": False}}
    config = parse_config({**given, "auto_scaling": {"limits": {"max_agents": 1_000}}}, "test")
    assert config.notices() == []
    assert sum(spec.max for spec in config.pool_specs()) == 1_230
    assert [spec.min for spec in config.pool_specs()] == [spec.min for spec in parse_config({"booster": {"enabled": False}}, "test").pool_specs()]
    changed = {spec.name: spec for spec in parse_config({**given, "pools": {"coder": {"priority": 3}}}, "test").pool_specs()}
    assert (changed["coder"].max, changed["coder"].priority, changed["tester"].max) == (200, 3, 160)


def test_c6_the_boosters_pool_comes_with_the_preset() -> None:
    assert len(parse_config({"fleet": {"defaultPools": "scale"}}, "test").pool_specs()) == 17
    with pytest.raises(UsageError):
        parse_config({"fleet": {"default_pools": "scales"}}, "test")


# ---- C13: 10 to 100 agents in 30 s, and a policy that waits 300 s


def grown_after(policy: Policy, seconds: int) -> int:
    """Return the size after some time in which all agents are fully used and 200 tasks wait."""
    follower = Follower([policy])
    size = 10
    for at in range(seconds + 1):
        size = follower.step(Observation(float(at), size, size, size, 200, cpu=1.0, service_s=5.0), Limits(10, 100)).target
    return size


def test_c13_a_sustained_policy_waits_its_time_and_says_that_a_burst_waits() -> None:
    slow = policy_of(SEED)
    assert "burst waits" in problems(slow).warnings[0]
    assert grown_after(slow, 299) == 10
    assert grown_after(slow, 300) > 10


@pytest.mark.row(270, 281)
@pytest.mark.parametrize(
    "burst",
    [
        Policy("sustained", "", up=Trigger("queue_length", 10, sustained_s=5.0, step=50)),
        Policy("panic", "", target=0.85, average_s=300.0, panic=Panic()),
    ],
    ids=lambda policy: policy.id,
)
def test_c13_a_burst_policy_goes_from_10_to_100_in_30_s(burst: Policy) -> None:
    assert problems(burst).warnings == []
    assert grown_after(burst, 30) == 100


# ---- C14: 85 % utilisation as a goal, and a trigger at 80 %


@pytest.mark.row(95, 273)
def test_c14_utilisation_is_busy_of_provisioned_agent_seconds_and_tracked_at_its_goal() -> None:
    load = trace("steps", 1, seconds=1_800.0, limits=Limits(1, 60))
    fixed = replay_static(load, 30, 1_800.0)
    assert fixed.utilisation == pytest.approx(fixed.busy_s / (30 * 1_800.0))
    tracked = replay(load, [Policy("goal", "", target=0.85, metric="utilisation", tolerance=0.1)], 1_800.0)
    assert tracked.utilisation > fixed.utilisation
    full = replay(trace("steps", 1, seconds=1_800.0, limits=Limits(1, 8)), [FOLLOWING], 1_500.0)
    assert full.utilisation >= 0.85


def test_c14_cpu_triggers_are_another_matter() -> None:
    by_cpu = Policy("cpu", "", up=Trigger("cpu", 0.8, step=1))
    busy = Observation(0.0, 10, 10, 10, 50, cpu=0.1)
    assert Follower([by_cpu]).step(busy, Limits(1, 20)).target == 10
    assert Follower([by_cpu]).step(busy._replace(busy=0, waiting=0, cpu=0.9), Limits(1, 20)).target == 11


# ---- C15: 40 % of what


@pytest.mark.row(95, 274)
def test_c15_savings_are_against_the_smallest_fixed_size_of_the_same_p95_wait() -> None:
    load = trace("bursts", 1, seconds=3_600.0, limits=Limits(1, 60))
    run = replay(load, [FOLLOWING], 3_600.0)
    fixed = static_for(load, run.wait_p95_s, 3_600.0, 60)
    assert fixed.wait_p95_s <= run.wait_p95_s < replay_static(load, fixed.peak - 1, 3_600.0).wait_p95_s
    assert 1 - run.agent_s / fixed.agent_s >= 0.40


# ---- C32: policies without pool, step and bounds; amounts without a pool


def test_c32_a_policy_may_say_its_pool_step_cooldown_stabilization_and_tolerance() -> None:
    policy = policy_of(
        {
            **SEED, "pool": "coder", "tolerance": 0.2, "scaleUpTrigger": {**SEED["scaleUpTrigger"], "step": 4},
            "scale_up": {"cooldown_s": 30, "stabilization_s": 10},
        }
    )  # fmt: skip
    assert (policy.pool, policy.tolerance, policy.up and policy.up.step) == ("coder", 0.2, 4)
    assert policy.scale_up == Direction(stabilization_s=10.0, cooldown_s=30.0)
    plain = policy_of(SEED)
    assert (plain.pool, plain.up and plain.up.step, plain.scale_up.cooldown_s) == ("", 0, 0.0)


def pool(name: str, priority: int, size: int, busy: int, waiting: int) -> Room:
    return Room(name, priority, size, 1, 20, busy, waiting)


@pytest.mark.row(66)
def test_c32_an_amount_without_a_pool_goes_by_priority_and_demand() -> None:
    pools = [pool("calm", 5, 5, 0, 0), pool("loaded", 5, 5, 5, 20), pool("urgent", 10, 5, 5, 20)]
    up = spread_up(10, pools)
    assert sum(up.values()) - 5 * len(up) == 10
    assert up["urgent"] > up["loaded"] > 5
    assert "calm" not in up
    down = spread_down(4, pools)
    assert down == {"calm": 1}, "what has no work gives first, down to its min"
    with pytest.raises(CommandRefused, match="there is room for 45 agents, not 46"):
        spread_up(46, pools)


# ---- bad input: explained or refused, never a wild scale


@pytest.mark.parametrize("nothing", [math.nan, math.inf, None])
def test_what_is_no_number_moves_nothing(nothing: float | None) -> None:
    policy = Policy("p", "", metric="cpu", target=0.5)
    follower = Follower([policy])
    sizes = [follower.step(Observation(float(at), 10, 10, 5, 0, cpu=nothing), Limits(1, 100)) for at in range(10)]
    assert {decision.target for decision in sizes} == {10}
    assert sizes[-1].reasons[0].why is Why.UNKNOWN


@pytest.mark.parametrize("jump_s", [-86_400.0, -5.0, 3_600.0, 86_400.0 * 365])
def test_a_clock_that_jumps_scales_nothing_by_itself(jump_s: float) -> None:
    follower = Follower([replace(FOLLOWING, panic=Panic(), zero_after_s=0.0)])
    sizes = set()
    for tick in range(300):
        at = 100_000.0 + tick + (jump_s if tick >= 150 else 0.0)
        sizes.add(follower.step(Observation(at, 10, 10, 7, 0, service_s=5.0), Limits(1, 100)).target)
    assert sizes == {10}


def test_a_trace_with_a_hole_shrinks_to_the_min_and_comes_back_within_the_limits() -> None:
    whole = trace("steps", 2, seconds=1_800.0, limits=Limits(1, 30))
    arrivals = type(whole.arrivals)("d", [at if at < 900 else at + 7_200 for at in whole.arrivals])
    run = replay(PoolTrace("coder", arrivals, whole.services, whole.limits), [FOLLOWING], 9_000.0)
    assert run.tasks == len(whole.arrivals)
    assert run.peak <= 30
    assert run.agent_s < 30 * 1_800 + 1.1 * 7_200, "the hole costs one agent"
    assert run.wait_p95_s < 30
