"""What this machine can take now, for decisions about starting agents; and a look, once in a while, whether what waits may start.

Owner: of what was learned about the memory that agents take, and of the last look at it. It changes no state: it reports that there may be room.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from engine.agents.machine import MachineFiles
from engine.agents.memory_use import MemoryUse
from engine.agents.runtime import HostSample
from engine.model.ids import TaskId
from engine.model.machines import CPU, MEMORY, THIS_MACHINE, ProgramRoom, Room, thousandths
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
        self._programs: ProgramRoom | None = None

    def measure(self) -> Room:
        """Return what the machine can take now."""
        section, found = self._section, self._files.measure()
        cores = (section.cpu or found.cores) - section.reserve_cpu
        memory = (section.memory or found.memory_mb) - section.reserve_memory
        capacity = thousandths({CPU: max(0.0, cores), MEMORY: max(0.0, memory), **section.named})
        if not section.memory_admission or found.free_mb is None:
            return Room(capacity)
        return Room(capacity, found.free_mb - section.reserve_memory, self.use.expected(self._state().pools))

    def see(self, samples: Sequence[HostSample], programs: Mapping[TaskId, float]) -> None:
        """Take what workers and programs use, MB of each program by its task, and with it what there is beside them."""
        self.use.see(samples)
        tasks = self._state().tasks
        by_pool: dict[str, list[float]] = {}
        for id_, held_mb in programs.items():
            if id_ in tasks:
                by_pool.setdefault(tasks[id_].spec.pool, []).append(held_mb)
        self.use.hold(by_pool)
        section, free_mb = self._section, self._files.measure().free_mb
        if not section.memory_admission or free_mb is None:
            self._programs = None
            return
        all_mb = free_mb - section.reserve_memory + sum(programs.values())
        if section.memory:
            all_mb = min(all_mb, section.memory - section.reserve_memory)
        self._programs = ProgramRoom(all_mb, dict(programs), {})

    def for_programs(self) -> ProgramRoom | None:
        """Return the memory that programs may have, by the last look; None = they may start whatever they take."""
        if self._programs is None:
            return None
        pools = (name for name, pool in self._state().pools.items() if pool.spec.kind == "command")
        return replace(self._programs, each={name: self.use.each_program(name) for name in pools})

    def look(self, report: Callable[[Report], None], now: float) -> None:
        """Report gangs whose time is over, and that there may be room: when somebody waits for it, and when the machine has other
        amounts than before."""
        state = self._state()
        if any(gang.ends_at <= now for gang in state.gangs.values()):
            report(GangsDue())
        machine = state.machines.get(THIS_MACHINE)
        waits = any(gang.is_waiting for gang in state.gangs.values()) or any(pool.waits or pool.tasks_wait for pool in state.pools.values())
        if waits or machine is None or machine.capacity != self.measure().capacity:
            report(RoomSeen())
