"""Consoles for benchmarks: `fleet-tui` on a terminal of its own, attached to an engine of its own, and what it wrote when."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.integration.engines import EngineProcess
    from tests.ui.pty_screen import PtyScreen

ROOT = Path(__file__).resolve().parent.parent.parent
COLUMNS, ROWS = 120, 40
# What an installed wheel has: bytecode on the disk after the first start, whatever the shell of the one who measures says.
ENVIRONMENT = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPATH": str(ROOT), "LANG": "C.UTF-8"}


def require_terminals() -> None:
    """Check that screens can be read here. Raises RuntimeError."""
    try:
        import psutil  # noqa: F401  # the engines of the tests need it
        import pyte  # noqa: F401
    except ImportError as error:
        raise RuntimeError(f"{error.name} is missing: it comes with the development dependencies, `make setup` installs them") from error


def program() -> list[str]:
    """Return the program as people start it; as a module where it is not installed."""
    script = Path(sys.executable).with_name("fleet-tui")
    return [str(script)] if script.exists() else [sys.executable, "-m", "fleet_tui"]


@contextmanager
def running_engine(config: str = "", args: Sequence[str] = ()) -> Iterator[EngineProcess]:
    """Run an engine in a directory of its own."""
    require_terminals()
    from tests.integration.engines import engine

    with TemporaryDirectory(prefix="fleet-bench-") as folder, engine(Path(folder), config, tuple(args), from_nothing=True) as subject:
        yield subject


@contextmanager
def console(subject: EngineProcess) -> Iterator[PtyScreen]:
    """Open a console on an engine, without a word on the command line, as people do."""
    from tests.ui.pty_screen import PtyScreen

    env = subject.environment | ENVIRONMENT
    with PtyScreen(program(), columns=COLUMNS, rows=ROWS, env=env, cwd=subject.directory) as screen:
        yield screen


class Stopwatch:
    """Tells when a screen first showed something: bytes are stamped as they come and drawn only while none come."""

    def __init__(self, screen: PtyScreen) -> None:
        self._screen = screen
        self._stamped: deque[tuple[float, bytes]] = deque()
        self._draw = screen.feed
        screen.feed = self._stamp  # type: ignore[method-assign]

    def wait(self, condition: Callable[[PtyScreen], object], *, timeout_s: float = 15.0) -> float:
        """Return the instant (perf_counter) at which the bytes had come that make the condition true."""
        end = time.perf_counter() + timeout_s
        while time.perf_counter() < end:
            if self._screen.read(0.0 if self._stamped else 0.25) or not self._stamped:
                continue
            at, data = self._stamped.popleft()
            self._draw(data)
            if condition(self._screen):
                return at
        raise AssertionError(f"waited in vain; the screen shows:\n{self._screen.text}")

    def _stamp(self, data: bytes) -> None:
        self._stamped.append((time.perf_counter(), data))
