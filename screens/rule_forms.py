"""The form of a new alert rule, and what a form says of when a rule would have fired."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from engine.model.editing import Editable, Patch
from engine.model.rule_editing import new_rule, tried
from screens.base import FleetScreen
from screens.editing import Editing
from screens.edits import open_form
from screens.present_figures import tried_lines

DAY_S = 86_400
FORM_WIDTH = 66
"""Characters of a line in the form on the narrowest terminal."""


def make_rule(screen: FleetScreen) -> None:
    """Open the form of a new alert rule, and ask for it."""
    thing = new_rule()

    async def read_again() -> Editable:
        return thing

    open_form(screen, Editing("New alert rule", thing, read_again, trying(screen, thing)))


def trying(screen: FleetScreen, thing: Editable) -> Callable[[Patch], Awaitable[Sequence[str]]]:
    """Return what says when a rule would have fired in the last day."""

    async def what_if(patch: Patch) -> Sequence[str]:
        found: Any = await screen.feed.operator.query("alert-test", **tried(thing, patch), last_s=DAY_S)
        return tried_lines(found, FORM_WIDTH, screen.console.glyphs)

    return what_if
