"""The section `memory`: the seeds' form, its bounds, and what it says of what has no effect."""

from __future__ import annotations

from pathlib import Path

import pytest
from engine.config import parse_config
from engine.model.errors import ConfigError


@pytest.mark.row(104)
def test_the_seeds_production_section_is_taken() -> None:
    config = parse_config({"memory": {"backend": "hybrid", "sqlitePath": "/var/lib/fleet/memory.db", "aclEnabled": True}}, "test")
    assert config.memory.sqlite_path == Path("/var/lib/fleet/memory.db")
    assert config.memory.acl_enabled
    assert config.memory.backend == "hybrid"
    assert any("no section redis" in notice for notice in config.notices())


def test_a_memory_without_acl_is_said() -> None:
    assert any("everybody may read" in notice for notice in parse_config({"memory": {"acl_enabled": False}}, "test").notices())
    assert not parse_config({"memory": {}}, "test").memory.notices()


def test_an_unknown_backend_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"memory\.backend"):
        parse_config({"memory": {"backend": "mongo"}}, "test")
