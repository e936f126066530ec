"""Who does a code task: what the classifier says at its submission.

Owner: nobody; a route is a value.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

CODE_PREFIX = "code."
"""Of the types of all code tasks."""


class CodeClass(StrEnum):
    """Classes of code tasks (seed B 4.2)."""

    BOOSTER = "high-performance"
    REGULAR = "regular"
    """It never was for the booster."""
    FALLBACK = "fallback"
    """It is for the booster, which cannot take it now."""


class CodeRoute(NamedTuple):
    """A class, and why."""

    of: CodeClass
    reason: str

    def __str__(self) -> str:
        """Say it in one line."""
        return f"{self.of}: {self.reason}"
