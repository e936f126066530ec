"""An event loop in virtual time: when nothing is ready it jumps to the next timer, and ready callbacks run in an
order shuffled by a seed, so that races show. It has no sockets or subprocesses; a deadlock raises at once."""

from __future__ import annotations

import asyncio
import random  # noqa: TID251  # seeded
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

_T = TypeVar("_T")


class _VirtualSelector(selectors.SelectSelector):
    """Never waits; asks the loop to move its time instead."""

    loop: SimulationLoop

    def select(self, timeout: float | None = None) -> Any:  # noqa: ANN401  # the base class's type
        ready = super().select(0)
        if not ready and timeout is None:
            raise RuntimeError("deadlock: nothing is ready and no timer is set")
        if not ready and timeout:
            self.loop.virtual_now += timeout
        return ready


class SimulationLoop(asyncio.SelectorEventLoop):
    """Virtual time from 0, chance from a seed."""

    def __init__(self, seed: int) -> None:
        self.virtual_now = 0.0
        self._shuffle = random.Random(seed).shuffle  # noqa: S311  # order of callbacks, not secrets
        selector = _VirtualSelector()
        selector.loop = self
        super().__init__(selector)
        self._clock_resolution = 1e-9

    def time(self) -> float:
        """Return virtual seconds."""
        return self.virtual_now

    def _run_once(self) -> None:
        ready: Any = self._ready  # type: ignore[attr-defined]
        if len(ready) > 1:
            order = list(ready)
            self._shuffle(order)
            ready.clear()
            ready.extend(order)
        super()._run_once()  # type: ignore[misc]


def run_virtual(work: Coroutine[Any, Any, _T], seed: int = 0) -> _T:
    """Run a coroutine to its end in virtual time."""
    with asyncio.Runner(loop_factory=lambda: SimulationLoop(seed)) as runner:
        return runner.run(work)


class VirtualClock:
    """The fleet's clock on a simulation loop."""

    def __init__(self, start: float = 1_700_000_000.0) -> None:
        self._start = start

    def now(self) -> float:
        """Return the start plus the loop's virtual seconds."""
        return self._start + asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        """Wait in virtual time."""
        await asyncio.sleep(seconds)  # noqa: TID251  # this is the clock


class CountedIds:
    """Ids that count: tsk_0001."""

    def __init__(self) -> None:
        self._count = 0

    def new(self, prefix: str) -> str:
        """Return the next id."""
        self._count += 1
        return f"{prefix}_{self._count:06d}"
