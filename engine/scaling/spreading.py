"""An amount of agents without a pool, spread over pools by priority and demand; pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from engine.model.errors import CommandRefused


class Room(NamedTuple):
    """One pool as far as spreading needs it."""

    pool: str
    priority: int
    size: int
    min: int
    max: int
    busy: int
    waiting: int


def spread_up(amount: int, rooms: Sequence[Room]) -> dict[str, int]:
    """Return the new sizes of the pools that grow: one agent after another goes where priority * need is highest.

    Need is the work for each agent, (busy + waiting + 1) / (size + 1). Raises CommandRefused when the pools' max leave no
    room for all of it.
    """
    sizes = {room.pool: room.size for room in rooms}
    for _ in range(amount):
        growing = [room for room in rooms if sizes[room.pool] < room.max]
        if not growing:
            raise CommandRefused(f"there is room for {sum(max(0, room.max - room.size) for room in rooms)} agents, not {amount}; raise a pool's max")
        best = max(growing, key=lambda room: room.priority * (room.busy + room.waiting + 1) / (sizes[room.pool] + 1))
        sizes[best.pool] += 1
    return {room.pool: sizes[room.pool] for room in rooms if sizes[room.pool] != room.size}


def spread_down(amount: int, rooms: Sequence[Room]) -> dict[str, int]:
    """Return the new sizes of the pools that shrink: one agent after another leaves where priority * need is lowest.

    Raises CommandRefused when the pools' min do not allow all of it.
    """
    sizes = {room.pool: room.size for room in rooms}
    for _ in range(amount):
        shrinking = [room for room in rooms if sizes[room.pool] > room.min]
        if not shrinking:
            raise CommandRefused(f"{sum(max(0, room.size - room.min) for room in rooms)} agents may leave, not {amount}; lower a pool's min")
        least = min(shrinking, key=lambda room: room.priority * (room.busy + room.waiting + 1) / sizes[room.pool])
        sizes[least.pool] -= 1
    return {room.pool: sizes[room.pool] for room in rooms if sizes[room.pool] != room.size}
