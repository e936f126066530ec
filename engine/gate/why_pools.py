"""Why a pool has its size and takes, or does not take, work; and what a policy does to its pools; pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import islice

from engine.gate.why_acts import find_act, halts_of, told
from engine.model.agents import AgentStatus
from engine.model.explanations import Evidence, Explanation
from engine.model.machines import say_amount
from engine.model.policy_text import problems
from engine.model.pools import Pool, figure
from engine.model.scaling import Decision, Policy
from engine.scaling.autoscaler import policies_of
from engine.scaling.words import explain, say_reason
from engine.state import FleetState

BROKEN_MAX = 3
POOLS_MAX = 20
SCANNED_MAX = 10_000
"""Waiting tasks among which the longest waiting one that could run is looked for."""


def explain_pool(state: FleetState, pool: Pool, now: float, decision: Decision | None, more: Sequence[Evidence] = ()) -> Explanation:
    """Return why a pool has its size and whether it takes work; `decision` is the autoscaler's newest one, `more` what else is known."""
    evidence = [*_stopped(state, pool), *_size(state, pool, now), *_decided(state, pool, decision), *_work(state, pool), *_broken(state, pool), *more]
    headline, level = _headline(state, pool, now, decision)
    return Explanation("pools", pool.spec.name, pool.spec.name, headline, level, now, tuple(evidence))


def _headline(state: FleetState, pool: Pool, now: float, decision: Decision | None) -> tuple[str, str]:
    size = _agents(pool.size)
    broken = pool.by_status.get(AgentStatus.FAILED, 0)
    if broken:
        return f"{broken} of its {pool.agents} agents cannot start", "error"
    halted = halts_of(state, "placing", "agents")
    if halted:
        return halted[0].text.partition(";")[0], "warn"
    if pool.paused:
        return "it is paused: it is given no tasks", "warn"
    if over := state.spending.closed(pool.spec.name):
        return f"it takes no work: {over}", "warn"
    if pool.waits is not None:
        return f"{pool.waits.agents} of its {_agents(pool.size)} {'wait' if pool.waits.agents > 1 else 'waits'}: {pool.waits.text.removeprefix('waits ')}", "warn"
    if pool.tasks_wait:
        return f"its tasks {pool.tasks_wait.replace('waits', 'wait', 1)}", "warn"
    if pool.hold is not None and pool.hold.holds(now):
        return f"it has {size}, held by {pool.hold.who}", "warn"
    if decision is None or not decision.reasons or not decision.reasons[0].policy:
        return f"it has {size}; no policy moves it", "info"
    if decision.target != decision.size:
        return f"it goes from {decision.size} to {_agents(decision.target)}: {explain(decision)}", "info"
    return f"it has {size}: {explain(decision)}", "info"


def _agents(number: int) -> str:
    return f"{number} agent" if number == 1 else f"{number} agents"


def _stopped(state: FleetState, pool: Pool) -> list[Evidence]:
    """Return what keeps it from being given work."""
    lines = halts_of(state, "placing", "agents")
    if pool.paused:
        lines.append(told("it was paused", find_act(state, ("pool.pause",), (pool.spec.name,))))
    return lines


def _size(state: FleetState, pool: Pool, now: float) -> list[Evidence]:
    """Return who set its size and its bounds."""
    name, spec = pool.spec.name, pool.spec
    lines = []
    if pool.hold is not None and pool.hold.holds(now):
        act = find_act(state, ("pool.hold",), (name,))
        until = f"for {pool.hold.until - now:.0f} s more" if pool.hold.until else "until it is released"
        lines.append(Evidence(f"held by {pool.hold.who} {until}: the autoscaler leaves it alone", "warn", *((act.at, act.kind, act.id) if act else ())))
    if pool.sized_at:
        if pool.sized_why:
            lines.append(Evidence(f"the size became {pool.size} by the autoscaler: {pool.sized_why}", at=pool.sized_at, kind="scaling", id=name))
        else:
            act = find_act(state, ("pool.scale", "pool.edit", "agent.register", "agent.unregister"), (name,))
            lines.append(told(f"the size was set to {pool.size}", act, "info") if act else Evidence(f"the size was set to {pool.size}", at=pool.sized_at))
    bounds = f"it may have {spec.min} to {spec.max} agents"
    changed = [key for key in ("min", "max") if pool.configured is not None and figure(spec, key) != figure(pool.configured, key)]
    if changed:
        lines.append(told(f"{bounds}; {', '.join(changed)} changed", find_act(state, ("pool.edit",), (name,)), "info"))
    else:
        lines.append(Evidence(f"{bounds}, as configured"))
    if pool.waits is not None:
        lines.append(Evidence(f"{_agents(pool.waits.agents)}: {pool.waits.text}; started as soon as there is room", "warn", pool.waits.since))
        lines += _room(state, pool)
    elif pool.agents != pool.size:
        lines.append(Evidence(f"it has {_agents(pool.agents)} and should have {pool.size}", "warn"))
    return lines


def _room(state: FleetState, pool: Pool) -> list[Evidence]:
    """Return what is taken of the machines, of what a waiting pool lacks."""
    lacks = pool.waits.lacks if pool.waits else ""
    return [
        Evidence(f"of {lacks} {say_amount(lacks, machine.taken.get(lacks, 0))} of {say_amount(lacks, machine.capacity[lacks])} are taken on {machine.id}")
        for machine in state.machines.values()
        if lacks in machine.capacity
    ]


def _decided(state: FleetState, pool: Pool, decision: Decision | None) -> list[Evidence]:
    """Return what the autoscaler last decided, step by step."""
    name = pool.spec.name
    lines = halts_of(state, "scaling")
    if decision is None:
        return [*lines, Evidence("the autoscaler has not looked at it yet", kind="scaling", id=name)]
    if decision.advised:
        said = f"last decision: {decision.size} now, {decision.recommended} recommended, {decision.target} decided"
    else:
        said = f"last decision: {_agents(decision.target)}: {explain(decision)}"
    lines.append(Evidence(said, at=decision.at, kind="scaling", id=name))
    lines += [Evidence(f"policy {policy} recommends {size}", at=decision.at, kind="policies", id=policy) for policy, size in decision.advised]
    for reason in decision.reasons if decision.advised else ():
        policy = reason.policy if reason.policy in state.policies else ""
        lines.append(Evidence(say_reason(reason), at=decision.at, kind="policies" if policy else "scaling", id=policy or name))
    if math.isfinite(decision.waits_until) and decision.waits_until > decision.at:
        lines.append(Evidence(f"waiting alone can change it in {decision.waits_until - decision.at:.0f} s", at=decision.at, kind="scaling", id=name))
    return lines


def _work(state: FleetState, pool: Pool) -> list[Evidence]:
    """Return what waits for it and what its agents do."""
    name = pool.spec.name
    counts = ", ".join(f"{count} {status}" for status, count in pool.by_status.items() if count)
    lines = [Evidence(f"agents: {counts}" if counts else "it has no agents", "info" if counts else "warn")]
    ids = state.pending_of.get(name, ())
    ready = next((task_id for task_id in islice(ids, SCANNED_MAX) if not state.tasks[task_id].waiting_on), None)
    if ready is not None:
        task = state.tasks[ready]
        number = len(ids) - pool.blocked
        lines.append(Evidence(f"{number} task{'s wait' if number != 1 else ' waits'} for an agent, longest {task.spec.title or ready}", at=task.spec.submitted_at, kind="tasks", id=ready))
    if pool.blocked:
        lines.append(Evidence(f"{pool.blocked} more wait for other tasks; no agent would help them"))
    if pool.tasks_wait:
        act = "programs that run may still grow to what others of their pool took; a task starts as soon as it fits"
        lines.append(Evidence(f"{pool.tasks_wait}; {act}", "warn"))
    if not ids:
        lines.append(Evidence("no task waits for it"))
    return lines


def _broken(state: FleetState, pool: Pool) -> list[Evidence]:
    if not pool.by_status.get(AgentStatus.FAILED):
        return []
    broken = [agent for agent in state.agents_in(pool.spec.name) if agent.status is AgentStatus.FAILED]
    return [Evidence(f"{agent.spec.name} cannot start: {agent.reason}", "error", agent.updated_at, "agents", agent.spec.id) for agent in broken[:BROKEN_MAX]]


# ---- policies


def explain_policy(state: FleetState, policy: Policy, now: float, decisions: Mapping[str, Decision]) -> Explanation:
    """Return for which pools a policy decides, and what it recommends for each of them now."""
    pools = [name for name in state.pools if policy in policies_of(state.policies, name)]
    act = find_act(state, ("policy.create", "policy.update", "policy.delete"), (policy.id,))
    made = told("it was last changed", act, "info") if act else Evidence("it is as the configuration made it, or was changed before what is kept of plans and audit")
    lines = [made, *(Evidence(text, "warn") for text in problems(policy).warnings)]
    for name in pools[:POOLS_MAX]:
        lines.append(_advice(state, policy, name, decisions.get(name)))
    if len(pools) > POOLS_MAX:
        lines.append(Evidence(f"and {len(pools) - POOLS_MAX} pools more"))
    if policy.pool and policy.pool not in state.pools:
        lines.append(Evidence(f"there is no pool {policy.pool}", "error"))
    where = pools[0] if len(pools) == 1 else f"{len(pools)} pools"
    headline = f"it decides for {where}" if policy.enabled and pools else "it decides for no pool: each has policies of its own" if policy.enabled else "it is switched off"
    return Explanation("policies", policy.id, policy.name, headline, "info" if policy.enabled and pools else "warn", now, tuple(lines))


def _advice(state: FleetState, policy: Policy, pool: str, decision: Decision | None) -> Evidence:
    size = state.pools[pool].size
    advised = dict(decision.advised).get(policy.id) if decision else None
    if decision is None or advised is None:
        return Evidence(f"{pool} has {_agents(size)}; it recommends nothing now", kind="scaling", id=pool)
    wins = bool(decision.reasons) and decision.reasons[0].policy == policy.id
    return Evidence(f"{pool} has {_agents(size)}; it recommends {advised}" + ("" if wins else ", another policy more"), at=decision.at, kind="scaling", id=pool)
