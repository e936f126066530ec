"""How the server is that engines share, as everybody may know it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RedisHealth:
    """What is known of the server."""

    where: str
    mode: str
    is_up: bool = False
    since_at: float = 0.0
    """Since when it is up, or away."""
    reason: str = ""
    """Why it is away."""
    version: str = ""
    rtt_s: float | None = None
    """The last probe's round trip."""
    lost: int = 0
    """Messages to other programs that it did not take, since this engine leads."""
    waiting: int = 0
    """Things whose state keys are still to be written for other programs."""
    left_out: int = 0
    """Things whose state keys were not written, because too many others changed."""
    bus_waiting: int = 0
    """Events in the Streams of the bus that a group has not acknowledged, or nobody follows."""
    bus_dead: int = 0
    """Events that were set aside and are kept: a group had them too often and did not acknowledge them."""
    bus_left_out: int = 0
    """Records that the journal had no more when it was their turn to be told by the bus."""
