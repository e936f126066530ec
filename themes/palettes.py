"""The themes: one palette each, and one mapping from a palette to what stylesheets name.

Owner: nobody; values. Text reaches 4.5:1 on every background it stands on, 7:1 in the palettes that say so; tests
compute it from these values, for every pair of colours that screens show. Colour never carries a state alone.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property

from textual.theme import Theme

from themes.contrast import contrast, luminance


@dataclass(frozen=True)
class Palette:
    """Every colour a theme has; nothing else on the screen has one."""

    background: str
    surface: str
    panel: str
    title: str
    """Behind titles of columns and of bars."""
    cursor: str
    """Behind the row pointed at, chosen text and pressed keys."""
    line: str
    """Borders and axes: never text. 3:1 at least."""
    text: str
    muted: str
    accent: str
    good: str
    warn: str
    bad: str
    heat_low: str
    heat_middle: str
    heat_high: str
    contrast_min: float = 4.5
    """What text reaches on every background."""
    source: str = ""
    """Whose colours these are; empty for our own."""

    @cached_property
    def is_dark(self) -> bool:
        """Whether text is lighter than what it stands on."""
        return luminance(self.text) > luminance(self.background)

    def measure_contrast(self) -> float:
        """Return the lowest contrast of a text on a background."""
        return min(contrast(getattr(self, role), getattr(self, ground)) for role in TEXT_ROLES for ground in BACKGROUNDS)


TEXT_ROLES = ("text", "muted", "accent", "good", "warn", "bad")
BACKGROUNDS = ("background", "surface", "panel", "title", "cursor")

PALETTES = {
    "fleet-dark": Palette(
        background="#10151b", surface="#151b22", panel="#1c242d", title="#1d2630", cursor="#003878", line="#607080",
        text="#d9dfe6", muted="#a3aebb", accent="#79bbff", good="#6fdc7f", warn="#e9bd62", bad="#ff8f87",
        heat_low="#23405c", heat_middle="#3f93a5", heat_high="#ff9f6b",
    ),
    "fleet-light": Palette(
        background="#f6f7f9", surface="#ffffff", panel="#eceff3", title="#e3e8ee", cursor="#c9dffb", line="#7d8794",
        text="#1d2530", muted="#4d5866", accent="#0b4fb3", good="#006b1b", warn="#7a4a00", bad="#ad1420",
        heat_low="#d6e6f5", heat_middle="#68a3cd", heat_high="#a4221b",
    ),
    "fleet-contrast": Palette(
        background="#000000", surface="#000000", panel="#141414", title="#1f1f1f", cursor="#00306b", line="#9a9a9a",
        text="#ffffff", muted="#d0d0d0", accent="#8ad4ff", good="#8dff9a", warn="#ffe270", bad="#ffb3ad",
        heat_low="#3a3a3a", heat_middle="#7fb2d6", heat_high="#ffffff", contrast_min=7.0,
    ),
    # Blue, yellow and orange differ for every kind of colour blindness; red and green do not.
    "fleet-safe": Palette(
        background="#10151b", surface="#151b22", panel="#1c242d", title="#1d2630", cursor="#003878", line="#607080",
        text="#e2e6ea", muted="#a9b3be", accent="#d5b8f5", good="#6cc0f5", warn="#fff0a0", bad="#ff8c3a",
        heat_low="#1f3f66", heat_middle="#8f9aa6", heat_high="#ff8c3a",
    ),
    # nordtheme.com (MIT): frost and aurora; nord11 (red) lightened, grounds darkened, until all reads at 4.5:1.
    "nord": Palette(
        background="#242933", surface="#242933", panel="#2a303c", title="#2e3440", cursor="#1c4068", line="#737d94",
        text="#eceff4", muted="#c3ccdb", accent="#88c0d0", good="#a3be8c", warn="#ebcb8b", bad="#f28e96",
        heat_low="#3b4252", heat_middle="#5e81ac", heat_high="#d08770", source="Nord",
    ),
    # github.com/morhetz/gruvbox (MIT), dark, hard; its bright blue and red lightened.
    "gruvbox": Palette(
        background="#1d2021", surface="#1d2021", panel="#282828", title="#32302f", cursor="#0e3f47", line="#807368",
        text="#ebdbb2", muted="#bdae93", accent="#8bada0", good="#b8bb26", warn="#fabd2f", bad="#fe7f6c",
        heat_low="#3c3836", heat_middle="#458588", heat_high="#fe8019", source="Gruvbox",
    ),
    # ethanschoonover.com/solarized (MIT), light; its accents were made for less than 3:1 and are darkened here.
    "solarized-light": Palette(
        background="#fdf6e3", surface="#fdf6e3", panel="#f5efdc", title="#eee8d5", cursor="#cfe4f2", line="#7c8989",
        text="#073642", muted="#50656c", accent="#0067a4", good="#5b6903", warn="#7d5d01", bad="#c51019",
        heat_low="#eee8d5", heat_middle="#4cb0a8", heat_high="#aa3f12", source="Solarized",
    ),
    # After the Modus themes of Protesilaos Stavrou, Vivendi and Operandi: 7:1 everywhere.
    "modus-dark": Palette(
        background="#000000", surface="#000000", panel="#141414", title="#1e1e1e", cursor="#1c1f6a", line="#6c6c6c",
        text="#ffffff", muted="#c6daff", accent="#00d3d0", good="#57cd55", warn="#d0bc00", bad="#fe9a91",
        heat_low="#303030", heat_middle="#2486c4", heat_high="#ff837f", contrast_min=7.0, source="Modus",
    ),
    "modus-light": Palette(
        background="#ffffff", surface="#ffffff", panel="#fcfcfc", title="#f9f9f9", cursor="#d9f4ff", line="#8a8a8a",
        text="#000000", muted="#4a4a4a", accent="#0031a9", good="#005d00", warn="#604a00", bad="#9e0000",
        heat_low="#e0e0e0", heat_middle="#7380dd", heat_high="#720000", contrast_min=7.0, source="Modus",
    ),
    # After Modus' variants for colour blindness: for want of green, blue is good and orange bad; then yellow.
    "deuteranopia": Palette(
        background="#0a0c12", surface="#0a0c12", panel="#14171f", title="#1c2029", cursor="#12306e", line="#6c7078",
        text="#ffffff", muted="#b8c4d8", accent="#feacd0", good="#2fafff", warn="#fff29a", bad="#ff9500",
        heat_low="#1f3f66", heat_middle="#8f9aa6", heat_high="#ffa00f", source="Modus",
    ),
    # For want of blue, cyan is good and red bad; then pale pink.
    "tritanopia": Palette(
        background="#0d0b0f", surface="#0d0b0f", panel="#17151a", title="#201d24", cursor="#0a3238", line="#736d78",
        text="#ffffff", muted="#c9c2cc", accent="#caa6df", good="#4ae2f0", warn="#f7d0e0", bad="#ff6740",
        heat_low="#0a4a5a", heat_middle="#898989", heat_high="#ff706b", source="Modus",
    ),
}  # fmt: skip
"""Every theme by its name."""

DEFAULT_DARK, DEFAULT_LIGHT = "fleet-dark", "fleet-light"
"""What `auto` takes on a dark and on a light terminal."""
AUTO = "auto"


def make_variables(p: Palette) -> dict[str, str]:
    """Return what stylesheets name: our own colours as `fleet-…`, and those of Textual's widgets."""
    own = {field.name.replace("_", "-"): getattr(p, field.name) for field in fields(p) if field.type == "str" and field.name != "source"}
    variables = {f"fleet-{key}": value for key, value in own.items()}
    # Textual blends these with the background, which would end below the contrast we promise.
    variables |= {"text": p.text, "text-muted": p.muted, "text-disabled": p.muted}
    variables |= dict.fromkeys(("foreground-muted", "foreground-disabled"), p.muted)
    variables |= dict.fromkeys(("text-primary", "text-accent", "text-secondary"), p.accent)
    variables |= {"text-success": p.good, "text-warning": p.warn, "text-error": p.bad}
    variables |= {"border": p.accent, "border-blurred": p.line, "surface-active": p.title}
    variables |= dict.fromkeys(("scrollbar", "scrollbar-hover", "scrollbar-active"), p.muted)
    variables |= dict.fromkeys(
        ("scrollbar-background", "scrollbar-background-hover", "scrollbar-background-active"),
        p.surface,
    )
    variables |= {
        "scrollbar-corner-color": p.surface,
        "block-cursor-foreground": p.text,
        "block-cursor-background": p.cursor,
        "block-cursor-text-style": "bold",
        "block-cursor-blurred-foreground": p.text,
        "block-cursor-blurred-background": p.title,
        "block-hover-background": p.title,
        "footer-foreground": p.text,
        "footer-background": p.panel,
        "footer-key-foreground": p.accent,
        "footer-description-foreground": p.text,
        "input-cursor-background": p.text,
        "input-cursor-foreground": p.background,
        "input-selection-background": p.cursor,
        "input-selection-foreground": p.text,
        "screen-selection-background": p.cursor,
        "button-foreground": p.text,
        "button-color-foreground": p.background,
        "link-color": p.accent,
        "link-color-hover": p.accent,
        "link-background-hover": p.cursor,
    }
    return variables


def make_theme(name: str, p: Palette) -> Theme:
    """Turn a palette into a Textual theme; every theme names the same variables."""
    return Theme(
        name=name,
        primary=p.accent,
        secondary=p.muted,
        accent=p.accent,
        success=p.good,
        warning=p.warn,
        error=p.bad,
        foreground=p.text,
        background=p.background,
        surface=p.surface,
        panel=p.panel,
        boost=p.title,
        dark=p.is_dark,
        text_alpha=1.0,
        variables=make_variables(p),
    )


THEMES = tuple(make_theme(name, palette) for name, palette in PALETTES.items())
