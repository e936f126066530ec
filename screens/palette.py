"""The palette (ctrl+p): every view and every verb, from the same tables as the command line."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import ClassVar, cast

from textual.command import CommandPalette, DiscoveryHit, Hit, Hits, Provider
from textual.widgets import Input

from engine.model.commands import VERBS
from screens.base import Console
from screens.commandline import VIEWS, usage
from screens.keyed import Keyed, give_keys
from screens.keymap import Keymap


class FleetCommands(Provider):
    """Views open at once; a verb opens the command line with its name, for its arguments."""

    def _entries(self) -> Iterator[tuple[str, str, str]]:
        for view in VIEWS:
            yield view, f"view {view}", view
        for verb, kind in VERBS.items():
            yield usage(kind), kind.help, f"{verb} "

    def _choose(self, line: str) -> None:
        console = cast("Console", self.app)
        if line.endswith(" "):
            console.type_line(line)
        else:
            console.open_view(line)

    async def discover(self) -> Hits:
        """Offer everything."""
        for text, help_text, line in self._entries():
            yield DiscoveryHit(text, partial(self._choose, line), help=help_text)

    async def search(self, query: str) -> Hits:
        """Offer what matches."""
        matcher = self.matcher(query)
        for text, help_text, line in self._entries():
            score = max(matcher.match(text), matcher.match(help_text) * 0.8)
            if score > 0:
                yield Hit(score, matcher.highlight(text), partial(self._choose, line), help=help_text)


class Palette(Keyed, CommandPalette):
    """Textual's palette with our keys."""

    KEY_SCOPES: ClassVar[tuple[str, ...]] = ("palette",)

    def on_mount(self) -> None:
        """Give the line that is typed into its keys too."""
        self.take_keys(cast("Console", self.app).keymap)

    def take_keys(self, keymap: Keymap) -> None:
        """Bind what a keymap says, here and in the line."""
        super().take_keys(keymap)
        for line in self.query(Input):
            give_keys(line, ("line",), keymap)
