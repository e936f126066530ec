"""`fleet-tui mock-model`: the model in this process until it is told to end.

Owner: of the process's signals while it runs.
"""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import nullcontext
from pathlib import Path

import msgspec

from engine.clock import SystemClock
from fleet_tui import output
from fleet_tui.mock_model.request_log import RequestLog
from fleet_tui.mock_model.script import ECHO, load_script
from fleet_tui.mock_model.server import MockModel


def run_model(script: Path | None, port: int, log: Path | None, *, with_bodies: bool) -> None:
    """Serve until SIGTERM or Ctrl-C; one line of JSON says where. Raises UsageError."""
    turns = load_script(script) if script else ECHO
    with RequestLog(log, with_bodies=with_bodies) if log else nullcontext() as kept:
        asyncio.run(_serve(MockModel(turns, clock=SystemClock(), port=port, log=kept)))


async def _serve(model: MockModel) -> None:
    loop = asyncio.get_running_loop()
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    async with model:
        output.print_lines([msgspec.json.encode({"url": model.url, "pid": os.getpid()}).decode()])
        await told.wait()
