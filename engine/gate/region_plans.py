"""The verbs about regions: what they would do, and doing it; they change no state of this region's own fleet.

Owner: nobody; functions only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, TypeAlias

from engine.model.errors import CommandRefused, NotFound
from engine.model.plans import PlanStep
from engine.model.region_commands import FailBack, FailOver
from engine.model.region_rows import HEALTHY, RegionRow
from engine.model.task_commands import SubmitTask
from engine.model.verbs import Command
from engine.model.wire import call_of, nearest

RegionVerb: TypeAlias = FailOver | FailBack


class Regions(Protocol):
    """The regions that know one another, and the moving of them."""

    own: str
    """The region of this engine."""

    def rows(self) -> Mapping[str, RegionRow]:
        """Return all by name."""
        ...

    def check_move(self, region: str, to: str) -> object:
        """Raise CommandRefused when a region cannot move to the server of another one."""
        ...

    def choose(self, commands: Sequence[SubmitTask]) -> str:
        """Return the region that tasks go to; empty = this one. Raises UsageError for tasks that go apart."""
        ...

    async def ask(self, region: str, id_: str, call: bytes) -> bytes:
        """Send a call to the engine that leads a region, and return its answer. Raises EngineUnavailable."""
        ...

    async def move(self, region: str, to: str) -> str:
        """Move a region, and return what came of it. Raises CommandRefused."""
        ...


def is_about_regions(command: Command) -> bool:
    """Tell whether a verb is one of these."""
    return isinstance(command, RegionVerb)


def describe(regions: Regions | None, command: Command) -> PlanStep:
    """Return what a verb would do. Raises NotFound, CommandRefused."""
    regions, region, to = _meant(regions, command)
    regions.check_move(region, to)
    row = regions.rows()[region]
    before = f"lives at {row.home}, epoch {row.epoch}"
    return PlanStep(call_of(command), region, before, f"lives at {to}", _effect(row, to), _warning(row, to))


async def carry_out(regions: Regions | None, command: Command) -> str:
    """Do what a verb asks, and say what came of it. Raises NotFound, CommandRefused."""
    regions, region, to = _meant(regions, command)
    return await regions.move(region, to)


def _meant(regions: Regions | None, command: Command) -> tuple[Regions, str, str]:
    """Return the regions, which of them is meant, and where it is to live."""
    assert isinstance(command, RegionVerb), "is_about_regions() was asked"
    if regions is None:
        raise CommandRefused("this fleet knows no other regions; docs/regions.md says how to name them")
    known = regions.rows()
    if command.region not in known:
        raise NotFound(f"no region {command.region!r}{nearest(command.region, set(known))}")
    return regions, command.region, regions.own if isinstance(command, FailOver) else command.region


def _effect(row: RegionRow, to: str) -> str:
    return f"whoever leads it at {row.home} leads no more; what runs there begins anew at {to}" + (f"; {row.waiting} wait" if row.waiting else "")


def _warning(row: RegionRow, to: str) -> str:
    """Return what an operator should know before."""
    if to == row.id:
        return ""
    if row.health == HEALTHY:
        return f"{row.id} is healthy"
    if row.lag_s is None:
        return "how far its replica is, another engine of this region knows"
    since = f"; its replica had all {row.lag_s:.1f} s ago"
    return f"{row.lag} records of {row.id} are not here and are lost{since}" if row.lag else f"what {row.id} decided after it was last heard is lost{since}"
