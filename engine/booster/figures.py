"""What a worker of the booster is told at its start, and what it tells with its beats: counts that only grow, and what is now.

Owner: nobody; figures are values. Light: both the worker and the engine import it.
"""

import msgspec

REASONS_MAX = 32
"""Reasons that are counted one by one; what else there is counts as OTHER."""
OTHER = "another reason"


class Options(msgspec.Struct):
    """What the configuration says, as it comes to the worker."""

    module: str
    reproducers: str
    memory_max_bytes: int
    timeout_s: float
    cache_max_bytes: int
    modules: str = ""
    """Folder with the modules of operators; empty = there are none."""
    tracks: bool = True
    """Tell figures with the beats."""
    recovers: bool = True
    """Make a new instance after a failure; else the agent hands everything on from then on."""


class InstanceFigures(msgspec.Struct):
    """One agent's instance; counts and seconds since its worker began."""

    agent: str
    calls: int = 0
    failures: int = 0
    restarts: int = 0
    busy_s: float = 0.0
    last_s: float = 0.0
    memory_bytes: int = 0
    used_bytes: int = 0
    last_error: str = ""
    last_error_at: float = 0.0
    p50_s: float = -1.0
    """Median time of its newest calls; -1 = there were none."""


class ModuleFigures(msgspec.Struct):
    """One module of an operator; counts since its worker began."""

    sha256: str
    calls: int = 0
    """What the cache answered is none."""
    cache_hits: int = 0
    failures: int = 0
    """Calls that its instance did not survive, and answers that could not be read."""
    last_error: str = ""
    last_error_at: float = 0.0


class Figures(msgspec.Struct):
    """All of one worker; counts since it began."""

    module: str = ""
    """Name and version."""
    operations: list[str] = []
    """Such as `code.rename (python)`."""
    answered: int = 0
    handed_on: dict[str, int] = {}
    """Reason -> tasks."""
    failures: int = 0
    """Of the tasks handed on those whose instance failed."""
    cache_hits: int = 0
    cache_misses: int = 0
    cache_bytes: int = 0
    breakers: dict[str, float] = {}
    """Operation and language, with a blank between -> instant until which the operation is left to regular agents."""
    reproducer: str = ""
    gone_calls: int = 0
    """Of instances whose agents left."""
    gone_busy_s: float = 0.0
    instances: list[InstanceFigures] = []
    modules: list[ModuleFigures] = []
