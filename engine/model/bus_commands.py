"""The verbs about events that a group of the bus gave up on; part of the table in engine.model.commands."""

from __future__ import annotations

from engine.model.verbs import Command, Danger, arg, verb


@verb
class ReplayEvents(Command):
    """Tell dead events again, each to the group that gave it up and to no other."""

    name = "bus.replay"
    verb = "replay-events"
    help = "Tell dead events again to the groups that gave them up: of a group, or one by its id"
    danger = Danger.NONE
    irreversible = "what was told again may have been read; a follower knows it by its number"

    which: str = arg("a group, or a dead event's id; empty = all that are dead", default="", completes="dead-events")


@verb
class DropEvents(Command):
    """Remove dead events: the groups that gave them up never get them."""

    name = "bus.drop"
    verb = "drop-events"
    help = "Remove dead events, which their groups never get then: of a group, or one by its id"
    danger = Danger.DESTRUCTIVE
    irreversible = "what happened stays in the journal; only the bus has it no more"

    which: str = arg("a group, or a dead event's id; empty = all that are dead", default="", completes="dead-events")
