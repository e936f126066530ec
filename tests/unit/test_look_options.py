"""What the options of the look wish: before a subcommand or after it."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner
from fleet_tui.look_options import find_wishes, look_options


@click.group(invoke_without_command=True)
@look_options
@click.pass_context
def root(context: click.Context, **_wishes: object) -> None:
    if context.invoked_subcommand is None:
        click.echo(find_wishes().shapes)


@root.command()
@look_options
def sub(**_wishes: object) -> None:
    click.echo(find_wishes().shapes)


@pytest.mark.parametrize(
    ("argv", "shapes"),
    [
        ("", ""),
        ("--ascii", "ascii"),
        ("--unicode", "unicode"),
        ("--plain", "plain"),
        ("--plain --ascii", "plain"),
        ("sub --plain", "plain"),
        ("--plain sub", "plain"),
        ("--ascii sub --unicode", "unicode"),
    ],
)
def test_shapes(argv: str, shapes: str) -> None:
    result = CliRunner().invoke(root, argv.split())
    assert (result.exit_code, result.output) == (0, f"{shapes}\n")
