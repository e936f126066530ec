"""Which machine each agent gets: best fit decreasing by the dominant share; pure.

The largest requests choose first, each the machine on which it leaves the least; so large ones find room and gaps stay small.
The answer is the same for the same requests in any order, and no machine is given more than it has.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from engine.model.machines import Amounts, Machine, say_amount


class Request(NamedTuple):
    """What one agent takes, in thousandths."""

    id: str
    amounts: Amounts


class Unplaced(NamedTuple):
    """Why a request got no machine."""

    lacks: str
    """The resource that the most machines have too little of."""
    text: str
    never: bool
    """No machine could hold it were it empty."""


@dataclass(slots=True)
class Placing:
    """Which machine each request got, and why the others got none."""

    machines: dict[str, str] = field(default_factory=dict)
    unplaced: dict[str, Unplaced] = field(default_factory=dict)


def place(requests: Iterable[Request], machines: Mapping[str, Machine]) -> Placing:
    """Return a machine for every request that finds one; requests have ids of their own and take something."""
    free = {id_: {name: machine.free(name) for name in machine.capacity} for id_, machine in sorted(machines.items())}
    most = {name: max(machine.capacity.get(name, 0) for machine in machines.values()) for machine in machines.values() for name in machine.capacity}
    placing = Placing()
    for request in sorted(requests, key=lambda one: (-dominant_share(one.amounts, most), one.id)):
        fitting = [id_ for id_, left in free.items() if all(left.get(name, 0) >= amount for name, amount in request.amounts.items())]
        if not fitting:
            placing.unplaced[request.id] = _why(request.amounts, free, machines)
            continue
        chosen = min(fitting, key=lambda id_: (_left_over(free[id_], request.amounts, machines[id_].capacity), id_))
        placing.machines[request.id] = chosen
        for name, amount in request.amounts.items():
            free[chosen][name] -= amount
    return placing


def dominant_share(amounts: Amounts, capacity: Amounts) -> float:
    """Return the largest part of a capacity that amounts are; more than all of it when there is none."""
    return max((amount / capacity[name] if capacity.get(name) else 2.0 for name, amount in amounts.items()), default=0.0)


def _left_over(free: Amounts, amounts: Amounts, capacity: Amounts) -> float:
    """Return the part of a machine that would be left of what is asked for."""
    return max(((free[name] - amount) / capacity[name] for name, amount in amounts.items()), default=0.0)


def _why(amounts: Amounts, free: Mapping[str, Amounts], machines: Mapping[str, Machine]) -> Unplaced:
    short = {name: sum(left.get(name, 0) < amount for left in free.values()) for name, amount in amounts.items()}
    lacks = max(short, key=lambda name: (short[name], name))
    amount, best = amounts[lacks], max((max(0, left.get(lacks, 0)) for left in free.values()), default=0)
    whole = max((machine.capacity.get(lacks, 0) for machine in machines.values()), default=0)
    if whole < amount:
        return Unplaced(lacks, f"needs {say_amount(lacks, amount)}, no machine has more than {say_amount(lacks, whole)}", never=True)
    among = f" on the emptiest of {len(free)} machines" if len(free) > 1 else ""
    return Unplaced(lacks, f"needs {say_amount(lacks, amount)}, {say_amount(lacks, best)} not taken{among}", never=False)
