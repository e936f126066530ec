"""What a wanted pool size means, and who comes or goes to reach it: idle longest leave first, busy ones finish."""

from __future__ import annotations

import re
from collections.abc import Sequence

from engine.model.agents import Agent, AgentStatus
from engine.model.errors import CommandRefused, NotFound, UsageError
from engine.model.events import Event
from engine.model.pool_commands import PausePool, ScalePool, UnpausePool
from engine.model.pool_events import PoolPaused, PoolScaled
from engine.model.pools import Pool
from engine.model.wire import nearest
from engine.state import FleetState

_SIZE = re.compile(r"(?P<sign>[+-]?)(?P<number>\d{1,7})(?P<percent>%?)")


def find_pool(state: FleetState, word: str) -> Pool:
    """Return the pool of that name. Raises NotFound with the nearest name."""
    pool = state.pools.get(word)
    if pool is None:
        raise NotFound(f"no pool {word!r}{nearest(word, state.pools)}; `get pools` lists them")
    return pool


def wanted_size(pool: Pool, word: str, *, restoring: bool = False) -> int:
    """Return the size that 12, +3, -2, 150%, +50%, =min or =max means for a pool; percent of its size, rounded up.

    Raises UsageError for another word, CommandRefused outside the pool's min and max; an undo may go back below min,
    where agents that were unregistered had left it.
    """
    text = word.strip()
    if text in ("=min", "=max"):
        return pool.spec.min if text == "=min" else pool.spec.max
    match = _SIZE.fullmatch(text)
    if match is None:
        raise UsageError(f"size {word!r} is not understood; write 12, +3, -2, 150%, =min or =max")
    number = int(match["number"])
    if match["percent"]:
        number = -(-pool.size * number // 100)
    size = pool.size + number if match["sign"] == "+" else pool.size - number if match["sign"] == "-" else number
    if not (0 if restoring else pool.spec.min) <= size <= pool.spec.max:
        raise CommandRefused(
            f"{pool.spec.name} holds {pool.spec.min}..{pool.spec.max} agents, {size} is outside; "
            f"change pools.{pool.spec.name} in the configuration to widen it"
        )
    return size


def leavers(agents: Sequence[Agent], count: int) -> list[Agent]:
    """Return who leaves a pool first: failed, then starting, then idle longest, then those that began last."""
    order = {AgentStatus.FAILED: 0, AgentStatus.STARTING: 1, AgentStatus.DRAINED: 2, AgentStatus.IDLE: 3}
    staying = [agent for agent in agents if not agent.retiring]
    ranked = sorted(staying, key=lambda agent: (order.get(agent.status, 4), agent.idle_since, -agent.updated_at))
    return ranked[:count]


def decide_sizes(state: FleetState, commands: Sequence[ScalePool], *, restoring: bool = False) -> list[tuple[Pool, int]]:
    """Return the pools with the sizes they should have. Raises FleetError; one pool may be named once."""
    sizes: dict[str, tuple[Pool, int]] = {}
    for command in commands:
        pool = find_pool(state, command.pool)
        if command.pool in sizes:
            raise CommandRefused(f"{command.pool} is named twice in one plan")
        sizes[command.pool] = (pool, wanted_size(pool, command.size, restoring=restoring))
    return list(sizes.values())


def least(state: FleetState, pool: Pool) -> int:
    """Return how few agents the autoscaler may leave a pool: its min, and the agents of its gangs above that."""
    ganged = sum(gang.agents for gang in state.gangs.values() if gang.pool == pool.spec.name and not gang.is_waiting)
    return min(pool.spec.max, pool.spec.min + ganged)


def scaled(pool: Pool, size: int, reason: str = "") -> list[Event]:
    """Return the event of a new size, or nothing when the pool has it."""
    return [PoolScaled(pool.spec.name, size, reason)] if pool.size != size else []


def decide_pause(state: FleetState, commands: Sequence[PausePool | UnpausePool]) -> list[Event]:
    """Pause pools, or end that; one that already is so gives nothing."""
    paused = isinstance(commands[0], PausePool)
    pools = {pool.spec.name: pool for pool in (find_pool(state, command.pool) for command in commands)}
    return [PoolPaused(name, paused) for name, pool in pools.items() if pool.paused is not paused]
