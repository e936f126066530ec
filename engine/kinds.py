"""What runs agents, put together from the configuration: light agents, programs, and the booster's instances.

Owner: nobody; the kinds own what they run.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec
from pydantic import ValidationError

from engine.agents.a2a.kind import A2aAgents
from engine.agents.commands import CommandAgents, CommandPlaces, adoptable, attempt_of
from engine.agents.joined.boosting import HostedBooster
from engine.agents.light.host import LightAgents, LightSettings
from engine.agents.openai.kind import ModelAgents
from engine.agents.processes.child_process import ProcessHost
from engine.agents.runtime import AgentKind, Reporter
from engine.agents.sessions.kind import SessionAgents
from engine.agents.tokens import AgentTokens
from engine.agents.workspaces.reviewing import GitReviewer
from engine.agents.workspaces.worktrees import WorktreeAgents
from engine.booster.failures import ModuleMissing
from engine.booster.figures import Options
from engine.booster.finding import find_module
from engine.booster.module_folder import ModuleFolder
from engine.clock import Clock, IdFactory
from engine.config import FleetManagerConfig
from engine.model.config_sections import BoosterSection
from engine.model.errors import UsageError
from engine.model.ids import HostId, TaskId
from engine.model.pools import A2A, BOOSTER, OPENAI, SESSION
from engine.model.secrets import ENGINE_SECRETS
from engine.state import FleetState

MODULES_FOLDER = Path("booster", "modules")
SWITCHED_OFF = "the configuration has no booster"

Beat = Callable[[HostId, dict[str, object] | None], None]
"""Takes the figures of a worker."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What the kinds of agents are made from."""

    config: FleetManagerConfig
    clock: Clock
    ids: IdFactory
    root: Path
    """The state directory."""
    directory: Path
    """Where programs work."""
    socket: Path | None
    """Where the engine listens; None = programs cannot reach it."""
    tokens: AgentTokens | None
    module: Path | None
    """The booster's; None = there is no booster."""
    operations: Mapping[str, str] = field(default_factory=dict)
    """Of plug-ins: type of tasks -> `module:function`."""
    named: str = "the engine"
    """What people call this place."""


@dataclass(frozen=True, slots=True)
class Kinds:
    """What runs agents, by the name that pools call it."""

    by_name: dict[str, AgentKind]
    commands: CommandAgents
    sessions: SessionAgents
    models: ModelAgents
    others: A2aAgents
    reviewer: GitReviewer
    """Takes over what tasks did in worktrees."""

    def progress(self, task: TaskId) -> dict[str, object] | None:
        """Return what the agent of a task said last of how far it is; None = nothing, or it is not at work here."""
        return self.sessions.progress(task) or self.models.progress(task) or self.others.progress(task)


def find_booster(config: FleetManagerConfig, module: Path | None) -> tuple[Path | None, str]:
    """Return the booster's module, or None and why there is no booster."""
    if not config.has_booster:
        return None, SWITCHED_OFF
    try:
        return module or find_module(), ""
    except ModuleMissing as error:
        return None, str(error)


def workers_of(config: FleetManagerConfig) -> int:
    """Return how many processes run light agents."""
    return config.fleet.workers or os.cpu_count() or 1


def make_kinds(needs: Needs, host: ProcessHost, report: Reporter, beat: Beat) -> Kinds:
    """Return what runs agents; `beat` gets the figures of the booster's instances."""
    config, logs = needs.config, needs.root / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    settings = _light(needs)
    light = LightAgents(report, needs.ids, needs.clock, settings, state_marker=str(needs.root), log_dir=logs, directory=needs.directory)
    places = CommandPlaces(needs.directory, logs, needs.tokens, needs.socket, needs.named)
    trees = (needs.root / "worktrees", needs.directory, logs)
    commands = WorktreeAgents(lambda tell: CommandAgents(tell, host, needs.ids, needs.clock, places), report, host, (trees[0] / "command", *trees[1:]))
    starts_per_s = config.fleet.session_starts_per_s
    sessions = WorktreeAgents(lambda tell: SessionAgents(tell, host, needs.ids, needs.clock, places, starts_per_s), report, host, (trees[0] / SESSION, *trees[1:]))
    models = ModelAgents(report, host, needs.ids, needs.clock, places)
    others = A2aAgents(report, host, needs.ids, needs.clock, places)
    kinds: dict[str, AgentKind] = {"python": light, "command": commands, SESSION: sessions, OPENAI: models, A2A: others}
    if needs.module is not None:
        kinds[BOOSTER] = _booster(needs, needs.module, settings, report, beat)
    return Kinds(kinds, commands.inner, sessions.inner, models, others, GitReviewer(host))


async def adopt(commands: CommandAgents, host: ProcessHost, config: FleetManagerConfig, state: FleetState) -> tuple[tuple[TaskId, int], ...]:
    """Take over the programs that outlived a former engine, end those that nobody may take over, and return the leases of the others."""
    survivors = host.keepers.survivors()
    adopted = adoptable(state, {spec.name: spec for spec in config.pool_specs()}, survivors)
    commands.adopt(adopted.values())
    await host.keepers.settle(set(adopted))
    return tuple(attempt_of(name) for name in adopted)


def hosted_booster(needs: Needs, module: Path, report: Reporter) -> HostedBooster:
    """Return the booster of a host that joined, which goes by the limits that it is told."""

    def make(limits: Mapping[str, object], tell: Reporter, beat: Beat) -> LightAgents:
        try:
            section = BoosterSection.model_validate(limits)
        except ValidationError as error:
            raise UsageError(f"the engine's limits of the booster are unknown here: {'; '.join('.'.join(map(str, entry['loc'])) for entry in error.errors())}") from error
        here = replace(needs, config=needs.config.model_copy(update={"booster": section}))
        return _booster(here, module, _light(here), tell, beat)

    return HostedBooster(make, ModuleFolder(needs.root / MODULES_FOLDER), report, needs.clock)


def _light(needs: Needs) -> LightSettings:
    config = needs.config
    withheld = (*ENGINE_SECRETS, *config.secret_variables)
    return LightSettings(
        workers=workers_of(config), heartbeat_interval_s=config.fleet.heartbeat_interval_s, tokens=needs.tokens, socket=needs.socket, withheld=withheld, operations=needs.operations
    )


def _booster(needs: Needs, module: Path, light: LightSettings, report: Reporter, beat: Beat) -> LightAgents:
    """Return what runs the booster's instances: light agents of their own, whose workers do nothing else."""
    section = needs.config.booster
    options = Options(
        str(module),
        str(needs.root / "booster" / "failures"),
        memory_max_bytes=section.memory_limit << 20,
        timeout_s=section.task_timeout_s,
        cache_max_bytes=section.cache << 20,
        modules=str(needs.root / MODULES_FOLDER),
        tracks=section.performance_tracking,
        recovers=section.recovery_enabled,
    )
    settings = replace(
        light,
        workers=min(os.cpu_count() or 1, section.pool_size),
        kind=BOOSTER,
        resident="engine.booster.resident:settle",
        resident_options=msgspec.to_builtins(options),
    )
    return LightAgents(
        report, needs.ids, needs.clock, settings,
        state_marker=str(needs.root), log_dir=needs.root / "logs", directory=needs.directory, figures=beat,
    )  # fmt: skip
