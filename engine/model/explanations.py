"""Why a thing is as it is: one sentence, and the facts that it rests on, each with its instant and the thing that it names."""

from __future__ import annotations

from dataclasses import dataclass

EXPLAINED = ("tasks", "agents", "pools", "hosts", "policies", "scaling", "alerts", "swarms", "sessions", "regions")
"""Kinds of things that are explained, as in ROW_KINDS."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """One fact that the engine has."""

    text: str
    level: str = "info"
    """info, warn or error."""
    at: float = 0.0
    """Since when it holds, or when it was measured, in epoch seconds; 0 = it is so at `Explanation.at`."""
    kind: str = ""
    """Kind of the thing that it names, as in ROW_KINDS; empty = none."""
    id: str = ""


@dataclass(frozen=True, slots=True)
class Explanation:
    """What holds a thing up, or made it as it is; the most decisive fact first."""

    kind: str
    """As in ROW_KINDS."""
    id: str
    name: str
    """What people call it."""
    headline: str
    level: str
    at: float
    """Instant at which the facts were looked up."""
    evidence: tuple[Evidence, ...]
