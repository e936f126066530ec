"""The query `explain`: why a thing is as it is, with the evidence."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from engine.gate.maintaining import risks
from engine.gate.why_agents import EVENTS_LOOKED_AT, Seen, explain_agent, explain_host
from engine.gate.why_alerts import explain_alert
from engine.gate.why_boosted import boosted_evidence
from engine.gate.why_pools import explain_policy, explain_pool
from engine.gate.why_regions import explain_region
from engine.gate.why_swarms import explain_session, explain_swarm
from engine.gate.why_tasks import explain_task
from engine.model.agents import Agent
from engine.model.errors import NotFound, UsageError
from engine.model.events import Record
from engine.model.explanations import EXPLAINED, Evidence, Explanation
from engine.model.ids import HostId, TaskId
from engine.model.pools import BOOSTER
from engine.model.wire import nearest
from engine.monitoring.alerts.rule_verbs import find_alert
from engine.monitoring.maintenance import AT_RISK
from engine.scaling.policies import find_pool
from engine.scaling.policy_verbs import find_policy

if TYPE_CHECKING:
    from engine.gate.queries import Sources

STORY_MAX = 50
"""Newest events of an agent or a host that are looked at."""


async def explain(sources: Sources, kind: str, word: str) -> Explanation:
    """Return why a thing of a kind is as it is. Raises UsageError for a kind without an explanation, NotFound for an unknown thing."""
    ask = _ASK.get(kind)
    if ask is None:
        raise UsageError(f"there is no explanation of {kind!r}{nearest(kind, _ASK)}; there are {', '.join(_ASK)}")
    return await ask(sources, word)


async def _task(sources: Sources, word: str) -> Explanation:
    state = sources.state()
    task = state.tasks.get(TaskId(word)) or await sources.journal.find_task(TaskId(word))
    if task is None:
        raise NotFound(f"no task {word!r}; `get tasks` lists them")
    scaler = sources.feed.scaler
    return explain_task(state, task, sources.clock.now(), scaler.decisions.get(task.spec.pool) if scaler else None)


def _seen(sources: Sources, host: HostId | None, story: Sequence[Record]) -> Seen:
    feed = sources.feed
    return Seen(feed.samples.get(host) if host else None, feed.measured_at, sources.config.fleet.heartbeat_interval_s, story)


async def _agent(sources: Sources, word: str) -> Explanation:
    known = sources.state().agent_named(word)
    story = await sources.journal.story(known.spec.id if known else word, limit=STORY_MAX, within=EVENTS_LOOKED_AT)
    signs = await _signs(sources, known)
    agent = sources.state().agent_named(word)  # it may have left meanwhile
    if agent is None:
        raise NotFound(f"no agent {word!r}; `get agents` lists them")
    seen = replace(_seen(sources, agent.host, story), used=sources.feed.programs.used.get(agent.spec.id), stalled=sources.feed.programs.stalled.get(agent.spec.id, ""))
    found = explain_agent(sources.state(), agent, sources.clock.now(), seen)
    return replace(found, evidence=(*found.evidence, *signs))


async def _signs(sources: Sources, agent: Agent | None) -> list[Evidence]:
    """Return the signs that an agent may fail soon."""
    history = sources.history
    if agent is None or history is None or not history.enabled:
        return []
    rows = (await risks(history, agent.spec.id))["agents"]
    return [
        Evidence(f"risk {row['risk']:.0%}: {sign['kind']}: {sign['text']}", "warn" if row["risk"] >= AT_RISK else "info")
        for row in rows
        for sign in row["signs"]
    ]


async def _host(sources: Sources, word: str) -> Explanation:
    story = await sources.journal.story(word, limit=STORY_MAX, within=EVENTS_LOOKED_AT)
    host = sources.state().hosts.get(HostId(word))
    if host is None:
        raise NotFound(f"no host {word!r}; `get hosts` lists them")
    seen = _seen(sources, host.info.id, story)
    return explain_host(sources.state(), host, sources.clock.now(), seen)


async def _pool(sources: Sources, word: str) -> Explanation:
    state, scaler = sources.state(), sources.feed.scaler
    pool = find_pool(state, word)
    now = sources.clock.now()
    more = boosted_evidence(sources.feed.book, sources.feed.fallback(), now) if pool.spec.kind == BOOSTER else []
    return explain_pool(state, pool, now, scaler.decisions.get(word) if scaler else None, more)


async def _policy(sources: Sources, word: str) -> Explanation:
    state, scaler = sources.state(), sources.feed.scaler
    return explain_policy(state, find_policy(state, word), sources.clock.now(), scaler.decisions if scaler else {})


async def _alert(sources: Sources, word: str) -> Explanation:
    state, notifier, alerter = sources.state(), sources.notifier, sources.feed.alerter
    letters = list(notifier.outbox.letters.values()) if notifier else []
    return explain_alert(state, find_alert(state, word), sources.clock.now(), alerter.book if alerter else None, letters)


async def _swarm(sources: Sources, word: str) -> Explanation:
    return explain_swarm(sources.state(), word, sources.clock.now())


async def _session(sources: Sources, word: str) -> Explanation:
    return explain_session(sources.state(), word, sources.clock.now())


async def _region(sources: Sources, word: str) -> Explanation:
    return explain_region(sources.regions, word, sources.clock.now())


_ASK: dict[str, Callable[[Sources, str], Awaitable[Explanation]]] = {
    "tasks": _task,
    "agents": _agent,
    "pools": _pool,
    "hosts": _host,
    "policies": _policy,
    "scaling": _pool,
    "alerts": _alert,
    "swarms": _swarm,
    "sessions": _session,
    "regions": _region,
}
assert tuple(_ASK) == EXPLAINED
