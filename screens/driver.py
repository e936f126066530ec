"""Write to the terminal only the cells that changed.

Textual writes whole dirty regions, each segment with its full colours. `DiffMixin` keeps what every cell of the
terminal shows, compares, and writes the difference with the shortest cursor moves and colour changes.

Owner: the app owns one `CellShadow`. It leans on private parts of Textual 8.2; where one is missing, and in headless
runs, the app behaves as plain Textual.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Protocol

import textual._compositor as compositor
from rich.console import COLOR_SYSTEMS, RenderableType
from textual import events
from textual.app import App, ReturnType
from textual.driver import Driver
from textual.filter import LineFilter, Monochrome
from textual.geometry import Offset, Region
from textual.screen import Screen
from textual.strip import Strip

from screens.cell_shadow import CellShadow, move
from screens.flow import Flow
from screens.line_filter import Terminal, TerminalFilter
from themes.palettes import DEFAULT_DARK, PALETTES
from themes.reduction import Level, Reducer

PENDING_WRITES_MAX = 2
"""Writes that may wait in the driver's thread; its queue blocks the event loop at 30."""
LEAVE_S = 0.5
"""Longest that leaving waits for the terminal's answer, which the shell would take for typed."""
RETRY_FIRST_S = 0.01
RETRY_LAST_S = 0.16
"""A dropped frame is made up for this soon at first, then at twice the time for as long as nobody reads."""
SYNC_START, SYNC_END = "\x1b[?2026h", "\x1b[?2026l"
PRIVATE_PARTS = ("_display", "_running", "_closed", "_batch_count", "_driver", "_sync_available")
LAYOUT_UPDATE: Any = getattr(compositor, "LayoutUpdate", None)
CHOPS_UPDATE: Any = getattr(compositor, "ChopsUpdate", None)


class LayoutParts(Protocol):
    """What is read of a full update."""

    strips: list[Iterable[Strip]]
    region: Region


class ChopsParts(Protocol):
    """What is read of a partial update; chops are strips by the column they start in."""

    chops: Sequence[Mapping[int, Strip | None]]
    spans: list[tuple[int, int, int]]
    chop_ends: list[list[int]]


PlacedStrips = Iterator[tuple[int, int, Strip]]
"""Strips with their line and column."""


def cut_layout(update: LayoutParts) -> PlacedStrips:
    """Give all strips of a full update."""
    for y, line in enumerate(update.strips, update.region.y):
        x = update.region.x
        for strip in line:
            yield y, x, strip
            x += strip.cell_length


def cut_chops(update: ChopsParts) -> PlacedStrips:
    """Give the strips of a partial update that overlap one of its spans.

    A strip beyond the spans may lack what covers it: the compositor rendered only what lies within.
    """
    for y, first, last in update.spans:
        for end, (x, strip) in zip(update.chop_ends[y], update.chops[y].items(), strict=False):
            if strip is not None and x < last and end > first:
                yield y, x, strip


def cut(update: object) -> PlacedStrips | None:
    """Give the strips of an update, or None if it is of a kind that cannot be compared."""
    if LAYOUT_UPDATE is not None and isinstance(update, LAYOUT_UPDATE):
        return cut_layout(update)
    if CHOPS_UPDATE is not None and isinstance(update, CHOPS_UPDATE):
        return cut_chops(update)
    return None


def find_missing_part(app: App[Any]) -> str:
    """Name the private part of Textual that the cell diff needs and this version lacks; empty if none."""
    if LAYOUT_UPDATE is None or CHOPS_UPDATE is None:
        return "textual._compositor has other updates"
    return next(
        (f"textual.app.App has no {name}" for name in PRIVATE_PARTS if not hasattr(app, name)), ""
    )


class DiffMixin(App[ReturnType]):
    """An app that writes only changed cells, no faster than they arrive, and never waits for a terminal that stopped reading.

    Use as `class FleetApp(DiffMixin[None])`. With `no_diff=True` it is plain Textual; colours and characters are
    those of `terminal` either way.
    """

    def __init__(
        self,
        driver_class: type[Driver] | None = None,
        *,
        ansi_color: bool | None = None,
        no_diff: bool = False,
        terminal: Terminal = Terminal(),  # noqa: B008  # a value
    ) -> None:
        super().__init__(driver_class, ansi_color=ansi_color)
        self.terminal = terminal
        # Textual has taken NO_COLOR from the environment; whoever made the terminal's description has read it before.
        self.no_color = terminal.level is Level.NONE
        self._terminal_filter: tuple[str, TerminalFilter] | None = None
        name = self.console.color_system
        self._shadow = CellShadow(COLOR_SYSTEMS[name] if name else None)
        self._parked = Offset(0, 0)
        self._is_retry_armed = False
        self._retry_s = RETRY_FIRST_S
        self._flow = Flow()
        self._is_frame_owed = False
        self._is_look_armed = False
        self._answered = asyncio.Event()
        self._leave: Callable[[], None] | None = None
        self.no_diff_reason = "switched off" if no_diff else find_missing_part(self)
        """Why this app writes as plain Textual; empty when it writes cell by cell."""
        self.frames_written = 0
        self.frames_dropped = 0
        self.bytes_written = 0

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Return what every line goes through: colours and characters that the terminal has."""
        if self.terminal.shows_all:
            return [entry for entry in super().get_line_filters() if not isinstance(entry, Monochrome)]
        if self._terminal_filter is None or self._terminal_filter[0] != self.theme:
            palette = PALETTES.get(self.theme, PALETTES[DEFAULT_DARK])
            reducer = Reducer(palette, self.terminal.level, has_bright_grounds=self.terminal.has_bright_grounds)
            self._terminal_filter = self.theme, TerminalFilter(reducer, self.terminal)
        return [self._terminal_filter[1]]

    def forget_shadow(self) -> None:
        """Write every cell again, whatever the terminal shows now."""
        self._shadow.resize(*self.size)
        if self.screen_stack:
            self.screen.refresh()

    def on_resize(self, event: events.Resize) -> None:
        """Forget the shadow: after a new size, and after a return from the shell, nothing is certain."""
        self._shadow.resize(*event.size)
        if self.screen_stack:
            self.screen.refresh()

    def _display(self, screen: Screen[Any], renderable: RenderableType | None) -> None:
        strips = cut(renderable) if self._is_diffing() else None
        if strips is None:
            super()._display(screen, renderable)
            if renderable is not None:
                self._shadow.resize(*self.size)
            return
        if self._count_pending_writes() >= PENDING_WRITES_MAX:
            # The shadow still says what the terminal shows: one later repaint makes up for any number of frames.
            self.frames_dropped += 1
            self._arm_retry()
        elif not self._flow.may_write():
            self.frames_dropped += 1
            self._is_frame_owed = True
        else:
            self._write_frame(strips)
        self.post_display_hook()

    def _is_diffing(self) -> bool:
        return (
            not self.no_diff_reason
            and self._running
            and not (self._closed or self._batch_count or self.is_headless or self.is_inline)
            and self._driver is not None
        )

    def _write_frame(self, strips: PlacedStrips) -> None:
        shadow = self._shadow
        if (shadow.width, shadow.height) != self.size:
            shadow.resize(*self.size)
        self._retry_s = RETRY_FIRST_S
        for y, x, strip in strips:
            shadow.put(y, x, strip)
        is_tearable = len(shadow.changes) > 1
        text = shadow.take_changes()
        parked = self.screen.outer_size.clamp_offset(self.find_cursor())
        if parked != self._parked or (text and parked != (0, 0)):
            text += move(-1, -1, parked.y, parked.x)
            self._parked = parked
        if not text:
            return
        if is_tearable and self._sync_available:
            text = f"{SYNC_START}{text}{SYNC_END}"
        assert self._driver is not None
        size = len(text) if text.isascii() else len(text.encode())
        if query := self._flow.note_written(size):
            self._arm_look()
        self._driver.write(text + query)
        self._driver.flush()
        self.frames_written += 1
        self.bytes_written += size + len(query)

    def find_cursor(self) -> Offset:
        """Return where the terminal's cursor rests between frames: where the input method opens its window."""
        return self.cursor_position

    def _count_pending_writes(self) -> int:
        """Return how many writes wait for the terminal; 0 for drivers that have no writer thread."""
        queue = getattr(getattr(self._driver, "_writer_thread", None), "_queue", None)
        return queue.qsize() if queue is not None else 0

    def _arm_retry(self) -> None:
        if not self._is_retry_armed:
            self._is_retry_armed = True
            self.set_timer(self._retry_s, self._retry)
            self._retry_s = min(2 * self._retry_s, RETRY_LAST_S)

    def _retry(self) -> None:
        """Repaint once the terminal reads again; until then rendering would be wasted."""
        self._is_retry_armed = False
        if self._count_pending_writes() >= PENDING_WRITES_MAX:
            self._arm_retry()
        elif self.screen_stack:
            self.screen.refresh()

    # ---- as fast as the line

    async def on_event(self, event: events.Event) -> None:
        """Let what the operator does be answered before anything else."""
        if isinstance(event, events.InputEvent) and not isinstance(event, events.MouseMove):
            self._flow.note_key()
        await super().on_event(event)

    def on_cursor_position(self) -> None:
        """Take the terminal's answer: all that was written before the question is drawn."""
        self._flow.note_answer()
        self._answered.set()
        if self._leave is not None and not self._flow.is_waiting:
            self._leave()
            self._leave = None
        self._write_owed()

    def _write_owed(self) -> None:
        if self._is_frame_owed and self._flow.may_write() and self.screen_stack:
            self._is_frame_owed = False
            self.screen.refresh()

    def _arm_look(self) -> None:
        if not self._is_look_armed:
            self._is_look_armed = True
            self.set_timer(self._flow.patience_s, self._look)

    def _look(self) -> None:
        self._is_look_armed = False
        self._flow.look()
        self._write_owed()
        if self._flow.is_waiting:
            self._arm_look()

    async def wait_answers(self) -> None:
        """Wait until the terminal owes no answer, LEAVE_S at most: whoever has it next would take the answer for typed."""
        with suppress(TimeoutError):
            async with asyncio.timeout(LEAVE_S):
                while self._flow.is_waiting:
                    self._answered.clear()
                    await self._answered.wait()

    async def action_to_shell(self) -> None:
        """Go back to the shell for a while."""
        with self.batch_update():
            await self.wait_answers()
            self.action_suspend_process()

    def exit(self, result: ReturnType | None = None, return_code: int = 0, message: RenderableType | None = None) -> None:
        """Leave; a moment later when the terminal still owes an answer, for the shell would take that for typed."""
        leave = partial(super().exit, result, return_code, message)
        if self._flow.is_waiting and self._leave is None:
            self._leave = leave
            self.set_timer(LEAVE_S, leave)
        else:
            leave()
