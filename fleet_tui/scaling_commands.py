"""The subcommands about scaling and figures: what it costs, what was measured, what could be smaller, policies from a file.

Owner: nobody. Imports click only: every other library is loaded by the command that needs it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fleet_tui.verb_groups import VerbGroup

if TYPE_CHECKING:
    from fleet_tui.acts import Request

FORM = click.Choice(["text", "json"])


def _acting(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of what acts only after its plan was seen."""
    for option in (
        click.option("-y", "--yes", is_flag=True, help="Do not ask."),
        click.option("--confirm", default="", help="What a guardrail wants typed."),
        click.option("--reason", default="", help="Why; kept in the audit."),
        click.option("--dry-run", is_flag=True, help="Show the plan; change nothing."),
    ):
        command = option(command)
    return command


def _request(**wanted: Any) -> Request:  # noqa: ANN401  # typed by the options
    from fleet_tui.acts import Request
    from fleet_tui.contexts import mode_in
    from fleet_tui.subcommands import chosen, find_mode

    return Request([], mode=mode_in(chosen(), find_mode()), **wanted)


@click.command()
@click.option("--last", default="24h", show_default=True, help="How far back: 90m, 24h, 7d.")
@click.option("-o", "--output", type=FORM, default="text", help="Form of the report.")
def cost(last: str, output: str) -> None:
    """What work has used against its limits; what the pools cost by measured agent-seconds, by hour, and against a fixed size at the peak."""
    from fleet_tui import look
    from fleet_tui.subcommands import places

    look.show_cost(places(), last, form=output)


@click.command()
@click.argument("name", default="")
@click.option("--of", "label", default="", metavar="POOL", help="Of this pool, or of the agent with this id; default: the fleet.")
@click.option("--last", default="1h", show_default=True, help="How far back: 90m, 24h, 30d.")
@click.option("--ago", default="", help="The same span so much earlier: 1d = yesterday at this time.")
@click.option("--quantile", type=click.IntRange(1, 99), default=95, show_default=True, help="Of durations, in percent.")
@click.option("--points", type=click.IntRange(1, 2_000), help="Most values; default: 24 in a table, 360 otherwise.")
@click.option("-o", "--output", type=click.Choice(["table", "json", "csv"]), default="table", help="Form.")
def metrics(name: str, output: str, **wanted: Any) -> None:  # noqa: ANN401  # typed by the options
    """What is measured and how it reads now; or the history of the metric NAME, gaps included."""
    from fleet_tui import metric_commands
    from fleet_tui.subcommands import places

    metric_commands.show(places(), metric_commands.Wanted(name, form=output, **wanted))


@click.command()
@click.option("--last", default="24h", show_default=True, help="How far back: 90m, 24h, 30d.")
@click.option("--ago", default="", help="The same span so much earlier: 1d = until yesterday at this time.")
@click.option("--pool", default="", metavar="POOL", help="Only about this pool and the fleet.")
@click.option("--baseline", default="", metavar="NAME", help="Compare with this one of `baseline list`; default: the span before.")
@click.option("-o", "--output", type=click.Choice(["text", "md", "json", "html"]), default="text", help="Form; html has charts.")
def report(output: str, **wanted: str) -> None:
    """How the fleet performed: figures, trends, what changed against a baseline or the span before, what to do."""
    from fleet_tui import report_commands
    from fleet_tui.subcommands import places

    report_commands.show(places(), output, **wanted)


@click.command()
@click.argument("pools", nargs=-1)
@click.option("--apply", "is_applied", is_flag=True, help="Show the plan, ask, and do it.")
@click.option("-o", "--output", type=FORM, default="text", help="Form of the list.")
@_acting
def optimize(pools: tuple[str, ...], *, is_applied: bool, output: str, **wanted: Any) -> None:  # noqa: ANN401  # typed by the options
    """What could be smaller, with the evidence: allocations used less than 70 %, idle and oversized POOLS."""
    from fleet_tui import optimizing
    from fleet_tui.subcommands import places

    if is_applied or wanted["dry_run"]:
        optimizing.apply(places(), pools, _request(output=output, **wanted))
    else:
        optimizing.show(places(), pools, form=output)


@click.group(cls=VerbGroup, verbs={"save": "save-baseline", "delete": "delete-baseline"})
def baseline() -> None:
    """Figures kept by name, to compare reports with: baseline save NAME, baseline list, baseline delete NAME."""


@baseline.command("list")
@click.option("-o", "--output", type=FORM, default="text", help="Form of the list.")
def list_(output: str) -> None:
    """Print the baselines, the newest first."""
    from fleet_tui import report_commands
    from fleet_tui.subcommands import places

    report_commands.show_baselines(places(), form=output)


@click.command()
@click.argument("of", default="", metavar="[POOL|AGENT]")
@click.option("--apply", "is_applied", is_flag=True, help="Show the plan, ask, and do it.")
@click.option("-o", "--output", type=FORM, default="text", help="Form of the list.")
@_acting
def risks(of: str, *, is_applied: bool, output: str, **wanted: Any) -> None:  # noqa: ANN401  # typed by the options
    """Which agents are likely to fail soon, by their own past, with the evidence: what to restart or drain."""
    from fleet_tui import risk_commands
    from fleet_tui.subcommands import places

    if is_applied or wanted["dry_run"]:
        risk_commands.apply(places(), of, _request(output=output, **wanted))
    else:
        risk_commands.show(places(), of, form=output)


@click.group()
def policy() -> None:
    """Bring the scaling policies to what a file says: policy apply FILE."""


@policy.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--prune", is_flag=True, help="Remove the policies that the file does not name.")
@click.option("-o", "--output", type=FORM, default="text", help="Form of the plans and of what came of them.")
@_acting
def apply(file: Path, *, prune: bool, **wanted: Any) -> None:  # noqa: ANN401  # typed by the options
    """Show what the policies of a TOML file would change, ask, and change it."""
    from fleet_tui import policy_file
    from fleet_tui.subcommands import places

    policy_file.apply_file(places(), file, _request(**wanted), prune=prune)
