"""`fleet-tui alerts rule test`: when an alert rule, or a condition that is no rule yet, would have fired.

Owner: nobody. Imports click only: every other library is loaded by the command that needs it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import click


@click.group()
def rule() -> None:
    """Try alert rules on the past; `create-rule`, `update-rule` and `delete-rule` make and change them."""


@rule.command("test", short_help="When would a rule have fired?")
@click.argument("what", metavar="EXPR|ID")
@click.option("--last", default="24h", show_default=True, help="How far back: 90m, 24h, 7d.")
@click.option("--for", "for_", default="", metavar="TIME", help="How long the condition must hold, such as 60s; of a rule, in place of its own.")
@click.option("-o", "--output", type=click.Choice(["table", "json"]), default="table", help="Form of the answer.")
def test(what: str, last: str, for_: str, output: str) -> None:
    """Say when a rule (by its id), or a condition such as 'queue_depth > 100', would have fired."""
    import asyncio

    from engine.model.quantities import seconds
    from engine.model.wire import to_plain
    from fleet_tui import output as out
    from fleet_tui.acts import operator_at
    from fleet_tui.attach import require_address
    from fleet_tui.subcommands import places

    parameters: dict[str, object] = {"last_s": seconds(last), **({"for_s": seconds(for_)} if for_ else {})}

    async def ask() -> Any:  # noqa: ANN401  # plain values
        async with operator_at(require_address(places())) as operator:
            known = {row["id"] for row in to_plain(await operator.query("rules"))}
            found = await operator.query("alert-test", **{"id" if what in known else "expr": what}, **parameters)
            return to_plain(found)

    found = asyncio.run(ask())
    if output == "json":
        out.print_json(found)
    else:
        out.print_lines(_lines(found))


def _lines(found: Mapping[str, Any]) -> Iterator[str]:
    """Give the answer in words: one line, then one for each alert."""
    from fleet_tui.output import duration, instant

    span = duration(found["until"] - found["since"])
    held = f" for {duration(found['for_s'])}" if found["for_s"] else ""
    if not found["samples"]:
        yield f"nothing that {found['expr']} looks at was measured in the last {span}"
        return
    share = f"known for {100 * found['known'] / found['samples']:.3g} % of {found['samples']:,} samples {duration(found['resolution_s'])} apart"
    yield f"{found['expr']}{held} would have fired {_times(found['total'])} in the last {span}; {share}"
    for one in found["fired"]:
        ended = f"to {instant(one['resolved_at'])}" if one["resolved_at"] else "and still would"
        yield f"{instant(one['fired_at'])} {ended}  {one['severity']}  {one['message']}"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
