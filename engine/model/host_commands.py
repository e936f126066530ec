"""The verbs about hosts that joined; part of the table in engine.model.commands."""

from __future__ import annotations

from engine.model.verbs import Command, arg, verb


@verb
class CordonHost(Command):
    """Start no more agents on a host that joined; those that are there go on."""

    name = "host.cordon"
    verb = "cordon"
    help = "Start no more agents on a host that joined"
    inverse = "host.uncordon"

    host: str = arg("name of a host that joined", completes="hosts")


@verb
class DrainHost(Command):
    """Empty a host that joined: its agents start on other hosts, busy ones when their task ends; no more are started there."""

    name = "host.drain"
    verb = "drain-host"
    help = "Empty a host that joined; busy agents finish first"
    inverse = "host.uncordon"
    undo_note = "agents that went to other hosts stay there"

    host: str = arg("name of a host that joined", completes="hosts")


@verb
class UncordonHost(Command):
    """Start agents on a host again that was cordoned or drained."""

    name = "host.uncordon"
    verb = "uncordon"
    help = "Start agents on a host that joined again"
    inverse = "host.cordon"

    host: str = arg("name of a host that joined", completes="hosts")


HostVerb = CordonHost | DrainHost | UncordonHost
