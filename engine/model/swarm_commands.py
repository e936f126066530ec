"""The verbs about swarms; part of the table in engine.model.commands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from engine.model.consensus_commands import RULES
from engine.model.swarm_words import AUTO, SHAPES, Inputs, Priority
from engine.model.verbs import Command, Danger, arg

_INPUTS = tuple(policy.value for policy in Inputs)
_PRIORITIES = tuple(priority.value for priority in Priority)
_RULES = (AUTO, *RULES)


@dataclass(frozen=True, slots=True)
class CreateSwarm(Command):
    """Link agents, so that they speak with each other, and take objectives together."""

    name = "swarm.create"
    verb = "create-swarm"
    help = "Make a swarm of agents"
    inverse = "swarm.end"

    swarm: str = arg("its name")
    members: tuple[str, ...] = arg("agents, and pools (their agents now)", default=(), completes="agents", option=True)
    topology: str = arg("how they are linked; auto = by their number", default=AUTO, choices=SHAPES, option=True)
    rule: str = arg("how it votes; auto = as suits the topology", default=AUTO, choices=_RULES, option=True)
    threshold: float = arg("share that must approve; 0 = two thirds of the voters, or half of the weight", default=0.0, ge=0, le=1, option=True)
    vote_timeout_s: float = arg("how long a vote is open", default=300.0, ge=1, unit="s", option=True)
    inputs: str = arg("an objective that comes while it works on another one", default=Inputs.ENQUEUE.value, choices=_INPUTS, option=True)


@dataclass(frozen=True, slots=True)
class EditSwarm(Command):
    """Change members, links or votes of a swarm while it runs; what is not named stays as it is."""

    name = "swarm.edit"
    verb = "edit-swarm"
    help = "Change a swarm while it runs"
    inverse = "swarm.edit"

    swarm: str = arg("swarm to change", completes="swarms")
    topology: str = arg("how its members are linked", default="", choices=("", *SHAPES), option=True)
    members: tuple[str, ...] = arg("all of its members from now on", default=(), completes="agents", option=True)
    rule: str = arg("how it votes", default="", choices=("", *_RULES), option=True)
    threshold: float = arg("share that must approve; -1 = as it is", default=-1.0, ge=-1, le=1, option=True)
    vote_timeout_s: float = arg("how long a vote is open; 0 = as it is", default=0.0, ge=0, unit="s", option=True)
    inputs: str = arg("an objective that comes while it works on another one", default="", choices=("", *_INPUTS), option=True)


@dataclass(frozen=True, slots=True)
class PauseSwarm(Command):
    """Have a swarm begin nothing new; what runs goes on to its end, and messages still go."""

    name = "swarm.pause"
    verb = "pause-swarm"
    help = "Have a swarm begin nothing new"
    inverse = "swarm.unpause"

    swarm: str = arg("swarm to pause", completes="swarms")


@dataclass(frozen=True, slots=True)
class UnpauseSwarm(Command):
    """Have a paused swarm go on."""

    name = "swarm.unpause"
    verb = "unpause-swarm"
    help = "Have a paused swarm go on"
    inverse = "swarm.pause"

    swarm: str = arg("swarm to go on", completes="swarms")


@dataclass(frozen=True, slots=True)
class EndSwarm(Command):
    """End a swarm; its agents stay in the fleet."""

    name = "swarm.end"
    verb = "end-swarm"
    help = "End a swarm; its agents stay"
    danger = Danger.DESTRUCTIVE
    irreversible = "create it anew; its notes stay on record"

    swarm: str = arg("swarm to end", completes="swarms")
    why: str = arg("why, for those who look at it later", default="", option=True)


@dataclass(frozen=True, slots=True)
class SendMessage(Command):
    """Send a message to a member of a swarm, or to all of them, over its links; it waits until it is taken."""

    name = "swarm.send"
    verb = "send"
    help = "Send a message to members of a swarm"
    for_agents = True
    irreversible = "send another one; what was sent may have been read"

    swarm: str = arg("swarm that carries it", completes="swarms")
    type: str = arg("what kind of message, such as task_assignment")
    target: str = arg("member that gets it; empty = all of them", default="", completes="agents", option=True)
    payload: dict[str, Any] = arg("JSON object", default={}, option=True)
    priority: str = arg("how urgent it is", default=Priority.NORMAL.value, choices=_PRIORITIES, option=True)
    ttl_s: float = arg("given up when nobody took it within; 0 = never", default=3_600.0, ge=0, unit="s", option=True)
    correlation: str = arg("what it belongs to, such as the message that it answers", default="", option=True)
    session: str = arg("session that it belongs to", default="", option=True)
    source: str = arg("agent that sends, for a program that runs it; empty = who asks", default="", completes="agents", option=True)


@dataclass(frozen=True, slots=True)
class TakeMessage(Command):
    """Take a message out of one's mailbox when it is dealt with; until then it is there, also after a restart."""

    name = "swarm.take"
    verb = "take"
    help = "Take a message out of a mailbox"
    for_agents = True
    irreversible = "the journal has them as long as it is kept"

    message: str = arg("message to take")
    agent: str = arg("whose mailbox, for a program that runs it; empty = who asks", default="", completes="agents", option=True)


@dataclass(frozen=True, slots=True)
class ResendMessage(Command):
    """Send a message again to those whom it did not reach."""

    name = "swarm.resend"
    verb = "resend"
    help = "Send a message again to those whom it did not reach"
    irreversible = "send another one; what was sent may have been read"

    message: str = arg("dead message to send again")


@dataclass(frozen=True, slots=True)
class GiveObjective(Command):
    """Give a swarm an objective: it is split, worked on, reviewed and voted on by its members, and put together."""

    name = "session.give"
    verb = "give"
    help = "Give a swarm an objective"
    inverse = "session.stop"
    undo_note = "what its tasks have done stays done"

    swarm: str = arg("swarm that takes it, as its --inputs say; auto = the fittest, NAME/auto = the fittest of those called NAME/...: it waits its turn there and ends nobody's work", completes="swarms")
    objective: str = arg("what is to be done, in a line")
    work: str = arg("type of the tasks that do its parts", default="command", option=True)
    parts: tuple[str, ...] = arg("its parts, each a prompt or a JSON object", default=(), option=True)
    split: str = arg("type of the task by which the leader splits it, whose result names the `parts`", default="", option=True)
    review: str = arg("type of the tasks by which others review a part; their results hold vote, confidence and reasoning", default="", option=True)
    integrate: str = arg("type of the task by which the leader puts the results together", default="", option=True)
    payload: dict[str, Any] = arg("JSON object that every task is given", default={}, option=True)
    reviewers: int = arg("members that review a part", default=3, ge=1, le=100, option=True)
    attempts: int = arg("times that a part is worked on", default=3, ge=1, le=100, option=True)
    timeout_s: float = arg("longest time from its begin", default=3_600.0, ge=1, unit="s", option=True)
    patience_s: float = arg("how long an undecided vote waits for somebody who settles it", default=60.0, ge=0, le=86_400, unit="s", option=True)
    budget_tasks: int = arg("most tasks, reviews included", default=100, ge=1, le=10_000, option=True)
    budget_cost: float = arg("most cost of agents, in the unit of the pools; 0 = any", default=0.0, ge=0, option=True)
    needs: tuple[str, ...] = arg("capabilities that it takes, for auto", default=(), option=True)


@dataclass(frozen=True, slots=True)
class StopSession(Command):
    """Stop work on an objective; its tasks are cancelled, its votes withdrawn."""

    name = "session.stop"
    verb = "stop-session"
    help = "Stop work on an objective"
    danger = Danger.DESTRUCTIVE
    irreversible = "give the objective again; what was accepted is named by the session"

    session: str = arg("session to stop", completes="sessions")
