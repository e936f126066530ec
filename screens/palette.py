"""The palette (ctrl+p): every view and every verb, from the same tables as the command line."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import cast

from textual.command import DiscoveryHit, Hit, Hits, Provider

from engine.model.commands import VERBS
from screens.base import Console
from screens.commandline import VIEWS, usage


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
