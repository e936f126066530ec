"""Keys that come at once act one after the other, as over a slow line they do: each is meant for what the one before made.

Textual has a key climb from the focused widget to the app before its binding acts, and what acts sends messages; an eager
key that comes meanwhile would act first, on the row before or on a line that is about to close. So while a key
has its effect the next ones wait here: until every queue on its way was emptied, as often as its messages can climb, and the
screen in front is drawn. A letter that is typed opens nothing: after it, once is enough.

Owner: the app owns the waiting keys, for HOLD_S at most.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from functools import partial
from typing import Any

from textual import events
from textual.app import App, ReturnType
from textual.message_pump import MessagePump
from textual.widgets import Input

ROUNDS = 3
"""The key climbs to the app; what its action sends climbs to a box; what that sends climbs to the view."""
HOLD_S = 1.0
"""Longest that keys wait: a screen that is torn down on the way answers no more."""


class TypeAhead(App[ReturnType]):
    """An app in which no key overtakes another."""

    def __init__(self, *given: Any, **more: Any) -> None:  # noqa: ANN401  # what the app behind takes
        super().__init__(*given, **more)
        self._ahead: deque[events.Key] | None = None
        """Keys that wait; None = none has to."""
        self._holds = 0

    @property
    def is_acting(self) -> bool:
        """Whether a key has not had all its effect."""
        return self._ahead is not None

    async def on_event(self, event: events.Event) -> None:
        """Have a key wait until the one before it is done."""
        if not isinstance(event, events.Key) or event.is_forwarded:
            await super().on_event(event)
        elif self._ahead is not None:
            self._ahead.append(event)
        else:
            await self._let_in(event)

    async def _let_in(self, event: events.Key) -> None:
        if not self.screen_stack:
            await super().on_event(event)
            return
        self._ahead = deque()
        self._holds += 1
        self.set_timer(HOLD_S, partial(self.call_later, self._go_on, self._holds))
        node = self.focused or self.screen
        way: list[MessagePump] = [*node.ancestors_with_self]
        is_typed = isinstance(node, Input) and event.is_printable
        await super().on_event(event)
        self._climb(way * (1 if is_typed else ROUNDS), self._holds, not is_typed)

    def _climb(self, way: Sequence[MessagePump], hold: int, is_drawn: bool) -> None:  # noqa: FBT001  # the same on every step
        """Go through the queues of a way, each after what it holds now."""
        for index, one in enumerate(way):
            if one.is_running and one.call_later(self._climb, way[index + 1 :], hold, is_drawn):
                return
        go_on = partial(self.call_later, self._go_on, hold)
        if is_drawn:
            self.screen.call_after_refresh(go_on)
        else:
            go_on()

    async def _go_on(self, hold: int) -> None:
        """Take the next of the keys that waited, and the others after it."""
        if hold != self._holds or self._ahead is None:
            return
        waiting, self._ahead = self._ahead, None
        while waiting and self._ahead is None:
            await self._let_in(waiting.popleft())
        if self._ahead is not None:
            self._ahead.extendleft(reversed(waiting))
