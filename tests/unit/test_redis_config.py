"""The section redis as people and the seeds write it, and which server it means."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from engine.config import FleetManagerConfig, parse_config
from engine.model.errors import ConfigError
from engine.model.redis_config import RedisSection
from engine.redis.targets import Mode, Target, target_of


def section(data: object) -> RedisSection:
    found = parse_config({"redis": data}, "test").redis
    assert found is not None
    return found


def target(data: object, environment: dict[str, str] | None = None) -> Target:
    return target_of(section(data), environment or {}, Path("/state/redis/redis.sock"))


@pytest.mark.row(96)
def test_the_six_keys_of_the_seeds() -> None:
    found = target({"host": "cache.example", "port": 6380, "password": "hush", "db": 2})
    assert (found.mode, found.nodes, found.db, found.login.password) == (Mode.STANDALONE, (("cache.example", 6380),), 2, "hush")
    assert target({"host": "a", "cluster": True}).mode is Mode.CLUSTER
    assert target({"host": "a", "cluster": False}).mode is Mode.STANDALONE
    assert target({"sentinel": {"sentinels": [{"host": "s", "port": 1}], "name": "m"}}).master == "m"


@pytest.mark.row(97)
def test_the_seeds_variables_and_what_they_are_without() -> None:
    assert str(target({})) == "localhost:6379"
    environment = {"REDIS_HOST": "h", "REDIS_PORT": "7000", "REDIS_DB": "4", "REDIS_PASSWORD": "p"}
    found = target({}, environment)
    assert (found.nodes, found.db, found.login.password) == ((("h", 7000),), 4, "p")
    written = target({"url": "redis://other/1", "password": "q"}, environment)
    assert (written.nodes, written.db, written.login.password) == ((("other", 6379),), 1, "q")
    assert parse_config({}, "test").redis is None, "variables alone make no engine use redis"


def test_a_url_names_sentinels_or_nodes() -> None:
    found = target("redis+sentinel://fleet:hu%2Fsh@s1:26380,s2,[::1]:26381/fleet-redis/2", {"REDIS_DB": "7"})
    assert (found.mode, found.nodes, found.master) == (Mode.SENTINEL, (("s1", 26380), ("s2", 26379), ("::1", 26381)), "fleet-redis")
    assert (found.db, found.login.username, found.login.password, found.tls) == (2, "fleet", "hu/sh", None)
    found = target({"url": "rediss+cluster://fleet@a:7000,b", "tls": {"ca_file": "/ca.pem"}}, {"REDIS_PASSWORD": "p", "REDIS_DB": "7"})
    assert (found.mode, found.nodes, found.login.password) == (Mode.CLUSTER, (("a", 7000), ("b", 6379)), "p")
    assert found.tls is not None
    assert found.tls.ca_file == Path("/ca.pem")
    assert target("rediss+cluster://a").tls is not None


@pytest.mark.parametrize("name", ["REDIS_PORT", "REDIS_DB"])
def test_a_variable_that_is_no_number_is_named(name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name} is 'x1': write a number"):
        target({}, {name: "x1"})


@pytest.mark.row(98)
def test_the_seeds_client_options() -> None:
    usual = section({})
    assert (usual.retry_delay_on_failover_s, usual.max_retries_per_request, usual.lazy_connect, usual.keep_alive_s) == (0.1, 3, True, 30.0)
    seeds = section({"retryDelayOnFailover": 250, "maxRetriesPerRequest": 5, "lazyConnect": False, "keepAlive": 60_000})
    assert (seeds.retry_delay_on_failover_s, seeds.max_retries_per_request, seeds.lazy_connect, seeds.keep_alive_s) == (0.25, 5, False, 60.0)


@pytest.mark.row(99)
def test_the_seeds_cluster() -> None:
    nodes = [{"host": f"redis-0{number}", "port": 6379} for number in (1, 2, 3)]
    options = {"redisOptions": {"password": "hush"}, "maxRedirections": 16, "retryDelayOnFailover": 100, "enableReadyCheck": False}
    found = section({"cluster": {"nodes": nodes, "options": options}})
    assert found.cluster is not None
    assert (found.cluster.max_redirections, found.cluster.enable_ready_check, found.retry_delay_on_failover_s) == (16, False, 0.1)
    where = target_of(found, {})
    assert (where.mode, where.nodes) == (Mode.CLUSTER, (("redis-01", 6379), ("redis-02", 6379), ("redis-03", 6379)))
    assert where.login.password == "hush"


@pytest.mark.row(100)
def test_the_production_example_of_the_seeds_has_cluster_and_sentinel_and_sentinel_holds() -> None:
    data = {
        "host": "redis.production.example.com", "port": 6379, "cluster": True,
        "sentinel": {"sentinels": [{"host": "sentinel1.example.com", "port": 26379}, {"host": "sentinel2.example.com", "port": 26379}], "name": "fleet-redis"},
    }  # fmt: skip
    where = target(data, {"REDIS_PASSWORD": "hush"})
    assert (where.mode, where.master, where.login.password) == (Mode.SENTINEL, "fleet-redis", "hush")
    assert where.nodes == (("sentinel1.example.com", 26379), ("sentinel2.example.com", 26379))
    [notice] = parse_config({"redis": data}, "test").notices()
    assert "redis.cluster and redis.sentinel are both set" in notice
    assert "redis.sentinel holds" in notice


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ({"cluster": True, "db": 3}, "a Redis Cluster has only database 0"),
        ({"url": "redis://h/3", "cluster": True}, "a Redis Cluster has only database 0"),
        ({"url": "http://h"}, "url begins with http: write redis://, rediss://"),
        ({"url": "localhost"}, "url begins with nothing known"),
        ({"url": "redis://h", "host": "g"}, "url says where the server is, and so does host"),
        ({"url": "redis://h", "port": 1}, "and so does port"),
        ({"url": "redis://h/x"}, "a database is a number"),
        ({"url": "unix:///s", "tls": True}, "one server without TLS"),
        ({"url": "embedded", "host": "h"}, "names another server, too"),
        ({"tls": {"cert_file": "c"}}, "cert_file and key_file go together"),
        ({"sentinel": {"sentinels": [], "name": "x"}}, "redis.sentinel.sentinels"),
        ("redis+sentinel://s1:26379", "what the Sentinels call the master is NAME"),
        ("redis+sentinel:///m", "url is redis+sentinel://"),
        ("redis+cluster://", "url is redis+cluster://user@a:6379,b:6379"),
        ("redis+cluster://a/2", "only database 0"),
        ("redis+cluster://a/x", "url is redis+cluster://"),
        ("redis+kluster://a", "url begins with redis+kluster: write redis://"),
        ({"url": "redis+cluster://a", "host": "b"}, "and so does host: write it once"),
        ({"hots": "x"}, "unknown key 'redis.hots'"),
    ],
)
def test_what_makes_no_sense_is_refused_with_what_to_do(data: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        section(data)
    assert text in str(caught.value)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("embedded", "the private server at /state/redis/redis.sock"),
        ("unix:///run/redis.sock", "the server at /run/redis.sock"),
        ("rediss://me:hush@h:1/2", "h:1, database 2, TLS"),
        ({"sentinel": {"sentinels": ["a:1", "b"], "name": "m"}, "tls": True}, "m by the Sentinels a:1, b:26379, TLS"),
        ({"cluster": {"nodes": ["a:1", "[::1]:2"]}}, "the cluster with a:1, ::1:2"),
    ],
)
def test_a_server_is_named_without_secrets(data: object, text: str) -> None:
    assert str(target(data)) == text
    assert "hush" not in repr(target(data))


def test_passwords_do_not_leave_the_configuration() -> None:
    config = FleetManagerConfig.model_validate({"redis": {"password": "hush", "sentinel": {"sentinels": ["a"], "name": "m", "password": "hush"}}})
    assert "hush" not in repr(config)
    assert "hush" not in config.model_dump_json()
