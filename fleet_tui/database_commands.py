"""The subcommands about the database: put a backup back, check a file, list backups.

Owner: nobody. Imports click only: every other library is loaded by the command that needs it.
"""

from __future__ import annotations

from pathlib import Path

import click

from engine.model.errors import EXIT_FAILED

FORM = click.Choice(["text", "json"])


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("-o", "--output", type=FORM, default="text", help="Form of the answer.")
def restore(file: Path, output: str) -> None:
    """Put a backup in place of a stopped fleet's database; what was there is kept beside it."""
    from fleet_tui import database
    from fleet_tui.subcommands import places

    database.put_back(places(), file, form=output)


@click.command()
@click.argument("file", required=False, type=click.Path(dir_okay=False, path_type=Path))
@click.option("--all", "whole", is_flag=True, help="Replay the journal whatever its length.")
@click.option("-o", "--output", type=FORM, default="text", help="Form of the findings.")
def verify(file: Path | None, output: str, *, whole: bool) -> None:
    """Check a backup, or this fleet's database: pages, references, and that its tables are as its journal says."""
    from engine.memory.keys import RING_NAME
    from fleet_tui import database
    from fleet_tui.subcommands import places

    if not database.check(file or database.database_of(places()), places().state_dir / RING_NAME, form=output, whole=whole):
        click.get_current_context().exit(EXIT_FAILED)


@click.command()
@click.option("-o", "--output", type=FORM, default="text", help="Form of the list.")
def backups(output: str) -> None:
    """List the backups in the state directory: sizes and counts, no values."""
    from fleet_tui import database
    from fleet_tui.subcommands import places

    database.list_backups(places(), form=output)
