"""The program of one plug-in: `python -m engine.plugins.process FILE`. It says what the plug-in adds, then reads its metrics when asked.

A process of its own, so that a plug-in that hangs, ends its process or takes all memory harms nobody else. Requests and
replies are lines of JSON on standard input and output. When the engine is gone, so is this program, at once.
"""

from __future__ import annotations

import asyncio
import json
import os
import queue
import signal
import sys
import threading
from collections.abc import Mapping
from math import isfinite
from pathlib import Path
from typing import Any, TextIO

from engine.plugins.api import Gauge, Plugin, PluginContext
from engine.plugins.loading import Loaded, LoadError, Start, load, reason_of


def take_output() -> TextIO:
    """Return where replies go; whatever the plug-in prints must not get between them, and goes to standard error."""
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return replies


def main(file: str) -> None:
    """Serve until the input ends."""
    replies = take_output()
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(lines,), daemon=True).start()
    start = Start.read(Path(file))
    _say(replies, {"started": True})
    try:
        loaded = load(start.name)
        _try_agent(loaded.agent, start.context())
    except LoadError as error:
        _say(replies, {"error": str(error)})
        return
    _say(replies, loaded.description())
    while True:
        _say(replies, answer(loaded, json.loads(lines.get())))


def _say(replies: TextIO, message: Mapping[str, object]) -> None:
    print(json.dumps(message), file=replies, flush=True)  # noqa: T201  # a pipe


def _read(lines: queue.SimpleQueue[str]) -> None:
    """Pass requests on; at the end of the input end everything, in the middle of the plug-in's code too."""
    for line in sys.stdin:
        lines.put(line)
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(0)


def _try_agent(agent: Plugin | None, context: PluginContext) -> None:
    """See that the agent gets ready and cleans up, before pools are given to it. Raises LoadError."""
    if agent is None:
        return

    async def both() -> None:
        await agent.initialize(context)
        await agent.cleanup()

    try:
        asyncio.run(both())
    except BaseException as error:  # noqa: BLE001  # somebody else's code, and SystemExit of it, too
        raise LoadError(f"its agent does not start: {reason_of(error)}") from error


def answer(loaded: Loaded, pools: Mapping[str, Mapping[str, float | None]]) -> dict[str, object]:
    """Return the values of all metrics by name and pool, and what went wrong with each that gave none."""
    values: dict[str, dict[str, float]] = {}
    errors: dict[str, str] = {}
    for name, gauge in loaded.metrics.items():
        try:
            values[name] = _figures(gauge, pools)
        except Exception as error:  # noqa: BLE001  # somebody else's code
            errors[name] = reason_of(error)
    return {"values": values, "errors": errors}


def _figures(gauge: Gauge, pools: Mapping[str, Mapping[str, float | None]]) -> dict[str, float]:
    found: Any = gauge(pools)
    if not isinstance(found, Mapping):
        raise TypeError(f"it returned {type(found).__name__}, not values by pool")
    return {pool: float(value) for pool, value in found.items() if pool in pools and isfinite(value)}


if __name__ == "__main__":
    main(sys.argv[1])
