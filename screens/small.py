"""What stands on a terminal too small for any view: how small it is, and how large it must be.

Owner: `SizeGuard` keeps the notice above everything for as long as the terminal is too small; keys reach nothing that
cannot be seen.
"""

from __future__ import annotations

from typing import ClassVar, cast

from textual import events
from textual.app import App, ComposeResult, ReturnType
from textual.screen import ModalScreen
from textual.widgets import Static

from screens.keyed import Keyed

COLUMNS_MIN, LINES_MIN = 40, 10


class TooSmall(Keyed, ModalScreen[None]):
    """The notice; its only keys are those that leave."""

    DEFAULT_CSS = "TooSmall { align: left top; } TooSmall > Static { width: 100%; height: 100%; }"
    KEY_SCOPES: ClassVar[tuple[str, ...]] = ("small",)

    def compose(self) -> ComposeResult:
        """Fill the terminal."""
        yield Static(markup=False)

    def on_resize(self, event: events.Resize) -> None:
        """Say the size as it is now."""
        text = f"{event.size.width} x {event.size.height} is too small; {COLUMNS_MIN} x {LINES_MIN} is the least. "
        self.query_one(Static).update(text + self.say_keys("{small.leave} leaves; the engine goes on."))

    def on_screen_resume(self) -> None:
        """Go at once when what was above it is gone and there is room."""
        cast("SizeGuard[None]", self.app).guard_size()

    def action_leave(self) -> None:
        """Leave at once: a question about the engine could not be read."""
        self.app.exit()


class SizeGuard(App[ReturnType]):
    """An app that shows the notice while it must."""

    @property
    def is_too_small(self) -> bool:
        """Whether no view has room."""
        return self.size.width < COLUMNS_MIN or self.size.height < LINES_MIN

    def on_resize(self, event: events.Resize) -> None:
        """Look whether there is room now."""
        del event  # self.size is the newest one
        self.guard_size()

    def guard_size(self) -> None:
        """Put the notice on top, or take it away."""
        if not self.screen_stack or self.is_too_small is isinstance(self.screen, TooSmall):
            return
        if isinstance(self.screen, TooSmall):
            self.pop_screen()
        else:
            self.push_screen(TooSmall())

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Open nothing over the notice: it could not be seen."""
        is_covered = bool(self.screen_stack) and isinstance(self.screen, TooSmall)
        return not is_covered and super().check_action(action, parameters)
