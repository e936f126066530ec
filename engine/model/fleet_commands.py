"""The verbs about the fleet as a whole: halting, undoing, stopping; part of the table in engine.model.commands."""

from __future__ import annotations

from engine.model.verbs import Command, Danger, Role, arg, verb

HALT_SCOPES = ("scaling", "placing", "agents")
"""What a halt stops; each of them stops what those before it stop."""


@verb
class HaltFleet(Command):
    """Stop in an emergency: the engine's own scaling, also the placing of tasks, also the work of agents."""

    name = "fleet.halt"
    verb = "halt"
    help = "Emergency stop: of scaling, of placing tasks, or of all work of agents"
    danger = Danger.DESTRUCTIVE
    inverse = "fleet.resume"
    undo_note = "what was stopped begins anew; no attempt is counted"
    is_typed = True

    scope: str = arg(
        "scaling: sizes stay; placing: nothing is begun either; agents: and what runs is stopped and waits again",
        default="agents",
        choices=HALT_SCOPES,
    )


@verb
class ResumeFleet(Command):
    """End a halt; without a scope every one."""

    name = "fleet.resume"
    verb = "resume"
    help = "End a halt; without a scope every one"
    inverse = "fleet.halt"

    scope: str = arg(
        "which halt to end; empty = all", default="", choices=HALT_SCOPES, otherwise="a pool takes tasks again by `unpause POOL`"
    )


@verb
class UndoPlan(Command):
    """Take an applied plan back, as long as its undo window is open."""

    name = "plan.undo"
    verb = "undo"
    help = "Take an applied plan back; empty = my last one"
    inverse = "plan.redo"

    plan: str = arg("plan id; empty = my last one", default="", completes="plans")


@verb
class RedoPlan(Command):
    """Apply a plan again that was undone."""

    name = "plan.redo"
    verb = "redo"
    help = "Apply an undone plan again; empty = my last one"
    inverse = "plan.undo"

    plan: str = arg("plan id; empty = my last one", default="", completes="plans")


@verb
class StopEngine(Command):
    """Stop the engine; running tasks are handed back and run again at the next start."""

    name = "engine.stop"
    verb = "stop"
    help = "Stop the engine; running tasks run again at the next start"
    role = Role.ADMIN
    danger = Danger.DESTRUCTIVE
    irreversible = "start it again with `fleet-tui` or `fleet-tui engine`; nothing that it accepted is lost"
