"""Facts about room on machines: what they have, who waits for it, and agents that start together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from engine.model.gangs import Gang
from engine.model.ids import GangId
from engine.model.machines import Waits


@dataclass(frozen=True, slots=True)
class PoolWaits:
    """Agents of a pool do not start for want of room, or all have room again (nothing waits)."""

    type: ClassVar[str] = "pool.waits"
    pool: str
    waits: Waits | None


@dataclass(frozen=True, slots=True)
class TasksWaitForRoom:
    """Tasks of a pool wait although agents are free, and why as it began; empty = they go on."""

    type: ClassVar[str] = "pool.tasks_wait"
    pool: str
    text: str


@dataclass(frozen=True, slots=True)
class MachineSeen:
    """A machine has other amounts for agents than before, or is new; in thousandths."""

    type: ClassVar[str] = "machine.seen"
    machine: str
    capacity: dict[str, int]


@dataclass(frozen=True, slots=True)
class MachineGone:
    """A machine is there no more, and nothing is counted on it."""

    type: ClassVar[str] = "machine.gone"
    machine: str


@dataclass(frozen=True, slots=True)
class GangAsked:
    """Somebody wants agents that start together."""

    type: ClassVar[str] = "gang.asked"
    gang: Gang


@dataclass(frozen=True, slots=True)
class GangWaits:
    """There is no room for all agents of a gang, or for another reason than before."""

    type: ClassVar[str] = "gang.waits"
    gang: GangId
    lacks: str
    text: str


@dataclass(frozen=True, slots=True)
class GangGranted:
    """All agents of a gang start."""

    type: ClassVar[str] = "gang.granted"
    gang: GangId


@dataclass(frozen=True, slots=True)
class GangEnded:
    """A gang is over: it waits no more, or its agents leave."""

    type: ClassVar[str] = "gang.ended"
    gang: GangId
    pool: str
    size: int
    reason: str
