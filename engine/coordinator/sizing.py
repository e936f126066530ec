"""How a pool comes to another size, whoever asked for it: an operator's verb or the autoscaler."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from engine.agents import registry
from engine.model.commands import EditPool
from engine.model.errors import CommandRefused
from engine.model.events import AgentsRevived, Event, PoolConfigured, PoolEdited
from engine.model.pools import Pool, PoolSpec, overridden
from engine.model.reports import PoolsSized
from engine.scaling import policies
from engine.state import FleetState
from engine.state.deciding import Deciding, Decision


def resize(state: FleetState, pool: Pool, size: int, reason: str, deciding: Deciding) -> list[Event]:
    """Return what brings a pool to a size: agents that were leaving stay, new ones start; or some leave, busy ones later."""
    name = pool.spec.name
    events = policies.scaled(pool, size, reason)
    more = size - registry.staying(state, name)
    if more > 0:
        back = tuple(agent.spec.id for agent in registry.revivable(state, name)[:more])
        events += [AgentsRevived(back)] if back else []
        events += [registry.new_agents(pool, more - len(back), deciding)] if more > len(back) else []
    elif more < 0:
        why = f"{name} scaled to {size} by {deciding.origin.who}" + (f": {reason}" if reason else "")
        going = policies.leavers(state.agents_in(name), -more)
        events += registry.leave(going, why, pool.spec.drain_deadline_s, deciding.now, revivable=True)
    return events


def decide_edit(state: FleetState, commands: Sequence[EditPool], deciding: Deciding) -> Decision:
    """Change pools beside their configuration; sizes and agents follow. Raises FleetError."""
    if len({command.pool for command in commands}) < len(commands):
        raise CommandRefused("a pool is named twice in one plan")
    events: list[Event] = []
    for command in commands:
        pool, overrides, spec = edited(state, command)
        if overrides != pool.overrides:
            events.append(PoolEdited(command.pool, overrides, pool.configured or pool.spec))
            events += respecified(state, pool, spec, deciding)
    return Decision(events, [command.pool for command in commands])


def edited(state: FleetState, command: EditPool) -> tuple[Pool, dict[str, float], PoolSpec]:
    """Return the pool, what would differ from its configuration, and its specification then. Raises FleetError."""
    pool = policies.find_pool(state, command.pool)
    overrides = {key: value for key, value in {**pool.overrides, **command.changes}.items() if value is not None}
    return pool, overrides, overridden(pool.configured or pool.spec, overrides)


def respecified(state: FleetState, pool: Pool, spec: PoolSpec, deciding: Deciding) -> list[Event]:
    """Return what gives a pool another specification: agents with its figures, a size inside its bounds."""
    events: list[Event] = []
    if pool.spec != spec:
        events.append(PoolConfigured(spec, pool.size))
        events += registry.decide_in_line(state, pool.spec, spec)
    size = min(max(pool.size, spec.min), spec.max)
    if size != pool.size:
        events += resize(state, replace(pool, spec=spec), size, f"it holds {spec.min}..{spec.max} agents", deciding)
    return events


def decide_sized(state: FleetState, report: PoolsSized, deciding: Deciding) -> list[Event]:
    """Obey the autoscaler, as far as what it saw still holds and the fleet has room; the most important pools come first."""
    if state.is_halted("scaling"):  # since it looked
        return []
    events: list[Event] = []
    room = deciding.config.fleet.max_agents - len(state.agents)
    for sizing in report.pools:
        pool = state.pools.get(sizing.pool)
        if pool is None or pool.size != sizing.seen or (pool.hold is not None and pool.hold.holds(deciding.now)):
            continue
        size = min(max(sizing.size, pool.spec.min), pool.spec.max)
        more = registry.missing(state, sizing.pool, size)
        if more > room:
            size, more = size - (more - room), room
        if size == pool.size or (size < pool.size) is not (sizing.size < pool.size):
            continue
        room -= max(0, more)
        events += resize(state, pool, size, sizing.reason, deciding)
    return events

