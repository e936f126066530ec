"""The attempts whose programs act as their agents; pure."""

from __future__ import annotations

from engine.model.errors import Denied
from engine.model.plans import Origin
from engine.state import FleetState


def require_running(state: FleetState, origin: Origin) -> None:
    """Check that the attempt whose program asks still runs; nothing for anybody else. Raises Denied."""
    if origin.agent and not state.is_running(*origin.attempt.split("/", 1)):
        raise Denied(f"the attempt of {origin.agent} is over, and its token with it; nothing was changed")
