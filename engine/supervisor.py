"""Keeps a part running that the fleet can do without for a moment: logs its crash, waits, starts it again."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Awaitable, Callable

from engine.clock import Clock

logger = logging.getLogger(__name__)

RESTARTS_MAX = 5
"""Crashes within RESTART_WINDOW_S after which the crash is passed on and stops the engine."""
RESTART_WINDOW_S = 60.0
BACK_OFF_FIRST_S = 0.1


async def keep_running(name: str, run: Callable[[], Awaitable[None]], clock: Clock) -> None:
    """Run a part until it returns or is cancelled, again after each crash; raises after RESTARTS_MAX in a minute."""
    crashes: list[float] = []
    while True:
        try:
            await run()
            return
        except Exception:
            now = clock.now()
            crashes = [at for at in crashes if now - at < RESTART_WINDOW_S] + [now]
            logger.exception("part crashed", extra={"part": name, "crashes": len(crashes)})
            if len(crashes) >= RESTARTS_MAX:
                raise
        raise_if_cancelled()
        await clock.sleep(BACK_OFF_FIRST_S * 2 ** len(crashes))


def raise_if_cancelled() -> None:
    """Raise CancelledError in a task that was cancelled and goes on; called where errors of a TaskGroup were handled.

    Before Python 3.13 a group whose task is cancelled while a part of it fails raises the part's error alone.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


async def call_listener(name: str, call: Callable[[], Awaitable[None] | None]) -> None:
    """Call somebody else's code; what it raises is logged and goes no further."""
    try:
        waiting = call()
        if waiting is not None:
            await waiting
    except Exception:
        logger.exception("listener failed", extra={"listener": name})


def calm_collector() -> None:
    """Collect garbage less often, and never again what start-up made: for a process that is an engine and nothing else.

    The fleet's records live long and hold no cycles; with the default thresholds a burst of tasks spends a fifth of the
    loop's time on looking through them.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
    gc.enable()
