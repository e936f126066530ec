"""What a booster on hosts that joined is asked in tests: to edit a real file, to do what an operator's module offers, and to hold a call while its host dies."""

from __future__ import annotations

import asyncio
import inspect
import textwrap
from pathlib import Path
from typing import Any

from engine import FleetManager
from engine.model.booster_commands import AddModule
from engine.model.ids import TaskId
from engine.model.task_commands import CancelTask, SubmitTask
from engine.model.tasks import Task, TaskState

from tests.integration.joined_workers import WorkerProcess, until
from tests.integration.user_modules import fickle

SETTINGS: dict[str, Any] = {"hosts": "joined", "poolSize": 1, "sampleShare": 0, "memoryLimit": 64, "task_timeout_s": 600}
POOL = "booster"


def modules_of(where: WorkerProcess) -> list[Path]:
    """Return what a host has kept of modules, in its worker's state directory."""
    return list((where.root / "state").rglob("booster/modules/*.wasm"))


async def submitted(one: FleetManager, type_: str, payload: dict[str, object], **more: Any) -> Task:
    [id_] = (await one.operator().execute([SubmitTask(type_, POOL, payload=payload, **more)])).values
    return one.coordinator.state.tasks[TaskId(str(id_))]


async def edits_and_counts(one: FleetManager, root: Path, where: WorkerProcess) -> None:
    """Have it edit a file of its host, and do what a module offers that it has not got yet; see what is told of both."""
    real = where.directory / "real.py"
    real.write_bytes(inspect.getsource(textwrap).encode())
    edit = await submitted(one, "code.rename", {"path": "real.py", "name": "dedent", "to": "unindent"}, workspace=str(where.directory), apply=True)
    await until(lambda: edit.finished_at)
    assert (edit.state, edit.spec.pool, edit.machine) == (TaskState.SUCCEEDED, POOL, where.name), edit.error
    assert "def unindent(" in real.read_text("utf-8")
    wasm = fickle("user.count")
    (root / "mine.wasm").write_bytes(wasm)
    await one.operator().execute([AddModule("mine", str(root / "mine.wasm"))])
    counts = await submitted(one, "user.count", {"source": "x"})
    await until(lambda: counts.finished_at)
    assert (counts.state, counts.machine) == (TaskState.SUCCEEDED, where.name), counts.error
    assert [path.read_bytes() for path in modules_of(where)] == [wasm]
    await shown(one, where)


async def shown(one: FleetManager, where: WorkerProcess) -> None:
    """Wait until what it did is in the rows of boosters, instances and modules."""
    async with asyncio.timeout(60):
        while True:
            [row], [instance], [module] = [await one.operator().query(kind) for kind in ("boosters", "instances", "modules")]  # type: ignore[misc]
            if row["answered"] >= 2 and instance["host"] == where.name and instance["calls"] and module["calls"]:  # type: ignore[index]
                return
            await asyncio.sleep(0.05)


async def held(one: FleetManager) -> Task:
    """Return a task whose call does not end by itself, at work."""
    task = await submitted(one, "user.count", {"source": "L"})
    await until(lambda: task.state is TaskState.RUNNING)
    return task


async def held_again(one: FleetManager, task: Task, where: WorkerProcess) -> None:
    """Wait until another host does it, which had to be sent its module; and end it."""
    await until(lambda: task.machine == where.name and task.state is TaskState.RUNNING)
    assert task.attempt > 1
    assert len(modules_of(where)) == 1
    await one.operator().execute([CancelTask(task.spec.id)])
    await until(lambda: task.state is TaskState.CANCELLED)
    assert one.feed.book.sums().answered >= 2, "what the lost host did still counts"
