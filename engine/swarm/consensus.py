"""What a proposal's ballots amount to: one pure function for every rule.

The verdict depends on the set of ballots, not on the order in which they came, nor on how often. Shares are of all who may vote:
who does not vote counts as not for it. A round closes before its deadline as soon as enough approve, as soon as rejections alone
make approval impossible, and when nobody is left who could vote.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import replace
from math import ceil

from engine.model.consensus import Ballot, Proposal, Tally, Terms, Verdict, Voter
from engine.model.vote_words import SEED_TWO_THIRDS, TWO_THIRDS, Choice, Rule, Standing

_ROUNDING = 1e-9

Choices = Mapping[str, Choice]
"""What counts of each voter that took part, by its id."""


def needed_of(eligible: int, threshold: float, *, strict: bool = False) -> int:
    """Return how many of so many must approve: the share rounded up, at least 1; 0.67 means two thirds unless strict."""
    share = TWO_THIRDS if threshold == SEED_TWO_THIRDS and not strict else threshold
    return max(1, ceil(eligible * share - _ROUNDING))


def judge(proposal: Proposal, ballots: Iterable[Ballot], now: float, lost: Set[str] = frozenset()) -> Verdict:
    """Return how a proposal stands at an instant; `lost` are voters that are gone and will not vote."""
    choices, void = counted(proposal, ballots)
    mute = {*lost, *void} - choices.keys()
    found = replace(_COUNT[proposal.terms.rule](proposal, choices, mute), void=tuple(sorted(void)))
    vetoed = [voter for voter in proposal.terms.vetoers if choices.get(voter) is Choice.REJECT]
    if vetoed:
        return Verdict(Standing.VETOED, f"{vetoed[0]} vetoed it", found, Standing.VETOED)
    silent = found.outstanding if now < proposal.deadline else 0.0
    if _is_accepted(proposal, choices, found, silent):
        return Verdict(Standing.ACCEPTED, _for(found), found, Standing.ACCEPTED)
    if _is_blocked(proposal, choices, found):
        return Verdict(Standing.REJECTED, _against(proposal.terms, found), found, Standing.REJECTED)
    closed, because = _closed(proposal, choices, found)
    if silent:
        return Verdict(Standing.OPEN, f"{found.outstanding:g} can still vote; {_for(found)}", found, closed)
    if proposal.terms.escalates and closed in (Standing.DEADLOCKED, Standing.EXPIRED):
        return Verdict(Standing.OPEN, f"{because}; {proposal.terms.center} decides", found, closed, escalate=True)
    return Verdict(closed, because, found, closed)


def counted(proposal: Proposal, ballots: Iterable[Ballot]) -> tuple[dict[str, Choice], set[str]]:
    """Return what counts of each voter, and the voters whose ballots contradict each other; others' ballots count nothing."""
    eligible = {voter.id for voter in proposal.voters}
    kept: dict[str, Ballot] = {}
    void: set[str] = set()
    last = proposal.terms.may_change
    for ballot in sorted(ballots, key=lambda one: one.number, reverse=last):
        former = kept.setdefault(ballot.voter, ballot)
        if former.number == ballot.number and former.choice is not ballot.choice:
            void.add(ballot.voter)
    return {voter: ballot.choice for voter, ballot in kept.items() if voter in eligible - void}, void & eligible


def escalated(proposal: Proposal, now: float) -> Proposal:
    """Return the round in which the center alone decides what was left undecided."""
    terms = replace(proposal.terms, rule=Rule.CENTRALIZED, min_turnout=0.0, escalates=False)
    voters = tuple(voter for voter in proposal.voters if voter.id == terms.center)
    return replace(proposal, terms=terms, voters=voters, deadline=now + terms.timeout_s)


# ---- what each rule counts


def _plain(proposal: Proposal, choices: Choices, mute: Set[str]) -> Tally:
    voters = proposal.voters
    silent = sum(voter.id not in choices and voter.id not in mute for voter in voters)
    return _tally([(choices.get(voter.id), 1.0) for voter in voters], float(silent), _needed(len(voters), proposal.terms), proposal, len(choices))


def _needed(eligible: int, terms: Terms) -> int:
    return needed_of(eligible, terms.threshold, strict=terms.strict)


def _unanimous(proposal: Proposal, choices: Choices, mute: Set[str]) -> Tally:
    found = _plain(proposal, choices, mute)
    return replace(found, needed=max(1.0, found.eligible - found.abstain))


def _weighted(proposal: Proposal, choices: Choices, mute: Set[str]) -> Tally:
    voters = proposal.voters
    silent = sum(voter.weight for voter in voters if voter.id not in choices and voter.id not in mute)
    total = sum(voter.weight for voter in voters)
    return _tally([(choices.get(voter.id), voter.weight) for voter in voters], silent, total * proposal.terms.threshold, proposal, len(choices))


def _delegated(proposal: Proposal, choices: Choices, mute: Set[str]) -> Tally:
    chains = {voter.id: _chain(proposal, voter) for voter in proposal.voters}
    spoken = {id_: next((choices[one] for one in chain if one in choices), None) for id_, chain in chains.items()}
    silent = sum(spoken[id_] is None and any(one not in mute for one in chain) for id_, chain in chains.items())
    part = sum(choice is not None for choice in spoken.values())
    return _tally([(choice, 1.0) for choice in spoken.values()], float(silent), _needed(len(spoken), proposal.terms), proposal, part)


def _chain(proposal: Proposal, voter: Voter) -> list[str]:
    """Return a voter and those who speak for it in turn; a circle ends where it began."""
    by_id = {one.id: one for one in proposal.voters}
    chain = [voter.id]
    while len(chain) <= proposal.terms.depth:
        following = by_id[chain[-1]].delegate
        if following not in by_id or following in chain:
            break
        chain.append(following)
    return chain


def _distributed(proposal: Proposal, choices: Choices, mute: Set[str]) -> Tally:
    groups: dict[str, list[Voter]] = {}
    for voter in proposal.voters:
        groups.setdefault(voter.group, []).append(voter)
    sides: list[tuple[Choice | None, float]] = []
    open_groups = 0
    for members in groups.values():
        found = _plain(replace(proposal, voters=tuple(members)), {voter.id: choices[voter.id] for voter in members if voter.id in choices}, mute)
        side = Choice.APPROVE if found.approve >= found.needed else Choice.REJECT if found.eligible - found.reject < found.needed else None
        open_groups += side is None and found.outstanding > 0
        sides.append((side, 1.0))
    return _tally(sides, float(open_groups), _needed(len(groups), proposal.terms), proposal, len(choices))


def _centralized(proposal: Proposal, choices: Choices, mute: Set[str]) -> Tally:
    """Count the satellites' feedback; the center's own vote is looked at beside it."""
    satellites = tuple(voter for voter in proposal.voters if voter.id != proposal.terms.center)
    feedback = {voter.id: choices[voter.id] for voter in satellites if voter.id in choices}
    found = _plain(replace(proposal, voters=satellites), feedback, mute)
    waits = proposal.terms.center not in choices and proposal.terms.center not in mute
    return replace(found, outstanding=found.outstanding + waits)


_COUNT: dict[Rule, Callable[[Proposal, Choices, Set[str]], Tally]] = {
    Rule.QUORUM: _plain,
    Rule.UNANIMOUS: _unanimous,
    Rule.WEIGHTED: _weighted,
    Rule.DELEGATED: _delegated,
    Rule.DISTRIBUTED: _distributed,
    Rule.CENTRALIZED: _centralized,
}


def _tally(sides: Iterable[tuple[Choice | None, float]], silent: float, needed: float, proposal: Proposal, part: int) -> Tally:
    totals = dict.fromkeys((*Choice, None), 0.0)
    for choice, weight in sides:
        totals[choice] += weight
    turnout = max(0, ceil(len(proposal.voters) * proposal.terms.min_turnout - _ROUNDING))
    return Tally(sum(totals.values()), totals[Choice.APPROVE], totals[Choice.REJECT], totals[Choice.ABSTAIN], silent, needed, part, turnout)


# ---- what the counts mean


def _is_accepted(proposal: Proposal, choices: Choices, found: Tally, silent: float) -> bool:
    """Tell whether it is accepted, whatever those say who may still vote: `silent` of them, or their weight."""
    if found.turnout < found.turnout_needed or not proposal.voters:
        return False
    match proposal.terms.rule:
        case Rule.UNANIMOUS:
            return found.reject == 0 and found.approve >= found.needed
        case Rule.WEIGHTED:
            return found.approve > found.needed + _ROUNDING and found.approve > found.reject + silent + _ROUNDING
        case Rule.CENTRALIZED:
            return choices.get(proposal.terms.center) is Choice.APPROVE and found.reject + silent < found.needed
        case _:
            return found.approve >= found.needed


def _is_blocked(proposal: Proposal, choices: Choices, found: Tally) -> bool:
    """Tell whether rejections alone make approval impossible."""
    match proposal.terms.rule:
        case Rule.UNANIMOUS:
            return found.reject > 0
        case Rule.WEIGHTED:
            return found.eligible - found.reject < found.needed - _ROUNDING
        case Rule.CENTRALIZED:
            return choices.get(proposal.terms.center) is Choice.REJECT
        case _:
            return found.eligible - found.reject < found.needed


def _closed(proposal: Proposal, choices: Choices, found: Tally) -> tuple[Standing, str]:
    """Return the verdict, and why, of a round that closes now and is not blocked."""
    center = proposal.terms.center
    if _is_accepted(proposal, choices, found, 0.0):
        return Standing.ACCEPTED, _for(found)
    if proposal.terms.rule is Rule.CENTRALIZED and choices.get(center) is not Choice.APPROVE:
        return Standing.EXPIRED, f"{center} abstained" if center in choices else f"{center} did not vote"
    if found.turnout < found.turnout_needed:
        return Standing.EXPIRED, f"{found.turnout} took part, {found.turnout_needed} had to"
    if proposal.terms.rule is Rule.CENTRALIZED:
        return Standing.DEADLOCKED, f"{center} is for it, but {found.reject:g} of {found.eligible:g} are against"
    if found.reject > found.approve + _ROUNDING:
        return Standing.REJECTED, f"{found.reject:g} against, {found.approve:g} for"
    return Standing.DEADLOCKED, _for(found)


def _for(found: Tally) -> str:
    return f"{found.approve:g} for, {found.reject:g} against, {found.needed:g} needed of {found.eligible:g}"


def _against(terms: Terms, found: Tally) -> str:
    if terms.rule is Rule.CENTRALIZED:
        return f"{terms.center} is against it"
    return f"{found.reject:g} of {found.eligible:g} against: {found.needed:g} for it cannot be reached"
