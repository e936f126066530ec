"""Moving lines to the right and to the left, but not what stands in strings over several lines.

Owner: nobody.
"""

from collections.abc import Iterator
from typing import Protocol

from engine.editing.structure import line_end


class HasStrings(Protocol):
    """A structure, of whatever language."""

    def in_string(self, offset: int) -> bool:
        """Tell whether a place is inside of a string over several lines."""
        ...


def lines_of(text: str, span: tuple[int, int]) -> Iterator[tuple[int, str]]:
    """Go through the lines of a piece of text, each with its offset; the first may begin inside of a line."""
    at, end = span
    while at < end:
        stop = min(line_end(text, at), end)
        yield at, text[at:stop]
        at = stop


def indent(
    structure: HasStrings, text: str, span: tuple[int, int], unit: str, *, behind: str = ""
) -> str:
    """Give a piece of text that begins with a line, one level deeper: with `unit` behind the indentation `behind`."""
    pieces: list[str] = []
    for at, line in lines_of(text, span):
        if not line.strip() or structure.in_string(at):
            pieces.append(line)
        elif behind and line.startswith(behind):
            pieces.append(behind + unit + line[len(behind) :])
        else:
            feeds = len(line) - len(line.lstrip("\f"))  # they set the column back
            pieces.append(line[:feeds] + unit + line[feeds:])
    return "".join(pieces)


def dedent(structure: HasStrings, text: str, span: tuple[int, int], margin: str) -> str:
    """Give a piece of text with its lines moved to the left; what stands further left stays."""
    return "".join(
        line if structure.in_string(at) else line.removeprefix(margin)
        for at, line in lines_of(text, span)
    )
