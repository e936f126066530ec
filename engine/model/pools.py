"""Pools: the sixteen of the seeds, what a pool's agents run, and the record the fleet keeps of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from engine.model.agents import AGENT_TYPES, TYPE_OF_POOL, Resources
from engine.model.errors import UsageError
from engine.model.machines import Waits
from engine.model.questions import AnswerPolicy, AnswerRule
from engine.model.scaling import Hold

BOOSTER = "booster"
"""Kind of a pool whose agents are sandboxes with the booster's module; also the name of the engine's own one."""

LOCAL, HOSTS_JOINED, ANY = "local", "joined", "any"
"""Where the agents of a pool run: in the engine's own processes, on hosts that joined, or wherever they fit."""

SESSION = "session"
"""Kind of a pool whose agents keep a process over tasks."""


COMMAND = "command"
"""Kind of a pool whose agents run a program for each task."""

PROGRAMS = frozenset({COMMAND, SESSION})
"""Kinds whose agents have programs of their own, which are measured."""

OPENAI = "openai"
"""Kind of a pool whose agents are a model behind an HTTP interface like OpenAI's."""

A2A = "a2a"
"""Kind of a pool whose agents are somebody else's agent, behind the Agent2Agent protocol."""


@dataclass(frozen=True, slots=True)
class CommandSpec:
    """How a `command` agent runs a program for one task."""

    argv: tuple[str, ...]
    """Program and arguments; `{prompt}` and `{payload}` as whole arguments are replaced by the task's."""
    prompt: str = "stdin"
    """`stdin` writes the prompt to standard input, `argument` replaces `{prompt}` or appends it."""
    env: dict[str, str] = field(default_factory=dict)
    idle_timeout_s: float = 0.0
    """Seconds without output before the program is stopped; 0 = no limit."""
    grace_s: float = 5.0
    """Seconds between TERM and KILL."""
    on_engine_death: str = "kill"
    """`kill`: the program dies with the engine. `adopt`: it goes on, and the next engine follows it."""
    adopt_within_s: float = 600.0
    """Seconds that a program may go on without an engine before it is stopped."""
    output: str = "text"
    """What it prints: `text`, or the JSON of `claude` or `codex`, in which it says how it went."""
    linger_s: float = 10.0
    """Seconds without another word that a program may live after it has said how it went; 0 = as long as it likes."""


@dataclass(frozen=True, slots=True)
class SessionSpec:
    """How a `session` agent runs a program that does one task after another. Durations are seconds."""

    argv: tuple[str, ...] = ()
    """Program and arguments; a protocol with a program of its own adds what it needs, and knows the program."""
    protocol: str = "lines"
    """What it speaks: `lines`, our own, those of `claude` and `codex`, or `acp`, the Agent Client Protocol."""
    env: dict[str, str] = field(default_factory=dict)
    start_timeout_s: float = 30.0
    """Longest wait for its first message."""
    silence_timeout_s: float = 0.0
    """Longest time without a message while it works, before it is stopped; 0 = no limit."""
    grace_s: float = 5.0
    """Between asking it to end a task, TERM and KILL."""
    keep_idle_s: float = 600.0
    """How long it is kept without a task; 0 = it is ended after each."""
    wait_max_s: float = 600.0
    """Longest that its model may not answer before the task is ended; 0 = no limit."""
    repeats_max: int = 30
    """So many of twice as many uses of tools may be the same one before the task is ended; 0 = no limit."""


@dataclass(frozen=True, slots=True)
class StallPolicy:
    """What comes of a program at work that says nothing and uses no CPU."""

    after_s: float = 300.0
    """0 = it is not looked for."""
    then: str = "show"
    """`show` it, `ask` whether to stop the attempt, or `stop` it."""


@dataclass(frozen=True, slots=True)
class WorktreeSpec:
    """The git worktree in which a task works. Durations are seconds."""

    repository: str = ""
    """Path; empty = the task's workspace, or where programs work."""
    base: str = "HEAD"
    """Where its branch begins."""
    per: str = "task"
    """`task`: each attempt has a worktree of its own; `agent`: one is kept for each agent, and brought to the base for each task."""
    branch_prefix: str = "fleet/"
    """Before the task's id in the name of the branch; `{pool}` and `{title}` stand for the task's own."""
    setup: tuple[str, ...] = ()
    """Program and arguments, run in it before the task."""
    teardown: tuple[str, ...] = ()
    """The same before it is removed."""
    check: tuple[str, ...] = ()
    """Program and arguments, run in it on what a task that ended well saved; the review says how it ended."""
    command_timeout_s: float = 600.0
    """Longest run of setup, check and teardown."""
    keep_failed: int = 5
    """Worktrees of failed attempts that are kept to be looked at; the oldest go first. Their branches stay."""
    max_mb: int = 0
    """Megabytes that all worktrees of the pool may take before another is made, kept ones go first; 0 = no limit."""


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """The model that an `openai` agent asks. Durations are seconds."""

    base_url: str
    """Up to and without `/chat/completions`."""
    model: str
    key_env: str = "OPENAI_API_KEY"
    """Variable that has the key, in the environment of the engine or of the host; empty = it needs none."""
    system: str = ""
    """What goes before every prompt."""
    extra: dict[str, object] = field(default_factory=dict)
    """More of the request, such as temperature."""
    parallel: int = 4
    """Most requests under way for its key at its address, from each machine."""
    connect_timeout_s: float = 10.0
    silence_timeout_s: float = 120.0
    """Longest wait for a piece of an answer; 0 = no limit."""
    wait_max_s: float = 600.0
    """Longest that a task waits because the provider has too much."""


@dataclass(frozen=True, slots=True)
class A2aSpec:
    """The agent that an `a2a` agent hands its tasks to. Durations are seconds."""

    url: str
    """Of its card, or what the card is beneath."""
    token_env: str = ""
    """Variable that has its token, in the environment of the engine or of the host; empty = it needs none."""
    poll_s: float = 1.0
    """Between two looks at a task that no stream tells of."""
    connect_timeout_s: float = 10.0
    wait_max_s: float = 600.0
    """Longest that it may not answer before the task is ended."""


@dataclass(frozen=True, slots=True)
class PoolSpec:
    """A pool as configured. `kind` is `python` (light agents), `command` (a process per task), `session` (a process kept over
    tasks), `openai` (a model over HTTP) or `booster` (sandboxes)."""

    name: str
    min: int
    max: int
    priority: int = 5
    kind: str = "python"
    type: str = ""
    capabilities: tuple[str, ...] = ()
    resources: Resources = field(default_factory=Resources)
    cost: float = 0.0
    handler: str = ""
    """For `python`: `module:function` called with (type, payload); empty = the built-in operations."""
    command: CommandSpec | None = None
    session: SessionSpec | None = None
    worktree: WorktreeSpec | None = None
    """None = its tasks work where they say, or where programs work."""
    openai: ModelSpec | None = None
    a2a: A2aSpec | None = None
    answers: AnswerPolicy = AnswerPolicy()
    """How what its agents ask is answered when nobody does."""
    reliability: float = 0.9
    drain_deadline_s: float = 0.0
    """Seconds that a busy agent which leaves may take to finish; then its task is handed back. 0 = as long as it takes."""
    stalled: StallPolicy = StallPolicy()
    memory_max: int = 0
    """Megabytes that an agent's program may have with all its descendants, before it is ended; 0 = no limit."""
    hosts: str = ANY
    """Where its agents run: LOCAL, HOSTS_JOINED, ANY, or labels (`k=v,k=v`) of hosts that joined."""


@dataclass(slots=True)
class Pool:
    """The fleet's record of one pool. Owner: FleetState.apply; the counters follow its agents and tasks."""

    spec: PoolSpec
    size: int = 0
    """Agents it should have."""
    sized_at: float = 0.0
    """When its size was last changed; 0 = it never was, or before that was kept."""
    sized_why: str = ""
    """Why the autoscaler changed it; empty when an operator or the configuration did."""
    configured: PoolSpec | None = None
    """As the configuration has it, while overrides hold."""
    overrides: dict[str, float] = field(default_factory=dict)
    """What operators changed beside the configuration, by key of EDITABLE."""
    paused: bool = False
    hold: Hold | None = None
    """An operator keeps its size; the autoscaler leaves it alone."""
    waits: Waits | None = None
    """Agents that it should have and that do not start for want of room."""
    tasks_wait: str = ""
    """Why its tasks wait although agents are free, as it was when that began; empty = they do not."""
    created: int = 0
    """Agents ever registered; numbers the names."""
    agents: int = 0
    by_status: dict[str, int] = field(default_factory=dict)
    by_state: dict[str, int] = field(default_factory=dict)
    """Task state -> tasks that are in it now; finished ones count while they are kept in memory."""
    blocked: int = 0
    """Of the pending tasks those that wait for other tasks."""
    succeeded: int = 0
    failed: int = 0
    dead: int = 0
    cancelled: int = 0
    retried: int = 0
    busy_s: float = 0.0
    deaths: int = 0
    answer_rules: list[AnswerRule] = field(default_factory=list)
    """Those that operators set beside the configuration's."""
    launch_misses: int = 0
    """Times in a row that agents of it did not start in time; each doubles the wait before they are replaced."""


POOL_KINDS = ("python", "command", "session", "openai", "a2a")
"""What a pool's agents can be by the configuration; plug-ins add kinds that come to one of these."""

EDITABLE = {
    "min": (0, 100_000),
    "max": (1, 100_000),
    "priority": (1, 10),
    "cost": (0, 1e12),
    "memory": (0, 1e9),
    "cpu": (0, 1e6),
    "storage": (0, 1e12),
    "drain_deadline_s": (0, 1e9),
}
"""Keys of a pool that operators may change while it runs, with their bounds. memory and storage in MB, cpu in cores."""
_WHOLE = frozenset({"min", "max", "priority", "memory", "storage"})


def labels_of(text: str) -> dict[str, str]:
    """Return the labels that a text asks for or gives, `k=v,k=v`. Raises ValueError."""
    found = {}
    for part in text.split(","):
        name, sign, value = part.strip().partition("=")
        if not sign or not name or not value:
            raise ValueError(f"{part.strip()!r} is no label: write k=v, as in gpu=a100")
        found[name] = value
    return found


def figure(spec: PoolSpec, key: str) -> float:
    """Return a key of EDITABLE."""
    return float(getattr(spec.resources if key in ("memory", "cpu", "storage") else spec, key))


def overridden(spec: PoolSpec, overrides: Mapping[str, object]) -> PoolSpec:
    """Return a pool's specification with changes laid over it. Raises UsageError that names the key."""
    values: dict[str, Any] = {}
    resources: dict[str, Any] = {}
    for key, value in overrides.items():
        if key not in EDITABLE:
            raise UsageError(f"{key!r} of a pool cannot be changed while it runs; there are {', '.join(EDITABLE)}")
        low, high = EDITABLE[key]
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise UsageError(f"{key} is {value!r}; it must be a number {low:g}..{high:g}")
        if key in _WHOLE and value != int(value):
            raise UsageError(f"{key} is {value!r}; it must be a whole number")
        (resources if key in ("memory", "cpu", "storage") else values)[key] = int(value) if key in _WHOLE else float(value)
    new = replace(spec, **values, resources=replace(spec.resources, **resources))
    if new.min > new.max:
        raise UsageError(f"min {new.min} would be above max {new.max}")
    return new


# name -> (min, max, priority): seed B 3.1
_SEED_POOLS = {
    "coder": (5, 100, 8),
    "tester": (3, 80, 7),
    "reviewer": (2, 50, 6),
    "architect": (1, 20, 9),
    "researcher": (2, 40, 7),
    "analyst": (2, 60, 6),
    "optimizer": (1, 30, 5),
    "security": (1, 25, 9),
    "performance": (1, 25, 6),
    "ui": (2, 50, 5),
    "mobile": (1, 30, 5),
    "devops": (1, 30, 7),
    "database": (1, 25, 6),
    "network": (1, 20, 6),
    "infrastructure": (1, 20, 7),
    "coordinator": (1, 10, 10),
}


def seed_pool(name: str) -> PoolSpec:
    """Return the seeds' pool of that name. Raises KeyError for a name that is not one of the sixteen."""
    low, high, priority = _SEED_POOLS[name]
    kind = AGENT_TYPES.get(TYPE_OF_POOL.get(name, name))
    if kind is None:
        return PoolSpec(name, low, high, priority, capabilities=(name,))
    return PoolSpec(
        name,
        low,
        high,
        priority,
        type=kind.id,
        capabilities=(name, *kind.capabilities),
        reliability=kind.performance.reliability,
    )


DEFAULT_POOLS: tuple[PoolSpec, ...] = tuple(seed_pool(name) for name in _SEED_POOLS)
