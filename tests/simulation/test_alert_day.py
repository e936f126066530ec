"""A day of a made-up fleet with known faults, led through the built-in rules: how often they are right, and what they miss.

The figures come from a model: load by the time of day, queues, durations, noise, and harmless bursts, blips and spikes. Faults are
put in by a seed. docs/monitoring.md tells what is measured here; the figures are of the model, not of a real fleet.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import pytest
from engine.model.alert_expressions import parse
from engine.model.alerts import Rule
from engine.model.errors import UsageError
from engine.monitoring.alerts.backtest import Fired, Sample, check_replayable, replay
from engine.monitoring.alerts.builtin import BUILTIN
from engine.monitoring.alerts.lifecycle import Watched
from engine.monitoring.histogram import BUCKETS, bucket_of

STEP_S = 10.0
DAY_S = 86_400.0
AFTER_S = 900.0
"""An alert this long after a fault is still about it: queues empty, windows pass."""
POOLS = ("coder", "tester", "reviewer")
AGENTS = 10
EXPECTED = {
    "errors": {"error-rate"},
    "slow": {"response-time", "queue-depth", "throughput-drop", "runs-slower"},
    "leak": {"memory-usage"},
    "down": {"agents-down", "queue-depth", "throughput-drop", "tasks-not-placed"},
    "busy": {"cpu-usage"},
    "stuck": {"allocation-slow", "queue-depth"},
}


class Fault(NamedTuple):
    pool: str
    kind: str
    begin: float
    end: float

    def covers(self, fired: Fired) -> bool:
        return fired.labels.get("pool") == self.pool and fired.pending_at <= self.end + AFTER_S and (fired.resolved_at or DAY_S) >= self.begin


@dataclass
class Pool:
    """One pool's day."""

    name: str
    chance: random.Random
    faults: list[Fault]
    queue: float = 0.0
    burst_until: float = -1.0
    blip_until: float = -1.0
    spike_until: float = -1.0
    values: dict[tuple[str, str], float] = field(default_factory=dict)

    def fault(self, at: float) -> str:
        return next((fault.kind for fault in self.faults if fault.begin <= at < fault.end), "")

    def step(self, at: float, values: dict[tuple[str, str], float], durations: dict[tuple[str, str], list[float]]) -> None:
        chance, kind = self.chance, self.fault(at)
        self._harmless(at)
        capacity = 10.0 / (6.0 if kind == "slow" else 1.0) * (0.0 if kind == "down" else 1.0)
        wanted = max(0.0, 4.0 + 2.0 * math.sin(2 * math.pi * at / DAY_S) + chance.gauss(0, 0.5)) * (3.0 if at < self.burst_until else 1.0)
        if 0 <= at % DAY_S < 3 * 3_600 and self.name == "reviewer":
            wanted = 0.0  # nobody works at night
        served = min(capacity, wanted + self.queue / STEP_S) * (0.3 if kind == "stuck" else 1.0)
        self.queue = max(0.0, self.queue + (wanted - served) * STEP_S)
        busy = 0.0 if kind == "down" else min(AGENTS, round(AGENTS * served / max(capacity, 0.1)))
        at_work = {
            "queue_depth": math.floor(self.queue), "succeeded": served, "dead": 0.0, "agents_busy": busy, "utilisation": busy / AGENTS,
            "agents_idle": 0.0 if kind == "down" else AGENTS - busy, "agents_failed": float(AGENTS) if kind == "down" else 0.0,
            "oldest_waiting_s": self.queue / max(wanted, 0.1), "memory": self._memory(at, kind),
            "cpu": min(1.0, (0.95 if kind == "busy" else 0.3 + 0.05 * busy / AGENTS) + chance.gauss(0, 0.03)),
        }  # fmt: skip
        if served > 0:
            at_work["error_rate"] = min(1.0, max(0.0, (0.25 if kind == "errors" else 0.01) + chance.gauss(0, 0.01)) + (0.5 if at < self.blip_until else 0.0))
            self._durations(kind, served, durations)
        values.update({(name, self.name): value for name, value in at_work.items()})

    def _harmless(self, at: float) -> None:
        chance = self.chance
        if chance.random() < STEP_S / 5_400:
            self.burst_until = at + chance.uniform(20, 60)
        if chance.random() < STEP_S / 7_200:
            self.blip_until = at + chance.uniform(10, 20)
        if chance.random() < STEP_S / 7_200:
            self.spike_until = at + chance.uniform(10, 40)

    def _memory(self, at: float, kind: str) -> float:
        usual = 0.5 + self.chance.gauss(0, 0.02) + (0.35 if at < self.spike_until else 0.0)
        if kind != "leak":
            return usual
        fault = next(fault for fault in self.faults if fault.begin <= at < fault.end)
        return min(0.99, usual + 0.5 * (at - fault.begin) / (fault.end - fault.begin) * 2)

    def _durations(self, kind: str, served: float, durations: dict[tuple[str, str], list[float]]) -> None:
        run, response, allocation = ([0.0] * (BUCKETS + 1) for _ in range(3))
        for _ in range(max(1, round(min(served * STEP_S, 30)))):
            took = 900.0 * math.exp(self.chance.gauss(0, 0.3)) * (7.0 if kind == "slow" else 1.0)
            waited = 8.0 * math.exp(self.chance.gauss(0, 0.6)) * (80.0 if kind == "stuck" else 1.0) + 1_000 * self.queue / max(served, 0.1)
            for counts, value in ((run, took), (allocation, waited), (response, took + waited)):
                counts[bucket_of(value)] += 1
        for name, counts in (("run_ms", run), ("allocation_ms", allocation), ("response_ms", response)):
            durations[name, self.name] = counts


def faults_of(chance: random.Random) -> list[Fault]:
    """Return faults that leave each pool time to recover."""
    faults = []
    for pool in POOLS:
        at = 3.5 * 3_600
        for kind in chance.sample(sorted(EXPECTED), len(EXPECTED)):
            at += chance.uniform(1_800, 3_600)
            end = at + chance.uniform(1_200, 2_400)
            faults.append(Fault(pool, kind, at, end))
            at = end + 5_400
    return [fault for fault in faults if fault.end < DAY_S - AFTER_S]


def day(seed: int) -> tuple[list[Fault], list[Sample]]:
    chance = random.Random(seed)
    faults = faults_of(chance)
    pools = [Pool(name, random.Random(f"{seed} {name}"), [fault for fault in faults if fault.pool == name]) for name in POOLS]
    return faults, list(_samples(pools))


def _samples(pools: list[Pool]) -> Iterator[Sample]:
    for number in range(int(DAY_S / STEP_S)):
        values: dict[tuple[str, str], float] = {("host_memory", ""): 0.6}
        durations: dict[tuple[str, str], list[float]] = {}
        for pool in pools:
            pool.step(number * STEP_S, values, durations)
        yield Sample(number * STEP_S, values, durations)


def replayable() -> list[Rule]:
    rules = []
    for rule in BUILTIN:
        try:
            check_replayable(parse(rule.expr))
        except UsageError:
            continue
        rules.append(rule)
    return rules


def judge(seed: int) -> tuple[int, int, int, int, list[tuple[str, Fired]], list[Fault]]:
    faults, samples = day(seed)
    fired = [(rule.id, one) for rule in replayable() for one in replay(Watched(rule, parse(rule.expr)), samples, POOLS, STEP_S).fired]
    wrong = [(rule, one) for rule, one in fired if not any(fault.covers(one) for fault in faults)]
    missed = [fault for fault in faults if not any(rule in EXPECTED[fault.kind] and fault.covers(one) for rule, one in fired)]
    return len(fired) - len(wrong), len(fired), len(faults) - len(missed), len(faults), wrong, missed


@pytest.mark.row(206, 207, 208, 223, 234)
@pytest.mark.parametrize("seed", [7, pytest.param(23, marks=pytest.mark.slow)])
def test_precision_and_recall_of_a_seeded_day(seed: int) -> None:
    right, all_fired, found, all_faults, wrong, missed = judge(seed)
    assert all_faults >= 12
    assert right / all_fired >= 0.9, (f"{right} of {all_fired} alerts are about a fault", wrong)
    assert found / all_faults >= 0.95, (f"{found} of {all_faults} faults were found", missed)
