"""The rows of the booster and of its instances: the fleet's own state, joined with what the workers have told."""

from __future__ import annotations

from collections.abc import Mapping

from engine.booster.book import BoosterBook, Rates, say_reasons
from engine.booster.figures import InstanceFigures
from engine.model.agents import AgentStatus
from engine.model.ids import AgentId
from engine.model.modules import UserModule
from engine.model.pools import BOOSTER, Pool
from engine.model.rows import BoosterRow, InstanceRow, ModuleRow
from engine.model.tasks import TaskState
from engine.state import FleetState


def booster_pools(state: FleetState) -> list[str]:
    """Return the pools whose agents are instances of the booster."""
    return [name for name, pool in state.pools.items() if pool.spec.kind == BOOSTER]


def instance_ids(state: FleetState) -> list[str]:
    """Return the agents that are instances of the booster."""
    return [str(agent.spec.id) for pool in booster_pools(state) for agent in state.agents_in(pool)]


def instance_row(state: FleetState, book: BoosterBook, id_: str) -> InstanceRow | None:
    """Return the row of an instance, or None when there is none."""
    agent = state.agents.get(AgentId(id_))
    pool = state.pools.get(agent.spec.pool) if agent is not None else None
    if agent is None or pool is None or pool.spec.kind != BOOSTER:
        return None
    figures, rates = book.instance(agent.spec.id) or (InstanceFigures(id_), Rates())
    return InstanceRow(
        id_,
        agent.spec.name,
        agent.host or "",
        str(agent.status),
        agent.task or "",
        figures.calls,
        figures.failures,
        figures.restarts,
        figures.busy_s,
        figures.last_s,
        rates.ops_per_s,
        rates.load,
        figures.memory_bytes,
        figures.used_bytes,
        figures.last_error,
        figures.last_error_at,
        figures.p50_s,
        agent.created_at,
    )


def booster_row(state: FleetState, book: BoosterBook, name: str, fallback: str, now: float) -> BoosterRow | None:
    """Return the row of a booster, or None when there is none of that name; `fallback` gets what it hands on."""
    pool = state.pools.get(name)
    if pool is None or pool.spec.kind != BOOSTER:
        return None
    sums, living, samples = book.sums(), book.living(), book.samples
    told = next((figures for figures in living if figures.module), None)
    instances = [one for figures in living for one in figures.instances]
    memory, used = sum(one.memory_bytes for one in instances), sum(one.used_bytes for one in instances)
    return BoosterRow(
        name,
        told.module if told else "",
        ", ".join(told.operations) if told else "",
        pool.agents,
        pool.by_status.get(AgentStatus.BUSY, 0) + pool.by_status.get(AgentStatus.ASSIGNED, 0),
        _waiting(pool),
        pool.spec.max,
        fallback,
        sums.calls,
        sums.answered,
        sum(sums.handed_on.values()),
        sums.failures,
        say_reasons(sums.handed_on.items()),
        say_breakers(book.breakers(now), now),
        sums.busy_s,
        book.ops_per_s(),
        book.utilization(),
        sums.cache_hits,
        sums.cache_misses,
        sum(figures.cache_bytes for figures in living),
        memory,
        used,
        used / memory if memory else -1.0,
        book.last_error[1],
        book.last_error[0],
        book.reproducer,
        samples.alike,
        samples.speed_up,
        samples.sampled_at,
        samples.differences,
        samples.difference_at,
        samples.difference,
    )


def module_row(module: UserModule, book: BoosterBook) -> ModuleRow:
    """Return the row of a module of an operator."""
    facts, sums = module.facts, book.module(module.facts.sha256)
    return ModuleRow(
        module.name,
        facts.sha256,
        f"{facts.name} {facts.version}",
        facts.size_bytes,
        facts.memory_bytes,
        ", ".join(f"{row.name} ({', '.join(row.languages)})" for row in facts.operations),
        sums.calls,
        sums.cache_hits,
        sums.failures,
        sums.last_error,
        sums.last_error_at,
        module.added_at,
        module.added_by,
    )


def _waiting(pool: Pool) -> int:
    return pool.by_state.get(TaskState.PENDING, 0) - pool.blocked


def say_breakers(breakers: Mapping[str, float], now: float) -> str:
    """Write which operations are left to regular agents, and for how long."""
    return ", ".join(f"{name} for {until - now:.0f} s" for name, until in sorted(breakers.items()))
