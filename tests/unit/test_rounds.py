"""Votes in a fleet: who may vote, what closes a round, and who breaks it."""

from __future__ import annotations

from typing import Any

import pytest
from engine.coordinator import rounds
from engine.coordinator.rounds import find_round, lost_voters
from engine.gate.votes import in_full, proposal_row
from engine.model.agent_commands import UnregisterAgent
from engine.model.consensus import Round
from engine.model.consensus_commands import (
    CastVote,
    ExtendProposal,
    OpenProposal,
    SettleProposal,
    WithdrawProposal,
)
from engine.model.errors import CommandRefused, Denied, FleetError, NotFound, UsageError
from engine.model.fleet_commands import UndoPlan
from engine.model.plans import Origin
from engine.model.vote_words import ROUNDS_MAX, Standing
from engine.simulation.loop import run_virtual
from engine.simulation.world import World, instant_success

ADA, BEN = Origin("ada", "console", "", 2), Origin("ben", "cli", "", 1)
PROGRAM = Origin("program", "library", "", 2)
CONFIG = {"fleet": {"default_pools": {"reviewer": {"min": 7, "max": 9}}}}


def live(story: Any, seed: int = 1) -> None:
    async def run() -> None:
        world = World(CONFIG, seed, hosts=2, work=instant_success)
        async with world.running():
            await world.until(lambda: world.state.totals.by_status.get("idle", 0) == 7)
            await story(world)
            world.coordinator.check()

    run_virtual(run())


async def opened(world: World, *voters: str, **terms: Any) -> str:
    return str((await world.gate(BEN).execute([OpenProposal("merge it", voters or ("reviewer",), **terms)])).values[0])


async def vote(world: World, id_: str, choice: str, *names: str, **more: Any) -> None:
    await world.gate(PROGRAM).execute([CastVote(id_, choice, voter=name, **more) for name in names])


def round_of(world: World, id_: str) -> Round:
    return find_round(world.state, id_)


def names(*numbers: int) -> list[str]:
    return [f"reviewer-{number}" for number in numbers]


def test_a_round_closes_when_enough_approve_and_says_who_said_what() -> None:
    async def story(world: World) -> None:
        id_ = await opened(world, timeout_s=60.0)
        await vote(world, id_, "approve", *names(1, 2, 3, 4), reasoning="tests pass", confidence=0.9)
        await vote(world, id_, "reject", "reviewer-5")
        row = proposal_row(world.state, round_of(world, id_), world.clock.now())
        assert (row.state, row.approve, row.reject, row.needed, row.outstanding, row.projected) == ("open", 4, 1, 5, 2, "deadlocked")
        await vote(world, id_, "approve", "reviewer-6")
        full = in_full(world.state, id_, world.clock.now())
        assert (full["state"], full["reason"]) == ("accepted", "5 for, 1 against, 5 needed of 7")
        first = full["voters"][0]
        assert (first["name"], first["choice"], first["ballots"][0]["reasoning"], first["ballots"][0]["confidence"]) == ("reviewer-1", "approve", "tests pass", 0.9)
        with pytest.raises(CommandRefused, match="is accepted: 5 for"):
            await vote(world, id_, "reject", "reviewer-7")

    live(story)


def test_only_so_many_rounds_are_open_and_one_more_is_refused_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "OPEN_MAX", 3)

    async def story(world: World) -> None:
        first, _ = await opened(world, timeout_s=5.0), await opened(world)
        with pytest.raises(CommandRefused, match="2 votes are open and 3 may be; vote on them, settle or withdraw some, or wait"):
            await world.gate(BEN).execute([OpenProposal("merge it", ("reviewer",)) for _ in range(2)])
        await opened(world)
        with pytest.raises(CommandRefused, match="3 votes are open"):
            await world.gate(BEN).plan([OpenProposal("merge it", ("reviewer",))])
        await world.clock.sleep(6)
        assert round_of(world, first).standing is Standing.EXPIRED
        last = await opened(world)
        with pytest.raises(CommandRefused, match="3 votes are open"):
            await world.gate(BEN).execute([ExtendProposal(first, 60.0)])
        await world.gate(BEN).execute([WithdrawProposal(last)])
        await world.gate(BEN).execute([ExtendProposal(first, 60.0)])

    live(story)


def test_time_closes_a_round_and_says_so() -> None:
    async def story(world: World) -> None:
        silent, split = await opened(world, timeout_s=30.0), await opened(world, timeout_s=30.0)
        await vote(world, split, "approve", *names(1, 2, 3))
        await vote(world, split, "reject", *names(4, 5))
        await world.clock.sleep(31)
        assert (round_of(world, silent).standing, round_of(world, silent).because) == (Standing.EXPIRED, "0 took part, 4 had to")
        assert round_of(world, split).standing is Standing.DEADLOCKED
        assert round_of(world, split).closed_at == pytest.approx(round_of(world, split).proposal.deadline, abs=0.5)

    live(story)


def test_an_admin_breaks_a_deadlock_or_gives_it_more_time_and_an_operator_may_not() -> None:
    async def story(world: World) -> None:
        first, second = await opened(world, timeout_s=10.0), await opened(world, timeout_s=10.0)
        for id_ in (first, second):
            await vote(world, id_, "approve", *names(1, 2, 3, 4))
        await world.clock.sleep(11)
        assert round_of(world, first).standing is Standing.DEADLOCKED
        with pytest.raises(Denied, match="needs the role admin"):
            await world.gate(BEN).execute([SettleProposal(first, "accept")])
        await world.gate(ADA).execute([SettleProposal(first, "accept", "the fifth is on leave")])
        settled = round_of(world, first)
        assert (settled.standing, settled.closed_by, settled.because) == (Standing.ACCEPTED, "ada", "the fifth is on leave")
        await world.gate(BEN).execute([ExtendProposal(second, 60.0)])
        assert round_of(world, second).notes[-1][1] == "extended by ben"
        await vote(world, second, "approve", "reviewer-5")
        assert round_of(world, second).standing is Standing.ACCEPTED
        with pytest.raises(CommandRefused, match="is accepted"):
            await world.gate(ADA).execute([SettleProposal(second, "veto")])

    live(story)


def test_one_votes_as_oneself() -> None:
    async def story(world: World) -> None:
        id_ = await opened(world, "@ada", "@ben", "reviewer-1")
        with pytest.raises(CommandRefused, match="one votes as oneself"):
            await world.gate(ADA).execute([CastVote(id_, "approve", voter="reviewer-1")])
        with pytest.raises(CommandRefused, match="one votes as oneself"):
            await world.gate(Origin("alert:mine", "engine", "", 2)).execute([CastVote(id_, "approve", voter="reviewer-1")])
        with pytest.raises(CommandRefused, match="@eve may not vote"):
            await world.gate(Origin("eve", "cli", "", 2)).execute([CastVote(id_, "approve")])
        with pytest.raises(CommandRefused, match="may not vote"):
            await vote(world, id_, "approve", "reviewer-2")
        agent = world.state.agent_ids["reviewer-1"]
        with pytest.raises(CommandRefused, match="may not vote"):
            await world.gate(Origin(agent, "cli", "", 2)).execute([CastVote(id_, "approve")])
        await world.gate(ADA).execute([CastVote(id_, "approve")])
        await world.gate(ADA).execute([CastVote(id_, "reject", "on second thoughts")])
        await world.gate(BEN).execute([CastVote(id_, "reject")])
        assert round_of(world, id_).standing is Standing.REJECTED
        assert [ballot.number for ballot in round_of(world, id_).ballots["@ada"]] == [1, 2]

    live(story)


def test_votes_that_may_not_be_changed_are_not() -> None:
    async def story(world: World) -> None:
        id_ = await opened(world, may_change=False)
        await vote(world, id_, "approve", "reviewer-1")
        with pytest.raises(CommandRefused, match="votes may not be changed there"):
            await vote(world, id_, "reject", "reviewer-1")

    live(story)


def test_a_voter_that_leaves_is_waited_for_no_more() -> None:
    async def story(world: World) -> None:
        id_ = await opened(world, "reviewer-1", "reviewer-2", rule="unanimous", timeout_s=3_000.0)
        await vote(world, id_, "approve", "reviewer-1")
        await world.gate(ADA).execute([UnregisterAgent("reviewer-2")])
        await world.until(lambda: not round_of(world, id_).is_open, 5)
        assert round_of(world, id_).standing is Standing.DEADLOCKED
        assert lost_voters(world.state, round_of(world, id_).proposal)

    live(story)


def test_what_is_undecided_goes_to_its_center() -> None:
    async def story(world: World) -> None:
        id_ = await opened(world, rule="delegated", center="reviewer-7", escalates=True, timeout_s=20.0, delegates={"reviewer-2": "reviewer-1"})
        await vote(world, id_, "approve", "reviewer-1")
        await world.clock.sleep(21)
        assert round_of(world, id_).is_open
        assert world.state.agent_ids["reviewer-7"] in round_of(world, id_).notes[0][1]
        await vote(world, id_, "approve", "reviewer-7")
        assert round_of(world, id_).standing is Standing.ACCEPTED

    live(story)


@pytest.mark.row(137)
def test_a_center_that_has_voted_decides_at_once_and_one_that_abstained_is_asked_again() -> None:
    terms: dict[str, Any] = {"rule": "delegated", "center": "reviewer-7", "escalates": True, "timeout_s": 20.0}

    async def story(world: World) -> None:
        decided, open_ = await opened(world, **terms), await opened(world, **terms)
        await vote(world, decided, "approve", "reviewer-7")
        await vote(world, open_, "abstain", "reviewer-7")
        await world.clock.sleep(21)
        assert round_of(world, decided).standing is Standing.ACCEPTED
        assert len(round_of(world, decided).notes) == 1
        assert round_of(world, open_).is_open
        await vote(world, open_, "reject", "reviewer-7")
        assert round_of(world, open_).standing is Standing.REJECTED

    live(story)


@pytest.mark.parametrize(
    ("given_", "said"),
    [
        ({"voters": ()}, "nobody may vote"),
        ({"voters": ("nobody",)}, "no agent or pool 'nobody'"),
        ({"voters": ("reviewer",), "rule": "centralized"}, "name the voter that decides"),
        ({"voters": ("reviewer-1",), "center": "reviewer-2"}, "'reviewer-2' is not one of the voters"),
        ({"voters": ("reviewer",), "weights": {"reviewer-1": "much"}}, "give a number"),
        ({"voters": ("reviewer",), "weights": {"reviewer-1": float("nan")}}, "give a number"),
        ({"voters": ("reviewer-1",), "rule": "weighted", "weights": {"reviewer-1": 0}}, "no voter has any weight"),
        ({"voters": ("reviewer",), "task": "tsk_none"}, "no task 'tsk_none'"),
    ],
)
def test_terms_that_make_no_sense_are_refused(given_: dict[str, Any], said: str) -> None:
    async def story(world: World) -> None:
        with pytest.raises((NotFound, UsageError), match=said):
            await world.gate(BEN).execute([OpenProposal("merge it", **given_)])
        assert not world.state.rounds

    live(story)


def test_a_proposal_is_taken_back_by_undo_until_it_is_decided() -> None:
    async def story(world: World) -> None:
        gate = world.gate(BEN)
        first = await gate.execute([OpenProposal("merge it", ("@ben",))])
        await gate.execute([UndoPlan(first.plan)])
        assert round_of(world, str(first.values[0])).standing is Standing.WITHDRAWN
        second = await gate.execute([OpenProposal("merge it", ("@ben",))])
        await gate.execute([CastVote(str(second.values[0]), "approve")])
        with pytest.raises(FleetError):
            await gate.execute([WithdrawProposal(str(second.values[0]))])

    live(story)


def test_rounds_that_ended_are_kept_up_to_a_number() -> None:
    async def story(world: World) -> None:
        ids = [str(value) for value in (await world.gate(BEN).execute([OpenProposal(f"{n}", ("@ben",)) for n in range(ROUNDS_MAX + 5)])).values]
        for id_ in ids:
            await world.gate(BEN).execute([CastVote(id_, "approve")])
        assert len(world.state.rounds) == ROUNDS_MAX
        assert list(world.state.rounds) == ids[5:]

    live(story)
