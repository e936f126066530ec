"""The tools as a server of the Model Context Protocol: revisions up to 2025-11-25, and 2026-07-28; what carries it is the caller's.

Owner: nobody; functions only. Imports the library `mcp` when it is used: that takes most of a second.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any

from engine.api.tools import Tool, ToolCaller, checked
from engine.model.errors import FleetError, UsageError
from engine.model.version import version
from engine.model.wire import nearest

if TYPE_CHECKING:
    from mcp import types
    from mcp.server.lowlevel import Server

NAME = "fleet-tui"
ABOUT = (
    "A fleet of AI agents. Submit tasks with fleet_submit, wait for them with fleet_result, share knowledge by fleet_memory_put and fleet_memory_get,"
    " ask the fleet's operators with ask_human."
)
MISSING = "needs the package mcp: install fleet-tui[mcp]"


def make_server(tools: Mapping[str, Tool], caller: Callable[[], AbstractAsyncContextManager[ToolCaller]]) -> Server[Any]:
    """Return a server of tools; each call acts by a caller of its own."""
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
            async with caller() as found_caller:
                found = await tool.call(found_caller, given)
        except FleetError as error:
            return types.CallToolResult(content=[types.TextContent(type="text", text=f"{error.code}: {error}")], is_error=True)
        text = types.TextContent(type="text", text=json.dumps(found, ensure_ascii=False))
        return types.CallToolResult(content=[text], structured_content=found)

    return Server(NAME, version=version(), instructions=ABOUT, on_list_tools=list_tools, on_call_tool=call_tool)


def _described(tool: Tool) -> types.Tool:
    from mcp import types

    hints = types.ToolAnnotations(read_only_hint=tool.is_read, destructive_hint=tool.destroys, open_world_hint=False)
    return types.Tool(name=tool.name, description=tool.help, input_schema=tool.arguments, annotations=hints)
