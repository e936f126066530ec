"""Placing tasks on agents, and saying in words why a task is where it is or why it waits."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from engine.model.agents import AGENT_TYPES, POOL_OF_TYPE
from engine.model.errors import CommandRefused, NotFound
from engine.model.events import Event, TasksLeased
from engine.model.ids import AgentId
from engine.model.tasks import Lease, Task, TaskState
from engine.scheduling.allocator import FreeAgents
from engine.scheduling.scoring import why_not
from engine.scheduling.task_queue import TaskQueue
from engine.state import FleetState

PLACEMENTS_PER_PASS = 512
"""Leases in one event; more follow in the next pass."""

CAPABILITY_SCAN_MAX = 10_000

FACTOR_NAMES = ("capability match", "availability", "performance", "cost", "historical")


@dataclass(frozen=True, slots=True)
class RoutingResult:
    """Where a task of some demand would go now (seed A 6.2): success is False when no agent fits."""

    success: bool
    target: AgentId | None
    routing_score: float
    alternatives: tuple[tuple[AgentId, float], ...]
    reasoning: str


def decide_placement(state: FleetState, queue: TaskQueue, free: FreeAgents, now: float) -> list[Event]:
    """Lease waiting tasks to free agents, pools of higher priority first, at most PLACEMENTS_PER_PASS; none while halted."""
    if state.is_halted("placing"):
        return []
    leases: list[Lease] = []
    pools = [state.pools[name] for name in queue.pools_waiting()]
    for pool in sorted(pools, key=lambda pool: -pool.spec.priority):
        name = pool.spec.name
        unfit: set[tuple[str, ...]] = set()
        while not pool.paused and len(leases) < PLACEMENTS_PER_PASS and free.any_in(name):
            task = queue.next(name, now, unfit)
            if task is None:
                break
            choice = free.choose(task.spec)
            if choice is None:
                unfit.add(task.spec.capabilities)
                queue.put_back(task)
                continue
            agent, placement = choice
            leases.append(Lease(task.spec.id, agent.spec.id, task.attempt + 1, placement))
    return [TasksLeased(tuple(leases))] if leases else []


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


def explain_task(state: FleetState, task: Task, now: float) -> list[str]:
    """Return why a task is where it is, one line of evidence each."""
    if task.state is TaskState.PENDING:
        return _explain_pending(state, task, now)
    if task.placement is None:
        return [f"{task.error.kind}: {task.error.message}"] if task.error else []
    placement = task.placement
    factors = ", ".join(f"{name} {value:.2f}" for name, value in zip(FACTOR_NAMES, placement.factors, strict=True))
    lines = [
        f"attempt {task.attempt} went to {task.agent_name}: score {placement.value:.3f}, best of {placement.candidates} free",
        factors,
        *_explain_losses(task),
    ]
    names = {agent: state.agents[agent].spec.name if agent in state.agents else agent for agent, _ in placement.alternatives}
    if placement.alternatives:
        lines.append("then " + ", ".join(f"{names[agent]} {value:.3f}" for agent, value in placement.alternatives))
    if task.error is not None:
        lines.append(f"{task.error.kind}: {task.error.message}")
    return lines


def _explain_pending(state: FleetState, task: Task, now: float) -> list[str]:
    lines = []
    if task.waiting_on:
        open_ids = state.awaited_by(task)
        lines.append(f"waits on {task.waiting_on} task{'s' if task.waiting_on > 1 else ''}: {', '.join(open_ids[:5])}{' …' if len(open_ids) > 5 else ''}")
    if task.not_before > now:
        lines.append(f"backs off for {task.not_before - now:.1f} s more after attempt {task.attempt}")
    if task.error is not None:
        lines.append(f"attempt {task.attempt} ended: {task.error.kind}: {task.error.message}")
    lines += _explain_losses(task)
    halts = [halt for halt in state.halted.values() if halt.scope != "scaling"]
    lines += [f"nothing is placed: {halt.who} halted {halt.scope}; `resume` ends it" for halt in halts]
    if not lines or not task.waiting_on:
        reasons = count_reasons(state, task)
        total = sum(reasons.values())
        counted = ", ".join(f"{count} {reason}" for reason, count in reasons.most_common())
        lines.append(f"none of {total} agents in {task.spec.pool} is free: {counted}" if total else f"{task.spec.pool} has no agents")
    return lines


def _explain_losses(task: Task) -> list[str]:
    """Return the line about attempts that do not count, if there were any."""
    if not task.uncounted:
        return []
    died = f"; {task.deaths} agent{'s' if task.deaths != 1 else ''} died while running it" if task.deaths else ""
    return [f"{task.tries} of its {task.spec.max_attempts} attempts count, {task.uncounted} were lost or replayed{died}"]


def count_reasons(state: FleetState, task: Task) -> Counter[str]:
    """Count, over the pool's agents, why each cannot take the task; free ones count as `free, is next`."""
    pool = state.pools[task.spec.pool]
    agents = state.agents_in(task.spec.pool)[:CAPABILITY_SCAN_MAX]
    return Counter(why_not(agent, pool, task.spec.capabilities) or "free, its turn comes" for agent in agents)
