"""Regions as they are configured, and what an engine makes of what it measured and heard."""

from __future__ import annotations

from typing import Any

import pytest
from engine.config import FleetManagerConfig, parse_config
from engine.model.errors import ConfigError
from engine.model.region_rows import RegionRow, RoundTrip, Told
from engine.regions.balancer import choose
from engine.regions.directory import Directory
from tests.ui.fleet import StillClock

SHARED = {"url": "redis://here", "share": True, "region": "us-east-1", "command_timeout_s": 3}
EU = {"url": "rediss://eu.example", "cost": 1.2, "location": "Ireland", "residency": ["eu"]}


def parsed(regions: dict[str, Any], redis: dict[str, Any] | None = None) -> FleetManagerConfig:
    return parse_config({"redis": SHARED if redis is None else redis, "regions": regions}, "test")


def test_another_region_has_a_server_of_its_own_and_the_patience_of_ours() -> None:
    config = parsed({"us-east-1": {}, "eu-west-1": EU})
    assert config.redis is not None
    server = config.regions["eu-west-1"].server(config.redis)
    assert (server.url, server.region, server.command_timeout_s, server.is_shared) == ("rediss://eu.example", "us-east-1", 3, True)
    assert config.regions["us-east-1"].cost == 1


@pytest.mark.parametrize(
    ("regions", "redis", "told"),
    [
        ({"eu-west-1": EU}, None, r"add \[regions.us-east-1\]"),
        ({"us-east-1": {}}, {"url": "redis://here", "region": "us-east-1"}, "share = true"),
        ({"us-east-1": {"url": "redis://here"}}, None, "leave it out here"),
        ({"us-east-1": {}, "eu-west-1": {}}, None, "where is its server"),
        ({"us-east-1": {}, "eu-west-1": {"url": "http://eu"}}, None, "regions.eu-west-1: url begins with http"),
        ({"us-east-1": {}, "Europe": EU}, None, "Europe"),
        ({"us-east-1": {}, **{f"r{number}": EU for number in range(16)}}, None, "16 are the most"),
        ({"us-east-1": {}, "eu-west-1": {**EU, "costs": 2}}, None, "did you mean 'cost'"),
    ],
)
def test_what_makes_no_sense_is_refused_with_what_to_do(regions: dict[str, Any], redis: dict[str, Any] | None, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        parsed(regions, redis)


def directory() -> tuple[Directory, StillClock]:
    clock = StillClock()
    return Directory("us-east-1", parsed({"us-east-1": {}, "eu-west-1": EU}).regions, clock), clock


def test_round_trips_are_the_median_and_the_99th_of_a_hundred_of_what_was_measured() -> None:
    regions, _clock = directory()
    for number in range(200):
        regions.answered("eu-west-1", number / 1_000)
    row = regions.rows()["eu-west-1"]
    assert (row.rtt_s, row.rtt_p99_s, row.probes) == (0.139, 0.198, 120), "of the newest 120"
    assert regions.trips() == (RoundTrip("eu-west-1", 0.139, 0.198, 120),)
    assert regions.rows()["us-east-1"].rtt_s is None


def test_a_region_is_as_its_server_answers_and_its_engines_tell() -> None:
    regions, clock = directory()
    seen = []

    def look() -> None:
        row = regions.rows()["eu-west-1"]
        seen.append(row.health)
        assert bool(row.reason) is (row.health != "healthy")

    look()
    regions.answered("eu-west-1", 0.08)
    look()
    regions.heard("eu-west-1", 0.5, Told("eng_1", seq=7, waiting=2))
    look()
    regions.unanswered("eu-west-1", "connection refused")
    look()
    clock.at += 3
    look()
    regions.answered("eu-west-1", 0.08)
    regions.heard("eu-west-1", 0.1, Told("eng_2", seq=9))
    regions.heard("eu-west-1", 60, Told("eng_1", seq=7))
    look()
    assert seen == ["unknown", "silent", "healthy", "cut off", "down", "healthy"]
    assert regions.rows()["eu-west-1"].engine == "eng_2", "what is older is passed over"
    regions.heard("mars", 0, Told())
    assert set(regions.rows()) == {"us-east-1", "eu-west-1"}


def placed(name: str, *, own: bool = False, **known: Any) -> RegionRow:  # noqa: ANN401
    usual: dict[str, Any] = {"is_own": own, "location": "", "cost": 1.0, "residency": "", "rtt_s": 0.0 if own else 0.08, "rtt_p99_s": None, "probes": 1, "measured_at": 1.0, "heard_at": 1.0}
    more: dict[str, Any] = {"engine": "", "seq": 0, "waiting": 0, "free": 1, "trips": "", "reason": ""}
    return RegionRow(name, **{"health": "healthy", **usual, **more, **known})


def chosen(*rows: RegionRow, region: str = "", residency: tuple[str, ...] = (), overflow: bool = False) -> str:
    return choose({row.id: row for row in rows}, "us", region, residency, overflow=overflow)


@pytest.mark.row(37, 263)
def test_a_task_goes_to_the_region_that_it_names_may_be_kept_in_or_is_nearest_and_cheapest_with_room() -> None:
    here, full = placed("us", own=True), placed("us", own=True, free=0, waiting=3)
    near, far, cheap = placed("eu", rtt_s=0.08), placed("ap", rtt_s=0.2), placed("in", rtt_s=0.2, cost=0.5)
    assert chosen(here, near, region="eu") == "eu"
    assert chosen(here, near, region="mars") == "us", "which refuses it by name"
    assert chosen(full, near) == "us", "only with overflow does it go elsewhere"
    assert chosen(here, near, overflow=True) == "us"
    assert chosen(full, far, near, overflow=True) == "eu"
    assert chosen(full, far, near, cheap, overflow=True) == "in", "0.5 * 3 is less than 1.8"
    assert chosen(full, near._replace(free=0), far, overflow=True) == "ap"
    assert chosen(full, near._replace(health="down"), overflow=True) == "us"
    bound = placed("eu", residency="eu, gdpr")
    assert chosen(here, bound, far, residency=("eu",)) == "eu"
    assert chosen(here, bound._replace(free=0), residency=("eu",)) == "eu", "it waits where it may be kept"
    assert chosen(here, bound._replace(health="down"), residency=("eu",)) == "us", "which refuses it"
    assert chosen(here, bound, residency=("eu", "us")) == "us"
