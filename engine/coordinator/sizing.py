"""How a pool comes to another size, whoever asked for it: an operator's verb or the autoscaler."""

from __future__ import annotations

from engine.agents import registry
from engine.model.events import Event
from engine.model.pools import Pool
from engine.model.reports import PoolsSized
from engine.scaling import policies
from engine.state import FleetState
from engine.state.deciding import Deciding


def resize(state: FleetState, pool: Pool, size: int, reason: str, deciding: Deciding) -> list[Event]:
    """Return what brings a pool to a size: new agents, or those that leave, the busy ones when they have finished."""
    name = pool.spec.name
    events = policies.scaled(pool, size, reason)
    more = size - registry.staying(state, name)
    if more > 0:
        events.append(registry.new_agents(pool, more, deciding))
    elif more < 0:
        why = f"{name} scaled to {size} by {deciding.origin.who}" + (f": {reason}" if reason else "")
        events += registry.leave(policies.leavers(state.agents_in(name), -more), why)
    return events


def decide_sized(state: FleetState, report: PoolsSized, deciding: Deciding) -> list[Event]:
    """Obey the autoscaler, as far as what it saw still holds and the fleet has room; the most important pools come first."""
    events: list[Event] = []
    room = deciding.config.fleet.max_agents - len(state.agents)
    for sizing in report.pools:
        pool = state.pools.get(sizing.pool)
        if pool is None or pool.size != sizing.seen or (pool.hold is not None and pool.hold.holds(deciding.now)):
            continue
        size = min(max(sizing.size, pool.spec.min), pool.spec.max)
        more = size - registry.staying(state, sizing.pool)
        if more > room:
            size, more = size - (more - room), room
        if size == pool.size or (size < pool.size) is not (sizing.size < pool.size):
            continue
        room -= max(0, more)
        events += resize(state, pool, size, sizing.reason, deciding)
    return events

