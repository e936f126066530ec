"""`fleet-tui chaos`: the run in words, a line for each fault as it is over.

Owner: nobody; functions only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import asdict

from engine.model.errors import EngineStartError
from fleet_tui import output
from fleet_tui.chaos.setups import Setup

FAULT_WIDTH, TARGET_WIDTH = 18, 14


def chaos(seed: int, names: Sequence[str], rounds: int, setup: Setup, *, as_json: bool) -> int:
    """Break a fleet, print how it did, and return the exit code. Raises UsageError, EngineStartError."""
    try:
        from fleet_tui.chaos.faults import FAULTS, faults_of
        from fleet_tui.chaos.run import Blow, Report, run_chaos
    except ImportError as error:
        raise EngineStartError("engines share a fleet through Redis, and its client is not installed: install `fleet-tui[redis]`") from error
    if "help" in names:
        output.print_lines(f"{name:{FAULT_WIDTH}} {(FAULTS[name].__doc__ or '').strip()}" for name in faults_of(setup.topology))
        return 0

    def tell(blow: Blow) -> None:
        if not as_json:
            leads = "" if not blow.epochs else "another engine leads" if blow.epochs == 1 else f"{blow.epochs} other engines led"
            output.print_lines([f"{blow.fault:{FAULT_WIDTH}} {blow.target:{TARGET_WIDTH}} {blow.recovered_s:6.2f} s  {leads}".rstrip()])

    def say(report: Report) -> None:
        output.print_lines([f"{report.tasks:,} tasks were taken, {report.refused:,} refused, {report.unknown:,} not answered for"])
        if report.lost:
            output.print_lines([f"{report.lost:,} that were taken are lost, as durability = \"async\" may when who leads is cut off with the master"])
        nothing = "nothing else that was answered" if report.lost else "nothing that was answered"
        output.print_lines(report.broken or [f"{nothing} is lost or done twice; one engine led in each epoch; all have the same"])
        if report.broken:
            faults = "".join(f" --fault {name}" for name in names)
            output.print_lines([f"again: fleet-tui chaos --seed {seed} --rounds {rounds} --topology {setup.topology} --durability {setup.durability}{faults}"])

    if not as_json:
        output.print_lines([f"{'FAULT':{FAULT_WIDTH}} {'TARGET':{TARGET_WIDTH}} RECOVERED"])
    report = asyncio.run(run_chaos(seed, names, rounds, tell, setup=setup))
    if as_json:
        output.print_json(asdict(report))
    else:
        say(report)
    return 1 if report.broken else 0
