"""Swarms as operators see them: rows, a swarm in full, what the verbs about them would do, and their events in words; pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from engine.coordinator.distributing import condition, fitness
from engine.coordinator.swarms import (
    created_by,
    edited,
    find_running,
    find_swarm,
    name_of,
    reliability,
)
from engine.model.agents import AgentStatus
from engine.model.errors import FleetError
from engine.model.ids import AgentId, SessionId, SwarmId
from engine.model.plans import Call, PlanStep
from engine.model.swarm_commands import (
    CreateSwarm,
    EditSwarm,
    EndSwarm,
    PauseSwarm,
    StopSession,
    UnpauseSwarm,
)
from engine.model.swarm_events import SwarmChanged, SwarmCreated, SwarmMoved
from engine.model.swarm_mail import Flow, Mail, Traffic
from engine.model.swarm_rows import SwarmRow
from engine.model.swarm_words import AUTO, Shape, SwarmStatus
from engine.model.swarms import Link, Swarm, SwarmSettings, Topology
from engine.model.verbs import Command
from engine.model.wire import call_of
from engine.state import FleetState
from engine.swarm.shapes import rule_of, written_out
from engine.swarm.topologies import links

Line = tuple[str, str, str]
"""Level, id of what it is about, and the words for an event."""
SwarmVerb = CreateSwarm | EditSwarm | PauseSwarm | UnpauseSwarm | EndSwarm | StopSession


def swarm_row(state: FleetState, swarm: Swarm, now: float) -> SwarmRow:
    """Return the row of a swarm."""
    topology = swarm.topology
    tally = state.swarming.tally_of(swarm.id)
    health, evidence = condition(state, swarm)
    boxes = state.swarming.mailboxes
    traffic = boxes.traffic.get(swarm.id) or Traffic(swarm.id)
    agents = [state.agents.get(AgentId(member)) for member in topology.members]
    return SwarmRow(
        swarm.id,
        swarm.name,
        swarm.status.value,
        "" if swarm.status is SwarmStatus.COMPLETED else health.value,
        "" if swarm.status is SwarmStatus.COMPLETED else "; ".join(evidence),
        fitness(state, swarm),
        topology.shape.value,
        swarm.settings.shape == AUTO,
        len(topology.members),
        len(links(topology)),
        coordinators(topology),
        swarm.name_of(topology.leader),
        swarm.term,
        rule_of(topology, swarm.settings).value,
        tally.votes_open,
        tally.votes_ended,
        tally.sessions_open,
        sum(agent is not None and agent.status is AgentStatus.BUSY for agent in agents) if not swarm.is_over else 0,
        traffic.sent,
        traffic.carried,
        traffic.rate(now),
        now,
        boxes.waiting[swarm.id],
        traffic.dead,
        swarm.created_at,
        swarm.updated_at,
        swarm.ended_at,
        swarm.who,
        swarm.because or swarm.notes[-1][1],
    )


def coordinators(topology: Topology) -> int:
    """Return through how many members others speak."""
    if topology.shape is Shape.HIERARCHICAL:
        return len({coordinator for _, coordinator in topology.above})
    return int(topology.shape is Shape.STAR and len(topology.members) > 1)


def in_full(state: FleetState, word: str, now: float) -> dict[str, Any]:
    """Return a swarm with its settings, its topology as the seeds write it, its members, links and dead messages. Raises NotFound."""
    swarm = find_swarm(state, word)
    topology = swarm.topology
    return {
        **swarm_row(state, swarm, now)._asdict(),
        "evidence": () if swarm.status is SwarmStatus.COMPLETED else condition(state, swarm)[1],
        "settings": asdict(swarm.settings),
        "layout": asdict(written_out(topology, swarm.settings)),
        "agents": members_of(state, swarm),
        "traffic": [_link(state, swarm, link, now) for link in links(topology)],
        "dead_messages": [_dead(mail) for mail in state.swarming.mailboxes.mail.values() if mail.swarm == swarm.id and mail.dead],
        "version": swarm.version,
        "notes": swarm.notes,
    }


def members_of(state: FleetState, swarm: Swarm) -> list[dict[str, Any]]:
    """Return the members of a swarm as they are."""
    topology = swarm.topology
    above = dict(topology.above)
    level_of = {member: level for level, members in enumerate(topology.levels) for member in members}
    return [_member(state, swarm, member, above.get(member, ""), level_of.get(member, 0)) for member in topology.members]


def _member(state: FleetState, swarm: Swarm, member: str, coordinator: str, level: int) -> dict[str, Any]:
    agent = state.agents.get(AgentId(member))
    return {
        "id": member,
        "name": swarm.name_of(member),
        "pool": agent.spec.pool if agent else "",
        "status": agent.status.value if agent else "gone",
        "task": str(agent.task or "") if agent else "",
        "is_leader": member == swarm.topology.leader,
        "level": level,
        "coordinator": coordinator,
        "reliability": reliability(state, member),
        "mail": len(state.swarming.mailboxes.boxes.get(member, ())),
    }


def _link(state: FleetState, swarm: Swarm, link: Link, now: float) -> dict[str, Any]:
    """Return what went over a link, both ways; rates in messages per second."""
    one, other = link
    traffic = state.swarming.mailboxes.traffic.get(swarm.id)
    there, back = (traffic.flows.get(way, Flow()) if traffic else Flow() for way in (f"{one} {other}", f"{other} {one}"))
    counts = {"messages": there.messages, "rate": there.rate(now), "messages_back": back.messages, "rate_back": back.rate(now)}
    return {"source": one, "target": other, **counts}


def _dead(mail: Mail) -> dict[str, Any]:
    message = mail.message
    return {"id": message.id, "type": message.type, "source": message.source, "at": message.timestamp, "not_reached": mail.dead}


# ---- what verbs would do


def _in_words(topology: Topology) -> str:
    count, found = len(topology.members), len(links(topology))
    return f"{topology.shape} of {count} member{'' if count == 1 else 's'}, {found} link{'' if found == 1 else 's'}"


def _create(state: FleetState, command: CreateSwarm) -> PlanStep:
    made = created_by(state, command, SwarmId(""), "")
    waits = ", as soon as all of them have started" if made.status is SwarmStatus.INITIALIZING else ""
    effect = f"{name_of(state, made.topology.leader)} leads; votes are {rule_of(made.topology, made.settings)}{waits}"
    return PlanStep(call_of(command), command.swarm, "", _in_words(made.topology), effect)


def _edit(state: FleetState, command: EditSwarm) -> PlanStep:
    swarm = find_running(state, command.swarm)
    after = edited(state, command, "")
    before, topology = swarm.topology, after.topology
    joins, leaves = len(set(topology.members) - set(before.members)), len(set(before.members) - set(topology.members))
    effects = [f"{joins} join" if joins else "", f"{leaves} leave{'s' if leaves == 1 else ''}" if leaves else ""]
    if topology.leader != before.leader:
        effects.append(f"{name_of(state, topology.leader)} leads")
    rule = rule_of(topology, after.settings)
    if rule is not rule_of(before, swarm.settings):
        effects.append(f"votes are {rule} from now on, those that are open stay as they are")
    changes = after.settings != swarm.settings or topology != before
    text = _in_words(topology)
    if changes and topology == before:
        text = f"{text}, other settings"
    return PlanStep(call_of(command), swarm.name, _in_words(before), text, "; ".join(filter(None, effects)), changes=changes)


def _pause(state: FleetState, command: PauseSwarm | UnpauseSwarm) -> PlanStep:
    swarm = find_running(state, command.swarm)
    pauses = isinstance(command, PauseSwarm)
    is_paused = swarm.status is SwarmStatus.PAUSED
    effect = "it begins nothing new; what runs goes on, and messages still go" if pauses else "it goes on where it was"
    return PlanStep(call_of(command), swarm.name, swarm.status.value, "paused" if pauses else "active", effect, changes=pauses is not is_paused)


def _end(state: FleetState, command: EndSwarm) -> PlanStep:
    swarm = find_running(state, command.swarm)
    return PlanStep(call_of(command), swarm.name, swarm.status.value, "completed", f"its {len(swarm.topology.members)} members stay in the fleet")


DESCRIBE: dict[type[Command], Callable[[FleetState, Any], PlanStep]] = {
    CreateSwarm: _create,
    EditSwarm: _edit,
    PauseSwarm: _pause,
    UnpauseSwarm: _pause,
    EndSwarm: _end,
}


# ---- undo


def inverse_of(state: FleetState, command: Command) -> list[Call]:
    """Return the calls that take a verb about a swarm back, from the state before it."""
    if not isinstance(command, EditSwarm | PauseSwarm | UnpauseSwarm):
        return []
    swarm = state.swarming.named(command.swarm)
    if swarm is None or swarm.is_over:
        return []
    if isinstance(command, EditSwarm):
        return [Call(command.name, {"swarm": swarm.id, **_named(command, swarm.settings, swarm.topology)})]
    changes = isinstance(command, PauseSwarm) is not (swarm.status is SwarmStatus.PAUSED)
    return [Call(command.inverse, {"swarm": command.swarm})] if changes else []


def is_needless(state: FleetState, command: SwarmVerb, *, undo: bool) -> bool:
    """Tell whether a verb has nothing to do: all is as it would make it, or what it is about has ended, for undo at least."""
    if isinstance(command, CreateSwarm):
        return False
    if isinstance(command, StopSession):
        session = state.swarming.sessions.get(SessionId(command.session))
        return session is None or session.is_over
    swarm = state.swarming.named(command.swarm)
    if swarm is None or swarm.is_over:
        return undo
    if isinstance(command, PauseSwarm | UnpauseSwarm):
        return isinstance(command, PauseSwarm) is (swarm.status is SwarmStatus.PAUSED)
    return isinstance(command, EditSwarm) and goal(state, command) == found_by(state, command)


def goal(state: FleetState, command: EditSwarm) -> dict[str, object]:
    """Return what an edit will leave of that which it names; nothing if it cannot be done."""
    try:
        after = edited(state, command, "")
    except FleetError:
        return {}
    return _named(command, after.settings, after.topology)


def found_by(state: FleetState, command: EditSwarm) -> dict[str, object]:
    """Return what an edit would replace."""
    swarm = state.swarming.named(command.swarm)
    return _named(command, swarm.settings, swarm.topology) if swarm is not None and not swarm.is_over else {}


def _named(command: EditSwarm, settings: SwarmSettings, topology: Topology) -> dict[str, object]:
    """Return of a swarm that which an edit names, as arguments of one."""
    whole: dict[str, tuple[object, bool]] = {
        "topology": (settings.shape, bool(command.topology)),
        "members": (sorted(topology.members), bool(command.members)),
        "rule": (settings.rule, bool(command.rule)),
        "threshold": (settings.threshold, command.threshold >= 0),
        "vote_timeout_s": (settings.vote_timeout_s, bool(command.vote_timeout_s)),
        "inputs": (settings.inputs.value, bool(command.inputs)),
    }
    return {name: value for name, (value, is_named) in whole.items() if is_named}


# ---- events in words


def _changed(state: FleetState, event: SwarmChanged) -> Line:
    level = "info" if event.who else "warn"
    return level, event.swarm, f"swarm {_name(state, event.swarm)}: {event.because}"


def _moved(state: FleetState, event: SwarmMoved) -> Line:
    level = "warn" if event.status is SwarmStatus.FAILED else "info"
    return level, event.swarm, f"swarm {_name(state, event.swarm)} is {event.status}: {event.because}"


def _name(state: FleetState, swarm: SwarmId) -> str:
    known = state.swarming.swarms.get(swarm)
    return known.name if known else swarm


WORDS: dict[type, Callable[[FleetState, Any], Line]] = {
    SwarmCreated: lambda _state, event: ("info", event.swarm, f"swarm {event.name} made by {event.who}: {_in_words(event.topology)}"),
    SwarmChanged: _changed,
    SwarmMoved: _moved,
}
