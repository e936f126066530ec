"""What this machine can take now, for decisions about starting agents; and a look, once in a while, whether what waits may start.

Owner: of what was learned about the memory that agents take, and of the last look at it. It changes no state: it reports that there may be
room, has programs ended that have more than their pool allows, and programs that are kept without a task while others wait for memory.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from engine.agents.machine import MachineFiles
from engine.agents.memory_use import MemoryUse
from engine.agents.program_usage import beyond
from engine.agents.runtime import HostSample
from engine.agents.stalls import End
from engine.model.ids import AgentId, TaskId
from engine.model.machines import CPU, MEMORY, THIS_MACHINE, ProgramRoom, Room, thousandths
from engine.model.pools import PROGRAMS, PoolSpec
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
        self.end: End = lambda _name, _reason, _why: None
        """Ends a program that has more than it may."""
        self.rest: Callable[[], object] = lambda: None
        """Ends the program that has waited for a task for longest."""
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

    def see(self, samples: Sequence[HostSample], programs: Mapping[str, float], names: Mapping[str, str]) -> None:
        """Take what workers and programs use, MB of each program by its task or agent, and with it what there is beside them.

        `names` are those of the process host, for programs that have more than they may.
        """
        self.use.see(samples)
        state = self._state()
        by_pool: dict[str, list[float]] = {}
        kept: dict[str, tuple[str, float]] = {}
        for id_, held_mb in programs.items():
            agent, task = state.agents.get(AgentId(id_)), state.tasks.get(TaskId(id_))
            pool = agent.spec.pool if agent is not None else task.spec.pool if task is not None else ""
            if pool:
                by_pool.setdefault(pool, []).append(held_mb)
                self._limit(state.pools[pool].spec, held_mb, names[id_])
            if agent is not None:
                kept[id_] = (pool, held_mb)
        self.use.hold(by_pool)
        self.use.follow(kept)
        if any(pool.tasks_wait for pool in state.pools.values()):
            self.rest()
        self._programs = self._beside(programs)

    def _limit(self, pool: PoolSpec, held_mb: float, name: str) -> None:
        if why := beyond(pool, held_mb):
            self.end(name, "memory limit", why)

    def _beside(self, programs: Mapping[str, float]) -> ProgramRoom | None:
        """Return what programs have and what there is beside them; None = it is not to be looked at."""
        section, free_mb = self._section, self._files.measure().free_mb
        if not section.memory_admission or free_mb is None:
            return None
        all_mb = free_mb - section.reserve_memory + sum(programs.values())
        if section.memory:
            all_mb = min(all_mb, section.memory - section.reserve_memory)
        return ProgramRoom(all_mb, dict(programs), {})

    def for_programs(self) -> ProgramRoom | None:
        """Return the memory that programs may have, by the last look; None = they may start whatever they take."""
        if self._programs is None:
            return None
        pools = (pool.spec for pool in self._state().pools.values() if pool.spec.kind in PROGRAMS)
        return replace(self._programs, each={pool.name: self._needed(pool) for pool in pools})

    def _needed(self, pool: PoolSpec) -> float:
        """Return what one more program of a pool takes: as it was measured, else what its agents reserve; 0 = not known."""
        return self.use.each_program(pool.name) or (float(pool.resources.memory) if pool.resources.reserved else 0.0)

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
