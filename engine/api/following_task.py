"""What the faces that hand a task over and wait for it share: the wait for its state, and its result in full.

Owner: nobody; functions only. A wait goes on until it is cancelled; the task does not mind.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from engine.clock import Clock
from engine.model import wire
from engine.operations import Operator

PAUSE_FIRST_S, PAUSE_LONGEST_S = 0.02, 0.5


async def wait_task(operator: Operator, clock: Clock, id_: str, is_enough: Callable[[Mapping[str, Any]], bool]) -> dict[str, Any]:
    """Return a task as plain values once it is as wanted; looked at ever less often. Raises FleetError."""
    pause = PAUSE_FIRST_S
    while not is_enough(task := await find_task(operator, id_)):
        await clock.sleep(pause)
        pause = min(pause * 1.5, PAUSE_LONGEST_S)
    return task


async def find_task(operator: Operator, id_: str) -> dict[str, Any]:
    """Return a task in full as plain values. Raises NotFound."""
    task = wire.to_plain(await operator.query("task", id=id_))
    assert isinstance(task, dict)
    return task


async def full_result(operator: Operator, task: Mapping[str, Any]) -> object:
    """Return a task's result as plain values, also one that is kept as an artifact. Raises FleetError."""
    if not task["artifact"]:
        return task["result"]
    stored = wire.to_plain(await operator.query("artifact", id=task["artifact"]))
    assert isinstance(stored, dict)
    return stored["data"]
