"""Agents that are command lines of others: how long Claude Code and Codex take for a task against the mock model, and what the
engine adds.

A bare run is the command line alone, from its start to its end; a run of the engine is from handing over the task to its durable
result, with leases, ledger, log and the reading of what was printed. Both take turns, so that they meet the same machine; the
overhead is the difference of the lower quartiles, in which other work of the machine is least. Programs of 0.3 s vary by more
than the engine adds, so `echo` is measured, too.
"""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from engine import FleetManager
from engine.agents.processes.spec import ProcessSpec, build_environment
from engine.clock import SystemClock
from engine.model.task_commands import SubmitTask
from fleet_tui.bench import Goal
from fleet_tui.mock_model.server import MockModel

from tests.bench.engines import median, percentile
from tests.integration.real_agents import commands_of
from tests.tools.agent_programs import find_agents
from tests.tools.programs import Missing

ROWS = {
    "agents.claude_cold_ms": "ms",
    "agents.codex_cold_ms": "ms",
    "agents.claude_overhead_ms": "ms",
    "agents.codex_overhead_ms": "ms",
    "agents.echo_overhead_ms": "ms",
}
GOALS = {"agents.echo_overhead_ms": Goal(10, is_most=True)}
RUNS = 15
ECHO_RUNS = 200
PROMPT = "say something"
WAIT_S = 120
SAID = json.dumps({"type": "result", "subtype": "success", "is_error": False, "result": "done", "session_id": "s", "total_cost_usd": 0.01, "usage": {}})


def measure(report: Callable[..., None]) -> None:
    """Measure and report. Without both programs only `echo` is measured."""
    asyncio.run(_measure(report))


async def _measure(report: Callable[..., None]) -> None:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        async with MockModel(clock=SystemClock()) as model:
            commands: dict[str, Mapping[str, Any]] = {"echo": {"argv": ["/bin/echo", SAID], "output": "claude"}}
            try:
                commands |= commands_of(find_agents(), model.url, Path(name) / "home")
            except Missing as missing:
                print(f"no Claude Code and Codex: {missing}")  # noqa: T201  # said beside the figures
            pools = {pool: {"kind": "command", "min": 1, "max": 1, "command": command} for pool, command in commands.items()}
            async with FleetManager({"fleet": {"default_pools": pools}, "booster": {"enabled": False}}) as fleet:
                for pool, command in commands.items():
                    await _compare(report, fleet, pool, (command, Path(name)))


async def _compare(report: Callable[..., None], fleet: FleetManager, pool: str, program: tuple[Mapping[str, Any], Path]) -> None:
    runs = ECHO_RUNS if pool == "echo" else RUNS
    bare, through = [], []
    for number in range(runs + 2):
        times = await _run_bare(*program), await _run_through(fleet, pool, program[1])
        if number >= 2:  # the first ones fill the caches of the disk
            bare.append(times[0])
            through.append(times[1])
    alone, with_engine = percentile(bare, 0.25), percentile(through, 0.25)
    if pool != "echo":
        report(f"agents.{pool}_cold_ms", 1e3 * median(bare), runs, "one turn, process start to end, against the mock model")
    report(f"agents.{pool}_overhead_ms", 1e3 * (with_engine - alone), runs, f"beside {1e3 * alone:.1f} ms alone")


async def _run_bare(command: Mapping[str, Any], folder: Path) -> float:
    argv = tuple(word.replace("{prompt}", PROMPT) for word in command["argv"])
    environment = build_environment(ProcessSpec(argv, folder, env=command.get("env", {})), os.environ)
    began = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        *argv, cwd=folder, env=environment, start_new_session=True,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    await process.communicate()
    if process.returncode:
        raise RuntimeError(f"{argv[0]} ended with {process.returncode}")
    return time.perf_counter() - began


async def _run_through(fleet: FleetManager, pool: str, folder: Path) -> float:
    known = set(fleet.coordinator.state.tasks)
    began = time.perf_counter()
    await fleet.operator().execute([SubmitTask("ask", pool, prompt=PROMPT, workspace=str(folder), max_attempts=1)])
    (new,) = set(fleet.coordinator.state.tasks) - known
    task = fleet.coordinator.state.tasks[new]
    async with asyncio.timeout(WAIT_S):
        while not task.finished_at:
            await asyncio.sleep(0.0005)
    took = time.perf_counter() - began
    if task.error is not None:
        raise RuntimeError(f"{pool}: {task.error.message}")
    return took
