"""Memory: the words that verbs need, without the records that only the engine makes.

Owner: nobody; values only.
"""

from __future__ import annotations

from enum import StrEnum


class Kind(StrEnum):
    """What an entry is for; each kind has rules of its own for how long it stays."""

    WORKING = "working"
    """Short-lived context of a task."""
    EPISODIC = "episodic"
    """What happened."""
    SEMANTIC = "semantic"
    """What is known."""
    VECTOR = "vector"
    """Found by its likeness to a query; brings its embedding or has one made."""


class Level(StrEnum):
    """Who sees an entry: each level up to public shows it to more. System stands outside: administrators only."""

    PRIVATE = "private"
    TEAM = "team"
    SWARM = "swarm"
    PUBLIC = "public"
    SYSTEM = "system"
