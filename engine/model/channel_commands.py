"""The verbs about channels, through which people and programs outside are told of alerts; part of the table in engine.model.commands."""

from __future__ import annotations

from engine.model.verbs import Command, Danger, arg, verb


@verb
class TestChannel(Command):
    """Send a test through a channel now, past all that waits for it, and say how it went."""

    __test__ = False  # no test of pytest's

    name = "alert.test-channel"
    verb = "test-channel"
    help = "Send a test through a channel of alerts, and say how it went"
    danger = Danger.NONE
    irreversible = "what is sent is sent; it says that it is a test"

    channel: str = arg("channel to test", completes="channels")


@verb
class RequeueNotifications(Command):
    """Have notifications that were given up wait for their channel again, with all their attempts."""

    name = "alert.requeue"
    verb = "requeue"
    help = "Send parked notifications again: of a channel, or one by its id"
    danger = Danger.NONE
    irreversible = "what is sent is sent"

    which: str = arg("a channel, or a notification's id; empty = all that are parked", default="", completes="channels")
