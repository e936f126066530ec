"""How an agent is and on what evidence, and how a process that carries agents is; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from engine.agents.liveness import LATE_BEATS
from engine.agents.runtime import HostSample
from engine.gate.why_acts import find_act, halts_of, told
from engine.gate.words import event_row
from engine.model import events as ev
from engine.model.agent_events import (
    AgentsBroken,
    AgentsStarting,
    Cordon,
    HostCordoned,
    HostHealth,
    HostLost,
)
from engine.model.agents import Agent, AgentStatus, Health
from engine.model.explanations import Evidence, Explanation
from engine.model.pools import A2A, OPENAI
from engine.state import FleetState, Host

EVENTS_LOOKED_AT = 20_000
"""Newest records of the journal that restarts and errors of an agent are looked for in."""
TOLD_MAX = 3
"""Events of a kind, and failed tasks, that are told one by one."""
FAILED_SCANNED = 2_000
"""Newest finished tasks among which failures of an agent are looked for."""

_LEVELS = {Health.HEALTHY: "info", Health.SLOW: "warn", Health.SUSPECT: "warn", Health.LOST: "error", Health.UNKNOWN: "info"}


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of a host, or of an agent and its host, beside the state."""

    sample: HostSample | None
    """The newest measurement."""
    measured_at: float
    """When that was."""
    beat_s: float
    """Configured time between two beats."""
    story: Sequence[ev.Record]
    """Newest events, oldest first."""
    used: tuple[float, float, float] | None = None
    """Cores and megabytes of an agent that has a process of its own, -1 = not known, and when that was; 0 = at the newest measurement."""
    stalled: str = ""
    """The evidence that it does nothing; empty = it does something."""


def explain_agent(state: FleetState, agent: Agent, now: float, seen: Seen) -> Explanation:
    """Return why an agent is as it is."""
    headline, level = _headline(agent)
    evidence = [
        *_wishes(state, agent, now),
        *_work(state, agent),
        *_program(state, agent, seen),
        *_host(state, agent, seen),
        *_troubles(state, seen.story),
        *_failures(state, agent),
        *_idle(state, agent),
    ]
    return Explanation("agents", agent.spec.id, agent.spec.name, headline, level, now, tuple(evidence))


def _headline(agent: Agent) -> tuple[str, str]:
    if agent.status is AgentStatus.FAILED:
        return f"it cannot start: {agent.reason}", "error"
    if agent.status is AgentStatus.STARTING:
        return f"it is starting: {agent.reason}" if agent.reason else "it is starting", "info"
    if agent.health in (Health.SLOW, Health.SUSPECT, Health.LOST):
        return f"it is {agent.status}, and its host is {agent.health}", _LEVELS[agent.health]
    if agent.status is AgentStatus.DRAINED:
        return "it is drained: it takes no more work", "warn"
    if agent.cordoned:
        return "it is draining: it finishes what it has and takes no more", "warn"
    if agent.retiring or agent.restarting:
        return f"it {'starts anew' if agent.restarting else 'leaves'} when its task ends", "warn"
    words = {AgentStatus.IDLE: "it is free", AgentStatus.ASSIGNED: "it was given a task", AgentStatus.BUSY: "it is at work"}
    return words.get(agent.status, f"it is {agent.status}"), "info"


def _wishes(state: FleetState, agent: Agent, now: float) -> list[Evidence]:
    """Return what somebody, or the pool's size, wants of it."""
    words = (agent.spec.id, agent.spec.name)
    lines = []
    if agent.cordoned:
        lines.append(told("it was drained", find_act(state, ("agent.drain",), words)))
    if agent.retiring:
        lines.append(Evidence(f"it leaves: {agent.reason}", "warn", agent.updated_at, "pools", agent.spec.pool))
        lines.append(_drain_deadline(agent, now))
    elif agent.restarting:
        lines.append(told("a restart was asked for", find_act(state, ("agent.restart",), words)))
    elif agent.reason and agent.status is not AgentStatus.FAILED:
        lines.append(Evidence(agent.reason, at=agent.updated_at))
    elif agent.status is AgentStatus.FAILED:
        lines.append(Evidence(agent.reason, "error", agent.updated_at, "pools", agent.spec.pool))
    return lines


def _drain_deadline(agent: Agent, now: float) -> Evidence:
    """Return how long it may still take to finish."""
    if not agent.leaves_by:
        return Evidence("it may take as long as it takes: its pool has no drain_deadline_s", kind="pools", id=agent.spec.pool)
    left_s = agent.leaves_by - now
    if left_s > 0:
        return Evidence(f"what it holds is handed back in {left_s:.0f} s unless it ends before", "warn", kind="pools", id=agent.spec.pool)
    return Evidence("its drain deadline passed: what it holds is stopped and handed back", "warn", agent.leaves_by, "pools", agent.spec.pool)


def _work(state: FleetState, agent: Agent) -> list[Evidence]:
    """Return what it does."""
    if agent.task is not None:
        task = state.tasks[agent.task]
        title, since = task.spec.title or agent.task, task.started_at or task.leased_at
        stopping = f", which is being stopped ({task.stopping})" if task.stopping else ""
        return [Evidence(f"it has attempt {task.attempt} of {title}{stopping}", at=since, kind="tasks", id=agent.task)]
    if agent.allocation is not None and agent.allocation in state.allocations:
        kept = state.allocations[agent.allocation]
        return [Evidence(f"it is reserved for {kept.task_id} by a caller, until it is released or the time is over", at=kept.at)]
    return []


def _program(state: FleetState, agent: Agent, seen: Seen) -> list[Evidence]:
    """Return what the process of its own uses."""
    stalled = [Evidence(f"its program is {seen.stalled}", "warn", seen.measured_at)] if seen.stalled else []
    if seen.used is None:
        return stalled
    cores, rss_mb, at = seen.used
    limit = state.pools[agent.spec.pool].spec.memory_max
    allowed = f", and may have {limit} MB" if limit else ""
    cpu = f"{cores:.0%} of a core and " if cores >= 0 else ""
    if at:
        text = f"its program used {cpu}{rss_mb:.0f} MB with all it started{allowed}: its host has told nothing since"
        return [*stalled, Evidence(text, "warn", at)]
    return [*stalled, Evidence(f"its program uses {cpu}{rss_mb:.0f} MB with all it started{allowed}", at=seen.measured_at)]


def _host(state: FleetState, agent: Agent, seen: Seen) -> list[Evidence]:
    if agent.host is None or agent.host not in state.hosts:
        return [Evidence("no process carries it now", "warn" if agent.status is not AgentStatus.STARTING else "info", agent.updated_at)]
    host = state.hosts[agent.host]
    return [_health(host), *_placed(agent), *_beats(host, seen)]


def _placed(agent: Agent) -> list[Evidence]:
    """Return why it runs where it does, where hosts that joined could have had it."""
    where = agent.spec.machine if agent.host == agent.spec.machine else "the engine's own machine"
    return [Evidence(f"it runs on {where}: {agent.spec.placed}", at=agent.created_at, kind="hosts", id=agent.host or "")] if agent.spec.placed else []


def _health(host: Host) -> Evidence:
    said = f": {host.evidence}" if host.evidence else ""
    where = f" of host {host.info.id} on {host.info.joined.machine}" if host.info.joined else ""
    carrier = f"{host.info.kind} process {host.info.pid}{where}, which carries {len(host.agents)} agent{'s' if len(host.agents) != 1 else ''}"
    return Evidence(f"{carrier}, is {host.health}{said}", _LEVELS[host.health], kind="hosts", id=host.info.id)


def _beats(host: Host, seen: Seen) -> list[Evidence]:
    """Return the last beat with its limit, and the last measurement."""
    sample = seen.sample
    if sample is None or not sample.beat_at:
        return [Evidence("no beat was seen of it yet", "warn", kind="hosts", id=host.info.id)]
    late_s = LATE_BEATS * seen.beat_s
    limit = f"a beat is due every {seen.beat_s:g} s and late after {late_s:g} s"
    silence = max(0.0, seen.measured_at - sample.beat_at)
    # In time, tenths of a second are no news: a terminal at rest is sent none.
    text, level = (f"it beats in time: {limit}", "info") if silence < late_s else (f"no beat for {silence:.1f} s when it was looked at: {limit}", "warn")
    lines = [Evidence(text, level, seen.measured_at, "hosts", host.info.id)]
    if sample.cpu >= 0 and sample.rss_mb >= 0:
        lines.append(Evidence(f"it uses {sample.cpu:.0%} of a core and {sample.rss_mb:.0f} MB", at=seen.measured_at, kind="hosts", id=host.info.id))
    return lines


def _troubles(state: FleetState, story: Sequence[ev.Record]) -> list[Evidence]:
    """Return starts that failed, starts anew and lost hosts, the newest first; each is an event."""
    lines = []
    starts = [record for record in story if isinstance(record.event, AgentsStarting)]
    broken = [record for record in story if isinstance(record.event, AgentsBroken)]
    if len(starts) > 1:
        lines.append(Evidence(f"it was started anew {len(starts)} times within the newest {EVENTS_LOOKED_AT:,} events", "warn", starts[-1].at))
    for record in reversed([*broken[-TOLD_MAX:], *starts[-TOLD_MAX:]]):
        row = event_row(state, record)
        lines.append(Evidence(record.event.reason, "error" if row.level == "error" else "info", record.at, "events", row.id))  # type: ignore[union-attr]  # both have a reason
    return sorted(lines, key=lambda line: -line.at)


def _failures(state: FleetState, agent: Agent) -> list[Evidence]:
    """Return its newest tasks that failed."""
    lines = []
    if agent.failed:
        lines.append(Evidence(f"of {agent.succeeded + agent.failed} tasks that ended on it {agent.failed} did not succeed", "warn"))
    newest = (state.tasks[task_id] for task_id in islice(reversed(state.finished), FAILED_SCANNED))
    bad = (task for task in newest if task.agent_name == agent.spec.name and task.error is not None and task.state in ("failed", "dead"))
    for task in islice(bad, TOLD_MAX):
        assert task.error is not None
        text = f"{task.spec.title or task.spec.id} {task.state}: {task.error.kind}: {task.error.message}"
        lines.append(Evidence(text, "error", task.finished_at, "tasks", task.spec.id))
    return lines


def _idle(state: FleetState, agent: Agent) -> list[Evidence]:
    """Return why a free agent has no work."""
    if agent.status is not AgentStatus.IDLE or agent.cordoned:
        return []
    name = agent.spec.pool
    pool = state.pools[name]
    if pool.paused:
        return [told(f"pool {name} was paused", find_act(state, ("pool.pause",), (name,)))]
    waiting = len(state.pending_of.get(name, ())) - pool.blocked
    lines = halts_of(state, "placing", "agents")
    if pool.tasks_wait:
        lines.append(Evidence(f"the next task {pool.tasks_wait}", "warn", kind="pools", id=name))
    if not waiting:
        lines.append(Evidence(f"no task waits for {name}", at=agent.idle_since, kind="pools", id=name))
    return lines


# ---- hosts


def _offer(state: FleetState, host: Host) -> list[Evidence]:
    """Return what a host that joined offers, and whether agents start there."""
    joined = host.info.joined
    if joined is None:
        return []
    named = [*joined.kinds, *(f"pool {pool}" for pool in joined.pools), *(f"{name}={value}" for name, value in joined.labels.items()), *(f"key {name}" for name in joined.keys if {OPENAI, A2A} & {*joined.kinds})]
    lines = [Evidence(f"version {joined.version}; it takes {joined.agents_max} agents on {joined.cores:g} cores and {joined.memory_mb:.0f} MB: {', '.join(named)}")]
    if host.cordon is not Cordon.OPEN:
        lines.append(told(f"it is {host.cordon}, and no agents start there:", find_act(state, ("host.cordon", "host.drain"), (host.info.id,)), "warn"))
    return lines


def explain_host(state: FleetState, host: Host, now: float, seen: Seen) -> Explanation:
    """Return how a process that carries agents is and on what evidence."""
    agents = [state.agents[agent_id] for agent_id in host.agents if agent_id in state.agents]
    working = sum(agent.task is not None for agent in agents)
    rows = [event_row(state, record) for record in seen.story if isinstance(record.event, HostHealth | HostLost | HostCordoned)]
    evidence = [
        _health(host),
        *_offer(state, host),
        *_beats(host, seen),
        Evidence(f"{working} of its {len(agents)} agents have a task"),
        *(Evidence(row.text, "info" if row.level == "info" else "warn", row.at, "events", row.id) for row in reversed(rows[-TOLD_MAX:])),
    ]
    closed = f", and {host.cordon}: no agents start there" if host.cordon is not Cordon.OPEN else ""
    headline = f"it is {host.health}{closed}" + (f": {host.evidence}" if host.evidence else "")
    return Explanation("hosts", host.info.id, host.info.id, headline, _LEVELS[host.health], now, tuple(evidence))
