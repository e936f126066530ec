"""Looks at hosts and programs again and again, and hands what it finds to all who go by it.

Owner: nobody; the state of each look is that of its parts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from engine.agents.processes.child_process import ProcessHost
from engine.agents.program_usage import ProgramSample
from engine.agents.room import RoomMeter
from engine.agents.runtime import HostSample
from engine.agents.stalls import StallWatch
from engine.clock import Clock
from engine.gate.feed import Feed
from engine.gate.usage import UsageMeter

SAMPLE_INTERVAL_S = 2.0


@dataclass(frozen=True, slots=True)
class Measuring:
    """What is looked at, and who is told."""

    samples: Callable[[], Sequence[HostSample]]
    host: ProcessHost
    elsewhere: Callable[[], Sequence[ProgramSample]]
    """Programs on other machines."""
    usage: UsageMeter
    room: RoomMeter
    stalls: StallWatch
    feed: Feed
    clock: Clock

    def __post_init__(self) -> None:
        """Have programs held to what their pools allow, where the kernel can do that."""
        self.usage.follow(self.host.groups)

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            self.look()
            await self.clock.sleep(SAMPLE_INTERVAL_S)

    def look(self) -> None:
        """Look once."""
        samples, now = self.samples(), self.clock.now()
        self.usage.look(samples, self.host.pids(), now, self.elsewhere())
        used = self.usage.used
        stalled = self.stalls.look(self.usage.runs(self.host.quiet()), now)
        self.feed.measured(samples, used.told(), stalled)
        self.room.see(samples, used.programs, used.names)
