"""The same work with and without the booster, on one engine: what each took, and whether both answer the same.

Owner: nobody. Both have their processes warmed by one file that does not count, and the booster forgets what it kept, so
every answer is made. Seconds are the engine's: from the first submission to the last end. `ratio` is that of the two.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from engine.clock import Clock
from engine.model.booster_commands import ClearBoosterCache
from engine.model.task_commands import SubmitTask
from engine.model.tasks import FINISHED, TaskState
from engine.operations import Operator
from fleet_tui.demo.discovery import CodeBase, SourceFile
from fleet_tui.demo.planner import answered
from fleet_tui.demo.steps import OUTLINE, TASK_TIMEOUT_S

FILES_MAX = 60
SIZE_MAX_BYTES = 100_000
REASON = "the demo does the same work with and without the booster"
LOOK_S = 0.05


@dataclass(frozen=True, slots=True)
class Side:
    """What one of the two took."""

    pool: str
    agents: int
    """Of the pool, when it was done: no more can have worked at once."""
    seconds: float
    tasks_per_s: float
    work_s: float
    """Run times of all tasks, added up: what agents were busy with, without waiting and handing out."""
    failed: int
    handed_on: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """Both."""

    operation: str
    files: int
    bytes: int
    regular: Side
    booster: Side
    ratio: float
    """The regular agents' seconds by the booster's."""
    work_ratio: float
    """The same of their run times."""
    equal: int
    """Files to which both gave the same answer."""


@dataclass(frozen=True, slots=True)
class _Run:
    side: Side
    answers: tuple[object, ...]


async def compare(operator: Operator, code_base: CodeBase, *, clock: Clock) -> Comparison | None:
    """Outline some files by regular agents, then by the booster; None without a booster. Raises FleetError."""
    boosters = cast("list[Mapping[str, Any]]", await answered(operator.query("boosters")))
    booster = next((row for row in boosters if row["fallback"]), None)
    small = [file for file in code_base.files if 0 < file.size <= SIZE_MAX_BYTES][: FILES_MAX + 1]
    if booster is None or len(small) < 2:
        return None
    warming, files = small[0], small[1:]
    runs = []
    for pool in (str(booster["fallback"]), str(booster["id"])):
        await _run(operator, pool, [warming], clock)
        if pool == booster["id"]:
            await answered(operator.execute([ClearBoosterCache()], reason=REASON))
        runs.append(await _run(operator, pool, files, clock))
    regular, boosted = runs
    equal = sum(one is not None and one == other for one, other in zip(regular.answers, boosted.answers, strict=True))
    ratio = regular.side.seconds / boosted.side.seconds if boosted.side.seconds else 0.0
    work_ratio = regular.side.work_s / boosted.side.work_s if boosted.side.work_s else 0.0
    return Comparison(OUTLINE, len(files), sum(file.size for file in files), regular.side, boosted.side, ratio, work_ratio, equal)


async def _run(operator: Operator, pool: str, files: Sequence[SourceFile], clock: Clock) -> _Run:
    commands = [
        SubmitTask(OUTLINE, pool, payload={"path": file.path}, title=f"{pool}: outline {file.name}", timeout_s=TASK_TIMEOUT_S) for file in files
    ]
    ids = [str(id_) for id_ in (await answered(operator.execute(commands, reason=REASON))).values]
    tasks = [await _ended(operator, id_, clock) for id_ in ids]
    began = min(float(task["submitted_at"]) for task in tasks)
    ended = max(float(task["finished_at"]) for task in tasks)
    row = next(row for row in cast("list[Mapping[str, Any]]", await answered(operator.query("pools"))) if row["id"] == pool)
    seconds = ended - began
    failed = sum(task["state"] != TaskState.SUCCEEDED for task in tasks)
    handed_on = sum(task["pool"] != pool for task in tasks)
    work_s = sum(float(task["finished_at"]) - float(task["started_at"]) for task in tasks if task["started_at"])
    side = Side(pool, int(row["agents"]), seconds, len(tasks) / seconds if seconds > 0 else 0.0, work_s, failed, handed_on)
    return _Run(side, tuple([await _answer(operator, task) for task in tasks]))


async def _ended(operator: Operator, id_: str, clock: Clock) -> Mapping[str, Any]:
    """Return a task when it has ended; its own time-out sees to that it does."""
    while True:
        task = cast("Mapping[str, Any]", await answered(operator.query("task", id=id_)))
        if task["state"] in FINISHED:
            return task
        await clock.sleep(LOOK_S)


async def _answer(operator: Operator, task: Mapping[str, Any]) -> object:
    """Return the whole answer of a task; None when it gave none."""
    if task["state"] != TaskState.SUCCEEDED:
        return None
    if not task["artifact"]:
        return task["result"]
    stored = cast("Mapping[str, Any]", await answered(operator.query("artifact", id=task["artifact"])))
    return stored["data"]


def comparison_lines(found: Comparison) -> list[str]:
    """Return both sides as a table of text."""
    lines = [f"The same work with and without the booster: {found.files:,} files outlined", ""]
    lines.append(f"  {'seconds':>8} {'tasks/s':>9} {'run time':>9} {'agents':>7}  by")
    for side, name in ((found.regular, "regular agents"), (found.booster, "the booster")):
        extra = f", {side.handed_on:,} handed on" if side.handed_on else ""
        extra += f", {side.failed:,} failed" if side.failed else ""
        lines.append(f"  {side.seconds:>8.3f} {side.tasks_per_s:>9,.0f} {side.work_s:>9.3f} {side.agents:>7,}  {name} ({side.pool}{extra})")
    lines.append(f"  without / with: {found.ratio:.1f} from submission to end, {found.work_ratio:.1f} in run time of tasks")
    lines.append(f"  {found.equal:,} of {found.files:,} answers are equal")
    return [*lines, ""]
