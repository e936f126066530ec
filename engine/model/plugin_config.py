"""The section `plugins` of the configuration: which plug-ins run, and what each is told (docs/plugins.md)."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, StringConstraints

from engine.model.config_tree import ConfigTree

PluginName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,39}$")]


class PluginConfig(ConfigTree):
    """A plug-in that runs: an entry point of the group `fleet_tui` with the table's name."""

    enabled: bool = Field(default=True, description="false = it is installed and left alone")
    timeout_s: float = Field(10.0, ge=0.1, le=600, description="longest that loading it may take, and each look at its metrics")
    interval_s: float = Field(5.0, ge=0.1, le=3_600, description="between two looks at its metrics")
    settings: dict[str, Any] = Field(default_factory=dict, description="what it is told at its start; no place for secrets: name a variable or a file")
