"""Groups of subcommands of which some are verbs by a shorter name: `fleet-tui alerts test`, `fleet-tui baseline save`.

Owner: nobody. Imports click only: every other library is loaded by the command that needs it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from fleet_tui.verbs import make_verb


class VerbGroup(click.Group):
    """Subcommands written by hand, and those that are verbs."""

    def __init__(self, *args: Any, verbs: Mapping[str, str], **named: Any) -> None:  # noqa: ANN401  # click's own
        super().__init__(*args, **named)
        self._verbs = verbs

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all subcommands."""
        return [*super().list_commands(ctx), *self._verbs]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a subcommand, or None."""
        return make_verb(self._verbs[cmd_name]) if cmd_name in self._verbs else super().get_command(ctx, cmd_name)
