"""The themes: contrast of every text on every background at every number of colours, colour blindness, and their look."""

from __future__ import annotations

import argparse
import re

import pytest
from rich.color import Color
from rich.style import Style
from textual.app import App
from themes import CSS_PATHS, THEMES
from themes.palettes import BACKGROUNDS, PALETTES, TEXT_ROLES, Palette
from themes.reduction import Level, Reducer

from tests.ui.conftest import Snap
from tests.ui.demo_app import DemoApp, parse_options

NAMES = list(PALETTES)
Rgb = tuple[int, int, int]
# How people with each kind of colour blindness see (Machado, Oliveira, Fernandes 2009, full strength, linear RGB).
BLINDNESS = {
    "protan": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deutan": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "tritan": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}


def to_rgb(color: str) -> Rgb:
    triplet = Color.parse(color).get_truecolor()
    return (triplet.red, triplet.green, triplet.blue)


def linear(rgb: Rgb) -> tuple[float, float, float]:
    shares = (part / 255 for part in rgb)
    red, green, blue = (s / 12.92 if s <= 0.03928 else ((s + 0.055) / 1.055) ** 2.4 for s in shares)
    return red, green, blue


def luminance(rgb: Rgb) -> float:
    red, green, blue = linear(rgb)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: Rgb, other: Rgb) -> float:
    """Return the contrast of two colours as WCAG 2 defines it, 1 to 21."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def lab(rgb: tuple[float, float, float]) -> tuple[float, float, float]:
    """Return linear RGB in CIELAB, where distances are as large as they look."""
    r, g, b = (min(max(part, 0.0), 1.0) for part in rgb)
    xyz = (
        (0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.9505, 0.2126 * r + 0.7152 * g + 0.0722 * b,
        (0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.089,
    )  # fmt: skip
    x, y, z = (v ** (1 / 3) if v > 0.008856 else 7.787 * v + 16 / 116 for v in xyz)
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def look_apart(one: str, other: str, kind: str) -> float:
    """Return how far apart two colours look to somebody with a kind of colour blindness."""
    seen = []
    for color in (one, other):
        rgb = linear(to_rgb(color))
        matrix = BLINDNESS[kind]
        red, green, blue = (sum(m * c for m, c in zip(row, rgb, strict=True)) for row in matrix)
        seen.append(lab((red, green, blue)))
    return sum((a - b) ** 2 for a, b in zip(*seen, strict=True)) ** 0.5


def pairs(palette: Palette) -> list[tuple[str, str, str, str]]:
    return [
        (role, getattr(palette, role), ground, getattr(palette, ground))
        for role in TEXT_ROLES
        for ground in BACKGROUNDS
    ]


def test_there_are_themes_for_everybody() -> None:
    assert len(NAMES) >= 10
    assert sum(palette.contrast_min >= 7 for palette in PALETTES.values()) >= 3
    assert {palette.is_dark for palette in PALETTES.values()} == {True, False}


@pytest.mark.parametrize("name", NAMES)
def test_text_stands_out_from_every_background(name: str) -> None:
    palette = PALETTES[name]
    assert palette.contrast_min >= 4.5
    assert low_contrasts(pairs(palette), palette.contrast_min) == []
    measured = min(contrast(to_rgb(text), to_rgb(back)) for _, text, _, back in pairs(palette))
    assert palette.measure_contrast() == pytest.approx(measured, abs=0.001)


def low_contrasts(found: list[tuple[str, str, str, str]], wanted: float) -> list[tuple[str, str, float]]:
    shares = [(role, ground, contrast(to_rgb(text), to_rgb(back))) for role, text, ground, back in found]
    return [(role, ground, round(share, 2)) for role, ground, share in shares if share < wanted]


@pytest.mark.parametrize("name", NAMES)
def test_bars_in_the_colour_of_a_part_can_be_read(name: str) -> None:
    """The context line of a marked context is filled with a part's colour."""
    palette = PALETTES[name]
    bars = [(role, palette.background, "bar", getattr(palette, role)) for role in ("accent", "good", "warn", "bad")]
    assert low_contrasts(bars, palette.contrast_min) == []


@pytest.mark.parametrize("name", NAMES)
def test_lines_can_be_seen(name: str) -> None:
    palette = PALETTES[name]
    for ground in ("background", "surface", "panel"):
        assert contrast(to_rgb(palette.line), to_rgb(getattr(palette, ground))) >= 3.0


# ---- fewer colours

# What the usual terminals make of the first 16 colours, black to bright white.
TERMINALS = {
    "linux": "000000 aa0000 00aa00 aa5500 0000aa aa00aa 00aaaa aaaaaa 555555 ff5555 55ff55 ffff55 5555ff ff55ff 55ffff ffffff",
    "xterm": "000000 cd0000 00cd00 cdcd00 0000ee cd00cd 00cdcd e5e5e5 7f7f7f ff0000 00ff00 ffff00 5c5cff ff00ff 00ffff ffffff",
    "windows": "0c0c0c c50f1f 13a10e c19c00 0037da 881798 3a96dd cccccc 767676 e74856 16c60c f9f1a5 3b78ff b4009e 61d6d6 f2f2f2",
    "gnome": "171421 c01c28 26a269 a2734c 12488b a347ba 2aa1b3 d0cfcc 5e5c64 f66151 33da7a e9ad0c 2a7bde c061cb 33c7de ffffff",
}


def reduced_pairs(palette: Palette, reducer: Reducer) -> list[tuple[str, Style, str]]:
    """Return each text on each ground, and on bars in the colour of a part, as a reducer shows them."""
    cases = [(f"{role} on {ground}", text, back) for role, text, ground, back in pairs(palette)]
    cases += [(f"bar {role}", palette.background, getattr(palette, role)) for role in ("accent", "good", "warn", "bad")]
    found = []
    for bold in (False, True):
        found += [(name, reducer.reduce(Style(color=text, bgcolor=back, bold=bold)), back) for name, text, back in cases]
    return found


@pytest.mark.parametrize("terminal", TERMINALS)
@pytest.mark.parametrize("name", NAMES)
def test_sixteen_colours_stay_readable(name: str, terminal: str) -> None:
    """4.5:1 in every theme with the colours of the usual terminals; the Linux console has but eight grounds."""
    known = [f"#{color}" for color in TERMINALS[terminal].split()]
    reducer = Reducer(PALETTES[name], Level.SIXTEEN, has_bright_grounds=terminal != "linux")
    for what, style, _ in reduced_pairs(PALETTES[name], reducer):
        assert style.color is not None
        assert style.bgcolor is not None
        text, ground = style.color.number, style.bgcolor.number
        assert text is not None
        assert ground is not None
        assert ground < 8 or terminal != "linux"
        # Many terminals show bold text of the first eight colours in the bright ones.
        shown = (text, text + 8) if style.bold and text < 8 else (text,)
        assert all(contrast(to_rgb(known[number]), to_rgb(known[ground])) >= 4.5 for number in shown), (what, style)


@pytest.mark.parametrize("name", NAMES)
def test_256_colours_stay_readable(name: str) -> None:
    palette = PALETTES[name]
    for what, style, _ in reduced_pairs(palette, Reducer(palette, Level.MANY)):
        assert style.color is not None
        assert style.bgcolor is not None
        colors = [color.get_truecolor() for color in (style.color, style.bgcolor)]
        wanted = 4.5 if what.startswith("bar") else palette.contrast_min
        assert contrast(tuple(colors[0]), tuple(colors[1])) >= wanted, (what, style)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", NAMES)
def test_without_colours_the_cursor_and_what_is_bad_still_stand_out(name: str) -> None:
    palette = PALETTES[name]
    reducer = Reducer(palette, Level.NONE)
    for what, style, back in reduced_pairs(palette, reducer):
        assert style.color is None, what
        assert style.bgcolor is None, what
        assert bool(style.reverse) is (back == palette.cursor or what.startswith("bar")), what
        assert style.bold or not what.startswith("bad "), what


def test_a_style_is_reduced_once() -> None:
    palette = PALETTES["nord"]
    reducer = Reducer(palette, Level.SIXTEEN)
    style = Style(color=palette.bad, bgcolor=palette.surface, underline=True)
    assert reducer.reduce(style) is reducer.reduce(Style(color=palette.bad, bgcolor=palette.surface, underline=True))
    assert reducer.reduce(style).underline
    assert Reducer(palette, Level.TRUE).reduce(style) is style


def test_a_colour_that_no_theme_has_is_shown_as_its_nearest_part() -> None:
    palette = PALETTES["fleet-dark"]
    blended = Style(color="#ff8080", bgcolor="#12161c")
    known = Style(color=palette.bad, bgcolor=palette.background)
    for level in (Level.SIXTEEN, Level.NONE):
        reducer = Reducer(palette, level)
        assert reducer.reduce(blended) == reducer.reduce(known)


# ---- colour blindness


@pytest.mark.parametrize(
    ("name", "kind"),
    [("fleet-safe", "protan"), ("fleet-safe", "deutan"), ("fleet-safe", "tritan"),
     ("deuteranopia", "protan"), ("deuteranopia", "deutan"), ("tritanopia", "tritan")],
)  # fmt: skip
def test_themes_for_colour_blindness_tell_states_apart(name: str, kind: str) -> None:
    palette = PALETTES[name]
    for one, other in ((palette.good, palette.warn), (palette.good, palette.bad), (palette.warn, palette.bad)):
        assert look_apart(one, other, kind) > 20


def test_all_themes_name_the_same_variables() -> None:
    assert [theme.name for theme in THEMES] == NAMES
    assert len({frozenset(theme.variables) for theme in THEMES}) == 1


@pytest.mark.parametrize("name", NAMES)
def test_no_text_is_blended_below_its_contrast(name: str) -> None:
    """Textual derives text colours with transparency unless a theme says otherwise."""
    theme = next(theme for theme in THEMES if theme.name == name)
    colors = theme.to_color_system().generate()
    blended = {
        key: value
        for key, value in colors.items()
        if key.startswith("text") and ("auto" in value or len(value) > 7)
    }
    assert blended == {}


def test_stylesheets_exist_and_name_no_colour_of_their_own() -> None:
    for path in CSS_PATHS:
        assert re.findall(r":[^;{}]*#[0-9a-fA-F]{3,8}\b", path.read_text("utf-8")) == [], "colours come from the theme's variables"


@pytest.mark.parametrize("name", NAMES)
async def test_looks_as_approved(name: str, snap: Snap) -> None:
    options = parse_options(["--theme", name, "--agents", "40"])
    app: App[None] = DemoApp(argparse.Namespace(**vars(options)))
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("down", "down", "space", "down")
        if name == "fleet-dark":
            await pilot.press("m")
        await snap(pilot)
