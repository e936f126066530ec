"""The verbs about votes; part of the table in engine.model.commands."""

from __future__ import annotations

from typing import Any

from engine.model.verbs import Command, Role, arg, verb
from engine.model.vote_words import DEPTH_MAX, Choice, Rule

CHOICES = tuple(choice.value for choice in Choice)
RULES = tuple(rule.value for rule in Rule)


@verb
class OpenProposal(Command):
    """Put something to the vote of agents and operators."""

    name = "proposal.open"
    verb = "propose"
    help = "Put something to the vote of agents and operators"
    for_agents = True
    inverse = "proposal.withdraw"

    subject: str = arg("what is proposed, in a line")
    voters: tuple[str, ...] = arg("agents, pools (their agents now), and operators as @name", default=(), completes="agents", option=True)
    text: str = arg("the whole of it", default="", option=True)
    rule: str = arg("how votes make a verdict", default=Rule.QUORUM.value, choices=RULES, option=True)
    threshold: float = arg("share that must approve; 0 = two thirds of the voters, or half of the weight", default=0.0, ge=0, le=1, option=True)
    strict: bool = arg("a threshold of 0.67 means 0.67, not two thirds", default=False, option=True)
    min_turnout: float = arg("share that must take part", default=0.5, ge=0, le=1, option=True)
    timeout_s: float = arg("how long it is open", default=300.0, ge=1, unit="s", option=True)
    may_change: bool = arg("voters may change their vote while it is open", default=True, option=True)
    vetoers: tuple[str, ...] = arg("voters whose rejection ends it", default=(), completes="agents", option=True)
    center: str = arg("voter that decides under the rule centralized, and what is left undecided with --escalates", default="", completes="agents", option=True)
    escalates: bool = arg("what is left undecided goes to the center", default=False, option=True)
    depth: int = arg("delegations that a vote may pass", default=3, ge=0, le=DEPTH_MAX, option=True)
    weights: dict[str, Any] = arg('JSON object of weights, such as {"coder-1": 2}; others have 1', default={}, option=True)
    delegates: dict[str, Any] = arg('JSON object of who speaks for whom, such as {"coder-2": "coder-1"}', default={}, option=True)
    groups: dict[str, Any] = arg('JSON object of groups, such as {"coder-1": "blue"}', default={}, option=True)
    task: str = arg("task whose result is judged", default="", completes="tasks", option=True)


@verb
class CastVote(Command):
    """Vote on a proposal as oneself; again while it is open, to change one's mind."""

    name = "proposal.vote"
    verb = "vote"
    help = "Vote on a proposal"
    for_agents = True
    irreversible = "vote again to change it, as long as the round is open"

    proposal: str = arg("proposal to vote on", completes="proposals")
    choice: str = arg("what one says to it", choices=CHOICES)
    reasoning: str = arg("why", default="", option=True)
    confidence: float = arg("how sure one is", default=1.0, ge=0, le=1, option=True)
    voter: str = arg("agent that votes, for a program that runs it; empty = who asks", default="", completes="agents", option=True)


@verb
class ExtendProposal(Command):
    """Give a round more time; one that ended undecided opens again."""

    name = "proposal.extend"
    verb = "extend"
    help = "Give a vote more time; one that ended undecided opens again"
    irreversible = "settle or withdraw it if it is not to wait that long"

    proposal: str = arg("proposal to extend", completes="proposals")
    for_s: float = arg("from now", default=300.0, ge=1, unit="s")


@verb
class SettleProposal(Command):
    """Decide a round by a casting vote: break a deadlock, or veto what is still open."""

    name = "proposal.settle"
    verb = "settle"
    help = "Decide a vote: break a deadlock, or veto it"
    role = Role.ADMIN
    irreversible = "who acted on the verdict has; propose it anew"

    proposal: str = arg("proposal to settle", completes="proposals")
    choice: str = arg("how it ends", choices=("accept", "reject", "veto"))
    why: str = arg("why, for those who voted", default="", option=True)


@verb
class WithdrawProposal(Command):
    """Take a proposal back before it is decided."""

    name = "proposal.withdraw"
    verb = "withdraw"
    help = "Take a proposal back before it is decided"
    for_agents = True
    irreversible = "propose it anew; the votes cast stay on record"

    proposal: str = arg("proposal to take back", completes="proposals")


ProposalVerb = OpenProposal | CastVote | ExtendProposal | SettleProposal | WithdrawProposal
