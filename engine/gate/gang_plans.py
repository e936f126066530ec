"""Gangs as operators see them: what asking for one and ending one would do, and their rows; pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from engine.coordinator.gangs import find_gang
from engine.model.gangs import Gang
from engine.model.plans import PlanStep
from engine.model.pool_commands import AskGang, EndGang
from engine.model.rows import GangRow
from engine.model.verbs import Command
from engine.model.wire import call_of
from engine.scaling.policies import find_pool
from engine.state import FleetState


def order(state: FleetState, aging_s: float) -> list[Gang]:
    """Return the gangs that wait in their order; all of them age alike, so that it does not change with time."""
    waiting = [gang for gang in state.gangs.values() if gang.is_waiting]
    return sorted(waiting, key=lambda gang: (gang.asked_at / aging_s - gang.priority, gang.asked_at))


def gang_row(state: FleetState, gang: Gang, aging_s: float) -> GangRow:
    """Return a gang's row."""
    waiting = [one.id for one in order(state, aging_s)]
    return GangRow(
        gang.id,
        gang.pool,
        gang.agents,
        "waiting" if gang.is_waiting else "granted",
        gang.priority,
        waiting.index(gang.id) + 1 if gang.is_waiting else 0,
        gang.asked_at,
        gang.granted_at,
        gang.ends_at,
        gang.who,
        gang.text,
    )


def _ask(state: FleetState, command: AskGang) -> PlanStep:
    pool = find_pool(state, command.pool)
    ahead = sum(gang.is_waiting and gang.priority >= command.priority for gang in state.gangs.values())
    waits = f"waits up to {command.expires_s:g} s, {ahead} before it" if ahead else f"waits up to {command.expires_s:g} s if there is no room"
    effect = f"all at once or none; {waits}; kept {command.keep_s:g} s, then they leave"
    return PlanStep(call_of(command), command.pool, f"{pool.size} agents", f"{pool.size + command.agents} agents", effect)


def _end(state: FleetState, command: EndGang) -> PlanStep:
    gang = find_gang(state, command.gang)
    if gang.is_waiting:
        return PlanStep(call_of(command), gang.id, f"{gang.agents} of {gang.pool} wait", "none starts", "it waits no more")
    pool = state.pools[gang.pool]
    size = max(pool.spec.min, pool.size - gang.agents)
    return PlanStep(call_of(command), gang.id, f"{pool.size} agents", f"{size} agents", "its agents leave, busy ones when their task ends")


DESCRIBE: dict[type[Command], Callable[[FleetState, Any], PlanStep]] = {AskGang: _ask, EndGang: _end}
