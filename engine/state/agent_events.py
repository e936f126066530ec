"""What each event about pools, agents, hosts, plans and the audit changes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from engine.model import events as ev
from engine.model import room_events as room
from engine.model.agent_events import (
    AgentAllocated,
    AgentReleased,
    AgentsBroken,
    AgentsCordoned,
    AgentsReady,
    AgentsReconfigured,
    AgentsRegistered,
    AgentsRemoved,
    AgentsRetiring,
    AgentsRevived,
    AgentsStarting,
    HostCordoned,
    HostHealth,
    HostLost,
)
from engine.model.agents import Agent, AgentStatus, Health
from engine.model.budget_words import scope_of
from engine.model.machines import Machine
from engine.model.memory_events import (
    MemoryChanged,
    MemoryConflicted,
    MemoryExchanged,
    MemoryPermitted,
    MemoryPurged,
)
from engine.model.plans import Halt
from engine.model.pool_events import (
    PolicyRemoved,
    PolicySet,
    PoolConfigured,
    PoolEdited,
    PoolHeld,
    PoolPaused,
    PoolScaled,
)
from engine.model.pools import Pool
from engine.model.tasks import TaskState
from engine.state.tables import PLANS_MAX, Host, KeptPlan, Tables, release_room, take_room


def _engine_took_over(tables: Tables, event: ev.EngineTookOver, at: float) -> None:
    tables.engine = event
    for task_id in event.adopted:
        tables.tasks[task_id].note(at, "adopted", f"it outlived its engine; {event.engine} follows it")
        tables.touched.tasks[task_id] = None


def _pool_configured(tables: Tables, event: PoolConfigured, _at: float) -> None:
    pool = tables.pools.get(event.spec.name)
    if pool is None:
        tables.pools[event.spec.name] = Pool(event.spec, event.size)
    else:
        pool.spec = event.spec
    tables.touched.pools[event.spec.name] = None


def _pool_edited(tables: Tables, event: PoolEdited, _at: float) -> None:
    pool = tables.pools[event.pool]
    pool.overrides = dict(event.overrides)
    pool.configured = event.configured if event.overrides else None
    tables.touched.pools[event.pool] = None


def _pool_scaled(tables: Tables, event: PoolScaled, at: float) -> None:
    pool = tables.pools[event.pool]
    pool.size, pool.sized_at, pool.sized_why = event.size, at, event.reason
    tables.touched.pools[event.pool] = None


def _pool_paused(tables: Tables, event: PoolPaused, _at: float) -> None:
    tables.pools[event.pool].paused = event.paused
    tables.touched.pools[event.pool] = None


def _pool_held(tables: Tables, event: PoolHeld, _at: float) -> None:
    tables.pools[event.pool].hold = event.hold
    tables.touched.pools[event.pool] = None


def _pool_waits(tables: Tables, event: room.PoolWaits, _at: float) -> None:
    tables.pools[event.pool].waits = event.waits
    tables.touched.pools[event.pool] = None


def _tasks_wait(tables: Tables, event: room.TasksWaitForRoom, _at: float) -> None:
    tables.pools[event.pool].tasks_wait = event.text
    tables.touched.pools[event.pool] = None


def _machine_seen(tables: Tables, event: room.MachineSeen, _at: float) -> None:
    machine = tables.machines.setdefault(event.machine, Machine(event.machine, {}))
    machine.capacity = dict(event.capacity)
    tables.touched.machines[event.machine] = None


def _machine_gone(tables: Tables, event: room.MachineGone, _at: float) -> None:
    machine = tables.machines.pop(event.machine)
    assert not machine.taken, f"{event.machine} went with what is counted on it: {machine.taken}"
    tables.touched.machines[event.machine] = None


def _gang_asked(tables: Tables, event: room.GangAsked, _at: float) -> None:
    tables.gangs[event.gang.id] = event.gang
    tables.touched.gangs[event.gang.id] = None


def _gang_waits(tables: Tables, event: room.GangWaits, _at: float) -> None:
    tables.gangs[event.gang] = replace(tables.gangs[event.gang], lacks=event.lacks, text=event.text)
    tables.touched.gangs[event.gang] = None


def _gang_granted(tables: Tables, event: room.GangGranted, at: float) -> None:
    tables.gangs[event.gang] = replace(tables.gangs[event.gang], granted_at=at, lacks="", text="")
    tables.touched.gangs[event.gang] = None


def _gang_ended(tables: Tables, event: room.GangEnded, _at: float) -> None:
    tables.gangs.pop(event.gang, None)
    tables.touched.gangs[event.gang] = None


def _policy_set(tables: Tables, event: PolicySet, _at: float) -> None:
    tables.policies[event.policy.id] = event.policy
    tables.touched.policies[event.policy.id] = None


def _module_added(tables: Tables, event: ev.ModuleAdded, _at: float) -> None:
    tables.modules[event.module.name] = event.module
    tables.touched.modules[event.module.name] = None


def _module_removed(tables: Tables, event: ev.ModuleRemoved, _at: float) -> None:
    tables.modules.pop(event.name, None)
    tables.touched.modules[event.name] = None


def _policy_removed(tables: Tables, event: PolicyRemoved, _at: float) -> None:
    tables.policies.pop(event.policy, None)
    tables.touched.policies[event.policy] = None


def _agents_registered(tables: Tables, event: AgentsRegistered, at: float) -> None:
    for spec in event.agents:
        tables.pools[spec.pool].created += 1
        tables.add_agent(Agent(spec, created_at=at, updated_at=at))


def _agents_reconfigured(tables: Tables, event: AgentsReconfigured, at: float) -> None:
    for spec in event.agents:
        agent = tables.agents[spec.id]
        assert (agent.spec.name, agent.spec.pool) == (spec.name, spec.pool), f"{spec.id} cannot become {spec.name}"
        is_indexed = agent.is_free() and agent.spec.capabilities != spec.capabilities
        assert not is_indexed, f"{spec.name} is in the index of free agents by what it could do"
        release_room(tables, agent.spec)
        agent.spec = spec
        take_room(tables, spec)
        tables.set_status(agent, agent.status, at)


def _agents_ready(tables: Tables, event: AgentsReady, at: float) -> None:
    host = tables.hosts.get(event.host.id)
    if host is None:
        host = tables.hosts[event.host.id] = Host(event.host)
    host.info = event.host
    tables.touched.hosts[event.host.id] = None
    for agent_id in event.agents:
        agent = tables.agents[agent_id]
        _leave_host(tables, agent)
        agent.host = event.host.id
        agent.health = host.health
        agent.reason = ""
        agent.missed = False
        tables.pools[agent.spec.pool].launch_misses = 0
        host.agents.add(agent_id)
        if agent.status in (AgentStatus.STARTING, AgentStatus.FAILED):
            tables.set_status(agent, _ready(tables, agent), at)
        else:
            tables.set_status(agent, agent.status, at)


def _ready(tables: Tables, agent: Agent) -> AgentStatus:
    """Return the status of an agent that has just come up; a reservation outlives its host, an adopted task its engine."""
    if agent.allocation is None and agent.task is None:
        return at_rest(agent)
    leaves = agent.cordoned or agent.retiring or agent.restarting
    return AgentStatus.DRAINING if leaves else _working(tables, agent)


def at_rest(agent: Agent) -> AgentStatus:
    """Return the status of an agent that has nothing to do."""
    return AgentStatus.DRAINED if agent.cordoned else AgentStatus.IDLE


def _agents_broken(tables: Tables, event: AgentsBroken, at: float) -> None:
    for agent_id in event.agents:
        agent = tables.agents[agent_id]
        agent.reason = event.reason
        agent.missed = event.missed
        agent.health = Health.LOST
        tables.set_status(agent, AgentStatus.FAILED, at)
    if event.missed:
        for name in {tables.agents[agent_id].spec.pool for agent_id in event.agents}:
            tables.pools[name].launch_misses += 1


def _agents_starting(tables: Tables, event: AgentsStarting, at: float) -> None:
    for agent_id in event.agents:
        agent = tables.agents[agent_id]
        _leave_host(tables, agent)
        agent.restarting = agent.missed = False
        agent.health = Health.UNKNOWN
        agent.reason = event.reason
        tables.set_status(agent, AgentStatus.STARTING, at)


def _leave_host(tables: Tables, agent: Agent) -> None:
    host = tables.hosts.get(agent.host) if agent.host else None
    agent.host = None
    if host is None:
        return
    host.agents.discard(agent.spec.id)
    tables.touched.hosts[host.info.id] = None


def _agents_cordoned(tables: Tables, event: AgentsCordoned, at: float) -> None:
    for agent_id in event.agents:
        agent = tables.agents[agent_id]
        agent.cordoned = event.cordoned
        agent.reason = event.reason
        if agent.status in (AgentStatus.STARTING, AgentStatus.FAILED):
            tables.set_status(agent, agent.status, at)
        elif agent.task is not None or agent.allocation is not None:
            tables.set_status(agent, AgentStatus.DRAINING if event.cordoned else _working(tables, agent), at)
        elif agent.status in (AgentStatus.IDLE, AgentStatus.DRAINED):
            tables.set_status(agent, at_rest(agent), at)
        else:
            tables.set_status(agent, agent.status, at)


def _working(tables: Tables, agent: Agent) -> AgentStatus:
    task = tables.tasks.get(agent.task) if agent.task else None
    started = task is None or task.state is TaskState.RUNNING
    return AgentStatus.BUSY if started else AgentStatus.ASSIGNED


def _agents_retiring(tables: Tables, event: AgentsRetiring, at: float) -> None:
    for agent_id in event.agents:
        agent = tables.agents[agent_id]
        agent.restarting = event.restart
        agent.retiring = not event.restart
        agent.leaves_by, agent.revivable = event.leaves_by, event.revivable
        agent.reason = event.reason
        tables.set_status(agent, AgentStatus.DRAINING, at)


def _agents_revived(tables: Tables, event: AgentsRevived, at: float) -> None:
    for agent_id in event.agents:
        agent = tables.agents[agent_id]
        agent.retiring, agent.leaves_by, agent.revivable, agent.reason = False, 0.0, False, ""
        tables.set_status(agent, _working(tables, agent), at)


def _agents_removed(tables: Tables, event: AgentsRemoved, _at: float) -> None:
    for agent_id in event.agents:
        agent = tables.agents.pop(agent_id)
        agent.reason = event.reason
        _leave_host(tables, agent)
        release_room(tables, agent.spec)
        tables.agent_ids.pop(agent.spec.name, None)
        tables.agents_of[agent.spec.pool].pop(agent_id, None)
        if tables.spending.budgets.pop(scope_of("agents", agent_id), None) is not None:
            tables.touched.budgets[scope_of("agents", agent_id)] = None
        pool = tables.pools[agent.spec.pool]
        pool.agents -= 1
        for counts in (pool.by_status, tables.totals.by_status):
            counts[agent.status] -= 1
        tables.touched.agents.pop(agent_id, None)
        tables.touched.working.pop(agent_id, None)
        tables.touched.removed_agents.append(agent)
        tables.touched.pools[agent.spec.pool] = None


def _host_lost(tables: Tables, event: HostLost, _at: float) -> None:
    host = tables.hosts.pop(event.host, None)
    if host is not None:
        for agent_id in host.agents:
            tables.agents[agent_id].host = None
            tables.touched.agents[agent_id] = None
    tables.touched.hosts[event.host] = None


def _host_cordoned(tables: Tables, event: HostCordoned, _at: float) -> None:
    host = tables.hosts[event.host]
    host.cordon, host.cordon_why = event.cordon, event.reason
    tables.touched.hosts[event.host] = None


def _host_health(tables: Tables, event: HostHealth, at: float) -> None:
    host = tables.hosts[event.host]
    host.health, host.evidence = event.health, event.evidence
    tables.touched.hosts[event.host] = None
    for agent_id in host.agents:
        agent = tables.agents[agent_id]
        agent.health = event.health
        tables.set_status(agent, agent.status, at)


def _agent_allocated(tables: Tables, event: AgentAllocated, at: float) -> None:
    allocation = event.allocation
    tables.allocations[allocation.id] = allocation
    agent = tables.agents[allocation.agent]
    agent.allocation = allocation.id
    tables.set_status(agent, AgentStatus.BUSY, at)


def _agent_released(tables: Tables, event: AgentReleased, at: float) -> None:
    allocation = tables.allocations.pop(event.allocation)
    agent = tables.agents.get(allocation.agent)
    if agent is None or agent.allocation != event.allocation:
        return
    agent.allocation = None
    agent.note_finished("allocation", event.seconds, ok=event.ok)
    if agent.status in (AgentStatus.STARTING, AgentStatus.FAILED):
        tables.set_status(agent, agent.status, at)
        return
    leaving = agent.retiring or agent.restarting
    tables.set_status(agent, AgentStatus.DRAINING if leaving else at_rest(agent), at)


def _plan_applied(tables: Tables, event: ev.PlanApplied, _at: float) -> None:
    tables.plans[event.plan.id] = KeptPlan(event.plan, seq=tables.seq)
    tables.touched.plans[event.plan.id] = None
    if len(tables.plans) > PLANS_MAX:
        oldest = next(iter(tables.plans))
        del tables.plans[oldest]
        tables.touched.plans[oldest] = None


def _plan_undone(tables: Tables, event: ev.PlanUndone, _at: float) -> None:
    kept = tables.plans.get(event.plan)
    if kept is not None:
        kept.undone_by = event.by if event.undone else None
        kept.seq = tables.seq
        tables.touched.plans[event.plan] = None


def _fleet_halted(tables: Tables, event: ev.FleetHalted, at: float) -> None:
    if event.halted:
        tables.halted[event.scope] = Halt(event.scope, at, event.by)
    else:
        tables.halted.pop(event.scope, None)


def _audited(tables: Tables, event: ev.Audited, _at: float) -> None:
    tables.audit.append(event.entry)
    tables.totals.audited += 1


def _nothing(_tables: Tables, _event: Any, _at: float) -> None:  # noqa: ANN401  # any event
    """Change nothing."""


TRANSITIONS: dict[type, Any] = {
    ev.EngineTookOver: _engine_took_over,
    PoolConfigured: _pool_configured,
    PoolEdited: _pool_edited,
    PoolScaled: _pool_scaled,
    PoolPaused: _pool_paused,
    PoolHeld: _pool_held,
    room.PoolWaits: _pool_waits,
    room.TasksWaitForRoom: _tasks_wait,
    room.MachineSeen: _machine_seen,
    room.MachineGone: _machine_gone,
    room.GangAsked: _gang_asked,
    room.GangWaits: _gang_waits,
    room.GangGranted: _gang_granted,
    room.GangEnded: _gang_ended,
    PolicySet: _policy_set,
    PolicyRemoved: _policy_removed,
    AgentsRegistered: _agents_registered,
    AgentsReconfigured: _agents_reconfigured,
    AgentsReady: _agents_ready,
    AgentsBroken: _agents_broken,
    AgentsStarting: _agents_starting,
    AgentsCordoned: _agents_cordoned,
    AgentsRetiring: _agents_retiring,
    AgentsRevived: _agents_revived,
    AgentsRemoved: _agents_removed,
    HostLost: _host_lost,
    HostHealth: _host_health,
    HostCordoned: _host_cordoned,
    AgentAllocated: _agent_allocated,
    AgentReleased: _agent_released,
    ev.PlanApplied: _plan_applied,
    ev.PlanUndone: _plan_undone,
    ev.FleetHalted: _fleet_halted,
    ev.ModuleAdded: _module_added,
    ev.ModuleRemoved: _module_removed,
    # What these are about is no state of the fleet: caches of workers, and entries that stay in the database.
    ev.BoosterCacheCleared: _nothing,
    MemoryChanged: _nothing,
    MemoryPermitted: _nothing,
    MemoryPurged: _nothing,
    MemoryConflicted: _nothing,
    MemoryExchanged: _nothing,
    ev.Audited: _audited,
}
