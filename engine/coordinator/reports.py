"""What follows from each report of the engine's own parts, and from a new start."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from engine.agents import registry
from engine.coordinator.sizing import decide_sized
from engine.model import reports as r
from engine.model.agents import AgentStatus
from engine.model.events import (
    AgentReleased,
    AgentsReady,
    EngineTookOver,
    Event,
    PoolConfigured,
)
from engine.model.pools import Pool, PoolSpec
from engine.scaling.policies import leavers, scaled
from engine.scheduling import leases
from engine.state import FleetState
from engine.state.deciding import Deciding


def decide_report(state: FleetState, report: r.Report, deciding: Deciding) -> list[Event]:
    """Return what follows from a report; one that is out of date gives nothing or a record of its lateness."""
    return _DECIDE[type(report)](state, report, deciding)


def _decide_host_down(state: FleetState, report: r.HostDown, deciding: Deciding) -> list[Event]:
    if report.host not in state.hosts:
        return []
    agents = registry.agents_on(state, report.host)
    tasks = [state.tasks[agent.task] for agent in agents if agent.task is not None]
    return [
        registry.host_lost(report.host, report.reason),
        *leases.decide_lost(state, tasks, report.reason, deciding),
        *registry.restart_all(agents, report.reason),
    ]


def _decide_started(state: FleetState, report: r.EngineStarted, deciding: Deciding) -> list[Event]:
    """Take over: nothing that the former engine held still runs, so every held task waits again."""
    events: list[Event] = [EngineTookOver(report.engine, report.version, report.pid)]
    events += leases.decide_left_by_engine(state, deciding)
    for allocation in list(state.allocations.values()):
        events.append(AgentReleased(allocation.id, ok=False, seconds=0.0, reason="the engine restarted"))
    events += [registry.host_lost(host, "the engine restarted") for host in state.hosts]
    agents = list(state.agents.values())
    if agents:
        events += registry.restart_all(agents, "the engine started")
    return events


def decide_pools(state: FleetState, specs: tuple[PoolSpec, ...], deciding: Deciding) -> list[Event]:
    """Return what brings the pools in line with the configuration: new ones at their min, sizes inside the bounds."""
    events: list[Event] = []
    for spec in specs:
        pool = state.pools.get(spec.name)
        if pool is None:
            events.append(PoolConfigured(spec, spec.min))
            events += [registry.new_agents(Pool(spec), spec.min, deciding)] if spec.min else []
        else:
            events += [PoolConfigured(spec, pool.size)] if pool.spec != spec else []
            events += _into_bounds(state, pool, spec, deciding)
    configured = {spec.name for spec in specs}
    for name, pool in state.pools.items():
        if name not in configured and pool.spec.min:
            events.append(PoolConfigured(replace(pool.spec, min=0), pool.size))
    return events


def _into_bounds(state: FleetState, pool: Pool, spec: PoolSpec, deciding: Deciding) -> list[Event]:
    size = min(max(pool.size, spec.min), spec.max)
    if size == pool.size:
        return []
    staying = [agent for agent in state.agents_in(spec.name) if not agent.retiring]
    events = scaled(pool, size)
    if size > len(staying):
        events.append(registry.new_agents(replace(pool, spec=spec), size - len(staying), deciding))
    elif size < len(staying):
        events += registry.leave(leavers(staying, len(staying) - size), f"{spec.name} holds {spec.max} agents at most")
    return events


def _decide_agents_failed(state: FleetState, report: r.AgentsFailed, deciding: Deciding) -> list[Event]:
    """Agents that are to start cannot; one that works by now is left out."""
    starting = tuple(
        agent_id for agent_id in report.agents if agent_id in state.agents and state.agents[agent_id].status is AgentStatus.STARTING
    )
    return registry.decide_agents_failed(state, replace(report, agents=starting), deciding)


def _decide_agents_up(state: FleetState, report: r.HostUp | r.AgentsUp, deciding: Deciding) -> list[Event]:
    """Agents are up; of those that were so already, the ones that have moved follow their host."""
    events = registry.decide_host_up(state, report, deciding)
    host = report.host if isinstance(report, r.HostUp) else None
    name = host.id if host else report.host
    moved = tuple(
        agent_id
        for agent_id in report.agents
        if agent_id in state.agents and state.agents[agent_id].host not in (None, name)
    )
    known = host or (state.hosts[name].info if name in state.hosts else None)
    return [*events, AgentsReady(known, moved)] if known and moved else events


_DECIDE: dict[type, Callable[[FleetState, Any, Deciding], list[Event]]] = {
    r.HostUp: _decide_agents_up,
    r.AgentsUp: _decide_agents_up,
    r.HostDown: _decide_host_down,
    r.AgentsFailed: _decide_agents_failed,
    r.HealthSeen: registry.decide_health,
    r.PoolsSized: decide_sized,
    r.TasksBegan: leases.decide_began,
    r.TasksEnded: leases.decide_ended,
    r.EngineStarted: _decide_started,
}
