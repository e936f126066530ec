"""Many votes at once, with voters that answer late, twice or die, and an engine that is killed: each ends as its ballots say."""

from __future__ import annotations

import contextlib
import random
from typing import Any

from engine.model.agent_commands import UnregisterAgent
from engine.model.consensus import Round
from engine.model.consensus_commands import OpenProposal
from engine.model.errors import FleetError
from engine.model.vote_words import Choice, Rule, Standing
from engine.simulation.loop import run_virtual
from engine.simulation.vote_oracle import is_accepted, said_by
from engine.simulation.world import World, instant_success
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import examples
from tests.unit.test_rounds import ADA, BEN, CONFIG, vote

PLAIN = (Rule.QUORUM, Rule.UNANIMOUS, Rule.WEIGHTED)
KEEP_EVERY = 10
LATE_S = 1.0
"""After its deadline; the timer's own grain."""


class Assembly:
    """A fleet whose agents vote at random."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.world = World(CONFIG, seed, hosts=2, work=instant_success)
        self.opened: set[str] = set()
        self.ended: dict[str, Round] = {}
        """As they stood when they had ended; the engine keeps the newest only."""

    async def live(self, proposals: int) -> None:
        """Go on until so many more proposals were opened; then the engine is killed."""
        chance, world = self.chance, self.world
        wanted = len(self.opened) + proposals
        async with world.running():
            await world.until(lambda: world.state.totals.by_status.get("idle", 0) >= 7)
            while len(self.opened) < wanted:
                await world.clock.sleep(chance.expovariate(20))
                dice = chance.random()
                await (self._open() if dice < 0.1 else self._lose() if dice < 0.11 else self._vote())
                if len(self.opened) % KEEP_EVERY == 0:
                    self.keep_ended()
        await world.reborn()

    def keep_ended(self) -> None:
        """Remember the votes that have ended, before the engine forgets them."""
        self.ended |= {id_: round_ for id_, round_ in self.world.state.rounds.items() if not round_.is_open and id_ not in self.ended}

    async def _open(self) -> None:
        chance = self.chance
        rule = chance.choice(PLAIN)
        terms: dict[str, Any] = {"weights": {next(iter(self._names())): chance.choice([0, 2, 5])}} if rule is Rule.WEIGHTED else {}
        command = OpenProposal("merge it", ("reviewer",), rule=rule.value, threshold=chance.choice([0.5, 0.67]), timeout_s=chance.uniform(1, 40), **terms)
        self.opened.add(str((await self.world.gate(BEN).execute([command])).values[0]))

    async def _vote(self) -> None:
        open_ids = [id_ for id_, round_ in self.world.state.rounds.items() if round_.is_open]
        if open_ids:
            # It may close in the midst, or one of them was not there when it was opened.
            with contextlib.suppress(FleetError):
                await vote(self.world, self.chance.choice(open_ids), self.chance.choice(list(Choice)), *self.chance.choices(self._names(), k=self.chance.randrange(1, 4)))

    async def _lose(self) -> None:
        name = self.chance.choice(self._names())
        await self.world.gate(ADA).execute([UnregisterAgent(name)], confirm=name)

    def _names(self) -> list[str]:
        return [agent.spec.name for agent in self.world.state.agents.values()]

    def check(self) -> None:
        """Every vote has ended by its deadline, as the oracle counts what was cast, and no ballot is there twice."""
        self.keep_ended()
        assert set(self.ended) == self.opened
        assert not any(round_.is_open for round_ in self.world.state.rounds.values())
        for round_ in self.ended.values():
            assert round_.closed_at <= round_.proposal.deadline + LATE_S, round_
            assert (round_.standing is Standing.ACCEPTED) == is_accepted(round_.proposal, said_by(round_.proposal, round_.ballots)), round_
            assert all(len({ballot.number for ballot in cast}) == len(cast) for cast in round_.ballots.values())


async def assembled(seed: int, proposals: int, kills: int) -> Assembly:
    """Return who has voted on so many proposals to the end, with an engine that was killed so often."""
    assembly = Assembly(seed)
    for _ in range(kills):
        await assembly.live(proposals // kills)
    async with assembly.world.running():
        await assembly.world.clock.sleep(40 + LATE_S)
        assembly.check()
    return assembly


@given(st.integers(0, 2**32))
@settings(max_examples=examples(15), deadline=None)
def test_every_vote_of_many_ends_as_its_ballots_say(seed: int) -> None:
    """The seed replays it: 70 proposals an example, the engine killed twice."""
    run_virtual(assembled(seed, 70, 2))


@given(st.integers(0, 2**32))
@settings(max_examples=examples(5), deadline=None)
def test_a_vote_that_time_ends_ends_at_its_deadline(seed: int) -> None:

    async def story() -> None:
        assembly = Assembly(seed)
        async with assembly.world.running():
            await assembly.world.until(lambda: assembly.world.state.totals.by_status.get("idle", 0) >= 7)
            for _ in range(20):
                await assembly._open()
            await assembly.world.clock.sleep(40 + LATE_S)
            for round_ in assembly.world.state.rounds.values():
                assert round_.proposal.deadline <= round_.closed_at <= round_.proposal.deadline + LATE_S

    run_virtual(story())
