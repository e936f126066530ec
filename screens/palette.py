"""The palette (ctrl+p): what keys do here, every view and every verb, from the same tables as keys and command line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import ClassVar, NamedTuple, cast

from textual.command import CommandPalette, DiscoveryHit, Hit, Hits, Provider
from textual.dom import DOMNode
from textual.widgets import Input

from engine.model.commands import VERBS
from engine.model.verb_lines import usage
from screens.base import Console, FleetScreen
from screens.commandline import VIEWS, WORDS
from screens.key_table import Key
from screens.keyed import Keyed, give_keys, keymap_of, scopes_of
from screens.keymap import Keymap
from screens.keys import CONTEXTS


class Entry(NamedTuple):
    """Something to choose."""

    text: str
    help: str
    choose: Callable[[], None]


class FleetCommands(Provider):
    """An action is carried out, a view opens at once, a verb opens the command line with its name, for its arguments."""

    def _entries(self) -> Iterator[Entry]:
        yield from self._actions()
        for view in VIEWS:
            yield Entry(view, f"view {view}", partial(self._console.open_view, view))
        for name, word in WORDS.items():
            yield Entry(word.usage, word.help, partial(self._console.open_view, name))
        authority = self._console.feed.authority
        for verb, kind in VERBS.items():
            if authority is not None and authority.why_not(kind):
                continue
            yield Entry(usage(kind), kind.help, partial(self._console.type_line, f"{verb} "))

    @property
    def _console(self) -> Console:
        return cast("Console", self.app)

    def _actions(self) -> Iterator[Entry]:
        """Give what keys do in the view below, also what has no key."""
        if not isinstance(self.screen, FleetScreen):
            return
        keymap, scopes = keymap_of(self.app), CONTEXTS[self.screen.NAME]
        shown = {row.id: row for row in keymap.keys_in(scopes)}
        for row in (row for scope in scopes for row in keymap if row.scope == scope):
            node = next((node for node in (self.focused, self.screen, self.app) if row.scope in scopes_of(node)), None)
            if node is not None and not row.action.startswith("app.refuse") and (row.id in shown or not row.keys) and row.action != "command_palette":
                yield Entry(row.help, f"{keymap.word(row.id) or 'no key'} · {row.id}", partial(self._act, row, node))

    def _act(self, row: Key, node: DOMNode) -> None:
        self.app.call_later(self.app.run_action, row.action, node)

    async def discover(self) -> Hits:
        """Offer everything."""
        for text, help_text, choose in self._entries():
            yield DiscoveryHit(text, choose, help=help_text)

    async def search(self, query: str) -> Hits:
        """Offer what matches."""
        matcher = self.matcher(query)
        for text, help_text, choose in self._entries():
            score = max(matcher.match(text), matcher.match(help_text) * 0.8)
            if score > 0:
                yield Hit(score, matcher.highlight(text), choose, help=help_text)


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
