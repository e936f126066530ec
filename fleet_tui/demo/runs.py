"""The two ways to run the demo: once with a report, or without end under a console.

Owner: nobody; a run owns its planner.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import math
from pathlib import Path

from engine.clock import Clock
from engine.model.errors import FleetError, UsageError
from engine.operations import Operator
from fleet_tui.demo.comparison import compare
from fleet_tui.demo.discovery import discover
from fleet_tui.demo.planner import Planner, Shape, Tell
from fleet_tui.demo.report import DemoReport, engine_counts, findings_of, sum_counts, task_counts
from fleet_tui.demo.reviews import Reviews

logger = logging.getLogger(__name__)

BUSY = Shape(files=(30, 150, 10, 90, 200, 20), steps=(40, 160, 20, 240), low_water=6)
"""Under a console the pools run nearly dry between bursts, so that there is a tide to see."""
VOTES = 12
"""Most edits of a run with a report that are put to the vote."""
VOTES_OF_ROUND = 3
"""The same of a round under a console, where rounds have no end."""
PAUSES_S = (4.0, 12.0, 2.0, 8.0)
"""Between two rounds, in turn."""
REFUSED_PAUSE_S = 15.0
"""After a round that the engine would not have."""


async def run_demo(  # noqa: PLR0913  # the options of the command, by name
    operator: Operator,
    root: str | Path | None,
    *,
    clock: Clock,
    seconds: float | None = None,
    rounds: int = 1,
    on_progress: Tell | None = None,
) -> DemoReport:
    """Work through a code base (None = the standard library) and report; a second run goes on where one was left.

    After `seconds` nothing more is begun. Raises UsageError when there is nothing to work on, EngineUnavailable
    when the engine falls silent, CommandRefused when it refuses the work. Cancelling it leaves tasks in the engine.
    """
    if rounds < 1:
        raise UsageError(f"rounds is {rounds}, the least is 1")
    started_at = clock.now()
    stop_at = math.inf if seconds is None else started_at + seconds
    code_base = await asyncio.to_thread(discover, root)
    planners: list[Planner] = []
    for number in range(1, rounds + 1):
        planner = Planner(operator, code_base, f"round {number}", clock=clock)
        planners.append(planner)
        await planner.run(stop_at, on_progress)
        if planner.is_stopped:
            break
    last = planners[-1]
    verdicts = () if last.is_stopped else await Reviews(operator, clock=clock).vote(last.findings.edits, VOTES, stop_at)
    counts = [task_counts(planner.findings, planner.unfinished) for planner in planners]
    seconds = clock.now() - started_at
    compared = None if last.is_stopped or clock.now() >= stop_at else await compare(operator, code_base, clock=clock)
    return DemoReport(
        **findings_of(last.findings, code_base, verdicts),
        seconds=seconds,
        stopped=last.is_stopped,
        agents_peak=max(planner.agents_peak for planner in planners),
        tasks=sum_counts(counts),
        engine=engine_counts(planners[0].statuses[0], last.statuses[-1]),
        comparison=compared,
        verdicts=verdicts,
    )


async def keep_busy(operator: Operator, root: str | Path | None, *, clock: Clock) -> None:
    """Work through a code base again and again, with pauses, until cancelled. Raises UsageError when there is none.

    What goes wrong later (the engine refuses, the folder is gone) is logged, and tried again after a pause.
    """
    code_base = await asyncio.to_thread(discover, root)
    reviews = Reviews(operator, clock=clock)
    for number in itertools.count():
        planner = Planner(operator, code_base, f"round {number + 1} of {clock.now():.0f}", clock=clock, shape=BUSY)
        pause = PAUSES_S[number % len(PAUSES_S)]
        try:
            await planner.run()
            counts = task_counts(planner.findings, planner.unfinished)
            logger.info("demo round ended", extra={"round": number + 1, "tasks": counts.submitted, "failed": counts.failed})
            await reviews.vote(planner.findings.edits, VOTES_OF_ROUND)
            code_base = await asyncio.to_thread(discover, root)
        except FleetError as error:
            logger.warning("demo round broken off", extra={"round": number + 1, "reason": str(error)})
            pause = REFUSED_PAUSE_S
        await clock.sleep(pause)
