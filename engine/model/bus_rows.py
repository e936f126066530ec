"""Rows of events that a group of the bus gave up on; part of engine.model.rows."""

from __future__ import annotations

from typing import NamedTuple


class DeadEventRow(NamedTuple):
    """An event that a group had too often and did not acknowledge. Instants in epoch seconds."""

    id: str
    """The server's, which grows."""
    group: str
    """Who gave it up: other groups had it, or have their own row."""
    type: str
    key: str
    """Task, agent or host that it is about."""
    at: float
    """When it happened."""
    dead_at: float
    """When it was set aside."""
    deliveries: int
    """How often the group was given it."""
    consumer: str
    """Who of the group had it last."""
    number: int
    """The event's own, by which a follower knows what it has had."""
    size_bytes: int
    data: str
    """JSON: the first characters of it."""
