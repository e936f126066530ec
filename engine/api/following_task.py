"""What the faces that hand a task over and wait for it share: the wait for its state or an answer, and its result in full.

Owner: nobody. A wait goes on until it is cancelled, or the engine stops; the task does not mind.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from engine.clock import Clock
from engine.model import wire
from engine.model.errors import CommandRefused, EngineUnavailable
from engine.operations import Operator

PAUSE_FIRST_S, PAUSE_LONGEST_S = 0.02, 0.5


@dataclass(frozen=True, slots=True)
class Waiting:
    """How one waits for tasks: by a clock, until an engine stops."""

    clock: Clock
    is_stopping: Callable[[], bool] = lambda: False

    async def task(self, operator: Operator, id_: str, is_enough: Callable[[Mapping[str, Any]], bool]) -> dict[str, Any]:
        """Return a task as plain values once it is as wanted; looked at ever less often. Raises FleetError, EngineUnavailable when the engine stops."""
        pause = PAUSE_FIRST_S
        while not is_enough(task := await find_task(operator, id_)):
            await self.clock.sleep(pause)
            if self.is_stopping():
                raise EngineUnavailable(f"the engine stops; {id_} is {task['state']}, ask for it again when an engine runs")
            pause = min(pause * 1.5, PAUSE_LONGEST_S)
        return task

    async def answer(self, operator: Operator, task: str, question: str) -> dict[str, Any]:
        """Return the answer to a question that a program asked: question, decision, text, by. Raises CommandRefused when its attempt ends first."""
        found = await self.task(operator, task, lambda task: question in task["told"] or question not in task["questions"])
        if question not in found["told"]:
            raise CommandRefused(f"{question} is answered no more: the attempt that asked it is over")
        told = found["told"][question]
        return {"question": question, **told["reply"], "by": told["by"]}


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
