"""How far apart two colours are to the eye: contrast as WCAG 2 defines it, and distance in OKLab.

Owner: nobody; pure functions. A colour is `#rrggbb`.
"""

from __future__ import annotations

import math
from functools import lru_cache

Rgb = tuple[int, int, int]
Lab = tuple[float, float, float]
TINT_WEIGHT = 2.0


def to_rgb(color: str) -> Rgb:
    """Return red, green and blue, 0 to 255."""
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


def to_hex(rgb: Rgb) -> str:
    """Return `#rrggbb`."""
    return "#{:02x}{:02x}{:02x}".format(*rgb)


def to_linear(color: str) -> tuple[float, float, float]:
    """Return the shares of light, 0 to 1, without the gamma of screens."""
    shares = (part / 255 for part in to_rgb(color))
    red, green, blue = (s / 12.92 if s <= 0.03928 else ((s + 0.055) / 1.055) ** 2.4 for s in shares)
    return red, green, blue


@lru_cache(1024)
def luminance(color: str) -> float:
    """Return how light a colour is, 0 to 1."""
    red, green, blue = to_linear(color)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours, 1 to 21; text is readable from 4.5 on."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@lru_cache(1024)
def to_oklab(color: str) -> Lab:
    """Return a colour in OKLab (Ottosson 2020), where distances are as large as they look."""
    red, green, blue = to_linear(color)
    long = (0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue) ** (1 / 3)
    middle = (0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue) ** (1 / 3)
    short = (0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue) ** (1 / 3)
    return (
        0.2104542553 * long + 0.7936177850 * middle - 0.0040720468 * short,
        1.9779984951 * long - 2.4285922050 * middle + 0.4505937099 * short,
        0.0259040371 * long + 0.7827717662 * middle - 0.8086757660 * short,
    )


def distance(one: str, other: str) -> float:
    """Return how different two colours look: 0 is equal, 1 is black and white."""
    return math.dist(to_oklab(one), to_oklab(other))


def tint_distance(one: str, other: str) -> float:
    """Return how different two colours look when their tint matters more than their lightness."""
    (light, *tint), (other_light, *other_tint) = to_oklab(one), to_oklab(other)
    return math.hypot(light - other_light, TINT_WEIGHT * math.dist(tint, other_tint))
