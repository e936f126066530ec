"""Where the fleet has more than it uses: recommendations with their evidence, each a verb that an operator can carry out.

Owner: of what each pool used, by minute, WINDOW_MIN minutes back. Recommendations are pure in that and the state.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from engine.model.agents import Resources
from engine.model.plans import Call
from engine.model.pools import Pool
from engine.model.scaling import Observation

WINDOW_MIN = 60
SAMPLES_MIN = 10
"""Minutes that must be known before anything is recommended."""
EFFICIENCY_MIN = 0.7
"""Used / granted below which an allocation is recommended smaller (the seeds' figure)."""
MARGIN = 1.25
"""Of the highest use that was measured, a recommended allocation."""
MEMORY_STEP_MB = 64
CPU_STEP = 0.05
_MINUTE_S = 60.0


class Recommendation(NamedTuple):
    """One thing that could be smaller. Savings: MB, cores or agents; cost in the pool's unit an hour."""

    kind: str
    """resize_allocation, oversized or idle."""
    pool: str
    current: str
    recommended: str
    efficiency: float
    """Used / granted, 0..1."""
    saves_memory_mb: float
    saves_cores: float
    saves_agents: int
    saves_cost_per_hour: float
    evidence: str
    call: Call
    """The verb that does it."""


@dataclass(slots=True)
class Minute:
    """The highest use of one minute by one agent, in cores and MB; -1 = not measured. Amounts, since what is granted may change."""

    began_at: float
    cpu: float = -1.0
    memory: float = -1.0
    busy: int = 0
    size: int = 0


@dataclass(slots=True)
class UsedByPool:
    """What one pool used."""

    minutes: deque[Minute] = field(default_factory=lambda: deque(maxlen=WINDOW_MIN))

    def see(self, now: Observation, granted: Resources) -> None:
        """Take an observation of agents that have so much."""
        if not self.minutes or not 0 <= now.at - self.minutes[-1].began_at < _MINUTE_S:
            self.minutes.append(Minute(now.at))
        minute = self.minutes[-1]
        minute.cpu = max(minute.cpu, -1.0 if now.cpu is None else now.cpu * granted.cpu)
        minute.memory = max(minute.memory, -1.0 if now.memory is None else now.memory * granted.memory)
        minute.busy = max(minute.busy, now.busy + min(now.waiting, now.size))
        minute.size = max(minute.size, now.size)


class Optimizer:
    """Watches what pools use and says what they could do with."""

    def __init__(self) -> None:
        self._used: dict[str, UsedByPool] = {}

    def see(self, observations: Mapping[str, Observation], pools: Mapping[str, Pool]) -> None:
        """Take the observations of all pools; pools that are gone are forgotten."""
        for name in [name for name in self._used if name not in observations]:
            del self._used[name]
        for name, now in observations.items():
            self._used.setdefault(name, UsedByPool()).see(now, pools[name].spec.resources)

    def recommend(self, pools: Mapping[str, Pool]) -> list[Recommendation]:
        """Return what could be smaller, the largest saving first."""
        found = [one for name, pool in pools.items() for one in recommend(pool, self._used.get(name, UsedByPool()))]
        return sorted(found, key=lambda one: (-one.saves_cost_per_hour, -one.saves_cores, -one.saves_memory_mb))


def recommend(pool: Pool, used: UsedByPool) -> list[Recommendation]:
    """Return what one pool could have less of; nothing before enough was seen."""
    minutes = used.minutes
    if len(minutes) < SAMPLES_MIN or not pool.agents:
        return []
    return [*_resize(pool, minutes), *_shrink(pool, minutes)]


def _resize(pool: Pool, minutes: deque[Minute]) -> list[Recommendation]:
    granted = pool.spec.resources
    changes: dict[str, object] = {}
    peaks = []
    for key, amount, step in (("memory", float(granted.memory), float(MEMORY_STEP_MB)), ("cpu", granted.cpu, CPU_STEP)):
        known = [value for minute in minutes if (value := getattr(minute, key)) >= 0]
        if len(known) < SAMPLES_MIN or not amount:
            continue
        peak = max(known) / amount
        wanted = max(step, math.ceil(max(known) * MARGIN / step) * step)
        if peak < EFFICIENCY_MIN and wanted < amount:
            changes[key] = round(wanted) if key == "memory" else round(wanted, 2)
            peaks.append((key, peak))
    if not changes:
        return []
    memory, cores = changes.get("memory", granted.memory), changes.get("cpu", granted.cpu)
    assert isinstance(memory, int)
    assert isinstance(cores, float)
    evidence = ", ".join(f"at most {peak:.0%} of the {key} was used in {len(minutes)} min" for key, peak in peaks)
    return [
        Recommendation(
            "resize_allocation",
            pool.spec.name,
            f"{granted.memory} MB, {_count(granted.cpu, 'core')}",
            f"{memory} MB, {_count(cores, 'core')}",
            min(peak for _, peak in peaks),
            (granted.memory - memory) * pool.agents,
            (granted.cpu - cores) * pool.agents,
            0,
            0.0,
            evidence,
            Call("pool.edit", {"pool": pool.spec.name, "changes": changes}),
        )
    ]


def _shrink(pool: Pool, minutes: deque[Minute]) -> list[Recommendation]:
    busiest = max(minute.busy for minute in minutes)
    size = max(pool.spec.min, math.ceil(busiest / EFFICIENCY_MIN))
    if size >= pool.size or busiest / pool.size >= EFFICIENCY_MIN:
        return []
    fewer = pool.size - size
    resources = pool.spec.resources
    return [
        Recommendation(
            "oversized" if busiest else "idle",
            pool.spec.name,
            _count(pool.size, "agent"),
            _count(size, "agent"),
            busiest / pool.size,
            float(fewer * resources.memory),
            fewer * resources.cpu,
            fewer,
            fewer * pool.spec.cost * 3_600,
            f"at most {busiest} of {pool.size} agents had work in {len(minutes)} min",
            Call("pool.scale", {"pool": pool.spec.name, "size": str(size)}),
        )
    ]


def _count(number: float, thing: str) -> str:
    return f"{number:g} {thing}{'' if number == 1 else 's'}"
