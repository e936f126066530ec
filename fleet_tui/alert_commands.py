"""`fleet-tui alerts`: who is told of alerts, what is on its way to them, and whether a channel works.

Owner: nobody. Imports click only: every other library is loaded by the command that needs it.
"""

from __future__ import annotations

import click

from fleet_tui.alert_rules import rule
from fleet_tui.verb_groups import VerbGroup

FORMS = click.Choice(["table", "wide", "json", "csv"])
VERBS = {"test": "test-channel", "requeue": "requeue"}
"""Subcommands that are verbs by a shorter name."""


@click.group(cls=VerbGroup, verbs=VERBS)
def alerts() -> None:
    """Alerts, their rules, and who is told: alerts rules, alerts rule test EXPR, alerts channels, alerts test CHANNEL."""


def _listing(kind: str, text: str) -> None:
    """Add a subcommand that prints the rows of a kind, as `get` does."""

    @alerts.command(kind, help=text, short_help=text)
    @click.option("-o", "--output", type=FORMS, default="table", help="Form: some columns, all, JSON, or CSV.")
    @click.option("--filter", "expression", default="", metavar="EXPR", help="Words that a row must have: word, !word, field=value.")
    @click.option("--limit", type=click.IntRange(1, 100_000), default=1_000, show_default=True, help="Most rows.")
    def show(output: str, expression: str, limit: int) -> None:
        from fleet_tui import look
        from fleet_tui.subcommands import places

        look.get(places(), kind, "", look.Wanted(output, expression, limit))


_listing("channels", "Print the channels, how they do, and what is wrong with those that fail.")
alerts.add_command(rule)
_listing("rules", "Print the rules, and what they found.")
_listing("silences", "Print what keeps alerts quiet, and until when.")
_listing("notifications", "Print what waits, was sent, or is parked, the newest first.")
