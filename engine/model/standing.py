"""What an engine is among those that share its fleet, as everybody may know it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether it leads, and who does as far as it knows."""

    region: str
    """The fleet's name on the server."""
    leads: bool = False
    leader: str = ""
    """The engine that leads; empty = none that is known."""
    epoch: int = 0
    """The number of that leadership; the next one's is larger."""
    fault: str = ""
    """Why it does not know better, such as a server that is away."""

    told_at: float | None = None
    """In frames: when the engine that leads last told what only it knows of what is shown; 0 = it did not, None = nothing of that is shown."""

    @property
    def is_relaying(self) -> bool:
        """Answer whether it acts through another engine."""
        return bool(not self.leads and self.leader and not self.fault)
