"""Swarms: who is in them, how they are linked, and what became of them.

Owner: FleetState.apply of `Swarm`; all else are values. Instants are seconds of the fleet clock, 0 = not yet.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from engine.model.ids import SwarmId
from engine.model.swarm_words import AUTO, ENDED, NOTES_MAX, Inputs, Shape, SwarmStatus

Link = tuple[str, str]
"""Two members that speak with each other; each pair once, in the order in which the topology names them."""
Hop = tuple[str, str]
"""One message over one link: who sends it, and who gets it."""


@dataclass(frozen=True, slots=True)
class Topology:
    """How the members of a swarm are linked."""

    shape: Shape
    members: tuple[str, ...]
    """In the order of the ring, or as they joined."""
    leader: str = ""
    """The center of a star, the first of a hierarchy's top, whoever was elected elsewhere; empty = there is no member."""
    levels: tuple[tuple[str, ...], ...] = ()
    """Of a hierarchy, the top first; the last one holds the workers."""
    above: tuple[tuple[str, str], ...] = ()
    """Of a hierarchy: (member, its coordinator), for all below the top."""


@dataclass(frozen=True, slots=True)
class SwarmSettings:
    """What somebody decided about a swarm."""

    shape: str = AUTO
    """A Shape, or AUTO."""
    rule: str = AUTO
    """How it votes: a Rule, or AUTO: as suits its topology."""
    threshold: float = 0.0
    """Share that must approve; 0 = as the rule has it."""
    vote_timeout_s: float = 300.0
    inputs: Inputs = Inputs.ENQUEUE


@dataclass(slots=True)
class Swarm:
    """The fleet's record of one swarm."""

    id: SwarmId
    name: str
    who: str
    created_at: float
    settings: SwarmSettings
    topology: Topology
    names: dict[str, str] = field(default_factory=dict)
    """What people call its members."""
    status: SwarmStatus = SwarmStatus.ACTIVE
    because: str = ""
    """Why it is paused, or has ended."""
    term: int = 1
    """Counts the leaders, the first included."""
    version: int = 1
    """Counts the changes of members, topology and settings, its making included."""
    updated_at: float = 0.0
    ended_at: float = 0.0
    notes: list[tuple[float, str]] = field(default_factory=list)
    """(instant, what happened), oldest first."""

    @property
    def is_over(self) -> bool:
        """Tell whether it has ended."""
        return self.status in ENDED

    def name_of(self, member: str) -> str:
        """Return what people call a member, or what is no member: by itself."""
        return self.names.get(member, member)

    def note(self, at: float, text: str) -> None:
        """Add what happened; the oldest is forgotten when there are too many."""
        self.updated_at = at
        self.notes = [*self.notes[1 - NOTES_MAX :], (at, text)]
