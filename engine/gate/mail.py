"""Messages of swarms as operators see them: what the verbs about them would do, one's own mail, and their events in words; pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from engine.coordinator.mail import find_dead, hops_of, receiver, resend_to, speaker, told
from engine.coordinator.swarms import find_running, name_of
from engine.model.errors import NotFound
from engine.model.ids import MessageId
from engine.model.plans import Origin, PlanStep
from engine.model.swarm_commands import ResendMessage, SendMessage, TakeMessage
from engine.model.swarm_events import DeadForgotten, MailGivenUp, MessageSent, MessagesTaken
from engine.model.swarm_mail import CoordinationMessage
from engine.model.verbs import Command
from engine.model.wire import call_of
from engine.state import FleetState

Line = tuple[str, str, str]
"""Level, id of what it is about, and the words for an event."""


def mail_of(state: FleetState, origin: Origin, agent: str) -> list[dict[str, Any]]:
    """Return what waits in a mailbox, the most urgent first: one's own, or, for operators, any agent's. Raises FleetError."""
    if agent and not origin.agent:
        known = state.agent_named(agent)
        if known is None:
            raise NotFound(f"no agent {agent!r}; `get agents` lists them")
        owner = str(known.spec.id)
    else:
        owner = speaker(state, origin, agent)
    return [told(mail, owner) for mail in state.swarming.mailboxes.waiting_for(owner)]


def _send(state: FleetState, command: SendMessage) -> PlanStep:
    swarm = find_running(state, command.swarm)
    target = receiver(state, swarm, command.target)
    message = CoordinationMessage(MessageId(""), command.type, "", target, {}, 0.0)
    hops = len(hops_of(swarm, message))
    who = name_of(state, target) if target else f"all {len(swarm.topology.members)} members"
    lasts = f"for {command.ttl_s:g} s at most" if command.ttl_s else "until it is taken"
    return PlanStep(call_of(command), swarm.name, "", f"{command.type} to {who}", f"over {hops} link{'' if hops == 1 else 's'}; waits {lasts}")


def _take(state: FleetState, command: TakeMessage) -> PlanStep:
    mail = state.swarming.mailboxes.mail.get(MessageId(command.message))
    if mail is None or not mail.waiting:
        raise NotFound(f"no message {command.message!r} waits; it was taken, or expired")
    return PlanStep(call_of(command), command.message, mail.message.type, "taken")


def _resend(state: FleetState, command: ResendMessage) -> PlanStep:
    mail = find_dead(state, command.message)
    targets = resend_to(find_running(state, mail.swarm), mail)
    why = next(iter(mail.dead.values()))
    return PlanStep(call_of(command), mail.message.id, f"dead: {why}", f"sent again to {len(targets)} of {len(mail.dead)}", changes=bool(targets))


DESCRIBE: dict[type[Command], Callable[[FleetState, Any], PlanStep]] = {SendMessage: _send, TakeMessage: _take, ResendMessage: _resend}


def _sent(state: FleetState, event: MessageSent) -> Line:
    message = event.message
    target = name_of(state, message.target) if message.target else f"{len(event.waiting)} members"
    hops = len(event.hops)
    return "info", event.swarm, f"{name_of(state, message.source)} to {target}: {message.type}, over {hops} link{'' if hops == 1 else 's'}"


def _given_up(state: FleetState, event: MailGivenUp) -> Line:
    first = name_of(state, event.members[0])
    who = first if len(event.members) == 1 else f"{first} and {len(event.members) - 1} more"
    return "warn", event.message, f"message {event.message} did not reach {who}: {event.why}"


WORDS: dict[type, Callable[[FleetState, Any], Line]] = {
    MessageSent: _sent,
    MessagesTaken: lambda state, event: ("info", event.member, f"{name_of(state, event.member)} took {len(event.messages)} messages"),
    MailGivenUp: _given_up,
    DeadForgotten: lambda _state, event: ("info", event.message, f"message {event.message} is sent again"),
}
