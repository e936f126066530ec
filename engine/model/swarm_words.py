"""Swarms: the words and limits that verbs need, without the records that only the engine makes.

Owner: nobody; values only.
"""

from __future__ import annotations

from enum import StrEnum

MESH_MAX = 7
"""Members of a mesh; more would need too many links, for they grow with the square."""
HIERARCHY_MIN = 8
RING_MIN = 3
MEMBERS_MAX = 1_000
"""Members of one swarm."""
AUTO = "auto"
"""The topology is chosen by the number of members, and again whenever that changes."""


class Shape(StrEnum):
    """How the members of a swarm are linked."""

    MESH = "mesh"
    """Everybody with everybody."""
    HIERARCHICAL = "hierarchical"
    """Workers with a coordinator, coordinators with one above; those at the top with each other."""
    STAR = "star"
    """Everybody with the center."""
    RING = "ring"
    """Everybody with a predecessor and a successor."""


class SwarmStatus(StrEnum):
    """initializing -> active <-> paused -> completed | failed."""

    INITIALIZING = "initializing"
    """Some of its members are still starting."""
    ACTIVE = "active"
    PAUSED = "paused"
    """It begins nothing new; messages still go."""
    COMPLETED = "completed"
    """Somebody ended it."""
    FAILED = "failed"
    """It has no members left."""


ENDED = frozenset({SwarmStatus.COMPLETED, SwarmStatus.FAILED})
SWARMS_MAX = 1_000
"""Swarms that have not ended."""
ENDED_MAX = 100
"""Swarms that have ended, of which the newest are kept in memory; the journal has the others as long as it is kept."""
NOTES_MAX = 50
"""Things that happened to a swarm, of which the newest are kept with it."""


class Inputs(StrEnum):
    """What becomes of an objective that comes while the swarm works on another one."""

    ENQUEUE = "enqueue"
    """It waits for its turn."""
    REJECT = "reject"
    """It is refused."""
    INTERRUPT = "interrupt"
    """The other one ends with what it has so far."""
    ROLLBACK = "rollback"
    """The other one ends and what it has so far counts for nothing."""


class Priority(StrEnum):
    """How urgent a message is."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """Return a number that is higher the more urgent it is."""
        return list(Priority).index(self)


MAILBOX_MAX = 100
"""Messages that wait for one member; in a full mailbox a message displaces the oldest of the least urgent, or is refused."""
DEAD_MAX = 500
"""Messages that did not reach somebody, of which the newest are kept."""
PAYLOAD_MAX_BYTES = 16_384

class SessionState(StrEnum):
    """queued -> splitting -> working -> integrating -> succeeded | failed; or ended before."""

    QUEUED = "queued"
    SPLITTING = "splitting"
    WORKING = "working"
    INTEGRATING = "integrating"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    """Somebody stopped it, or its swarm ended."""
    INTERRUPTED = "interrupted"
    """Another objective came; what was accepted stays."""
    ROLLED_BACK = "rolled-back"
    """Another objective came; what was accepted counts for nothing."""


SESSION_OVER = frozenset(SessionState) - {SessionState.QUEUED, SessionState.SPLITTING, SessionState.WORKING, SessionState.INTEGRATING}


class PartState(StrEnum):
    """waiting -> working -> reviewing -> accepted, or back to waiting, or failed."""

    WAITING = "waiting"
    WORKING = "working"
    REVIEWING = "reviewing"
    ACCEPTED = "accepted"
    FAILED = "failed"


PARTS_MAX = 64
"""Parts of one objective."""
SESSIONS_WAITING_MAX = 16
"""Sessions of one swarm that have not ended."""
SESSIONS_ENDED_MAX = 200
"""Sessions that have ended, of which the newest are kept in memory."""

SHAPES = (AUTO, *(shape.value for shape in Shape))
