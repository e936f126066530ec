"""Several sets of policies on the same load, side by side, with the fixed size that would serve as well."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engine.model.policy_text import policy_of
from engine.model.scaling import Limits, Load, Policy
from engine.model.wire import decode, encode
from engine.scaling.autoscaler import policies_of
from engine.scaling.backtest import PoolTrace, Replay, replay, static_for
from engine.scaling.traces import pool_traces


@dataclass(frozen=True, slots=True)
class Compared:
    """What one set of policies would have done in all pools. Times in seconds."""

    name: str
    tasks: int
    unfinished: int
    agent_s: float
    static_agent_s: float
    """Agent-seconds of the smallest fixed sizes with the same p95 wait or a shorter one, pool by pool."""
    saved: float
    """1 - agent_s / static_agent_s."""
    busy_s: float
    utilisation: float
    cost: float
    wait_p50_s: float
    """Mean over the pools, weighted by their tasks; the same for p95."""
    wait_p95_s: float
    raised: int
    lowered: int
    direction_changes: int
    drains: int
    pools: tuple[Replay, ...]


def compare(
    traces: Sequence[PoolTrace], seconds: float, sets: Mapping[str, Mapping[str, Policy]], *, tick_s: float = 1.0
) -> list[Compared]:
    """Replay every pool's trace through every set of policies. O(sets * (ticks + tasks * log agents))."""
    return [_compared(name, traces, seconds, policies, tick_s) for name, policies in sets.items()]


def _compared(
    name: str, traces: Sequence[PoolTrace], seconds: float, policies: Mapping[str, Policy], tick_s: float
) -> Compared:
    replays = [replay(trace, policies_of(policies, trace.pool), seconds, tick_s=tick_s) for trace in traces]
    static_s = sum(
        static_for(trace, one.wait_p95_s, seconds, max(1, len(trace.arrivals))).agent_s
        for trace, one in zip(traces, replays, strict=True)
    )
    tasks = sum(one.tasks for one in replays)
    agent_s, busy_s = sum(one.agent_s for one in replays), sum(one.busy_s for one in replays)
    weight = max(1, tasks)
    return Compared(
        name,
        tasks,
        sum(one.unfinished for one in replays),
        agent_s,
        static_s,
        1 - agent_s / static_s if static_s else 0.0,
        busy_s,
        busy_s / agent_s if agent_s else 0.0,
        sum(one.cost for one in replays),
        sum(one.wait_p50_s * one.tasks for one in replays) / weight,
        sum(one.wait_p95_s * one.tasks for one in replays) / weight,
        sum(one.raised for one in replays),
        sum(one.lowered for one in replays),
        sum(one.direction_changes for one in replays),
        sum(one.drains for one in replays),
        tuple(replays),
    )


def main() -> None:
    """Answer one question on standard input, as JSON: load, limits by pool, and sets of policies by name."""
    question = decode(sys.stdin.buffer.read())
    limits = {pool: Limits(int(low), int(high), cost) for pool, (low, high, cost) in question["limits"].items()}
    traces, seconds = pool_traces([Load(*entry) for entry in question["load"]], limits, {})
    sets = {name: {key: policy_of(table, id=key) for key, table in tables.items()} for name, tables in question["sets"].items()}
    found = {"seconds": seconds, "compared": compare(traces, seconds, sets)}
    sys.stdout.buffer.write(encode(found))


if __name__ == "__main__":
    main()
