"""What this machine can take now, for decisions about starting agents; and a look, once in a while, whether what waits may start.

Owner: of what was learned about the memory that agents take. It changes no state: it reports that there may be room.
"""

from __future__ import annotations

from collections.abc import Callable

from engine.agents.machine import MachineFiles
from engine.agents.memory_use import MemoryUse
from engine.model.machines import CPU, MEMORY, THIS_MACHINE, Room, thousandths
from engine.model.reports import GangsDue, Report, RoomSeen
from engine.model.resource_config import MachineSection
from engine.state import FleetState


class RoomMeter:
    """Measures what the machine can take."""

    def __init__(self, section: MachineSection, state: Callable[[], FleetState], use: MemoryUse, files: MachineFiles | None = None) -> None:
        self._section = section
        self._state = state
        self._files = files or MachineFiles()
        self.use = use

    def measure(self) -> Room:
        """Return what the machine can take now."""
        section, found = self._section, self._files.measure()
        cores = (section.cpu or found.cores) - section.reserve_cpu
        memory = (section.memory or found.memory_mb) - section.reserve_memory
        capacity = thousandths({CPU: max(0.0, cores), MEMORY: max(0.0, memory), **section.named})
        if not section.memory_admission or found.free_mb is None:
            return Room(capacity)
        return Room(capacity, found.free_mb - section.reserve_memory, self.use.expected(self._state().pools))

    def look(self, report: Callable[[Report], None], now: float) -> None:
        """Report gangs whose time is over, and that there may be room: when somebody waits for it, and when the machine has other
        amounts than before."""
        state = self._state()
        if any(gang.ends_at <= now for gang in state.gangs.values()):
            report(GangsDue())
        machine = state.machines.get(THIS_MACHINE)
        waits = any(gang.is_waiting for gang in state.gangs.values()) or any(pool.waits for pool in state.pools.values())
        if waits or machine is None or machine.capacity != self.measure().capacity:
            report(RoomSeen())
