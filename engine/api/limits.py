"""What the network faces take at most; every wait and every count of theirs is here."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of the gateway; durations in seconds."""

    message_bytes_max: int = 16 << 20
    """Largest request, in bytes; a larger one is refused."""
    answer_bytes_max: int = 64 << 20
    """Largest answer, in bytes; the asker is told to ask for less."""
    connections_max: int = 64
    """Open connections, of REST and WebSocket together; one more gets 503."""
    requests_max: int = 64
    """Requests of one WebSocket that may be open at once; one more is refused."""
    follows_max: int = 16
    """Feeds of one WebSocket."""
    request_s: float = 120.0
    """Longest that plan, execute or query may take."""
    receive_s: float = 30.0
    """Longest wait for the head or the body of a request over HTTP."""
    send_s: float = 20.0
    """Longest wait for a reader that takes no bytes; then its connection is cut."""
    ack_s: float = 60.0
    """Longest wait for the acknowledgement of a frame; then the feed ends."""
    drain_s: float = 5.0
    """Longest wait, when a connection or the gateway ends, for verbs that are being carried out."""
