"""The fleet engine: coordinator, pools, agents, tasks and journal, without a screen.

`from engine import FleetManager` is all that a program needs; names are loaded at their first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.config import FleetManagerConfig
    from engine.fleet import FleetManager
    from engine.library import AgentBooster, AutoScalingManager, ScalingStatus
    from engine.library_memory import SwarmMemory
    from engine.library_monitor import FleetMonitor
    from engine.library_security import SecurityManager
    from engine.model.agents import Agent, AgentType, Allocation
    from engine.model.errors import FleetError
    from engine.model.events import Record as FleetEvent
    from engine.model.library import (
        AgentConfig,
        AgentFilter,
        BoosterStatus,
        BoosterTaskRequest,
        BoosterTaskResult,
        PerformanceReport,
        TaskRequirements,
        TaskResult,
    )
    from engine.model.pools import Pool, PoolSpec
    from engine.model.rows import FleetStatus
    from engine.model.scaling import Policy as ScalingPolicy
    from engine.model.tasks import Task

__all__ = [
    "Agent",
    "AgentBooster",
    "AgentConfig",
    "AgentFilter",
    "AgentType",
    "Allocation",
    "AutoScalingManager",
    "BoosterStatus",
    "BoosterTaskRequest",
    "BoosterTaskResult",
    "FleetError",
    "FleetEvent",
    "FleetManager",
    "FleetManagerConfig",
    "FleetMonitor",
    "FleetStatus",
    "PerformanceReport",
    "Pool",
    "PoolSpec",
    "ScalingPolicy",
    "ScalingStatus",
    "SecurityManager",
    "SwarmMemory",
    "Task",
    "TaskRequirements",
    "TaskResult",
]

_HOMES = {
    "Agent": "engine.model.agents",
    "AgentBooster": "engine.library",
    "AgentConfig": "engine.model.library",
    "AgentFilter": "engine.model.library",
    "AgentType": "engine.model.agents",
    "AlertManager": "engine.library_alerts",
    "Allocation": "engine.model.agents",
    "AutoScalingManager": "engine.library",
    "BoosterStatus": "engine.model.library",
    "BoosterTaskRequest": "engine.model.library",
    "BoosterTaskResult": "engine.model.library",
    "FleetError": "engine.model.errors",
    "FleetEvent": "engine.model.events:Record",
    "FleetManager": "engine.fleet",
    "FleetManagerConfig": "engine.config",
    "FleetMonitor": "engine.library_monitor",
    "FleetStatus": "engine.model.rows",
    "PerformanceReport": "engine.model.library",
    "Pool": "engine.model.pools",
    "PoolSpec": "engine.model.pools",
    "ScalingPolicy": "engine.model.scaling:Policy",
    "ScalingStatus": "engine.library",
    "SecurityManager": "engine.library_security",
    "SwarmMemory": "engine.library_memory",
    "Task": "engine.model.tasks",
    "TaskRequirements": "engine.model.library",
    "TaskResult": "engine.model.library",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401  # whatever the name stands for
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'engine' has no attribute {name!r}")
    module, _, inner = home.partition(":")
    return getattr(importlib.import_module(module), inner or name)
