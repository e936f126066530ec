"""The section `memory` of the configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from engine.model.config_tree import ConfigTree


class MemorySection(ConfigTree):
    """What the fleet remembers, where, and for whom."""

    backend: Literal["sqlite", "redis", "hybrid"] = Field(
        "sqlite", description="sqlite: the engine's database; redis and hybrid add a second cache in Redis where this version has one"
    )
    sqlite_path: Path | None = Field(
        None, description="the engine's database, with memory and the eleven other tables; none = fleet.db in the state directory"
    )
    acl_enabled: bool = Field(default=True, description="ask who may read and change entries; false = everybody may do everything")
    value_max_bytes: int = Field(8 << 20, ge=1_024, le=512 << 20, description="largest value, as JSON")
    cache_max_bytes: int = Field(64 << 20, ge=0, description="values read lately, kept in the process for 30 s; 0 = none")
    working_ttl_s: float = Field(3_600.0, ge=0, description="how long a working entry stays unless it says; 0 = for ever")
    tombstone_s: float = Field(7 * 86_400.0, ge=60, description="how long the version of a deleted entry is kept")

    def notices(self) -> list[str]:
        """Return one sentence for everything that is accepted but has no effect, or opens what is closed by default."""
        notices = []
        if self.backend != "sqlite":
            notices.append(f"memory.backend is {self.backend}: this version runs embedded and keeps memory in SQLite alone")
        if not self.acl_enabled:
            notices.append("memory.acl_enabled is false: everybody may read and change every entry of memory")
        return notices
