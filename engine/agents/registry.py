"""Agents joining, leaving, draining, restarting, reserved; hosts coming and going."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import astuple, replace

from engine.model.agent_commands import (
    DrainAgent,
    RegisterAgent,
    ReleaseAgent,
    RestartAgent,
    UndrainAgent,
    UnregisterAgent,
)
from engine.model.agent_events import (
    AgentReleased,
    AgentsBroken,
    AgentsCordoned,
    AgentsReady,
    AgentsReconfigured,
    AgentsRegistered,
    AgentsRemoved,
    AgentsRetiring,
    AgentsStarting,
    HostHealth,
    HostInfo,
    HostLost,
)
from engine.model.agents import AGENT_TYPES, Agent, AgentSpec, AgentStatus, Resources
from engine.model.errors import CommandRefused, NotFound
from engine.model.events import Event
from engine.model.ids import AGENT_PREFIX, AgentId, AllocationId, HostId
from engine.model.machines import THIS_MACHINE, Machine, Places, taken_by
from engine.model.pool_events import PoolScaled
from engine.model.pools import Pool, PoolSpec
from engine.model.reports import AgentsFailed, AgentsUp, HealthSeen, HostUp
from engine.state import FleetState
from engine.state.deciding import Deciding, Decision


def find_agent(state: FleetState, word: str) -> Agent:
    """Return the agent with that id or name. Raises NotFound."""
    agent = state.agent_named(word)
    if agent is None:
        raise NotFound(f"no agent {word!r}; `get agents` lists them")
    return agent


def resources_of(spec: PoolSpec, command: RegisterAgent | None) -> Resources:
    """Return what a new agent of a pool may use; what an operator said of it goes first."""
    given = spec.resources
    return given if command is None else replace(given, memory=command.memory or given.memory, cpu=command.cpu or given.cpu)


def new_agents(pool: Pool, places: Places, deciding: Deciding, command: RegisterAgent | None = None) -> AgentsRegistered:
    """Return the event that adds agents to a pool, one for each machine that is named, called after it and numbered."""
    spec = pool.spec
    capabilities, resources = spec.capabilities, resources_of(spec, command)
    kind = spec.type
    if command is not None:
        capabilities = tuple(dict.fromkeys((*capabilities, *command.capabilities)))
        kind = command.type if command.type in AGENT_TYPES else kind
    return AgentsRegistered(
        tuple(
            AgentSpec(
                AgentId(deciding.ids.new(AGENT_PREFIX)),
                f"{spec.name}-{number}",
                spec.name,
                kind,
                capabilities,
                resources,
                spec.cost,
                spec.reliability,
                machine,
                places.why.get(machine, ""),
            )
            for number, machine in enumerate(places.machines, pool.created + 1)
        )
    )


def revivable(state: FleetState, pool: str) -> list[Agent]:
    """Return the agents of a pool that leave only because it became smaller and still work, the last to go first."""
    return [
        agent
        for agent in reversed(list(state.agents_in(pool)))
        if agent.revivable and agent.status is AgentStatus.DRAINING and agent.host is not None and not agent.cordoned
    ]


def missing(state: FleetState, pool: str, size: int) -> int:
    """Return how many agents must start for a pool to have a size; below 0 when some must leave."""
    more = size - staying(state, pool)
    return more if more <= 0 else max(0, more - len(revivable(state, pool)))


def staying(state: FleetState, pool: str) -> int:
    """Return how many agents a pool has that are not leaving."""
    return sum(not agent.retiring for agent in state.agents_in(pool))


def check_room(state: FleetState, more: int, deciding: Deciding) -> None:
    """Raise CommandRefused when the fleet would grow beyond fleet.max_agents."""
    most = deciding.config.fleet.max_agents
    if len(state.agents) + more > most:
        raise CommandRefused(f"{len(state.agents)} agents + {more} is above fleet.max_agents {most}; raise it or scale another pool down")


def decide_register(
    state: FleetState, commands: Sequence[tuple[RegisterAgent, str]], deciding: Deciding, places_for: Callable[[Pool, Resources, int], Places]
) -> Decision:
    """Add agents; each command comes with the pool that it means. Raises CommandRefused above a maximum, or without room."""
    events: list[Event] = []
    values: list[object] = []
    grown: dict[str, int] = {}
    for command, pool_name in commands:
        pool = state.pools[pool_name]
        if pool_name in grown:
            raise CommandRefused(f"{pool_name} is named twice in one plan; use count")
        size = max(pool.size, staying(state, pool_name)) + command.count
        if size > pool.spec.max:
            raise CommandRefused(f"{pool_name} would have {size} agents, its max is {pool.spec.max}; raise pools.{pool_name}.max")
        grown[pool_name] = command.count
        check_room(state, sum(grown.values()), deciding)
        places = places_for(pool, resources_of(pool.spec, command), command.count)
        joined = new_agents(pool, places, deciding, command)
        events += [PoolScaled(pool_name, size), joined]
        ids = [spec.id for spec in joined.agents]
        values.append(ids[0] if command.count == 1 else ids)
    return Decision(events, values)


def decide_in_line(state: FleetState, old: PoolSpec, new: PoolSpec) -> list[Event]:
    """Return what gives a pool's agents the pool's new figures; what was asked for at an agent's registration stays."""
    changed = in_line(state, old, new)
    return [AgentsReconfigured(changed)] if changed else []


def in_line(state: FleetState, old: PoolSpec, new: PoolSpec) -> tuple[AgentSpec, ...]:
    """Return the agents of a pool that get other figures with it, as they are then."""
    here = THIS_MACHINE if THIS_MACHINE in state.machines else ""
    return tuple(spec for agent in state.agents_in(new.name) if (spec := _in_line(agent.spec, old, new, here)) != agent.spec)


def _in_line(spec: AgentSpec, old: PoolSpec, new: PoolSpec, here: str) -> AgentSpec:
    own = tuple(word for word in spec.capabilities if word not in old.capabilities)
    resources = Resources(
        *[
            after if mine == before else mine
            for mine, before, after in zip(astuple(spec.resources), astuple(old.resources), astuple(new.resources), strict=True)
        ]
    )
    return replace(
        spec,
        type=new.type if spec.type == old.type else spec.type,
        capabilities=tuple(dict.fromkeys((*new.capabilities, *own))),
        resources=resources,
        cost=new.cost,
        reliability=new.reliability,
        machine=spec.machine if spec.machine not in ("", THIS_MACHINE) else here if taken_by(resources) else "",
    )


def leave(agents: Sequence[Agent], reason: str, deadline_s: float, now: float, *, revivable: bool = False) -> list[Event]:
    """Return the events that take agents out: at once those that hold nothing, the others when their task ends.

    After `deadline_s` what they still hold is handed back; 0 = they may take as long as it takes.
    """
    idle = tuple(agent.spec.id for agent in agents if agent.task is None and agent.allocation is None)
    busy = tuple(agent.spec.id for agent in agents if agent.task is not None or agent.allocation is not None)
    events: list[Event] = []
    if busy:
        said = f"{reason}; what it holds is handed back after {deadline_s:g} s" if deadline_s else reason
        events.append(AgentsRetiring(busy, said, leaves_by=now + deadline_s if deadline_s else 0.0, revivable=revivable))
    if idle:
        events.append(AgentsRemoved(idle, reason))
    return events


def decide_unregister(state: FleetState, commands: Sequence[UnregisterAgent], deciding: Deciding) -> Decision:
    """Take agents out and make their pools smaller by as many, never below 0."""
    agents = list({agent.spec.id: agent for agent in (find_agent(state, command.agent) for command in commands)}.values())
    events: list[Event] = []
    for pool_name in dict.fromkeys(agent.spec.pool for agent in agents):
        pool = state.pools[pool_name]
        going = [agent for agent in agents if agent.spec.pool == pool_name and not agent.retiring]
        events.append(PoolScaled(pool_name, max(0, pool.size - len(going))))
        events += leave(going, f"unregistered by {deciding.origin.who}", pool.spec.drain_deadline_s, deciding.now)
    return Decision(events, _ids_of(state, commands))


def _ids_of(state: FleetState, commands: Sequence[UnregisterAgent | RestartAgent]) -> list[AgentId]:
    """Return an answer for every command, also for those that name the same agent."""
    return [find_agent(state, command.agent).spec.id for command in commands]


def decide_cordon(state: FleetState, commands: Sequence[DrainAgent | UndrainAgent], deciding: Deciding) -> Decision:
    """Drain agents, or give them work again. Raises CommandRefused for one that is leaving."""
    cordon = isinstance(commands[0], DrainAgent)
    changed: dict[AgentId, None] = {}
    for command in commands:
        agent = find_agent(state, command.agent)
        if agent.retiring or agent.restarting:
            raise CommandRefused(f"{agent.spec.name} is leaving or restarting: {agent.reason}")
        if agent.cordoned is not cordon:
            changed[agent.spec.id] = None
    reason = f"drained by {deciding.origin.who}" if cordon else ""
    events: list[Event] = [AgentsCordoned(tuple(changed), cordon, reason)] if changed else []
    return Decision(events, [command.agent for command in commands])


def decide_restart(state: FleetState, commands: Sequence[RestartAgent], deciding: Deciding) -> Decision:
    """Start agents anew: those that hold nothing at once, the others when their task ends."""
    agents = {agent.spec.id: agent for agent in (find_agent(state, command.agent) for command in commands)}.values()
    reason = f"restarted by {deciding.origin.who}"
    staying = [agent for agent in agents if not agent.retiring and not agent.restarting]
    now = tuple(agent.spec.id for agent in staying if agent.task is None and agent.allocation is None)
    later = tuple(agent.spec.id for agent in staying if agent.spec.id not in now)
    events: list[Event] = []
    if now:
        events.append(AgentsStarting(now, reason))
    if later:
        events.append(AgentsRetiring(later, reason, restart=True))
    return Decision(events, _ids_of(state, commands))


def decide_release(state: FleetState, commands: Sequence[ReleaseAgent], deciding: Deciding) -> Decision:
    """Give reserved agents back. Raises NotFound, and CommandRefused for one that is named twice."""
    if len({command.allocation for command in commands}) < len(commands):
        raise CommandRefused("a reservation is named twice in one plan; name each once")
    events: list[Event] = []
    for command in commands:
        allocation = state.allocations.get(AllocationId(command.allocation))
        if allocation is None:
            raise NotFound(f"no reservation {command.allocation!r}; it may have expired")
        seconds = command.seconds or deciding.now - allocation.at
        events.append(AgentReleased(allocation.id, command.ok, seconds, f"released by {deciding.origin.who}"))
    return Decision(events, [command.allocation for command in commands])


def decide_after_work(state: FleetState, touched: Sequence[AgentId]) -> list[Event]:
    """Return what agents do that were waiting for the end of their task: leave, or start anew."""
    gone: list[AgentId] = []
    anew: list[AgentId] = []
    for agent_id in touched:
        agent = state.agents.get(agent_id)
        if agent is None or agent.task is not None or agent.allocation is not None or agent.status is not AgentStatus.DRAINING:
            continue
        if agent.retiring:
            gone.append(agent_id)
        elif agent.restarting:
            anew.append(agent_id)
    events: list[Event] = []
    if gone:
        events.append(AgentsRemoved(tuple(gone), "finished its last task"))
    if anew:
        events.append(AgentsStarting(tuple(anew), "restart after its task"))
    return events


def decide_up(state: FleetState, report: HostUp | AgentsUp, _deciding: Deciding) -> list[Event]:
    """Agents that wait for a host, or that were on another, are ready on this one; others are left out."""
    if isinstance(report, HostUp):
        host: HostInfo | None = report.host
    else:
        known = state.hosts.get(report.host)
        host = known.info if known else None
    if host is None:
        return []
    agents = [state.agents[agent_id] for agent_id in report.agents if agent_id in state.agents]
    ready = tuple(agent.spec.id for agent in agents if _waits_for_a_host(agent) or agent.host not in (None, host.id))
    return [AgentsReady(host, ready)] if ready or isinstance(report, HostUp) else []


def _waits_for_a_host(agent: Agent) -> bool:
    return agent.status in (AgentStatus.STARTING, AgentStatus.FAILED) or (agent.host is None and agent.status is AgentStatus.DRAINING)


def decide_failed(state: FleetState, report: AgentsFailed, _deciding: Deciding) -> list[Event]:
    """Agents that are to start cannot; one that works by now is left out."""
    starting = tuple(
        agent_id for agent_id in report.agents if agent_id in state.agents and state.agents[agent_id].status is AgentStatus.STARTING
    )
    return [AgentsBroken(starting, report.reason)] if starting else []


def decide_health(state: FleetState, report: HealthSeen, _deciding: Deciding) -> list[Event]:
    """The health of a host changed."""
    host = state.hosts.get(report.host)
    if host is None or (host.health is report.health and host.evidence == report.evidence):
        return []
    return [HostHealth(report.host, report.health, report.evidence)]


def agents_on(state: FleetState, host_id: HostId) -> list[Agent]:
    """Return the agents of a host."""
    host = state.hosts.get(host_id)
    return [state.agents[agent_id] for agent_id in sorted(host.agents)] if host else []


def restart_all(agents: Sequence[Agent], reason: str, holding: Collection[AgentId] = ()) -> list[Event]:
    """Return the events for agents whose host is gone: leaving ones leave, unless they hold a task, the others start anew."""
    leaving = tuple(agent.spec.id for agent in agents if agent.retiring and agent.spec.id not in holding)
    staying = tuple(agent.spec.id for agent in agents if not agent.retiring or agent.spec.id in holding)
    events: list[Event] = []
    if leaving:
        events.append(AgentsRemoved(leaving, f"left with its host: {reason}"))
    if staying:
        events.append(AgentsStarting(staying, reason))
    return events


def decide_surplus(state: FleetState, deciding: Deciding) -> list[Event]:
    """Return what takes agents out that a machine has no room for any more: of the least important pools the newest, none that works."""
    going: list[Agent] = []
    for machine in state.machines.values():
        left = Machine(machine.id, machine.capacity, dict(machine.taken))
        here = [agent for agent in reversed(state.agents.values()) if agent.spec.machine == machine.id and agent.task is None and agent.allocation is None]
        for agent in sorted(here, key=lambda one: state.pools[one.spec.pool].spec.priority):
            amounts = taken_by(agent.spec.resources)
            if any(left.free(name) < 0 for name in amounts):
                left.release(amounts)
                going.append(agent)
    return leave(going, "its machine has no room for it any more", 0.0, deciding.now)


def host_lost(host_id: HostId, reason: str) -> Event:
    """Return the event that a host is gone."""
    return HostLost(host_id, reason)
