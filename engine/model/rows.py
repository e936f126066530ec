"""Rows: what faces see of each thing, flat and small, and the frames in which changed rows travel.

A row is a NamedTuple whose first field is its id; over the wire it is an array in this order.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from engine.model.alert_rows import AlertRow, RuleRow, SilenceRow
from engine.model.budget_rows import BudgetRow
from engine.model.bus_rows import DeadEventRow
from engine.model.cache_layers import CacheLayer
from engine.model.channel_rows import ChannelRow, NotificationRow
from engine.model.engine_rows import EngineRow
from engine.model.entry_rows import EntryRow
from engine.model.plans import Halt
from engine.model.plugin_rows import PluginRow
from engine.model.question_rows import QuestionRow
from engine.model.redis_health import RedisHealth
from engine.model.region_rows import RegionRow
from engine.model.review_rows import ReviewRow
from engine.model.routing_rows import RouteRow
from engine.model.standing import Standing
from engine.model.swarm_rows import SessionRow, SwarmRow
from engine.model.vote_rows import ProposalRow


class PoolRow(NamedTuple):
    """A pool. Counts are agents or tasks now, totals since the pool was made; instants in epoch seconds, 0 = none."""

    id: str
    kind: str
    priority: int
    min: int
    max: int
    size: int
    agents: int
    idle: int
    busy: int
    starting: int
    drained: int
    failed_agents: int
    pending: int
    leased: int
    running: int
    succeeded: int
    failed: int
    dead: int
    retried: int
    oldest_pending_at: float
    """When the longest waiting task was submitted, of those that wait for an agent only."""
    paused: bool
    reason: str
    blocked: int
    """Of the pending tasks those that wait for other tasks; no agent would help them."""
    needs_input: int = 0
    """Tasks whose agents wait for an answer."""


class AgentRow(NamedTuple):
    """An agent. busy_s and mean_task_s in seconds; instants in epoch seconds, 0 = none."""

    id: str
    name: str
    pool: str
    type: str
    status: str
    health: str
    task: str
    task_title: str
    host: str
    succeeded: int
    failed: int
    busy_s: float
    mean_task_s: float
    created_at: float
    updated_at: float
    idle_since: float
    reason: str
    cpu: float = -1.0
    """Cores that its own process uses with all it started; -1 = it has none, or it was not measured yet."""
    rss_mb: float = -1.0
    """Megabytes, likewise."""
    measured_at: float = 0.0
    """When that was, where its host has told nothing since; 0 = at the last look, or never."""


class TaskRow(NamedTuple):
    """A task. Instants in epoch seconds, 0 = not yet."""

    id: str
    title: str
    type: str
    pool: str
    state: str
    priority: int
    agent: str
    attempt: int
    submitted_at: float
    leased_at: float
    started_at: float
    finished_at: float
    reason: str
    waiting_on: int
    submitted_by: str
    tries: int
    """Attempts that count against max_attempts; those lost with an agent or an engine do not."""
    max_attempts: int
    deaths: int
    """Agents that died while running it."""
    cost: float | None = None
    """Dollars that its attempts told of; None = nobody did."""
    tokens: float | None = None
    """That its models read and wrote, caches included; None as above."""
    turns: float | None = None


class HostRow(NamedTuple):
    """A process that carries agents. cpu is a ratio of one core, rss_mb megabytes; -1 = not measured yet."""

    id: str
    kind: str
    pid: int
    agents: int
    health: str
    evidence: str
    cpu: float
    rss_mb: float
    beat_at: float
    state: str = ""
    """Of a host that joined: open, cordoned, draining or drained; empty = a process of the engine's own."""
    agents_max: int = 0
    machine: str = ""
    version: str = ""
    takes: str = ""
    """Of a host that joined: kinds, pools and labels, in words."""


class PlanRow(NamedTuple):
    """A plan that was carried out."""

    id: str
    at: float
    who: str
    via: str
    summary: str
    reason: str
    undo_until: float
    undone: bool


class AuditRow(NamedTuple):
    """One line of the audit."""

    id: str
    at: float
    who: str
    via: str
    address: str
    action: str
    target: str
    reason: str
    result: str
    plan: str
    before: str
    after: str
    entry: str = ""
    """Path of the entry of memory that it is about, if it is about one."""


class EventRow(NamedTuple):
    """One event in words; level is info, warn or error."""

    id: str
    at: float
    type: str
    level: str
    subject: str
    text: str
    cause: str


class PolicyRow(NamedTuple):
    """A scaling policy. `rules` are its keys in words; pools are those that it decides for now."""

    id: str
    name: str
    pool: str
    enabled: bool
    pools: int
    rules: str


class AdviceRow(NamedTuple):
    """What a pool could have less of. Savings: MB, cores, agents, and cost in the pool's unit an hour."""

    id: str
    """`coder resize_allocation`: its pool and kind."""
    pool: str
    kind: str
    """resize_allocation, oversized or idle."""
    current: str
    recommended: str
    efficiency: float
    """Used / granted, 0..1."""
    saves_memory_mb: float
    saves_cores: float
    saves_agents: int
    saves_cost_per_hour: float
    evidence: str
    call: str
    """The verb that does it, as JSON."""


class GangRow(NamedTuple):
    """Agents that start together or not at all. Instants in epoch seconds, 0 = not yet."""

    id: str
    pool: str
    agents: int
    state: str
    """waiting or granted."""
    priority: int
    place: int
    """Its place among all gangs that wait, from 1; 0 = it waits no more."""
    asked_at: float
    granted_at: float
    ends_at: float
    """When it is given up, or its agents leave."""
    who: str
    reason: str
    """Why it waits."""


class ScalingRow(NamedTuple):
    """What the autoscaler last decided for a pool. Instants in epoch seconds, 0 = none; ratios -1 = unknown."""

    id: str
    at: float
    size: int
    recommended: int
    target: int
    reason: str
    waits_until: float
    """When waiting alone can change the decision."""
    policy: str
    """Whose recommendation counted."""
    busy: int
    waiting: int
    demand: float
    service_s: float
    foreseen: float
    """Agents needed at foreseen_at; -1 = no forecast."""
    foreseen_at: float
    mape: float
    held_by: str
    held_until: float


class InstanceRow(NamedTuple):
    """An instance of the booster's module: the sandbox of one agent of the booster's pool.

    Counts and seconds are those since its worker process began; what it was before, a crash included, is in the
    BoosterRow. Instants in epoch seconds, 0 = none; -1 = not measured yet.
    """

    id: str
    """Of its agent."""
    agent: str
    host: str
    state: str
    """The state of its agent: idle, assigned, busy, starting, failed, draining, drained."""
    task: str
    calls: int
    """Operations that it was asked for, those that it handed on included; what the cache answered is none."""
    failures: int
    """Calls that it did not survive."""
    restarts: int
    """Instances that took its place after a failure or a stop."""
    busy_s: float
    """Time spent inside the module."""
    last_s: float
    """How long its last call took."""
    ops_per_s: float
    """Operations a second, between the last two beats."""
    load: float
    """Share of that time that it was at work, 0..1."""
    memory_bytes: int
    """Memory taken; it grows only."""
    used_bytes: int
    """As much of that as was ever used, as the module tells."""
    last_error: str
    last_error_at: float
    p50_s: float
    """Median time of its newest calls."""
    created_at: float
    """Since when there is its agent."""


class BoosterRow(NamedTuple):
    """The booster: all of its instances, since the engine began. Ratios 0..1, -1 = nothing to measure yet."""

    id: str
    """Name of its pool."""
    module: str
    """Name and version of the module; empty = no worker has told it yet."""
    operations: str
    """What the module knows, such as `code.rename (python)`, with commas between."""
    instances: int
    busy: int
    waiting: int
    """Tasks of its pool that wait for an agent."""
    size_max: int
    fallback: str
    """Pool that gets what is handed on; empty = none, such tasks fail."""
    calls: int
    answered: int
    """Results given and refusals of the caller's mistakes, those from the cache included."""
    handed_on: int
    """Of these `failures` because an instance failed, the others because the module was unsure or was not asked."""
    failures: int
    reasons: str
    """Why tasks were handed on, the most frequent first, such as `12 this is not known to be Python`, with semicolons between."""
    breakers: str
    """Operations that go straight to regular agents for now, such as `code.rename python for 12 s`, with commas between."""
    busy_s: float
    ops_per_s: float
    utilization: float
    """Busy instance-seconds of all instance-seconds."""
    cache_hits: int
    cache_misses: int
    cache_bytes: int
    memory_bytes: int
    used_bytes: int
    efficiency: float
    """Memory used of memory taken (C19)."""
    last_error: str
    last_error_at: float
    reproducer: str
    """File that the last failure can be repeated with; empty = none was kept."""
    samples: int
    """Tasks that a regular agent did again, with the same answer, to compare times."""
    speed_up: float
    """Median, over these samples, of the regular agent's time by the booster's."""
    sampled_at: float
    """When the newest of them ended."""
    differences: int
    """Samples to which the two gave different answers."""
    difference_at: float
    difference: str
    """File with both answers to the newest of these, which repeats it; empty = none was kept."""


class ModuleRow(NamedTuple):
    """A module of an operator. Counts are of all workers since the engine began; instants in epoch seconds, 0 = none."""

    id: str
    """The name under which it was added."""
    sha256: str
    module: str
    """Name and version, as it calls itself."""
    size_bytes: int
    memory_bytes: int
    """What an instance begins with."""
    operations: str
    """What it offers, such as `user.count_blanks (python, tsx)`, with commas between."""
    calls: int
    """What the cache answered is none."""
    cache_hits: int
    failures: int
    """Calls that its instance did not survive, and answers that could not be read."""
    last_error: str
    last_error_at: float
    added_at: float
    added_by: str


Row = ReviewRow | QuestionRow | BudgetRow | RouteRow | ChannelRow | NotificationRow | DeadEventRow | AlertRow | RuleRow | SilenceRow | EntryRow | ProposalRow | SwarmRow | SessionRow | ModuleRow | InstanceRow | GangRow | AdviceRow | BoosterRow | PolicyRow | ScalingRow | PoolRow | AgentRow | TaskRow | HostRow | EngineRow | RegionRow | PluginRow | PlanRow | AuditRow | EventRow

ROW_KINDS: dict[str, type[Row]] = {
    "pools": PoolRow,
    "agents": AgentRow,
    "tasks": TaskRow,
    "questions": QuestionRow,
    "reviews": ReviewRow,
    "budgets": BudgetRow,
    "hosts": HostRow,
    "engines": EngineRow,
    "regions": RegionRow,
    "plugins": PluginRow,
    "plans": PlanRow,
    "policies": PolicyRow,
    "scaling": ScalingRow,
    "gangs": GangRow,
    "advice": AdviceRow,
    "boosters": BoosterRow,
    "instances": InstanceRow,
    "modules": ModuleRow,
    "proposals": ProposalRow,
    "swarms": SwarmRow,
    "sessions": SessionRow,
    "routes": RouteRow,
    "alerts": AlertRow,
    "rules": RuleRow,
    "silences": SilenceRow,
    "channels": ChannelRow,
    "notifications": NotificationRow,
    "dead-events": DeadEventRow,
    "audit": AuditRow,
    "events": EventRow,
}
"""Kind, as in `fleet-tui get KIND`, to the type of its rows."""

ASKED_KINDS: dict[str, type[Row]] = {"memory": EntryRow}
"""Kinds that are asked for in pages: nobody follows them, and nobody has all of their rows."""

STREAMED_KINDS = frozenset({"events"})
"""Kinds that a feed sends as a bounded tail, never as a table."""


def row_type(kind: str) -> type[Row]:
    """Return the type of a kind's rows."""
    return ROW_KINDS.get(kind) or ASKED_KINDS[kind]


@dataclass(frozen=True, slots=True)
class AgentCounts:
    """Agents registered now, the most there ever were, and how many are in each status."""

    total: int
    peak: int
    by_status: dict[str, int]


@dataclass(frozen=True, slots=True)
class TaskCounts:
    """Tasks since the state began, and how many are in each state now (finished ones while they are kept)."""

    submitted: int
    succeeded: int
    failed: int
    dead: int
    cancelled: int
    retried: int
    by_state: dict[str, int]


@dataclass(frozen=True, slots=True)
class FleetStatus:
    """The fleet in one look; all counts are kept, none is computed on demand."""

    name: str
    engine: str
    version: str
    pid: int
    started_at: float
    now: float
    seq: int
    read_only: str
    """Why the engine takes no commands; empty = it does."""
    pools: tuple[str, ...]
    hosts: int
    agents: AgentCounts
    tasks: TaskCounts
    halted: tuple[Halt, ...] = ()
    """Emergency stops that hold."""
    differences: tuple[str, ...] = ()
    """Where the agents that run are not those that should."""
    damage: str = ""
    """What is wrong with the database's pages and what to do; empty = nothing that is known."""
    conflicts: int = 0
    """Entries of memory that were written in two places and that nobody has settled."""
    peers_away: tuple[str, ...] = ()
    """Engines that memory is exchanged with and that cannot be reached, each with the reason."""
    redis: RedisHealth | None = None
    """How Redis is; None = this engine uses none."""
    standing: Standing | None = None
    """What this engine is among those that share its fleet; None = it is the only one."""
    layers: dict[str, CacheLayer] = field(default_factory=dict)
    """Those that memory reads through, by name, the nearest first."""
    swarms: dict[str, int] | None = None
    """How many of those that run are healthy, degraded or unhealthy; counted when somebody asks, so frames have None."""


@dataclass(frozen=True, slots=True)
class Frame:
    """What changed since the last frame a follower took; `full` frames replace everything of their kinds."""

    seq: int
    at: float
    full: bool
    status: FleetStatus
    rows: dict[str, list[Row]] = field(default_factory=dict)
    removed: dict[str, list[str]] = field(default_factory=dict)
    events: list[EventRow] = field(default_factory=list)
    events_left_out: int = 0
