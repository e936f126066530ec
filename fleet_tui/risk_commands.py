"""`fleet-tui risks`: which agents are likely to fail soon, with the evidence, and the plan that would help.

Owner: nobody; one run.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from engine.model.report_sections import risk_words
from engine.model.wire import command_of, to_plain
from fleet_tui import acts, output
from fleet_tui.attach import require_address
from fleet_tui.settings import Address

if TYPE_CHECKING:
    from fleet_tui.settings import Paths


def show(paths: Paths, of: str, *, form: str) -> None:
    """Print the agents with signs of trouble. Raises FleetError."""
    found = asyncio.run(_risks(require_address(paths), of))
    if form == "json":
        output.print_json(found)
    else:
        output.print_lines([output.clean(line) for line in lines_of(found)])


def apply(paths: Paths, of: str, request: acts.Request) -> None:
    """Show the plan of all proposals, ask, and carry it out. Raises FleetError."""
    address = require_address(paths)
    found = asyncio.run(_risks(address, of))
    commands = sorted((command_of(one["call"]) for one in found["agents"] if one["call"]), key=lambda command: command.name)
    if commands:
        acts.act_by_kind(address, commands, request)
    else:
        acts.show_nothing(looked_words(found), request)


def lines_of(found: Mapping[str, Any]) -> Iterator[str]:
    """Give each agent with its risk, its signs and what is proposed; then how many were looked at."""
    for one in found["agents"]:
        yield _heading(one)
        for sign in one["signs"]:
            yield f"    {risk_words(sign)}"
    yield looked_words(found)


def _heading(one: Mapping[str, Any]) -> str:
    proposed = f"; proposed: {one['verb']}" if one["verb"] else ""
    return f"{one['name']} of {one['pool']}, risk {one['risk']:.0%}{proposed}"


def looked_words(found: Mapping[str, Any]) -> str:
    """Return how many agents were looked at, and of how many nothing can be said."""
    proposed = sum(bool(one["verb"]) for one in found["agents"])
    unknown = f"; too little is known of {found['unknown']}" if found["unknown"] else ""
    looked_at = found["looked_at"]
    return f"{looked_at} agent{'' if looked_at == 1 else 's'} looked at, {len(found['agents'])} with signs of trouble, something proposed for {proposed}{unknown}"


async def _risks(address: Address, of: str) -> Any:  # noqa: ANN401  # plain values
    async with acts.operator_at(address) as operator:
        return to_plain(await operator.query("risks", of=of))
