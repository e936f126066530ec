"""The circuit breaker: an operation whose instances keep failing is left to regular agents for a while.

Owner: of how the last calls of each operation and language went, in one worker. Half a minute after it opened, one call
is tried: if that ends well the breaker closes, else it stays open as long again.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

CALLS: Final = 20
FAILURES_MAX: Final = 5
OPEN_S: Final = 30.0


@dataclass(slots=True)
class _Circuit:
    """One operation and language."""

    failed: deque[bool] = field(default_factory=lambda: deque(maxlen=CALLS))
    open_until: float = 0.0
    """0 = closed."""
    tries: bool = False
    """One call is under way to see whether it can close."""


class Breaker:
    """Circuits by operation and language; their number is that of the catalogue."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._circuits: dict[str, _Circuit] = {}

    def lets(self, key: str) -> bool:
        """Answer whether a call may be made; after the time is over, one at a time."""
        circuit = self._circuits.get(key)
        if circuit is None or not circuit.open_until:
            return True
        if circuit.tries or self._now() < circuit.open_until:
            return False
        circuit.tries = True
        return True

    def note(self, key: str, *, failed: bool) -> None:
        """Take note of how a call ended."""
        circuit = self._circuits.setdefault(key, _Circuit())
        circuit.failed.append(failed)
        if circuit.tries and not failed:
            self._circuits[key] = _Circuit()
        elif circuit.tries or (failed and sum(circuit.failed) >= FAILURES_MAX):
            circuit.open_until, circuit.tries = self._now() + OPEN_S, False

    def forget(self, key: str) -> None:
        """Take note that a call was stopped from outside, which tells nothing."""
        if key in self._circuits:
            self._circuits[key].tries = False

    def opened(self) -> dict[str, float]:
        """Return the operations that are left to regular agents now, and until when."""
        now = self._now()
        return {key: row.open_until for key, row in self._circuits.items() if row.open_until > now}
