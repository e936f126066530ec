"""What facts about learned routing do to the tables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from engine.model.learned import RouterRecord
from engine.model.routing_events import (
    RoutingForgotten,
    RoutingLearned,
    RoutingModeSet,
    RoutingRecalled,
)
from engine.state.tables import Tables


def _change(tables: Tables, pool: str, **fields: object) -> None:
    record = tables.routers.get(pool) or RouterRecord(pool)
    tables.routers[pool] = msgspec.structs.replace(record, **fields)
    tables.touched.routers[pool] = None


def _mode_set(tables: Tables, event: RoutingModeSet, _at: float) -> None:
    for pool in event.pools:
        _change(tables, pool, mode=event.mode)


def _learned(tables: Tables, event: RoutingLearned, _at: float) -> None:
    for model in event.models:
        if event.set_aside:
            _change(tables, model.pool, forgotten=model)
        else:
            _change(tables, model.pool, model=model)


def _forgotten(tables: Tables, event: RoutingForgotten, _at: float) -> None:
    for pool in event.pools:
        record = tables.routers.get(pool)
        if record is not None and record.model is not None:
            _change(tables, pool, model=None, forgotten=record.model)


def _recalled(tables: Tables, event: RoutingRecalled, _at: float) -> None:
    for pool in event.pools:
        record = tables.routers[pool]
        _change(tables, pool, model=record.forgotten, forgotten=None)


TRANSITIONS: dict[type, Callable[[Tables, Any, float], None]] = {
    RoutingModeSet: _mode_set,
    RoutingLearned: _learned,
    RoutingForgotten: _forgotten,
    RoutingRecalled: _recalled,
}
