"""Hosts that join: what they bring, what becomes of their agents when they go or are drained, and the verbs about them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from engine.agents import registry
from engine.coordinator.admitting import Admitted, Asked
from engine.coordinator.sizing import Resizing
from engine.model.agent_events import (
    AgentsReady,
    AgentsReconfigured,
    AgentsRemoved,
    AgentsRetiring,
    AgentsStarting,
    Cordon,
    HostCordoned,
)
from engine.model.agents import Agent
from engine.model.errors import CommandRefused, NotFound
from engine.model.events import Event
from engine.model.host_commands import CordonHost, DrainHost, HostVerb
from engine.model.ids import AgentId, HostId
from engine.model.reports import HostJoined
from engine.model.room_events import MachineGone, MachineSeen
from engine.model.tasks import Task
from engine.scheduling import leases
from engine.state import FleetState, Host
from engine.state.deciding import Deciding, Decision


def joined(state: FleetState) -> dict[HostId, Host]:
    """Return the hosts that joined."""
    return {id_: host for id_, host in state.hosts.items() if host.info.joined is not None}


def agents_of(state: FleetState, host: str) -> list[Agent]:
    """Return the agents of a host that joined, also those that are still to start there."""
    return [agent for agent in state.agents.values() if agent.spec.machine == host]


def held_on(state: FleetState, hosts: Mapping[HostId, Host]) -> list[Task]:
    """Return the tasks that agents of hosts have."""
    return [state.tasks[agent.task] for agent in state.agents.values() if agent.task is not None and agent.spec.machine in hosts]


def decide_joined(state: FleetState, report: HostJoined, _deciding: Deciding) -> list[Event]:
    """Take a host in, or what it says of itself now."""
    host, machine = state.hosts.get(report.host.id), state.machines.get(report.host.id)
    events: list[Event] = []
    if host is None or host.info != report.host:
        events.append(AgentsReady(report.host, ()))
    if machine is None or machine.capacity != report.capacity:
        events.append(MachineSeen(report.host.id, report.capacity))
    return events


def decide_lost(state: FleetState, hosts: Sequence[Host], reason: str, deciding: Deciding) -> list[Event]:
    """Return what follows when hosts that joined are gone: tasks wait again, agents start elsewhere."""
    ids = {host.info.id for host in hosts}
    agents = [agent for agent in state.agents.values() if agent.spec.machine in ids]
    tasks = [state.tasks[agent.task] for agent in agents if agent.task is not None]
    leaving = tuple(agent.spec.id for agent in agents if agent.retiring)
    events = leases.decide_lost(state, tasks, reason, deciding)
    if leaving:
        events.append(AgentsRemoved(leaving, f"left with its host: {reason}"))
    events += move(state, [agent for agent in agents if not agent.retiring], reason, Resizing(state, deciding, ids))
    for host in hosts:
        events.append(registry.host_lost(host.info.id, reason))
        if host.info.id in state.machines:
            events.append(MachineGone(host.info.id))
    return events


def move(state: FleetState, agents: Sequence[Agent], reason: str, resizing: Resizing) -> list[Event]:
    """Return what starts agents on other hosts; those for which there is none leave, and their pools wait."""
    placed = []
    gone: dict[str, list[AgentId]] = {}
    refused: dict[str, Admitted] = {}
    for agent in agents:
        pool = state.pools[agent.spec.pool]
        found = resizing.admission.admit(Asked(pool.spec.name, 1, agent.spec.resources, resizing.rank(pool), pool.spec))
        if found.machines:
            machine = found.machines[0]
            placed.append(replace(agent.spec, machine=machine, placed=found.why.get(machine, "")))
        else:
            gone.setdefault(pool.spec.name, []).append(agent.spec.id)
            refused[pool.spec.name] = found
    events: list[Event] = [AgentsReconfigured(tuple(placed)), AgentsStarting(tuple(spec.id for spec in placed), reason)] if placed else []
    for name, ids in gone.items():
        pool = state.pools[name]
        short = pool.size - registry.staying(state, name) + len(ids)
        events.append(AgentsRemoved(tuple(ids), f"{reason}; its pool {refused[name].text}"))
        events += resizing.wait(pool, max(0, short), refused[name])
    return events


def elsewhere(state: FleetState, events: Sequence[Event], deciding: Deciding) -> list[Event]:
    """Return events with agents that would start anew on a host that is drained started on another one."""
    draining = {id_ for id_, host in joined(state).items() if host.cordon is Cordon.DRAINING} if events else set()
    if not draining:
        return list(events)
    changed: list[Event] = []
    for event in events:
        going = [id_ for id_ in event.agents if state.agents[id_].spec.machine in draining] if isinstance(event, AgentsStarting) else []
        if not isinstance(event, AgentsStarting) or not going:
            changed.append(event)
            continue
        staying = tuple(id_ for id_ in event.agents if id_ not in going)
        changed += [replace(event, agents=staying)] if staying else []
        changed += move(state, [state.agents[id_] for id_ in going], "its host is drained", Resizing(state, deciding, draining))
    return changed


# ---- verbs


def find_host(state: FleetState, word: str) -> Host:
    """Return the host that joined with that name. Raises NotFound, and CommandRefused for a process of the engine."""
    host = state.hosts.get(HostId(word))
    if host is None:
        raise NotFound(f"no host {word!r}; `get hosts` lists them")
    if host.info.joined is None:
        raise CommandRefused(f"{word} is a process of the engine's own; this verb is for hosts that joined. `drain` is for agents")
    return host


def cordon_of(command: HostVerb) -> Cordon:
    """Return what a verb makes of a host."""
    return Cordon.DRAINING if isinstance(command, DrainHost) else Cordon.CORDONED if isinstance(command, CordonHost) else Cordon.OPEN


def decide_cordon(state: FleetState, commands: Sequence[HostVerb], deciding: Deciding) -> Decision:
    """Close hosts for agents, empty them, or open them again. Raises NotFound, CommandRefused."""
    hosts = {host.info.id: host for host in (find_host(state, command.host) for command in commands)}
    cordon = cordon_of(commands[0])
    changing = [host for host in hosts.values() if host.cordon is not cordon]
    who = "" if cordon is Cordon.OPEN else f"by {deciding.origin.who}"
    events: list[Event] = [HostCordoned(host.info.id, cordon, who) for host in changing]
    if cordon is Cordon.DRAINING:
        events += _emptied(state, changing, deciding)
    return Decision(events, [command.host for command in commands])


def _emptied(state: FleetState, hosts: Iterable[Host], deciding: Deciding) -> list[Event]:
    """Return what has the agents of hosts go: those that hold nothing at once, the others when their task ends."""
    ids = {host.info.id for host in hosts}
    agents = [agent for agent in state.agents.values() if agent.spec.machine in ids and not agent.retiring]
    reason = f"its host is drained by {deciding.origin.who}"
    busy = tuple(agent.spec.id for agent in agents if (agent.task is not None or agent.allocation is not None) and not agent.restarting)
    idle = [agent for agent in agents if agent.task is None and agent.allocation is None]
    events = move(state, idle, reason, Resizing(state, deciding, ids))
    return [*events, AgentsRetiring(busy, reason, restart=True)] if busy else events
