"""Reading what a run prints while it runs, and ending one that lives on after it has said how it went.

Owner: `Listener`, of one run. Agents of others hang after their last word: it is kept, and their process is not waited for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from engine.agents.printed import Printed, Reader
from engine.agents.processes.running import RunningProcess
from engine.agents.processes.spec import ProcessResult, StreamName
from engine.clock import Clock


class Listener:
    """Hears one run to its end."""

    def __init__(self, reader: Reader, clock: Clock, linger_s: float, told: Callable[[Printed], None]) -> None:
        """`told` hears what was used so far, whenever the run says more of it."""
        self._reader = reader
        self._clock = clock
        self._linger_s = linger_s
        self._has_ended = asyncio.Event()
        self._told = told
        self._used: dict[str, float] = {}
        self._heard = 0
        """Pieces of output so far."""

    def take(self, stream: StreamName, chunk: bytes) -> None:
        """Take a piece of output."""
        self._heard += 1
        if stream == "stdout":
            self._reader.feed(chunk)
            self._tell()
        if self._reader.printed.has_ended:
            self._has_ended.set()
        else:
            self._has_ended.clear()

    def _tell(self) -> None:
        printed = self._reader.printed
        if printed.usage != self._used:
            self._used = printed.usage
            self._told(printed)

    async def wait_result(self, process: RunningProcess) -> tuple[ProcessResult, Printed]:
        """Wait for the end of the run; return how it ended and what it said. Safe to cancel."""
        async with asyncio.TaskGroup() as group:
            watch = group.create_task(self._end_lingering(process)) if self._linger_s else None
            try:
                result = await process.wait_result()
            finally:
                if watch is not None:
                    watch.cancel()
        self._reader.end()
        return result, self._reader.printed

    async def _end_lingering(self, process: RunningProcess) -> None:
        heard = -1
        while True:
            await self._has_ended.wait()
            if heard == self._heard:
                process.stop("lingered")
                return
            heard = self._heard
            await self._clock.sleep(self._linger_s)
