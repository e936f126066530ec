"""The subcommand `mail`.

Owner: nobody. Imports click only: every other library is loaded by the command that needs it.
"""

from __future__ import annotations

import click


@click.command()
@click.argument("agent", required=False, default="")
@click.option("-o", "--output", "form", type=click.Choice(["table", "json"]), default="table", help="json = with their payloads.")
def mail(agent: str, form: str) -> None:
    """List the messages that wait for AGENT, or for me: the most urgent first; `take` takes one that is dealt with."""
    from fleet_tui import mail as mailbox
    from fleet_tui.subcommands import places

    mailbox.show(places(), agent, form)
