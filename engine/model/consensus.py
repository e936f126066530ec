"""Decisions of several: what is put to the vote, by which rule, the ballots, and the verdict.

Owner: nobody; values only. Instants are seconds of the fleet clock. Weights are in the voters' own unit, shares are ratios 0..1.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from engine.model.ids import PlanId, ProposalId, TaskId
from engine.model.plans import Call, Origin, PlanStep
from engine.model.vote_words import TWO_THIRDS, Choice, Rule, Standing


@dataclass(frozen=True, slots=True)
class Voter:
    """Somebody who may vote: an agent by its id, or an operator by name."""

    id: str
    weight: float = 1.0
    """At least 0; only the rule `weighted` looks at it."""
    delegate: str = ""
    """Voter that speaks for it while it has not voted; only the rule `delegated` looks at it."""
    group: str = ""
    """Only the rule `distributed` looks at it."""


@dataclass(frozen=True, slots=True)
class Terms:
    """By what a proposal is decided."""

    rule: Rule = Rule.QUORUM
    threshold: float = TWO_THIRDS
    """Share: of the voters (quorum, delegated, distributed), of the weight (weighted: more than it), or of the feedback (centralized)."""
    min_turnout: float = 0.5
    """Share of the voters that must take part, abstentions included; of the satellites under the rule `centralized`."""
    timeout_s: float = 300.0
    may_change: bool = True
    """A later ballot of a voter replaces the former one while the round is open."""
    vetoers: tuple[str, ...] = ()
    """Whose rejection ends the round."""
    center: str = ""
    """Who decides under the rule `centralized`, and breaks what is undecided under `delegated` with escalation."""
    depth: int = 3
    """Delegations that a vote may pass under the rule `delegated`."""
    escalates: bool = False
    """An undecided round goes to `center` for another `timeout_s` by itself; otherwise an operator breaks it."""
    strict: bool = False
    """A threshold of 0.67 means 0.67; otherwise two thirds."""


@dataclass(frozen=True, slots=True)
class VotedPlan:
    """A plan that a guardrail puts to the vote: the engine carries it out, for whom it was made, if it is accepted."""

    id: PlanId
    rule: str
    """The guardrail that demands the vote."""
    origin: Origin
    """Who wants it."""
    calls: tuple[Call, ...]
    reason: str
    confirm: str
    """What they typed."""
    steps: tuple[PlanStep, ...]
    """What it said it would do, as far as plans spell it out."""
    substance: str
    """Hash of what must still be so when it is carried out."""
    passed: tuple[str, ...] = ()
    """Other guardrails whose votes have accepted it."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """What is put to the vote."""

    id: ProposalId
    subject: str
    """One line."""
    text: str
    voters: tuple[Voter, ...]
    terms: Terms
    by: str
    opened_at: float
    deadline: float
    swarm: str = ""
    task: TaskId | None = None
    """The task whose result is judged."""
    plan: VotedPlan | None = None
    """What is done if it is accepted."""


@dataclass(frozen=True, slots=True)
class Ballot:
    """A vote as it was cast. Two that differ under one number by one voter are equivocation, and neither counts."""

    voter: str
    choice: Choice
    number: int = 1
    """Counts the voter's ballots of this round from 1; the highest counts, or the lowest when votes may not be changed."""
    confidence: float = 1.0
    """0..1; shown, never counted."""
    reasoning: str = ""
    at: float = 0.0


@dataclass(frozen=True, slots=True)
class Tally:
    """What was counted, in voters or, under the rule `weighted`, in weight."""

    eligible: float = 0.0
    approve: float = 0.0
    reject: float = 0.0
    abstain: float = 0.0
    outstanding: float = 0.0
    """Of those who can still vote: not those who are lost or whose ballots contradict each other."""
    needed: float = 0.0
    """What `approve` must reach; under the rule `weighted`, exceed."""
    turnout: int = 0
    """Voters who took part."""
    turnout_needed: int = 0
    void: tuple[str, ...] = ()
    """Voters whose ballots contradict each other."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a proposal stands, and why."""

    standing: Standing
    because: str
    tally: Tally
    projected: Standing = Standing.OPEN
    """The verdict if the round closed now; the verdict itself once it is closed."""
    escalate: bool = False
    """Undecided, and the terms send it to the center."""


@dataclass(frozen=True, slots=True)
class Acted:
    """What came of an accepted plan."""

    at: float
    is_done: bool
    told: str
    """What was done, or why it was not."""
    made: tuple[str, ...] = ()
    """Ids of what it made, of the first verbs."""
    vote: str = ""
    """The vote that another guardrail demands; empty = there is none."""


@dataclass(slots=True)
class Round:
    """A proposal with what became of it so far."""

    proposal: Proposal
    ballots: dict[str, list[Ballot]] = field(default_factory=dict)
    """By voter, in the order in which they came."""
    standing: Standing = Standing.OPEN
    because: str = ""
    """Why it closed; empty while it is open."""
    closed_at: float = 0.0
    closed_by: str = ""
    """Who broke, vetoed or withdrew it; empty = the rule decided."""
    notes: list[tuple[float, str]] = field(default_factory=list)
    """What else happened to it, such as that it was extended."""
    acted: Acted | None = None
    """None = there is no plan to carry out, or it was not accepted yet."""

    @property
    def is_open(self) -> bool:
        """Tell whether it can be voted on."""
        return self.standing is Standing.OPEN

    @property
    def may_be_settled(self) -> bool:
        """Tell whether somebody may still decide it by a casting vote: it is open, or ended undecided."""
        return self.standing in (Standing.OPEN, Standing.DEADLOCKED, Standing.EXPIRED)

    @property
    def is_to_be_done(self) -> bool:
        """Tell whether its plan is accepted and not carried out."""
        return self.proposal.plan is not None and self.standing is Standing.ACCEPTED and self.acted is None

    def all_ballots(self) -> list[Ballot]:
        """Return the ballots of everybody."""
        return [ballot for ballots in self.ballots.values() for ballot in ballots]
