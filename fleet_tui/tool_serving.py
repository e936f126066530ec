"""The tools over the Model Context Protocol on stdin and stdout.

Owner: nobody; one run. stdout is the protocol's, talk goes to stderr. A call connects anew: an engine that was started again is found.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from engine.api.following_task import Waiting
from engine.api.tool_server import MISSING, make_server
from engine.api.tools import ToolCaller
from engine.api.verb_tools import tools_of
from engine.clock import SystemClock
from engine.model.errors import UsageError
from fleet_tui import output
from fleet_tui.acts import operator_at, own_task
from fleet_tui.attach import require_address

if TYPE_CHECKING:
    from fleet_tui.settings import Paths


def serve(paths: Paths, verbs: str, *, mode: str) -> None:
    """Serve until stdin ends. Raises FleetError when there is no engine, or the library is missing."""
    try:
        import mcp.server.stdio as stdio
    except ModuleNotFoundError as error:
        if error.name != "mcp":
            raise
        raise UsageError(f"`fleet-tui mcp` {MISSING}") from error
    require_address(paths)

    @asynccontextmanager
    async def caller() -> AsyncIterator[ToolCaller]:
        async with operator_at(require_address(paths), via="mcp", mode=mode) as operator:
            yield ToolCaller(operator, Waiting(SystemClock()), own_task())

    tools = tools_of(verbs)
    server = make_server(tools, caller)

    async def run() -> None:
        async with stdio.stdio_server() as (reading, writing):
            await server.run(reading, writing, server.create_initialization_options())

    output.say(f"serving {len(tools)} tools on stdin and stdout")
    asyncio.run(run())
