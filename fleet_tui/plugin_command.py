"""The subcommand `plugins`.

Owner: nobody. Imports click only: every other library is loaded by the command that needs it.
"""

from __future__ import annotations

import click


@click.command()
@click.option("-o", "--output", "form", type=click.Choice(["table", "wide", "json", "csv"]), default="table", help="Form: some columns, all, JSON, or CSV.")
def plugins(form: str) -> None:
    """List the plug-ins: those that the configuration names, how they do, and those that are installed and off."""
    from fleet_tui import look
    from fleet_tui.subcommands import places

    look.get(places(), "plugins", "", look.Wanted(form, "", 1_000))
