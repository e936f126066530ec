"""What events about swarms do to the tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from engine.model.ids import AgentId, MessageId
from engine.model.swarm_events import (
    DeadForgotten,
    MailGivenUp,
    MessageSent,
    MessagesTaken,
    SessionChanged,
    SwarmChanged,
    SwarmCreated,
    SwarmMoved,
)
from engine.model.swarm_mail import Mail
from engine.model.swarm_words import ENDED, ENDED_MAX, SESSIONS_ENDED_MAX
from engine.model.swarms import Swarm, Topology
from engine.state.tables import Tables

LEFT = "it left the swarm"


def _created(tables: Tables, event: SwarmCreated, at: float) -> None:
    swarm = Swarm(event.swarm, event.name, event.who, at, event.settings, event.topology, _names(tables, event.topology), event.status)
    swarm.note(at, f"made by {event.who}")
    tables.swarming.add(swarm)
    tables.touched.swarms[swarm.id] = None


def _names(tables: Tables, topology: Topology) -> dict[str, str]:
    """Return what people call the members of a topology; one that has just left is called by its id."""
    agents = ((member, tables.agents.get(AgentId(member))) for member in topology.members)
    return {member: agent.spec.name if agent else member for member, agent in agents}


def _changed(tables: Tables, event: SwarmChanged, at: float) -> None:
    swarm = tables.swarming.swarms[event.swarm]
    tables.swarming.leave(swarm)
    swarm.term += swarm.topology.leader != event.topology.leader
    swarm.names = {member: swarm.names.get(member, name) for member, name in _names(tables, event.topology).items()}
    left = set(swarm.topology.members) - set(event.topology.members)
    swarm.settings, swarm.topology = event.settings, event.topology
    swarm.version += 1
    swarm.note(at, event.because)
    tables.swarming.join(swarm)
    tables.touched.swarms[swarm.id] = None
    boxes = tables.swarming.mailboxes
    for member in left:
        for id_ in [id_ for id_ in boxes.boxes.get(member, ()) if boxes.mail[id_].swarm == swarm.id]:
            _give_up(tables, id_, (member,), LEFT)


def _moved(tables: Tables, event: SwarmMoved, at: float) -> None:
    swarming = tables.swarming
    swarm = swarming.swarms[event.swarm]
    swarm.status, swarm.because = event.status, event.because
    swarm.note(at, event.because)
    tables.touched.swarms[swarm.id] = None
    if event.status in ENDED:
        swarm.ended_at = at
        swarming.leave(swarm)
        tables.touched.mail.update(dict.fromkeys(swarming.mailboxes.forget_swarm(swarm.id)))
        ended = [one for one in swarming.swarms.values() if one.is_over]
        if len(ended) > ENDED_MAX:
            oldest = min(ended, key=lambda one: (one.ended_at, one.id)).id
            del swarming.swarms[oldest]
            swarming.mailboxes.traffic.pop(oldest, None)
            tables.touched.swarms[oldest] = tables.touched.traffic[oldest] = None


def _sent(tables: Tables, event: MessageSent, at: float) -> None:
    boxes = tables.swarming.mailboxes
    boxes.carried(event.swarm, event.hops, at)
    tables.touched.traffic[event.swarm] = None
    if event.waiting:
        boxes.add(Mail(event.message, event.swarm, dict(event.waiting)))
        tables.touched.mail[event.message.id] = None


def _taken(tables: Tables, event: MessagesTaken, _at: float) -> None:
    boxes = tables.swarming.mailboxes
    for id_ in event.messages:
        tables.touched.traffic[boxes.mail[id_].swarm] = None
        tables.touched.mail[id_] = None
        boxes.take(id_, event.member)


def _given_up(tables: Tables, event: MailGivenUp, _at: float) -> None:
    _give_up(tables, event.message, event.members, event.why)


def _give_up(tables: Tables, id_: MessageId, members: Iterable[str], why: str) -> None:
    boxes = tables.swarming.mailboxes
    tables.touched.mail[id_] = None
    tables.touched.traffic[boxes.mail[id_].swarm] = None
    for member in members:
        tables.touched.mail.update(dict.fromkeys(boxes.give_up(id_, member, why)))


def _dead_forgotten(tables: Tables, event: DeadForgotten, _at: float) -> None:
    tables.swarming.mailboxes.forget_dead(event.message)
    tables.touched.mail[event.message] = None


def _session(tables: Tables, event: SessionChanged, _at: float) -> None:
    swarming = tables.swarming
    swarming.put_session(event.session)
    tables.touched.sessions[event.session.id] = None
    if event.session.is_over:
        ended = [session for session in swarming.sessions.values() if session.is_over]
        if len(ended) > SESSIONS_ENDED_MAX:
            oldest = min(ended, key=lambda session: (session.ended_at, session.id)).id
            swarming.forget_session(oldest)
            tables.touched.sessions[oldest] = None


TRANSITIONS: dict[type, Callable[[Tables, Any, float], None]] = {
    SwarmCreated: _created,
    SwarmChanged: _changed,
    SwarmMoved: _moved,
    MessageSent: _sent,
    MessagesTaken: _taken,
    MailGivenUp: _given_up,
    DeadForgotten: _dead_forgotten,
    SessionChanged: _session,
}
