"""Conflicts of memory as lines: what won beside what lost, line by line, and how each is settled. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any

from screens.present import age, byte_count, plural
from screens.present_text import Lines, note, title_line
from screens.widgets.cells import Cell, Glyphs, Row, clean, fit

Sheet = Mapping[str, Any]

LINES_MAX = 200
"""Lines of a value that are compared; of a longer one its beginning is."""
SAME, CHANGED, WON, LOST = " ", "|", "<", ">"
"""Between two lines: as in sdiff, so that it is told without colour, too."""


def conflicts_text(sheets: Sequence[Sheet], peers: Sequence[Mapping[str, Any]], width: int, now: float, glyphs: Glyphs) -> Lines:
    """Return all conflicts, one below the other, under what is to be said of the peers."""
    lines = [*_peer_lines(peers, now), *([()] if peers else [])]
    if not sheets:
        return [*lines, *note("no entry is in conflict" if peers else "no entry is in conflict, and there are no peers: [memory] peers names them")]
    for sheet in sheets:
        lines += [*conflict_lines(sheet, width, now, glyphs), ()]
    return lines[:-1]


def _peer_lines(peers: Iterable[Mapping[str, Any]], now: float) -> Lines:
    return [_peer_line(peer, now) for peer in peers]


def _peer_line(peer: Mapping[str, Any], now: float) -> Row:
    name = clean(str(peer["address"]))
    last = f"last exchanged {age(now - peer['at'])} ago" if peer["at"] else "never exchanged"
    if peer["problem"]:
        return (Cell("away    ", "bad"), name, Cell(f"  {last}: {clean(str(peer['problem']))}", "warn"))
    if not peer["at"]:
        return (Cell("waits   ", "dim"), name, Cell("  not asked yet", "dim"))
    return (Cell("in step ", "good"), name, Cell(f"  {last}, {plural(peer['taken'], 'entry')} came and {peer['given']} went", "dim"))


def conflict_lines(sheet: Sheet, width: int, now: float, glyphs: Glyphs) -> Lines:
    """Return an entry: for each version that lost, what won to its left, and the lines in which they differ."""
    name = clean(f"{sheet['namespace']}/{sheet['owner']}/{sheet['key']}")
    winner, *losers = sheet["sides"]
    lines: Lines = [title_line(f"{name}  {plural(len(losers), 'version')} lost")]
    for place, loser in enumerate(losers, 1):
        lines += [*_sides(winner, loser, (width - 3) // 2, now, glyphs), *_ways(sheet, place)]
    return lines


def _sides(winner: Mapping[str, Any], loser: Mapping[str, Any], width: int, now: float, glyphs: Glyphs) -> Lines:
    def both(left: str, mark: str, right: str, role: str) -> Row:
        return (
            Cell(fit(left, width, ellipsis=glyphs.ellipsis), role),
            Cell(f" {mark} ", "accent" if mark != SAME else "dim"),
            Cell(fit(right, width, ellipsis=glyphs.ellipsis).rstrip(), role),
        )

    heads = [both(f"won:  {_by(winner, now)}", SAME, f"lost: {_by(loser, now)}", "accent"), both(_what(winner), SAME, _what(loser), "dim")]
    return [*heads, *(both(left, mark, right, "dim" if mark == SAME else "") for left, mark, right in compared(_value_lines(winner), _value_lines(loser)))]


def _by(side: Mapping[str, Any], now: float) -> str:
    return f"version {side['version']} by {side['writer']}, {age(now - side['at'])} ago"


def _what(side: Mapping[str, Any]) -> str:
    tags = f", tagged {side['tags']}" if side["tags"] else ""
    return "      deleted" if side["is_deleted"] else f"      {side['level']} {side['kind']}, {byte_count(side['size'])}{tags}"


def _value_lines(side: Mapping[str, Any]) -> list[str]:
    """Return a value's lines, JSON with a field a line; why there is none, in brackets."""
    value = side["value"]
    if value["refused"]:
        return [f"({value['refused']})"]
    text = value["text"]
    if not value["is_bytes"] and not value["left_out"]:
        found = json.loads(text)
        text = found if isinstance(found, str) else json.dumps(found, ensure_ascii=False, indent=1)
    lines = text.splitlines() or [""]
    more = len(lines) - LINES_MAX
    return [*lines[:LINES_MAX], *([f"({more} more lines)"] if more > 0 else [])]


def compared(left: Sequence[str], right: Sequence[str]) -> list[tuple[str, str, str]]:
    """Return two texts line beside line, with what stands between: the same, changed, or on one side only."""
    found: list[tuple[str, str, str]] = []
    for kind, a, b, c, d in SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
        for place in range(max(b - a, d - c)):
            here, there = (left[a + place] if a + place < b else None), (right[c + place] if c + place < d else None)
            mark = SAME if kind == "equal" else WON if there is None else LOST if here is None else CHANGED
            found.append((here or "", mark, there or ""))
    return found


def _ways(sheet: Sheet, place: int) -> Lines:
    """Return how it is settled, or who may not."""
    if not sheet["may_resolve"]:
        return [(Cell("for its owner and administrators to settle", "dim"),)]
    owner = "" if sheet["namespace"] == "default" else f" --namespace {sheet['namespace']}"
    call = f":resolve {json.dumps(sheet['key'], ensure_ascii=False) if ' ' in sheet['key'] else sheet['key']} --owner {sheet['owner_id']}{owner}"
    return [
        (Cell("keep what won   ", "dim"), call),
        (Cell("take what lost  ", "dim"), f"{call} --take {place}"),
        (Cell("store another   ", "dim"), f"{call} --value …"),
    ]
