"""How well an agent fits a task: the seeds' five factors (seed A 6.2), each 0..1, and their weighted sum."""

from __future__ import annotations

from collections.abc import Sequence

from engine.model.agents import Agent, AgentStatus
from engine.model.pools import Pool

PRIOR_TASKS = 4
"""An agent's success rate counts as if it had this many tasks at its type's reliability before its first."""

REFERENCE_TASK_S = 1.0
"""A mean task time of one second halves the speed part of the performance factor."""

Factors = tuple[float, float, float, float, float]


def capability_match(wanted: Sequence[str], agent: Agent) -> float:
    """Return the share of the wanted capabilities that the agent has; 1 when none is wanted."""
    if not wanted:
        return 1.0
    return sum(agent.can(word) for word in wanted) / len(wanted)


def reliability_of(agent: Agent) -> float:
    """Return an agent's success rate over all of its tasks, 0..1, smoothed towards what its type is known for."""
    return (agent.succeeded + agent.spec.reliability * PRIOR_TASKS) / (agent.succeeded + agent.failed + PRIOR_TASKS)


def score(task_type: str, wanted: Sequence[str], agent: Agent, *, has_sessions: bool = False) -> Factors:
    """Return capability match, availability, performance, cost and historical, each 0..1.

    availability = 1 for an agent that can begin at once: it is idle and, in a pool with sessions, has worked, so that its process is
    there or its start is known to succeed; performance = mean of the smoothed success rate over all tasks and 1 / (1 + mean task time / 1 s);
    cost = 1 / (1 + cost a second); historical = smoothed success rate for this task type.
    """
    reliability = agent.spec.reliability
    success = reliability_of(agent)
    speed = 1.0 / (1.0 + agent.mean_task_s / REFERENCE_TASK_S)
    won, seen = agent.by_type.get(task_type, (0, 0))
    return (
        capability_match(wanted, agent),
        1.0 if agent.status is AgentStatus.IDLE and (not has_sessions or agent.mean_task_s) else 0.0,
        (success + speed) / 2,
        1.0 / (1.0 + agent.spec.cost),
        (won + reliability * PRIOR_TASKS) / (seen + PRIOR_TASKS),
    )


def normalised(weights: Factors) -> Factors:
    """Return the weights in the same proportions, with a sum of 1."""
    whole = sum(weights)
    match, free, performance, cost, history = weights
    return (match / whole, free / whole, performance / whole, cost / whole, history / whole)


def weigh(factors: Factors, weights: Factors) -> float:
    """Return the weighted mean of the factors; the sum of the weights is 1."""
    # Written out: it is computed whenever an agent becomes free, and a loop takes four times as long.
    return (
        factors[0] * weights[0]
        + factors[1] * weights[1]
        + factors[2] * weights[2]
        + factors[3] * weights[3]
        + factors[4] * weights[4]
    )


def why_not(agent: Agent, pool: Pool, wanted: Sequence[str]) -> str:
    """Return the reason why an agent cannot take a task now, or an empty string when it can."""
    if pool.paused:
        return "pool paused"
    if agent.cordoned or agent.retiring or agent.restarting:
        return "draining"
    if agent.allocation is not None:
        return "reserved"
    if agent.over:
        return "over budget"
    if agent.status in (AgentStatus.ASSIGNED, AgentStatus.BUSY, AgentStatus.DRAINING):
        return "busy"
    if agent.status is not AgentStatus.IDLE:
        return str(agent.status)
    missing = [word for word in wanted if not agent.can(word)]
    return f"lacks {', '.join(missing)}" if missing else ""
