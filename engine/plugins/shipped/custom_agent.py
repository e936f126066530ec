"""The plug-in `custom-agent`: an agent that is one function of yours, kept in a process of its own.

Owner: `CustomAgentPlugin`, of the function. Settings: `function`, as module:function, looked for beside the fleet's directory too.
"""

from __future__ import annotations

import asyncio
import inspect
import sys
from collections.abc import Callable
from typing import Any

from engine.model.version import version
from engine.plugins.api import PluginContext, PluginRequest, PluginResponse, hookimpl
from engine.plugins.loading import function_at


class CustomAgentPlugin:
    """Does each task by calling a function with its PluginRequest; what that returns is the result."""

    name = "custom-agent"
    version = version()

    def __init__(self) -> None:
        self._function: Callable[[PluginRequest], Any] | None = None

    async def initialize(self, context: PluginContext) -> None:
        """Import the function. Raises ValueError when the settings name none."""
        path = context.settings.get("function")
        if not isinstance(path, str) or ":" not in path:
            raise ValueError("its settings name no function: write function = \"module:function\" into [plugins.custom-agent.settings]")
        if str(context.directory) not in sys.path:
            sys.path.append(str(context.directory))
        function = function_at(path)
        if not callable(function):
            raise ValueError(f"{path} is no function")  # noqa: TRY004  # what somebody wrote is wrong
        self._function = function

    async def execute(self, request: PluginRequest) -> PluginResponse:
        """Call the function: a coroutine function here, another one in a thread, so that a cancelled task is answered."""
        assert self._function is not None, "initialize() comes first"
        if inspect.iscoroutinefunction(self._function):
            found = await self._function(request)
        else:
            found = await asyncio.to_thread(self._function, request)
        return found if isinstance(found, PluginResponse) else PluginResponse(found)

    async def cleanup(self) -> None:
        """Forget the function."""
        self._function = None


@hookimpl
def fleet_agent() -> CustomAgentPlugin:
    """Return the agent."""
    return CustomAgentPlugin()
