"""Machines: what each has for agents, what agents take of it, and what of its memory is free at a moment.

Amounts are whole thousandths of a core, a megabyte or a named thing, so that what is released is exactly what was taken.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from engine.model.agents import Resources

THIS_MACHINE = "local"
"""Id of the machine that the engine runs on."""
THOUSAND = 1_000
CPU = "cpu"
MEMORY = "memory"

Amounts = dict[str, int]
"""Resource -> thousandths; what is not there is 0."""


def thousandths(amounts: Mapping[str, float]) -> Amounts:
    """Return amounts as they are counted; those of 0 are left out."""
    return {name: round(value * THOUSAND) for name, value in amounts.items() if round(value * THOUSAND)}


def taken_by(resources: Resources) -> Amounts:
    """Return what an agent takes of its machine as long as it lives: named things, and cores and memory if they are reserved."""
    reserved = {CPU: resources.cpu, MEMORY: float(resources.memory)} if resources.reserved else {}
    return thousandths({**resources.named, **reserved})


def say_amount(name: str, amount: float) -> str:
    """Return `300 MB`, `1.5 cores` or `2 gpu` for thousandths of a resource."""
    value = amount / THOUSAND
    if name == MEMORY:
        return f"{value:.0f} MB"
    return f"{value:g} core{'' if value == 1 else 's'}" if name == CPU else f"{value:g} {name}"


@dataclass(slots=True)
class Machine:
    """What a machine has for agents and what they take of it. Owner: FleetState.apply."""

    id: str
    capacity: Amounts
    taken: Amounts = field(default_factory=dict)

    def copy(self) -> Machine:
        """Return one that is counted on its own."""
        return Machine(self.id, self.capacity, dict(self.taken))

    def free(self, name: str) -> int:
        """Return what is left; below 0 when the machine became smaller under its agents."""
        return self.capacity.get(name, 0) - self.taken.get(name, 0)

    def take(self, amounts: Amounts) -> None:
        """Count an agent in."""
        for name, amount in amounts.items():
            self.taken[name] = self.taken.get(name, 0) + amount

    def release(self, amounts: Amounts) -> None:
        """Count an agent out."""
        for name, amount in amounts.items():
            left = self.taken[name] - amount
            assert left >= 0, f"{self.id}: {name} released that was not taken"
            if left:
                self.taken[name] = left
            else:
                del self.taken[name]


class Places(NamedTuple):
    """Where agents run: the machine of each (empty = here, and it takes nothing), and why, by machine."""

    machines: Sequence[str]
    why: Mapping[str, str] = {}


class Expected(NamedTuple):
    """Memory that more agents will take, by what those before them took."""

    each_mb: float
    group: str
    """Those of a group start the same processes."""
    at_most: int | None
    """Agents of the group that take it, the others share with them; None = each one does."""


@dataclass(frozen=True, slots=True)
class Room:
    """What the engine's machine can take at a moment."""

    capacity: Amounts
    """For agents that reserve: what it has without what is kept back."""
    free_mb: float | None = None
    """Memory that programs could have without swapping, without what is kept back; None = it is not to be looked at."""
    expected: Mapping[str, Expected] = field(default_factory=dict)
    """Pool -> what more agents of it will take; of a pool that is not there it is nothing, or not known."""


@dataclass(frozen=True, slots=True)
class ProgramRoom:
    """Memory for programs, MB, as at one look."""

    all_mb: float
    """What those that ran had, and what there was beside them without swapping and without what is kept back."""
    held: Mapping[str, float]
    """What each of them had, with its descendants: by its task, or by its agent where that keeps it."""
    each: Mapping[str, float]
    """Pool -> what one more takes; of a pool that is not there it is nothing, or not known."""


@dataclass(frozen=True, slots=True)
class Waits:
    """Agents that a pool should have and that do not start for want of room."""

    since: float
    agents: int
    lacks: str
    """Resource that there is too little of; `free memory` is what was measured, `memory` what is reserved."""
    text: str
    """Why, in a line, as it was when it began or last changed."""
