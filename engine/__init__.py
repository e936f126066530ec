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
    from engine.library_dashboards import MonitoringSystem
    from engine.library_fleets import FleetOfSwarms
    from engine.library_memory import SwarmMemory
    from engine.library_monitor import FleetMonitor
    from engine.library_routing import IntelligentRouter, TaskRouter
    from engine.library_security import SecurityManager
    from engine.library_swarm import SwarmCoordinator
    from engine.model.agents import SEED_AGENT_TYPES as AGENT_TYPES
    from engine.model.agents import Agent, AgentType, Allocation, Capability
    from engine.model.agents import Performance as PerformanceProfile
    from engine.model.agents import Resources as ResourceRequirement
    from engine.model.consensus import Proposal
    from engine.model.errors import FleetError
    from engine.model.events import Record as FleetEvent
    from engine.model.library import (
        AgentConfig,
        AgentFilter,
        AgentScore,
        BoosterStatus,
        BoosterTaskRequest,
        BoosterTaskResult,
        PerformanceReport,
        RoutingContext,
        RoutingDecision,
        RoutingResult,
        ScoredAgent,
        TaskRequirements,
        TaskResult,
    )
    from engine.model.pools import Pool, PoolSpec
    from engine.model.rows import FleetStatus
    from engine.model.scaling import Policy as ScalingPolicy
    from engine.model.swarm_shapes import (
        MESH_CHARACTERISTICS,
        AgentConnection,
        AgentState,
        CenterAgent,
        ConsensusResult,
        ConsensusState,
        CoordinatorAgent,
        HierarchicalTopology,
        MeshTopology,
        RingTopology,
        SatelliteAgent,
        StarTopology,
        SwarmState,
        WorkerAgent,
    )
    from engine.model.tasks import Task, TaskState

__all__ = [
    "AGENT_TYPES",
    "MESH_CHARACTERISTICS",
    "Agent",
    "AgentBooster",
    "AgentConfig",
    "AgentConnection",
    "AgentFilter",
    "AgentScore",
    "AgentState",
    "AgentType",
    "Allocation",
    "AutoScalingManager",
    "BoosterStatus",
    "BoosterTaskRequest",
    "BoosterTaskResult",
    "Capability",
    "CenterAgent",
    "ConsensusResult",
    "ConsensusState",
    "CoordinatorAgent",
    "FleetError",
    "FleetEvent",
    "FleetManager",
    "FleetManagerConfig",
    "FleetMonitor",
    "FleetOfSwarms",
    "FleetStatus",
    "HierarchicalTopology",
    "IntelligentRouter",
    "MeshTopology",
    "MonitoringSystem",
    "PerformanceProfile",
    "PerformanceReport",
    "Pool",
    "PoolSpec",
    "Proposal",
    "ResourceRequirement",
    "RingTopology",
    "RoutingContext",
    "RoutingDecision",
    "RoutingResult",
    "SatelliteAgent",
    "ScalingPolicy",
    "ScalingStatus",
    "ScoredAgent",
    "SecurityManager",
    "StarTopology",
    "SwarmCoordinator",
    "SwarmMemory",
    "SwarmState",
    "Task",
    "TaskRequirements",
    "TaskResult",
    "TaskRouter",
    "TaskState",
    "WorkerAgent",
]

_HOMES = {
    "AGENT_TYPES": "engine.model.agents:SEED_AGENT_TYPES",
    "Agent": "engine.model.agents",
    "AgentBooster": "engine.library",
    "AgentConfig": "engine.model.library",
    "AgentConnection": "engine.model.swarm_shapes",
    "AgentFilter": "engine.model.library",
    "AgentScore": "engine.model.library",
    "AgentState": "engine.model.swarm_shapes",
    "AgentType": "engine.model.agents",
    "AlertManager": "engine.library_alerts",
    "Allocation": "engine.model.agents",
    "AutoScalingManager": "engine.library",
    "BoosterStatus": "engine.model.library",
    "BoosterTaskRequest": "engine.model.library",
    "BoosterTaskResult": "engine.model.library",
    "Capability": "engine.model.agents",
    "CenterAgent": "engine.model.swarm_shapes",
    "ConsensusResult": "engine.model.swarm_shapes",
    "ConsensusState": "engine.model.swarm_shapes",
    "CoordinatorAgent": "engine.model.swarm_shapes",
    "FleetError": "engine.model.errors",
    "FleetEvent": "engine.model.events:Record",
    "FleetManager": "engine.fleet",
    "FleetManagerConfig": "engine.config",
    "FleetMonitor": "engine.library_monitor",
    "FleetOfSwarms": "engine.library_fleets",
    "FleetStatus": "engine.model.rows",
    "HierarchicalTopology": "engine.model.swarm_shapes",
    "IntelligentRouter": "engine.library_routing",
    "MESH_CHARACTERISTICS": "engine.model.swarm_shapes",
    "MeshTopology": "engine.model.swarm_shapes",
    "MonitoringSystem": "engine.library_dashboards",
    "PerformanceProfile": "engine.model.agents:Performance",
    "PerformanceReport": "engine.model.library",
    "Pool": "engine.model.pools",
    "PoolSpec": "engine.model.pools",
    "Proposal": "engine.model.consensus",
    "ResourceRequirement": "engine.model.agents:Resources",
    "RingTopology": "engine.model.swarm_shapes",
    "RoutingContext": "engine.model.library",
    "RoutingDecision": "engine.model.library",
    "RoutingResult": "engine.model.library",
    "SatelliteAgent": "engine.model.swarm_shapes",
    "ScalingPolicy": "engine.model.scaling:Policy",
    "ScalingStatus": "engine.library",
    "ScoredAgent": "engine.model.library",
    "SecurityManager": "engine.library_security",
    "StarTopology": "engine.model.swarm_shapes",
    "SwarmCoordinator": "engine.library_swarm",
    "SwarmMemory": "engine.library_memory",
    "SwarmState": "engine.model.swarm_shapes",
    "Task": "engine.model.tasks",
    "TaskRequirements": "engine.model.library",
    "TaskResult": "engine.model.library",
    "TaskRouter": "engine.library_routing",
    "TaskState": "engine.model.tasks",
    "WorkerAgent": "engine.model.swarm_shapes",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401  # whatever the name stands for
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'engine' has no attribute {name!r}")
    module, _, inner = home.partition(":")
    return getattr(importlib.import_module(module), inner or name)
