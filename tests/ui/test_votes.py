"""`:votes`: what is put to the vote is seen, voted on, broken when it is deadlocked; the inbox says which ones are."""

from __future__ import annotations

from typing import Any

import pytest
from engine.model.consensus_commands import CastVote, OpenProposal
from engine.model.ids import ProposalId
from engine.model.plans import Origin
from engine.model.pool_commands import ScalePool
from engine.model.vote_rows import ProposalRow
from engine.model.vote_words import Standing
from screens.forms import VerbForm
from screens.plan_dialog import PlanDialog
from screens.present import VOTE_BADGES
from screens.present_votes import quorum_bar, vote_counts
from screens.widgets.cells import ASCII, PLAIN, UNICODE

from tests.ui.conftest import Snap
from tests.ui.fleet import Fleet, Seat, sit

CONFIG = {"fleet": {"default_pools": {"reviewer": {"min": 5, "max": 9}, "coder": {"min": 2, "max": 9}}}}
PROGRAM = Origin("program", "library", "", 2)


async def say(fleet: Fleet, id_: str, choice: str, *numbers: int, reasoning: str = "", confidence: float = 1.0) -> None:
    votes = [CastVote(id_, choice, reasoning, confidence, f"reviewer-{number}") for number in numbers]
    await fleet.world.gate(PROGRAM).execute(votes)


async def propose(fleet: Fleet, subject: str, **terms: object) -> str:
    command = OpenProposal(subject, ("reviewer", f"@{fleet.gate.authority.who}"), **terms)  # type: ignore[arg-type]
    return str((await fleet.gate.execute([command])).values[0])


async def opened(fleet: Fleet, seat: Seat) -> list[str]:
    await fleet.ready()
    ids = [await propose(fleet, "merge parser: 12 files", timeout_s=600.0), await propose(fleet, "drop Python 3.10", rule="unanimous", timeout_s=900.0), await propose(fleet, "rename pool gpu")]
    await say(fleet, ids[0], "approve", 1, 2, reasoning="all tests pass", confidence=0.9)
    await say(fleet, ids[0], "reject", 3, reasoning="no test for an empty file", confidence=0.7)
    await say(fleet, ids[0], "abstain", 4)
    await say(fleet, ids[2], "approve", 1, 2, 3)
    await say(fleet, ids[2], "abstain", 4, 5)
    await fleet.gate.execute([CastVote(ids[2], "abstain")])
    fleet.clock.at += 40
    await seat.current()
    return ids


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
async def test_votes_are_seen_and_voted_on(snap: Snap, size: tuple[int, int]) -> None:
    fleet = Fleet(CONFIG)
    async with sit(fleet, size) as seat:
        ids = await opened(fleet, seat)
        await seat.open("votes")
        await seat.until(lambda: len(seat.screen.table.shown_ids) == 3)
        await snap(seat.pilot, f"votes-{size[0]}")
        await seat.until(lambda: seat.screen.table.pointed_id == ids[0])
        await seat.press("enter")
        assert "no test for an empty file" in await seat.read()
        await snap(seat.pilot, f"vote-{size[0]}")
        await seat.press("a")
        await seat.agree()
        me = f"@{fleet.gate.authority.who}"
        await seat.until(lambda: me in fleet.state.rounds[ProposalId(ids[0])].ballots)
        await seat.until(lambda: "3 for, 1 against" in seat.text)


async def test_a_deadlock_is_in_the_inbox_until_it_is_broken() -> None:
    fleet = Fleet(CONFIG)
    async with sit(fleet, (120, 40)) as seat:
        ids = await opened(fleet, seat)
        await seat.open("inbox")
        fleet.clock.at += 2  # the inbox looks once a second
        await seat.until(lambda: "deadlocked: rename pool gpu" in seat.text and "your vote: merge parser" in seat.text)
        await seat.press("end")
        await seat.until(lambda: seat.screen.table.pointed_id == ids[2])
        await seat.press("enter")
        await seat.until(lambda: seat.screen.NAME == "vote")
        await seat.press("s")
        await seat.until(lambda: isinstance(seat.app.screen, VerbForm))
        await seat.press("f2")
        await seat.agree()
        await seat.until(lambda: fleet.state.rounds[ProposalId(ids[2])].standing is Standing.ACCEPTED)
        fleet.clock.at += 2
        await seat.open("inbox")
        await seat.until(lambda: "rename pool gpu" not in seat.text)


async def test_votes_are_cast_withdrawn_and_lengthened_from_the_table() -> None:
    fleet = Fleet(CONFIG)
    async with sit(fleet, (120, 40)) as seat:
        await fleet.ready()
        first, second = await propose(fleet, "one"), await propose(fleet, "two")
        await seat.current()
        await seat.open("votes")
        await seat.until(lambda: len(seat.screen.table.shown_ids) == 2)
        await seat.press("space", "down", "space", "r")
        await seat.agree()
        await seat.until(lambda: all(round_.ballots for round_ in fleet.state.rounds.values()))
        await seat.press("m")
        await seat.agree()
        await seat.until(lambda: all(round_.notes for round_ in fleet.state.rounds.values()))
        await seat.press("x")
        await seat.agree()
        await seat.until(lambda: {fleet.state.rounds[ProposalId(id_)].standing for id_ in (first, second)} == {Standing.WITHDRAWN})
        await fleet.gate.execute([OpenProposal("three", ("reviewer",))])
        await seat.until(lambda: len(seat.screen.table.shown_ids) == 3)
        await seat.press("plus")
        await seat.until(lambda: isinstance(seat.app.screen, VerbForm))


@pytest.mark.parametrize(
    ("approve", "reject", "needed", "eligible", "shown"),
    [(0, 0, 5, 7, "----------|----"), (7, 0, 5, 7, "##########|####"), (0, 7, 5, 7, "xxxxxxxxxx|xxxx"), (4, 1, 5, 7, "########--|--xx"), (1, 0, 1, 1, "##############|")],
)
def test_the_bar_has_those_for_it_left_those_against_it_right(approve: int, reject: int, needed: int, eligible: int, shown: str) -> None:
    row = ProposalRow("prp_1", "one", "open", "quorum", approve, reject, 0, 0, needed, eligible, 0, "open", 0, 0, 0, "ada", "", "", "", "", "", "")
    assert quorum_bar(row, ASCII) == shown
    assert len(quorum_bar(row, UNICODE)) == len(shown)
    assert vote_counts(row, PLAIN) == f"{approve} for, {needed} needed, {reject} against"


def test_every_standing_has_a_badge() -> None:
    assert set(VOTE_BADGES) == set(Standing)


FOUR_EYES: dict[str, Any] = {
    "fleet": {"default_pools": {"coder": {"min": 2, "max": 9}, "reviewer": {"min": 2, "max": 3}}},
    "operations": {"guardrails": [{"name": "production", "verbs": ["scale"], "targets": ["coder"], "because": "runbook 7", "vote": {"voters": ["@ada", "@bob", "reviewer"]}}]},
}
BOB = Origin("bob", "console", "", 2)


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_a_plan_that_others_decide_on(snap: Snap, size: tuple[int, int]) -> None:
    fleet = Fleet(FOUR_EYES)
    async with sit(fleet, size) as seat:
        await fleet.ready()
        await seat.current()
        await seat.open("pools")
        seat.app.ask([ScalePool("coder", "5")])
        await seat.until(lambda: isinstance(seat.screen, PlanDialog) and seat.app.focused is not None)
        await snap(seat.pilot, f"plan-voted-{size[0]}")
        await seat.agree()
        await seat.until(lambda: bool(fleet.state.rounds))
        [id_] = fleet.state.rounds
        assert fleet.state.pools["coder"].size == 2
        await fleet.world.gate(BOB).execute([CastVote(id_, "approve", "needed for tonight")])
        await say(fleet, id_, "approve", 1)
        await fleet.until(lambda: fleet.state.rounds[id_].acted is not None)
        assert fleet.state.pools["coder"].size == 5
        fleet.clock.at += 40
        await seat.current()
        await seat.open("votes")
        await seat.press("enter")
        await seat.until(lambda: "coder 2 → 5; starts 3 agents" in seat.text)
        await snap(seat.pilot, f"vote-done-{size[0]}")


async def test_the_inbox_has_what_waits_for_my_vote_and_what_others_did_not_want() -> None:
    fleet = Fleet(FOUR_EYES)

    def is_seen(*texts: str) -> bool:
        fleet.clock.at += 2  # the inbox looks once a second
        return all(text in seat.text for text in texts)

    async with sit(fleet, (120, 40)) as seat:
        await fleet.ready()
        first = (await fleet.world.gate(BOB).execute([ScalePool("coder", "5")])).vote
        await seat.current()
        await seat.open("inbox")
        await seat.until(lambda: is_seen("your vote: scale coder 2 → 5", "bob proposes it"))
        await seat.press("enter")
        await seat.until(lambda: seat.screen.NAME == "vote")
        await seat.press("r")
        await seat.agree()
        await say(fleet, first, "reject", 1)
        await seat.until(lambda: fleet.state.rounds[ProposalId(first)].standing is Standing.REJECTED)
        await seat.open("inbox")
        await seat.until(lambda: not is_seen("scale coder"))
        mine = (await fleet.gate.execute([ScalePool("coder", "4")])).vote
        await fleet.world.gate(BOB).execute([CastVote(mine, "reject")])
        await say(fleet, mine, "reject", 1)
        await seat.until(lambda: is_seen("rejected: scale coder 2 → 4"))
