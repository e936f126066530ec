"""How an operator is told what waits for a person: counted in the header, announced once by the terminal, jumped to by a key.

Owner: the app's Attention. A bell or notification is written once for each thing that comes, and not oftener than
attention.ANNOUNCE_EVERY_S.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from fleet_tui.navigation import Navigation
from screens.attention import Attention
from screens.present import plural
from screens.present_pulse import Need
from screens.pulse_panels import screen_of
from screens.widgets.cells import Glyphs

NOTICES: dict[str, Callable[[str], str]] = {
    "off": lambda _text: "",
    "bell": lambda _text: "\a",
    "osc9": lambda text: f"\x1b]9;{text}\x07",
    "osc777": lambda text: f"\x1b]777;notify;fleet-tui;{text}\x07",
}
"""Ways of telling the terminal: its bell, or a notification of the desktop it runs on (OSC 9: iTerm2, ConEmu; 777: urxvt, foot)."""
TEXT_MAX = 120


def notice_text(news: Sequence[Need]) -> str:
    """Return one line without control characters for what has come."""
    first = f"{news[0].what.text}: {news[0].why}"
    text = first if len(news) == 1 else f"{plural(len(news), 'thing')} need you, first {first}"
    return "".join(letter for letter in text if letter.isprintable() and letter != ";")[:TEXT_MAX]


class Attending(Navigation):
    """The part of the app that tells what needs somebody."""

    glyphs: Glyphs

    def __init__(self, *, notify: str, **more: Any) -> None:  # noqa: ANN401  # what Navigation takes
        super().__init__(**more)
        # A screen reader says what is written: a notification in the middle of that is noise.
        self._notify = NOTICES["off" if self.terminal.is_plain else notify]
        self._attention: Attention | None = None
        self._jumped_to = ""

    @property
    def attention(self) -> Attention:
        """Return what needs somebody."""
        if self._attention is None:
            self._attention = Attention(self.feed, self.glyphs, self.settings_of("inbox"))
        return self._attention

    def _leave_attention(self) -> None:
        """Begin anew: another engine is in view."""
        if self._attention is not None:
            self._attention.leave()
        self._attention = None
        self._jumped_to = ""

    def _attend(self) -> None:
        """Look, and announce what has come."""
        now = self.feed.now()
        self.attention.look(now)
        news = self.attention.fresh(now)
        if news and (written := self._notify(notice_text(news))) and self._driver is not None:
            self._driver.write(written)

    def action_next_need(self) -> None:
        """Open the next thing that needs somebody, from wherever this is."""
        needs = self.attention.open(self.feed.now())
        if not needs:
            self.say("nothing needs you", role="good")
            return
        ids = [need.id for need in needs]
        at = (ids.index(self._jumped_to) + 1) % len(ids) if self._jumped_to in ids else 0
        self._jumped_to = ids[at]
        while len(self.screen_stack) > 2:  # noqa: PLR2004  # Textual's own and the view
            self.pop_screen()
        self.drill(screen_of(needs[at]))
