"""Configuration: one tree of frozen models, read from TOML and FLEET_… variables, checked once at start.

Durations are seconds. The seeds' camelCase keys are accepted, theirs in milliseconds. Unknown keys are refused
with the nearest known one.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    BaseModel,
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)

from engine.model.agents import Resources
from engine.model.config_tree import ConfigTree, seconds_of
from engine.model.errors import ConfigError, UsageError
from engine.model.guardrails import RULES_MAX, GuardrailConfig, check_together
from engine.model.memory_settings import MemorySection
from engine.model.policy_text import policy_of
from engine.model.pools import BOOSTER, DEFAULT_POOLS, CommandSpec, PoolSpec, seed_pool
from engine.model.quantities import megabytes
from engine.model.resource_config import MachineSection, ResourcesConfig
from engine.model.retention_config import RetentionSection
from engine.model.scaling import Policy
from engine.model.wire import nearest

ENVIRONMENT_PREFIX = "FLEET_"
ENVIRONMENT_OF_BUILDING = frozenset({"FLEET_BOOSTER", "FLEET_BOOSTER_SOURCES"})
"""Variables that the build hook reads (docs/booster.md)."""
ENVIRONMENT_OWN = ("FLEET_TASK_", "FLEET_ENGINE_", "FLEET_TUI_", "FLEET_ROW_", "FLEET_CONTEXT")
"""Variables that the engine itself sets for its children; they are no configuration."""

_SEED_MILLISECONDS = {
    "heartbeatInterval": "heartbeat_interval_s",
    "healthCheckInterval": "health_check_interval_s",
}


class CommandConfig(ConfigTree):
    """A program that does one task a run."""

    argv: tuple[str, ...] = Field(min_length=1, description="program and arguments; {prompt} stands for the prompt")
    prompt: Literal["stdin", "argument"] = Field("stdin", description="how the prompt reaches it")
    env: dict[str, str] = Field(default_factory=dict, description="variables added to its environment")
    idle_timeout_s: float = Field(0.0, ge=0, description="stop it after so many seconds without output; 0 = never")
    grace_s: float = Field(5.0, ge=0, description="seconds between TERM and KILL")
    on_engine_death: Literal["kill", "adopt"] = Field(
        "kill", description="what becomes of a program whose engine dies: killed with it, or adopted by the next engine"
    )
    adopt_within_s: float = Field(600.0, ge=1, description="stop an adoptable program when no engine comes back in time")


class PoolConfig(ConfigTree):
    """A pool: one of the sixteen with other figures, or one of your own."""

    type: str = Field("", description="pool name when given in a list; otherwise an agent type")
    min: int = Field(1, ge=0, le=100_000, description="fewest agents; started at once")
    max: int = Field(10, ge=1, le=100_000, description="most agents")
    priority: int = Field(5, ge=1, le=10, description="1..10, higher first")
    kind: Literal["python", "command"] = Field("python", description="what its agents are")
    capabilities: tuple[str, ...] = Field((), description="what its agents can do; empty = their type's")
    resources: ResourcesConfig = Field(default_factory=ResourcesConfig)
    cost: float = Field(0.0, ge=0, description="cost of a second of work; enters placement")
    drain_deadline_s: float = Field(0.0, ge=0, description="seconds a busy agent that leaves may take; then its task is handed back; 0 = as long as it takes")
    handler: str = Field("", description="module:function for kind python; empty = the built-in operations")
    command: CommandConfig | None = Field(None, description="the program for kind command")

    @model_validator(mode="after")
    def _consistent(self) -> PoolConfig:
        if self.min > self.max:
            raise ValueError(f"min {self.min} is above max {self.max}")
        if self.kind == "command" and self.command is None:
            raise ValueError("kind 'command' needs a [pools.NAME.command] table with argv")
        return self


class FleetSection(ConfigTree):
    """The fleet as a whole."""

    max_agents: int = Field(2_000, ge=1, le=100_000, description="most agents in all pools")
    default_pools: bool | dict[str, PoolConfig] = Field(
        default=True, description="true = the sixteen pools; a table or list replaces them"
    )
    heartbeat_interval_s: float = Field(1.0, ge=0.05, le=60, description="between two beats of a host")
    health_check_interval_s: float = Field(1.0, ge=0.05, le=60, description="between two looks at the beats")
    start_deadline_s: float = Field(120.0, ge=1, le=86_400, description="an agent that is not ready in this time has failed and is replaced")
    workers: int = Field(0, ge=0, le=64, description="worker processes for light agents; 0 = one a core")

    @model_validator(mode="before")
    @classmethod
    def _seed_keys(cls, data: Any) -> Any:  # noqa: ANN401  # raw input
        if not isinstance(data, dict):
            return data
        data = dict(data)
        for theirs, ours in _SEED_MILLISECONDS.items():
            if theirs in data:
                data[ours] = seconds_of(theirs, data.pop(theirs))
        for key in ("defaultPools", "default_pools"):
            if isinstance(data.get(key), list):
                if not all(isinstance(entry, dict) and entry.get("type") for entry in data[key]):
                    raise ValueError(f"each pool in the list {key} must be a table with its name as `type`")
                data[key] = {str(entry.get("type", "")): {k: v for k, v in entry.items() if k != "type"} for entry in data[key]}
        return data


class TasksSection(ConfigTree):
    """How tasks are kept and tried."""

    poison_deaths: int = Field(3, ge=1, description="agent deaths after which a task is a dead letter")
    backoff_max_s: float = Field(60.0, ge=0, description="longest wait between two attempts")
    backoff_jitter: float = Field(0.2, ge=0, le=1, description="share by which waits are spread")
    aging_s: float = Field(60.0, gt=0, description="a waiting task gains one step of priority in this time")
    timeout_s: float = Field(3_600.0, ge=0, description="longest run of one attempt unless the task says; 0 = none")
    finished_max: int = Field(20_000, ge=100, description="finished tasks kept in memory")
    pending_max: int = Field(200_000, ge=1, description="unfinished tasks accepted; more are refused")


class RoutingSection(ConfigTree):
    """Weights of the five factors by which an agent is chosen; they are normalised to a sum of 1."""

    capability_match: float = Field(0.3, ge=0)
    availability: float = Field(0.2, ge=0)
    performance: float = Field(0.25, ge=0)
    cost: float = Field(0.15, ge=0)
    historical: float = Field(0.1, ge=0)

    @model_validator(mode="after")
    def _some_weight(self) -> RoutingSection:
        if sum(self.weights()) <= 0:
            raise ValueError("at least one weight must be above 0")
        return self

    def weights(self) -> tuple[float, float, float, float, float]:
        """Return the weights in the order of `Placement.factors`, as configured."""
        return (self.capability_match, self.availability, self.performance, self.cost, self.historical)


class JournalSection(ConfigTree):
    """Durability."""

    synchronous: Literal["full", "normal"] = Field(
        "full", description="full survives power loss; normal survives a killed process only"
    )


class ScalingLimitsConfig(ConfigTree):
    """Bounds of the seeds that hold for every policy of the configuration that does not say otherwise."""

    min_agents: int = Field(0, ge=0, description="warned about when the pools' min add up to more")
    max_agents: int = Field(0, ge=0, description="most agents in all pools, as fleet.max_agents; 0 = that alone")
    max_scale_up_step: int = Field(0, ge=0, description="most agents in one decision; 0 = no limit")
    max_scale_down_step: int = Field(0, ge=0, description="most agents that leave in one decision; 0 = no limit")


class AutoScalingSection(ConfigTree):
    """The autoscaler. Policies named here are made when the fleet does not have them; operators change them later."""

    enabled: bool = Field(default=True, description="whether pools follow their policies")
    interval_s: float = Field(1.0, ge=0.05, le=60, description="between two looks at the load")
    policies: dict[str, dict[str, Any]] = Field(default_factory=dict, description="scaling policies by id (docs/scaling.md)")
    limits: ScalingLimitsConfig = Field(default_factory=ScalingLimitsConfig)
    prediction: dict[str, Any] | None = Field(None, description="for every policy that has none of its own")

    @field_validator("policies", mode="before")
    @classmethod
    def _list_of_the_seeds(cls, value: Any) -> Any:  # noqa: ANN401  # raw input
        if not isinstance(value, list):
            return value
        if not all(isinstance(entry, dict) and entry.get("id") for entry in value):
            raise ValueError("each policy in the list must be a table with an id")
        return {str(entry["id"]): entry for entry in value}

    @model_validator(mode="after")
    def _policies_make_sense(self) -> AutoScalingSection:
        try:
            self.made_policies()
        except UsageError as error:
            raise ValueError(str(error)) from error
        return self

    def made_policies(self) -> tuple[Policy, ...]:
        """Return the policies, with limits and prediction where they do not say otherwise. Raises UsageError."""
        shared: dict[str, Any] = {}
        if self.limits.max_scale_up_step:
            shared["maxScaleUpStep"] = self.limits.max_scale_up_step
        if self.limits.max_scale_down_step:
            shared["maxScaleDownStep"] = self.limits.max_scale_down_step
        given = dict(self.prediction or {})
        if given.pop("enabled", True) and given:
            shared["prediction"] = given
        return tuple(policy_of({**shared, **table, "id": policy_id}) for policy_id, table in self.policies.items())


class BoosterSection(ConfigTree):
    """The booster: code operations in WebAssembly sandboxes; what it does not know for certain regular agents do."""

    enabled: bool = Field(default=True, description="whether there is a pool `booster` beside the default pools")
    pool_size: int = Field(5, ge=1, le=20, description="most instances; the pool grows and shrinks with its queue")
    memory_limit: int = Field(512, ge=16, le=4095, description="megabytes that an instance may take, or text such as '512MB'; a cap, not a reservation")
    task_timeout_s: float = Field(30.0, ge=0.05, le=3_600, description="longest call of an instance; a task's own shorter limit counts")
    fallback_enabled: bool = Field(default=True, description="hand on to regular agents; false = such tasks fail")
    fallback_pool: str = Field("", description="pool of regular agents; empty = the first of kind python without a handler")
    performance_tracking: bool = Field(default=True, description="whether instances are measured")
    recovery_enabled: bool = Field(default=True, description="replace an instance that failed; false = its agent hands everything on until it starts anew")
    sample_share: float = Field(0.01, ge=0, le=1, description="share of its tasks that an idle regular agent does again, to compare answers and times; 0 = none")
    samples_per_minute: int = Field(3, ge=0, le=60, description="most of these in a minute")
    cache: int = Field(32, ge=0, le=4095, description="megabytes of answers kept by each worker process, or text such as '64MB'; 0 = none")

    @field_validator("memory_limit", "cache", mode="before")
    @classmethod
    def _quantity(cls, value: object) -> int:
        return megabytes(value)

    @model_validator(mode="before")
    @classmethod
    def _seed_keys(cls, data: Any) -> Any:  # noqa: ANN401  # raw input
        if isinstance(data, dict) and "taskTimeout" in data:
            data = {**data, "task_timeout_s": seconds_of("taskTimeout", data["taskTimeout"])}
            del data["taskTimeout"]
        return data

    def pool(self) -> PoolSpec:
        """Return the pool of the booster's instances."""
        return PoolSpec(
            BOOSTER,
            1,
            self.pool_size,
            priority=8,
            kind=BOOSTER,
            type=BOOSTER,
            capabilities=(BOOSTER, "code"),
            resources=Resources(self.memory_limit, 0.5, 0),
        )


class OperationsSection(ConfigTree):
    """Operators and their plans."""

    undo_window_s: float = Field(600.0, ge=0, description="how long a plan can be undone")
    plan_ttl_s: float = Field(600.0, ge=1, description="how long a plan waits to be executed")
    read_only: bool = Field(default=False, description="consoles and commands may only look unless they say --write")
    roles: dict[str, Literal["viewer", "operator", "admin"]] = Field(
        default_factory=dict, description="operators by name (* and ? allowed), and the highest role that they get"
    )
    guardrails: tuple[GuardrailConfig, ...] = Field((), max_length=RULES_MAX, description="rules about verbs; all that match count")

    @model_validator(mode="after")
    def _agree(self) -> OperationsSection:
        check_together(self.guardrails)
        return self


class MonitoringSection(ConfigTree):
    """The measured history of the fleet."""

    enabled: bool = Field(default=True, description="sample every metric once a second and keep it: 24 h as it is, 30 days by minute and hour")


class OperatorConfig(ConfigTree):
    """Somebody who operates this fleet, known by name."""

    role: Literal["viewer", "operator", "admin"] = Field("operator", description="what they may do")
    user: str = Field("", description="their own Unix account, which the kernel vouches for; empty = `--as NAME` of the engine's account")


class AccessSection(ConfigTree):
    """Who may open the engine's socket."""

    group: str = Field("", description="Unix group whose members may open it, those named in operators; empty = the engine's user and root alone")
    port: int = Field(0, ge=0, le=65_535, description="port of this machine at which the API and /metrics are served to programs that show the token in the state directory's api.token; 0 = none")


OperatorName = Annotated[str, StringConstraints(pattern=r"^[a-z_][a-z0-9._-]{0,31}$")]


class FleetManagerConfig(ConfigTree):
    """Everything that can be configured."""

    name: str = Field("fleet", min_length=1, max_length=40, description="what the header calls this fleet")
    fleet: FleetSection = Field(default_factory=FleetSection)
    pools: dict[str, PoolConfig] = Field(default_factory=dict, description="pools of your own, or changes to the sixteen")
    tasks: TasksSection = Field(default_factory=TasksSection)
    routing: RoutingSection = Field(default_factory=RoutingSection)
    journal: JournalSection = Field(default_factory=JournalSection)
    retention: RetentionSection = Field(default_factory=RetentionSection)
    operations: OperationsSection = Field(default_factory=OperationsSection)
    operators: dict[OperatorName, OperatorConfig] = Field(default_factory=dict, description="who operates it, by name")
    access: AccessSection = Field(default_factory=AccessSection)
    redis: dict[str, Any] | None = Field(None, description="accepted as in the seeds; this version runs embedded")
    auto_scaling: AutoScalingSection = Field(default_factory=AutoScalingSection)
    booster: BoosterSection = Field(default_factory=BoosterSection)
    monitoring: MonitoringSection = Field(default_factory=MonitoringSection)
    machine: MachineSection = Field(default_factory=MachineSection)
    memory: MemorySection = Field(default_factory=MemorySection)
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @model_validator(mode="before")
    @classmethod
    def _pools_build_on_the_seeds(cls, data: Any) -> Any:  # noqa: ANN401  # raw input
        if isinstance(data, dict) and isinstance(data.get("pools"), dict):
            data = {**data, "pools": {name: _over_seed(name, pool) for name, pool in data["pools"].items()}}
        return data

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
        return self

    def notices(self) -> list[str]:
        """Return one sentence for everything that is accepted but has no effect as it stands."""
        notices = ["redis: this version has no use for the section; it has no effect"] if self.redis else []
        notices += self.memory.notices()
        notices += self._fallback_notices()
        notices += self._unknown_resources()
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

    def pool_specs(self) -> tuple[PoolSpec, ...]:
        """Return every pool, the default ones first."""
        default = self.fleet.default_pools
        specs: dict[str, PoolSpec] = {}
        if default is True:
            specs = {spec.name: spec for spec in DEFAULT_POOLS}
        elif isinstance(default, dict):
            specs = {name: _spec(name, pool) for name, pool in default.items()}
        specs |= {name: _spec(name, pool) for name, pool in self.pools.items()}
        if self.has_booster:
            specs[BOOSTER] = self.booster.pool()
        return tuple(specs.values())

    @property
    def has_booster(self) -> bool:
        """Answer whether there is a pool of the booster: with the default pools, or when the section is written."""
        return self.booster.enabled and (self.fleet.default_pools is True or "booster" in self.model_fields_set)

    def without_booster(self) -> FleetManagerConfig:
        """Return this configuration for an installation that has no module."""
        return self.model_copy(update={"booster": self.booster.model_copy(update={"enabled": False})})

    def policies(self) -> tuple[Policy, ...]:
        """Return the scaling policies, with one for the booster unless there is one. Raises UsageError."""
        made = self.auto_scaling.made_policies()
        if not self.has_booster or any(policy.pool == BOOSTER or policy.id == BOOSTER for policy in made):
            return made
        # One more instance for every 20 tasks that wait.
        return (*made, policy_of({"id": BOOSTER, "pool": BOOSTER, "metric": "queue_length", "target": 20, "scale_down": {"stabilization_s": 60}}))


def _over_seed(name: str, pool: Any) -> Any:  # noqa: ANN401  # raw input
    """Fill what a change to one of the sixteen leaves out from the seed."""
    try:
        seed = seed_pool(name)
    except KeyError:
        return pool
    if not isinstance(pool, dict):
        return pool
    most = pool.get("max", seed.max)
    least = min(seed.min, most) if isinstance(most, int) else seed.min
    return {"min": least, "max": seed.max, "priority": seed.priority, **pool}


def _spec(name: str, pool: PoolConfig) -> PoolSpec:
    try:
        seed = seed_pool(name)
    except KeyError:
        seed = PoolSpec(name, pool.min, pool.max, capabilities=(name,))
    command = pool.command
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
        reliability=seed.reliability,
        drain_deadline_s=pool.drain_deadline_s,
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
    if entry["type"] != "extra_forbidden":
        return f"{place or 'the whole'}: {entry['msg'].removeprefix('Value error, ')}"
    return f"unknown key {place!r}{nearest(str(entry['loc'][-1]), _keys_beside(entry['loc']))}"


def _keys_beside(place: tuple[int | str, ...]) -> set[str]:
    model: type[BaseModel] = FleetManagerConfig
    for part in place[:-1]:
        field = model.model_fields.get(str(part))
        model = (field and _model_in(field.annotation)) or model
    return set(model.model_fields)


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
