"""A day of made-up agents with known faults, minute by minute: what predictive maintenance is measured on.

Load by the time of day, noise, and what is harmless: pauses of a beat, caches that grow and are emptied, memory that steps up and stays,
single errors, and slow or failing spells of a whole pool. Faults are put in by a seed and grow until the agent fails. The figures are
of this model, not of a real fleet.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from engine.monitoring.maintenance import AT_RISK, PAST_MIN, AgentPast, Kind, risk_of

DAY_MIN = 1_440
AGENTS = 12
LOOK_MIN = 5
AFTER_MIN = 20
"""A warning this long after a failure is still about it: the minutes looked at reach back."""
APART_MIN = 30
"""Warnings of an agent further apart than this are two."""
LIMIT_MB = 1_024.0
FIELDS = ("silence_s", "succeeded", "failed", "busy_s", "rss_mb")


class Fault(NamedTuple):
    """What goes wrong with one agent, slowly, until it fails at `end`."""

    agent: int
    kind: Kind
    begin: int
    end: int

    def grown(self, at: int) -> float:
        """Return how far it has come, 0..1."""
        return (at - self.begin) / (self.end - self.begin) if self.begin <= at < self.end else 0.0


class Spell(NamedTuple):
    """What a whole pool goes through, and no agent is to blame for."""

    begin: int
    end: int
    slower: float
    errors: float


class Day(NamedTuple):
    """What every agent read, and what was wrong with which."""

    minutes: Sequence[dict[str, list[float | None]]]
    faults: Sequence[Fault]


class Score(NamedTuple):
    """How often warnings were right."""

    faults: int
    found: int
    """Warned of before the agent failed."""
    warnings: int
    right: int
    leads_min: Sequence[int]
    """How long before."""

    @property
    def precision(self) -> float:
        """Return the share of warnings that were about a fault."""
        return self.right / self.warnings if self.warnings else 1.0

    @property
    def recall(self) -> float:
        """Return the share of faults that were warned of in time."""
        return self.found / self.faults if self.faults else 1.0


def made_day(seed: int, *, has_faults: bool = True) -> Day:
    """Return a day by a seed."""
    chance = random.Random(seed)
    faults = [_fault(chance, agent, number, kind) for agent, number, kind in _chosen(chance) if has_faults]
    spells = [Spell(at, at + chance.randrange(15, 45), chance.choice((1.0, 2.0)), chance.choice((0.0, 0.3))) for at in sorted(chance.sample(range(100, 1_300), 4))]
    minutes = [_agent(random.Random(f"{seed}/{agent}"), [fault for fault in faults if fault.agent == agent], spells) for agent in range(AGENTS)]
    return Day(minutes, faults)


def _chosen(chance: random.Random) -> Iterator[tuple[int, int, Kind]]:
    """Give agents that will fail, twice a day each, a third of them never."""
    for agent in range(AGENTS - AGENTS // 3):
        for number in range(2):
            yield agent, number, chance.choice(list(Kind))


def _fault(chance: random.Random, agent: int, number: int, kind: Kind) -> Fault:
    begin = 200 + number * 600 + chance.randrange(400)
    return Fault(agent, kind, begin, begin + chance.randrange(45, 120))


def _agent(chance: random.Random, faults: Sequence[Fault], spells: Sequence[Spell]) -> dict[str, list[float | None]]:
    read: dict[str, list[float | None]] = {name: [] for name in FIELDS}
    base_mb, caches, step_at = chance.uniform(150, 450), chance.random() < 0.3, chance.randrange(DAY_MIN)
    base_s = chance.uniform(0.5, 5.0)
    for at in range(DAY_MIN):
        if any(fault.end <= at < fault.end + 2 for fault in faults):
            for values in read.values():
                values.append(None)
            continue
        grown = {fault.kind: fault.grown(at) for fault in faults if fault.grown(at)}
        spell = next((spell for spell in spells if spell.begin <= at < spell.end), Spell(0, 0, 1.0, 0.0))
        pause = chance.uniform(3.0, 6.0) if chance.random() < 0.01 else 0.0
        late = 1 + 5 * grown.get(Kind.HEARTBEAT, 0.0)
        read["silence_s"].append(max(pause, chance.uniform(0.9, 1.4) * late * math.exp(chance.gauss(0, 0.2 if late > 1 else 0.02))))
        tasks = _tasks(chance, 6 + 3 * math.sin(2 * math.pi * at / DAY_MIN))
        wrong = min(1.0, 0.02 + spell.errors + 0.9 * grown.get(Kind.ERRORS, 0.0))
        failed = sum(chance.random() < wrong for _ in range(tasks))
        read["failed"].append(float(failed))
        read["succeeded"].append(float(tasks - failed))
        each = base_s * spell.slower * (1 + 4 * grown.get(Kind.LATENCY, 0.0))
        read["busy_s"].append(sum(each * math.exp(chance.gauss(0, 0.3)) for _ in range(tasks)))
        kept = base_mb * (1.0 + (0.3 * (at % 40) / 40 if caches else 0.0) + (0.3 if at >= step_at else 0.0))
        read["rss_mb"].append(kept + (LIMIT_MB - kept) * grown.get(Kind.MEMORY, 0.0) + chance.gauss(0, 4))
    return read


def _tasks(chance: random.Random, mean: float) -> int:
    """Return how many tasks ended in a minute, by Poisson."""
    limit, product, count = math.exp(-mean), chance.random(), 0
    while product > limit:
        product, count = product * chance.random(), count + 1
    return count


def past_of(read: dict[str, list[float | None]], at: int) -> AgentPast:
    """Return what is looked at in a minute."""
    return AgentPast(*(read[name][at - PAST_MIN : at] for name in FIELDS), LIMIT_MB)


def judge(day: Day) -> Score:
    """Look at all agents every LOOK_MIN minutes and count what was right."""
    warned: dict[int, list[int]] = {agent: [] for agent in range(AGENTS)}
    for at in range(PAST_MIN, DAY_MIN, LOOK_MIN):
        pasts = [past_of(read, at) for read in day.minutes]
        for agent, past in enumerate(pasts):
            if risk_of(past, [*pasts[:agent], *pasts[agent + 1 :]]).risk >= AT_RISK:
                warned[agent].append(at)
    episodes = [episode for agent, times in warned.items() for episode in _episodes(agent, times)]
    right = [any(_is_about(fault, episode) for fault in day.faults) for episode in episodes]
    firsts = [min((at for at in warned[fault.agent] if fault.begin <= at < fault.end), default=None) for fault in day.faults]
    leads = [fault.end - at for fault, at in zip(day.faults, firsts, strict=True) if at is not None]
    return Score(len(day.faults), len(leads), len(episodes), sum(right), leads)


def _episodes(agent: int, times: Sequence[int]) -> list[tuple[int, int, int]]:
    """Return warnings as agent, first and last minute."""
    found: list[tuple[int, int, int]] = []
    for at in times:
        if found and at - found[-1][2] <= APART_MIN:
            found[-1] = (agent, found[-1][1], at)
        else:
            found.append((agent, at, at))
    return found


def _is_about(fault: Fault, episode: tuple[int, int, int]) -> bool:
    agent, first, last = episode
    return agent == fault.agent and first < fault.end + AFTER_MIN and last >= fault.begin
