"""The four themes: one palette each, and one mapping from a palette to what stylesheets name.

Owner: nobody; values. Text reaches 4.5:1 on every background it stands on, 7:1 in `fleet-contrast`; the values were
chosen so that the nearest of 16 colours stays readable too. Colour never carries a state alone.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from textual.theme import Theme


@dataclass(frozen=True, slots=True)
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
    """Borders, axes and scroll bars: never text."""
    text: str
    muted: str
    accent: str
    good: str
    warn: str
    bad: str
    heat_low: str
    heat_middle: str
    heat_high: str


TEXT_ROLES = ("text", "muted", "accent", "good", "warn", "bad")
BACKGROUNDS = ("background", "surface", "panel", "title", "cursor")

PALETTES = {
    "fleet-dark": Palette(
        background="#10151b", surface="#151b22", panel="#1c242d", title="#1d2630", cursor="#003878", line="#4a5968",
        text="#d9dfe6", muted="#a3aebb", accent="#79bbff", good="#6fdc7f", warn="#e9bd62", bad="#ff8f87",
        heat_low="#23405c", heat_middle="#3f93a5", heat_high="#ff9f6b",
    ),
    "fleet-light": Palette(
        background="#f6f7f9", surface="#ffffff", panel="#eceff3", title="#e3e8ee", cursor="#c9dffb", line="#98a3b0",
        text="#1d2530", muted="#4d5866", accent="#0b4fb3", good="#006b1b", warn="#7a4a00", bad="#ad1420",
        heat_low="#d6e6f5", heat_middle="#5b9bc9", heat_high="#b3261e",
    ),
    "fleet-contrast": Palette(
        background="#000000", surface="#000000", panel="#141414", title="#1f1f1f", cursor="#00306b", line="#9a9a9a",
        text="#ffffff", muted="#d0d0d0", accent="#8ad4ff", good="#8dff9a", warn="#ffe270", bad="#ffb3ad",
        heat_low="#3a3a3a", heat_middle="#7fb2d6", heat_high="#ffffff",
    ),
    # Blue, yellow and orange differ for every kind of colour blindness; red and green do not.
    "fleet-safe": Palette(
        background="#10151b", surface="#151b22", panel="#1c242d", title="#1d2630", cursor="#003878", line="#4a5968",
        text="#e2e6ea", muted="#a9b3be", accent="#d5b8f5", good="#6cc0f5", warn="#fff0a0", bad="#ff8c3a",
        heat_low="#1f3f66", heat_middle="#8f9aa6", heat_high="#ff8c3a",
    ),
}  # fmt: skip


def make_variables(p: Palette) -> dict[str, str]:
    """Return what stylesheets name: our own colours as `fleet-…`, and those of Textual's widgets."""
    own = {field.name.replace("_", "-"): getattr(p, field.name) for field in fields(p)}
    variables = {f"fleet-{key}": value for key, value in own.items()}
    # Textual blends these with the background, which would end below the contrast we promise.
    variables |= {"text": p.text, "text-muted": p.muted, "text-disabled": p.muted}
    variables |= dict.fromkeys(("foreground-muted", "foreground-disabled"), p.muted)
    variables |= dict.fromkeys(("text-primary", "text-accent", "text-secondary"), p.accent)
    variables |= {"text-success": p.good, "text-warning": p.warn, "text-error": p.bad}
    variables |= {"border": p.accent, "border-blurred": p.line, "surface-active": p.title}
    variables |= dict.fromkeys(("scrollbar", "scrollbar-hover", "scrollbar-active"), p.line)
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
        dark=name != "fleet-light",
        text_alpha=1.0,
        variables=make_variables(p),
    )


THEMES = tuple(make_theme(name, palette) for name, palette in PALETTES.items())
