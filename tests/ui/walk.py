"""A walk through every place of the console: each view, document, dialog, line, list and form, in one app."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence

from screens.base import FleetScreen
from screens.commandline import VIEWS
from screens.details import DocumentScreen
from screens.keys import CONTEXTS
from screens.palette import Palette
from screens.prompts import PromptBox
from screens.small import COLUMNS_MIN, LINES_MIN, TooSmall
from textual.widgets import OptionList

from tests.ui.fleet import Fleet, Seat
from tests.ui.key_places import go

HOME = "pools"
"""What lies under dialogs and lines."""
PARTS = tuple(tuple(CONTEXTS)[first::3] for first in range(3))
"""All places, for three walks that can go at the same time."""
FITTED = ("conflict", "dash", "trends")
"""Views that keep something of the size they were opened at."""


async def prepare(seat: Seat) -> None:
    """Bring about a bit of everything, and have the console know of it."""
    fleet: Fleet = seat.fleet
    await fleet.busy()
    await seat.current()
    await seat.forget_the_past()


async def walk(seat: Seat, places: Iterable[str] = CONTEXTS) -> AsyncIterator[str]:
    """Go to one place after the other, and say which it is once all of it is shown."""
    size = seat.app.size
    for place in places:
        await _arrive(seat, place, size)
        yield place


async def walk_sizes(seat: Seat, sizes: Sequence[tuple[int, int]], places: Iterable[str] = CONTEXTS) -> AsyncIterator[tuple[str, tuple[int, int]]]:
    """Go to one place after the other, and show each at several sizes: by giving the terminal another where that shows all anew."""
    for place in places:
        for size in sizes:
            if size == sizes[0] or place in FITTED or not isinstance(seat.screen, FleetScreen):
                await _arrive(seat, place, size)
            else:
                await seat.resize(size)
            yield place, size


async def _arrive(seat: Seat, place: str, size: tuple[int, int]) -> None:
    await leave(seat, size)
    if place not in VIEWS:
        await seat.open(HOME)
    await go(seat, place)
    screen = seat.screen
    if isinstance(screen, DocumentScreen):
        await seat.read()
        await seat.until(lambda: not screen._is_loading)
    if isinstance(screen, Palette):
        await seat.until(lambda: screen.has_class("-ready") and not _is_gathering(screen))
    await seat.pilot.pause()


def _is_gathering(screen: Palette) -> bool:
    return not screen.query_one(OptionList).option_count or any(worker.node is screen and worker.is_running for worker in screen.app.workers)


async def leave(seat: Seat, size: tuple[int, int]) -> None:
    """Close whatever is open over the view at the bottom."""
    app = seat.app
    if app.size != size:
        await seat.pilot.resize_terminal(*size)
        if size[0] >= COLUMNS_MIN and size[1] >= LINES_MIN:
            await seat.until(lambda: not isinstance(seat.screen, TooSmall))
    while len(app.screen_stack) > 2:
        app.pop_screen()
        await seat.pilot.pause()
    if isinstance(app.screen, FleetScreen):
        for box in app.screen.query(PromptBox):
            if box.display:
                box.drop()
