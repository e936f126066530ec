"""Structural search and replacement: what is made of what a tree-sitter query matched.

Owner: nobody. Only the booster's module can match a query; its answer is read here, with offsets in characters.
"""

import re
from bisect import bisect_right
from collections.abc import Mapping
from itertools import pairwise
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from engine.editing.edits import Edit
from engine.editing.source import Source
from engine.editing.splices import Splice
from engine.editing.structure import Characters
from engine.model.code_errors import CodeError
from engine.model.code_requests import Language, ReplaceRequest

TEXT_MAX_CHARACTERS: Final = 200
_LINE_ENDS: Final[Mapping[bool, re.Pattern[str]]] = MappingProxyType(
    {True: re.compile(r"\r\n?|\n"), False: re.compile(r"\n")}
)
_HOLE: Final = re.compile(r"\$(\$|\w+)?", re.ASCII)


class _Capture(NamedTuple):
    name: str
    start: int
    end: int


class _Match(NamedTuple):
    pattern: int
    captures: tuple[_Capture, ...]


def show_matches(source: Source, answer: Mapping[str, Any]) -> dict[str, object]:
    """Give the answer of code.search, in the order of the source."""
    places = _Places(source.text, source.language)
    rows: list[dict[str, object]] = []
    for match in _read_matches(source, answer):
        captures: list[dict[str, object]] = []
        for name, start, end in match.captures:
            line, column = places.place(start)
            end_line, end_column = places.place(end)
            captures.append(
                {
                    "name": name,
                    "line": line,
                    "column": column,
                    "end_line": end_line,
                    "end_column": end_column,
                    "text": source.text[start:end][:TEXT_MAX_CHARACTERS],
                }
            )
        rows.append({"pattern": match.pattern, "captures": captures})
    return {"matches": rows, "truncated": answer["truncated"]}


def replace_matches(source: Source, request: ReplaceRequest, answer: Mapping[str, Any]) -> Edit:
    """Write the template over what each match captured as @target.

    `$name` in it stands for what the match captured as @name: of several nodes the text from the first to the last.
    Raises `CodeError` (bad_parameter, ambiguous).
    """
    names = set(answer["captures"])
    if "target" not in names:
        raise CodeError("bad_parameter", "`query` captures nothing as @target; say so what is to be replaced.")
    for hole in _HOLE.finditer(request.template):
        if hole[1] != "$" and hole[1] not in names:
            raise CodeError(
                "bad_parameter",
                f"`template` has {hole[0]}, which `query` does not capture; write $$ for a dollar.",
            )
    if answer["truncated"]:
        raise CodeError("too_large", "`query` has more matches than one edit may replace; narrow it.")
    splices: set[Splice] = set()
    for match in _read_matches(source, answer):
        spans: dict[str, tuple[int, int]] = {}
        for name, start, end in match.captures:
            first, last = spans.get(name, (start, end))
            spans[name] = (min(first, start), max(last, end))
        if "target" in spans:
            splices.add(Splice(*spans["target"], _fill(source.text, request.template, spans)))
    rows = sorted(splices)
    for one, other in pairwise(rows):
        if other.start < one.end:
            places = _Places(source.text, source.language)
            line, column = places.place(other.start)
            raise CodeError(
                "ambiguous",
                "One match lies inside of another, or is to be replaced by two texts; narrow `query`.",
                line,
                column,
            )
    changed = [row for row in rows if source.text[row.start : row.end] != row.text]
    return Edit.of(changed, count=len(changed), compiles=source.language == "python")


def _fill(text: str, template: str, spans: Mapping[str, tuple[int, int]]) -> str:
    def fill(hole: re.Match[str]) -> str:
        return "$" if hole[1] == "$" else text[slice(*spans.get(hole[1], (0, 0)))]

    return _HOLE.sub(fill, template)


def _read_matches(source: Source, answer: Mapping[str, Any]) -> list[_Match]:
    characters = Characters(source.text.encode())
    names = answer["captures"]
    found = [
        _Match(
            pattern,
            tuple(
                _Capture(names[number], characters.offset(start), characters.offset(end))
                for number, start, end in captures
            ),
        )
        for pattern, captures in answer["matches"]
    ]
    return sorted(found, key=lambda row: (row.captures[0].start if row.captures else 0, row.pattern))


class _Places:
    """Lines from 1, columns from 0."""

    def __init__(self, text: str, language: Language) -> None:
        ends = _LINE_ENDS[language == "python"]
        self._starts = [0, *(match.end() for match in ends.finditer(text))]

    def place(self, offset: int) -> tuple[int, int]:
        line = bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1]
