"""Gangs: agents that start together or not at all; asked for, queued by priority and age, granted, ended.

The rule is that of everything that waits for room (`admitting.py`): the order is priority with age, and what the first one lacks is
kept for it. A gang that could not start on empty machines is refused at once, since its turn would never come.
"""

from __future__ import annotations

from collections.abc import Sequence

from engine.agents import registry
from engine.coordinator.admitting import Asked, rank_of
from engine.coordinator.sizing import Resizing, said_anew
from engine.model.errors import CommandRefused, NotFound
from engine.model.events import Event
from engine.model.gangs import Gang
from engine.model.ids import GANG_PREFIX, GangId
from engine.model.machines import Machine, taken_by
from engine.model.pool_commands import AskGang, EndGang
from engine.model.pool_events import PoolScaled
from engine.model.pools import Pool
from engine.model.reports import GangsDue
from engine.model.room_events import GangAsked, GangEnded, GangGranted, GangWaits
from engine.scaling.policies import find_pool
from engine.scheduling.placing import Request, place
from engine.state import FleetState
from engine.state.deciding import Deciding, Decision

BOUND = "max"


def decide_ask(state: FleetState, commands: Sequence[AskGang], deciding: Deciding) -> Decision:
    """Start agents together, or have them wait. Raises FleetError for what could never start."""
    if len({command.pool for command in commands}) < len(commands):
        raise CommandRefused("a pool is named twice in one plan; ask for the sum, or in two plans")
    resizing = Resizing(state, deciding)
    events: list[Event] = []
    gangs = []
    for command in commands:
        check_possible(state, command, deciding.config.fleet.max_agents)
        now = deciding.now
        id_ = GangId(deciding.ids.new(GANG_PREFIX))
        gang = Gang(id_, command.pool, command.agents, command.priority, now, now + command.expires_s, command.keep_s, deciding.origin.who)
        gangs.append(id_)
        events += [GangAsked(gang), *grant(state, gang, resizing, deciding)]
    return Decision(events, gangs)


def check_possible(state: FleetState, command: AskGang, agents_max: int) -> None:
    """Raise CommandRefused, or NotFound, for a gang that could not start if nothing else ran."""
    pool = find_pool(state, command.pool)
    most = min(pool.spec.max, agents_max)
    if command.agents > most:
        raise CommandRefused(f"{command.pool} may have {most} agents, {command.agents} at once can never start; raise its max, or ask for fewer")
    amounts = taken_by(pool.spec.resources)
    if amounts and state.machines:
        empty = {id_: Machine(id_, machine.capacity) for id_, machine in state.machines.items()}
        placing = place((Request(f"{number:07}", amounts) for number in range(command.agents)), empty)
        if placing.unplaced:
            why = next(iter(placing.unplaced.values()))
            raise CommandRefused(f"only {len(placing.machines)} of {command.agents} could start if nothing else ran, by their {why.lacks}; ask for fewer, or for smaller agents")


def grant(state: FleetState, gang: Gang, resizing: Resizing, deciding: Deciding) -> list[Event]:
    """Return what starts the agents of a gang together, or tells why they wait."""
    pool = state.pools[gang.pool]
    rank = rank_of(gang.priority, gang.asked_at, deciding)
    lacks, text = BOUND, _bound(state, pool, gang, deciding)
    if not text:
        admitted = resizing.admission.admit(Asked(gang.pool, gang.agents, pool.spec.resources, rank, pool.spec), whole=True)
        if len(admitted.machines) == gang.agents:
            return [
                GangGranted(gang.id),
                PoolScaled(gang.pool, pool.size + gang.agents),
                registry.new_agents(pool, admitted.places, deciding),
            ]
        lacks, text = admitted.lacks, admitted.text
    resizing.admission.keep(rank, lacks)
    return [GangWaits(gang.id, lacks, text)] if said_anew((gang.lacks, gang.text), (lacks, text)) else []


def _bound(state: FleetState, pool: Pool, gang: Gang, deciding: Deciding) -> str:
    """Return why the pool's or the fleet's own bound is in the way, empty when neither is."""
    agents, most = pool.size + gang.agents, deciding.config.fleet.max_agents
    if agents > pool.spec.max:
        return f"waits for its pool: {agents} agents would be above its max {pool.spec.max}"
    if len(state.agents) + gang.agents > most:
        return f"waits for the fleet: {len(state.agents) + gang.agents} agents would be above fleet.max_agents {most}"
    return ""


def decide_end(state: FleetState, commands: Sequence[EndGang], deciding: Deciding) -> Decision:
    """End gangs: one that waits starts no more, the agents of one that was granted leave. Raises NotFound."""
    resizing = Resizing(state, deciding)
    gangs = [find_gang(state, id_) for id_ in dict.fromkeys(command.gang for command in commands)]
    events = ended(state, gangs, f"ended by {deciding.origin.who}", resizing)
    return Decision(events, [command.gang for command in commands])


def find_gang(state: FleetState, word: str) -> Gang:
    """Return the gang with that id. Raises NotFound."""
    gang = state.gangs.get(GangId(word))
    if gang is None:
        raise NotFound(f"no gang {word!r}; it may be over, `get gangs` lists those that are not")
    return gang


def ended(state: FleetState, gangs: Sequence[Gang], why: str, resizing: Resizing) -> list[Event]:
    """Return what ends gangs, and gives back the agents of those that were granted."""
    events: list[Event] = []
    fewer: dict[str, int] = {}
    for gang in gangs:
        events.append(GangEnded(gang.id, gang.pool, gang.agents, why))
        if not gang.is_waiting:
            fewer[gang.pool] = fewer.get(gang.pool, 0) + gang.agents
    for name, count in fewer.items():
        pool = state.pools[name]
        events += resizing.resize(pool, max(pool.spec.min, pool.size - count), "its gang is over")
    return events


def decide_due(state: FleetState, _report: GangsDue, deciding: Deciding) -> list[Event]:
    """Return what ends the gangs whose time is over; what was granted goes on while scaling is halted."""
    resizing = Resizing(state, deciding)
    due = [gang for gang in state.gangs.values() if gang.ends_at <= deciding.now]
    waited = [gang for gang in due if gang.is_waiting]
    kept = [] if state.is_halted("scaling") else [gang for gang in due if not gang.is_waiting]
    return [
        *(event for gang in waited for event in ended(state, [gang], f"expired: {gang.text or 'it was not its turn'}", resizing)),
        *ended(state, kept, "its time is over", resizing),
    ]
