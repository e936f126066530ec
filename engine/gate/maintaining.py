"""Which agents are at risk, and what would help: the last hours of every agent by the minute, judged in a thread. Reads only.

Owner: of `History.judged`, what was found in the newest minute, by pool, and of `History.at_risk`, what the watch found last. Limits:
PEERS_MAX others of a pool that an agent is compared with; the watch takes a hundredth of the time at most.
"""

from __future__ import annotations

import asyncio
from collections.abc import Container, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from engine.gate.history import History
from engine.model.errors import NotFound
from engine.model.plans import Call
from engine.model.verb_lines import line_of
from engine.model.wire import nearest
from engine.monitoring.agents import MINUTE_S, AgentTable, as_counted, table_of
from engine.monitoring.archive import Key
from engine.monitoring.maintenance import AT_RISK, PAST_MIN, AgentPast, Kind, Risk, risk_of

PEERS_MAX = 20
WATCH_FIRST_S = 5.0
"""The watch lets the engine start before it looks."""
WATCH_S = 60.0
"""From one look of the watch at all agents to the next."""
WATCH_SHARE = 0.01
"""Of the time, that its looks may take: 3,000 agents are judged in a second, so those of larger fleets less often than every minute."""
AT_ONCE_MAX = 40
"""Agents that are judged in a few milliseconds, without a thread."""
GAUGES = ("agent_silence_s", "agent_rss_mb")
COUNTS = ("agent_succeeded", "agent_failed", "agent_busy_s")
_VERBS = {"restart": "agent.restart", "drain": "agent.drain"}


class Member(NamedTuple):
    """An agent whose past is judged."""

    id: str
    name: str
    pool: str
    limit_mb: float


async def risks(history: History, word: str = "") -> dict[str, Any]:
    """Return the agents with signs of trouble, the worst first; of a pool or one agent when it is named. Raises FleetError."""
    history.require()
    state, now = history.state(), history.clock.now()
    agent = state.agent_named(word) if word and word not in state.pools else None
    if word and word not in state.pools and agent is None:
        raise NotFound(f"no pool or agent {word!r}{nearest(word, state.pools)}")
    found = await _judged(history, agent.spec.pool if agent is not None else word, int(now // MINUTE_S) * MINUTE_S)
    if agent is not None:
        found = [one for one in found if one[0].id == agent.spec.id]
    return {
        "asked_at": now,
        "looked_at": len(found),
        "unknown": sum(len(risk.unknown) == len(Kind) for _member, risk in found),
        "agents": [_row(member, risk) for member, risk in sorted(found, key=lambda one: -one[1].risk) if risk.signs],
    }


async def watch(history: History) -> None:
    """Count the agents at risk of each pool into the metric `agents_at_risk`, again and again, until cancelled."""
    await history.clock.sleep(WATCH_FIRST_S)
    while True:
        began = history.clock.now()
        found = await _judged(history, "", int(began // MINUTE_S) * MINUTE_S)
        history.at_risk = _counted(found, history.state().pools)
        await history.clock.sleep(max(WATCH_S, (history.clock.now() - began) / WATCH_SHARE))


def _counted(found: Sequence[tuple[Member, Risk]], pools: Container[str]) -> dict[Key, float]:
    """Return how many agents are at risk by pool; a pool whose agents are all too young to judge is not there: unknown, not 0."""
    counts: dict[Key, float] = {}
    for member, risk in found:
        if len(risk.unknown) < len(Kind) and member.pool in pools:
            key = ("agents_at_risk", member.pool)
            counts[key] = counts.get(key, 0.0) + (risk.risk >= AT_RISK)
    return {**counts, ("agents_at_risk", ""): sum(counts.values())} if counts else {}


async def _judged(history: History, pool: str, until: int) -> Sequence[tuple[Member, Risk]]:
    """Return the agents of a pool, or all of them, each with its risk; what was found in this minute holds until it is over."""
    kept = history.judged.get(pool)
    if kept is not None and kept[0] == until:
        known: Sequence[tuple[Member, Risk]] = kept[1]
        return known
    members, since = _members(history, pool), until - PAST_MIN * MINUTE_S
    # A count grows from the minute before the first one.
    tables = {name: await history.recorder.archive.agents(name, since - MINUTE_S, until) for name in (*GAUGES, *COUNTS)}

    def work() -> Sequence[tuple[Member, Risk]]:
        return _judge(members, {name: table_of(*rows, since - MINUTE_S, PAST_MIN + 1) for name, rows in tables.items()})

    found = work() if len(members) <= AT_ONCE_MAX else await asyncio.to_thread(work)
    history.judged = {name: one for name, one in history.judged.items() if one[0] == until} | {pool: (until, found)}
    return found


def _members(history: History, pool: str) -> list[Member]:
    state = history.state()
    limits = {name: float(one.spec.resources.memory) for name, one in state.pools.items()}
    agents = (one.spec for one in state.agents.values() if pool in ("", one.spec.pool))
    return [Member(one.id, one.name, one.pool, limits.get(one.pool, 0.0)) for one in agents]


def _judge(members: Sequence[Member], tables: Mapping[str, AgentTable]) -> list[tuple[Member, Risk]]:
    pasts = [_past(member, tables) for member in members]
    by_pool: dict[str, list[int]] = {}
    for place, member in enumerate(members):
        by_pool.setdefault(member.pool, []).append(place)
    return [(member, risk_of(past, list(_peers(pasts, by_pool[member.pool], place)))) for place, (member, past) in enumerate(zip(members, pasts, strict=True))]


def _peers(pasts: Sequence[AgentPast], pool: Sequence[int], place: int) -> Iterator[AgentPast]:
    """Give some of the others of a pool, the same ones every time."""
    step = max(1, len(pool) // PEERS_MAX)
    return (pasts[other] for other in pool[::step] if other != place)


def _past(member: Member, tables: Mapping[str, AgentTable]) -> AgentPast:
    silence, rss = (tables[name].of(member.id)[1:] for name in GAUGES)
    won, lost, busy = (as_counted(tables[name].of(member.id)) for name in COUNTS)
    return AgentPast(silence, won, lost, busy, rss, member.limit_mb)


def _row(member: Member, risk: Risk) -> dict[str, Any]:
    call = Call(_VERBS[risk.proposal], {"agent": member.name}) if risk.proposal else None
    return {
        "id": member.id, "name": member.name, "pool": member.pool, "risk": risk.risk, "signs": [sign._asdict() for sign in risk.signs],
        "unknown": risk.unknown, "verb": line_of(call) if call else "", "call": call,
    }  # fmt: skip
