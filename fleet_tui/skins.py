"""Which theme the console wears: wished, kept in `:skin`, configured for the context, or light and dark as the terminal is.

Owner: `SkinnedApp` owns the choice and what the terminal last said of its background. Limits: none.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from textual.driver import Driver
from textual.screen import SystemModalScreen
from textual.scrollbar import ScrollBar, ScrollBarRender

from engine.model.errors import UsageError
from fleet_tui.preferences import AUTO, ContextPreferences, Preferences
from fleet_tui.terminal import answers_questions, has_unicode_font, is_light
from screens.line_filter import Terminal, WholeBars
from screens.plain import PlainMixin
from screens.replies import TerminalBackground, find_driver
from screens.widgets.cells import ASCII, PLAIN, UNICODE, Glyphs
from themes import THEMES
from themes.palettes import DEFAULT_DARK, DEFAULT_LIGHT, PALETTES
from themes.reduction import Level
from themes.stylesheet import RememberingStylesheet

SETTINGS = "skin"
"""The view under which the choice is remembered."""


@dataclass(frozen=True, slots=True)
class Skin:
    """What the theme is chosen by."""

    wished: str = ""
    """Of the command line: above everything, and not remembered."""
    usual: str = DEFAULT_DARK
    """What is configured for this context, or generally: a theme or `auto`."""
    dark: str = DEFAULT_DARK
    light: str = DEFAULT_LIGHT
    is_light: bool | None = None
    """What the environment says of the terminal's background; None = nothing."""
    can_ask: bool = False
    """Whether the terminal answers what its background is."""
    bar: str = ""
    """Colour of the context line; empty for the usual one."""


def make_skin(preferences: Preferences, look: ContextPreferences, wished: str, environment: Mapping[str, str]) -> Skin:
    """Return what the theme of a context is chosen by. Raises UsageError for a general theme that there is not."""
    for name in (wished or AUTO, preferences.theme, preferences.dark, preferences.light):
        if name != AUTO and name not in PALETTES:
            raise UsageError(f"no theme {name!r}{nearest_theme(name)}; there are {AUTO}, {', '.join(PALETTES)}")
    usual = look.theme if look.theme in (AUTO, *PALETTES) else preferences.theme
    return Skin(
        wished, usual, preferences.dark, preferences.light,
        is_light=is_light(environment), can_ask=answers_questions(environment), bar=look.bar,
    )  # fmt: skip


def theme_problems(preferences: Preferences) -> list[str]:
    """Return what is wrong with the themes of contexts; each has the general theme until it is right."""
    return [
        f"contexts.{name}.theme: no theme {look.theme!r}{nearest_theme(look.theme)}"
        for name, look in preferences.contexts.items()
        if look.theme not in ("", AUTO, *PALETTES)
    ]


def nearest_theme(name: str) -> str:
    """Return a question for the theme that a name is most like; empty if none is."""
    near = difflib.get_close_matches(name, PALETTES, n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def describe_terminal(preferences: Preferences, level: str, environment: Mapping[str, str]) -> Terminal:
    """Return what the terminal can show."""
    is_plain = preferences.shapes == "plain"
    is_unicode = has_unicode_font(environment) if is_plain or preferences.shapes == AUTO else preferences.shapes == "unicode"
    return Terminal(Level(level), is_ascii=not is_unicode, has_bright_grounds=environment.get("TERM", "") != "linux", is_plain=is_plain)


def glyphs_for(terminal: Terminal) -> Glyphs:
    """Return the signs that a terminal can draw."""
    if terminal.is_plain:
        return PLAIN
    if terminal.is_ascii:
        return ASCII
    return replace(UNICODE, is_shaded=True) if terminal.level in (Level.NONE, Level.SIXTEEN) else UNICODE


def _choose(skin: Skin, remembered: Mapping[str, Any]) -> str:
    chosen = skin.wished or str(remembered.get("theme", "")) or skin.usual
    # Another version may have remembered one that there is not.
    return chosen if chosen in (AUTO, *PALETTES) else skin.usual


class SkinnedApp(PlainMixin[None]):
    """An app in one of our themes."""

    def __init__(self, *, no_diff: bool, terminal: Terminal, skin: Skin, remembered: Mapping[str, Any]) -> None:
        self.skin = skin
        self._chosen = _choose(skin, remembered)
        self._is_light = bool(remembered.get("light", False)) if skin.is_light is None else skin.is_light
        super().__init__(no_diff=no_diff, terminal=terminal)
        self.stylesheet = RememberingStylesheet(variables=self.get_css_variables())
        self.set_class(terminal.is_plain, "-plain")
        ScrollBar.renderer = WholeBars if terminal.is_ascii else ScrollBarRender
        for entry in THEMES:
            self.register_theme(entry)
        self.theme = self.resolve_theme(self._chosen)

    def get_driver_class(self) -> type[Driver]:
        """Return the driver that can ask the terminal for its background."""
        return find_driver(super().get_driver_class())

    def refresh_css(self, animate: bool = True) -> None:  # noqa: FBT001, FBT002  # Textual's own signature
        """Put a theme on the palette, too, which Textual leaves out."""
        super().refresh_css(animate)
        if self.screen_stack and isinstance(self.screen, SystemModalScreen):
            self.stylesheet.update(self.screen, animate=animate)

    @property
    def context_bar(self) -> str:
        """The part whose colour fills the context line; empty for the usual one."""
        return self.skin.bar

    @property
    def asks_background(self) -> bool:
        """Whether the driver asks the terminal, now and whenever it changes."""
        return self.skin.can_ask

    @property
    def chosen_theme(self) -> str:
        """The theme that was chosen, perhaps `auto`."""
        return self._chosen

    def settings_of(self, view: str) -> dict[str, Any]:
        """Return what is remembered of a view."""
        raise NotImplementedError

    def resolve_theme(self, name: str) -> str:
        """Return the theme that a choice means on this terminal."""
        if name != AUTO:
            return name
        return self.skin.light if self._is_light else self.skin.dark

    def preview_theme(self, name: str) -> None:
        """Show a theme without choosing it."""
        theme = self.resolve_theme(name)
        if theme != self.theme:
            self.theme = theme

    def wear(self, skin: Skin, remembered: Mapping[str, Any]) -> None:
        """Look as another context does."""
        self.skin = skin
        self._chosen = _choose(skin, remembered)
        self.preview_theme(self._chosen)

    def keep_theme(self, name: str) -> None:
        """Choose a theme, now and for the next time on this fleet."""
        self._chosen = name
        self.settings_of(SETTINGS)["theme"] = name
        self.preview_theme(name)

    def on_terminal_background(self, message: TerminalBackground) -> None:
        """Follow the terminal, unless a theme was chosen; remember it for the first frame of the next time."""
        shown_auto = self.theme == self.resolve_theme(AUTO)
        self._is_light = message.is_light
        self.settings_of(SETTINGS)["light"] = message.is_light
        if self._chosen == AUTO and shown_auto:
            self.preview_theme(AUTO)
