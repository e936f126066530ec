"""What votes, swarms, their messages and sessions wait for: when each is to be looked at, and what follows when that time has come.

Owner: nobody; the coordinator keeps the timers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from engine.coordinator import mail, rounds, sessions, swarms
from engine.model.events import Event
from engine.scheduling import budgets
from engine.scheduling.timers import Due
from engine.state import FleetState, Touched
from engine.state.deciding import Deciding


def dues(state: FleetState, touched: Touched, now: float) -> Iterator[Due]:
    """Return what is to be looked at when, after something changed."""
    yield from rounds.dues(state, touched, now)
    yield from swarms.dues(state, touched, now)
    yield from mail.dues(state, touched)
    yield from sessions.dues(state, touched, now)
    yield from budgets.dues(state, touched, now)


def dues_of_all(state: FleetState, now: float) -> Iterator[Due]:
    """Return what is to be looked at after a start; votes are among the timers that follow from the state."""
    yield from swarms.dues_of_all(state, now)
    yield from mail.dues_of_all(state)
    yield from sessions.dues_of_all(state, now)
    yield from budgets.dues_of_all(state, now)


def decide_due(state: FleetState, due: Sequence[Due], now: float) -> list[Event]:
    """Return what follows but for sessions. Messages come before swarms, for who leaves one loses its mail."""
    ids: dict[str, list[str]] = {}
    for _at, kind, name, _attempt in due:
        ids.setdefault(kind, []).append(name)
    return [
        *rounds.decide_due(state, ids.get(rounds.DUE, ()), now),
        *mail.decide_due(state, ids.get(mail.DUE, ()), now),
        *swarms.decide_due(state, ids.get(swarms.DUE, ())),
        *budgets.decide_due(state, ids.get(budgets.DUE, ()), now),
    ]


def decide_sessions(state: FleetState, due: Sequence[Due], deciding: Deciding) -> list[Event]:
    """Return what follows in sessions, once all else has been applied: they look at tasks, votes and swarms as these are by then."""
    return sessions.decide_due(state, [name for _at, kind, name, _attempt in due if kind == sessions.DUE], deciding)
