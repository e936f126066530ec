"""The time of running modules: one thread that counts ticks while calls run, so that a deadline can end them.

Owner: of that thread; it sleeps when no call has run for a second. Make a ticker after a process has forked,
not before: threads do not come along.
"""

import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import wasmtime

IDLE_TICKS_MAX: Final = 100  # waking the thread for every call would cost more than ticking on


class Ticker:
    """Counts the ticks of one engine."""

    def __init__(self, engine: wasmtime.Engine, tick_s: float) -> None:
        self.engine = engine
        self._tick_s = tick_s
        self._lock = threading.Lock()
        self._busy = threading.Event()
        self._closed = threading.Event()
        self._running = 0
        self._thread = threading.Thread(target=self._tick, name="booster-ticker", daemon=True)
        self._thread.start()

    def count(self, timeout_s: float) -> int:
        """Say how many ticks that time is, rounded up; the first may come at once."""
        return math.ceil(timeout_s / self._tick_s) + 1

    @contextmanager
    def running(self) -> Iterator[None]:
        """Count ticks while something runs."""
        with self._lock:
            self._running += 1
            if not self._busy.is_set():
                self._busy.set()
        try:
            yield
        finally:
            with self._lock:
                self._running -= 1

    def skip(self, timeout_s: float) -> None:
        """Let so much time pass at once: what runs with a deadline within it ends."""
        for _ in range(self.count(timeout_s)):
            self.engine.increment_epoch()

    def close(self) -> None:
        """End the thread and wait for its end."""
        with self._lock:
            self._closed.set()
            self._busy.set()
        self._thread.join()

    def _tick(self) -> None:
        idle = 0
        while not self._closed.wait(self._tick_s):
            self.engine.increment_epoch()
            idle = 0 if self._running else idle + 1
            if idle > IDLE_TICKS_MAX:
                self._sleep()
                idle = 0

    def _sleep(self) -> None:
        with self._lock:
            if self._running:
                return
            self._busy.clear()
            if self._closed.is_set():
                return
        self._busy.wait()
