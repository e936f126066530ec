"""Carries out the plans that votes have accepted, for whom they were made and one after the other.

Owner: `VotedPlans`, of the votes that it has yet to look at. What became of a plan is in the same commit as what it did, so that an
engine that is killed goes on where it was: nothing is done twice, and nothing that was accepted is forgotten.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from engine.clock import Clock
from engine.coordinator import Coordinator
from engine.gate import Gate
from engine.model.consensus import Acted, Round
from engine.model.consensus_events import ProposalActed
from engine.model.errors import FleetError, ReadOnly
from engine.model.events import Record
from engine.model.ids import ProposalId
from engine.model.plans import Origin
from engine.state import Touched

logger = logging.getLogger(__name__)

AGAIN_S = 1.0
"""Until a plan is tried again that could not be written down."""


class VotedPlans:
    """Acts on verdicts."""

    def __init__(self, coordinator: Coordinator, operator: Callable[[Origin], Gate], clock: Clock) -> None:
        self._coordinator = coordinator
        self._operator = operator
        self._clock = clock
        self._touched = dict.fromkeys(coordinator.state.rounds)
        self._work = asyncio.Event()
        coordinator.add_publisher(self.publish, mirrors=True)

    def publish(self, records: Sequence[Record], touched: Touched) -> None:  # noqa: ARG002  # what changed is enough
        """Take note of the votes that a commit touched."""
        self._touched.update(touched.rounds)
        if touched.rounds:
            self._work.set()

    async def run(self) -> None:
        """Carry out what is accepted until cancelled."""
        while True:
            while self._touched:
                id_ = next(iter(self._touched))
                await self._look(id_)
            self._work.clear()
            await self._work.wait()

    async def _look(self, id_: ProposalId) -> None:
        """Carry out a plan if its vote has accepted it. Cancelling it leaves it to the next engine."""
        del self._touched[id_]  # a plan that crashes this part is left to the next engine, and does not crash it again
        round_ = self._coordinator.state.rounds.get(id_)
        if round_ is None or not round_.is_to_be_done:
            return
        try:
            await self._carry_out(round_)
        except ReadOnly:
            await self._clock.sleep(AGAIN_S)
            self._touched[id_] = None

    async def _carry_out(self, round_: Round) -> None:
        """Carry out a plan. Raises ReadOnly."""
        proposal = round_.proposal
        assert proposal.plan is not None
        try:
            answer = await self._operator(proposal.plan.origin).execute_voted(proposal, round_.because)
            logger.info("a plan that was voted on is done", extra={"vote": proposal.id, "summary": answer.summary})
        except ReadOnly:
            raise
        except FleetError as error:
            logger.warning("a plan that was accepted cannot be done", extra={"vote": proposal.id, "reason": str(error)})
            if round_.is_to_be_done:  # the gate notes refusals with the vote
                acted = Acted(self._clock.now(), is_done=False, told=str(error))
                await self._coordinator.record([ProposalActed(proposal.id, acted)], proposal.plan.origin)
