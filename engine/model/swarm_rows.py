"""The row of a swarm."""

from __future__ import annotations

from typing import NamedTuple


class SwarmRow(NamedTuple):
    """A swarm. Instants in epoch seconds, 0 = not yet."""

    id: str
    name: str
    state: str
    """initializing, active, paused, completed or failed."""
    health: str
    """healthy, degraded or unhealthy; empty = somebody ended it."""
    ill: str
    """What speaks against healthy; empty = nothing."""
    fitness: float
    """How well it suits an objective that needs nothing special, 0..1; 0 = nobody is free, or it takes none now."""
    topology: str
    """mesh, hierarchical, star or ring."""
    is_auto: bool
    """The topology follows the number of members."""
    members: int
    links: int
    coordinators: int
    """Members that others speak through: those of a hierarchy, or the center of a star."""
    leader: str
    """Name of the agent that leads; empty = nobody is left."""
    term: int
    """Counts the leaders."""
    rule: str
    """How it votes."""
    votes_open: int
    votes_ended: int
    """Of those that are kept."""
    sessions: int
    """Objectives that have not ended."""
    busy: int
    """Members at work; 0 when it has ended."""
    sent: int
    """Messages since it was made."""
    carried: int
    """The same over links: a message over two of them counts twice."""
    rate: float
    """Messages over links per second, of about the last ten seconds before rate_at; it falls by half in about 7 s without any."""
    rate_at: float
    waiting: int
    """Deliveries of its messages that nobody took yet."""
    dead: int
    """Deliveries that were given up: expired, displaced, or their receiver left."""
    created_at: float
    updated_at: float
    ended_at: float
    who: str
    reason: str
    """What happened to it last, in a line."""


class SessionRow(NamedTuple):
    """An objective of a swarm. Instants in epoch seconds, 0 = not yet."""

    id: str
    swarm: str
    """Name of the swarm."""
    objective: str
    state: str
    """queued, splitting, working, integrating, succeeded, failed, cancelled, interrupted or rolled-back."""
    parts: int
    working: int
    reviewing: int
    accepted: int
    attempts: int
    """Times that parts were worked on."""
    tasks: int
    """Tasks that it was given, reviews included."""
    budget_tasks: int
    cost: float
    budget_cost: float
    """0 = any."""
    asked_at: float
    began_at: float
    deadline: float
    ended_at: float
    who: str
    reason: str
    """Why it has ended; of one that goes on what was said against a part last."""
