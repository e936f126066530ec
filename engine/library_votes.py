"""Votes for programs that embed the engine: put something to the vote of agents and operators, and count what was said.

Owner: nobody; votes are the fleet's. All acts are verbs through the gate: authorised, audited.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any

from engine.coordinator.rounds import find_round
from engine.gate.seed_swarms import result_of, vote_count, weight_distribution
from engine.library import Manager
from engine.model.consensus_commands import OpenProposal
from engine.model.errors import UsageError
from engine.model.swarm_shapes import ConsensusResult, VoteCount, WeightDistribution
from engine.model.verbs import Command

LOOKS_EVERY_S = 0.05
"""How often a program that waits for something looks."""


class Voting(Manager):
    """What a program asks of others by vote."""

    async def propose_decision(self, subject: str, voters: Iterable[str], **settings: Any) -> ConsensusResult:  # noqa: ANN401  # arguments of the verb
        """Put something to the vote and return what came of it, at its deadline at the latest; settings are those of `propose`.

        Voters are agents, pools, and operators as `@name`. Cancelling it leaves the vote open. Raises FleetError.
        """
        id_ = str(await self._do(OpenProposal(subject, tuple(voters), **checked(OpenProposal, settings))))
        while find_round(self.fleet.coordinator.state, id_).is_open:
            await self.fleet.clock.sleep(LOOKS_EVERY_S)
        return result_of(find_round(self.fleet.coordinator.state, id_))

    async def collect_votes(self, proposal: str) -> VoteCount:
        """Return how many voters are for and against a proposal by now. Raises NotFound."""
        return vote_count(find_round(self.fleet.coordinator.state, proposal))

    async def collect_weighted_votes(self, proposal: str) -> WeightDistribution:
        """Return how much weight is for and against a proposal by now. Raises NotFound."""
        return weight_distribution(find_round(self.fleet.coordinator.state, proposal))

    async def _do(self, command: Command) -> object:
        return (await self.fleet.operator().execute([command])).values[0]


def checked(kind: type[Command], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return arguments of a verb. Raises UsageError for what it does not take."""
    known = [spec.name for spec in fields(kind)]
    unknown = [name for name in settings if name not in known]
    if unknown:
        raise UsageError(f"{kind.verb} takes no {', '.join(unknown)}; it takes {', '.join(known)}")
    return dict(settings)
