"""The verbs about regions: where one lives; part of the table in engine.model.commands."""

from __future__ import annotations

from engine.model.verbs import Command, Danger, Role, arg, verb


@verb
class FailOver(Command):
    """Have another region live at this one's server from now on: its tasks run on here, in a new epoch of the region."""

    name = "region.fail-over"
    verb = "fail-over"
    help = "Take another region over: it lives at this region's server until it is handed back"
    role = Role.ADMIN
    danger = Danger.DESTRUCTIVE
    irreversible = "hand it back with `fail-back`; tasks that ran there begin anew"
    is_typed = True

    region: str = arg("region to take over", completes="regions")


@verb
class FailBack(Command):
    """Have a region that was taken over live at its own server again, once that has all that was decided meanwhile."""

    name = "region.fail-back"
    verb = "fail-back"
    help = "Hand a region that was taken over back to its own server"
    role = Role.ADMIN
    danger = Danger.DESTRUCTIVE
    irreversible = "take it over again with `fail-over`; tasks that ran here begin anew"
    is_typed = True

    region: str = arg("region to hand back", completes="regions")
