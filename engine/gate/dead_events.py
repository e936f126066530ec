"""Events that a group of the bus gave up on, as rows; and the verbs about them, which change no state of the fleet.

Owner: `DeadEvents`, of the rows. Limits: as many as the bus keeps, DATA_MAX characters of each.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import takewhile
from typing import TypeAlias, TypeGuard

from engine.bus.streams import DeadMessage, StreamBus
from engine.clock import Clock
from engine.model.bus_commands import DropEvents, ReplayEvents
from engine.model.bus_rows import DeadEventRow
from engine.model.errors import CommandRefused, NotFound, RedisAway, RedisRefused
from engine.model.plans import PlanStep
from engine.model.verbs import Command
from engine.model.wire import call_of, nearest

DeadEventVerb: TypeAlias = ReplayEvents | DropEvents

LOOK_S = 1.0
READ = 32
"""Events are up to 256 KB."""
AT_ONCE = 250
DATA_MAX = 400
GROUPS_NAMED = 5


class DeadEvents:
    """What is dead as of the last look; every engine of the fleet looks by itself."""

    def __init__(self, bus: StreamBus, clock: Clock, changed: Callable[[Iterable[str]], None]) -> None:
        self._bus, self._clock, self._changed = bus, clock, changed
        self._rows: dict[str, DeadEventRow] = {}
        """Oldest first."""
        self._last = ""
        self._looking = asyncio.Lock()

    def rows(self) -> dict[str, DeadEventRow]:
        """Return all by id, oldest first."""
        return self._rows

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            with contextlib.suppress(RedisAway, RedisRefused):  # the status says how the server is
                await self.look()
            await self._clock.sleep(LOOK_S)

    async def look(self) -> None:
        """Take in what came and what went. Raises RedisAway, RedisRefused."""
        async with self._looking:
            await self._read()
            count, oldest = await self._bus.dead_extent()
            self._forget(list(takewhile(lambda id_: not count or _place(id_) < _place(oldest), self._rows)))
            if len(self._rows) > count:  # another engine removed some from the midst
                had, self._rows, self._last = self._rows, {}, ""
                await self._read()
                self._changed(had.keys() - self._rows.keys())

    async def _read(self) -> None:
        while found := await self._bus.dead(after=self._last, limit=READ):
            self._rows |= {dead.id: row_of(dead) for dead in found}
            self._last = found[-1].id
            self._changed([dead.id for dead in found])

    def _forget(self, ids: Sequence[str]) -> None:
        for id_ in ids:
            self._rows.pop(id_, None)
        self._changed(ids)

    def chosen(self, which: str) -> list[DeadEventRow]:
        """Return those of a group, the one of an id, or all. Raises NotFound."""
        if not which:
            return list(self._rows.values())
        if (row := self._rows.get(which)) is not None:
            return [row]
        found = [row for row in self._rows.values() if row.group == which]
        if not found:
            raise NotFound(f"no dead event {which!r}, and no group of that name gave one up{nearest(which, {row.group for row in self._rows.values()})}")
        return found

    async def replay(self, rows: Sequence[DeadEventRow]) -> str:
        """Tell some again, and say how it went. Raises CommandRefused when none could be, RedisAway, RedisRefused."""
        told = no_group = full = 0
        for some in _batches(rows):
            outcome = await self._bus.replay({row.id: row.key for row in some})
            self._forget(outcome.told)
            told, no_group, full = told + len(outcome.told), no_group + outcome.no_group, full + outcome.full
        stays = [
            *([f"{_counted(no_group)} stayed: the group is no more"] if no_group else []),
            *([f"{_counted(full)} stayed: the bus is full until the groups have acknowledged"] if full else []),
        ]
        if stays and not told:
            raise CommandRefused(f"nothing was told again; {'; '.join(stays)}")
        return "; ".join([f"{_counted(told)} told again", *stays])

    async def drop(self, rows: Sequence[DeadEventRow]) -> str:
        """Remove some, and say how many. Raises RedisAway, RedisRefused."""
        gone = 0
        for some in _batches(rows):
            ids = [row.id for row in some]
            gone += await self._bus.drop(ids)
            self._forget(ids)
        return f"{_counted(gone)} removed"


def row_of(dead: DeadMessage) -> DeadEventRow:
    """Return a dead message as a row."""
    message = dead.message
    data = message.data.decode(errors="replace")
    return DeadEventRow(dead.id, dead.group, message.type, message.key, message.at, dead.at, dead.deliveries, dead.consumer, message.number, len(message.data), data[:DATA_MAX])


def are_about_dead_events(commands: Sequence[Command]) -> TypeGuard[Sequence[DeadEventVerb]]:
    """Tell whether verbs of one kind are of these."""
    return isinstance(commands[0], DeadEventVerb)


def describe(dead: DeadEvents | None, command: DeadEventVerb) -> PlanStep:
    """Return what a verb would do. Raises NotFound, CommandRefused."""
    rows = _required(dead).chosen(command.which)
    target, before = command.which or "dead events", f"{len(rows):,} set aside"
    if not rows:
        return PlanStep(call_of(command), target, before, before, "nothing is dead", changes=False)
    groups = Counter(row.group for row in rows).most_common()
    whose = ", ".join(f"{name} ({number:,})" if number > 1 else name for name, number in groups[:GROUPS_NAMED]) + (" and others" if len(groups) > GROUPS_NAMED else "")
    if isinstance(command, ReplayEvents):
        return PlanStep(call_of(command), target, before, "told again", f"told again to {whose}, after what happened since")
    return PlanStep(call_of(command), target, before, "removed", f"never told to {whose}")


async def carry_out(dead: DeadEvents | None, commands: Sequence[DeadEventVerb]) -> str:
    """Do what verbs of one kind ask and say how it went. Raises NotFound, CommandRefused, RedisAway, RedisRefused."""
    dead = _required(dead)
    await dead.look()
    rows = list({row.id: row for command in commands for row in dead.chosen(command.which)}.values())
    return await (dead.replay if isinstance(commands[0], ReplayEvents) else dead.drop)(rows)


def _required(dead: DeadEvents | None) -> DeadEvents:
    if dead is None:
        raise CommandRefused("this fleet has no bus: redis.bus in fleet.toml switches it on")
    return dead


def _batches(rows: Sequence[DeadEventRow]) -> Iterable[Sequence[DeadEventRow]]:
    return (rows[place : place + AT_ONCE] for place in range(0, len(rows), AT_ONCE))


def _counted(number: int) -> str:
    return f"{number:,} event{'' if number == 1 else 's'}"


def _place(id_: str) -> tuple[int, ...]:
    return tuple(map(int, id_.split("-")))
