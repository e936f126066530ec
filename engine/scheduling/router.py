"""Placing tasks on agents, and counting why agents cannot take a task."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from engine.model.agents import AGENT_TYPES, POOL_OF_TYPE
from engine.model.errors import CommandRefused, NotFound
from engine.model.events import Event
from engine.model.machines import ProgramRoom
from engine.model.pools import Pool
from engine.model.task_events import TasksLeased
from engine.model.tasks import Lease, Task
from engine.scheduling.allocator import FreeAgents
from engine.scheduling.program_memory import ProgramMemory
from engine.scheduling.scoring import why_not
from engine.scheduling.task_queue import TaskQueue
from engine.state import FleetState

PLACEMENTS_PER_PASS = 512
"""Leases in one event; more follow in the next pass."""

CAPABILITY_SCAN_MAX = 10_000


def decide_placement(
    state: FleetState, queue: TaskQueue, free: FreeAgents, now: float, room: Callable[[], ProgramRoom | None] = lambda: None
) -> list[Event]:
    """Lease waiting tasks to free agents, pools of higher priority first, at most PLACEMENTS_PER_PASS; none while halted.

    A program that would not fit the memory by `room` waits; that this begins or is over is told.
    """
    if state.is_halted("placing"):
        return []
    leases: list[Lease] = []
    memory = ProgramMemory(state, room)
    pools = [state.pools[name] for name in queue.pools_waiting()]
    for pool in sorted(pools, key=lambda pool: -pool.spec.priority):
        if not pool.paused and not state.spending.closed(pool.spec.name):
            _place_pool(pool, queue, free, now, leases=leases, memory=memory)
    events: list[Event] = [TasksLeased(tuple(leases))] if leases else []
    return events + memory.told()


def _place_pool(  # noqa: PLR0913  # a pass over one pool: who waits, who is free, what is left
    pool: Pool, queue: TaskQueue, free: FreeAgents, now: float, *, leases: list[Lease], memory: ProgramMemory
) -> None:
    name = pool.spec.name
    unfit: set[tuple[str, ...]] = set()
    while len(leases) < PLACEMENTS_PER_PASS and free.any_in(name):
        task = queue.next(name, now, unfit)
        if task is None:
            return
        if not memory.admit(pool):
            queue.put_back(task)
            return
        choice = free.choose(task.spec, now, task.attempt + 1)
        if choice is None:
            unfit.add(task.spec.capabilities)
            queue.put_back(task)
            continue
        agent, placement = choice
        memory.take(pool)
        leases.append(Lease(task.spec.id, agent.spec.id, task.attempt + 1, placement))


def pool_for(state: FleetState, word: str) -> str:
    """Return the pool that a pool name or agent type means (C12). Raises NotFound."""
    if word in state.pools:
        return word
    pool = POOL_OF_TYPE.get(word, "")
    if pool in state.pools:
        return pool
    named = [name for name, entry in state.pools.items() if entry.spec.type == word and word]
    if named:
        return named[0]
    known = ", ".join(sorted({*state.pools, *(kind for kind in AGENT_TYPES if POOL_OF_TYPE.get(kind, kind) in state.pools)}))
    raise NotFound(f"no pool or agent type {word!r}; there are {known}")


def pool_by_capabilities(state: FleetState, wanted: tuple[str, ...]) -> str:
    """Return the pool of highest priority whose agents have all capabilities. Raises CommandRefused."""
    if not wanted:
        raise CommandRefused("name a pool, or capabilities that tell which pool is meant")
    able = [pool for pool in state.pools.values() if set(wanted) <= set(pool.spec.capabilities)]
    if not able:
        raise CommandRefused(f"no pool has all of {', '.join(wanted)}; `get pools -o wide` lists what there is")
    return max(able, key=lambda pool: pool.spec.priority).spec.name


def count_reasons(state: FleetState, task: Task) -> Counter[str]:
    """Count, over the pool's agents, why each cannot take the task; free ones count as `free, is next`."""
    pool = state.pools[task.spec.pool]
    agents = state.agents_in(task.spec.pool)[:CAPABILITY_SCAN_MAX]
    over = "free, but its budget is used up" if task.over or state.spending.closed(task.spec.pool) else ""
    held_up = pool.tasks_wait or over
    return Counter(why_not(agent, pool, task.spec.capabilities) or held_up or "free, its turn comes" for agent in agents)
