"""What pools ask of a machine and what the machine keeps back, as it is configured."""

from __future__ import annotations

import re

from pydantic import Field, field_validator

from engine.model.agents import Resources
from engine.model.config_tree import ConfigTree
from engine.model.quantities import cores, megabytes

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,31}")
_TAKEN = frozenset({"cpu", "memory", "storage", "cores"})


def _check_named(named: dict[str, float]) -> dict[str, float]:
    for name, amount in named.items():
        if not _NAME.fullmatch(name) or name in _TAKEN:
            raise ValueError(f"{name!r} is no name for a resource; write a small letter, then letters, digits, - or _, and none of {', '.join(sorted(_TAKEN))}")
        if not 0 < amount <= 1_000_000:  # noqa: PLR2004  # a bound against typing errors
            raise ValueError(f"{name} is {amount:g}; it must be above 0 and at most 1000000")
    return named


class ResourcesConfig(ConfigTree):
    """What one agent of a pool may use."""

    memory: int = Field(512, ge=0, description="megabytes, or text such as '4GB'")
    cpu: float = Field(0.5, ge=0, description="cores, or text such as '500m'")
    storage: int = Field(0, ge=0, description="megabytes; 0 = not stated")
    reserved: bool = Field(default=False, description="keep memory and cpu for each agent; it starts only where they are not taken")
    named: dict[str, float] = Field(default_factory=dict, description="what else each agent takes of [machine.named], such as { gpu = 1 }")

    @field_validator("memory", "storage", mode="before")
    @classmethod
    def _quantity(cls, value: object) -> int:
        return megabytes(value)

    @field_validator("cpu", mode="before")
    @classmethod
    def _cores(cls, value: object) -> float:
        return cores(value)

    _named = field_validator("named")(_check_named)

    def made(self) -> Resources:
        """Return it as the engine has it."""
        return Resources(self.memory, self.cpu, self.storage, self.reserved, dict(self.named))


class MachineSection(ConfigTree):
    """The machine that the engine runs on: what it has for agents. Cores and memory are measured unless they are given."""

    cpu: float = Field(0.0, ge=0, description="cores for agents, or text such as '500m'; 0 = as measured")
    memory: int = Field(0, ge=0, description="megabytes for agents, or text such as '8GB'; 0 = as measured")
    reserve_cpu: float = Field(0.0, ge=0, description="cores that agents do not get")
    reserve_memory: int = Field(256, ge=0, description="megabytes that agents do not get; also what stays free when agents start")
    named: dict[str, float] = Field(default_factory=dict, description="what else it has, such as { gpu = 2 }")
    memory_admission: bool = Field(default=True, description="start agents only while their memory is free, so that nothing is swapped out")

    @field_validator("memory", "reserve_memory", mode="before")
    @classmethod
    def _quantity(cls, value: object) -> int:
        return megabytes(value)

    @field_validator("cpu", "reserve_cpu", mode="before")
    @classmethod
    def _cores(cls, value: object) -> float:
        return cores(value)

    _named = field_validator("named")(_check_named)
