"""`:events`: what happens, line by line, newest at the bottom; follow, pause, find with its context, and what was left out."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual import on
from textual.widget import Widget
from textual.widgets import Input

from engine.model.rows import EventRow
from screens.base import FleetScreen
from screens.feed import Changes
from screens.places import Place
from screens.present_rows import event_cells
from screens.things import YAML_TAB, open_thing
from screens.widgets.cells import Cell
from screens.widgets.line import Line
from screens.widgets.statusbar import Part
from screens.widgets.stream import LINES_MAX, Stream


class EventsScreen(FleetScreen):
    """The stream of events. A text given at first is found, not filtered by: lines around it stay."""

    NAME: ClassVar[str] = "events"
    TITLE: ClassVar[str] = "Events"
    KINDS: ClassVar[tuple[str, ...]] = ("events",)

    def __init__(self, text: str = "") -> None:
        super().__init__()
        self._text = text
        self._ids: deque[str] = deque(maxlen=LINES_MAX)
        """Ids of the newest lines of the stream, in their order."""

    def place(self) -> Place:
        """Return where somebody would come back to."""
        return Place(self.NAME, filter_text=self._text)

    def compose_body(self) -> Iterable[Widget]:
        """Yield the stream and the find line."""
        yield Stream(empty="no events yet", glyphs=self.console.glyphs, id="stream")
        line = Line(placeholder="find; lower case finds both cases", id="find", classes="command-line", compact=True)
        line.display = False
        yield line

    @property
    def stream(self) -> Stream:
        """Return the stream."""
        return self.query_one(Stream)

    def on_mount(self) -> None:
        """Show what is known, and find what was asked for."""
        super().on_mount()
        if self._text:
            self.stream.search(self._text)
        self.stream.focus()

    def refresh_rows(self, changes: Changes) -> None:
        """Add new lines; a full change starts over."""
        stream, feed = self.stream, self.feed
        if changes.is_full:
            if feed.events:
                stream.clear()
            self._push(feed.events, feed.events_left_out)
        else:
            self._push(changes.events, changes.events_left_out)

    def tick(self, now: float) -> None:
        """Draw also lines that came too soon after others to be drawn at once."""
        super().tick(now)
        if self._watch is not None and self.is_attached and self.display:
            self.stream.tick(now)

    def _push(self, events: Iterable[EventRow], left_out: int) -> None:
        news = list(events)
        self._ids.extend(event.id for event in news)
        self.stream.push([event_cells(event, self.console.glyphs) for event in news], left_out=left_out)

    def heading(self) -> tuple[Sequence[Part], Sequence[Part]]:
        """Say whether the newest line is followed, and what is missing."""
        stream = self.stream
        left: list[Part] = [Cell("Events", "accent"), Cell("times in UTC", "dim")]
        right: list[Part] = []
        if stream.left_out_count:
            right.append(Cell(f"{stream.left_out_count:,} left out", "warn"))
        right.append(Cell("following", "good") if stream.is_following else Cell(self.say_keys("held, {stream.follow} follows"), "warn"))
        return left, right

    def _open_tab(self, tab: str) -> None:
        newer = self.stream.pointed_from_end
        if newer is None or newer >= len(self._ids):
            self.console.say("there is no event yet", role="warn")
        else:
            self.console.drill(open_thing("events", self._ids[-1 - newer], tab))

    def action_describe(self) -> None:
        """Describe the event pointed at, or the newest one."""
        self._open_tab("")

    def action_yaml(self) -> None:
        """Show it as YAML."""
        self._open_tab(YAML_TAB)

    @on(Stream.Changed)
    def _show_state(self) -> None:
        self.show_chrome()

    def action_find(self) -> None:
        """Open the find line."""
        line = self.query_one("#find", Input)
        line.display = True
        line.focus()

    @on(Input.Changed, "#find")
    def _find(self, event: Input.Changed) -> None:
        self._text = event.value
        self.stream.search(event.value)

    @on(Input.Submitted, "#find")
    def _leave_find(self) -> None:
        self.query_one("#find", Input).display = False
        self.stream.focus()

    def clear(self) -> bool:
        """End the search before leaving."""
        line = self.query_one("#find", Input)
        if line.display or self._text:
            self._text = line.value = ""
            line.display = False
            self.stream.search("")
            self.stream.focus()
            return True
        return super().clear()
