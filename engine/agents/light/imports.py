"""Which handlers a worker has imported, and the one that it is importing: asked for once, told of when it is done.

Owner: one `Imports` for each worker. Its limit is the number of pools.
"""

from __future__ import annotations

from collections.abc import Callable

from engine.agents.light.frames import Loaded


class Imports:
    """The handlers of one worker."""

    def __init__(self) -> None:
        self._done: dict[str, bool] = {"": True}
        """Handlers asked for -> whether they are there; the built-in operations always are."""
        self.current = ""
        """The handler that the worker is importing, or was when it died; empty = none."""
        self._since = 0.0

    def has(self, handler: str) -> bool:
        """Answer whether a handler is imported."""
        return self._done.get(handler, False)

    def ask(self, handler: str, send: Callable[[str], None]) -> bool:
        """Answer whether a handler is imported; if it is not, have it asked for, once."""
        if handler not in self._done:
            self._done[handler] = False
            send(handler)
        return self._done[handler]

    def note(self, loaded: Loaded, now: float) -> None:
        """Take note of what the worker tells; an import that failed is tried again when it is asked for again."""
        if not loaded.is_done:
            self.current, self._since = loaded.handler, now
            return
        self.current = ""
        self._done[loaded.handler] = True
        if loaded.error:
            del self._done[loaded.handler]

    def lasts(self, now: float) -> float:
        """Return for how long an import has been under way, 0 if none is."""
        return now - self._since if self.current else 0.0
