"""Why a swarm or one of its objectives is as it is: members, votes and tasks that hold it up; pure."""

from __future__ import annotations

from engine.coordinator.distributing import candidate, condition
from engine.coordinator.sessions import find_session
from engine.coordinator.swarms import find_swarm, is_lost
from engine.gate.why_acts import find_act, halts_of, told
from engine.model.agents import Agent, AgentStatus
from engine.model.explanations import Evidence, Explanation
from engine.model.ids import AgentId, TaskId
from engine.model.swarm_sessions import Part, Session
from engine.model.swarm_words import PartState, SessionState, SwarmStatus
from engine.model.swarms import Swarm
from engine.model.tasks import TaskState
from engine.state import FleetState
from engine.swarm.fitness import Condition

MEMBERS_MAX = 5
PARTS_SHOWN = 8
_LEVELS = {Condition.HEALTHY: "info", Condition.DEGRADED: "warn", Condition.UNHEALTHY: "error"}


def explain_swarm(state: FleetState, word: str, now: float) -> Explanation:
    """Return why a swarm is as it is and takes, or does not take, objectives. Raises NotFound."""
    swarm = find_swarm(state, word)
    evidence = [*_held(state, swarm), *_health(state, swarm), *_fitness(state, swarm), *_objectives(state, swarm), *_changes(swarm)]
    headline, level = _swarm_headline(state, swarm)
    return Explanation("swarms", swarm.id, swarm.name, headline, level, now, tuple(evidence))


def _swarm_headline(state: FleetState, swarm: Swarm) -> tuple[str, str]:
    if swarm.is_over:
        return f"it is {swarm.status}: {swarm.because}", "error" if swarm.status is SwarmStatus.FAILED else "info"
    if swarm.status is SwarmStatus.PAUSED:
        return "it is paused: it begins nothing new", "warn"
    if swarm.status is SwarmStatus.INITIALIZING:
        return "it waits until all of its members have started", "warn"
    health, said = condition(state, swarm)
    if health is not Condition.HEALTHY:
        return f"it is {health}: {'; '.join(said)}", _LEVELS[health]
    going = state.swarming.tally_of(swarm.id).sessions_open
    return (f"it works on {going} objective{'' if going == 1 else 's'}" if going else "it is healthy and has nothing to do"), "info"


def _held(state: FleetState, swarm: Swarm) -> list[Evidence]:
    """Return what keeps it from beginning anything."""
    lines = halts_of(state, "placing", "agents")
    if swarm.status is SwarmStatus.PAUSED:
        lines.append(told("it was paused", find_act(state, ("swarm.pause",), (swarm.id, swarm.name))))
    return lines


def _health(state: FleetState, swarm: Swarm) -> list[Evidence]:
    """Return what speaks against its health, and the members that cannot work."""
    if swarm.is_over:
        return []
    health, said = condition(state, swarm)
    lines = [Evidence(text, _LEVELS[health]) for text in said]
    unable = [(member, why) for member in swarm.topology.members if (why := _unable(state, member))]
    lines += [Evidence(f"{swarm.name_of(member)} {why}", "warn", kind="agents", id=member) for member, why in unable[:MEMBERS_MAX]]
    more = len(unable) - MEMBERS_MAX
    return [*lines, *([Evidence(f"and {more} more members cannot work", "warn")] if more > 0 else [])]


def _unable(state: FleetState, member: str) -> str:
    """Return why a member cannot work; empty = it can."""
    agent = state.agents.get(AgentId(member))
    if agent is None:
        return "has left the fleet"
    if is_lost(state, member) or agent.status is AgentStatus.STARTING:
        return f"is {agent.status}{f': {agent.reason}' if agent.reason else ''}"
    return "is drained" if agent.cordoned else "" if agent.health in ("healthy", "unknown") else f"is on a host that is {agent.health}"


def _fitness(state: FleetState, swarm: Swarm) -> list[Evidence]:
    """Return how well it suits an objective that needs nothing special."""
    if swarm.is_over:
        return []
    found = candidate(state, swarm, ())
    lines = [Evidence(f"fitness {found.fitness:.2f} = match {found.match:.2f} × free {found.capacity:.2f} × success {found.success:.2f}")]
    if found.ended:
        lines.append(Evidence(f"{found.won} of {found.ended} objectives succeeded"))
    return [*lines, Evidence(f"{found.free} of {len(swarm.topology.members)} members are idle, {found.waiting} objectives are with it")]


def _objectives(state: FleetState, swarm: Swarm) -> list[Evidence]:
    going = [session for session in state.swarming.sessions_of(swarm.id) if not session.is_over]
    return [Evidence(f"{session.objective!r} is {session.state}", at=session.began_at or session.asked_at, kind="sessions", id=session.id) for session in going[:MEMBERS_MAX]]


def _changes(swarm: Swarm) -> list[Evidence]:
    """Return what happened to it, the newest first."""
    return [Evidence(text, at=at) for at, text in reversed(swarm.notes[-MEMBERS_MAX:])]


# ---- sessions


def explain_session(state: FleetState, word: str, now: float) -> Explanation:
    """Return why an objective is as far as it is. Raises NotFound."""
    session = find_session(state, word)
    swarm = state.swarming.swarms.get(session.swarm)
    evidence = [*_of_swarm(state, session, swarm), *_bounds(session, now), *_parts(state, session), *_asked(session)]
    headline, level = _session_headline(state, session, swarm)
    return Explanation("sessions", session.id, session.objective, headline, level, now, tuple(evidence))


def _session_headline(state: FleetState, session: Session, swarm: Swarm | None) -> tuple[str, str]:
    if session.is_over:
        return f"it is {session.state}: {session.because}", "error" if session.state is SessionState.FAILED else "info"
    if swarm is not None and swarm.status is SwarmStatus.PAUSED:
        return f"its swarm {swarm.name} is paused and begins nothing", "warn"
    if swarm is not None and swarm.status is SwarmStatus.INITIALIZING:
        return f"members of its swarm {swarm.name} have not started yet", "warn"
    if session.state is SessionState.QUEUED:
        ahead = _before(state, session)
        return f"it waits for its turn: {len(ahead)} before it" if ahead else "it begins", "info"
    held = halts_of(state, "placing", "agents")
    if held:
        return held[0].text.partition(";")[0], "warn"
    accepted = sum(part.state is PartState.ACCEPTED for part in session.parts)
    return f"it is {session.state}: {accepted} of {len(session.parts)} parts accepted", "info"


def _before(state: FleetState, session: Session) -> list[Session]:
    """Return the objectives of its swarm that have their turn before it."""
    going = [one for one in state.swarming.sessions_of(session.swarm) if not one.is_over]
    return going[: next(number for number, one in enumerate(going) if one.id == session.id)]


def _of_swarm(state: FleetState, session: Session, swarm: Swarm | None) -> list[Evidence]:
    lines = [] if session.is_over else halts_of(state, "placing", "agents")
    if swarm is None:
        return [*lines, Evidence(f"its swarm {session.swarm} is no longer known", "warn")]
    if session.chosen:
        lines.append(Evidence(f"{swarm.name} was chosen: {session.chosen}", at=session.asked_at, kind="swarms", id=swarm.id))
    else:
        lines.append(Evidence(f"{swarm.name} has it and is {swarm.status}", "info" if swarm.status is SwarmStatus.ACTIVE else "warn", kind="swarms", id=swarm.id))
    if session.state is SessionState.QUEUED:
        lines += [Evidence(f"{one.objective!r} is before it and is {one.state}", at=one.began_at or one.asked_at, kind="sessions", id=one.id) for one in _before(state, session)[:MEMBERS_MAX]]
    return lines


def _bounds(session: Session, now: float) -> list[Evidence]:
    """Return how much of its time and budget is left."""
    plan = session.plan
    lines = [Evidence(f"{session.tasks} of {plan.budget_tasks} tasks were given out", "warn" if session.tasks >= plan.budget_tasks else "info")]
    if plan.budget_cost:
        lines.append(Evidence(f"it has cost {session.cost:.2f} of {plan.budget_cost:.2f}", "warn" if session.cost >= plan.budget_cost else "info"))
    if session.deadline and not session.is_over:
        lines.append(Evidence(f"it has {max(0.0, session.deadline - now):.0f} s more"))
    return lines


def _parts(state: FleetState, session: Session) -> list[Evidence]:
    """Return what each part waits for, those that are not accepted first."""
    parts = sorted(session.parts, key=lambda part: (part.state is PartState.ACCEPTED, part.number))
    lines = [line for part in parts[:PARTS_SHOWN] for line in _part(state, part, attempts=session.plan.attempts)]
    more = len(parts) - PARTS_SHOWN
    return [*lines, *([Evidence(f"and {more} more parts")] if more > 0 else [])]


def _part(state: FleetState, part: Part, *, attempts: int) -> list[Evidence]:
    name = f"part {part.number}"
    against = [Evidence(f"{name}: {reason}", "warn") for reason in part.reasons[:1]]
    if part.state is PartState.REVIEWING and part.proposal is not None:
        return [_vote(state, part, name), *against]
    if part.state is PartState.WORKING and part.task is not None:
        return [_task(state, part.task, name, f"attempt {part.attempt} of {attempts}"), *against]
    if part.state is PartState.ACCEPTED:
        return [Evidence(f"{name} is accepted", kind="tasks" if part.task else "", id=part.task or "")]
    return [Evidence(f"{name} is {part.state}, {part.attempt} of {attempts} attempts made", "error" if part.state is PartState.FAILED else "info"), *against]


def _vote(state: FleetState, part: Part, name: str) -> Evidence:
    round_ = state.rounds.get(part.proposal) if part.proposal else None
    if round_ is None:
        return Evidence(f"{name} is voted on", kind="proposals", id=part.proposal or "")
    said, asked = len(round_.ballots), len(round_.proposal.voters)
    return Evidence(f"{name} is voted on: {said} of {asked} have voted, {len(part.reviews)} reviews go on; {round_.standing}", at=round_.proposal.opened_at, kind="proposals", id=round_.proposal.id)


def _task(state: FleetState, id_: TaskId, name: str, attempt: str) -> Evidence:
    task = state.tasks.get(id_)
    if task is None:
        return Evidence(f"{name} was worked on, {attempt}; its task is no longer known")
    agent: Agent | None = state.agent_named(task.spec.capabilities[0]) if task.spec.capabilities else None
    who = agent.spec.name if agent else "its member"
    if task.state is TaskState.PENDING:
        busy = f"{who} is {agent.status}" if agent else f"{who} is gone"
        return Evidence(f"{name} waits for {who}, {attempt}; {busy}", "warn", task.spec.submitted_at, "tasks", id_)
    return Evidence(f"{name} is {task.state} by {who}, {attempt}", at=task.started_at or task.leased_at, kind="tasks", id=id_)


def _asked(session: Session) -> list[Evidence]:
    return [Evidence(f"asked by {session.who}", at=session.asked_at)]
