"""A walk through every place of the console: each view, document, dialog, line, list and form, in one app."""

from __future__ import annotations

from collections.abc import AsyncIterator

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


async def prepare(seat: Seat) -> None:
    """Bring about a bit of everything, and have the console know of it."""
    fleet: Fleet = seat.fleet
    await fleet.busy()
    await seat.current()
    await seat.forget_the_past()


async def walk(seat: Seat, places: tuple[str, ...] = tuple(CONTEXTS)) -> AsyncIterator[str]:
    """Go to one place after the other, and say which it is once all of it is shown."""
    size = seat.app.size
    for place in places:
        await leave(seat, size)
        if place not in VIEWS:
            await seat.open(HOME)
        await go(seat, place)
        screen = seat.screen
        if isinstance(screen, DocumentScreen):
            await seat.read()
            await seat.until(lambda screen=screen: not screen._is_loading)  # type: ignore[misc]  # mypy knows no defaults of lambdas
        if isinstance(screen, Palette):
            await seat.until(lambda screen=screen: screen.has_class("-ready") and not _is_gathering(screen))  # type: ignore[misc]
        await seat.pilot.pause()
        yield place


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
