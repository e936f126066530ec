"""`fleet-tui simulate --policy`: what policies would have done on a load, beside those in force.

Owner: nobody; one run. Reads the load from the engine, a trace file or a seeded shape.
"""

from __future__ import annotations

import asyncio
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.model.errors import NotFound, UsageError
from engine.model.policy_text import policy_of
from engine.model.pools import DEFAULT_POOLS
from engine.model.quantities import seconds
from engine.model.scaling import Limits, Load, Policy
from engine.model.wire import nearest, to_plain
from engine.operations import Operator
from engine.scaling.backtest import PoolTrace
from engine.scaling.comparing import Compared, compare
from engine.scaling.shapes import SHAPES, trace
from engine.scaling.traces import pool_traces, read_trace
from fleet_tui import output
from fleet_tui.acts import operator_at
from fleet_tui.attach import find_address, require_address
from fleet_tui.settings import Paths

SHAPE_S = 3_600.0


@dataclass(frozen=True, slots=True)
class Backtest:
    """What is to be replayed, and how it is shown."""

    policies: Path
    trace: Path | None = None
    shape: str | None = None
    seed: int = 1
    last: str = "24h"
    pool: str = "coder"
    service_s: float = 1.0
    output: str = "text"


@dataclass(frozen=True, slots=True)
class FleetLoad:
    """What an engine knows of policies, pools and load; empty without one."""

    policies: dict[str, Policy]
    limits: dict[str, Limits]
    load: list[Load]


def backtest(paths: Paths, wanted: Backtest) -> None:
    """Replay and print the comparison. Raises FleetError."""
    new = read_policies(wanted.policies)
    if wanted.trace is not None and wanted.shape is not None:
        raise UsageError("a load is either a --trace or a --shape, not both")
    from_engine = wanted.trace is None and wanted.shape is None
    fleet = asyncio.run(_ask_engine(paths, seconds(wanted.last) if from_engine else 0, needed=from_engine))
    traces, length_s = _traces(wanted, fleet)
    sets: dict[str, Mapping[str, Policy]] = {"in force": fleet.policies} if fleet.policies else {}
    found = compare(traces, length_s, {**sets, wanted.policies.stem: new})
    if wanted.output == "json":
        output.print_json({"seconds": length_s, "compared": [to_plain(one) for one in found]})
    else:
        output.print_lines(lines(found, length_s))


def read_policies(path: Path) -> dict[str, Policy]:
    """Return the policies of a TOML file: tables under [policies.ID] or [auto_scaling.policies.ID], or one policy at the top.

    Raises UsageError that names the file.
    """
    try:
        data = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: not TOML: {error}") from error
    tables = data.get("policies") or data.get("auto_scaling", {}).get("policies") or {path.stem: data}
    if not isinstance(tables, dict) or not all(isinstance(table, dict) for table in tables.values()):
        raise UsageError(f"{path}: policies must be tables by id: [policies.coder-demand]")
    try:
        return {policy_id: policy_of({**table, "id": policy_id}) for policy_id, table in tables.items()}
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from error


async def _ask_engine(paths: Paths, last_s: int, *, needed: bool) -> FleetLoad:
    socket = require_address(paths) if needed else find_address(paths)
    if socket is None:
        return FleetLoad({}, {spec.name: Limits(spec.min, spec.max, spec.cost) for spec in DEFAULT_POOLS}, [])
    async with operator_at(socket) as operator:
        return await read_fleet(operator, last_s)


async def read_fleet(operator: Operator, last_s: int) -> FleetLoad:
    """Return the policies, the pools' limits and the load of an engine. Raises FleetError."""
    rows: Any = await operator.query("policies")
    tables: list[Any] = [await operator.query("policy", id=row["id"]) for row in rows]
    names: Any = await operator.query("pools")
    pools: list[Any] = [await operator.query("pool", id=row["id"]) for row in names]
    load: Any = await operator.query("load", last_s=last_s) if last_s else []
    policies = {policy.id: policy for policy in (policy_of(table) for table in tables)}
    limits = {pool["id"]: Limits(pool["min"], pool["max"], pool["spec"]["cost"]) for pool in pools}
    return FleetLoad(policies, limits, [Load(*entry) for entry in load])


def _traces(wanted: Backtest, fleet: FleetLoad) -> tuple[list[PoolTrace], float]:
    if wanted.shape is not None:
        if wanted.shape not in SHAPES:
            raise UsageError(f"no shape {wanted.shape!r}{nearest(wanted.shape, SHAPES)}; there are {', '.join(SHAPES)}")
        limits = fleet.limits.get(wanted.pool, Limits(1, 100))
        return [trace(wanted.shape, wanted.seed, seconds=SHAPE_S, pool=wanted.pool, limits=limits)], SHAPE_S
    if wanted.trace is not None:
        loads = read_trace(wanted.trace, pool=wanted.pool, service_s=wanted.service_s)
    else:
        loads = fleet.load
        if not loads:
            raise NotFound(f"no task has run in the last {wanted.last}; give a --trace or a --shape")
    return pool_traces(loads, fleet.limits, {})


def lines(found: list[Compared], length_s: float) -> list[str]:
    """Return the comparison as text: one column a set of policies."""
    rows = [
        ("tasks", [f"{one.tasks}" for one in found]),
        ("not ended", [f"{one.unfinished}" for one in found]),
        ("agent-hours", [f"{one.agent_s / 3_600:.2f}" for one in found]),
        ("the same wait at fixed sizes", [f"{one.static_agent_s / 3_600:.2f}" for one in found]),
        ("saved", [f"{one.saved:.0%}" for one in found]),
        ("utilisation", [f"{one.utilisation:.0%}" for one in found]),
        ("cost", [f"{one.cost:.2f}" for one in found]),
        ("wait p50", [output.duration(one.wait_p50_s) for one in found]),
        ("wait p95", [output.duration(one.wait_p95_s) for one in found]),
        ("moves up", [f"{one.raised}" for one in found]),
        ("moves down", [f"{one.lowered}" for one in found]),
        ("direction changes", [f"{one.direction_changes}" for one in found]),
        ("busy agents that left", [f"{one.drains}" for one in found]),
    ]
    width = max(len(name) for name, _ in rows)
    columns = [max(len(one.name), *(len(cells[n]) for _, cells in rows)) for n, one in enumerate(found)]
    head = f"{output.duration(length_s)} of load".ljust(width)
    table = ["  ".join([head, *(one.name.rjust(wide) for one, wide in zip(found, columns, strict=True))])]
    for name, cells in rows:
        table.append("  ".join([name.ljust(width), *(cell.rjust(wide) for cell, wide in zip(cells, columns, strict=True))]))
    return table


