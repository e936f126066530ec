"""The encoder behind the cell diff: moves, colours, wide characters, and lines that a terminal moves by itself."""

from __future__ import annotations

import pyte
import pytest
from rich.color import ColorSystem
from rich.segment import Segment
from rich.style import Style
from screens.cell_shadow import PLAIN, CellShadow, Look, make_look, move, sgr, split_cells
from screens.scrolling import Scroll, find_scroll
from textual.strip import Strip

RED = Style.parse("#ff0000 on #000010")
BOLD = Style.parse("bold #ff0000 on #000010")


def look(text: str) -> Look:
    return make_look(Style.parse(text), ColorSystem.TRUECOLOR)


def write(shadow: CellShadow, *lines: tuple[int, int, str, Style]) -> str:
    for y, x, text, style in lines:
        shadow.put(y, x, Strip([Segment(text, style)]))
    return shadow.take_changes()


def open_shadow(width: int = 20, height: int = 3) -> CellShadow:
    shadow = CellShadow(ColorSystem.TRUECOLOR)
    shadow.resize(width, height)
    for y in range(height):
        shadow.put(y, 0, Strip([Segment(" " * width, RED)]))
    shadow.take_changes()
    return shadow


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ((-1, -1), (0, 0), "\x1b[H"), ((-1, -1), (4, 0), "\x1b[5H"), ((-1, -1), (4, 7), "\x1b[5;8H"),
        ((4, 7), (4, 8), "\x1b[C"), ((4, 7), (4, 19), "\x1b[12C"), ((4, 7), (5, 7), "\x1b[B"),
        ((4, 9), (5, 7), "\x1b[B\b\b"), ((4, 50), (5, 0), "\x1b[6H"), ((4, 90), (5, 60), "\x1b[6;61H"),
        ((14, 119), (15, 0), "\x1b[B\r"), ((4, 7), (3, 7), "\x1b[4;8H"),
    ],
)  # fmt: skip
def test_moves_are_short(start: tuple[int, int], end: tuple[int, int], expected: str) -> None:
    assert len(move(*start, *end)) <= len(expected)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("#ff0000", "#ff0000", ""), ("#ff0000", "#00ff00", "\x1b[38;2;0;255;0m"), ("#ff0000", "bold #ff0000", "\x1b[1m"),
        ("bold #ff0000 on #000001", "#ff0000 on #000001", "\x1b[22m"), ("bold", "none", "\x1b[0m"),
        ("bold dim #ff0000 on #000001", "dim #ff0000 on #000001", "\x1b[22;2m"),
        ("#ff0000 on #000001", "on #000001", "\x1b[39m"), ("on #000001", "none", "\x1b[0m"),
        ("reverse #ff0000 on #000001", "underline #ff0000 on #000001", "\x1b[27;4m"),
    ],
)  # fmt: skip
def test_colours_change_by_what_differs(old: str, new: str, expected: str) -> None:
    assert sgr(look(old), look(new)) == expected


def test_text_colour_of_a_blank_is_not_seen() -> None:
    assert look("#ff0000 on #000001").blank == look("bold #00ff00 on #000001").blank
    assert look("underline #ff0000").blank != look("underline #00ff00").blank
    assert look("reverse #ff0000").blank != look("#ff0000").blank


def test_without_colours_only_text_is_written() -> None:
    assert make_look(BOLD, None) is PLAIN


def test_only_changed_cells_are_written() -> None:
    shadow = open_shadow()
    assert (
        write(shadow, (1, 2, "load 12", RED))
        == "\x1b[2;3H\x1b[38;2;255;0;0;48;2;0;0;16mload 12\x1b[m"
    )
    assert write(shadow, (1, 2, "load 12", RED)) == ""
    assert write(shadow, (1, 2, "load 13", RED)) == "\x1b[2;9H\x1b[38;2;255;0;0;48;2;0;0;16m3\x1b[m"
    assert write(shadow, (1, 2, "       ", BOLD), (1, 12, "  ", BOLD)).count(" ") == 6


def test_short_gaps_are_written_and_long_ones_are_jumped() -> None:
    shadow = open_shadow()
    write(shadow, (0, 0, "abcdefghijklmnop", RED))
    assert "AbC" in write(shadow, (0, 0, "AbCdefghijklmnop", RED))
    assert "\x1b[8CZ" in write(shadow, (0, 0, "XbCdefghiZklmnop", RED))


def test_wide_characters_take_two_cells() -> None:
    assert split_cells("a翻b") == ["a", "翻", "", "b"]
    assert split_cells("e\u0301x") == ["e\u0301", "x"]
    assert split_cells("a\x1b\x07b") == ["a", "b"]
    shadow = open_shadow()
    assert "翻訳" in write(shadow, (0, 4, "翻訳", RED))
    assert "a\x1b[C" not in write(shadow, (0, 4, "ab", RED))
    # Terminals disagree on the width of emoji: what follows is placed, not appended.
    assert "👩‍🚀\x1b[2;3Hx" in write(shadow, (1, 0, "👩‍🚀x", RED))


def test_what_lies_outside_is_left_out() -> None:
    shadow = open_shadow(width=4, height=1)
    assert write(shadow, (5, 0, "below", RED), (0, 9, "right", RED)) == ""
    assert "ab" in write(shadow, (0, 2, "abcdef", RED))
    assert shadow.texts == [[" ", " ", "a", "b"]]


def test_links_open_and_close() -> None:
    text = write(open_shadow(), (0, 0, "docs", Style(link="https://example.org")))
    assert text.count("\x1b]8;") == 2
    assert text.endswith("\x1b]8;;\x1b\\\x1b[m")


@pytest.mark.parametrize("distance", [1, 3, -1, -4])
def test_lines_that_move_are_moved_by_the_terminal(distance: int) -> None:
    width, height = 60, 16
    letters = "abcdefghijklmnopqrstuvwxyz"
    lines = [letters[number % 26] * 40 + f" {number:<{width - 41}}" for number in range(40)]
    shadow = CellShadow(ColorSystem.TRUECOLOR)
    shadow.resize(width, height)
    screen = pyte.Screen(width, height)
    stream = pyte.Stream(screen)
    fixed = (0, "title".ljust(width), BOLD)

    def show(top: int) -> str:
        rows = [fixed, *((y, lines[top + y], RED) for y in range(1, height - 1))]
        text = write(shadow, *((y, 0, text, style) for y, text, style in rows))
        stream.feed(text)
        assert [line.rstrip() for line in screen.display[1 : height - 1]] == [
            line.rstrip() for line in lines[top + 1 : top + height - 1]
        ]
        assert screen.display[0].startswith("title")
        return text

    show(10)
    text = show(10 + distance)
    assert len(text) < 60 + abs(distance) * (width + 10)
    assert screen.buffer[5][0].bg == "000010"


def test_a_move_needs_lines_that_agree() -> None:
    after = [list("aaaa"), list("bbbb"), list("cccc"), list("dddd"), list("eeee")]
    assert find_scroll({}, after) is None
    assert find_scroll({0: list("bbbb"), 1: list("cccc")}, after) is None
    before = {1: list("aaaa"), 2: list("bbbb"), 3: list("cccc"), 4: list("dddd"), 0: list("....")}
    assert find_scroll(before, after) == Scroll(0, 4, 1)
    blank = {number: list("    ") for number in range(5)}
    assert find_scroll(blank, [list("    ")] * 5) is None
    assert [Scroll(1, 3, 1).find_source(y) for y in range(5)] == [0, 2, 3, -1, 4]
