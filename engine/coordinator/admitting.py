"""How many agents may start now: what they reserve must fit a machine, and what they will use the memory that is free.

The rule for whoever waits: the order is priority, which grows by one step in each tasks.aging_s of waiting, then age. What the
first one lacks is kept for it: nobody behind it is given any of that, so that small ones cannot overtake it for ever.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from engine.coordinator.spreading import HERE, HOSTS, Spread
from engine.model.agents import AgentStatus, Resources
from engine.model.machines import MEMORY, THOUSAND, Places, Room, say_amount, taken_by
from engine.model.pools import Pool, PoolSpec
from engine.scheduling.placing import Request, place
from engine.state import FleetState
from engine.state.deciding import Deciding

FREE_MEMORY = "free memory"
_GO_FIRST = "others wait for it that go first"
_MANY = 1 << 30


class Asked(NamedTuple):
    """Agents of a pool that somebody wants to start."""

    pool: str
    agents: int
    resources: Resources
    rank: tuple[float, float]
    """Smaller goes first: less its priority with its age, then since when it waits."""
    spec: PoolSpec | None = None
    """The pool's; None = its agents run on the engine's own machine."""


class Admitted(NamedTuple):
    """The machine of each agent that may start (empty = it takes nothing of one), and why no more may."""

    machines: Sequence[str]
    lacks: str = ""
    text: str = ""
    never: bool = False
    """More of it would not even start on an empty machine."""
    why: Mapping[str, str] = {}
    """Why agents run on a machine, where hosts that joined could have had them."""

    @property
    def places(self) -> Places:
        """Return where those run that may start."""
        return Places(self.machines, self.why)


class Admission:
    """What is left while one decision starts agents. Owner: that decision."""

    def __init__(self, state: FleetState, deciding: Deciding, without: Collection[str] = ()) -> None:
        """`without` are hosts on which nothing starts."""
        room = deciding.room()
        self._has_limits = room is not None
        self._machines = {id_: machine.copy() for id_, machine in state.machines.items() if id_ not in state.hosts}
        self._spread = Spread(state, without)
        self._memory = _Memory(room or Room({}))
        self._kept: list[tuple[tuple[float, float], str]] = []
        """Who waits, by rank, and what it lacks."""
        for pool in state.pools.values() if room is not None else ():
            self._memory.take(pool.spec.name, _coming(state, pool))
            if pool.waits is not None:
                self.keep(rank_of(pool.spec.priority, pool.waits.since, deciding), pool.waits.lacks)
        for gang in state.gangs.values():
            if gang.is_waiting:
                self.keep(rank_of(gang.priority, gang.asked_at, deciding), gang.lacks)

    def keep(self, rank: tuple[float, float], lacks: str) -> None:
        """Keep what somebody lacks from those behind it."""
        self._kept.append((rank, lacks))

    def forget_waiting(self) -> None:
        """Look at those who wait anew; whoever still lacks something is kept again."""
        self._kept.clear()

    def admit(self, asked: Asked, *, whole: bool = False) -> Admitted:
        """Count agents in, as many as there is room for; with `whole` all of them or none."""
        if asked.spec is not None and self._spread.concerns(asked.spec):
            return self._admit_anywhere(asked, asked.spec, whole=whole)
        return self._admit_here(asked, whole=whole)

    def _admit_anywhere(self, asked: Asked, spec: PoolSpec, *, whole: bool) -> Admitted:
        """Count agents in one by one, each where the fewest run for its cores."""
        before = copy.deepcopy((self._machines, self._memory, self._spread.loads)) if whole else None
        machines: list[str] = []
        why: dict[str, str] = {}
        refused = Admitted(())
        while len(machines) < asked.agents and not refused.lacks:
            one = self._admit_one(asked._replace(agents=1), spec)
            machines += one.machines
            why |= one.why
            refused = one
        if before is not None and len(machines) < asked.agents:
            self._machines, self._memory, self._spread.loads = before
            machines = []
        return Admitted(machines, refused.lacks, refused.text, refused.never, why)

    def _admit_one(self, asked: Asked, spec: PoolSpec) -> Admitted:
        """Return the place of one agent, or why it has none."""
        amounts = taken_by(asked.resources)
        refused: Admitted | None = None
        for host in self._spread.order(spec):
            if host == HERE:
                one = self._admit_here(asked, whole=False)
                if one.machines:
                    self._spread.take(HERE, {})
                    return one._replace(why={one.machines[0]: self._spread.why(HERE, spec)})
                refused = one
            elif not any(self._is_kept(name, asked.rank) for name in amounts) and self._spread.has_room(host, amounts):
                why = self._spread.why(host, spec)
                self._spread.take(host, amounts)
                return Admitted((host,), why={host: why})
        return refused or Admitted((), HOSTS, f"waits for hosts: {self._spread.why_none(spec, amounts)}")

    def _admit_here(self, asked: Asked, *, whole: bool) -> Admitted:
        """Count agents in on the engine's own machine."""
        if not self._has_limits or asked.agents <= 0:
            return Admitted([""] * max(0, asked.agents))
        measured, is_kept = self._by_memory(asked)
        found = self._by_machines(asked, measured)
        by_memory = len(found.machines) == measured < asked.agents
        if whole and len(found.machines) < asked.agents:
            return Admitted((), FREE_MEMORY, self._say_memory(asked.pool, is_kept=is_kept)) if by_memory else found._replace(machines=())
        for machine in found.machines:
            if machine:
                self._machines[machine].take(taken_by(asked.resources))
        self._memory.take(asked.pool, len(found.machines))
        return Admitted(found.machines, FREE_MEMORY, self._say_memory(asked.pool, is_kept=is_kept)) if by_memory else found

    def _say_memory(self, pool: str, *, is_kept: bool) -> str:
        return f"waits for memory: {_GO_FIRST if is_kept else self._memory.say(pool)}"

    def _by_memory(self, asked: Asked) -> tuple[int, bool]:
        """Return how many could start without swapping, and whether others go first."""
        if self._memory.needs(asked.pool) and self._is_kept(FREE_MEMORY, asked.rank):
            return 0, True
        return min(asked.agents, self._memory.fits(asked.pool)), False

    def _by_machines(self, asked: Asked, count: int) -> Admitted:
        amounts = taken_by(asked.resources)
        if not amounts:
            return Admitted([""] * count)
        kept = next((name for name in amounts if self._is_kept(name, asked.rank)), "")
        if kept:
            return Admitted((), kept, f"waits for {kept}: {_GO_FIRST}")
        placing = place((Request(f"{number:07}", amounts) for number in range(count)), self._machines)
        machines = list(placing.machines.values())
        if not placing.unplaced:
            return Admitted(machines)
        why = next(iter(placing.unplaced.values()))
        return Admitted(machines, why.lacks, f"waits for {why.lacks}: {why.text}", why.never)

    def _is_kept(self, name: str, rank: tuple[float, float]) -> bool:
        return any(lacks == name and first < rank for first, lacks in self._kept)


def rank_of(priority: int, since: float, deciding: Deciding) -> tuple[float, float]:
    """Return where somebody stands among those who wait, smaller first."""
    return (-(priority + max(0.0, deciding.now - since) / deciding.config.tasks.aging_s), since)


def _coming(state: FleetState, pool: Pool) -> int:
    """Return how many agents were let in and have not taken their memory yet: those that start, and programs without a task."""
    if pool.spec.kind == "command":
        return sum(agent.task is None and agent.status is not AgentStatus.FAILED for agent in state.agents_in(pool.spec.name))
    return pool.by_status.get(AgentStatus.STARTING, 0)


class _Memory:
    """Memory that is left by what was measured, as agents are counted in."""

    def __init__(self, room: Room) -> None:
        self._expected = room.expected
        self._left_mb = room.free_mb
        self._takers = {one.group: one.at_most for one in room.expected.values()}
        """Group -> how many more of it take memory; None = all."""

    def needs(self, pool: str) -> float:
        """Return what the next agent of a pool takes, MB."""
        one = self._expected.get(pool)
        return one.each_mb if one is not None and self._takers[one.group] != 0 else 0.0

    def fits(self, pool: str) -> int:
        """Return how many more agents of a pool could start."""
        left, each = self._left_mb, self.needs(pool)
        if left is None:
            return _MANY
        if not each:
            return _MANY if left > 0 else 0
        number, takers = max(0, int(left / each)), self._takers[self._expected[pool].group]
        return _MANY if takers is not None and number >= takers else number

    def take(self, pool: str, count: int) -> None:
        """Count agents in."""
        each = self.needs(pool)
        if self._left_mb is None or not each:
            return
        group = self._expected[pool].group
        takers = self._takers[group]
        taking = count if takers is None else min(count, takers)
        self._takers[group] = None if takers is None else takers - taking
        self._left_mb -= taking * each

    def say(self, pool: str) -> str:
        """Return what an agent of a pool needs and what there is."""
        each, left = self.needs(pool), max(0.0, self._left_mb or 0.0)
        needs = f"needs {say_amount(MEMORY, each * THOUSAND)}" if each else "needs some"
        return f"{needs}, {say_amount(MEMORY, left * THOUSAND)} free"
