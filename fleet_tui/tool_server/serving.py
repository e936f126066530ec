"""The tools over the Model Context Protocol on stdin and stdout: revisions up to 2025-11-25, and 2026-07-28.

Owner: nobody; one run. stdout is the protocol's, talk goes to stderr. A call connects anew: an engine that was started again is found.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from engine.model.errors import FleetError, UsageError
from engine.model.version import version
from engine.model.wire import nearest
from fleet_tui import output
from fleet_tui.acts import operator_at
from fleet_tui.attach import require_address
from fleet_tui.tool_server.tools import Tool, checked
from fleet_tui.tool_server.verb_tools import tools_of

if TYPE_CHECKING:
    from mcp import types
    from mcp.server.lowlevel import Server

    from fleet_tui.settings import Paths

NAME = "fleet-tui"
ABOUT = (
    "A fleet of AI agents. Submit tasks with fleet_submit, wait for them with fleet_result, share knowledge by fleet_memory_put and fleet_memory_get,"
    " ask the fleet's operators with ask_human."
)


def serve(paths: Paths, verbs: str, *, mode: str) -> None:
    """Serve until stdin ends. Raises FleetError when there is no engine, or the library is missing."""
    try:
        import mcp.server.stdio as stdio
    except ModuleNotFoundError as error:
        if error.name != "mcp":
            raise
        raise UsageError("`fleet-tui mcp` needs the package mcp: install fleet-tui[mcp]") from error
    require_address(paths)
    server = make_server(paths, tools_of(verbs), mode)

    async def run() -> None:
        async with stdio.stdio_server() as (reading, writing):
            await server.run(reading, writing, server.create_initialization_options())

    output.say(f"serving {len(tools_of(verbs))} tools on stdin and stdout")
    asyncio.run(run())


def make_server(paths: Paths, tools: Mapping[str, Tool], mode: str) -> Server[Any]:
    """Return a server of tools."""
    from mcp import types
    from mcp.server.lowlevel import Server

    async def list_tools(_context: object, _asked: object) -> types.ListToolsResult:
        return types.ListToolsResult(tools=[_described(tool) for tool in tools.values()])

    async def call_tool(_context: object, asked: types.CallToolRequestParams) -> types.CallToolResult:
        try:
            tool = tools.get(asked.name)
            if tool is None:
                raise UsageError(f"no tool {asked.name!r}{nearest(asked.name, tools)}")
            given = checked(tool, asked.arguments or {})
            async with operator_at(require_address(paths), via="mcp", mode=mode) as operator:
                found = await tool.call(operator, given)
        except FleetError as error:
            return types.CallToolResult(content=[types.TextContent(type="text", text=f"{error.code}: {error}")], is_error=True)
        text = types.TextContent(type="text", text=json.dumps(found, ensure_ascii=False))
        return types.CallToolResult(content=[text], structured_content=found)

    return Server(NAME, version=version(), instructions=ABOUT, on_list_tools=list_tools, on_call_tool=call_tool)


def _described(tool: Tool) -> types.Tool:
    from mcp import types

    hints = types.ToolAnnotations(read_only_hint=tool.is_read, destructive_hint=tool.destroys, open_world_hint=False)
    return types.Tool(name=tool.name, description=tool.help, input_schema=tool.arguments, annotations=hints)
