"""The subcommand `mock-model`.

Owner: nobody. Imports click only: every other library is loaded by the command that needs it.
"""

from __future__ import annotations

from pathlib import Path

import click


@click.command("mock-model")
@click.argument("script", required=False, type=click.Path(path_type=Path))
@click.option("--port", type=click.IntRange(0, 65_535), default=0, show_default=True, help="Loopback port to listen on; 0 = any free one.")
@click.option("--log", type=click.Path(dir_okay=False, path_type=Path), help="Append a line of JSON for each request, without secrets.")
@click.option("--bodies", "with_bodies", is_flag=True, help="Have the bodies of the requests in the log, too.")
def mock_model(script: Path | None, port: int, log: Path | None, *, with_bodies: bool) -> None:
    """Serve a model that says what SCRIPT says, else what it was told: for real agents without an account."""
    from fleet_tui.mock_model.running import run_model

    run_model(script, port, log, with_bodies=with_bodies)
