"""What the benchmarks of the booster share: a core of its own, ratios and their story, batches, two processes against one."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import cycle
from multiprocessing import get_context
from typing import Any

from engine.booster.module import find_module
from engine.booster.records import BOTH_TIERS, File, Tier
from engine.booster.sandbox import Machine, Sandbox

from tests.bench.engines import median

Report = Callable[..., None]
TIERS = {"tokens": Tier.LEXICAL, "tree": Tier.TREE, "both": BOTH_TIERS}
RUNS = 5
BATCH_BYTES = 128 * 1024
SECONDS = 1.0


@dataclass
class Tally:
    """One operation by one way of the module, against the regular agent."""

    ratios: list[float] = field(default_factory=list)
    agent_s: float = 0.0
    module_s: float = 0.0
    size: int = 0
    unsure: int = 0
    different: int = 0

    @property
    def note(self) -> str:
        if not self.ratios:
            return f"no answer to compare; {self.unsure} unsure, {self.different} different"
        equal = len(self.ratios)
        rates = f"agent {self.size / self.agent_s / 1e6:.2f} MB/s, {equal / self.agent_s:,.0f} files/s, module {self.size / self.module_s / 1e6:.1f} MB/s, {equal / self.module_s:,.0f} files/s"
        return f"{min(self.ratios):.0f} to {max(self.ratios):.0f}; {rates}; {equal} equal, {self.unsure} unsure, {self.different} different"


@contextmanager
def one_core() -> Iterator[None]:
    """Keep this process and its threads to one core, where the system can."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def time_core(runs: int, work: Callable[..., Any], *arguments: object, **more: object) -> tuple[Any, float]:
    """Give the answer, and the median of the seconds of a core: others on the machine slow long work more than short."""
    times = []
    for _ in range(runs):
        began = time.process_time()
        answer = work(*arguments, **more)
        times.append(time.process_time() - began)
    return answer, median(times)


def count(tally: Tally, found: object, said: object, agent_s: float, module_s: float, size: int) -> None:
    """Put one answer of the module, and what both took, to the others."""
    if found is None:
        tally.unsure += 1
    elif found != said:
        tally.different += 1
    else:
        tally.ratios.append(agent_s / module_s)
        tally.agent_s += agent_s
        tally.module_s += module_s
        tally.size += size


def batch_files(files: Sequence[File]) -> list[list[File]]:
    """Put files together up to `BATCH_BYTES`."""
    batches: list[list[File]] = [[]]
    size = 0
    for file in files:
        if size > BATCH_BYTES:
            batches.append([])
            size = 0
        batches[-1].append(file)
        size += len(file.data)
    return batches


def parse_each(parse: Callable[[bytes], object], batch: Sequence[File]) -> None:
    """Parse the files of a batch one by one."""
    for file in batch:
        parse(file.data)


def measure_pool(report: Report, row: str, batches: Sequence[Sequence[File]]) -> None:
    """Two processes with an instance each against one, as the fleet's pool has them: the same batches, each at its own pace."""
    if (os.cpu_count() or 1) < 2:
        return
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        list(pool.map(outline_for, [batches] * 4, [0.0] * 4))  # both are there, and have compiled
        ratios, alone, limits = [], [], []
        for _ in range(RUNS):
            limits.append(sum(pool.map(count_for, [SECONDS] * 2)) / pool.submit(count_for, SECONDS).result())
            alone.append(pool.submit(outline_for, batches, SECONDS).result())
            ratios.append(sum(pool.map(outline_for, [batches] * 2, [SECONDS] * 2)) / alone[-1])
    note = f"files/s of two processes / of one ({median(alone):,.0f}), outlines in batches by tokens, answers read"
    report(row, median(ratios), RUNS, f"{note}; two processes that only count do {median(limits):.2f} here")


def rate_pool(batches: Sequence[Sequence[File]]) -> float:
    """Give the files a second of a pool of two processes."""
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        list(pool.map(outline_for, [batches] * 4, [0.0] * 4))
        return median([sum(pool.map(outline_for, [batches] * 2, [SECONDS] * 2)) for _ in range(RUNS)])


def count_for(seconds: float) -> float:
    """Count for some seconds; return how far a second: what a core gives, with nothing shared."""
    count, began = 0, time.perf_counter()
    while (passed := time.perf_counter() - began) < seconds:
        for _ in range(10_000):
            count += 1
    return count / passed


def outline_for(batches: Sequence[Sequence[File]], seconds: float) -> float:
    """Give the files a second of this process."""
    with Machine() as machine, Sandbox(machine.load(find_module())) as sandbox:
        count, began = 0, time.perf_counter()
        for batch in cycle(batches):
            count += sum(answer.value is not None for answer in sandbox.run("code.outline", batch))
            if time.perf_counter() - began >= seconds:
                break
        return count / (time.perf_counter() - began)
