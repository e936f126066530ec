"""`fleet-tui policy apply FILE`: bring the fleet's policies to what a file says, after the plan was shown.

Owner: nobody; one run. Policies that the file does not name stay, unless they are to be pruned.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.model.policy_text import policy_table
from engine.model.pool_commands import CreatePolicy, DeletePolicy, UpdatePolicy
from engine.model.scaling import Policy
from engine.model.verbs import Command
from fleet_tui import acts
from fleet_tui.attach import require_address
from fleet_tui.backtests import read_fleet, read_policies
from fleet_tui.settings import Address

if TYPE_CHECKING:
    from fleet_tui.settings import Paths


def apply_file(paths: Paths, path: Path, request: acts.Request, *, prune: bool = False) -> None:
    """Show what a file would change, ask, and carry it out: one plan for each kind of verb. Raises FleetError."""
    wanted = read_policies(path)
    address = require_address(paths)
    there = asyncio.run(_policies(address, request.mode))
    commands = changes(there, wanted, prune=prune)
    if not commands:
        acts.show_nothing(f"the fleet's policies are as {path.name} says; nothing to do", request)
        return
    acts.act_by_kind(address, commands, request)


def changes(there: Mapping[str, Policy], wanted: Mapping[str, Policy], *, prune: bool) -> list[Command]:
    """Return the verbs that bring policies to what is wanted: new ones, changed ones, then those that go."""
    made: Sequence[Command] = [CreatePolicy(id_, _table(policy)) for id_, policy in wanted.items() if id_ not in there]
    changed: Sequence[Command] = [UpdatePolicy(id_, _patch(_table(there[id_]), _table(policy))) for id_, policy in wanted.items() if id_ in there and there[id_] != policy]
    gone: Sequence[Command] = [DeletePolicy(id_) for id_ in there if prune and id_ not in wanted]
    return [*made, *changed, *gone]


def _table(policy: Policy) -> dict[str, object]:
    return {key: value for key, value in policy_table(policy).items() if key != "id"}


def _patch(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys that differ, of parts only theirs; what the new one leaves at its default is taken back."""
    found: dict[str, Any] = {}
    for key in {**old, **new}:
        before, after = old.get(key), new.get(key)
        if before != after:
            found[key] = _patch(before, after) if isinstance(before, Mapping) and isinstance(after, Mapping) else after
    return found


async def _policies(address: Address, mode: str) -> dict[str, Policy]:
    async with acts.operator_at(address, mode=mode) as operator:
        return (await read_fleet(operator, 0)).policies
