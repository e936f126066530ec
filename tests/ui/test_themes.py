"""The themes: contrast of every text on every background, sixteen colours, colour blindness, and their look."""

from __future__ import annotations

import argparse

import pytest
from rich.color import Color, ColorSystem
from textual.app import App
from themes import CSS_PATHS, THEMES
from themes.palettes import BACKGROUNDS, PALETTES, TEXT_ROLES, Palette

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


def to_sixteen(color: str) -> tuple[int, Rgb]:
    """Return the nearest of 16 colours: its number and how a VGA palette shows it."""
    nearest = Color.parse(color).downgrade(ColorSystem.STANDARD)
    assert nearest.number is not None
    return nearest.number, tuple(nearest.get_truecolor())  # type: ignore[return-value]


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


@pytest.mark.parametrize("name", NAMES)
def test_text_stands_out_from_every_background(name: str) -> None:
    wanted = 7.0 if name == "fleet-contrast" else 4.5
    low = [
        (role, ground, round(contrast(to_rgb(text), to_rgb(back)), 2))
        for role, text, ground, back in pairs(PALETTES[name])
        if contrast(to_rgb(text), to_rgb(back)) < wanted
    ]
    assert low == []


@pytest.mark.parametrize("name", NAMES)
def test_sixteen_colours_stay_readable(name: str) -> None:
    low = [
        (role, ground, round(contrast(to_sixteen(text)[1], to_sixteen(back)[1]), 2))
        for role, text, ground, back in pairs(PALETTES[name])
        if contrast(to_sixteen(text)[1], to_sixteen(back)[1]) < 3.0
    ]
    assert low == []


@pytest.mark.parametrize("name", NAMES)
def test_lines_can_be_seen(name: str) -> None:
    palette = PALETTES[name]
    for ground in ("background", "surface", "panel"):
        assert contrast(to_rgb(palette.line), to_rgb(getattr(palette, ground))) > 2.0


@pytest.mark.parametrize("kind", BLINDNESS)
def test_safe_theme_tells_states_apart_without_red_and_green(kind: str) -> None:
    safe = PALETTES["fleet-safe"]
    for one, other in ((safe.good, safe.warn), (safe.good, safe.bad), (safe.warn, safe.bad)):
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
        assert "#" not in path.read_text("utf-8"), "colours come from the theme's variables"


@pytest.mark.parametrize("name", NAMES)
async def test_looks_as_approved(name: str, snap: Snap) -> None:
    options = parse_options(["--theme", name, "--agents", "40"])
    app: App[None] = DemoApp(argparse.Namespace(**vars(options)))
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("down", "down", "space", "down")
        if name == "fleet-dark":
            await pilot.press("m")
        await snap(pilot)
