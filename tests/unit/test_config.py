"""Configuration: what is accepted, and the text of every error, which names the key and what to write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from engine.config import FleetManagerConfig, load_config, parse_config
from engine.model.errors import ConfigError
from engine.model.quantities import cores, megabytes


def errors(data: dict[str, Any]) -> str:
    with pytest.raises(ConfigError) as caught:
        parse_config(data, "fleet.toml")
    return str(caught.value)


@pytest.mark.row(47, 91)
def test_default_is_the_sixteen_pools_and_the_boosters() -> None:
    config = parse_config({}, "test")
    assert len(config.pool_specs()) == 17
    assert len(config.without_booster().pool_specs()) == 16
    assert config.notices() == []


@pytest.mark.row(101)
def test_fleet_section_takes_the_seeds_keys_in_milliseconds() -> None:
    fleet = {
        "maxAgents": 1000,
        "defaultPools": [{"type": "coder", "min": 5, "max": 100, "priority": 8, "resources": {"memory": 512, "cpu": 0.5}}],
        "heartbeatInterval": 5000,
        "healthCheckInterval": 10000,
    }
    config = parse_config({"fleet": fleet}, "test")
    assert (config.fleet.max_agents, config.fleet.heartbeat_interval_s, config.fleet.health_check_interval_s) == (1000, 5.0, 10.0)
    [spec] = config.pool_specs()
    assert (spec.name, spec.min, spec.max, spec.priority, spec.type) == ("coder", 5, 100, 8, "coder")


@pytest.mark.row(74)
def test_pools_as_a_table_take_name_from_the_key_and_default_resources() -> None:
    [spec] = parse_config({"fleet": {"default_pools": {"coder": {"min": 5, "max": 100}}}}, "test").pool_specs()
    assert (spec.name, spec.resources.memory, spec.resources.cpu) == ("coder", 512, 0.5)


def test_own_pool_and_change_to_a_seed() -> None:
    config = parse_config({"pools": {"coder": {"max": 3}, "baker": {"min": 0, "max": 2, "capabilities": ["bread"]}}}, "test")
    specs = {spec.name: spec for spec in config.pool_specs()}
    assert (specs["coder"].min, specs["coder"].max, specs["coder"].priority) == (3, 3, 8)
    assert (specs["baker"].capabilities, len(specs)) == (("bread",), 18)


@pytest.mark.parametrize(
    ("value", "amount"), [(512, 512), ("512MB", 512), ("4GB", 4096), ("0.5 GB", 512), ("1TB", 1024 * 1024), ("2Gi", 2048), ("2048KB", 2)]
)
@pytest.mark.row(76)
def test_memory(value: object, amount: int) -> None:
    assert megabytes(value) == amount


@pytest.mark.parametrize(("value", "amount"), [(2, 2.0), (0.5, 0.5), ("500m", 0.5), ("1.5", 1.5), (".5", 0.5)])
def test_cores(value: object, amount: float) -> None:
    assert cores(value) == amount


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ({"flete": {}}, "fleet.toml: unknown key 'flete'; did you mean 'fleet'?"),
        ({"tasks": {"aging": 3}}, "unknown key 'tasks.aging'; did you mean 'aging_s'?"),
        ({"pools": {"x": {"mim": 3}}}, "unknown key 'pools.x.mim'; did you mean 'min'?"),
        ({"fleet": {"default_pools": {"x": {"maks": 3}}}}, "maks'; did you mean 'max'?"),
        ({"pools": {"x": {"kind": "command", "command": {"argv": ["a"], "promt": "stdin"}}}}, "promt'; did you mean 'prompt'?"),
        ({"pools": {"x": {"min": 5, "max": 3}}}, "pools.x: min 5 is above max 3"),
        ({"pools": {"x": {"kind": "command"}}}, "kind 'command' needs a [pools.NAME.command] table with argv"),
        ({"pools": {"x": {"kind": "command", "command": {"argv": []}}}}, "pools.x.command.argv"),
        ({"pools": {"x": {"resources": {"memory": "lots"}}}}, "'lots' is no amount of memory; write 512 (megabytes) or '4GB'"),
        ({"pools": {"x": {"resources": {"cpu": "half"}}}}, "'half' is no number of cores; write 0.5 or '500m'"),
        ({"pools": {"coder": {"max": "many"}}}, "pools.coder.max: Input should be a valid integer"),
        ({"pools": {"coder": 5}}, "pools.coder is a table; write [pools.coder] and its keys below: type, min, max,"),
        ({"pools": {"coder": {"kind": "command", "command": ["ls"]}}}, "pools.coder.command is a table; write [pools.coder.command] and its keys below: argv,"),
        ({"fleet": {"max_agents": 5}}, "the pools' min add up to 27, above fleet.max_agents 5"),
        ({"fleet": {"heartbeatInterval": "5000"}}, "heartbeatInterval is '5000'; write milliseconds as a number, such as 5000"),
        ({"fleet": {"defaultPools": ["coder"]}}, "each pool in the list defaultPools must be a table with its name as `type`"),
        ({"fleet": {"default_pools": [{"min": 1}]}}, "must be a table with its name as `type`"),
        ({"routing": dict.fromkeys(("capability_match", "availability", "performance", "cost", "historical"), 0)}, "at least one weight"),
        ({"tasks": {"aging_s": 0}}, "tasks.aging_s: Input should be greater than 0"),
        ({"log_level": "LOUD"}, "log_level: Input should be 'DEBUG', 'INFO', 'WARNING' or 'ERROR'"),
        ({"name": ""}, "name: String should have at least 1 character"),
    ],
)
def test_error_texts(data: dict[str, Any], text: str) -> None:
    assert text in errors(data)


def test_every_wrong_key_is_named() -> None:
    assert len(errors({"one": 1, "two": 2}).splitlines()) == 2


def test_sections_without_effect_say_so() -> None:
    limits = {"minAgents": 10, "maxAgents": 1_000}
    config = parse_config({"memory": {"backend": "hybrid"}, "autoScaling": {"policies": [], "limits": limits}}, "test")
    assert config.notices() == [
        "memory.backend is hybrid, and there is no section redis: memory has no second cache",
        "auto_scaling.limits.min_agents is 10, but the pools' min add up to 27",
        "auto_scaling.limits.max_agents is 1000, but the pools' max add up to 620",
    ]


def test_environment_goes_over_the_file(tmp_path: Path) -> None:
    path = tmp_path / "fleet.toml"
    path.write_text("name = 'file'\n[tasks]\naging_s = 5\nfinished_max = 200\n")
    environment = {"FLEET_TASKS__AGING_S": "30", "FLEET_NAME": "mine", "FLEET_TASK_ID": "tsk_1", "FLEET_ENGINE_PID": "1", "FLEET_SYNC_SECRET": "x", "HOME": "/"}
    config = load_config(path, environment)
    assert (config.name, config.tasks.aging_s, config.tasks.finished_max) == ("mine", 30.0, 200)
    assert load_config(None, {}) == FleetManagerConfig()


def test_environment_that_contradicts_itself() -> None:
    with pytest.raises(ConfigError, match="FLEET_TASKS__AGING_S: 'tasks' is set as a whole by another variable; unset one of them"):
        load_config(None, {"FLEET_TASKS": "5", "FLEET_TASKS__AGING_S": "30"})


def test_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        load_config(tmp_path / "none.toml", {})
    bad = tmp_path / "bad.toml"
    bad.write_text("name = ")
    with pytest.raises(ConfigError, match="not valid TOML"):
        load_config(bad, {})
    bad.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="not valid TOML"):
        load_config(bad, {})
