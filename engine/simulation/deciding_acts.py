"""What agents and operators decide together in a simulated fleet, chosen by a seed: votes, swarms, their messages and objectives."""

from __future__ import annotations

import random  # noqa: TID251  # seeded
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

from engine.model.consensus_commands import (
    CHOICES,
    CastVote,
    ExtendProposal,
    OpenProposal,
    SettleProposal,
    WithdrawProposal,
)
from engine.model.plans import Origin
from engine.model.swarm_commands import (
    CreateSwarm,
    EditSwarm,
    EndSwarm,
    GiveObjective,
    PauseSwarm,
    SendMessage,
    StopSession,
    UnpauseSwarm,
)
from engine.model.swarm_words import AUTO, SHAPES, Inputs, Priority
from engine.model.verbs import Command
from engine.model.vote_words import Rule
from engine.simulation.vote_oracle import COUNTED
from engine.simulation.world import World

PROGRAM = Origin("program", "library", "", 2)
"""Speaks for every agent: it embeds the engine."""
VOTERS = 7
SWARMS_MAX = 4
"""Swarms that run at once; more would share so few agents that none gets anywhere."""
_TIMEOUTS = (1.0, 5.0, 15.0)


class Do(Protocol):
    """Carries verbs out, for whoever the simulation chooses or for somebody in particular; a refusal is no failure."""

    def __call__(self, commands: Sequence[Command], confirm: str = "", origin: Origin | None = None) -> Awaitable[Sequence[object]]:
        """Return what the verbs answered; nothing if they were refused."""
        ...


class DecidingActs:
    """Acts about votes and swarms on one life of a world."""

    def __init__(self, world: World, chance: random.Random, do: Do) -> None:
        self._world = world
        self._chance = chance
        self._do = do
        self.acts: Sequence[tuple[int, Callable[[], Awaitable[None]]]] = (
            (6, self._propose),
            (20, self._vote),
            (2, self._settle),
            (1, self._withdraw),
            (1, self._extend),
            (6, self._create),
            (2, self._change),
            (1, self._end),
            (8, self._give),
            (1, self._stop),
            (3, self._send),
        )

    # ---- votes

    async def _propose(self) -> None:
        chance, names = self._chance, self._names()
        voters = chance.sample(names, min(VOTERS, len(names)))
        if not voters:
            return
        rule = chance.choice(sorted(COUNTED))
        terms: dict[str, Any] = {"weights": {voters[0]: chance.choice((0, 2, 5))}} if rule is Rule.WEIGHTED else {}
        await self._do([
            OpenProposal(
                "merge it", tuple(voters), rule=rule.value, threshold=chance.choice((0.5, 0.67)), timeout_s=chance.choice(_TIMEOUTS),
                may_change=chance.random() < 0.7, vetoers=tuple(voters[:1] if chance.random() < 0.3 else ()), **terms,  # noqa: PLR2004
            )
        ])  # fmt: skip

    async def _vote(self) -> None:
        """Several vote at once, some of them twice, on a round that may just have ended."""
        open_ones = [str(id_) for id_, round_ in self._world.state.rounds.items() if round_.is_open]
        if known := open_ones if self._chance.random() < 0.9 else self._rounds(5):  # noqa: PLR2004
            proposal, chance = self._chance.choice(known), self._chance
            round_ = self._world.state.rounds[proposal]  # type: ignore[index]
            voters = chance.choices([voter.id for voter in round_.proposal.voters], k=chance.randint(1, 4))
            liked = chance.choice(CHOICES)
            for voter in voters:
                choice = liked if chance.random() < 0.7 else chance.choice(CHOICES)  # noqa: PLR2004
                await self._do([CastVote(proposal, choice, voter=voter, confidence=chance.random())], origin=PROGRAM)

    async def _settle(self) -> None:
        if known := self._rounds(10):
            await self._do([SettleProposal(self._chance.choice(known), self._chance.choice(("accept", "reject", "veto")))])

    async def _withdraw(self) -> None:
        if known := self._rounds(10):
            await self._do([WithdrawProposal(self._chance.choice(known))])

    async def _extend(self) -> None:
        if known := self._rounds(10):
            await self._do([ExtendProposal(self._chance.choice(known), self._chance.choice(_TIMEOUTS))])

    def _rounds(self, newest: int) -> list[str]:
        return [str(id_) for id_ in list(self._world.state.rounds)[-newest:]]

    # ---- swarms

    async def _create(self) -> None:
        chance, names = self._chance, self._names()
        if names and sum(not swarm.is_over for swarm in self._world.state.swarming.swarms.values()) < SWARMS_MAX:
            members = chance.sample(names, min(len(names), chance.choice((1, 2, 4, 7, 9))))
            inputs = chance.choice([policy.value for policy in Inputs])
            await self._do([CreateSwarm(f"swarm-{chance.randint(1, 12)}", tuple(members), topology=chance.choice(SHAPES), vote_timeout_s=4.0, inputs=inputs)])

    async def _change(self) -> None:
        if known := self._swarms():
            swarm, names = self._chance.choice(known), self._names()
            members = tuple(self._chance.sample(names, min(len(names), 5)))
            edits = (EditSwarm(swarm, members=members), EditSwarm(swarm, topology=self._chance.choice(SHAPES)), PauseSwarm(swarm), UnpauseSwarm(swarm))
            await self._do([self._chance.choice(edits)])

    async def _end(self) -> None:
        if known := self._swarms():
            swarm = self._world.state.swarming.named(self._chance.choice(known))
            assert swarm is not None
            await self._do([EndSwarm(swarm.id)], confirm=swarm.name)

    async def _give(self) -> None:
        chance = self._chance
        swarm = chance.choice((AUTO, *self._swarms() * 2))
        terms = {"timeout_s": chance.choice((5.0, 20.0)), "patience_s": chance.choice((0.0, 2.0)), "budget_tasks": chance.choice((4, 40))}
        parts = tuple(f"part {number}" for number in range(chance.choice((1, 2, 5))))
        steps = {"review": "review" if chance.random() < 0.7 else "", "integrate": "noop" if chance.random() < 0.3 else ""}  # noqa: PLR2004
        await self._do([GiveObjective(swarm, "ship it", work="noop", parts=parts, **steps, **terms)])  # type: ignore[arg-type]

    async def _stop(self) -> None:
        if known := [str(id_) for id_, session in self._world.state.swarming.sessions.items() if not session.is_over]:
            await self._do([StopSession(self._chance.choice(known))], confirm="yes")

    async def _send(self) -> None:
        if known := self._swarms():
            swarm, chance = self._world.state.swarming.named(self._chance.choice(known)), self._chance
            assert swarm is not None
            if members := swarm.topology.members:
                message = SendMessage(swarm.id, "opinion", target=chance.choice(("", *members)), priority=chance.choice(list(Priority)).value, ttl_s=chance.choice(_TIMEOUTS), source=chance.choice(members))
                await self._do([message], origin=PROGRAM)

    def _swarms(self) -> list[str]:
        return [str(id_) for id_, swarm in self._world.state.swarming.swarms.items() if not swarm.is_over]

    def _names(self) -> list[str]:
        return [agent.spec.name for agent in self._world.state.agents.values()]
