"""Configuration: one tree of frozen models, read from TOML and FLEET_… variables, checked once at start.

Durations are seconds. The seeds' camelCase keys are accepted, theirs in milliseconds. Unknown keys are refused
with the nearest known one.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    BaseModel,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from engine.model.alerting_config import AlertingSection
from engine.model.budget_config import BudgetConfig
from engine.model.budget_words import FLEET, scope_of
from engine.model.config_sections import (
    AccessSection,
    AutoScalingSection,
    BoosterSection,
    FleetSection,
    JournalSection,
    MonitoringSection,
    OperationsSection,
    OperatorConfig,
    PoolConfig,
    RoutingSection,
    TasksSection,
)
from engine.model.config_tree import ConfigTree
from engine.model.errors import ConfigError
from engine.model.github_config import GitHubSection
from engine.model.memory_settings import MemorySection
from engine.model.plugin_config import PluginConfig, PluginName
from engine.model.policy_text import policy_of
from engine.model.pools import (
    BOOSTER,
    DEFAULT_POOLS,
    POOL_KINDS,
    A2aSpec,
    CommandSpec,
    ModelSpec,
    PoolSpec,
    SessionSpec,
    StallPolicy,
    WorktreeSpec,
    seed_pool,
)
from engine.model.prices import PriceSection
from engine.model.questions import AnswerPolicy
from engine.model.redis_config import RedisSection
from engine.model.region_config import (
    FederationSection,
    RegionName,
    RegionSection,
    check_regions,
)
from engine.model.resource_config import MachineSection
from engine.model.retention_config import RetentionSection
from engine.model.scaling import Policy
from engine.model.wire import nearest

ENVIRONMENT_PREFIX = "FLEET_"
SCALE = "scale"
"""The preset of fleet.default_pools for large fleets."""
ENVIRONMENT_OF_BUILDING = frozenset({"FLEET_BOOSTER", "FLEET_BOOSTER_SOURCES"})
"""Variables that the build hook reads (docs/booster.md)."""
ENVIRONMENT_OWN = ("FLEET_TASK_", "FLEET_AGENT_", "FLEET_ENGINE_", "FLEET_TUI_", "FLEET_ROW_", "FLEET_CONTEXT", "FLEET_SYNC_SECRET")
"""Variables that the engine itself sets for its children; they are no configuration."""


OperatorName = Annotated[str, StringConstraints(pattern=r"^[a-z_][a-z0-9._-]{0,31}$")]


class FleetManagerConfig(ConfigTree):
    """Everything that can be configured."""

    name: str = Field("fleet", min_length=1, max_length=40, description="what the header calls this fleet")
    fleet: FleetSection = Field(default_factory=FleetSection)
    pools: dict[str, PoolConfig] = Field(default_factory=dict, description="pools of your own, or changes to the sixteen")
    budget: BudgetConfig = Field(default_factory=BudgetConfig, description="what all work together may use (docs/budgets.md)")
    prices: tuple[PriceSection, ...] = Field((), max_length=200, description="[[prices]]: what tokens cost of agents that tell no cost; the first that fits counts (docs/budgets.md)")
    tasks: TasksSection = Field(default_factory=TasksSection)
    routing: RoutingSection = Field(default_factory=RoutingSection)
    journal: JournalSection = Field(default_factory=JournalSection)
    retention: RetentionSection = Field(default_factory=RetentionSection)
    operations: OperationsSection = Field(default_factory=OperationsSection)
    operators: dict[OperatorName, OperatorConfig] = Field(default_factory=dict, description="who operates it, by name")
    access: AccessSection = Field(default_factory=AccessSection)
    redis: RedisSection | None = Field(None, description="a server that engines share; none = this engine does without")
    regions: dict[RegionName, RegionSection] = Field(default_factory=dict, description="regions that know one another, by name; this engine's own is redis.region")
    federation: FederationSection = Field(default_factory=FederationSection)
    auto_scaling: AutoScalingSection = Field(default_factory=AutoScalingSection)
    booster: BoosterSection = Field(default_factory=BoosterSection)
    monitoring: MonitoringSection = Field(default_factory=MonitoringSection)
    alerting: AlertingSection = Field(default_factory=AlertingSection)
    machine: MachineSection = Field(default_factory=MachineSection)
    memory: MemorySection = Field(default_factory=MemorySection)
    github: GitHubSection | None = Field(None, description="issues that become tasks, and where results go (docs/github.md)")
    plugins: dict[PluginName, PluginConfig] = Field(default_factory=dict, description="plug-ins that run, by the names of their entry points (docs/plugins.md)")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @model_validator(mode="before")
    @classmethod
    def _pools_build_on_the_seeds(cls, data: Any) -> Any:  # noqa: ANN401  # raw input
        if isinstance(data, dict) and isinstance(data.get("pools"), dict):
            fleet = data.get("fleet")
            is_scale = isinstance(fleet, dict) and SCALE in (fleet.get("default_pools"), fleet.get("defaultPools"))
            data = {**data, "pools": {name: _over_seed(name, pool, times=1 + is_scale) for name, pool in data["pools"].items()}}
        return data

    @model_validator(mode="before")
    @classmethod
    def _alerting_has_its_section(cls, data: Any) -> Any:  # noqa: ANN401  # raw input
        """Take the seeds' `monitoring.alerting` for the section `alerting`."""
        monitoring = data.get("monitoring") if isinstance(data, dict) else None
        if not isinstance(monitoring, dict) or "alerting" not in monitoring:
            return data
        if "alerting" in data:
            raise ValueError("monitoring.alerting: there is a section [alerting] too; write it once")
        rest = {key: value for key, value in monitoring.items() if key != "alerting"}
        return {**data, "monitoring": rest, "alerting": monitoring["alerting"]}

    @model_validator(mode="after")
    def _booster_has_its_section(self) -> FleetManagerConfig:
        default = self.fleet.default_pools
        if self.has_booster and (BOOSTER in self.pools or (isinstance(default, dict) and BOOSTER in default)):
            raise ValueError("pools.booster: the booster's pool is set in [booster]; set it there, or booster.enabled = false for a pool of your own")
        return self

    @model_validator(mode="after")
    def _fits(self) -> FleetManagerConfig:
        least = sum(spec.min for spec in self.pool_specs())
        if least > self.fleet.max_agents:
            raise ValueError(f"the pools' min add up to {least}, above fleet.max_agents {self.fleet.max_agents}")
        if self.redis and self.redis.listen and self.redis.operator not in self.operators:
            raise ValueError(f"redis.operator: there is no operator {self.redis.operator!r}; add the table [operators.{self.redis.operator}] with a role")
        check_regions(self.regions, self.redis)
        self._check_kinds()
        return self

    def _check_kinds(self) -> None:
        known = {*POOL_KINDS, *self.plugins}
        for name, pool in self._pool_tables().items():
            if pool.kind not in POOL_KINDS and pool.kind.partition(".")[0] not in self.plugins:
                raise ValueError(f"pools.{name}.kind: there is no kind {pool.kind!r}{nearest(pool.kind, known)}: {', '.join(POOL_KINDS)}, or one of a plug-in that has a table in [plugins]")

    def _pool_tables(self) -> dict[str, PoolConfig]:
        default = self.fleet.default_pools
        return {**(default if isinstance(default, dict) else {}), **self.pools}

    def notices(self) -> list[str]:
        """Return one sentence for everything that is accepted but has no effect as it stands."""
        notices = self.redis.notices() if self.redis else []
        notices += self.memory.notices(has_redis=self.redis is not None)
        notices += self.monitoring.notices()
        notices += self.alerting.notices()
        notices += self._fallback_notices()
        notices += self._unknown_resources()
        notices += self._unknown_metrics()
        notices += self.github.notices(frozenset(spec.name for spec in self.pool_specs()), self.access.port) if self.github else []
        least, most = (sum(getattr(spec, word) for spec in self.pool_specs()) for word in ("min", "max"))
        limits = self.auto_scaling.limits
        if limits.min_agents and least > limits.min_agents:
            notices.append(f"auto_scaling.limits.min_agents is {limits.min_agents}, but the pools' min add up to {least}")
        if limits.max_agents > most:
            notices.append(f"auto_scaling.limits.max_agents is {limits.max_agents}, but the pools' max add up to {most}")
        return notices

    def _fallback_notices(self) -> list[str]:
        name = self.booster.fallback_pool
        regular = {"", *(spec.name for spec in self.pool_specs() if spec.kind == "python" and not spec.handler)}
        return [] if name in regular or not self.has_booster else [f"booster.fallback_pool: there is no pool {name!r} of kind python without a handler; what the booster hands on fails"]

    def _unknown_resources(self) -> list[str]:
        named = [(spec.name, name) for spec in self.pool_specs() for name in spec.resources.named if name not in self.machine.named]
        return [f"pools.{pool}.resources.named: the machine has no {name!r}, so its agents wait; say how much in [machine] named" for pool, name in named]

    def _unknown_metrics(self) -> list[str]:
        named = {part.metric: policy.id for policy in self.auto_scaling.made_policies() for part in (policy, policy.up, policy.down) if part is not None and "." in part.metric}
        return [f"auto_scaling: policy {policy} looks at {metric}, and no plug-in {metric.partition('.')[0]!r} has a table in [plugins]" for metric, policy in named.items() if metric.partition(".")[0] not in self.plugins]

    def pool_specs(self) -> tuple[PoolSpec, ...]:
        """Return every pool, the default ones first."""
        default = self.fleet.default_pools
        specs: dict[str, PoolSpec] = {}
        if default is True or default == SCALE:
            specs = {spec.name: replace(spec, max=spec.max * (1 + (default == SCALE))) for spec in DEFAULT_POOLS}
        elif isinstance(default, dict):
            specs = {name: _spec(name, pool) for name, pool in default.items()}
        specs |= {name: _spec(name, pool) for name, pool in self.pools.items()}
        if self.has_booster:
            specs[BOOSTER] = self.booster.pool()
        return tuple(specs.values())

    def budgets(self) -> dict[str, dict[str, float]]:
        """Return the limits of the fleet and of each pool that has some, by scope and limit."""
        found = {FLEET: self.budget.made(), **{scope_of("pools", name): pool.budget.made() for name, pool in self._pool_tables().items()}}
        return {scope: limits for scope, limits in found.items() if limits}

    @property
    def has_booster(self) -> bool:
        """Answer whether there is a pool of the booster: with the default pools, or when the section is written."""
        return self.booster.enabled and (self.fleet.default_pools in (True, SCALE) or "booster" in self.model_fields_set)

    @property
    def secret_variables(self) -> tuple[str, ...]:
        """Return the environment variables that are for the engine alone, beside those that always are."""
        return (self.memory.encryption.hsm_pin_variable, *(self.github.variables if self.github else ()))

    def without_booster(self) -> FleetManagerConfig:
        """Return this configuration for an installation that has no module."""
        return self.model_copy(update={"booster": self.booster.model_copy(update={"enabled": False})})

    def with_kinds(self, kinds: Mapping[str, Mapping[str, Any]]) -> tuple[FleetManagerConfig, dict[str, str]]:
        """Return this configuration with the pools of plug-ins' kinds as these make them, and what is wrong, by kind.

        A pool of a kind that is not there, or makes no sense, stays as it is: its agents fail and say so.
        """
        problems: dict[str, str] = {}

        def made(name: str, pool: PoolConfig) -> PoolConfig:
            if pool.kind not in kinds:
                return pool
            try:
                found = PoolConfig.model_validate({**pool.model_dump(exclude_unset=True), **kinds[pool.kind]})
            except ValidationError as error:
                problems[pool.kind] = f"its kind {pool.kind!r} makes no pool {name!r}: {_explain(error.errors()[0])}"
                return pool
            return found

        default = self.fleet.default_pools
        if isinstance(default, dict):
            default = {name: made(name, pool) for name, pool in default.items()}
        pools = {name: made(name, pool) for name, pool in self.pools.items()}
        return self.model_copy(update={"pools": pools, "fleet": self.fleet.model_copy(update={"default_pools": default})}), problems

    def with_embedder(self, embedders: Mapping[str, str]) -> FleetManagerConfig:
        """Return this configuration with the embedder of a plug-in as `module:factory`; the built-in one in place of one that is not there."""
        name = self.memory.embedder
        if ":" in name or name.partition(".")[0] not in self.plugins:
            return self
        return self.model_copy(update={"memory": self.memory.model_copy(update={"embedder": embedders.get(name, "")})})

    def for_guest(self, region: str) -> FleetManagerConfig:
        """Return the configuration of an engine for another region, beside this one and at the same server."""
        redis = self.redis and self.redis.model_copy(update={"region": region, "mirror": False, "listen": False})
        memory = self.memory.model_copy(update={"sqlite_path": None, "peers": ()})
        access = self.access.model_copy(update={"port": 0})
        return self.model_copy(update={"name": f"{self.name}@{region}"[:40], "github": None, "redis": redis, "memory": memory, "access": access})

    def policies(self) -> tuple[Policy, ...]:
        """Return the scaling policies, with one for the booster unless there is one. Raises UsageError."""
        made = self.auto_scaling.made_policies()
        if not self.has_booster or any(policy.pool == BOOSTER or policy.id == BOOSTER for policy in made):
            return made
        # One more instance for every 20 tasks that wait.
        return (*made, policy_of({"id": BOOSTER, "pool": BOOSTER, "metric": "queue_length", "target": 20, "scale_down": {"stabilization_s": 60}}))


def _over_seed(name: str, pool: Any, *, times: int) -> Any:  # noqa: ANN401  # raw input
    """Fill what a change to one of the sixteen leaves out from the seed, whose max counts so many times."""
    try:
        seed = seed_pool(name)
    except KeyError:
        return pool
    if not isinstance(pool, dict):
        return pool
    most = pool.get("max", seed.max * times)
    least = min(seed.min, most) if isinstance(most, int) else seed.min
    return {"min": least, "max": seed.max * times, "priority": seed.priority, **pool}


def _spec(name: str, pool: PoolConfig) -> PoolSpec:
    try:
        seed = seed_pool(name)
    except KeyError:
        seed = PoolSpec(name, pool.min, pool.max, capabilities=(name,))
    command, session, model = pool.command, pool.session, pool.openai
    return PoolSpec(
        name,
        pool.min,
        pool.max,
        pool.priority,
        kind=pool.kind,
        type=pool.type or seed.type,
        capabilities=pool.capabilities or seed.capabilities,
        resources=pool.resources.made(),
        cost=pool.cost,
        handler=pool.handler,
        command=CommandSpec(**command.model_dump()) if command else None,
        answers=AnswerPolicy(**pool.answers.model_dump()),
        session=SessionSpec(**session.model_dump()) if session else None,
        worktree=WorktreeSpec(**pool.worktree.model_dump()) if pool.workspace == "worktree" else None,
        openai=ModelSpec(**model.model_dump()) if model else None,
        a2a=A2aSpec(**pool.a2a.model_dump()) if pool.a2a else None,
        reliability=seed.reliability,
        drain_deadline_s=pool.drain_deadline_s,
        stalled=StallPolicy(**pool.stalled.model_dump()),
        memory_max=pool.memory_max,
        hosts=pool.hosts,
    )


def load_config(path: Path | None, environment: Mapping[str, str] | None = None) -> FleetManagerConfig:
    """Return the configuration of a file (None = defaults) and the environment. Raises ConfigError."""
    data: dict[str, Any] = {}
    if path is not None:
        try:
            data = tomllib.loads(path.read_text("utf-8"))
        except OSError as error:
            raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path}: not valid TOML: {error}") from error
    overrides = _from_environment(os.environ if environment is None else environment)
    return parse_config(_merge(data, overrides), str(path or "configuration"))


def parse_config(data: Mapping[str, Any], source: str) -> FleetManagerConfig:
    """Return the configuration that plain data describes. Raises ConfigError that names every wrong key."""
    try:
        return FleetManagerConfig.model_validate(data)
    except ValidationError as error:
        raise ConfigError("\n".join(f"{source}: {_explain(entry)}" for entry in error.errors())) from error


def _explain(entry: Any) -> str:  # noqa: ANN401  # pydantic's own dictionary
    place = ".".join(str(part) for part in entry["loc"] if part not in ("bool", "dict[str,PoolConfig]"))
    if entry["type"] == "extra_forbidden":
        return f"unknown key {place!r}{nearest(str(entry['loc'][-1]), _keys_at(entry['loc'][:-1]))}"
    if entry["type"] == "model_type" and place:
        return f"{place} is a table; write [{place}] and its keys below: {', '.join(_keys_at(entry['loc']))}"
    return f"{place or 'the whole'}: {entry['msg'].removeprefix('Value error, ')}"


def _keys_at(place: tuple[int | str, ...]) -> dict[str, object]:
    model: type[BaseModel] = FleetManagerConfig
    for part in place:
        field = model.model_fields.get(str(part))
        model = (field and _model_in(field.annotation)) or model
    return dict(model.model_fields)


def _model_in(annotation: Any) -> type[BaseModel] | None:  # noqa: ANN401  # any type
    """Return the first model that an annotation names, however deep: in a table, a list or an alternative."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for inner in get_args(annotation) if (found := _model_in(inner))), None)


def _from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    """Return `FLEET_TASKS__AGING_S=30` as {"tasks": {"aging_s": 30}}."""
    found: dict[str, Any] = {}
    for name, text in environment.items():
        if not name.startswith(ENVIRONMENT_PREFIX) or name.startswith(ENVIRONMENT_OWN) or name in ENVIRONMENT_OF_BUILDING:
            continue
        *parents, leaf = name.removeprefix(ENVIRONMENT_PREFIX).lower().split("__")
        place = found
        for part in parents:
            place = place.setdefault(part, {})
            if not isinstance(place, dict):
                raise ConfigError(f"{name}: {part!r} is set as a whole by another variable; unset one of them")
        place[leaf] = _literal(text)
    return found


def _literal(text: str) -> object:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _merge(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        merged[key] = _merge(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged
