"""Messages between agents of a swarm: what is sent, what waits in mailboxes, what could not be delivered, and what links carried.

Owner: FleetState.apply of `Mail` and `Traffic`; all else are values. Instants are seconds of the fleet clock, 0 = none.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import exp

from engine.model.ids import MessageId, SwarmId
from engine.model.swarm_words import Priority

RATE_S = 10.0
"""Over how long the rate of a link is smoothed."""
PROTOCOL = "1.0.0"
"""Version of messages."""


@dataclass(frozen=True, slots=True)
class MessageMetadata:
    """What goes with a message; ttl in seconds, 0 = it never expires."""

    version: str = PROTOCOL
    session_id: str = ""
    correlation_id: str = ""
    retry_count: int = 0
    ttl: float = 0.0


@dataclass(frozen=True, slots=True)
class CoordinationMessage:
    """A message as the seeds have it (seed A 4.3)."""

    id: MessageId
    type: str
    source: str
    """An agent's id, or `@name` of an operator."""
    target: str
    """An agent's id; empty = all members but the sender."""
    payload: dict[str, object]
    timestamp: float
    priority: Priority = Priority.NORMAL
    metadata: MessageMetadata = field(default_factory=MessageMetadata)

    @property
    def expires_at(self) -> float:
        """Return when nobody needs it any more; 0 = never."""
        return self.timestamp + self.metadata.ttl if self.metadata.ttl else 0.0


def seed_form(message: CoordinationMessage) -> dict[str, object]:
    """Return a message as the seeds write it in JSON (seed A 4.3): instants and ttl in milliseconds; what is optional and not there is left out."""
    given = message.metadata
    metadata = {"version": given.version, "sessionId": given.session_id, "correlationId": given.correlation_id, "retryCount": given.retry_count, "ttl": int(given.ttl * 1000)}
    told = {"id": message.id, "type": message.type, "source": message.source, "target": message.target, "payload": message.payload}
    optional = {"target", "correlationId", "ttl"}
    return {
        **{key: value for key, value in told.items() if value or key not in optional},
        "timestamp": int(message.timestamp * 1000),
        "priority": message.priority.value,
        "metadata": {key: value for key, value in metadata.items() if value or key not in optional},
    }


@dataclass(slots=True)
class Mail:
    """A message with who is still to take it, and whom it did not reach."""

    message: CoordinationMessage
    swarm: SwarmId
    waiting: dict[str, int]
    """Member -> links that it came over."""
    dead: dict[str, str] = field(default_factory=dict)
    """Member -> why it was not delivered."""


@dataclass(slots=True)
class Flow:
    """What one link carried in one direction."""

    messages: int = 0
    weight: float = 0.0
    """Messages, each counting less the longer it is ago: by half after about 7 s."""
    at: float = 0.0

    def add(self, now: float) -> None:
        """Count a message."""
        self.weight = self._weight_at(now) + 1.0
        self.messages += 1
        self.at = now

    def rate(self, now: float) -> float:
        """Return messages per second of about the last ten seconds."""
        return self._weight_at(now) / RATE_S

    def _weight_at(self, now: float) -> float:
        return self.weight * exp(min(0.0, self.at - now) / RATE_S)


@dataclass(slots=True)
class Traffic:
    """What a swarm's messages came to since it was made."""

    swarm: SwarmId
    sent: int = 0
    """Messages."""
    carried: int = 0
    """Over links: a message over two of them counts twice."""
    taken: int = 0
    """Deliveries that their receivers took."""
    dead: int = 0
    """Deliveries that were given up."""
    flows: dict[str, Flow] = field(default_factory=dict)
    """`sender receiver` -> what went that way."""

    def rate(self, now: float) -> float:
        """Return messages per second over all links."""
        return sum(flow.rate(now) for flow in self.flows.values())
