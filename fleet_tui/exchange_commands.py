"""`fleet-tui memory conflicts` and `memory peers`: what several engines disagree on, and how their exchange goes.

Owner: nobody; functions only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from engine.model.wire import to_plain
from fleet_tui import output
from fleet_tui.acts import operator_at
from fleet_tui.attach import require_address
from fleet_tui.memory_commands import aligned

if TYPE_CHECKING:
    from fleet_tui.settings import Paths

CONFLICTS = ("KEY", "OWNER", "NAMESPACE", "LEVEL", "WON", "WON BY", "CHANGED", "LOST", "LOST BY", "CHANGED", "TAKE")
PEERS = ("PEER", "STATE", "LAST", "CAME", "WENT", "CONFLICTS", "LEFT OUT", "CLOCK")
SKEW_MIN_S = 1.0
"""Of less than this nothing is said: the way there takes time, too."""


def conflicts(paths: Paths, form: str) -> None:
    """Print conflicts; as JSON with both values. Raises FleetError."""
    found = asyncio.run(_conflicts(paths, sheets=form == "json"))
    if form == "json":
        output.print_json(found)
    else:
        output.print_lines(conflicts_table(found))


def peers(paths: Paths, form: str) -> None:
    """Print peers. Raises FleetError."""
    found = asyncio.run(_peers(paths))
    if form == "json":
        output.print_json(found)
    else:
        output.print_lines(peers_table(found))


async def _conflicts(paths: Paths, *, sheets: bool) -> list[dict[str, Any]]:
    async with operator_at(require_address(paths)) as operator:
        rows: Any = to_plain(await operator.query("conflicts"))
        if not sheets:
            return list(rows)
        entries = dict.fromkeys(row["id"].split("#")[0] for row in rows)
        return [to_plain(await operator.query("conflict", id=entry)) for entry in entries]


async def _peers(paths: Paths) -> list[dict[str, Any]]:
    async with operator_at(require_address(paths)) as operator:
        found: Any = to_plain(await operator.query("peers"))
        return list(found)


def conflicts_table(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Return conflicts as lines under a heading; one line when there is none."""
    if not rows:
        yield "no entry is in conflict"
        return
    yield from aligned(CONFLICTS, [_conflict_cells(row) for row in rows])


def peers_table(states: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Return peers as lines under a heading, and beneath it why one is not reached; one line when there is none."""
    if not states:
        yield "no peers: name them in [memory] peers of the configuration"
        return
    yield from aligned(PEERS, [_peer_cells(state) for state in states])
    yield from (f"{output.clean(state['address'])}: {output.clean(state['problem'])}" for state in states if state["problem"])


def _conflict_cells(row: dict[str, Any]) -> list[str]:
    cells = [str(row[name]) for name in ("key", "owner", "namespace", "level")]
    for side in ("won", "lost"):
        cells += [_version(row, side), row[f"{side}_by"], output.instant(row[f"{side}_at"])]
    return [*cells, row["take"]]


def _version(row: dict[str, Any], side: str) -> str:
    what = "deleted" if row[f"{side}_deleted"] else f"{row[f'{side}_size']} B"
    return f"v{row[f'{side}_version']} {what}"


def _peer_cells(state: dict[str, Any]) -> list[str]:
    word = "away" if state["problem"] else "in step" if state["at"] else "not asked yet"
    skew = state["skew_s"]
    clock = f"{skew:+.0f} s" if abs(skew) >= SKEW_MIN_S else "right"
    last = output.instant(state["at"]) if state["at"] else "never"
    numbers = [str(state[name]) for name in ("taken", "given", "conflicts", "left_out")]
    return [state["address"], word, last, *numbers, clock if state["at"] else "unknown"]
