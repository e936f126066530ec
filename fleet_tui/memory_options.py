"""The options of `fleet-tui memory` and of its subcommands.

Owner: nobody. Imports click only: every other library is loaded by the command that needs it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

_F = TypeVar("_F", bound=Callable[..., Any])

SHOW = "show"
"""The subcommand that is meant when none is named."""
VERBS = ("synchronize", "resolve")
"""Verbs that are subcommands here, too."""
_OF_LISTS = frozenset({"prefix", "kind", "level", "tag", "since", "until"})


class MemoryGroup(click.Group):
    """Subcommands, and `show` for whatever else is typed: `fleet-tui memory KEY`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the subcommand before the arguments where it is left out."""
        if not args or (args[0] not in {*self.commands, *VERBS} and args[0] not in ctx.help_option_names):
            args = [SHOW, *args]
        return super().parse_args(ctx, args)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a subcommand; the verbs about exchanges are found here, too."""
        if cmd_name not in VERBS:
            return super().get_command(ctx, cmd_name)
        from fleet_tui.verbs import make_verb

        return make_verb(cmd_name)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the words of all subcommands."""
        return [*super().list_commands(ctx), *VERBS]


def _filters(command: _F) -> _F:
    """Add the options that say which entries count."""
    options = (
        click.option("--owner", default="", help="Whose, by id or name."),
        click.option("--namespace", default="", help="Of this namespace."),
        click.option("--prefix", default="", help="Only keys that begin so."),
        click.option("--kind", default="", help="Only of these kinds: working, episodic, semantic, vector."),
        click.option("--level", default="", help="Only of these levels: private, team, swarm, public, system."),
        click.option("--tag", default="", help="Only with all of these tags."),
        click.option("--since", default="", metavar="WHEN", help="Only what changed since: 2h (ago), 7d, or a day such as 2026-11-21 (UTC)."),
        click.option("--until", default="", metavar="WHEN", help="Only what changed before."),
        click.option("-o", "--output", type=click.Choice(["table", "json"]), default="table", help="Form."),
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.group(cls=MemoryGroup)
def memory() -> None:
    """What the fleet remembers and I may read; `memory KEY`: its value."""


@memory.command(SHOW)
@click.argument("key", default="")
@click.option("--history", is_flag=True, help="The versions of KEY, newest first.")
@click.option("--limit", type=click.IntRange(1, 10_000), help="Most lines; default 100.")
@_filters
def show(key: str, *, history: bool, output: str, **only: object) -> None:
    """List the entries that I may read, or print the value of KEY. `show` may be left out."""
    from fleet_tui import memory_commands
    from fleet_tui.subcommands import places

    if history and not key:
        raise click.UsageError("--history needs a KEY")
    given = {name: value for name, value in only.items() if value}
    unfit = sorted(set(given) & _OF_LISTS) if key else []
    if unfit:
        raise click.UsageError(f"--{unfit[0]} is for lists; leave KEY out")
    memory_commands.show(places(), memory_commands.Wanted(key, history, output, given))


@memory.command()
@click.argument("words", nargs=-1)
@click.option("--like", default="", metavar="TEXT", help="Like this text, rather than like WORDS.")
@click.option("--by", type=click.Choice(["words", "likeness", "both"]), help="How to look; default: both, likeness alone without WORDS.")
@click.option("--limit", type=click.IntRange(1, 1_000), help="Most lines; default 20.")
@click.option("--skip", type=click.IntRange(1, 999), help="Leave out so many of the best: the pages before.")
@_filters
def search(words: tuple[str, ...], *, output: str, **only: object) -> None:
    """Find entries that have WORDS, or words that begin so, or that are like a text; best first, of those that I may read."""
    from fleet_tui import memory_commands
    from fleet_tui.subcommands import places

    given = {name: value for name, value in {"words": " ".join(words), **only}.items() if value}
    if not {"words", "like"} & set(given):
        raise click.UsageError("say what to look for: some words, or a text with --like")
    memory_commands.search(places(), given, output)


@memory.command()
@click.option("-o", "--output", type=click.Choice(["table", "json"]), default="table", help="Form; json brings the values.")
def conflicts(*, output: str) -> None:
    """List entries that were written in two places, and the versions that lost; `resolve KEY` settles one."""
    from fleet_tui import exchange_commands
    from fleet_tui.subcommands import places

    exchange_commands.conflicts(places(), output)


@memory.command()
@click.option("-o", "--output", type=click.Choice(["table", "json"]), default="table", help="Form.")
def peers(*, output: str) -> None:
    """List the engines that entries are exchanged with, and how that goes; `synchronize` does it now."""
    from fleet_tui import exchange_commands
    from fleet_tui.subcommands import places

    exchange_commands.peers(places(), output)


@memory.command()
@click.option("-o", "--output", type=click.Choice(["table", "json"]), default="table", help="Form.")
def totals(*, output: str) -> None:
    """Count entries of each kind, tombstones, conflicts, what was tidied since the engine started, and what the first cache does."""
    from fleet_tui import memory_commands
    from fleet_tui.subcommands import places

    memory_commands.totals(places(), output)
