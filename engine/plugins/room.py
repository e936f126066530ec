"""The plug-ins of an engine: loads those that the configuration names, says what they add, reads their metrics.

Owner: `PluginRoom`, of one process for each plug-in that has metrics, of their newest values, and of what is wrong with each.
A plug-in that does not work is left out and told of; one whose process dies later is started again, after growing waits.
Limits: a value counts for VALUES_STAND looks; VALUES_MAX values of one plug-in.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.clock import Clock
from engine.config import FleetManagerConfig
from engine.model.errors import FleetError
from engine.model.plugin_config import PluginConfig
from engine.model.plugin_rows import BROKEN, OFF, READY, PluginRow, Provided
from engine.model.pools import LOCAL
from engine.plugins.link import PluginFailed, PluginLink

logger = logging.getLogger(__name__)

FOLDER = "plugins"
RETRY_FIRST_S, RETRY_MAX_S = 5.0, 600.0
VALUES_STAND = 3
VALUES_MAX = 1_000

Figures = Mapping[str, Mapping[str, float | None]]
"""Pool -> what was measured of it, by name."""
Record = Callable[[str, float, str], object]
"""Takes the name of a metric, its value, and the pool."""


@dataclass(slots=True)
class _Member:
    """A plug-in that the configuration names."""

    section: PluginConfig
    start_file: Path
    link: PluginLink
    provided: Provided | None = None
    """None = it is broken."""
    error: str = ""
    failed_at: float = 0.0
    failures: int = 0
    values: dict[str, dict[str, float]] = field(default_factory=dict)
    looked_at: float = 0.0


class PluginRoom:
    """The plug-ins."""

    def __init__(self, root: Path, directory: Path, clock: Clock) -> None:
        """`root` is the state directory."""
        self._folder, self._directory, self._clock = root / FOLDER, directory, clock
        self._members: dict[str, _Member] = {}
        self._installed: dict[str, str] | None = None
        """By name, with their packages; None = nobody asked yet."""
        self._off: set[str] = set()
        self.changed: Callable[[list[str]], None] = lambda _names: None
        """Called with plug-ins that read differently."""

    async def open(self, config: FleetManagerConfig) -> FleetManagerConfig:
        """Load what the configuration names; return it with what they add to pools and memory. Costs nothing when it names none."""
        self._off = {name for name, section in config.plugins.items() if not section.enabled}
        wanted = {name: section for name, section in config.plugins.items() if section.enabled}
        if not wanted:
            return config
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._members = {name: self._member(name, section, config.secret_variables) for name, section in wanted.items()}
        async with asyncio.TaskGroup() as group:
            for name, member in self._members.items():
                group.create_task(self._load(name, member), name=f"plug-in {name}")
        for name, member in self._members.items():
            if member.provided is None or not member.provided.metrics:
                await member.link.close()  # nothing is asked of it any more
            logger.info("plug-in loaded" if member.provided else "plug-in left out", extra={"plugin": name})
        return self._resolved(config)

    def _member(self, name: str, section: PluginConfig, withheld: tuple[str, ...]) -> _Member:
        state_dir = self._folder / name
        state_dir.mkdir(mode=0o700, exist_ok=True)
        file = self._folder / f"{name}.json"
        start = {"name": name, "settings": section.settings, "directory": str(self._directory), "state_dir": str(state_dir), "path": sys.path}
        with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as stream:  # noqa: PTH123  # a descriptor
            json.dump(start, stream, default=str)
        return _Member(section, file, PluginLink(file, self._folder / f"{name}.log", section.timeout_s, withheld))

    async def _load(self, name: str, member: _Member) -> None:
        try:
            member.provided = self._provided(name, member, await member.link.open())
        except (PluginFailed, KeyError, TypeError) as error:  # the last two: something else than our own program answered
            self._fail(name, member, str(error) or type(error).__name__)
            return
        member.error = ""

    def _provided(self, name: str, member: _Member, told: Mapping[str, Any]) -> Provided:
        kinds = dict(told["kinds"])
        if told["is_agent"]:
            argv = [sys.executable, "-P", "-m", "engine.plugins.session", str(member.start_file)]
            kinds[name] = {"kind": "session", "hosts": LOCAL, "session": {"argv": argv, "start_timeout_s": 30 + member.section.timeout_s}}
        return Provided(told["version"], told["distribution"], kinds, told["operations"], told["channels"], tuple(told["metrics"]), told["embedders"])

    def _fail(self, name: str, member: _Member, why: str) -> None:
        logger.error("a plug-in is broken; the fleet runs without it", extra={"plugin": name, "reason": why})
        member.provided, member.error, member.failed_at, member.values = None, why, self._clock.now(), {}
        member.failures += 1
        self.changed([name])

    def _resolved(self, config: FleetManagerConfig) -> FleetManagerConfig:
        kinds = {kind: (name, table) for name, member in self._members.items() if member.provided for kind, table in member.provided.kinds.items()}
        config, problems = config.with_kinds({kind: table for kind, (_, table) in kinds.items()})
        for kind, problem in problems.items():
            name = kinds[kind][0]
            self._fail(name, self._members[name], problem)
        return config.with_embedder(self._all("embedders"))

    def _all(self, what: str) -> dict[str, str]:
        return {name: path for member in self._members.values() if member.provided for name, path in getattr(member.provided, what).items()}

    @property
    def operations(self) -> dict[str, str]:
        """Return what does tasks of a type, as `module:function`."""
        return self._all("operations")

    @property
    def channels(self) -> dict[str, str]:
        """Return what delivers through channels whose URL has a scheme, as `module:function`."""
        return self._all("channels")

    # ---- metrics

    async def run(self, figures: Callable[[], Figures], record: Record) -> None:
        """Read metrics until cancelled; `record` keeps each value."""
        async with asyncio.TaskGroup() as group:
            for name, member in self._members.items():
                if member.provided is not None and member.provided.metrics:
                    group.create_task(self._follow(name, member, figures, record), name=f"plug-in {name}")

    async def _follow(self, name: str, member: _Member, figures: Callable[[], Figures], record: Record) -> None:
        wait_s = RETRY_FIRST_S
        while True:
            await self._clock.sleep(member.section.interval_s if member.provided else wait_s)
            if member.provided is None:
                wait_s = min(RETRY_MAX_S, 2 * wait_s)
                await self._load(name, member)
            if member.provided is None:
                continue
            try:
                self._take(name, member, await member.link.ask(figures()), record)
            except (PluginFailed, KeyError, TypeError, AttributeError) as error:
                self._fail(name, member, str(error) or type(error).__name__)
                continue
            wait_s = RETRY_FIRST_S

    def _take(self, name: str, member: _Member, told: Mapping[str, Any], record: Record) -> None:
        member.looked_at = self._clock.now()
        errors = told["errors"]
        if errors and not member.error:
            logger.warning("a plug-in's metric fails", extra={"plugin": name, "metric": next(iter(errors))})
        member.error = "; ".join(f"{metric}: {why}" for metric, why in errors.items())
        if errors:
            member.failures, member.failed_at = member.failures + 1, member.looked_at
        member.values = told["values"]
        for metric, by_pool in list(member.values.items())[:VALUES_MAX]:
            for pool, value in by_pool.items():
                with contextlib.suppress(FleetError):  # no figures are kept, or too many are
                    record(metric, value, pool)
        self.changed([name])

    def values_of(self, pool: str) -> tuple[tuple[str, float], ...]:
        """Return the metrics of a pool that stand, by name."""
        if not self._members:
            return ()
        now = self._clock.now()
        standing = (member for member in self._members.values() if now - member.looked_at <= VALUES_STAND * member.section.interval_s + member.section.timeout_s)
        return tuple((metric, by_pool[pool]) for member in standing for metric, by_pool in member.values.items() if pool in by_pool)

    async def close(self) -> None:
        """End all processes."""
        for member in self._members.values():
            await member.link.close()

    # ---- what is known

    def names(self) -> list[str]:
        """Return all plug-ins: those that the configuration names, then those that are installed and off."""
        if self._installed is None:
            from engine.plugins.installed import installed

            self._installed = installed()
        return list(dict.fromkeys([*self._members, *sorted(self._off), *sorted(self._installed)]))

    def row(self, name: str) -> PluginRow | None:
        """Return how a plug-in is; None = there is none of that name."""
        if name not in self.names():
            return None
        assert self._installed is not None
        member = self._members.get(name)
        package = self._installed.get(name, "")
        if member is None:
            return PluginRow(name, OFF, package.rpartition(" ")[2], package, "", "", 0.0, 0, 0.0, "")
        provided = member.provided or Provided(package.rpartition(" ")[2], package)
        values = ", ".join(f"{metric} {pool} {value:.6g}" for metric, by_pool in sorted(member.values.items()) for pool, value in sorted(by_pool.items()))
        state = READY if member.provided else BROKEN
        return PluginRow(
            name, state, provided.version, provided.distribution, ", ".join(provided.names()), member.error, member.failed_at, member.failures, member.looked_at, values
        )

    def problems(self) -> dict[str, str]:
        """Return the plug-ins that are broken, and why."""
        return {name: member.error for name, member in self._members.items() if member.provided is None}
