"""Engines with a booster, for tests: asked, waited for, and given deliberately bad modules."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from engine import FleetManager
from engine.model.task_commands import SubmitTask
from engine.model.tasks import FINISHED, Task

from tests.integration.booster_modules import assemble

WAIT_S = 60.0
POOLS = {"coder": {"min": 1, "max": 4}}
NOTHING_KEPT: dict[str, Any] = {"cache": 0}
TROUBLE = {
    "code.outline": (2, []),  # unreachable
    "code.metrics": (3, []),  # endless
    "code.find_references": (4, ["name"]),  # eats memory
    "code.rename": (5, ["attributes", "name", "to"]),  # calls itself
    "code.remove_calls": (7, ["function"]),  # answers garbage
}
SOURCE = "def name(a):\n    print(a)\n    return a\n"
ARGUMENTS: dict[str, dict[str, object]] = {
    "code.outline": {},
    "code.metrics": {},
    "code.find_references": {"name": "a"},
    "code.rename": {"name": "a", "to": "other"},
    "code.remove_calls": {"function": "print"},
}


class Boosted:
    """An engine with a booster, and ways to ask it."""

    def __init__(self, fleet: FleetManager) -> None:
        self.fleet = fleet
        self.operator = fleet.operator()

    @property
    def tasks(self) -> dict[Any, Task]:
        return self.fleet.coordinator.state.tasks  # type: ignore[return-value]

    async def submit(self, type_: str, payload: dict[str, object], **options: Any) -> str:
        [task] = (await self.operator.execute([SubmitTask(type_, payload=payload, **options)])).values
        return str(task)

    async def ended(self, *tasks: str) -> list[Task]:
        async with asyncio.timeout(WAIT_S):
            while not all(self.tasks[task].state in FINISHED for task in tasks):
                await asyncio.sleep(0.005)
        return [self.tasks[task] for task in tasks]

    async def do(self, type_: str, payload: dict[str, object], **options: Any) -> Task:
        return (await self.ended(await self.submit(type_, payload, **options)))[0]

    async def until(self, condition: Any) -> None:
        async with asyncio.timeout(WAIT_S):
            while not condition():
                await asyncio.sleep(0.01)

    async def row(self) -> dict[str, Any]:
        [row] = await self.operator.query("boosters")  # type: ignore[misc]
        return row

    def result_of(self, task: Task) -> dict[str, object]:
        """The whole result of a task that is small enough to stay with it."""
        assert not task.artifact
        return task.result

    def check(self) -> None:
        self.fleet.coordinator.check()


@asynccontextmanager
async def boosted(tmp_path: Path, module: bytes | None = None, booster: dict[str, Any] | None = None, **config: Any) -> AsyncIterator[Boosted]:
    path = None
    if module is not None:
        path = tmp_path / "module.wasm"
        path.write_bytes(module)
    (tmp_path / "state").mkdir(exist_ok=True)
    given = {"fleet": {"default_pools": POOLS, "heartbeat_interval_s": 0.1}, "booster": {"sampleShare": 0, **(booster or {"poolSize": 2})}, **config}
    async with FleetManager(given, state_dir=tmp_path / "state", booster_module=path) as fleet:
        engine = Boosted(fleet)
        yield engine
        engine.check()


def bad_module() -> bytes:
    rows = [
        {"code": number, "name": name, "edits": False, "languages": ["python"], "arguments": arguments}
        for name, (number, arguments) in TROUBLE.items()
    ]
    told = {"abi": 1, "name": "trouble", "version": "1", "encoding": "json", "operations": rows}
    return assemble(description=json.dumps(told).encode())


def without_maker(result: dict[str, object]) -> dict[str, object]:
    provenance = result.get("provenance")
    return {**result, "provenance": {**provenance, "engine": ""}} if isinstance(provenance, dict) else result
