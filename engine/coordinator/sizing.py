"""How a pool comes to another size, whoever asked for it: an operator's verb or the autoscaler."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import replace

from engine.agents import registry
from engine.coordinator.admitting import Admission, Admitted, Asked, rank_of
from engine.model.agent_events import AgentsRevived
from engine.model.agents import Resources
from engine.model.errors import CommandRefused
from engine.model.events import Event
from engine.model.machines import THIS_MACHINE, Machine, Places, Waits, say_amount, taken_by
from engine.model.pool_commands import EditPool
from engine.model.pool_events import PoolConfigured, PoolEdited
from engine.model.pools import Pool, PoolSpec, overridden
from engine.model.reports import PoolsSized
from engine.model.room_events import MachineSeen, PoolWaits
from engine.scaling import policies
from engine.state import FleetState
from engine.state.deciding import Deciding, Decision

_FIGURES = re.compile(r"[\d.]+")


class Resizing:
    """Brings pools to sizes in one decision. Owner: that decision, of what room is left in it."""

    def __init__(self, state: FleetState, deciding: Deciding, without: Collection[str] = ()) -> None:
        """`without` are hosts on which nothing starts."""
        self._state = state
        self._deciding = deciding
        self._without = without
        self._admission: Admission | None = None

    @property
    def admission(self) -> Admission:
        """Return what is left for agents that start; it is measured when the first one wants to."""
        if self._admission is None:
            self._admission = Admission(self._state, self._deciding, self._without)
        return self._admission

    def resize(self, pool: Pool, size: int, reason: str = "") -> list[Event]:
        """Return what brings a pool to a size: agents that were leaving stay, new ones start as far as there is room;
        or some leave, busy ones later."""
        name, deciding = pool.spec.name, self._deciding
        events = policies.scaled(pool, size, reason)
        more = size - registry.staying(self._state, name)
        if more > 0:
            back = tuple(agent.spec.id for agent in registry.revivable(self._state, name)[:more])
            events += [AgentsRevived(back)] if back else []
            return events + self.grow(pool, more - len(back))
        if more < 0:
            why = f"{name} scaled to {size} by {deciding.origin.who}" + (f": {reason}" if reason else "")
            going = policies.leavers(self._state.agents_in(name), -more)
            events += registry.leave(going, why, pool.spec.drain_deadline_s, deciding.now, revivable=True)
        return events + self.wait(pool, 0, None)

    def grow(self, pool: Pool, count: int) -> list[Event]:
        """Return what starts agents of a pool, those that there is room for; the others wait."""
        asked = Asked(pool.spec.name, count, pool.spec.resources, self.rank(pool), pool.spec)
        admitted = self.admission.admit(asked)
        short = count - len(admitted.machines)
        if short:
            self.admission.keep(asked.rank, admitted.lacks)
        started = [registry.new_agents(pool, admitted.places, self._deciding)] if admitted.machines else []
        return [*started, *self.wait(pool, short, admitted)]

    def rank(self, pool: Pool) -> tuple[float, float]:
        """Return where a pool stands among those who wait for room."""
        since = self._deciding.now if pool.waits is None else pool.waits.since
        return rank_of(pool.spec.priority, since, self._deciding)

    def wait(self, pool: Pool, short: int, admitted: Admitted | None) -> list[Event]:
        """Return what tells that agents of a pool wait, if it is not told yet."""
        told = pool.waits
        if not short or admitted is None:
            return [PoolWaits(pool.spec.name, None)] if told else []
        if told is not None and told.agents == short and not said_anew((told.lacks, told.text), (admitted.lacks, admitted.text)):
            return []
        since = self._deciding.now if told is None else told.since
        return [PoolWaits(pool.spec.name, Waits(since, short, admitted.lacks, admitted.text))]


def decide_edit(state: FleetState, commands: Sequence[EditPool], deciding: Deciding) -> Decision:
    """Change pools beside their configuration; sizes and agents follow. Raises FleetError."""
    if len({command.pool for command in commands}) < len(commands):
        raise CommandRefused("a pool is named twice in one plan")
    events: list[Event] = []
    resizing = Resizing(state, deciding)
    for command in commands:
        pool, overrides, spec = edited(state, command)
        if overrides != pool.overrides:
            check_growth(state, pool, spec)
            events.append(PoolEdited(command.pool, overrides, pool.configured or pool.spec))
            events += respecified(state, pool, spec, resizing)
    return Decision(events, [command.pool for command in commands])


def edited(state: FleetState, command: EditPool) -> tuple[Pool, dict[str, float], PoolSpec]:
    """Return the pool, what would differ from its configuration, and its specification then. Raises FleetError."""
    pool = policies.find_pool(state, command.pool)
    overrides = {key: value for key, value in {**pool.overrides, **command.changes}.items() if value is not None}
    return pool, overrides, overridden(pool.configured or pool.spec, overrides)


def said_anew(told: tuple[str, str], now: tuple[str, str]) -> bool:
    """Tell whether what somebody lacks, and why it waits, reads differently, figures aside: what is free changes with every look."""
    return (told[0], _FIGURES.sub("", told[1])) != (now[0], _FIGURES.sub("", now[1]))


def places_for(resizing: Resizing, pool: Pool, resources: Resources, count: int) -> Places:
    """Return the places of agents that an operator registers. Raises CommandRefused when there is no room for all."""
    admitted = resizing.admission.admit(Asked(pool.spec.name, count, resources, resizing.rank(pool), pool.spec), whole=True)
    if len(admitted.machines) < count:
        raise CommandRefused(f"there is no room for {count} more in {pool.spec.name}: {admitted.text.removeprefix('waits for ')}; scale something down, or ask later")
    return admitted.places


def check_growth(state: FleetState, pool: Pool, spec: PoolSpec) -> None:
    """Raise CommandRefused when the agents that a pool has would take more of a machine than it has left."""
    changed = {agent.id: agent for agent in registry.in_line(state, pool.spec, spec)}
    for machine in state.machines.values():
        after = Machine(machine.id, machine.capacity, dict(machine.taken))
        for id_, new in changed.items():
            if new.machine == machine.id:
                after.release(taken_by(state.agents[id_].spec.resources))
                after.take(taken_by(new.resources))
        over = [name for name in after.taken if after.free(name) < min(0, machine.free(name))]
        if over:
            name = over[0]
            taken, all_of_it = (say_amount(name, amounts.get(name, 0)) for amounts in (after.taken, machine.capacity))
            raise CommandRefused(f"its agents would take {name} beyond the machine: {taken} of {all_of_it}; ask for less, or scale the pool down first")


def respecified(state: FleetState, pool: Pool, spec: PoolSpec, resizing: Resizing) -> list[Event]:
    """Return what gives a pool another specification: agents with its figures, a size inside its bounds."""
    events: list[Event] = []
    if pool.spec != spec:
        events.append(PoolConfigured(spec, pool.size))
        events += registry.decide_in_line(state, pool.spec, spec)
    size = min(max(pool.size, spec.min), spec.max)
    if size != pool.size:
        events += resizing.resize(replace(pool, spec=spec), size, f"it holds {spec.min}..{spec.max} agents")
    return events


def decide_sized(state: FleetState, report: PoolsSized, deciding: Deciding) -> list[Event]:
    """Obey the autoscaler, as far as what it saw still holds and the fleet has room; the most important pools come first."""
    if state.is_halted("scaling"):  # since it looked
        return []
    events: list[Event] = []
    room = deciding.config.fleet.max_agents - len(state.agents)
    resizing = Resizing(state, deciding)
    for sizing in report.pools:
        pool = state.pools.get(sizing.pool)
        if pool is None or pool.size != sizing.seen or (pool.hold is not None and pool.hold.holds(deciding.now)):
            continue
        size = min(max(sizing.size, policies.least(state, pool)), pool.spec.max)
        more = registry.missing(state, sizing.pool, size)
        if more > room:
            size, more = size - (more - room), room
        if size == pool.size or (size < pool.size) is not (sizing.size < pool.size):
            continue
        room -= max(0, more)
        events += resizing.resize(pool, size, sizing.reason)
    return events



def decide_machine(state: FleetState, deciding: Deciding) -> list[Event]:
    """Tell what the machine has for agents, if that is new."""
    room = deciding.room()
    known = state.machines.get(THIS_MACHINE)
    return [] if room is None or (known is not None and known.capacity == room.capacity) else [MachineSeen(THIS_MACHINE, room.capacity)]
