"""Gangs: agents of a pool that start together or not at all."""

from __future__ import annotations

from dataclasses import dataclass

from engine.model.ids import GangId


@dataclass(frozen=True, slots=True)
class Gang:
    """What somebody asked for, and how it stands. Instants of the fleet clock, 0 = not yet."""

    id: GangId
    pool: str
    agents: int
    priority: int
    asked_at: float
    expires_at: float
    """When it is given up if there is no room for all by then."""
    keep_s: float
    """How long its agents are kept from the autoscaler once they are there; then they leave."""
    who: str
    lacks: str = ""
    """Resource that there is too little of; `max` is the pool's or the fleet's own bound."""
    text: str = ""
    """Why it waits, in a line, as it was when it began or last changed."""
    granted_at: float = 0.0

    @property
    def is_waiting(self) -> bool:
        """Tell whether its agents are still to start."""
        return not self.granted_at

    @property
    def ends_at(self) -> float:
        """Return when it is over by itself."""
        return self.expires_at if self.is_waiting else self.granted_at + self.keep_s
