"""`fleet-tui optimize`: what pools could have less of, with the evidence, and the plan that does it.

Owner: nobody; one run.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from engine.model.errors import NotFound
from engine.model.wire import command_of, nearest, to_plain
from fleet_tui import acts, output
from fleet_tui.attach import require_address
from fleet_tui.settings import Address

if TYPE_CHECKING:
    from fleet_tui.settings import Paths

NOTHING = "nothing could be smaller: either all of it is used, or less than ten minutes were seen"


def show(paths: Paths, pools: Sequence[str], *, form: str) -> None:
    """Print the recommendations. Raises FleetError."""
    found = asyncio.run(_recommendations(require_address(paths), pools))
    if form == "json":
        output.print_json(found)
    else:
        output.print_lines([line for one in found for line in lines_of(one)] or [NOTHING])


def apply(paths: Paths, pools: Sequence[str], request: acts.Request) -> None:
    """Show the plan of all recommendations, ask, and carry it out. Raises FleetError."""
    address = require_address(paths)
    found = asyncio.run(_recommendations(address, pools))
    if not found:
        acts.show_nothing(NOTHING, request)
        return
    commands = sorted((command_of(one["call"]) for one in found), key=lambda command: command.name)
    acts.act_by_kind(address, commands, request)


def lines_of(one: dict[str, Any]) -> list[str]:
    """Return a recommendation as lines: what it is, what it saves, and why."""
    saves = [
        text
        for amount, text in (
            (one["saves_agents"], f"{one['saves_agents']} agents"),
            (one["saves_memory_mb"], f"{one['saves_memory_mb']:,.0f} MB"),
            (one["saves_cores"], f"{one['saves_cores']:g} cores"),
            (one["saves_cost_per_hour"], f"{one['saves_cost_per_hour']:,.2f} an hour"),
        )
        if amount
    ]
    what = {"idle": "is idle", "oversized": "is oversized"}.get(one["kind"], "has more than it uses")
    return [
        f"{one['pool']} {what}: {one['current']} -> {one['recommended']}",
        f"    saves {', '.join(saves)}",
        f"    {output.clean(one['evidence'])}; efficiency {one['efficiency']:.0%}",
    ]


async def _recommendations(address: Address, pools: Sequence[str]) -> list[dict[str, Any]]:
    """Return what is recommended for some pools, or for all. Raises NotFound for a pool that there is not."""
    async with acts.operator_at(address) as operator:
        found: Any = to_plain(await operator.query("recommendations"))
        if pools:
            rows: Any = await operator.query("pools")
            there = {row["id"] for row in rows}
            for pool in pools:
                if pool not in there:
                    raise NotFound(f"no pool {pool!r}{nearest(pool, there)}; `get pools` lists them")
    return [one for one in found if not pools or one["pool"] in pools]
