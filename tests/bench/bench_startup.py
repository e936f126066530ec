"""Start-up: from exec of `fleet-tui` to the first frame that shows the fleet, with an engine running; and of --help.

The first useful frame says LIVE and shows every pool with its agents, at 120x40. The engine has 1,000 agents.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from tests.bench.engines import median
from tests.bench.terminals import ENVIRONMENT, Stopwatch, console, program, running_engine

if TYPE_CHECKING:
    from tests.integration.engines import EngineProcess
    from tests.ui.pty_screen import PtyScreen

ROWS = {"startup.first_useful_frame_ms": "ms", "startup.cli_help_ms": "ms"}
AGENTS = 1_000
FRAME_RUNS = 9
HELP_RUNS = 11
# Together with the minimum of the other fourteen pools: 1,000.
CONFIG = "[fleet]\nmaxAgents = 2000\n[pools.coder]\nmin = 700\nmax = 900\n[pools.tester]\nmin = 282\nmax = 400\n"


def measure(report: Callable[..., None]) -> None:
    """Measure and report."""
    helps = [_help_ms() for _ in range(HELP_RUNS + 1)][1:]
    report("startup.cli_help_ms", median(helps), HELP_RUNS, f"whole process, {_spread(helps)}")
    from tests.integration.engines import until

    with running_engine(CONFIG) as subject:
        until(lambda: subject.get("status")["agents"]["by_status"].get("idle") == AGENTS)
        frames = [_frame_ms(subject) for _ in range(FRAME_RUNS + 1)][1:]
    report("startup.first_useful_frame_ms", median(frames), FRAME_RUNS, f"engine running, {AGENTS:,} agents, 120x40, {_spread(frames)}")


def _help_ms() -> float:
    began = time.perf_counter()
    subprocess.run([*program(), "--help"], check=True, stdout=subprocess.DEVNULL, env=os.environ | ENVIRONMENT)
    return 1e3 * (time.perf_counter() - began)


def _frame_ms(subject: EngineProcess) -> float:
    began = time.perf_counter()
    with console(subject) as screen:
        return 1e3 * (Stopwatch(screen).wait(_is_useful) - began)


def _is_useful(screen: PtyScreen) -> bool:
    text = screen.text
    return "LIVE" in text and "700/700" in text and "282/282" in text and "coordinator" in text


def _spread(values: list[float]) -> str:
    return f"{min(values):.0f} to {max(values):.0f}"
