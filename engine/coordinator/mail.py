"""Messages of swarms: sent over links, waiting in mailboxes until they are taken, given up when nobody takes them in time.

One speaks as oneself: an agent by the token of its attempt, an operator as `@name`; only a program in the engine's own process names
the agent that it runs. Operators are no members: what they say, and what is said to them, goes through the leader.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from engine.coordinator.attempts import require_running
from engine.coordinator.swarms import find_running
from engine.model import wire
from engine.model.errors import CommandRefused, NotFound, UsageError
from engine.model.events import Event
from engine.model.ids import MESSAGE_PREFIX, MessageId
from engine.model.plain import NESTING_MAX, NOT_JSON, plain_object
from engine.model.plans import Origin
from engine.model.swarm_commands import ResendMessage, SendMessage, TakeMessage
from engine.model.swarm_events import DeadForgotten, MailGivenUp, MessageSent, MessagesTaken
from engine.model.swarm_mail import CoordinationMessage, Mail, MessageMetadata
from engine.model.swarm_words import MAILBOX_MAX, PAYLOAD_MAX_BYTES, Priority
from engine.model.swarms import Hop, Swarm
from engine.scheduling.timers import Due
from engine.state import FleetState, Touched
from engine.state.deciding import Deciding, Decision
from engine.swarm.topologies import broadcast, route

DUE = "mail"
"""Kind of the timers of messages."""
FULL = "its mailbox is full"
DISPLACED = "something more urgent came while its mailbox was full"
EXPIRED = "nobody took it in time"
_IN_PROCESS = "library"
_OPERATOR = "@"


def decide_send(state: FleetState, commands: Sequence[SendMessage], deciding: Deciding) -> Decision:
    """Send messages. Raises FleetError."""
    decision = Decision([], [])
    boxes = Boxes(state)
    for command in commands:
        swarm = find_running(state, command.swarm)
        message = message_of(state, swarm, command, MessageId(deciding.ids.new(MESSAGE_PREFIX)), deciding)
        decision.events += sent(swarm, message, boxes)
        decision.values = [*decision.values, message.id]
    return decision


def message_of(state: FleetState, swarm: Swarm, command: SendMessage, id_: MessageId, deciding: Deciding) -> CoordinationMessage:
    """Return what a command sends. Raises FleetError."""
    source = speaker(state, deciding.origin, command.source)
    if not source.startswith(_OPERATOR) and source not in swarm.topology.members:
        raise CommandRefused(f"{source} is not in the swarm {swarm.name}, and only its members and operators speak in it")
    target = receiver(state, swarm, command.target)
    try:
        payload = plain_object(command.payload)
    except NOT_JSON as error:
        raise UsageError(f"the payload is no JSON: {error}; give plain values, nested at most {NESTING_MAX} deep") from error
    if len(wire.encode(payload)) > PAYLOAD_MAX_BYTES:
        raise UsageError(f"the payload is larger than {PAYLOAD_MAX_BYTES:,} bytes; remember it, and send its key")
    metadata = MessageMetadata(session_id=command.session, correlation_id=command.correlation, ttl=command.ttl_s)
    return CoordinationMessage(id_, command.type, source, target, payload, deciding.now, Priority(command.priority), metadata)


def receiver(state: FleetState, swarm: Swarm, word: str) -> str:
    """Return whom a word means: a member by id or name, an operator as `@name`; empty for all members. Raises NotFound."""
    if not word or (word.startswith(_OPERATOR) and len(word) > 1):
        return word
    agent = state.agent_named(word)
    if agent is None or agent.spec.id not in swarm.topology.members:
        raise NotFound(f"{word!r} is not in the swarm {swarm.name}; operators are written as @name")
    return str(agent.spec.id)


def speaker(state: FleetState, origin: Origin, named: str) -> str:
    """Return as whom somebody speaks, or whose mail it is. Raises CommandRefused, Denied, NotFound."""
    if origin.agent:
        require_running(state, origin)
        if named and state.agent_named(named) is not state.agent_named(origin.agent):
            raise CommandRefused("one speaks as oneself, and reads one's own mail")
        return origin.agent
    if not named:
        return f"{_OPERATOR}{origin.who}"
    if origin.via != _IN_PROCESS:
        raise CommandRefused("one speaks as oneself; only a program in the engine's own process names the agent that it runs")
    agent = state.agent_named(named)
    if agent is None:
        raise NotFound(f"no agent {named!r}; `get agents` lists them")
    return str(agent.spec.id)


def hops_of(swarm: Swarm, message: CoordinationMessage) -> list[Hop]:
    """Return over which links a message goes; those of and to operators begin and end at the leader."""
    topology = swarm.topology
    start, end = (one if one in topology.members else topology.leader for one in (message.source, message.target))
    return route(topology, start, end) if message.target else broadcast(topology, start)


class Boxes:
    """How full mailboxes are while a plan is decided."""

    def __init__(self, state: FleetState) -> None:
        self._boxes = state.swarming.mailboxes
        self._more: dict[str, list[CoordinationMessage]] = {}
        self._fewer: dict[str, set[MessageId]] = {}

    def put(self, member: str, message: CoordinationMessage) -> MessageId | None:
        """Put a message into a mailbox and return what has to go for it: itself, something less urgent, or nothing."""
        gone = self._fewer.setdefault(member, set())
        more = self._more.setdefault(member, [])
        there = [self._boxes.mail[id_].message for id_ in self._boxes.boxes.get(member, ()) if id_ not in gone] + more
        if len(there) < MAILBOX_MAX:
            more.append(message)
            return None
        least = min(there, key=lambda one: one.priority.rank)
        if least.priority.rank >= message.priority.rank:
            return message.id
        gone.add(least.id)
        self._more[member] = [*(one for one in more if one.id != least.id), message]
        return least.id


def sent(swarm: Swarm, message: CoordinationMessage, boxes: Boxes) -> list[Event]:
    """Return what sending a message comes to."""
    hops = hops_of(swarm, message)
    depth = {message.source if message.source in swarm.topology.members else swarm.topology.leader: 0}
    for source, target in hops:
        depth.setdefault(target, depth[source] + 1)
    receivers = [message.target] if message.target else [member for member in depth if member != message.source]
    depth.setdefault(message.target, len(hops))
    gone = {member: boxes.put(member, message) for member in receivers}
    refused = tuple(member for member, id_ in gone.items() if id_ == message.id)
    waiting = {member: depth[member] for member in receivers}
    events: list[Event] = [MessageSent(swarm.id, message, waiting, tuple(hops))]
    if refused:
        events.append(MailGivenUp(message.id, refused, FULL))
    events += [MailGivenUp(id_, (member,), DISPLACED) for member, id_ in gone.items() if id_ not in (None, message.id)]
    return events


def decide_take(state: FleetState, commands: Sequence[TakeMessage], deciding: Deciding) -> Decision:
    """Take messages out of mailboxes. Raises NotFound for what is not there, or no more."""
    taken: dict[str, dict[MessageId, None]] = {}
    for command in commands:
        owner = speaker(state, deciding.origin, command.agent)
        taken.setdefault(owner, {})[find_waiting(state, command.message, owner).message.id] = None
    events: list[Event] = [MessagesTaken(tuple(ids), owner) for owner, ids in taken.items()]
    return Decision(events, [command.message for command in commands])


def find_waiting(state: FleetState, word: str, owner: str) -> Mail:
    """Return the message with that id in somebody's mailbox. Raises NotFound."""
    boxes = state.swarming.mailboxes
    if MessageId(word) not in boxes.boxes.get(owner, ()):
        raise NotFound(f"no message {word!r} in the mailbox of {owner}; it was taken, or expired")
    return boxes.mail[MessageId(word)]


def decide_resend(state: FleetState, commands: Sequence[ResendMessage], deciding: Deciding) -> Decision:
    """Send dead messages again, to those whom they did not reach and who are still members. Raises FleetError."""
    decision = Decision([], [])
    boxes = Boxes(state)
    for command in commands:
        mail = find_dead(state, command.message)
        swarm = find_running(state, mail.swarm)
        targets = resend_to(swarm, mail)
        if not targets:
            raise CommandRefused(f"nobody whom {mail.message.id} did not reach is still in the swarm {swarm.name}")
        decision.events.append(DeadForgotten(mail.message.id))
        for target in targets:
            again = again_of(mail.message, target, MessageId(deciding.ids.new(MESSAGE_PREFIX)), deciding.now)
            decision.events += sent(swarm, again, boxes)
        decision.values = [*decision.values, len(targets)]
    return decision


def find_dead(state: FleetState, word: str) -> Mail:
    """Return the dead message with that id. Raises NotFound."""
    boxes = state.swarming.mailboxes
    if MessageId(word) not in boxes.dead:
        raise NotFound(f"no dead message {word!r}; `get swarms NAME -o json` lists those of a swarm")
    return boxes.mail[MessageId(word)]


def resend_to(swarm: Swarm, mail: Mail) -> list[str]:
    """Return whom a dead message would go to again."""
    return [one for one in mail.dead if one in swarm.topology.members or one.startswith(_OPERATOR)]


def again_of(message: CoordinationMessage, target: str, id_: MessageId, now: float) -> CoordinationMessage:
    """Return a message as it is sent again to one member."""
    old = message.metadata
    metadata = MessageMetadata(old.version, old.session_id, old.correlation_id or message.id, old.retry_count + 1, old.ttl)
    return CoordinationMessage(id_, message.type, message.source, target, message.payload, now, message.priority, metadata)


# ---- what happens by itself


def decide_due(state: FleetState, ids: Iterable[str], now: float) -> list[Event]:
    """Return what gives up the messages that nobody took in time."""
    mail = (state.swarming.mailboxes.mail.get(MessageId(id_)) for id_ in dict.fromkeys(ids))
    return [
        MailGivenUp(one.message.id, tuple(one.waiting), EXPIRED)
        for one in mail
        if one is not None and one.waiting and 0 < one.message.expires_at <= now
    ]


def dues(state: FleetState, touched: Touched) -> Iterator[Due]:
    """Return when messages that were sent expire."""
    mail = state.swarming.mailboxes.mail
    return _dues(mail[id_] for id_ in touched.mail if id_ in mail)


def dues_of_all(state: FleetState) -> Iterator[Due]:
    """Return when messages that wait expire."""
    return _dues(state.swarming.mailboxes.mail.values())


def _dues(mail: Iterable[Mail]) -> Iterator[Due]:
    for one in mail:
        if one.waiting and one.message.expires_at:
            yield (one.message.expires_at, DUE, one.message.id, 0)


DECIDE: dict[type, Callable[..., Decision]] = {SendMessage: decide_send, TakeMessage: decide_take, ResendMessage: decide_resend}


def told(mail: Mail, member: str) -> dict[str, Any]:
    """Return a message as its receiver reads it: as the seeds have it, and over how many links it came."""
    message: dict[str, Any] = wire.to_plain(mail.message)
    return {**message, "swarm": mail.swarm, "hops": mail.waiting.get(member, 0)}
