"""The verbs about the sizes of pools: scaling, holds, gangs and policies; part of the table in engine.model.commands."""

from __future__ import annotations

from typing import Any

from engine.model.verbs import Command, Role, arg, verb


@verb
class ScalePool(Command):
    """Set how many agents a pool should have; takes 12, +3, -2, 150%, =min or =max."""

    name = "pool.scale"
    verb = "scale"
    help = "Set how many agents a pool should have"
    inverse = "pool.scale"
    undo_note = "agents that left come back as new ones, not drained"

    pool: str = arg("pool to scale", completes="pools")
    size: str = arg("12, +3, -2, 150%, =min or =max")


@verb
class PausePool(Command):
    """Place no more tasks on a pool; what runs goes on."""

    name = "pool.pause"
    verb = "pause"
    help = "Place no more tasks on a pool; what runs goes on"
    inverse = "pool.unpause"

    pool: str = arg("pool to pause", completes="pools")


@verb
class UnpausePool(Command):
    """Place tasks on a paused pool again."""

    name = "pool.unpause"
    verb = "unpause"
    help = "Place tasks on a paused pool again"
    inverse = "pool.pause"

    pool: str = arg("pool to unpause", completes="pools")


@verb
class EditPool(Command):
    """Change a pool beside its configuration: the change outlives the engine until it is taken back with null."""

    name = "pool.edit"
    verb = "edit-pool"
    help = "Change a pool's min, max, priority, cost or resources"
    role = Role.ADMIN
    inverse = "pool.edit"
    undo_note = "the size stays where the other bounds had put it"

    pool: str = arg("pool to change", completes="pools")
    changes: dict[str, Any] = arg('JSON object of min, max, priority, cost, memory (MB), cpu (cores), storage (MB); null = as configured', default={}, option=True)


@verb
class HoldPool(Command):
    """Keep a pool's size: the autoscaler leaves it alone until the time is over or it is released."""

    name = "pool.hold"
    verb = "hold"
    help = "Keep a pool's size from the autoscaler for a while"
    inverse = "pool.release"

    pool: str = arg("pool to hold", completes="pools")
    for_s: float = arg("how long; 0 = until it is released", default=0.0, ge=0, unit="s")
    until: float = arg("until when, instead of how long, since 1970; 0 = not said", default=0.0, ge=0, unit="s", option=True)


@verb
class ReleasePool(Command):
    """Let the autoscaler follow a held pool's load again."""

    name = "pool.release"
    verb = "unhold"
    help = "Let the autoscaler follow a held pool's load again"
    inverse = "pool.hold"

    pool: str = arg("pool to release", completes="pools")


@verb
class AskGang(Command):
    """Start so many agents of a pool at once or none; a gang that finds no room waits its turn."""

    name = "gang.ask"
    verb = "gang"
    help = "Start several agents of a pool at once, or none"
    inverse = "gang.end"

    pool: str = arg("pool to start them in", completes="pools")
    agents: int = arg("how many at once", ge=1, le=100_000)
    priority: int = arg("1..10, higher goes first", default=5, ge=1, le=10, option=True)
    expires_s: float = arg("how long it may wait for room", default=300.0, ge=1, unit="s", option=True)
    keep_s: float = arg("how long its agents are kept once they are there", default=600.0, ge=1, unit="s", option=True)


@verb
class EndGang(Command):
    """End a gang: it waits no more, or its agents leave, busy ones when their task ends."""

    name = "gang.end"
    verb = "end-gang"
    help = "End a gang: it waits no more, or its agents leave"
    irreversible = "ask for it again; busy agents finish their task first"

    gang: str = arg("gang to end", completes="gangs")


@verb
class CreatePolicy(Command):
    """Make a scaling policy; it holds for its pool, or for every pool when it names none."""

    name = "policy.create"
    verb = "create-policy"
    help = "Make a scaling policy"
    role = Role.ADMIN
    inverse = "policy.delete"

    id: str = arg("a name of your own, such as coder-demand")
    policy: dict[str, Any] = arg('JSON object, such as {"pool": "coder", "target": 0.85}', default={}, option=True)


@verb
class UpdatePolicy(Command):
    """Change some keys of a scaling policy; null gives a key its default back."""

    name = "policy.update"
    verb = "update-policy"
    help = "Change a scaling policy"
    role = Role.ADMIN
    inverse = "policy.update"

    id: str = arg("policy to change", completes="policies")
    changes: dict[str, Any] = arg('JSON object of what changes, such as {"target": 0.7}', default={}, option=True)


@verb
class DeletePolicy(Command):
    """Remove a scaling policy; its pools keep their sizes."""

    name = "policy.delete"
    verb = "delete-policy"
    help = "Remove a scaling policy"
    role = Role.ADMIN
    inverse = "policy.create"

    id: str = arg("policy to remove", completes="policies")
