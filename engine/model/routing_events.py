"""Facts about learned routing; part of the events in engine.model.events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from engine.model.learned import LearnedModel


@dataclass(frozen=True, slots=True)
class RoutingModeSet:
    """What learned routing may do in some pools was set."""

    type: ClassVar[str] = "routing.mode"
    pools: tuple[str, ...]
    mode: str
    """on, shadow or off; empty = as configured."""
    by: str


@dataclass(frozen=True, slots=True)
class RoutingLearned:
    """What was learned is kept: as models, not as the outcomes that made them."""

    type: ClassVar[str] = "routing.learned"
    models: tuple[LearnedModel, ...]
    set_aside: bool = False
    """It was forgotten just now, and is kept to be recalled."""


@dataclass(frozen=True, slots=True)
class RoutingForgotten:
    """What was learned in some pools is set aside; learning begins anew."""

    type: ClassVar[str] = "routing.forgotten"
    pools: tuple[str, ...]
    by: str


@dataclass(frozen=True, slots=True)
class RoutingRecalled:
    """What was set aside in some pools counts again."""

    type: ClassVar[str] = "routing.recalled"
    pools: tuple[str, ...]
    by: str
