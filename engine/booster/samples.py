"""What live sampling has found: how much longer a regular agent takes for what the booster did, and whether both agree.

Owner: of the ratios of the newest `RATIOS_MAX` samples and of the counts, since the engine began; told on its loop.
"""

from collections import deque
from dataclasses import dataclass, field
from statistics import median

RATIOS_MAX = 500


@dataclass(slots=True)
class Samples:
    """Tasks of the booster that a regular agent did again."""

    alike: int = 0
    """Same answer; only these are measured."""
    sampled_at: float = 0.0
    differences: int = 0
    difference_at: float = 0.0
    difference: str = ""
    """File with both answers to the newest one that differed; empty = none was kept."""
    _ratios: deque[float] = field(default_factory=lambda: deque(maxlen=RATIOS_MAX))

    def note(self, regular_s: float, boosted_s: float, at: float) -> None:
        """Take note of two equal answers and of how long each took."""
        self.alike += 1
        self.sampled_at = at
        self._ratios.append(regular_s / boosted_s)

    def differ(self, path: str, at: float) -> None:
        """Take note of two answers that differ; `path` has both."""
        self.differences += 1
        self.difference_at = at
        self.difference = path

    @property
    def speed_up(self) -> float:
        """The regular agent's time by the booster's, median of the newest samples; -1 before the first."""
        return median(self._ratios) if self._ratios else -1.0
