"""What a screen shows, as text that a person can approve: its characters once, the parts they play, and how other looks differ.

One file holds a place at a size. Colours are named by the palette's roles, so that a new tone of a theme changes no
file; that each tone can be read is computed from the palettes, in `test_contrast.py`.
"""

from __future__ import annotations

import itertools
import string
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from screens.cell_shadow import split_cells
from textual.app import App
from themes.contrast import contrast
from themes.palettes import PALETTES, Palette
from themes.reduction import color_hex

LOOKS = ("dark", "light", "16", "ascii")
MARKS = ("bold", "italic", "underline", "reverse", "dim", "strike")
NAMES = (*string.ascii_lowercase, *string.ascii_uppercase, *(first + second for first, second in itertools.product(string.ascii_lowercase, repeat=2)))
SIXTEEN = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")
ROLES = ("background", "surface", "panel", "title", "cursor", "text", "muted", "accent", "good", "warn", "bad", "line", "heat_low", "heat_middle", "heat_high")
UNDER = "~"
"""Stands for a line of the view under a dialog, which is approved with that view."""
DRAWN = frozenset(" ─│╭╮╰╯└┤▔▁▂▃▄▅▆▇█▀▌")
"""Frames, axes and scroll bars, which need 3:1 and have a test of their own, and cells of heat maps, whose colours are their values."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a screen showed in a look."""

    text: tuple[str, ...]
    styles: tuple[tuple[str, ...], ...]
    """A name for each cell, by line."""
    is_over: bool = False
    """Whether it stands over a view."""
    numbers: tuple[int, ...] = ()

    def only(self, numbers: Sequence[int]) -> Seen:
        """Return some of its lines, which keep their numbers."""
        return Seen(tuple(self.text[number] for number in numbers), tuple(self.styles[number] for number in numbers), self.is_over, tuple(numbers))


def see(app: App[object]) -> Seen:
    """Return what an app shows."""
    palette = PALETTES[app.theme]
    known: dict[Style | None, tuple[str, str]] = {}
    text, styles = [], []
    for strip in app.screen._compositor.render_strips():
        characters, names = [], []
        for piece in strip:
            if piece.style not in known:
                known[piece.style] = name_style(piece.style or Style.null(), palette)
            full, blank = known[piece.style]
            cells = split_cells(piece.text)
            characters += cells
            names += [full if cell.strip() or "underline" in full or "reverse" in full or not cell else blank for cell in cells]
        text.append("".join(characters).rstrip())
        styles.append(tuple(names))
    return Seen(tuple(text), tuple(styles), is_over=app.screen.is_modal)


def name_style(style: Style, palette: Palette) -> tuple[str, str]:
    """Return the name of a style, and of a blank in it."""
    ground = name_color(style.bgcolor, palette)
    marks = [mark for mark in MARKS if getattr(style, mark)]
    return " ".join([f"{name_color(style.color, palette)} on {ground}", *marks]), f"on {ground}"


def name_color(color: Color | None, palette: Palette) -> str:
    """Return a colour's role in the palette, its name if it is one of sixteen, else its value."""
    if color is None or color.is_default:
        return "default"
    if color.number is not None and color.triplet is None:
        number = color.number
        return f"{'bright ' * (number >= 8)}{SIXTEEN[number % 8]}" if number < 16 else f"colour {number}"
    value = color_hex(color)
    return next((role for role in ROLES if getattr(palette, role) == value), value)


# ---- the text that is approved


def describe(seen: Mapping[str, Seen], under: Mapping[str, Seen] | None = None) -> str:
    """Return what a place shows in some looks, the dark one first; lines that are those of the view under it are left out."""
    looks = tuple(seen)
    first = seen["dark"]
    own = [number for number in range(len(first.text)) if under is None or any(_differs(seen[look], under[look], number) for look in looks)]
    lines = [(number + 1, _carry(first.styles[number])) for number in own]
    letters = dict(zip(dict.fromkeys(name for _, line in lines for name in line), NAMES, strict=False))
    parts = [
        *(text if number in own else UNDER for number, text in enumerate(first.text)),
        "== parts",
        *(f"{letter} {name}" for name, letter in letters.items()),
        *_runs((number, [letters[name] for name in line]) for number, line in lines),
    ]
    for look in looks[1:]:
        parts += [f"== {look}", *_differences(first.only(own), seen[look].only(own), letters, look)]
    return "\n".join(parts) + "\n"


def _differs(seen: Seen, under: Seen, number: int) -> bool:
    return len(seen.text) != len(under.text) or (seen.text[number], seen.styles[number]) != (under.text[number], under.styles[number])


def _carry(names: Iterable[str]) -> list[str]:
    """Return the names of a line with each blank part of what stands before it on the same ground."""
    carried: list[str] = []
    for name in names:
        before = carried[-1] if carried else ""
        is_carried = name.startswith("on ") and f" {name} " in f"{before} " and "underline" not in before and "reverse" not in before
        carried.append(before if is_carried else name)
    return carried


def _runs(lines: Iterable[tuple[int, list[str]]]) -> Iterator[str]:
    """Give each line as letters with how often they follow; like lines are given once."""
    for runs, group in itertools.groupby(((number, _run(letters)) for number, letters in lines), key=lambda line: line[1]):
        numbers = [number for number, _ in group]
        yield f"{numbers[0]}{f'-{numbers[-1]}' if len(numbers) > 1 else ''}: {runs}"


def _run(letters: Iterable[str]) -> str:
    return " ".join(f"{letter}{len(list(run))}" for letter, run in itertools.groupby(letters))


def _differences(first: Seen, other: Seen, letters: Mapping[str, str], look: str) -> Iterator[str]:
    """Give the lines in which a look says something else, or says it in other parts; at 16 colours, what each part is."""
    for number, text, other_text in zip(first.numbers, first.text, other.text, strict=True):
        if text != other_text:
            yield f"{number + 1}|{other_text}"
    if look == "16":
        for name, shown in _translate(first, other).items():
            if name in letters:
                yield f"{letters[name]} {' or '.join(sorted(shown))}"
        return
    for number, names, others in zip(first.numbers, first.styles, other.styles, strict=True):
        if names != others:
            yield f"{number + 1}: {_run(letters.get(name, f'[{name}]') for name in _carry(others))}"


def _translate(first: Seen, other: Seen) -> dict[str, set[str]]:
    """Return the names that stand in another look where a name stands in the first."""
    found: dict[str, set[str]] = {}
    for line, others in zip(first.styles, other.styles, strict=True):
        for name, also in zip(line, others, strict=True):
            found.setdefault(name, set()).add(also)
    return found


# ---- contrast


def find_low_contrasts(app: App[object]) -> set[str]:
    """Return the texts that do not stand out from their ground as much as the theme promises."""
    palette = PALETTES[app.theme]
    found = set()
    for strip in app.screen._compositor.render_strips():
        for piece in strip:
            if not DRAWN.issuperset(piece.text) and (share := _measure(piece)) is not None and share < palette.contrast_min - 0.005:
                found.add(f"{piece.text.strip()[:30]!r} {share:.2f}:1 {piece.style}")
    return found


def find_pairs(app: App[object]) -> set[str]:
    """Return which texts stand on which ground, by roles of the palette where they are of it: as they are in every theme."""
    palette = PALETTES[app.theme]
    pieces = (piece for strip in app.screen._compositor.render_strips() for piece in strip)
    styles = {piece.style for piece in pieces if piece.style is not None and not DRAWN.issuperset(piece.text)}
    return {name_style(style, palette)[0] for style in styles}


def _measure(piece: Segment) -> float | None:
    style = piece.style
    if style is None or style.color is None or style.bgcolor is None:
        return None
    return contrast(color_hex(style.color), color_hex(style.bgcolor))
