"""Colours and layout of the console: themes to register, stylesheets to load.

`App.CSS_PATH = CSS_PATHS`, and `register_theme` for each of `THEMES` before `App.theme` is set.
"""

from __future__ import annotations

from pathlib import Path

from themes.palettes import THEMES

CSS_PATHS = [Path(__file__).parent / name for name in ("base.tcss", "screens.tcss")]

__all__ = ["CSS_PATHS", "THEMES"]
