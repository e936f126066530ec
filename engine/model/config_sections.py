"""The sections of the configuration, frozen models each; engine.config puts them together.

Durations are seconds. The seeds' camelCase keys are accepted, theirs in milliseconds.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import (
    Field,
    field_validator,
    model_validator,
)

from engine.model.agents import Resources
from engine.model.budget_config import BudgetConfig
from engine.model.config_tree import ConfigTree, seconds_of
from engine.model.errors import UsageError
from engine.model.guardrails import RULES_MAX, GuardrailConfig, check_together
from engine.model.policy_text import policy_of
from engine.model.pools import (
    ANY,
    BOOSTER,
    HOSTS_JOINED,
    LOCAL,
    PROGRAMS,
    PoolSpec,
    labels_of,
)
from engine.model.quantities import megabytes
from engine.model.questions import parse_rule
from engine.model.resource_config import ResourcesConfig
from engine.model.scaling import Policy
from engine.model.secrets import ENGINE_SECRETS

_SEED_MILLISECONDS = {
    "heartbeatInterval": "heartbeat_interval_s",
    "healthCheckInterval": "health_check_interval_s",
}


def _is_no_secret_of_the_engine(name: str) -> str:
    if name in ENGINE_SECRETS or name.startswith("FLEET_"):
        raise ValueError(f"{name} is the engine's own; it goes to no provider")
    return name


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
    output: Literal["text", "claude", "codex"] = Field(
        "text", description="what it prints: text, or JSON in which it says how it went, as claude --output-format json or codex exec --json"
    )
    linger_s: float = Field(10.0, ge=0, description="end a program so many seconds after it said how it went; 0 = never")


class SessionConfig(ConfigTree):
    """A program that does one task after another and speaks the session protocol (docs/agents.md)."""

    argv: tuple[str, ...] = Field((), description="program and arguments; not needed where the protocol names a program")
    protocol: Literal["lines", "claude", "codex", "acp"] = Field(
        "lines", description="what it speaks: lines of JSON (docs/agents.md), what Claude Code or Codex does, or the Agent Client Protocol"
    )
    env: dict[str, str] = Field(default_factory=dict, description="variables added to its environment")
    start_timeout_s: float = Field(30.0, gt=0, le=3_600, description="longest wait for its hello")
    silence_timeout_s: float = Field(0.0, ge=0, description="stop it after so many seconds of work without a message; 0 = never")
    grace_s: float = Field(5.0, ge=0, description="seconds between asking it to end a task, TERM and KILL")
    keep_idle_s: float = Field(600.0, ge=0, description="how long it is kept without a task; 0 = it is ended after each")
    wait_max_s: float = Field(600.0, ge=0, description="end a task whose agent says for so long that its model does not answer; 0 = never")
    repeats_max: int = Field(
        30, ge=0, le=1_000, description="end a task in which so many of the last twice as many uses of tools were the same, with the same arguments; 0 = never"
    )

    @model_validator(mode="after")
    def _has_a_program(self) -> SessionConfig:
        if self.protocol in ("lines", "acp") and not self.argv:
            raise ValueError(f"a session that speaks {self.protocol!r} needs argv: the program and its arguments")
        return self


class WorktreeConfig(ConfigTree):
    """The git worktree in which a task works (docs/agents.md)."""

    repository: str = Field("", description="path of the repository; empty = the task's workspace, else the directory of the fleet")
    base: str = Field("HEAD", min_length=1, description="ref at which its branch begins")
    per: Literal["task", "agent"] = Field("task", description="a worktree for each attempt, or one for each agent that is brought to the base for each task")
    branch_prefix: str = Field(
        "fleet/",
        pattern=r"^(?:[A-Za-z0-9]|\{(?:pool|title)\})(?:[A-Za-z0-9._/-]|\{(?:pool|title)\}){0,60}$",
        description="before the task's id in the name of its branch; {pool} and {title} stand for its own, as small letters, digits and dashes",
    )
    setup: tuple[str, ...] = Field((), description="program and arguments, run in it before the task")
    teardown: tuple[str, ...] = Field((), description="the same before it is removed")
    check: tuple[str, ...] = Field((), description="the same on what a task that ended well saved; its review says how it ended")
    command_timeout_s: float = Field(600.0, gt=0, le=86_400, description="longest run of setup, check and teardown")
    keep_failed: int = Field(5, ge=0, le=1_000, description="worktrees of failed attempts that are kept; their branches stay in any case")
    max_mb: int = Field(0, ge=0, description="megabytes, or text such as '2GB', that the pool's worktrees may take before another is made, kept ones go first; 0 = no limit")

    @field_validator("max_mb", mode="before")
    @classmethod
    def _quantity(cls, value: object) -> int:
        return megabytes(value)


class ModelConfig(ConfigTree):
    """A model behind an HTTP interface like that of OpenAI's chat completions (docs/agents.md)."""

    base_url: str = Field(pattern=r"^https?://[^\s?#@]+$", description="where it answers, up to and without /chat/completions")
    model: str = Field(min_length=1, max_length=200, description="its name there")
    key_env: str = Field(
        "OPENAI_API_KEY", pattern=r"^([A-Za-z][A-Za-z0-9_]*)?$", description="variable that has the key, in the environment of the engine or of the host; empty = it needs none"
    )
    system: str = Field("", max_length=100_000, description="what goes before every prompt")
    extra: dict[str, Any] = Field(default_factory=dict, description="more of the request, such as { temperature = 0 }")
    parallel: int = Field(4, ge=1, le=1_000, description="most requests under way for its key at its address, from each machine")
    connect_timeout_s: float = Field(10.0, gt=0, le=3_600, description="longest wait for a connection")
    silence_timeout_s: float = Field(120.0, ge=0, description="longest wait for a piece of an answer; 0 = no limit")
    wait_max_s: float = Field(600.0, ge=0, description="longest that a task waits because the provider has too much")

    _own = field_validator("key_env")(_is_no_secret_of_the_engine)


class A2aConfig(ConfigTree):
    """Somebody else's agent behind the Agent2Agent protocol (docs/agents.md)."""

    url: str = Field(pattern=r"^https?://[^\s?#@]+$", description="of its card, or what /.well-known/agent-card.json is beneath")
    token_env: str = Field("", pattern=r"^([A-Za-z][A-Za-z0-9_]*)?$", description="variable that has its token, in the environment of the engine or of the host; empty = it needs none")
    poll_s: float = Field(1.0, ge=0.05, le=3_600, description="between two looks at a task that no stream tells of")
    connect_timeout_s: float = Field(10.0, gt=0, le=3_600, description="longest wait for a connection")
    wait_max_s: float = Field(600.0, ge=0, description="longest that it may not answer before the task is ended")

    _own = field_validator("token_env")(_is_no_secret_of_the_engine)


class StalledConfig(ConfigTree):
    """What comes of a program at work that prints nothing and uses no CPU, of kinds command and session."""

    after_s: float = Field(300.0, ge=0, description="seconds without a byte of output and without CPU, with all it started; 0 = it is not looked for")
    then: Literal["show", "ask", "stop"] = Field("show", description="show it, ask in the inbox whether to stop the attempt, or stop it")


class AnswersConfig(ConfigTree):
    """How what a pool's agents ask is answered when nobody does."""

    allow: tuple[str, ...] = Field((), max_length=500, description="uses of tools that need nobody: Tool or Tool(argument=pattern)")
    deny: tuple[str, ...] = Field((), max_length=500, description="uses of tools that are refused; goes before allow")
    timeout_s: float = Field(0.0, ge=0, description="how long a question waits; 0 = for ever")
    on_timeout: Literal["deny", "fail", "wait"] = Field("deny", description="what a question comes to that nobody answers: denied, its task fails, or it waits on")

    @field_validator("allow", "deny")
    @classmethod
    def _are_rules(cls, rules: tuple[str, ...]) -> tuple[str, ...]:
        for rule in rules:
            try:
                parse_rule(rule)
            except UsageError as error:
                raise ValueError(str(error)) from error
        return rules


def place_of(text: str) -> str:
    """Return where agents run, as it is given. Raises ValueError for what says no place."""
    if text not in (ANY, LOCAL, HOSTS_JOINED):
        labels_of(text)
    return text


class PoolConfig(ConfigTree):
    """A pool: one of the sixteen with other figures, or one of your own."""

    type: str = Field("", description="pool name when given in a list; otherwise an agent type")
    min: int = Field(1, ge=0, le=100_000, description="fewest agents; started at once")
    max: int = Field(10, ge=1, le=100_000, description="most agents")
    priority: int = Field(5, ge=1, le=10, description="1..10, higher first")
    kind: str = Field(
        "python", pattern=r"^[a-z][a-z0-9-]{0,39}(\.[a-z][a-z0-9_-]{0,39})?$", description="what its agents are: python, command, session, openai, a2a, or a kind of a plug-in (docs/plugins.md)"
    )
    capabilities: tuple[str, ...] = Field((), description="what its agents can do; empty = their type's")
    resources: ResourcesConfig = Field(default_factory=ResourcesConfig)
    cost: float = Field(0.0, ge=0, description="cost of a second of work; enters placement")
    memory_max: int = Field(
        0, ge=0, description="megabytes, or text such as '2GB', that an agent's program may have with all it started; more ends it; 0 = no limit"
    )
    drain_deadline_s: float = Field(0.0, ge=0, description="seconds a busy agent that leaves may take; then its task is handed back; 0 = as long as it takes")
    hosts: str = Field(ANY, description="where its agents run: local = here, joined = on hosts that joined, any = wherever they fit, or labels of hosts, as in gpu=a100,zone=b")
    handler: str = Field("", description="module:function for kind python; empty = the built-in operations")
    command: CommandConfig | None = Field(None, description="the program for kind command")
    session: SessionConfig | None = Field(None, description="the program for kind session")
    workspace: Literal["directory", "worktree"] = Field("directory", description="where its tasks work: where they say, or each in a git worktree of its own")
    worktree: WorktreeConfig = Field(default_factory=WorktreeConfig)
    openai: ModelConfig | None = Field(None, description="the model for kind openai")
    a2a: A2aConfig | None = Field(None, description="the agent for kind a2a")
    answers: AnswersConfig = Field(default_factory=AnswersConfig)
    stalled: StalledConfig = Field(default_factory=StalledConfig)
    budget: BudgetConfig = Field(default_factory=BudgetConfig, description="what its tasks may use (docs/budgets.md)")

    @field_validator("memory_max", mode="before")
    @classmethod
    def _quantity(cls, value: object) -> int:
        return megabytes(value)

    @model_validator(mode="after")
    def _consistent(self) -> PoolConfig:
        if self.min > self.max:
            raise ValueError(f"min {self.min} is above max {self.max}")
        place_of(self.hosts)
        if self.kind == "command" and self.command is None:
            raise ValueError("kind 'command' needs a [pools.NAME.command] table with argv")
        if self.kind == "session" and self.session is None:
            raise ValueError("kind 'session' needs a [pools.NAME.session] table with argv")
        if self.workspace == "worktree" and self.kind in ("python", "openai"):
            raise ValueError("workspace 'worktree' is for pools of kind command or session")
        if self.memory_max and self.kind not in PROGRAMS:
            raise ValueError("memory_max is for pools of kind command or session")
        if self.workspace == "worktree" and self.command is not None and self.command.on_engine_death == "adopt":
            raise ValueError("workspace 'worktree' does not go with on_engine_death = 'adopt'")
        if self.kind == "openai" and self.openai is None:
            raise ValueError("kind 'openai' needs a [pools.NAME.openai] table with base_url and model")
        if self.kind == "a2a" and self.a2a is None:
            raise ValueError("kind 'a2a' needs a [pools.NAME.a2a] table with url")
        return self


class FleetSection(ConfigTree):
    """The fleet as a whole."""

    max_agents: int = Field(2_000, ge=1, le=100_000, description="most agents in all pools")
    default_pools: bool | Literal["scale"] | dict[str, PoolConfig] = Field(
        default=True, description="true = the sixteen pools; scale = the same with twice the max, 1,230 agents; a table or list replaces them"
    )
    heartbeat_interval_s: float = Field(1.0, ge=0.05, le=60, description="between two beats of a host")
    health_check_interval_s: float = Field(1.0, ge=0.05, le=60, description="between two looks at the beats")
    start_deadline_s: float = Field(120.0, ge=1, le=86_400, description="an agent that is not ready in this time has failed and is replaced")
    session_starts_per_s: float = Field(
        5.0, ge=0, le=1_000, description="processes of sessions that start in a second, and at once; the others wait; 0 = as many as there are"
    )
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


class RoutingRule(ConfigTree):
    """Which agents a rule wants for some tasks; names are patterns with * and ?."""

    tasks: str = Field(description="types of tasks, such as code.*")
    agents: str = Field(description="names of agents, such as senior-*")
    pool: str = Field("*", description="pools in which it holds")
    confidence: float = Field(1.0, ge=0, le=1, description="how sure the rule is; above 0.8 it decides")


class RoutingSection(ConfigTree):
    """How an agent is chosen: weights of the five factors, normalised to a sum of 1; rules; learned routing (docs/routing.md)."""

    mode: Literal["off", "shadow", "on"] = Field("shadow", description="what learned routing may do where operators said nothing")
    explore: float = Field(0.06, ge=0.02, le=0.5, description="most of the looked-at decisions that go against what was learned, to learn")
    tolerance: float = Field(0.05, ge=0.01, le=0.5, description="share of the scores' reward by which learned routing may fall below them")
    looks_per_s: float = Field(25.0, gt=0, le=10_000, description="decisions a second that learned routing looks at; scores decide the rest")
    reward_success: float = Field(0.6, gt=0, description="what a success is worth, beside time and cost")
    reward_time: float = Field(0.3, ge=0, description="what being quick is worth")
    reward_cost: float = Field(0.1, ge=0, description="what being cheap is worth")
    rules: tuple[RoutingRule, ...] = Field((), description="[[routing.rules]]: agents that tasks go to when they are free; the first that fits counts")
    capability_match: float = Field(0.3, ge=0)
    availability: float = Field(0.2, ge=0)
    performance: float = Field(0.25, ge=0)
    cost: float = Field(0.15, ge=0)
    historical: float = Field(0.1, ge=0)

    @model_validator(mode="before")
    @classmethod
    def _seed_key(cls, data: Any) -> Any:  # noqa: ANN401  # raw input
        if not isinstance(data, dict) or not ({"learningEnabled", "learning_enabled"} & data.keys()):
            return data
        kept = {key: value for key, value in data.items() if key not in ("learningEnabled", "learning_enabled")}
        learns = data.get("learningEnabled", data.get("learning_enabled"))
        return kept if learns else {**kept, "mode": "off"}

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
    hosts: str = Field(LOCAL, description="where its instances run, as in a pool: local = here, joined = on hosts that joined, any = wherever they fit, or labels of hosts")

    @field_validator("hosts")
    @classmethod
    def _place(cls, value: str) -> str:
        return place_of(value)

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
            hosts=self.hosts,
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


SAMPLED_S = 1.0
KEPT_S = 30 * 86_400.0


class MonitoringSection(ConfigTree):
    """The measured history of the fleet."""

    enabled: bool = Field(default=True, description="sample every metric once a second and keep it: 24 h as it is, 30 days by minute and hour")
    metrics_interval_s: float = Field(SAMPLED_S, ge=0.1, le=3_600, description="how often figures go to the topic performance:metrics; they are sampled once a second, and rolled up by minute and hour")
    retention_s: float = Field(KEPT_S, ge=60, description="accepted as in the seeds; minutes and hours are kept for 30 days")

    @model_validator(mode="before")
    @classmethod
    def _seed_keys(cls, data: Any) -> Any:  # noqa: ANN401  # raw input
        seeds = {"metricsInterval": "metrics_interval_s", "retentionPeriod": "retention_s"}
        if not isinstance(data, dict):
            return data
        return {seeds.get(key, key): seconds_of(key, value) if key in seeds else value for key, value in data.items()}

    def notices(self) -> list[str]:
        """Return one sentence for everything that is accepted but has no effect."""
        notices = []
        if self.metrics_interval_s < SAMPLED_S:
            notices.append(f"monitoring.metrics_interval_s is {self.metrics_interval_s:g}: metrics are sampled once a second")
        if self.retention_s != KEPT_S:
            notices.append(f"monitoring.retention_s is {self.retention_s / 86_400:g} days: seconds are kept for a day, minutes and hours for 30")
        return notices


class OperatorConfig(ConfigTree):
    """Somebody who operates this fleet, known by name."""

    role: Literal["viewer", "operator", "admin"] = Field("operator", description="what they may do")
    user: str = Field("", description="their own Unix account, which the kernel vouches for; empty = `--as NAME` of the engine's account")


class AccessSection(ConfigTree):
    """Who may open the engine's socket."""

    group: str = Field("", description="Unix group whose members may open it, those named in operators; empty = the engine's user and root alone")
    port: int = Field(0, ge=0, le=65_535, description="port of this machine at which the API and /metrics are served to programs that show the token in the state directory's api.token; 0 = none")
