"""What ballots amount to: each rule by example, and against an oracle that counts in another way."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest
from engine.model.consensus import Ballot, Proposal, Terms, Voter
from engine.model.ids import ProposalId
from engine.model.vote_words import Choice, Rule, Standing
from engine.simulation.vote_oracle import is_accepted
from engine.swarm.consensus import escalated, judge, needed_of
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import examples

APPROVE, REJECT, ABSTAIN = Choice.APPROVE, Choice.REJECT, Choice.ABSTAIN
LETTERS = {"+": APPROVE, "-": REJECT, "0": ABSTAIN}
OPENED, DEADLINE = 100.0, 160.0


def proposal(voters: int | tuple[Voter, ...], **terms: object) -> Proposal:
    named = voters if isinstance(voters, tuple) else tuple(Voter(f"v{number}") for number in range(voters))
    return Proposal(ProposalId("prp_1"), "merge it", "", named, Terms(**terms), "ann", OPENED, DEADLINE)  # type: ignore[arg-type]


def votes(text: str) -> list[Ballot]:
    """Return ballots of v0, v1 … by a letter each; a blank has not voted."""
    return [Ballot(f"v{number}", LETTERS[letter]) for number, letter in enumerate(text) if letter != " "]


@pytest.mark.row(140)
@pytest.mark.parametrize(
    ("eligible", "threshold", "needed"),
    [(3, 0.67, 2), (3, 0.66, 2), (3, 0.68, 3), (7, 0.67, 5), (6, 2 / 3, 4), (4, 0.5, 2), (5, 1.0, 5), (5, 0.0, 1), (1, 0.67, 1), (100, 0.29, 29)],
)
def test_a_share_is_rounded_up_and_the_seeds_share_is_two_thirds(eligible: int, threshold: float, needed: int) -> None:
    """C23."""
    assert needed_of(eligible, threshold) == needed


def test_the_seeds_share_by_the_letter_asks_three_of_three() -> None:
    assert needed_of(3, 0.67, strict=True) == 3
    assert judge(proposal(3, threshold=0.67), votes("++"), OPENED).standing is Standing.ACCEPTED
    assert judge(proposal(3, threshold=0.67, strict=True), votes("++"), DEADLINE).standing is Standing.DEADLOCKED


@pytest.mark.row(140)
@pytest.mark.parametrize(
    ("given_", "at_once", "at_deadline"),
    [
        ("", Standing.OPEN, Standing.EXPIRED),
        ("++", Standing.OPEN, Standing.EXPIRED),
        ("+++++", Standing.ACCEPTED, Standing.ACCEPTED),
        ("---", Standing.REJECTED, Standing.REJECTED),
        ("+++--", Standing.OPEN, Standing.DEADLOCKED),
        ("++++0", Standing.OPEN, Standing.DEADLOCKED),
        ("+--0", Standing.OPEN, Standing.REJECTED),
        ("++++000", Standing.DEADLOCKED, Standing.DEADLOCKED),
        ("++++---", Standing.REJECTED, Standing.REJECTED),
        ("0000000", Standing.DEADLOCKED, Standing.DEADLOCKED),
    ],
)
def test_a_quorum_is_of_all_who_may_vote(given_: str, at_once: Standing, at_deadline: Standing) -> None:
    """C24: no vote is no consensus, and who is silent is not for it."""
    round_ = proposal(7)
    assert judge(round_, votes(given_), OPENED).standing is at_once
    assert judge(round_, votes(given_), DEADLINE).standing is at_deadline


@pytest.mark.row(142)
def test_unanimous_means_everybody_voted_nobody_against_somebody_for() -> None:
    round_ = proposal(3, rule=Rule.UNANIMOUS)
    assert judge(round_, votes("+++"), OPENED).standing is Standing.ACCEPTED
    assert judge(round_, votes("+0+"), OPENED).standing is Standing.ACCEPTED
    assert judge(round_, votes("  -"), OPENED).standing is Standing.REJECTED
    assert judge(round_, votes("000"), OPENED).standing is Standing.DEADLOCKED
    assert judge(round_, votes("++"), DEADLINE).standing is Standing.DEADLOCKED


@pytest.mark.row(141)
def test_weight_counts_against_all_weight_and_a_tie_is_no_consensus() -> None:
    """C25."""
    voters = (Voter("v0", 3.0), Voter("v1", 2.0), Voter("v2", 1.0), Voter("v3", 0.0))
    round_ = proposal(voters, rule=Rule.WEIGHTED, threshold=0.5)
    tie = judge(round_, votes("+--+"), OPENED)
    assert (tie.standing, tie.tally.approve, tie.tally.reject, tie.tally.needed) == (Standing.DEADLOCKED, 3.0, 3.0, 3.0)
    assert judge(round_, votes("+ + "), OPENED).standing is Standing.ACCEPTED
    assert judge(round_, votes("+"), DEADLINE).standing is Standing.EXPIRED
    assert judge(round_, [*votes("-+++"), Ballot("stranger", APPROVE)], OPENED).standing is Standing.DEADLOCKED


@pytest.mark.row(142)
def test_a_silent_voter_is_spoken_for_by_its_delegate_and_its_own_vote_goes_first() -> None:
    voters = (Voter("v0"), Voter("v1", delegate="v0"), Voter("v2", delegate="v1"), Voter("v3", delegate="v2"), Voter("v4", delegate="v5"), Voter("v5", delegate="v4"))
    round_ = proposal(voters, rule=Rule.DELEGATED, threshold=0.5, depth=2)
    spoken = judge(round_, votes("+"), OPENED)
    assert (spoken.standing, spoken.tally.approve, spoken.tally.turnout) == (Standing.ACCEPTED, 3.0, 3), "v3 is three delegations away"
    own = judge(round_, votes("+-"), OPENED)
    assert (own.standing, own.tally.approve, own.tally.reject) == (Standing.OPEN, 1.0, 3.0), "v2 and v3 are spoken for by v1 now"
    assert judge(round_, votes("    +"), OPENED).tally.approve == 2.0, "a circle does not end in itself"


@pytest.mark.row(142)
def test_a_dead_voter_is_spoken_for_by_its_delegate() -> None:
    round_ = proposal((Voter("v0"), Voter("v1", delegate="v0")), rule=Rule.DELEGATED, threshold=1.0)
    assert judge(round_, [], OPENED, {"v1"}).tally.outstanding == 2.0
    assert judge(round_, votes("+"), OPENED, {"v1"}).standing is Standing.ACCEPTED
    assert judge(round_, [], OPENED, {"v0", "v1"}).standing is Standing.EXPIRED


@pytest.mark.row(137)
def test_what_is_left_undecided_goes_to_the_center_once() -> None:
    voters = (Voter("v0"), Voter("v1"), Voter("boss"))
    round_ = proposal(voters, rule=Rule.DELEGATED, center="boss", escalates=True, timeout_s=60.0, threshold=1.0, min_turnout=1.0)
    undecided = judge(round_, votes("++"), DEADLINE)
    assert (undecided.standing, undecided.escalate) == (Standing.OPEN, True)
    second = escalated(round_, DEADLINE)
    assert second.deadline == DEADLINE + 60
    assert judge(second, votes("++"), DEADLINE).standing is Standing.OPEN
    assert judge(second, [*votes("++"), Ballot("boss", REJECT)], DEADLINE).standing is Standing.REJECTED
    assert judge(second, [*votes("--"), Ballot("boss", APPROVE)], DEADLINE).standing is Standing.ACCEPTED
    silent = judge(second, votes("++"), second.deadline)
    assert (silent.standing, silent.escalate) == (Standing.EXPIRED, False)


@pytest.mark.row(142)
def test_distributed_is_a_quorum_of_groups_that_each_decided_by_quorum() -> None:
    voters = tuple(Voter(f"v{number}", group="abc"[number // 3]) for number in range(9))
    round_ = proposal(voters, rule=Rule.DISTRIBUTED)
    two_groups = judge(round_, votes("++-++-"), OPENED)
    assert (two_groups.standing, two_groups.tally.approve, two_groups.tally.eligible) == (Standing.ACCEPTED, 2.0, 3.0)
    assert judge(round_, votes("++++   --"), OPENED).standing is Standing.OPEN, "four of six are only one group of three"
    assert judge(round_, votes("--  -- "), OPENED).standing is Standing.REJECTED


@pytest.mark.row(138, 142)
def test_the_center_decides_unless_its_satellites_are_against() -> None:
    voters = (*(Voter(f"v{number}") for number in range(4)), Voter("hub"))
    round_ = proposal(voters, rule=Rule.CENTRALIZED, center="hub", threshold=0.5, min_turnout=0.5)
    hub = Ballot("hub", APPROVE)
    assert judge(round_, [hub], OPENED).standing is Standing.OPEN, "the feedback is not there yet"
    assert judge(round_, [hub, *votes("+-+")], OPENED).standing is Standing.OPEN, "one more against would hold it back"
    assert judge(round_, [hub, *votes("+-++")], OPENED).standing is Standing.ACCEPTED
    assert judge(round_, [hub, *votes("+-+")], DEADLINE).standing is Standing.ACCEPTED
    assert judge(round_, [hub, *votes("--++")], OPENED).standing is Standing.DEADLOCKED
    assert judge(round_, [Ballot("hub", REJECT)], OPENED).standing is Standing.REJECTED
    assert judge(round_, votes("++++"), DEADLINE).because == "hub did not vote"
    assert judge(round_, [hub, *votes("+")], DEADLINE).standing is Standing.EXPIRED


def test_a_veto_ends_the_round_whatever_the_others_say() -> None:
    round_ = proposal(5, vetoers=("v4",))
    assert judge(round_, votes("+++"), OPENED).standing is Standing.OPEN
    assert judge(round_, votes("++++-"), OPENED).standing is Standing.VETOED


def test_ballots_that_contradict_each_other_under_one_number_count_nothing() -> None:
    two_faced = [Ballot("v0", APPROVE, 2), Ballot("v0", REJECT, 2), Ballot("v0", APPROVE, 1)]
    found = judge(proposal(1), two_faced, OPENED)
    assert (found.standing, found.tally.void, found.tally.turnout) == (Standing.EXPIRED, ("v0",), 0)


def test_the_last_ballot_counts_or_the_first_where_votes_may_not_be_changed() -> None:
    changed = [Ballot("v0", APPROVE, 1), Ballot("v0", REJECT, 2)]
    assert judge(proposal(1), changed, OPENED).standing is Standing.REJECTED
    assert judge(proposal(1, may_change=False), changed, OPENED).standing is Standing.ACCEPTED


def test_voters_that_are_gone_end_the_waiting_but_not_the_count() -> None:
    round_ = proposal(3)
    assert judge(round_, votes("+"), OPENED).standing is Standing.OPEN
    gone = judge(round_, votes("+"), OPENED, {"v1", "v2"})
    assert (gone.standing, gone.tally.eligible) == (Standing.EXPIRED, 3.0)
    assert judge(round_, votes("++"), OPENED, {"v1"}).standing is Standing.ACCEPTED, "what it said before it went counts"


# ---- against an oracle

choices = st.sampled_from([APPROVE, REJECT, ABSTAIN, None])
shares = st.sampled_from([0.0, 0.25, 0.5, 0.67, 0.75, 1.0])


@st.composite
def rounds(draw: st.DrawFn) -> tuple[Proposal, list[Choice | None]]:
    count = draw(st.integers(1, 5))
    weights = draw(st.lists(st.integers(0, 4).map(float), min_size=count, max_size=count))
    voters = tuple(Voter(f"v{number}", weight, group="ab"[number % 2]) for number, weight in enumerate(weights))
    rule = draw(st.sampled_from([Rule.QUORUM, Rule.UNANIMOUS, Rule.WEIGHTED, Rule.DISTRIBUTED, Rule.CENTRALIZED]))
    round_ = proposal(voters, rule=rule, threshold=draw(shares), min_turnout=draw(shares), center="v0")
    return round_, draw(st.lists(choices, min_size=count, max_size=count))


def cast(said: list[Choice | None]) -> list[Ballot]:
    return [Ballot(f"v{number}", choice) for number, choice in enumerate(said) if choice]


@given(rounds())
def test_a_closed_round_agrees_with_the_oracle(drawn: tuple[Proposal, list[Choice | None]]) -> None:
    round_, said = drawn
    if round_.terms.rule in (Rule.DISTRIBUTED, Rule.CENTRALIZED):
        round_ = replace(round_, terms=replace(round_.terms, rule=Rule.QUORUM))
    verdict = judge(round_, cast(said), DEADLINE)
    assert (verdict.standing is Standing.ACCEPTED) == is_accepted(round_, said), verdict
    assert verdict.standing is not Standing.OPEN


@settings(max_examples=examples(600))
@given(rounds())
def test_a_round_that_closed_early_would_have_closed_so_in_any_case(drawn: tuple[Proposal, list[Choice | None]]) -> None:
    round_, said = drawn
    early = judge(round_, cast(said), OPENED)
    if early.standing not in (Standing.ACCEPTED, Standing.REJECTED) or None not in said:
        return
    for rest in product((APPROVE, REJECT, ABSTAIN, None), repeat=said.count(None)):
        filling = iter(rest)
        later = judge(round_, cast([choice or next(filling) for choice in said]), DEADLINE)
        assert later.standing is early.standing, (early, later)


@given(rounds(), st.randoms(use_true_random=False), st.lists(st.tuples(st.integers(0, 4), st.sampled_from(list(Choice)), st.integers(1, 3)), max_size=12))
def test_neither_order_nor_repetition_of_ballots_matters(drawn: tuple[Proposal, list[Choice | None]], chance: object, more: list[tuple[int, Choice, int]]) -> None:
    round_, said = drawn
    ballots = [*cast(said), *(Ballot(f"v{voter}", choice, number) for voter, choice, number in more)]
    mixed = ballots * 2
    chance.shuffle(mixed)  # type: ignore[attr-defined]
    assert judge(round_, mixed, DEADLINE) == judge(round_, ballots, DEADLINE)


@given(rounds(), st.integers(0, 4))
def test_one_more_approval_never_turns_yes_into_no(drawn: tuple[Proposal, list[Choice | None]], index: int) -> None:
    round_, said = drawn
    if index < len(said) and judge(round_, cast(said), DEADLINE).standing is Standing.ACCEPTED:
        said[index] = APPROVE
        assert judge(round_, cast(said), DEADLINE).standing is Standing.ACCEPTED
