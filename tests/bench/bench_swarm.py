"""Swarms: messages and work at size, see swarm_sizes. Votes: durable ballots a second, each a call of its own, and how long the one that decides takes (synchronous = full)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator

from engine.fleet import FleetManager
from engine.gate import Gate
from engine.model.consensus_commands import CastVote, OpenProposal
from engine.model.ids import ProposalId
from engine.model.vote_words import Standing

from tests.bench import swarm_sizes
from tests.bench.engines import POOL, light_fleet, median, percentile

ROWS = {"swarm.votes_per_s": "1/s", "swarm.verdict_p99_ms": "ms", **swarm_sizes.ROWS}
GOALS = swarm_sizes.GOALS
VOTERS = 7
PROPOSALS = 400
"""All are kept, so that each can be looked at afterwards."""
CALLERS = 64
RUNS = 3


def measure(report: Callable[..., None]) -> None:
    """Measure and report."""
    runs = [asyncio.run(_one_run()) for _ in range(RUNS)]
    note = f"{PROPOSALS} proposals, {VOTERS} voters, {CALLERS} callers, a ballot a call"
    report("swarm.votes_per_s", median([rate for rate, _ in runs]), RUNS, note)
    report("swarm.verdict_p99_ms", median([percentile(waits, 0.99) for _, waits in runs]), RUNS, "from the call with the deciding ballot to its answer, at that load")
    swarm_sizes.measure(report)


async def _one_run() -> tuple[float, list[float]]:
    async with light_fleet(VOTERS) as fleet:
        operator = fleet.operator()
        opened = await operator.execute([OpenProposal(f"change {number}", (POOL,), rule="unanimous", timeout_s=600.0) for number in range(PROPOSALS)])
        agents = [agent.spec.name for agent in fleet.coordinator.state.agents.values()]
        # The ballots of a proposal lie far apart, as those of agents that work on their own do.
        votes = ((str(proposal), agent) for agent in agents for proposal in opened.values)
        waits: list[float] = []
        began = time.perf_counter()
        await asyncio.gather(*(_vote(operator, votes, agents[-1], waits) for _ in range(CALLERS)))
        seconds = time.perf_counter() - began
        _check(fleet, [str(proposal) for proposal in opened.values])
        return VOTERS * PROPOSALS / seconds, waits


async def _vote(operator: Gate, votes: Iterator[tuple[str, str]], last: str, waits: list[float]) -> None:
    for proposal, agent in votes:
        began = time.perf_counter()
        await operator.execute([CastVote(proposal, "approve", "it is fine", 0.9, agent)])
        if agent == last:
            waits.append(1e3 * (time.perf_counter() - began))


def _check(fleet: FleetManager, proposals: list[str]) -> None:
    rounds = fleet.coordinator.state.rounds
    assert all(rounds[ProposalId(proposal)].standing is Standing.ACCEPTED for proposal in proposals)
