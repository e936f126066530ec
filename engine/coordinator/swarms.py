"""Swarms: made, edited, paused, ended; healed when members are lost, and led by somebody at any time.

A swarm is looked at anew whenever one of its members leaves the fleet, fails or has started: `engine.swarm.topologies` says how its
links heal and who leads. A topology that was chosen by size is chosen anew when the size changes enough.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from engine.model.agents import AgentStatus
from engine.model.errors import CommandRefused, NotFound, UsageError
from engine.model.events import Event
from engine.model.ids import SWARM_PREFIX, AgentId, SwarmId
from engine.model.swarm_commands import CreateSwarm, EditSwarm, EndSwarm, PauseSwarm, UnpauseSwarm
from engine.model.swarm_events import SwarmChanged, SwarmCreated, SwarmMoved
from engine.model.swarm_words import AUTO, SWARMS_MAX, Inputs, SwarmStatus
from engine.model.swarms import Swarm, SwarmSettings, Topology
from engine.scheduling.scoring import reliability_of
from engine.scheduling.timers import Due
from engine.state import FleetState, Touched
from engine.state.deciding import Deciding, Decision
from engine.swarm.topologies import build, heal, shape_for

DUE = "swarm"
"""Kind of the timers of swarms."""
WHY_MAX = 500
"""Characters of a reason that are kept."""
_NAMED_MAX = 3
"""Lost members that are named in a note; the others are counted."""


def decide_create(state: FleetState, commands: Sequence[CreateSwarm], deciding: Deciding) -> Decision:
    """Make swarms. Raises FleetError for members that are not there, and topologies that they cannot have."""
    running = sum(not swarm.is_over for swarm in state.swarming.swarms.values())
    if running + len(commands) > SWARMS_MAX:
        raise CommandRefused(f"{running} swarms run, and {SWARMS_MAX} may; end some")
    decision = Decision([], [])
    names: set[str] = set()
    for command in commands:
        created = created_by(state, command, SwarmId(deciding.ids.new(SWARM_PREFIX)), deciding.origin.who)
        if created.name in names:
            raise CommandRefused(f"{created.name!r} is named twice in one plan")
        names.add(created.name)
        decision.events.append(created)
        decision.values = [*decision.values, created.swarm]
    return decision


def created_by(state: FleetState, command: CreateSwarm, id_: SwarmId, who: str) -> SwarmCreated:
    """Return what a command makes. Raises FleetError."""
    name = command.swarm.strip()
    if not name or name != command.swarm or len(name) > WHY_MAX:
        raise UsageError("a swarm's name is a word or a few, without blanks around it")
    if name == AUTO or name.endswith(f"/{AUTO}"):
        raise UsageError(f"{name!r} stands for the fittest swarm; take another name")
    known = state.swarming.named(name)
    if known is not None and not known.is_over:
        raise CommandRefused(f"there is a swarm {name!r} already ({known.id}); end it, or take another name")
    members = ranked(state, members_named(state, command.members))
    settings = SwarmSettings(command.topology, command.rule, command.threshold, command.vote_timeout_s, Inputs(command.inputs))
    status = SwarmStatus.INITIALIZING if any(_is_starting(state, member) for member in members) else SwarmStatus.ACTIVE
    return SwarmCreated(id_, name, who, settings, build(command.topology, members), status)


def members_named(state: FleetState, words: Sequence[str]) -> list[str]:
    """Return the agents that words mean, each once: ids, names, or pools for all of their agents. Raises NotFound."""
    found: dict[str, None] = {}
    for word in words:
        agent = state.agent_named(word)
        if agent is not None:
            found[agent.spec.id] = None
        elif word in state.pools:
            found.update(dict.fromkeys(id_ for id_ in state.agents_of.get(word, ()) if not is_lost(state, id_)))
        else:
            raise NotFound(f"no agent or pool {word!r}")
    if not found:
        raise UsageError("nobody would be in it: name agents, or pools that have agents")
    return list(found)


def ranked(state: FleetState, members: Iterable[str]) -> list[str]:
    """Return members in the order in which they would lead."""
    return sorted(members, key=lambda member: (-reliability(state, member), member))


def reliability(state: FleetState, member: str) -> float:
    """Return how reliable a member has been, 0..1; 0 for one that left."""
    agent = state.agents.get(AgentId(member))
    return reliability_of(agent) if agent is not None else 0.0


def decide_edit(state: FleetState, commands: Sequence[EditSwarm], deciding: Deciding) -> Decision:
    """Change swarms while they run. Raises FleetError."""
    if len({find_running(state, command.swarm).id for command in commands}) < len(commands):
        raise CommandRefused("a swarm is named twice in one plan")
    events: list[Event] = [edited(state, command, deciding.origin.who) for command in commands]
    return Decision(events, [command.swarm for command in commands])


def edited(state: FleetState, command: EditSwarm, who: str) -> SwarmChanged:
    """Return what a command makes of a swarm. Raises FleetError."""
    swarm = find_running(state, command.swarm)
    old = swarm.settings
    settings = SwarmSettings(
        command.topology or old.shape,
        command.rule or old.rule,
        old.threshold if command.threshold < 0 else command.threshold,
        command.vote_timeout_s or old.vote_timeout_s,
        Inputs(command.inputs or old.inputs),
    )
    members = swarm.topology.members
    if command.members:
        wanted = members_named(state, command.members)
        members = (*(member for member in members if member in wanted), *ranked(state, set(wanted) - set(members)))
    topology = swarm.topology
    if command.topology or members != topology.members:
        leader = topology.leader if topology.leader in members else ranked(state, members)[0]
        topology = build(settings.shape, [leader, *(member for member in members if member != leader)])
    return SwarmChanged(swarm.id, settings, topology, f"edited by {who}", who)


def decide_pause(state: FleetState, commands: Sequence[PauseSwarm | UnpauseSwarm], deciding: Deciding) -> Decision:
    """Pause swarms or have them go on. Raises FleetError."""
    who = deciding.origin.who
    decision = Decision([], [command.swarm for command in commands])
    for command in commands:
        swarm = find_running(state, command.swarm)
        pauses = isinstance(command, PauseSwarm)
        if pauses is not (swarm.status is SwarmStatus.PAUSED):
            status, because = (SwarmStatus.PAUSED, f"paused by {who}") if pauses else (_status_of(state, swarm), f"goes on, by {who}")
            decision.events.append(SwarmMoved(swarm.id, status, because))
    return decision


def decide_end(state: FleetState, commands: Sequence[EndSwarm], deciding: Deciding) -> Decision:
    """End swarms. Raises FleetError."""
    swarms = {find_running(state, command.swarm).id: command for command in commands}
    because = f"ended by {deciding.origin.who}"
    events: list[Event] = [
        SwarmMoved(id_, SwarmStatus.COMPLETED, f"{because}: {command.why[:WHY_MAX]}" if command.why else because) for id_, command in swarms.items()
    ]
    return Decision(events, [command.swarm for command in commands])


def find_swarm(state: FleetState, word: str) -> Swarm:
    """Return the swarm with that id or name. Raises NotFound."""
    swarm = state.swarming.named(word)
    if swarm is None:
        raise NotFound(f"no swarm {word!r}; `get swarms` lists those that are known")
    return swarm


def find_running(state: FleetState, word: str) -> Swarm:
    """Return the swarm with that id or name. Raises NotFound, CommandRefused for one that has ended."""
    swarm = find_swarm(state, word)
    if swarm.is_over:
        raise CommandRefused(f"swarm {swarm.name} is {swarm.status}: {swarm.because}")
    return swarm


# ---- what happens by itself


def decide_due(state: FleetState, ids: Iterable[str]) -> list[Event]:
    """Return what heals some swarms, has them begin, or ends those that have nobody left."""
    swarms = (state.swarming.swarms.get(SwarmId(id_)) for id_ in dict.fromkeys(ids))
    return [event for swarm in swarms if swarm is not None and not swarm.is_over for event in _looked_at(state, swarm)]


def _looked_at(state: FleetState, swarm: Swarm) -> list[Event]:
    lost = [member for member in swarm.topology.members if is_lost(state, member)]
    topology = healed(state, swarm, lost) if lost else swarm.topology
    if not topology.members:
        return [SwarmMoved(swarm.id, SwarmStatus.FAILED, "none of its members is left")]
    events: list[Event] = []
    if lost:
        events.append(SwarmChanged(swarm.id, swarm.settings, topology, _because(swarm, topology, lost)))
    if swarm.status is SwarmStatus.INITIALIZING and not any(_is_starting(state, member) for member in topology.members):
        events.append(SwarmMoved(swarm.id, SwarmStatus.ACTIVE, "all of its members have started"))
    return events


def healed(state: FleetState, swarm: Swarm, lost: Iterable[str]) -> Topology:
    """Return a swarm's topology without some members, of another shape if its size chose the shape and would now choose another."""
    topology = heal(swarm.topology, set(lost), lambda member: reliability(state, member))
    count = len(topology.members)
    if swarm.settings.shape != AUTO or not count or shape_for(count) is topology.shape:
        return topology
    return build(AUTO, [topology.leader, *(member for member in topology.members if member != topology.leader)])


def _because(swarm: Swarm, after: Topology, lost: Sequence[str]) -> str:
    before = swarm.topology
    names = [swarm.name_of(member) for member in lost[:_NAMED_MAX]]
    more = f" and {len(lost) - _NAMED_MAX} more" if len(lost) > _NAMED_MAX else ""
    leads = f"; {swarm.name_of(after.leader)} leads now" if after.leader != before.leader else ""
    shape = f"; {after.shape} now" if after.shape is not before.shape else ""
    return f"lost {', '.join(names)}{more}{leads}{shape}"


def name_of(state: FleetState, agent_id: str) -> str:
    """Return what people call an agent of the fleet."""
    agent = state.agents.get(AgentId(agent_id))
    return agent.spec.name if agent else agent_id


def dues(state: FleetState, touched: Touched, now: float) -> Iterator[Due]:
    """Return which swarms are to be looked at now: those of which a member left, failed or has started."""
    of = state.swarming.of
    if not of:
        return
    for agent in touched.removed_agents:
        for id_ in of.get(agent.spec.id, ()):
            yield (now, DUE, id_, 0)
    for agent_id in touched.agents:
        if agent_id in of and (is_lost(state, agent_id) or not _is_starting(state, agent_id)):
            for id_ in of[agent_id]:
                if is_lost(state, agent_id) or state.swarming.swarms[id_].status is SwarmStatus.INITIALIZING:
                    yield (now, DUE, id_, 0)


def dues_of_all(state: FleetState, now: float) -> Iterator[Due]:
    """Return that every swarm is to be looked at: what happened to its members before a start is not told again."""
    for swarm in state.swarming.swarms.values():
        if not swarm.is_over:
            yield (now, DUE, swarm.id, 0)


def is_lost(state: FleetState, member: str) -> bool:
    """Tell whether an agent left the fleet or failed."""
    agent = state.agents.get(AgentId(member))
    return agent is None or agent.status is AgentStatus.FAILED


def _is_starting(state: FleetState, member: str) -> bool:
    agent = state.agents.get(AgentId(member))
    return agent is not None and agent.status is AgentStatus.STARTING


def _status_of(state: FleetState, swarm: Swarm) -> SwarmStatus:
    return SwarmStatus.INITIALIZING if any(_is_starting(state, member) for member in swarm.topology.members) else SwarmStatus.ACTIVE


DECIDE: dict[type, Callable[..., Decision]] = {
    CreateSwarm: decide_create,
    EditSwarm: decide_edit,
    PauseSwarm: decide_pause,
    UnpauseSwarm: decide_pause,
    EndSwarm: decide_end,
}
