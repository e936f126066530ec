"""Everything that waits for room, pools and gangs alike, looked at in one order; what fits starts."""

from __future__ import annotations

from collections.abc import Iterator

from engine.agents import registry
from engine.coordinator import gangs
from engine.coordinator.admitting import rank_of
from engine.coordinator.sizing import Resizing, decide_machine
from engine.model.agent_events import AgentsRegistered
from engine.model.events import Event
from engine.model.gangs import Gang
from engine.model.pool_events import PoolScaled
from engine.model.pools import Pool
from engine.model.reports import RoomSeen
from engine.state import FleetState
from engine.state.deciding import Deciding

Rank = tuple[float, float]


def decide_room(state: FleetState, _report: RoomSeen, deciding: Deciding) -> list[Event]:
    """Start what waits for room, as far as there is some: the most important and longest waiting first."""
    seen = decide_machine(state, deciding)
    if seen:
        return seen  # what waits is looked at once that is known
    if state.is_halted("scaling"):
        return []
    resizing = Resizing(state, deciding)
    resizing.admission.forget_waiting()
    events: list[Event] = []
    for _rank, pool, gang in sorted(_waiting(state, resizing, deciding), key=lambda one: one[0]):
        if _changes(events, pool.spec.name):
            continue  # its size and the numbers of its agents are only known when that is applied; the next look goes on
        if gang is None:
            events += resizing.grow(pool, max(0, pool.size - registry.staying(state, pool.spec.name)))
        else:
            events += gangs.grant(state, gang, resizing, deciding)
    return events


def _waiting(state: FleetState, resizing: Resizing, deciding: Deciding) -> Iterator[tuple[Rank, Pool, Gang | None]]:
    for name, pool in state.pools.items():
        if pool.waits is not None or pool.size > registry.staying(state, name):
            yield resizing.rank(pool), pool, None
    for gang in state.gangs.values():
        if gang.is_waiting:
            yield rank_of(gang.priority, gang.asked_at, deciding), state.pools[gang.pool], gang


def _changes(events: list[Event], pool: str) -> bool:
    return any(
        (isinstance(event, PoolScaled) and event.pool == pool) or (isinstance(event, AgentsRegistered) and event.agents[0].pool == pool) for event in events
    )
