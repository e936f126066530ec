"""What a console writes at 120x40 while hundreds of alerts fire at once and the value of each changes at every look."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from engine.api.client import Caller, connect
from engine.clock import SystemClock
from engine.model.task_commands import SubmitTask
from fleet_tui.bench import Goal

from tests.bench.bench_frames import go_to
from tests.bench.terminals import console, running_engine

if TYPE_CHECKING:
    from tests.integration.engines import EngineProcess

ROWS = {f"alerts.{view}_bytes_per_s": "B/s" for view in ("table", "inbox", "pulse", "trickle")}
GOALS = {name: Goal(6_500 if "pulse" in name else 1_500, is_most=True) for name in ROWS}
"""As for any table that changes, and for the pulse with its charts."""
POOLS, RULES = 60, 10
CONFIG = "[fleet]\ndefault_pools = {}\n" + "".join(f"[pools.pool-{number}]\nmin = 0\nmax = 1\n" for number in range(POOLS)) + "".join(
    f'[[alerting.rules]]\nid = "waits-{number}"\nexpr = "oldest_waiting_s > {number}"\nseverity = "{"critical" if number % 2 else "warning"}"\nsummary = "tasks of {{pool}} wait"\n' for number in range(RULES)
)
COUNT_S = 10.0
SETTLE_S = 2.0
MINUTE_S = 60


def measure(report: Callable[..., None]) -> None:
    """Measure and report."""
    from tests.integration.engines import until

    with running_engine(CONFIG) as subject:
        until(lambda: len(subject.get("pools")) == POOLS, 60)
        asyncio.run(_submit(subject))
        until(lambda: sum(row["state"] == "firing" for row in subject.get("alerts", "--limit", "1000")) == POOLS * RULES, 2 * MINUTE_S)
        with console(subject) as screen:
            screen.wait_text("LIVE")
            for name, view in (("table", "alerts"), ("inbox", "inbox"), ("pulse", "pulse")):
                go_to(screen, view, view.capitalize())
                screen.count_bytes(SETTLE_S)
                report(f"alerts.{name}_bytes_per_s", screen.count_bytes(COUNT_S) / COUNT_S, 1, f"{POOLS * RULES} alerts fire, the value of each changes at every look")
            go_to(screen, "alerts", "Alerts")
            screen.send(b"/pool=pool-7\r")
            screen.count_bytes(SETTLE_S)
            report("alerts.trickle_bytes_per_s", screen.count_bytes(COUNT_S) / COUNT_S, 1, f"the same, filtered to {RULES} alerts")


async def _submit(subject: EngineProcess) -> None:
    """Have a task wait in each pool: none has an agent."""
    from fleet_tui.settings import find_paths

    socket = find_paths(subject.directory, environment=subject.environment).socket
    async with connect(socket, clock=SystemClock(), caller=Caller("api", "0", "")) as operator:
        await operator.execute([SubmitTask("noop", f"pool-{number}") for number in range(POOLS)])
