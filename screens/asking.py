"""A screen that asks the engine: one reading at a time, and once more when somebody asked for it meanwhile.

Owner: of whether a reading is under way. What was read, and what is shown of it, is the screen's.
"""

from __future__ import annotations

from typing import Any

from screens.base import FleetScreen

AGAIN_S = 10.0
"""Figures over time are asked for no more often than this, so that a terminal at rest gets a few bytes a minute."""


class AskingScreen(FleetScreen):
    """A screen whose contents are answers of the engine, not rows of the feed."""

    def __init__(self) -> None:
        super().__init__()
        self._is_loading = False
        self._is_outdated = False

    async def read_all(self) -> None:
        """Ask for what is shown, and show it."""
        raise NotImplementedError

    async def ask_engine(self, what: str, **parameters: object) -> Any:  # noqa: ANN401  # plain values
        """Ask the engine. Raises FleetError."""
        return await self.feed.operator.query(what, **parameters)

    def _reload(self) -> None:
        """Read again; when that is under way already, once more after it."""
        if self._is_loading:
            self._is_outdated = True
            return
        self._is_loading = True
        self.run_worker(self._read_once(), group="read", exclusive=True, exit_on_error=False)

    async def _read_once(self) -> None:
        try:
            await self.read_all()
        finally:
            self._is_loading = False
        if self._is_outdated:
            self._is_outdated = False
            self._reload()
