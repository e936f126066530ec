"""What follows from each report of the engine's own parts, and from a new start."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from engine.agents import launching, registry
from engine.coordinator import gangs, hosts
from engine.coordinator.sizing import (
    Resizing,
    decide_machine,
    decide_sized,
    respecified,
)
from engine.coordinator.waiting import decide_room
from engine.model import reports as r
from engine.model.agent_events import AgentReleased, AgentsBroken
from engine.model.agents import AgentStatus
from engine.model.errors import UsageError
from engine.model.events import EngineTookOver, Event
from engine.model.ids import AgentId
from engine.model.pool_events import PoolConfigured, PoolEdited
from engine.model.pools import BOOSTER, Pool, PoolSpec, overridden
from engine.model.questions import TaskAsked
from engine.model.task_events import TasksSubmitted
from engine.monitoring.alerts.rule_verbs import decide_seen
from engine.scheduling import answering, handing, leases, reviews, routing_verbs, spending
from engine.state import FleetState
from engine.state.deciding import Deciding

logger = logging.getLogger(__name__)


def decide_report(state: FleetState, report: r.Report, deciding: Deciding) -> list[Event]:
    """Return what follows from a report; one that is out of date gives nothing or a record of its lateness."""
    return _DECIDE[type(report)](state, report, deciding)


def _decide_host_down(state: FleetState, report: r.HostDown, deciding: Deciding) -> list[Event]:
    host = state.hosts.get(report.host)
    if host is None:
        return []
    if host.info.joined is not None:
        return hosts.decide_lost(state, [host], report.reason, deciding)
    agents = registry.agents_on(state, report.host)
    tasks = [state.tasks[agent.task] for agent in agents if agent.task is not None]
    return [
        registry.host_lost(report.host, report.reason),
        *leases.decide_lost(state, tasks, report.reason, deciding),
        *registry.restart_all(agents, report.reason),
    ]


def _decide_failed(state: FleetState, report: r.AgentsFailed, deciding: Deciding) -> list[Event]:
    return _handed_on(state, registry.decide_failed(state, report, deciding), report.reason, deciding)


def _decide_late(state: FleetState, report: r.LaunchesLate, deciding: Deciding) -> list[Event]:
    return _handed_on(state, launching.decide_late(state, report, deciding), f"{report.launch} for more than {report.limit_s:g} s", deciding)


def _handed_on(state: FleetState, events: list[Event], reason: str, deciding: Deciding) -> list[Event]:
    """Return what follows from agents that cannot start; when none of a booster's can, regular agents get what waits for them."""
    failed = {agent for event in events if isinstance(event, AgentsBroken) for agent in event.agents}
    pools = {state.agents[agent].spec.pool for agent in failed}
    emptied = [name for name in sorted(pools) if state.pools[name].spec.kind == BOOSTER and _is_emptied(state, name, failed)]
    return [*events, *handing.decide_emptied(state, emptied, f"the booster does not start: {reason}", deciding.config)]


def _is_emptied(state: FleetState, pool: str, failed: set[AgentId]) -> bool:
    return all(agent.spec.id in failed or agent.status is AgentStatus.FAILED for agent in state.agents_in(pool))


def _decide_missing(state: FleetState, report: r.AgentsMissing, deciding: Deciding) -> list[Event]:
    """Start agents anew that should run and do not; what they held waits again."""
    agents = [agent for id_ in report.agents if (agent := state.agents.get(id_)) is not None and agent.host is not None]
    tasks = [state.tasks[agent.task] for agent in agents if agent.task is not None]
    return [*leases.decide_lost(state, tasks, report.reason, deciding), *(registry.restart_all(agents, report.reason) if agents else [])]


def _decide_started(state: FleetState, report: r.EngineStarted, deciding: Deciding) -> list[Event]:
    """Take over: of what the former engine held only the survivors still run, and what hosts run that joined; every other held task waits again."""
    held = [task for id_, token in report.survivors if (task := leases.holds(state, id_, token)) is not None]
    stay = hosts.joined(state) if report.has_hosts else {}
    held += hosts.held_on(state, stay)
    survivors = {task.spec.id: task.agent for task in held}
    events: list[Event] = [EngineTookOver(report.engine, report.version, report.pid, tuple(survivors), report.epoch), *decide_machine(state, deciding)]
    events += leases.decide_left_by_engine(state, survivors, deciding)
    for allocation in list(state.allocations.values()):
        events.append(AgentReleased(allocation.id, ok=False, seconds=0.0, reason="the engine restarted"))
    if not report.has_hosts:
        events += hosts.decide_lost(state, list(hosts.joined(state).values()), "the engine that started knows no hosts that joined", deciding)
    events += [registry.host_lost(id_, "the engine restarted") for id_, host in state.hosts.items() if host.info.joined is None]
    agents = [agent for agent in state.agents.values() if agent.spec.machine not in hosts.joined(state)]
    if agents:
        events += registry.restart_all(agents, "the engine started", {agent for agent in survivors.values() if agent})
    return events


def decide_pools(state: FleetState, specs: tuple[PoolSpec, ...], deciding: Deciding) -> list[Event]:
    """Return what brings the pools in line with the configuration: new ones at their min, sizes inside the bounds,
    agents with the figures of their pool."""
    events: list[Event] = []
    resizing = Resizing(state, deciding)
    for spec in specs:
        pool = state.pools.get(spec.name)
        if pool is None:
            events.append(PoolConfigured(spec, spec.min))
            events += resizing.grow(Pool(spec, spec.min), spec.min)
            continue
        if pool.overrides:
            events += _with_overrides(state, pool, spec, resizing)
        else:
            events += respecified(state, pool, spec, resizing)
    configured = {spec.name for spec in specs}
    for name, pool in state.pools.items():
        if name not in configured and pool.spec.min:
            events.append(PoolConfigured(replace(pool.spec, min=0), pool.size))
        if name not in configured and pool.spec.kind == BOOSTER:
            events += handing.decide_emptied(state, [name], "there is no booster any more", deciding.config)
    return events


def _with_overrides(state: FleetState, pool: Pool, spec: PoolSpec, resizing: Resizing) -> list[Event]:
    """Follow the configuration with what operators changed laid over it; changes that no longer fit are dropped."""
    overrides = pool.overrides
    try:
        wanted = overridden(spec, overrides)
    except UsageError as error:
        logger.warning("changes to a pool no longer fit", extra={"pool": spec.name, "reason": str(error)})
        wanted, overrides = spec, {}
    events: list[Event] = []
    if spec != pool.configured or not overrides:
        events.append(PoolEdited(spec.name, overrides, spec))
    return [*events, *respecified(state, pool, wanted, resizing)]


def _decide_sample(state: FleetState, report: r.SampleDue, _deciding: Deciding) -> list[Event]:
    return [TasksSubmitted((report.task,))] if report.task.pool in state.pools else []


_DECIDE: dict[type, Callable[[FleetState, Any, Deciding], list[Event]]] = {
    r.HostUp: registry.decide_up,
    r.AgentsUp: registry.decide_up,
    r.HostJoined: hosts.decide_joined,
    r.HostDown: _decide_host_down,
    r.AgentsFailed: _decide_failed,
    r.LaunchesLate: _decide_late,
    r.LaunchesDue: launching.decide_due,
    r.AgentsMissing: _decide_missing,
    r.HealthSeen: registry.decide_health,
    r.PoolsSized: decide_sized,
    r.RoomSeen: decide_room,
    r.GangsDue: gangs.decide_due,
    r.TasksBegan: leases.decide_began,
    r.TasksEnded: lambda state, report, deciding: reviews.with_reviews(state, leases.decide_ended(state, report, deciding)),
    r.TasksUsed: spending.decide_used,
    r.HandedOver: leases.decide_handed_over,
    TaskAsked: answering.decide_asked,
    r.SampleDue: _decide_sample,
    r.AlertsSeen: decide_seen,
    r.RoutingLearnt: routing_verbs.decide_learnt,
    r.EngineStarted: _decide_started,
}
