"""Themes as rows, and a sample of what a theme has to carry: every state, text, change and gauge; pure.

The sample shows what is really drawn, by the same functions; it says nothing about the fleet.
"""

from __future__ import annotations

from collections.abc import Mapping

from screens.present import BADGES, badge, meter_cell, unknown
from screens.present_text import Lines, diff_lines, field_line, part, title_line
from screens.widgets.bars import draw_sparkline
from screens.widgets.cells import Cell, Glyphs
from screens.widgets.cells import Row as Cells
from screens.widgets.columns import Column
from themes.palettes import AUTO, PALETTES, Palette

SKIN_COLUMNS: tuple[Column, ...] = (
    Column("theme", "theme", width_min=16, flex=1, width_max=24),
    Column("ground", "ground", width_min=6),
    Column("contrast", "contrast", width_min=8, align="right", key=lambda name: PALETTES[name].measure_contrast() if name in PALETTES else 0.0),
    Column("for", "for", width_min=12, flex=2, priority=1),
)

PURPOSES: Mapping[str, str] = {
    AUTO: "as the terminal is",
    "fleet-dark": "every day",
    "fleet-light": "every day",
    "fleet-contrast": "high contrast",
    "fleet-safe": "any colour blindness",
    "modus-dark": "high contrast",
    "modus-light": "high contrast",
    "deuteranopia": "who see no green",
    "tritanopia": "who see no blue",
}
METER_WIDTH = 16
STATES_A_LINE, STATE_WIDTH = 3, 12
SAMPLE_LOAD = (0, 1, 3, 2, 4, 7, 6, 8, 5, 3, 2, 4, 6, 8, 7, 5)
SAMPLE_DIFF = "@@ -1,2 +1,2 @@\n import os\n-def run(self):\n+def run(self) -> None:\n"


def skin_cells(name: str, kept: str, glyphs: Glyphs) -> Cells:
    """Return the cells of a theme: its name, dark or light, the lowest contrast of its texts, and whom it is for."""
    purpose = PURPOSES.get(name) or f"{PALETTES[name].source} colours"
    told = Cell(f"{purpose}, kept", "good") if name == kept else Cell(purpose, "dim")
    palette = PALETTES.get(name)
    if palette is None:
        return name, unknown(glyphs), unknown(glyphs), told
    return name, "dark" if palette.is_dark else "light", f"{palette.measure_contrast():.1f}:1", told


def skin_sample(palette: Palette, glyphs: Glyphs) -> Lines:
    """Return a document that shows everything that a theme colours."""
    texts = [
        field_line("text", "what there is to read"),
        field_line("faint", Cell("what only explains", "dim")),
        field_line("accent", Cell("what is chosen or at work", "accent")),
    ]
    states: Lines = []
    for kind, badges in BADGES.items():
        looks = [badge(badges, word, glyphs) for word in badges]
        for first in range(0, len(looks), STATES_A_LINE):
            line = (Cell(look.text.ljust(STATE_WIDTH), look.role) for look in looks[first : first + STATES_A_LINE])
            states.append(field_line("" if first else kind, *line))
    bars = "".join(draw_sparkline(SAMPLE_LOAD, len(SAMPLE_LOAD), spark=glyphs.spark))
    gauges = [field_line("meter", meter_cell(5, 8, METER_WIDTH, glyphs)), field_line("bars", Cell(bars, "accent"))]
    lowest = f"{palette.measure_contrast():.1f}:1 at the lowest, {palette.contrast_min:g}:1 promised"
    return [
        title_line("A sample, not your fleet"),
        (),
        *part("Text", [*texts, field_line("contrast", lowest)]),
        *part("States", states),
        *part("Changes", diff_lines(SAMPLE_DIFF)),
        *part("Gauges", gauges),
    ]
