"""The seeds' state keys: what other programs read of the fleet in Redis, as JSON; pure.

Nothing that looks like a secret goes out, and of what memory holds only how much it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from engine.gate.rows import agent_row, task_row
from engine.gate.seed_swarms import state_of
from engine.model import wire
from engine.model.ids import AgentId, SwarmId, TaskId
from engine.model.secrets import redact
from engine.model.tasks import FINISHED
from engine.state import FleetState

KINDS: dict[str, tuple[str, ...]] = {
    "swarm": ("state", "config", "agents", "tasks"),
    "agent": ("state", "config", "memory", "tasks"),
    "task": ("state", "config", "results", "history"),
}
"""Kind -> what its keys end in: `swarm:{id}:state`."""
Owned = Mapping[str, tuple[int, int]]
"""Owner -> entries of memory, and their bytes."""
Keys = dict[str, object | None]
"""Key -> value; None = there is no such key."""


def keys_of(state: FleetState, kind: str, id_: str, now: float, owned: Owned) -> Keys:
    """Return the keys of one swarm, agent or task; all None when it is no more."""
    make: dict[str, Callable[[], Mapping[str, Any] | None]] = {
        "swarm": lambda: _swarm(state, SwarmId(id_), now),
        "agent": lambda: _agent(state, AgentId(id_), owned),
        "task": lambda: _task(state, TaskId(id_), now),
    }
    found = make[kind]() or {}
    return {f"{kind}:{id_}:{end}": redact(wire.to_plain(found[end])) if found.get(end) is not None else None for end in KINDS[kind]}


def _swarm(state: FleetState, id_: SwarmId, now: float) -> Mapping[str, Any] | None:
    swarm = state.swarming.swarms.get(id_)
    if swarm is None:
        return None
    whole = state_of(state, swarm, now)
    return {"state": whole, "config": swarm.settings, "agents": swarm.topology.members, "tasks": whole.tasks}


def _agent(state: FleetState, id_: AgentId, owned: Owned) -> Mapping[str, Any] | None:
    agent = state.agents.get(id_)
    if agent is None:
        return None
    entries, size = owned.get(id_, (0, 0))
    row = wire.row_to_dict(agent_row(state, agent))
    return {"state": row, "config": agent.spec, "memory": {"entries": entries, "bytes": size}, "tasks": [agent.task] if agent.task else []}


def _task(state: FleetState, id_: TaskId, now: float) -> Mapping[str, Any] | None:
    task = state.tasks.get(id_)
    if task is None:
        return None
    results = None
    if task.state in FINISHED:
        results = {"ok": task.error is None, "result": task.result, "artifact": task.artifact, "error": task.error, "usage": task.usage, "finished_at": task.finished_at}
    history = [{"at": at, "what": what, "detail": detail} for at, what, detail in task.history]
    return {"state": wire.row_to_dict(task_row(state, task, now)), "config": task.spec, "results": results, "history": history}


def fleet_keys(state: FleetState, status: object) -> Keys:
    """Return the keys of the fleet as a whole."""
    machines = {machine.id: {"capacity": machine.capacity, "taken": machine.taken} for machine in state.machines.values()}
    pools = {pool.spec.name: {"agents": pool.agents, "size": pool.size, "min": pool.spec.min, "max": pool.spec.max} for pool in state.pools.values()}
    return {
        "fleet:state": redact(wire.to_plain(status)),
        "fleet:resources": wire.to_plain({"machines": machines, "pools": pools}),
        "fleet:allocations": wire.to_plain(list(state.allocations.values())),
        "performance:alerts": redact(wire.to_plain(list(state.alerting.alerts.values()))),
    }
