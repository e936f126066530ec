"""Who may do what: roles, read-only connections, and what the guardrails make of a plan; pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from fnmatch import fnmatchcase

from engine.coordinator.attempts import require_running
from engine.gate import four_eyes
from engine.model.agent_commands import AllocateAgent, RegisterAgent, ReleaseAgent
from engine.model.config_sections import OperationsSection
from engine.model.errors import Denied, Unconfirmed
from engine.model.fleet_commands import HaltFleet, ResumeFleet
from engine.model.guardrails import Guardrail, GuardrailConfig, guardrails_of, names_verb
from engine.model.ids import AllocationId, GangId, TaskId
from engine.model.plans import Authority, Demand, Origin, PlanStep
from engine.model.pool_commands import CreatePolicy, ScalePool
from engine.model.task_commands import CancelTask, SubmitTask
from engine.model.verbs import Command, Role
from engine.scheduling.router import pool_for
from engine.state import FleetState

OUTSIDE = frozenset({"console", "cli", "api", "mcp"})
"""Faces for which `operations.read_only` holds; programs that embed the engine are its owner."""
LOOKS_ONLY = "it was opened to look only, by --read-only or by read_only of its context"


def authority_of(origin: Origin, settings: OperationsSection) -> Authority:
    """Return what somebody may do here: the lower of the role they come with and the one configured for their name.

    The program of an agent may what agents may, whoever's account it runs in.
    """
    if origin.agent:
        return Authority(origin.agent, Role.OPERATOR, LOOKS_ONLY if origin.mode == "read-only" else "", is_agent=True)
    caps = [Role[word.upper()] for name, word in settings.roles.items() if fnmatchcase(origin.who, name)]
    role = min([Role(origin.role), *caps])
    if origin.mode == "read-only":
        return Authority(origin.who, role, LOOKS_ONLY)
    if settings.read_only and origin.mode != "write" and origin.via in OUTSIDE:
        return Authority(origin.who, role, "operations.read_only is set; open it with --write")
    return Authority(origin.who, role, f"{origin.who} is viewer" if role < Role.OPERATOR else "")


def check_may(authority: Authority, kind: type[Command]) -> None:
    """Raise Denied when a verb is nothing for this role or this connection."""
    if why_not := authority.why_not(kind):
        raise Denied(f"{why_not}; nothing was changed")


def check_own(state: FleetState, origin: Origin, commands: Sequence[Command] = ()) -> None:
    """Check that the program of an agent still does its task, and cancels no other; nothing for anybody else. Raises Denied."""
    if origin.agent:
        require_running(state, origin)
        own = origin.attempt.split("/")[1]
        other = next((command.task for command in commands if isinstance(command, CancelTask) and command.task != own), "")
        if other:
            raise Denied(f"{other} is not the task of {origin.agent}, whose program may cancel {own} alone; nothing was changed")


@dataclass(frozen=True, slots=True)
class Act:
    """A verb that is to be done, with the step that describes it."""

    command: Command
    step: PlanStep


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the rules make of a plan."""

    demands: tuple[Demand, ...] = ()
    refused: str = ""
    """Empty = not refused."""
    confirm: tuple[str, ...] = ()
    """Words of which one must be typed, the one to show first; empty = none."""
    needs_reason: bool = False
    votes: tuple[Guardrail, ...] = ()
    """Rules that put it to the vote first, one after the other."""

    def check(self, confirm: str, reason: str) -> None:
        """Raise Denied when a rule refuses, Unconfirmed when something that it demands was not given."""
        if self.refused:
            raise Denied(f"{self.refused}; nothing was changed")
        if self.confirm and confirm.strip() not in self.confirm:
            typed = f", not {confirm.strip()[:60]!r}" if confirm.strip() else ""
            raise Unconfirmed(f"type {self.confirm[0]!r} to confirm{typed}{self._asked_by('confirm')}; nothing was changed")
        if self.needs_reason and not reason.strip():
            raise Unconfirmed(f"give a reason{self._asked_by('reason')}; nothing was changed")

    def _asked_by(self, kind: str) -> str:
        rules = [demand.rule for demand in self.demands if demand.kind == kind]
        return f" ({', '.join(rules)})" if rules else ""


class Rules:
    """The guardrails in force."""

    def __init__(self, settings: OperationsSection) -> None:
        self._guardrails = guardrails_of(settings.guardrails)

    def matter(self, origin: Origin, kinds: Sequence[type[Command]]) -> bool:
        """Tell whether anything could be demanded of somebody for verbs of these kinds: else nothing need be described."""
        return any(kind.is_typed or self.about(origin, kind) for kind in kinds)

    def judge(  # noqa: PLR0913  # who wants what of which fleet, and when
        self, state: FleetState, origin: Origin, acts: Sequence[Act], asked: Command, now: float, *, passed: Collection[str] = ()
    ) -> Judgement:
        """Return what the rules that match make of acts; `asked` is the verb itself, which for undo is another one.

        `passed` are rules whose votes have accepted it.
        """
        named = [(act, names_of(state, act.command)) for act in acts]
        words = confirm_words(acts)
        findings = [(Demand("confirm", act.command.verb, f"type {words[0]}"), False) for act in acts[:1] if act.command.is_typed]
        votes = []
        for guardrail in self._guardrails:
            rule = guardrail.rule
            kinds = (type(acts[0].command), type(asked))
            if is_about(rule, origin) and any(names_verb(rule.verbs, kind) for kind in kinds):
                matched = [act for act, names in named if hits(rule, names)]
                findings += _demands(guardrail, matched, words[0], now) if matched else []
                if matched and rule.vote is not None and guardrail.name not in passed:
                    findings.append(four_eyes.demand_of(state, guardrail, origin, now))
                    votes.append(guardrail)
        refusals = {demand.kind: demand for demand, refuses in reversed(findings) if refuses}
        worst = next((refusals[kind] for kind in ("deny", "window", "bulk", "vote") if kind in refusals), None)
        kinds_found = {demand.kind for demand, _ in findings}
        return Judgement(
            tuple(demand for demand, _ in findings),
            f"refused by {worst.rule!r}: {worst.text}" if worst else "",
            words if "confirm" in kinds_found else (),
            "reason" in kinds_found,
            tuple(votes),
        )

    def about(self, origin: Origin, kind: type[Command], names: Sequence[str] = ()) -> list[Guardrail]:
        """Return the rules about a verb of somebody; on certain things where they are named, else on any."""
        return [
            guardrail
            for guardrail in self._guardrails
            if is_about(guardrail.rule, origin) and names_verb(guardrail.rule.verbs, kind) and (not names or hits(guardrail.rule, names))
        ]


def is_about(rule: GuardrailConfig, origin: Origin) -> bool:
    """Tell whether a rule is about somebody: their role, name and face."""
    return (
        (not rule.roles or Role(origin.role).name.lower() in rule.roles)
        and (not rule.operators or any(fnmatchcase(origin.who, pattern) for pattern in rule.operators))
        and (not rule.faces or origin.via in rule.faces)
    )


def hits(rule: GuardrailConfig, names: Sequence[str]) -> bool:
    """Tell whether a rule is about a thing that has these names."""
    return not rule.targets or any(fnmatchcase(name, pattern) for name in names for pattern in rule.targets)


def _demands(guardrail: Guardrail, matched: Sequence[Act], word: str, now: float) -> list[tuple[Demand, bool]]:
    """Return what a rule makes of the acts that it is about, and whether that refuses them."""
    rule, name = guardrail.rule, guardrail.name
    because = f" ({rule.because})" if rule.because else ""
    found: list[tuple[Demand, bool]] = []
    if rule.deny:
        found.append((Demand("deny", name, f"{rule.deny}{because}"), True))
    if rule.window is not None:
        found.append((Demand("window", name, f"{rule.window.describe(now)}{because}"), not rule.window.is_open(now)))
    if rule.max_bulk is not None:
        touched = sum(weight(act) for act in matched)
        text = f"at most {rule.max_bulk} at once, this plan touches {touched}{because}"
        found.append((Demand("bulk", name, text), touched > rule.max_bulk))
    if rule.confirm:
        found.append((Demand("confirm", name, f"type {word}{because}"), False))
    if rule.reason_required:
        found.append((Demand("reason", name, f"a reason must be given{because}"), False))
    return found


def weight(act: Act) -> int:
    """Return how many things an act touches: agents that come or go, else one."""
    if isinstance(act.command, RegisterAgent):
        return act.command.count
    if isinstance(act.command, ScalePool):
        return max(1, abs(int(act.step.after) - int(act.step.before)))
    return 1


def confirm_words(acts: Sequence[Act]) -> tuple[str, ...]:
    """Return what may be typed to confirm: the one target by name or id, or how many there are; the verb where it names nothing."""
    if len(acts) > 1:
        return (str(len(acts)),)
    command = acts[0].command
    first = next((str(getattr(command, spec.name)) for spec in fields(command)), "")
    return tuple(dict.fromkeys(word for word in (acts[0].step.target, first) if word)) or (command.verb,)


def names_of(state: FleetState, command: Command) -> tuple[str, ...]:
    """Return what the thing that a verb is about is called: by itself, and by the pool that it is in. Raises FleetError.

    A task must name its pool.
    """
    match command:
        case SubmitTask():
            return (pool_for(state, command.pool), command.title or command.type)
        case RegisterAgent():
            return (pool_for(state, command.pool or command.type),)
        case AllocateAgent():
            return (pool_for(state, command.pool_type), command.task_id)
        case ReleaseAgent():
            allocation = state.allocations.get(AllocationId(command.allocation))
            return (command.allocation, *([allocation.pool] if allocation else []))
        case CreatePolicy():
            return (command.id, *([str(command.policy["pool"])] if "pool" in command.policy else []))
        case HaltFleet() | ResumeFleet():
            return ("fleet", command.scope or "all")
    first = next(iter(fields(command)), None)
    if first is None:
        return ("engine",)
    return names_by(state, str(first.metadata.get("completes", "")), str(getattr(command, first.name)))


def names_by(state: FleetState, kind: str, word: str) -> tuple[str, ...]:
    """Return the names of a thing of a kind that somebody named."""
    if kind == "agents" and (agent := state.agent_named(word)):
        return (agent.spec.id, agent.spec.name, agent.spec.pool)
    if kind in ("tasks", "reviews") and (task := state.tasks.get(TaskId(word))):
        return (task.spec.id, task.spec.title, task.spec.pool)
    if kind == "gangs" and (gang := state.gangs.get(GangId(word))):
        return (gang.id, gang.pool)
    if kind == "policies" and (policy := state.policies.get(word)):
        return (policy.id, *([policy.pool] if policy.pool else []))
    if kind == "alerts" and (alert := state.alerting.alerts.get(word)):
        return (alert.id, alert.rule, *([alert.labels["pool"]] if "pool" in alert.labels else []))
    return (word,)
