"""The emergency stop of agents: fifty sessions at work, deaf ones among them, and no process of theirs is left."""

from __future__ import annotations

from tests.bench.bench_agents_freeze import freeze


async def test_a_halt_leaves_no_process_of_fifty_sessions_whatever_grace_their_pool_has() -> None:
    assert await freeze(50) > 0, "it returns when none is left; their pools' own grace is longer than it waits"
