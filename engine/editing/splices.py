"""Replacements in a text, and their unified diff.

Owner: nobody. The diff is made from the replacements, in time linear in the text: `difflib` would have to
guess them from the two texts, in quadratic time.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Final, NamedTuple

_CONTEXT_LINES: Final = 3


class Splice(NamedTuple):
    """One replacement; offsets into the text before."""

    start: int
    end: int
    text: str


class _Change(NamedTuple):
    """Whole lines that are replaced: from `first` to before `last`, counted from 0."""

    first: int
    last: int
    lines: list[str]


def splice(text: str, splices: Sequence[Splice]) -> str:
    """Give the text after replacements that are in order and do not overlap."""
    pieces: list[str] = []
    at = 0
    for start, end, new in splices:
        assert start >= at
        pieces += (text[at:start], new)
        at = end
    return "".join(pieces) + text[at:]


def unified_diff(text: str, splices: Sequence[Splice], label: str) -> str:
    """Give the replacements as a unified diff with three lines of context; "" if there are none.

    Lines end at a line feed, as for patch and git. The label stands for the file before and after.
    """
    if not splices:
        return ""
    lines = _split(text)
    hunks = _hunks(lines, _changes(text, lines, splices))
    return "".join([f"--- {label}\n+++ {label}\n", *hunks])


def _split(text: str) -> list[str]:
    *whole, rest = text.split("\n")
    return [line + "\n" for line in whole] + ([rest] if rest else [])


def _changes(text: str, lines: list[str], splices: Sequence[Splice]) -> list[_Change]:
    """Widen replacements to whole lines; those that touch become one."""
    starts = [0, *accumulate(map(len, lines))]
    groups: list[tuple[int, int, list[Splice]]] = []
    for row in splices:
        first = bisect_right(starts, row.start) - 1
        last = max(first, bisect_left(starts, row.end))
        # The rest of a line must stay in the change, or its end would be lost between two lines.
        before = row.text or text[starts[first] : row.start]
        if starts[last] == row.end and before and before[-1] != "\n" and last < len(lines):
            last += 1
        if groups and first <= groups[-1][1]:
            groups[-1][2].append(row)
            groups[-1] = (groups[-1][0], max(groups[-1][1], last), groups[-1][2])
        else:
            groups.append((first, last, [row]))
    return [_change(text, starts, group) for group in groups]


def _change(text: str, starts: list[int], group: tuple[int, int, list[Splice]]) -> _Change:
    first, last, rows = group
    at = starts[first]
    moved = [Splice(row.start - at, row.end - at, row.text) for row in rows]
    return _Change(first, last, _split(splice(text[at : starts[last]], moved)))


def _hunks(lines: list[str], changes: list[_Change]) -> Iterator[str]:
    """Write changes as hunks; changes with at most six lines between them share one."""
    shift = 0  # how many lines longer the text is after the hunks so far
    for group in _grouped(changes):
        start = max(0, group[0].first - _CONTEXT_LINES)
        end = min(len(lines), group[-1].last + _CONTEXT_LINES)
        growth = sum(len(change.lines) - (change.last - change.first) for change in group)
        yield f"@@ -{_range(start, end)} +{_range(start + shift, end + shift + growth)} @@\n"
        shift += growth
        at = start
        for change in group:
            yield from _marked(" ", lines[at : change.first])
            yield from _marked("-", lines[change.first : change.last])
            yield from _marked("+", change.lines)
            at = change.last
        yield from _marked(" ", lines[at:end])


def _grouped(changes: list[_Change]) -> Iterator[list[_Change]]:
    group: list[_Change] = []
    for change in changes:
        if group and change.first - group[-1].last > 2 * _CONTEXT_LINES:
            yield group
            group = []
        group.append(change)
    if group:
        yield group


def _marked(mark: str, lines: list[str]) -> Iterator[str]:
    for line in lines:
        yield (
            mark + line if line.endswith("\n") else f"{mark}{line}\n\\ No newline at end of file\n"
        )


def _range(start: int, end: int) -> str:
    """Write a range of lines as the format wants it: from 1, and an empty one by the line before it."""
    size = end - start
    if size == 1:
        return str(start + 1)
    return f"{start + (size > 0)},{size}"
