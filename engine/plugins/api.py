"""What somebody who writes a plug-in needs: the hooks, the interface of an agent, and what it is asked and answers.

Owner: nobody; shapes only. Loaded in the plug-in's own process, never by the engine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import pluggy

from engine.plugins.installed import GROUP

API = 1
"""The version of this page. A plug-in says in its module's `FLEET_API` which one it is made for; without it, this one."""

hookimpl = pluggy.HookimplMarker(GROUP)
_hookspec = pluggy.HookspecMarker(GROUP)


@dataclass(frozen=True, slots=True)
class PluginContext:
    """What a plug-in is told at its start."""

    name: str
    """Its entry point's."""
    settings: Mapping[str, Any]
    """The table `[plugins.NAME.settings]` of the configuration."""
    directory: Path
    """Where the fleet works."""
    state_dir: Path
    """A folder of the plug-in's own, there already; what it holds outlives the engine."""


@dataclass(frozen=True, slots=True)
class PluginRequest:
    """A task."""

    id: str
    """The task's; the same at every attempt."""
    action: str
    """The task's type."""
    payload: Mapping[str, Any]
    prompt: str = ""
    title: str = ""
    workspace: str = ""
    """Where it should work; empty = the directory of the fleet."""
    attempt: int = 1
    """Grows with each attempt of the task."""


@dataclass(frozen=True, slots=True)
class PluginResponse:
    """How a task ended."""

    data: object = None
    """The result: what JSON can say."""
    text: str = ""
    """The result in words."""
    error: str = ""
    """Why it failed; empty = it did not."""
    retryable: bool = True
    """Of an error: another attempt may end better."""
    usage: Mapping[str, float] = field(default_factory=dict)
    """Figures such as input_tokens; `cost` is in dollars."""


class Plugin(Protocol):
    """An agent: each process of it is initialized once, does one task after another, and cleans up at its end."""

    name: str
    version: str

    async def initialize(self, context: PluginContext) -> None:
        """Get ready; whatever it raises means that the plug-in is broken."""
        ...

    async def execute(self, request: PluginRequest) -> PluginResponse:
        """Do a task. Cancelled when the task is; what it raises fails the attempt."""
        ...

    async def cleanup(self) -> None:
        """Let go of everything."""
        ...


Pools: TypeAlias = Mapping[str, Mapping[str, float | None]]
"""Pool -> size, ready, busy, waiting, oldest_waiting_s, service_s, response_time_ms, cpu, memory as last measured; None = not known."""
Gauge: TypeAlias = Callable[[Pools], Mapping[str, float]]
"""Gives a value for each pool that it knows one for."""
Operation: TypeAlias = Callable[[str, dict[str, object]], object]
"""Gets a task's type and payload, returns its result; may be a coroutine function."""
Deliver: TypeAlias = Callable[[str, dict[str, Any]], None]
"""Gets a channel's URL and a notification as a command gets it (docs/monitoring.md); raises when it is not delivered."""


class Hooks:
    """What a plug-in may implement, each marked with `hookimpl`. All names are short: the fleet puts `PLUGIN.` before them."""

    @_hookspec(firstresult=True)
    def fleet_agent(self) -> Plugin:
        """Return an agent; its kind is the plug-in's name. Called once in each process that runs it."""
        raise NotImplementedError

    @_hookspec(firstresult=True)
    def fleet_agent_kinds(self) -> Mapping[str, Mapping[str, Any]]:
        """Return kinds of agents by name, each as the table of a pool (docs/agents.md): kind, and session, command or openai."""
        raise NotImplementedError

    @_hookspec(firstresult=True)
    def fleet_operations(self) -> Mapping[str, Operation]:
        """Return what does tasks of a type, by name: functions of a module. They run in the workers of pools of kind python."""
        raise NotImplementedError

    @_hookspec(firstresult=True)
    def fleet_channels(self) -> Mapping[str, Deliver]:
        """Return what delivers notifications, by name: functions of a module. A channel's URL then begins with PLUGIN.NAME://."""
        raise NotImplementedError

    @_hookspec(firstresult=True)
    def fleet_metrics(self) -> Mapping[str, Gauge]:
        """Return gauges of pools by name; they are asked every `interval_s`, in the plug-in's own process."""
        raise NotImplementedError

    @_hookspec(firstresult=True)
    def fleet_embedders(self) -> Mapping[str, Callable[[], object]]:
        """Return what makes embedders (docs/memory.md), by name: functions of a module. They are called in the engine."""
        raise NotImplementedError
