"""Emergency stops: no scaling of the engine's own, no task placed, no agent at work; and their end."""

from __future__ import annotations

from collections.abc import Sequence

from engine.model.errors import CommandRefused
from engine.model.events import Event, FleetHalted
from engine.model.fleet_commands import HaltFleet, ResumeFleet
from engine.model.task_events import TasksStopping
from engine.model.tasks import HELD
from engine.state import FleetState
from engine.state.deciding import Deciding, Decision

HALT = "halt"
"""Task.stopping of what a halt of agents stops: it waits again, and the attempt does not count."""

FREEZE_GRACE_S = 0.3
"""What a halt leaves an agent to end its task by itself, and then to end at all: after twice that nothing of it runs."""

DRAIN = "drain deadline"
"""Task.stopping of what an agent that leaves did not finish in time: it waits again, and the attempt does not count."""


def decide_halt(state: FleetState, commands: Sequence[HaltFleet], deciding: Deciding) -> Decision:
    """Halt scopes; that of agents also stops what runs, unless it is being stopped already."""
    scopes = dict.fromkeys(command.scope for command in commands)
    events: list[Event] = [FleetHalted(scope, halted=True, by=deciding.origin.who) for scope in scopes if scope not in state.halted]
    running = tuple(task.spec.id for task in state.tasks.values() if task.state in HELD and not task.stopping)
    if "agents" in scopes and running:
        events.append(TasksStopping(running, HALT))
    return Decision(events, [command.scope for command in commands])


def decide_resume(state: FleetState, commands: Sequence[ResumeFleet], deciding: Deciding) -> Decision:
    """End halts, all of them where no scope is named; one that does not hold gives nothing."""
    scopes = dict.fromkeys(scope for command in commands for scope in ([command.scope] if command.scope else state.halted))
    events: list[Event] = [FleetHalted(scope, halted=False, by=deciding.origin.who) for scope in scopes if scope in state.halted]
    return Decision(events, [command.scope for command in commands])


def check_placing(state: FleetState) -> None:
    """Raise CommandRefused while nothing is placed."""
    halt = next((halt for halt in state.halted.values() if halt.scope != "scaling"), None)
    if halt is not None:
        raise CommandRefused(f"{halt.who} halted {halt.scope}: nothing is placed until `resume`")
