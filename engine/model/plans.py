"""Plans: what a list of verbs would do, what it did, who asked, and how to take it back."""

from __future__ import annotations

from dataclasses import dataclass, field

from engine.model.errors import CommandRefused
from engine.model.ids import PlanId
from engine.model.verbs import Command, Role


@dataclass(frozen=True, slots=True)
class Origin:
    """Who acts, through which face and from where."""

    who: str
    via: str = "api"
    """console, cli, api, library or engine."""
    address: str = ""
    role: int = 1
    mode: str = ""
    """What the client asked for: `read-only`, `write`, or nothing: as the engine is configured."""
    attempt: str = ""
    """Of the program of an agent: `agent/task/attempt`, by its token. It acts as that agent, as long as the attempt runs, and does nothing else."""

    @property
    def agent(self) -> str:
        """Return the agent whose program acts, empty for everybody else."""
        return self.attempt.partition("/")[0]

    @property
    def actor(self) -> str:
        """Return in whose name it is done: the agent's, else that of whoever connected."""
        return self.agent or self.who


@dataclass(frozen=True, slots=True)
class Authority:
    """What an engine takes somebody for."""

    who: str
    role: int
    read_only: str = ""
    """Why nothing may be changed by this way; empty = it may, as far as the role goes."""
    is_agent: bool = False
    """It is the program of an agent, which may ask for the verbs that are for agents alone."""

    def why_not(self, kind: type[Command]) -> str:
        """Return why a verb is nothing for this role or this connection, empty when it may be tried."""
        if self.is_agent and not kind.for_agents:
            return f"{kind.verb}: the program of an agent uses memory, votes and messages, asks and tells how far its own task is, and may cancel it; ask an operator for the rest"
        if self.role < kind.role:
            have, need = Role(self.role).name.lower(), kind.role.name.lower()
            return f"{kind.name} needs the role {need}; {self.who} is {have}"
        return f"{kind.verb}: this connection is read-only: {self.read_only}" if self.read_only else ""


@dataclass(frozen=True, slots=True)
class Call:
    """A verb by name with its arguments: the form in which it travels and is kept."""

    name: str
    args: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PlanStep:
    """What one verb would change."""

    call: Call
    target: str
    before: str
    after: str
    effect: str = ""
    """What follows from it, in one sentence."""
    warning: str = ""
    changes: bool = True
    """False when the target already is as asked."""
    entry: str = ""
    """Path of the entry of memory that it is about, if it is about one."""


@dataclass(frozen=True, slots=True)
class Demand:
    """What a rule makes of a plan: refuse it (`deny`, `window`, `bulk`), or ask for something (`confirm`, `reason`, `vote`)."""

    kind: str
    rule: str
    """Name of the guardrail; the verb's word when the verb itself asks."""
    text: str


@dataclass(frozen=True, slots=True)
class Capacity:
    """How many agents of a pool may be given tasks, before a plan and after it; a paused or halted pool has none."""

    pool: str
    before: int
    after: int
    busy: int
    """Of those before, now."""
    waiting: int
    """Tasks that wait for the pool, now."""


@dataclass(frozen=True, slots=True)
class Note:
    """What else follows from a plan, in a sentence; kind is drain, loss, cost or conflict."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Plan:
    """Checked and described, not applied; executing it by its id applies exactly this, or is refused if that changed."""

    id: PlanId
    steps: tuple[PlanStep, ...]
    danger: str
    reason: str
    undoable: bool
    at: float
    seq: int
    """State that it was made on."""
    count: int = 1
    """Verbs that it comes to; more than the steps spell out when there are very many."""
    refused: str = ""
    """Why it would be refused whatever is typed; such a plan is not kept. Empty = it can be carried out."""
    confirm: str = ""
    """What must be typed to carry it out: the target's name, or how many there are; empty = nothing."""
    needs_reason: bool = False
    demands: tuple[Demand, ...] = ()
    """Every guardrail that matches, with what it makes of this plan."""
    capacity: tuple[Capacity, ...] = ()
    notes: tuple[Note, ...] = ()
    undo_note: str = ""
    """What is not as it was after an undo, or why there is none."""


@dataclass(frozen=True, slots=True)
class AppliedPlan:
    """A plan that was carried out, with the calls that take it back."""

    id: PlanId
    at: float
    who: str
    via: str
    reason: str
    summary: str
    calls: tuple[Call, ...]
    inverse: tuple[Call, ...]
    undo_until: float
    """Instant until which undo is offered; 0 = cannot be undone."""
    steps: tuple[tuple[str, str, str], ...] = ()
    """(target, before, after), at most 20."""
    left: tuple[str, ...] = ()
    """What each call of `inverse` must find, as this plan left it; empty = anything."""
    found: tuple[str, ...] = ()
    """The same for each of `calls`: what the plan found."""


@dataclass(frozen=True, slots=True)
class Halt:
    """An emergency stop that holds."""

    scope: str
    at: float
    who: str


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One line of the audit: who asked for what, from where, why, and what came of it."""

    at: float
    who: str
    via: str
    address: str
    action: str
    target: str
    reason: str
    result: str
    """`done`, or the refusal's own text."""
    plan: str = ""
    before: str = ""
    after: str = ""
    entry: str = ""
    """Path of the entry of memory that it names, so that only who may know of it reads the name."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What executing gave: one value a verb, and the plan under which it can be undone."""

    plan: PlanId
    values: tuple[object, ...]
    seq: int
    summary: str
    undo_until: float = 0.0
    vote: str = ""
    """The proposal on whose acceptance it is carried out; nothing was done yet. Empty = it is done."""

    def first(self) -> object:
        """Return what the first verb made. Raises CommandRefused while a vote decides whether it is done."""
        if self.vote:
            raise CommandRefused(self.summary)
        return self.values[0]
