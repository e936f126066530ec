"""`fleet-tui chaos`: the run in words, a line for each fault as it is over.

Owner: nobody; functions only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from engine.model.errors import EngineStartError
from fleet_tui import output
from fleet_tui.chaos.setups import Setup, Topology

if TYPE_CHECKING:
    from fleet_tui.chaos.recovery import Blow, Recovery
    from fleet_tui.chaos.run import Report

FAULT_WIDTH, TARGET_WIDTH = 18, 14


@dataclass(frozen=True, slots=True)
class Wish:
    """What runs are asked for."""

    seed: int
    """The first."""
    count: int
    """Of seeds."""
    rounds: int
    faults: Sequence[str]
    setup: Setup

    def again(self, seed: int) -> str:
        """Return the command that repeats one of them."""
        faults = "".join(f" --fault {name}" for name in self.faults)
        return f"again: fleet-tui chaos --seed {seed} --rounds {self.rounds} --topology {self.setup.topology} --durability {self.setup.durability}{faults}"


def chaos(wish: Wish, *, as_json: bool) -> int:
    """Break fleets, print how they did, and return the exit code. Raises UsageError, EngineStartError."""
    try:
        from fleet_tui.chaos.faults import FAULTS, faults_of
        from fleet_tui.chaos.recovery import recoveries
    except ImportError as error:
        raise EngineStartError("engines share a fleet through Redis, and its client is not installed: install `fleet-tui[redis]`") from error
    if "help" in wish.faults:
        output.print_lines(f"{name:{FAULT_WIDTH}} {(FAULTS[name].__doc__ or '').strip()}" for name in faults_of(wish.setup.topology))
        return 0
    report = _run(wish, _nothing if as_json else output.print_lines)
    report.recoveries = recoveries(report.blows)
    if as_json:
        output.print_json(asdict(report))
    elif len(report.blows) > len(report.recoveries):
        output.print_lines(["", f"{'FAULT':{FAULT_WIDTH}} TIMES   MEDIAN  LONGEST     GOAL", *map(_line, report.recoveries)])
    return 1 if report.broken else 0


def _run(wish: Wish, say: Callable[[Sequence[str]], object]) -> Report:
    """Run with each seed and say how it is. Raises UsageError, EngineStartError."""
    from fleet_tui.chaos.run import run_chaos

    total: Report | None = None
    for seed in range(wish.seed, wish.seed + wish.count):
        say([f"seed {seed}"] * (wish.count > 1) + [f"{'FAULT':{FAULT_WIDTH}} {'TARGET':{TARGET_WIDTH}} RECOVERED"])
        report = asyncio.run(run_chaos(seed, wish.faults, wish.rounds, lambda blow: say([_blow(blow)]), setup=wish.setup))
        say([*_told(report, wish.setup), *[wish.again(seed), *(f"what its programs wrote is kept in {folder}" for folder in report.kept)] * bool(report.broken)])
        report.broken = [f"seed {seed}: {what}" for what in report.broken]
        if total is None:
            total = report
        else:
            total.add(report)
    assert total is not None, "there is one seed at least"
    return total


def _nothing(_lines: Sequence[str]) -> None:
    """Say nothing."""


def _blow(blow: Blow) -> str:
    leads = "" if not blow.epochs else "another engine leads" if blow.epochs == 1 else f"{blow.epochs} other engines led"
    return f"{blow.fault:{FAULT_WIDTH}} {blow.target:{TARGET_WIDTH}} {blow.recovered_s:6.2f} s  {leads}".rstrip()


def _told(report: Report, setup: Setup) -> list[str]:
    """Return what became of the tasks."""
    lines = [f"{report.tasks:,} tasks were taken, {report.refused:,} refused, {report.unknown:,} not answered for"]
    when = "a region is lost before another one has all that it answered" if setup.topology is Topology.REGIONS else "who leads is cut off with the master"
    lines += [f'{report.lost:,} that were taken are lost, as durability = "async" may when {when}'] * bool(report.lost)
    nothing = "nothing else that was answered" if report.lost else "nothing that was answered"
    return lines + (report.broken or [f"{nothing} is lost or done twice; one engine led in each epoch; all have the same"])


def _line(one: Recovery) -> str:
    goal = "" if one.goal_s is None else f"{one.goal_s:7.2f} s" + " missed" * (not one.is_kept)
    return f"{one.fault:{FAULT_WIDTH}} {one.times:5} {one.median_s:6.2f} s {one.longest_s:6.2f} s{goal}".rstrip()
