"""Loads one plug-in and checks what it adds: in a process of the plug-in's own.

Owner: nobody. Whatever is wrong is a `LoadError` with one sentence.
"""

from __future__ import annotations

import importlib
import inspect
import json
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import pluggy

from engine.plugins.api import API, Gauge, Hooks, Plugin, PluginContext
from engine.plugins.installed import GROUP, installed, package_of

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")
KINDS = ("python", "command", "session", "openai")
_SAID_MAX = 500


class LoadError(Exception):
    """A plug-in cannot be used; the message says why."""


@dataclass(frozen=True, slots=True)
class Start:
    """What a process of a plug-in is told, as a file of JSON."""

    name: str
    settings: dict[str, Any]
    directory: str
    state_dir: str
    path: list[str]
    """Where modules are looked for: as the engine does."""

    @classmethod
    def read(cls, path: Path) -> Start:
        """Read it, and look for modules as the engine does from here on."""
        start = cls(**json.loads(path.read_text("utf-8")))
        sys.path[:] = start.path
        return start

    def context(self) -> PluginContext:
        """Return what the plug-in is told."""
        return PluginContext(self.name, self.settings, Path(self.directory), Path(self.state_dir))


@dataclass(frozen=True, slots=True)
class Loaded:
    """A plug-in that was loaded and checked."""

    version: str
    distribution: str
    agent: Plugin | None
    kinds: dict[str, dict[str, Any]]
    operations: dict[str, str]
    channels: dict[str, str]
    metrics: dict[str, Gauge]
    embedders: dict[str, str]

    def description(self) -> dict[str, object]:
        """Return what the engine is told of it; all but the agent itself."""
        told = {name: getattr(self, name) for name in ("version", "distribution", "kinds", "operations", "channels", "embedders")}
        return {**told, "metrics": sorted(self.metrics), "is_agent": self.agent is not None}


def load(name: str) -> Loaded:
    """Load the plug-in of that name. Raises LoadError; whatever its code raises is one."""
    try:
        return _load(name)
    except LoadError:
        raise
    except BaseException as error:  # noqa: BLE001  # somebody else's code, and SystemExit of it, too
        raise LoadError(reason_of(error)) from error


def reason_of(error: BaseException) -> str:
    """Return what code of a plug-in raised, in one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:_SAID_MAX]


def _load(name: str) -> Loaded:
    found = {package_of(point): point for point in metadata.entry_points(group=GROUP, name=name)}
    if not found:
        raise LoadError(f"it is not installed: no package has an entry point {name!r} of the group {GROUP}; installed: {', '.join(sorted(installed())) or 'none'}")
    if len({point.value for point in found.values()}) > 1:
        raise LoadError(f"several packages have an entry point of that name: {', '.join(sorted(found))}; uninstall all but one")
    manager = pluggy.PluginManager(GROUP)
    manager.add_hookspecs(Hooks)
    manager.load_setuptools_entrypoints(GROUP, name=name)
    module = manager.get_plugin(name)
    wanted = getattr(module, "FLEET_API", API)
    if wanted != API:
        raise LoadError(f"it is made for version {wanted} of the interface, this fleet-tui has version {API}")
    manager.check_pending()
    return _checked(name, next(iter(found)), manager.hook)


def _checked(name: str, package: str, hook: Any) -> Loaded:  # noqa: ANN401  # pluggy's, which has each hook as an attribute
    agent = _agent(hook.fleet_agent())
    kinds = {full: _kind(full, table) for full, table in _named(name, "fleet_agent_kinds", hook.fleet_agent_kinds()).items()}
    metrics = _named(name, "fleet_metrics", hook.fleet_metrics())
    wrong = next((full for full, gauge in metrics.items() if not callable(gauge)), None)
    if wrong is not None:
        raise LoadError(f"the metric {wrong} is no function")
    paths = [{full: path_of(full, found) for full, found in _named(name, f"fleet_{what}", getattr(hook, f"fleet_{what}")()).items()} for what in ("operations", "channels", "embedders")]
    _try_embedders(paths[2])
    version = agent.version if agent is not None else package.rpartition(" ")[2]
    loaded = Loaded(version, package, agent, kinds, paths[0], paths[1], metrics, paths[2])
    if agent is None and not any((kinds, metrics, *paths)):
        raise LoadError("it adds nothing: none of its functions is marked with hookimpl, or all return nothing")
    return loaded


def _named(plugin: str, hook: str, found: object) -> dict[str, Any]:
    """Return what a hook gave by full name."""
    if found is None:
        return {}
    if not isinstance(found, Mapping):
        raise LoadError(f"{hook} returned {type(found).__name__}, not a table by name")
    wrong = next((short for short in found if not isinstance(short, str) or not _NAME.fullmatch(short)), None)
    if wrong is not None:
        raise LoadError(f"{hook}: {wrong!r} is no name: a small letter, then small letters, digits, - and _")
    return {f"{plugin}.{short}": value for short, value in found.items()}


def _agent(found: object) -> Plugin | None:
    if found is None:
        return None
    wrong = [name for name in ("initialize", "execute", "cleanup") if not inspect.iscoroutinefunction(getattr(found, name, None))]
    if wrong:
        raise LoadError(f"fleet_agent returned {type(found).__name__}, which has no `async def {wrong[0]}`")
    if not all(isinstance(getattr(found, name, None), str) for name in ("name", "version")):
        raise LoadError(f"fleet_agent returned {type(found).__name__}, which has no name and version")
    return found  # type: ignore[return-value]  # it was looked at


def _try_embedders(paths: Mapping[str, str]) -> None:
    """See that embedders can be made: the engine cannot leave out one that its memory needs."""
    for name, path in paths.items():
        made = function_at(path)()
        lacking = next((member for member in ("name", "dimensions", "embed") if not hasattr(made, member)), "")
        if lacking:
            raise LoadError(f"the embedder {name} has no {lacking!r}")


def _kind(name: str, table: object) -> dict[str, Any]:
    if not isinstance(table, Mapping) or table.get("kind") not in KINDS:
        raise LoadError(f"the kind {name} is no table whose `kind` is one of {', '.join(KINDS)}")
    try:
        plain: dict[str, Any] = json.loads(json.dumps(dict(table)))
    except (TypeError, ValueError) as error:
        raise LoadError(f"the kind {name} is no plain table: {error}") from error
    return plain


def path_of(name: str, function: object) -> str:
    """Return `module:function` of a function that other processes can import. Raises LoadError."""
    module, qualified = getattr(function, "__module__", ""), getattr(function, "__qualname__", "")
    found: object = None
    if callable(function) and module and qualified and "<" not in qualified:
        found = importlib.import_module(module)
        for part in qualified.split("."):
            found = getattr(found, part, None)
    if found is not function:
        raise LoadError(f"{name} is no function of a module: other processes cannot import it")
    return f"{module}:{qualified}"


def function_at(path: str) -> Callable[..., Any]:
    """Return what is at `module:function`. Raises what the import raises."""
    module, _, qualified = path.partition(":")
    found: Any = importlib.import_module(module)
    for part in qualified.split("."):
        found = getattr(found, part)
    return found  # type: ignore[no-any-return]  # path_of has seen that it can be called
