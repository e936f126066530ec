"""The subcommand `mcp`.

Owner: nobody. Imports click only: every other library is loaded by the command that needs it.
"""

from __future__ import annotations

import click


@click.command("mcp")
@click.option("--verbs", default="", metavar="WORDS", help="Offer these verbs as tools, too: `scale,cancel`, or `all`.")
def mcp(verbs: str) -> None:
    """Offer the fleet as tools to other agents, by the Model Context Protocol on stdin and stdout."""
    from fleet_tui.subcommands import find_mode, places
    from fleet_tui.tool_serving import serve

    serve(places(), verbs, mode=find_mode())
