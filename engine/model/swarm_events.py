"""Facts about swarms; part of the events in engine.model.events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from engine.model.ids import MessageId, SwarmId
from engine.model.swarm_mail import CoordinationMessage
from engine.model.swarm_sessions import Session
from engine.model.swarm_words import SwarmStatus
from engine.model.swarms import Hop, SwarmSettings, Topology


@dataclass(frozen=True, slots=True)
class SwarmCreated:
    """Agents became a swarm."""

    type: ClassVar[str] = "swarm.created"
    swarm: SwarmId
    name: str
    who: str
    settings: SwarmSettings
    topology: Topology
    status: SwarmStatus


@dataclass(frozen=True, slots=True)
class SwarmChanged:
    """A swarm has other members, links or settings: somebody edited it, or it healed."""

    type: ClassVar[str] = "swarm.changed"
    swarm: SwarmId
    settings: SwarmSettings
    topology: Topology
    because: str
    who: str = ""
    """Empty = nobody, it healed by itself."""


@dataclass(frozen=True, slots=True)
class SwarmMoved:
    """A swarm began, was paused, goes on or ended."""

    type: ClassVar[str] = "swarm.moved"
    swarm: SwarmId
    status: SwarmStatus
    because: str


@dataclass(frozen=True, slots=True)
class MessageSent:
    """A message went over links into mailboxes."""

    type: ClassVar[str] = "swarm.message_sent"
    swarm: SwarmId
    message: CoordinationMessage
    waiting: dict[str, int]
    """Member into whose mailbox it came -> links that it came over."""
    hops: tuple[Hop, ...]


@dataclass(frozen=True, slots=True)
class MessagesTaken:
    """A member took messages out of its mailbox."""

    type: ClassVar[str] = "swarm.messages_taken"
    messages: tuple[MessageId, ...]
    member: str


@dataclass(frozen=True, slots=True)
class MailGivenUp:
    """A message did not reach some of its receivers."""

    type: ClassVar[str] = "swarm.mail_given_up"
    message: MessageId
    members: tuple[str, ...]
    why: str


@dataclass(frozen=True, slots=True)
class DeadForgotten:
    """A dead message is sent again, as another one."""

    type: ClassVar[str] = "swarm.dead_forgotten"
    message: MessageId


@dataclass(frozen=True, slots=True)
class SessionChanged:
    """A session was asked for, is further, or has ended: as it is now."""

    type: ClassVar[str] = "swarm.session"
    session: Session
