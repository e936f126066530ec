"""Sessions of swarms as operators see them: rows, one in full, what the verbs about them would do, and their events in words; pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from engine.coordinator.distributing import placed
from engine.coordinator.sessions import find_open, find_session, session_of
from engine.coordinator.swarms import name_of
from engine.model.ids import SessionId, SwarmId
from engine.model.plans import PlanStep
from engine.model.swarm_commands import GiveObjective, StopSession
from engine.model.swarm_events import SessionChanged
from engine.model.swarm_rows import SessionRow
from engine.model.swarm_sessions import Session
from engine.model.swarm_words import Inputs, PartState, SessionState
from engine.model.verbs import Command
from engine.model.wire import call_of
from engine.state import FleetState

Line = tuple[str, str, str]
"""Level, id of what it is about, and the words for an event."""


def session_row(state: FleetState, session: Session) -> SessionRow:
    """Return the row of a session."""
    states = [part.state for part in session.parts]
    against = next((part.reasons[0] for part in session.parts if part.reasons), "")
    return SessionRow(
        session.id,
        _swarm_name(state, session.swarm),
        session.objective,
        session.state.value,
        len(states),
        states.count(PartState.WORKING),
        states.count(PartState.REVIEWING),
        states.count(PartState.ACCEPTED),
        sum(part.attempt for part in session.parts),
        session.tasks,
        session.plan.budget_tasks,
        session.cost,
        session.plan.budget_cost,
        session.asked_at,
        session.began_at,
        session.deadline,
        session.ended_at,
        session.who,
        session.because or against or session.chosen,
    )


def in_full(state: FleetState, word: str) -> dict[str, Any]:
    """Return a session with its plan and its parts: who works on each, its task, vote and reviews. Raises NotFound."""
    session = find_session(state, word)
    parts = [{**asdict(part), "worker_name": name_of(state, part.worker) if part.worker else ""} for part in session.parts]
    whole = {**session_row(state, session)._asdict(), "plan": asdict(session.plan), "payload": session.payload, "task": str(session.task or ""), "chosen": session.chosen}
    return {**whole, "parts_in_full": parts, "swarm_id": session.swarm}


def _swarm_name(state: FleetState, swarm: SwarmId) -> str:
    known = state.swarming.swarms.get(swarm)
    return known.name if known else str(swarm)


_WAITS = {
    Inputs.ENQUEUE: "waits for its turn",
    Inputs.REJECT: "is refused",
    Inputs.INTERRUPT: "begins, what is under way ends with what it has",
    Inputs.ROLLBACK: "begins, what is under way ends and counts for nothing",
}


def _give(state: FleetState, command: GiveObjective) -> PlanStep:
    given, why = placed(state, command, {})
    session = session_of(state, given, SessionId(""), "", 0.0)
    swarm = state.swarming.swarms[session.swarm]
    before = sum(not one.is_over for one in state.swarming.sessions_of(swarm.id))
    parts = f"{len(session.parts)} part{'' if len(session.parts) == 1 else 's'}" if session.parts else f"split by {command.split}"
    reviews = f"each reviewed by up to {command.reviewers}" if command.review else "accepted without a review"
    chosen = f"; {swarm.name} takes it: {why}" if why else ""
    turn = f"; {before} before it: it {_WAITS[swarm.settings.inputs]}" if before else ""
    return PlanStep(call_of(command), swarm.name, "", session.objective, f"{parts}, {reviews}; at most {command.budget_tasks} tasks and {command.timeout_s:g} s{turn}{chosen}")


def _stop(state: FleetState, command: StopSession) -> PlanStep:
    session = find_open(state, command.session)
    tasks = len(list(session.open_tasks()))
    effect = f"{tasks} task{' is' if tasks == 1 else 's are'} cancelled" if tasks else "nothing of it runs"
    return PlanStep(call_of(command), session.id, session.state.value, "cancelled", effect)


DESCRIBE: dict[type[Command], Callable[[FleetState, Any], PlanStep]] = {GiveObjective: _give, StopSession: _stop}


def _changed(state: FleetState, event: SessionChanged) -> Line:
    session = event.session
    states = [part.state for part in session.parts]
    done = f", {states.count(PartState.ACCEPTED)} of {len(states)} parts accepted" if states else ""
    because = f": {session.because}" if session.because else ""
    level = "warn" if session.state is SessionState.FAILED else "info"
    return level, session.id, f"{_swarm_name(state, session.swarm)}: {session.objective!r} is {session.state}{done}{because}"


WORDS: dict[type, Callable[[FleetState, Any], Line]] = {SessionChanged: _changed}
