"""The options of `fleet-tui memory`.

Owner: nobody. Imports click only: every other library is loaded by the command that needs it.
"""

from __future__ import annotations

import click


@click.command()
@click.argument("key", default="")
@click.option("--history", is_flag=True, help="The versions of KEY, newest first.")
@click.option("--owner", default="", help="Whose, by id or name.")
@click.option("--namespace", default="", help="Of this namespace.")
@click.option("--prefix", default="", help="Only keys that begin so.")
@click.option("--kind", default="", help="Only of these kinds: working, episodic, semantic, vector.")
@click.option("--level", default="", help="Only of these levels: private, team, swarm, public, system.")
@click.option("--tag", default="", help="Only with all of these tags.")
@click.option("--limit", type=click.IntRange(1, 10_000), help="Most lines; default 100.")
@click.option("-o", "--output", type=click.Choice(["table", "json"]), default="table", help="Form.")
def memory(key: str, *, history: bool, output: str, **only: object) -> None:
    """What the fleet remembers and I may read; or the value of KEY."""
    from fleet_tui import memory_commands
    from fleet_tui.subcommands import places

    if history and not key:
        raise click.UsageError("--history needs a KEY")
    given = {name: value for name, value in only.items() if value}
    unfit = sorted(set(given) & {"prefix", "kind", "level", "tag"}) if key else []
    if unfit:
        raise click.UsageError(f"--{unfit[0]} is for lists; leave KEY out")
    memory_commands.show(places(), memory_commands.Wanted(key, history, output, given))
