"""`fleet-tui mail`: the messages of swarms that wait in a mailbox, mine or an agent's.

Owner: nobody; functions only.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from engine.model.wire import to_plain
from fleet_tui import output
from fleet_tui.acts import operator_at
from fleet_tui.attach import require_address
from fleet_tui.memory_commands import aligned

if TYPE_CHECKING:
    from fleet_tui.settings import Paths

COLUMNS = ("ID", "PRIORITY", "TYPE", "FROM", "LINKS", "AT")


def show(paths: Paths, agent: str, form: str) -> None:
    """Print messages. Raises FleetError."""
    messages = asyncio.run(_ask(paths, agent))
    if form == "json":
        output.print_json(messages)
        return
    lines = [[one["id"], one["priority"], one["type"], one["source"], str(one["hops"]), output.instant(one["timestamp"])] for one in messages]
    output.print_lines(aligned(COLUMNS, lines) if lines else ["no message waits"])


async def _ask(paths: Paths, agent: str) -> list[dict[str, Any]]:
    async with operator_at(require_address(paths)) as operator:
        answer = to_plain(await operator.query("mail", agent=agent))
    assert isinstance(answer, list)
    return answer
