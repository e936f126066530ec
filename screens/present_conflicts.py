"""Conflicts of memory as lines: what won beside what lost, line by line, and how each is settled. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any

from engine.model.memory import DEFAULT_NAMESPACE
from screens.present import age, byte_count, instant_text, plural
from screens.present_text import Lines, field_line, note, part, title_line
from screens.widgets.cells import Cell, Glyphs, Row, clean, clip_middle, fit, split_cell

Sheet = Mapping[str, Any]

STATE_WIDTH = 8
"""Cells of the word that says how it goes with a peer."""
LINES_MAX = 200
"""Lines of a value that are compared; of a longer one its beginning is."""
_MAY_NOT: Lines = note("for its owner and administrators to settle")
SAME, CHANGED, WON, LOST = " ", "|", "<", ">"
"""Between two lines: as in sdiff, so that it is told without colour, too."""


def conflicts_text(sheets: Sequence[Sheet], peers: Sequence[Mapping[str, Any]], width: int, now: float, glyphs: Glyphs) -> tuple[Lines, dict[int, str]]:
    """Return all conflicts, one below the other, under what is to be said of the peers; and which line is about which."""
    lines = [*_peer_lines(peers, width, now, glyphs), *([()] if peers else [])]
    if not sheets:
        return [*lines, *note("no entry is in conflict" if peers else "no entry is in conflict, and there are no peers: [memory] peers names them")], {}
    links: dict[int, str] = {}
    for sheet in sheets:
        for place, loser in enumerate(sheet["sides"][1:], 1):
            links[len(lines)] = f"{sheet['id']}#{loser['name']}"
            lines += [*conflict_lines(sheet, place, width, now, glyphs), ()]
    return lines[:-1], links


def entry_of(thing: str) -> str:
    """Return the path of the entry that a conflict is of."""
    return thing.rpartition("#")[0] or thing


def version_of(thing: str) -> str:
    """Return the name of the version that lost."""
    return thing.rpartition("#")[2]


def place_of(sheet: Sheet, name: str) -> int:
    """Return the place of a version among those that lost, from 1; 0 = it is none any more."""
    return next((place for place, side in enumerate(sheet["sides"]) if place and side["name"] == name), 0)


def entry_name(sheet: Sheet) -> str:
    """Return what people call the entry."""
    namespace = "" if sheet["namespace"] == DEFAULT_NAMESPACE else f"{sheet['namespace']}/"
    return clean(f"{namespace}{sheet['owner']}/{sheet['key']}")


def _peer_lines(peers: Iterable[Mapping[str, Any]], width: int, now: float, glyphs: Glyphs) -> Lines:
    """Return two lines for each: its address may fill the first."""
    lines: Lines = []
    for peer in peers:
        state, told = _peer_words(peer, now)
        lines += [(state, clip_middle(clean(str(peer["address"])), width - STATE_WIDTH, glyphs.ellipsis)), (" " * STATE_WIDTH, told)]
    return lines


def _peer_words(peer: Mapping[str, Any], now: float) -> tuple[Cell, Cell]:
    last = f"last exchanged {age(now - peer['at'])} ago" if peer["at"] else "never exchanged"
    if peer["problem"]:
        return Cell("away    ", "bad"), Cell(f"{last}: {clean(str(peer['problem']))}", "warn")
    if not peer["at"]:
        return Cell("waits   ", "dim"), Cell("not asked yet", "dim")
    return Cell("in step ", "good"), Cell(f"{last}, {plural(peer['taken'], 'entry')} came and {peer['given']} went", "dim")


def conflict_lines(sheet: Sheet, place: int, width: int, now: float, glyphs: Glyphs) -> Lines:
    """Return a version that lost, what won to its left, and the lines in which they differ."""
    several = len(sheet["sides"]) - 1
    count = f"  {place} of {several} that lost" if several > 1 else ""
    sides = _sides(sheet["sides"][0], sheet["sides"][place], (width - 3) // 2, now, glyphs)
    return [title_line(f"{entry_name(sheet)}{count}"), *sides, *([] if sheet["may_resolve"] else _MAY_NOT)]


def conflict_document(sheet: Sheet, place: int, width: int, now: float, glyphs: Glyphs) -> Lines:
    """Return a conflict in full: who wrote both versions and when, what each is, both values beside each other, and the ways to settle it."""
    winner, loser = sheet["sides"][0], sheet["sides"][place]
    others = len(sheet["sides"]) - 2
    count = f", which settles {plural(others, 'other conflict')} of it, too" if others else ""
    ways = _ways(sheet, place)
    return [
        *conflict_lines(sheet, place, width, now, glyphs),
        (),
        *part("Written", [_written("won", winner), (*_written("lost", loser), Cell(f"  named {loser['name']}", "dim"))]),
        *(part(f"To settle it{count}, as a line", ways) if sheet["may_resolve"] else ways),
    ]


def _written(label: str, side: Mapping[str, Any]) -> Row:
    return field_line(label, f"{instant_text(side['at'])} by {clean(side['writer'])}")


def short_sides(sheet: Sheet, place: int, width: int, lines_max: int, now: float, glyphs: Glyphs) -> list[str]:  # noqa: PLR0913  # a box of so many cells and lines
    """Return both sides in at most so many lines, as plain text: those that differ, and those around them."""
    rows = _sides(sheet["sides"][0], sheet["sides"][place], (width - 3) // 2, now, glyphs)
    texts = ["".join(str(split_cell(cell)[0]) for cell in row).rstrip() for row in rows]
    if len(texts) <= lines_max:
        return texts
    head, rest = texts[:2], rows[2:]
    first = next((number for number, row in enumerate(rest) if len(row) > 1 and split_cell(row[1])[0].strip()), 0)
    begin = max(0, min(first - 1, len(rest) - (lines_max - 3)))
    shown = texts[2 + begin : begin + lines_max - 1]
    return [*head, *shown, f"{glyphs.ellipsis} {plural(len(rest) - len(shown), 'more line')}"]


def _sides(winner: Mapping[str, Any], loser: Mapping[str, Any], width: int, now: float, glyphs: Glyphs) -> Lines:
    def both(left: str, mark: str, right: str, role: str) -> Row:
        return (
            Cell(fit(left, width, ellipsis=glyphs.ellipsis), role),
            Cell(f" {mark} ", "accent" if mark != SAME else "dim"),
            Cell(fit(right, width, ellipsis=glyphs.ellipsis).rstrip(), role),
        )

    if glyphs.is_plain:
        return _sides_in_words(winner, loser, now)
    heads = [both(f"won:  {_by(winner, now)}", SAME, f"lost: {_by(loser, now)}", "accent"), both(_what(winner), SAME, _what(loser), "dim")]
    return [*heads, *(both(left, mark, right, "dim" if mark == SAME else "") for left, mark, right in compared(_value_lines(winner), _value_lines(loser)))]


def _sides_in_words(winner: Mapping[str, Any], loser: Mapping[str, Any], now: float) -> Lines:
    """Return one side after the other, to be read aloud: what is not the same on the other side says so."""
    rows = compared(_value_lines(winner), _value_lines(loser))
    won = [f"differs: {left}" if mark != SAME else left for left, mark, _ in rows if mark != LOST]
    lost = [f"differs: {right}" if mark != SAME else right for _, mark, right in rows if mark != WON]
    heads = ((f"won: {_by(winner, now)}", _what(winner).strip(), won), (f"lost: {_by(loser, now)}", _what(loser).strip(), lost))
    found: Lines = []
    for head, what, lines in heads:
        found += [(Cell(head, "accent"),), (Cell(what, "dim"),), *((line,) for line in lines), ()]
    return found


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
        return _MAY_NOT
    owner = "" if sheet["namespace"] == "default" else f" --namespace {sheet['namespace']}"
    call = f":resolve {json.dumps(sheet['key'], ensure_ascii=False) if ' ' in sheet['key'] else sheet['key']} --owner {sheet['owner_id']}{owner}"
    return [
        (Cell("keep what won   ", "dim"), call),
        (Cell("take what lost  ", "dim"), f"{call} --take {place}"),
        (Cell("store another   ", "dim"), f"{call} --value …"),
    ]
