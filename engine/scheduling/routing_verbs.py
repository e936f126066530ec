"""What operators ask of learned routing: what it may do, forgetting, and taking up again; pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from engine.model.errors import CommandRefused
from engine.model.events import Event
from engine.model.reports import RoutingLearnt
from engine.model.routing_commands import (
    ALL_POOLS,
    AS_CONFIGURED,
    ForgetRouting,
    RecallRouting,
    SetRouting,
)
from engine.model.routing_events import (
    RoutingForgotten,
    RoutingLearned,
    RoutingModeSet,
    RoutingRecalled,
)
from engine.model.verbs import Command
from engine.scheduling.router import pool_for
from engine.state import FleetState
from engine.state.deciding import Deciding, Decision


def mode_set(state: FleetState, pool: str) -> str:
    """Return what an operator said that learned routing may do in a pool, `configured` if nobody did."""
    record = state.routers.get(pool)
    return (record.mode if record is not None else "") or AS_CONFIGURED


def can_recall(state: FleetState, pool: str) -> bool:
    """Tell whether a pool has something that a reset forgot."""
    record = state.routers.get(pool)
    return record is not None and record.forgotten is not None


def pools_meant(state: FleetState, word: str) -> list[str]:
    """Return the pools that a verb is for. Raises NotFound."""
    return list(state.pools) if word == ALL_POOLS else [pool_for(state, word)]


def _decide_mode(state: FleetState, commands: Sequence[SetRouting], deciding: Deciding) -> Decision:
    events: list[Event] = []
    for command in commands:
        changed = tuple(pool for pool in pools_meant(state, command.pool) if mode_set(state, pool) != command.mode)
        if changed:
            events.append(RoutingModeSet(changed, "" if command.mode == AS_CONFIGURED else command.mode, deciding.origin.who))
    return Decision(events, [command.mode for command in commands])


def _decide_forget(state: FleetState, commands: Sequence[ForgetRouting], deciding: Deciding) -> Decision:
    pools = [tuple(pools_meant(state, command.pool)) for command in commands]
    return Decision([RoutingForgotten(names, deciding.origin.who) for names in pools], [len(names) for names in pools])


def _decide_recall(state: FleetState, commands: Sequence[RecallRouting], deciding: Deciding) -> Decision:
    pools = [pool_for(state, command.pool) for command in commands]
    for pool in pools:
        if not can_recall(state, pool):
            raise CommandRefused(f"there is nothing to take up again in {pool}: reset-routing forgot nothing there")
    return Decision([RoutingRecalled(tuple(pools), deciding.origin.who)], pools)


def decide_learnt(state: FleetState, report: RoutingLearnt, _deciding: Deciding) -> list[Event]:
    """Keep what was learned, of pools that there are."""
    models = tuple(model for model in report.models if model.pool in state.pools)
    return [RoutingLearned(models, report.set_aside)] if models else []


DECIDE: dict[type[Command], Callable[[FleetState, Sequence[Any], Deciding], Decision]] = {
    SetRouting: _decide_mode,
    ForgetRouting: _decide_forget,
    RecallRouting: _decide_recall,
}
