"""`fleet-tui dashboards`: which there are, whether a file of one is right, and what one shows now.

Owner: nobody. Imports click only: every other library is loaded by the command that needs it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from engine.model.dashboards import Dashboard

FORM = click.Choice(["text", "json"])


@click.group(invoke_without_command=True)
@click.pass_context
def dashboards(ctx: click.Context) -> None:
    """Dashboards described in files: which there are, check FILE, show NAME. The console opens one by `:dash NAME`."""
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_all)


@dashboards.command("list")
@click.option("-o", "--output", type=FORM, default="text", help="Form of the list.")
def list_all(output: str = "text") -> None:
    """List them, yours first, each with its file; of one that is wrong, what is wrong."""
    from fleet_tui.boards import user_boards
    from fleet_tui.output import print_json, print_lines

    boards = user_boards(os.environ)
    rows = [{"name": name, "title": title, "file": str(boards.find(name))} for name, title in boards.listed()]
    if output == "json":
        print_json(rows)
        return
    width = max((len(row["name"]) for row in rows), default=0)
    print_lines(f"{row['name']:<{width}}  {row['title']}\n{'':<{width}}  {row['file']}" for row in rows)


@dashboards.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
def check(file: Path) -> None:
    """Check a file; what is wrong is said with its line, and the exit code is 2."""
    from fleet_tui.boards import read_board
    from fleet_tui.output import print_lines

    board = read_board(file)
    print_lines([f"{file} is right: {board.name}, {len(board.widgets)} widgets in {board.columns} columns; `:dash {board.id}` shows it from the folder of dashboards"])


@dashboards.command()
@click.argument("name")
@click.option("-o", "--output", type=click.Choice(["text", "json", "toml"]), default="text", help="Text and json ask the engine; toml is the file, to copy and change.")
def show(name: str, output: str) -> None:
    """Print what a dashboard shows now, by its NAME."""
    import asyncio

    from fleet_tui.boards import user_boards
    from fleet_tui.output import print_json, print_lines
    from fleet_tui.subcommands import places

    boards = user_boards(os.environ)
    board = boards.get(name)
    if output == "toml":
        path = boards.find(name)
        assert path is not None, "get() read it"
        print_lines(path.read_text("utf-8").splitlines())
        return
    found = asyncio.run(_look(places(), board))
    if output == "json":
        print_json({"id": board.id, "name": board.name, "widgets": found})
    else:
        print_lines([board.name, *(line for widget in found for line in _lines(widget))])


async def _look(paths: Any, board: Dashboard) -> list[dict[str, Any]]:  # noqa: ANN401  # Paths, which is not loaded for --help
    from engine.model.dashboards import look
    from fleet_tui.acts import operator_at
    from fleet_tui.attach import require_address

    async with operator_at(require_address(paths)) as operator:
        return await look(board, operator.query)


def _lines(widget: Mapping[str, Any]) -> Iterator[str]:
    """Write what one widget shows."""
    from engine.model.metrics import written_value

    title = widget["title"]
    if error := widget.get("error"):
        yield f"  {title}: {error}"
    elif "text" in widget:
        yield f"  {widget['text']}"
    elif "rows" in widget:
        yield f"  {title}: {len(widget['rows']):,}"
    elif "pools" in widget:
        for pool, values in widget["pools"].items():
            known = [value for value in values if value is not None]
            yield f"  {title}, {pool}: {written_value(known[-1] if known else None, widget['unit'])}"
    else:
        known = [value for value in widget["values"] if value is not None]
        spread = f" (least {written_value(min(known), widget['unit'])}, most {written_value(max(known), widget['unit'])})" if known else ""
        sign = {"warn": " !", "bad": " !!"}.get(widget["severity"], "")
        yield f"  {title}: {written_value(widget['value'], widget['unit'])}{spread}{sign}"
