"""How long a halt takes until no process of an agent runs: 50 sessions at work, half of which end their task when they are told,
half of which listen to nothing, not even to TERM; their pools would give them ten minutes.

From asking for the halt to the end of the last process, by what the kernel says of it.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
from engine import FleetManager
from engine.model.fleet_commands import HaltFleet
from engine.model.task_commands import SubmitTask
from fleet_tui.bench import Goal

from tests.bench.engines import median

ROWS = {"agents.freeze_s": "s"}
GOALS = {"agents.freeze_s": Goal(1, is_most=True)}
SESSIONS = 50
RUNS = 5
WAIT_S = 120
HELLO = json.dumps({"type": "hello", "protocol": 1, "name": "sleeper"})
DEAF = f"trap '' TERM; echo '{HELLO}'; while read -r line; do echo $$ >> \"$PIDS\"; while :; do sleep 600; done; done"
POLITE = f"echo '{HELLO}'; while read -r line; do case $line in *'\"cancel\"'*) exit 0;; *'\"task\"'*) echo $$ >> \"$PIDS\";; esac; done"


def measure(report: Callable[..., None]) -> None:
    """Measure and report."""
    times = [asyncio.run(freeze()) for _ in range(RUNS)]
    report("agents.freeze_s", median(times), RUNS, f"{SESSIONS} sessions, half of them deaf; slowest {max(times):.2f} s")


async def freeze(sessions: int = SESSIONS) -> float:
    """Return how long a halt took, in seconds, until no process of so many sessions was left."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        told = Path(name) / "pids"
        half = sessions // 2
        pools = {pool: _pool(script, half, told) for pool, script in (("deaf", DEAF), ("polite", POLITE))}
        async with FleetManager({"fleet": {"default_pools": pools, "session_starts_per_s": 0}, "booster": {"enabled": False}}) as fleet:
            operator = fleet.operator()
            for pool in pools:
                await operator.execute([SubmitTask("work", pool)] * half)
            pids = await _until(lambda: found if len(found := _told(told)) == 2 * half else None)
            began = time.perf_counter()
            await operator.execute([HaltFleet("agents")], confirm="agents")
            await _until(lambda: not any(map(_runs, pids)) or None)
            return time.perf_counter() - began


def _pool(script: str, size: int, told: Path) -> dict[str, Any]:
    return {"kind": "session", "min": size, "max": size, "session": {"argv": ["sh", "-c", script], "grace_s": 600, "env": {"PIDS": str(told)}}}


def _told(told: Path) -> list[int]:
    return [int(line) for line in told.read_text().split()] if told.exists() else []


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def _until(find: Callable[[], Any]) -> Any:  # noqa: ANN401  # what is found
    async with asyncio.timeout(WAIT_S):
        while (found := find()) is None:  # noqa: ASYNC110  # processes tell nobody
            await asyncio.sleep(0.01)
    return found
