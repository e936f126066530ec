"""Plans a round of work over a code base, hands it to the fleet in bursts and reads what comes of it.

Owner: `Planner` owns which of its tasks are open, and the findings that it adds to. Limits: OUTSTANDING_MAX open
tasks, BATCH_MAX verbs a call, READS_AT_ONCE queries at a time, ENDED_MAX ids of ended tasks that may yet be its own.

The load has a shape, so that there is something to steer: files come in bursts of changing size, the next burst when
all pools but the fullest have little left, and a second wave, chosen from the results, when the first has ended.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from engine.clock import Clock
from engine.model import wire
from engine.model.errors import CommandRefused, EngineUnavailable, NotFound, ReadOnly
from engine.model.rows import FleetStatus, Frame, TaskRow
from engine.model.task_commands import CancelTask, RetryTask
from engine.model.tasks import FINISHED, TaskError, TaskState
from engine.model.verbs import Command
from engine.operations import Operator
from fleet_tui.demo.discovery import CodeBase
from fleet_tui.demo.findings import Findings, TaskEnd
from fleet_tui.demo.steps import (
    CHECK,
    REMOVABLE,
    STEPS_OF_FILE_MAX,
    Step,
    choose_names,
    command_of,
    document_steps,
    first_wave,
    reference_steps,
)
from fleet_tui.demo.words import Calls, count_calls, find_files

logger = logging.getLogger(__name__)

_T = TypeVar("_T")

OUTSTANDING_MAX = 2_000
BATCH_MAX = 256
READS_AT_ONCE = 8
ENDED_MAX = 50_000

CALL_TIMEOUT_S = 60.0
"""Longest wait for the answer to one call."""
SILENCE_MAX_S = 30.0
"""Longest wait for a frame; an engine at rest sends one a second."""
PATIENCE_S = 60.0
"""How long the engine may refuse work (read-only, full) before the planner gives up."""
UNSEEN_MAX_S = 3.0
"""A task that no frame has shown after this time is asked for: it may have ended long ago, in an earlier run."""

GO_ON = "start the demo again: it goes on where it was"


@dataclass(frozen=True, slots=True)
class Shape:
    """How the load varies."""

    files: tuple[int, ...] = (40, 120, 20, 160, 60)
    """Files in one burst of the first wave, in turn."""
    steps: tuple[int, ...] = (60, 180, 30, 240)
    """Tasks in one burst of the second wave, in turn."""
    low_water: int = 24
    """Open tasks outside the fullest pool at which the next burst comes."""
    grace_s: float = 20.0
    """How long running tasks are waited for when the time is up."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a round stands."""

    files_done: int
    files: int
    ended: int
    open: int
    seconds: float


Tell = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class _Spec:
    submitted_at: float


@dataclass(frozen=True, slots=True)
class _Kept:
    """The part of a task in full that the planner reads."""

    state: str
    spec: _Spec
    result: dict[str, object]
    artifact: str
    retries: int
    error: TaskError | None = None
    in_memory: bool = True


@dataclass(frozen=True, slots=True)
class _Artifact:
    data: dict[str, object]


@dataclass(slots=True)
class _Open:
    """The tasks that were submitted and have not been read yet."""

    steps: dict[str, Step] = field(default_factory=dict)
    states: dict[str, str] = field(default_factory=dict)
    """As the frames show them; a task that no frame has shown is not in it."""
    unseen: dict[str, float] = field(default_factory=dict)
    """Task -> when it was submitted or last asked for."""
    pools: Counter[str] = field(default_factory=Counter)
    ended: dict[str, None] = field(default_factory=dict)
    """Of `steps`, those to read now."""

    def add(self, task: str, step: Step, now: float) -> None:
        self.steps[task] = step
        self.unseen[task] = now
        self.pools[step.pool] += 1

    def remove(self, task: str) -> None:
        step = self.steps.pop(task)
        self.states.pop(task, None)
        self.unseen.pop(task, None)
        self.ended.pop(task, None)
        self.pools[step.pool] -= 1

    def outside_fullest(self) -> int:
        return len(self.steps) - max(self.pools.values(), default=0)


class Planner:
    """Carries out one round over a code base."""

    def __init__(
        self, operator: Operator, code_base: CodeBase, label: str, *, clock: Clock, shape: Shape = Shape()
    ) -> None:
        """Name the round by `label`: with the same label, files that were done are not done again."""
        self.findings = Findings()
        self.statuses: list[FleetStatus] = []
        """Of the fleet, at the first and the newest frame."""
        self.agents_peak = 0
        self.is_stopped = False
        """Whether it ended because the time was up."""
        self._operator = operator
        self._code_base = code_base
        self._files = {file.name: file for file in code_base.files}
        self._label = label
        self._clock = clock
        self._shape = shape
        self._open = _Open()
        self._ids: dict[str, str] = {}
        """Key of a step -> its task; empty = it ended well and the engine has forgotten it."""
        self._others: dict[str, None] = {}
        """Ended tasks that were not submitted here, or whose answer is still on its way."""
        self._ahead: deque[list[Step]] = deque()
        self._files_left = deque(code_base.files)
        self._second: deque[Step] | None = None
        self._bursts = 0
        self._calls = Calls()
        self._refused_since = math.inf
        self._revived: set[str] = set()
        self._cut: set[str] = set()
        self._started_at = 0.0
        self._engine_at = 0.0
        """The engine's own clock at the first frame."""

    @property
    def unfinished(self) -> int:
        """Count the tasks whose end it has not seen."""
        return len(self._open.steps)

    async def run(self, stop_at: float = math.inf, tell: Tell | None = None) -> None:
        """Work until everything has ended, or `stop_at` and the grace have passed.

        Raises EngineUnavailable when the engine falls silent, CommandRefused when it refuses work for PATIENCE_S.
        Cancelling it is safe: what was submitted goes on, and a run with the same label continues.
        """
        self._started_at = self._clock.now()
        self._calls = await asyncio.to_thread(count_calls, self._code_base.files, REMOVABLE)
        async with self._operator.follow(["tasks"]) as frames:
            while True:
                self._see(await self._next_frame(frames))
                await self._read_ended()
                if not self.is_stopped and self._clock.now() >= stop_at:
                    await self._stop()
                await self._submit_more()
                if tell is not None:
                    tell(self._progress())
                if self._is_over(stop_at):
                    return

    def _is_over(self, stop_at: float) -> bool:
        if self.is_stopped:
            return not self._open.steps or self._clock.now() >= stop_at + self._shape.grace_s
        planned = bool(self._ahead or self._files_left or self._second is None or self._second)
        return not planned and not self._open.steps

    def _progress(self) -> Progress:
        findings = self.findings
        ended = sum(findings.tasks.states.values())
        seconds = self._clock.now() - self._started_at
        return Progress(len(findings.files_done), len(self._files), ended, self.unfinished, seconds)

    # ---- what the engine tells

    async def _next_frame(self, frames: AsyncIterator[Frame]) -> Frame:
        try:
            async with asyncio.timeout(SILENCE_MAX_S):
                return await anext(frames)
        except TimeoutError as error:
            raise EngineUnavailable(f"no word from the engine for {SILENCE_MAX_S:g} s; {GO_ON}") from error
        except StopAsyncIteration as error:
            raise EngineUnavailable(f"the engine ended the feed; {GO_ON}") from error

    def _see(self, frame: Frame) -> None:
        """Note which tasks have ended, also those of which it will hear only later that they are its own."""
        if not self.statuses:
            self._engine_at = frame.at
        self.statuses = [*self.statuses[:1], frame.status]
        self.agents_peak = max(self.agents_peak, frame.status.agents.total)
        for row in frame.rows.get("tasks", ()):
            assert isinstance(row, TaskRow)
            self._see_task(row.id, row.state)
        for gone in frame.removed.get("tasks", ()):
            self._see_task(gone, TaskState.SUCCEEDED)  # forgotten: it has ended, and reading it tells how
        while len(self._others) > ENDED_MAX:
            del self._others[next(iter(self._others))]

    def _see_task(self, task: str, state: str) -> None:
        tasks, has_ended = self._open, state in FINISHED
        if task in tasks.steps:
            tasks.states[task] = state
            tasks.unseen.pop(task, None)
            if has_ended:
                tasks.ended[task] = None
        elif has_ended:
            self._others[task] = None
        else:
            self._others.pop(task, None)  # an operator had it run again

    # ---- reading what ended

    async def _read_ended(self) -> None:
        tasks, now = self._open, self._clock.now()
        for task, asked_at in tasks.unseen.items():
            if now - asked_at > UNSEEN_MAX_S:
                tasks.ended[task] = None
                tasks.unseen[task] = now
        ids, tasks.ended = list(tasks.ended), {}
        cancelled_before: dict[str, TaskEnd] = {}
        for start in range(0, len(ids), READS_AT_ONCE):
            chunk = ids[start : start + READS_AT_ONCE]
            for task, end in zip(chunk, await self._read_all(chunk), strict=True):
                if end is None:
                    continue
                if end.continued and end.state == TaskState.CANCELLED and task not in self._revived:
                    cancelled_before[task] = end
                else:
                    self._settle(task, end)
        await self._revive(cancelled_before)

    async def _read_all(self, ids: Sequence[str]) -> list[TaskEnd | None]:
        try:
            async with asyncio.TaskGroup() as group:
                reads = [group.create_task(self._read(task)) for task in ids]
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from errors
        return [read.result() for read in reads]

    async def _read(self, task: str) -> TaskEnd | None:
        """Return how a task ended with its whole result, None when it has not ended."""
        try:
            kept = await self._find(task)
        except NotFound:
            return TaskEnd("unknown", {}, "the engine knows it no more", 0, continued=False)
        if kept.state not in FINISHED:
            return None
        result, error = kept.result, kept.error.message if kept.error else ""
        if kept.artifact:
            try:
                result = wire.convert(await self._query("artifact", kept.artifact), _Artifact).data
            except NotFound:
                error = "its result is no longer kept"
        return TaskEnd(kept.state, result, error, kept.retries, continued=kept.spec.submitted_at < self._engine_at)

    def _settle(self, task: str, end: TaskEnd) -> None:
        step = self._open.steps[task]
        self._open.remove(task)
        if task in self._cut and end.state == TaskState.CANCELLED:
            self.findings.add_cut(step)
        else:
            self.findings.add(step, end)

    async def _revive(self, ends: dict[str, TaskEnd]) -> None:
        """Run again what an earlier run cancelled when its time was up; take as ended what cannot run again."""
        self._revived.update(ends)
        # What others need comes first.
        for batch in batches(sorted(ends, key=lambda task: bool(self._open.steps[task].after))):
            try:
                await self._retry(batch)
            except ReadOnly:
                self._revived.difference_update(batch)
                self._open.ended.update(dict.fromkeys(batch))  # read, and tried, again at the next frame
            except CommandRefused:
                for task in batch:
                    try:
                        await self._retry([task])
                    except CommandRefused:
                        self._settle(task, ends[task])

    async def _retry(self, ids: Sequence[str]) -> None:
        await self._execute([RetryTask(task) for task in ids], f"demo {self._label}: go on with an earlier run")

    # ---- handing out work

    async def _submit_more(self) -> None:
        while not self.is_stopped:
            if not self._ahead and self._wants_more():
                await self._plan_ahead()
            if not self._ahead or not await self._submit(self._ahead[0]):
                return
            self._ahead.popleft()

    def _wants_more(self) -> bool:
        room = OUTSTANDING_MAX - len(self._open.steps)
        most = max(max(self._shape.files) * STEPS_OF_FILE_MAX, *self._shape.steps)
        return self._open.outside_fullest() <= self._shape.low_water and room >= most

    async def _plan_ahead(self) -> None:
        """Put the steps of the next burst into the queue."""
        shape = self._shape
        if self._files_left:
            count = min(shape.files[self._bursts % len(shape.files)], len(self._files_left))
            files = [self._files_left.popleft() for _ in range(count)]
            levels = first_wave(files, self._calls)
        elif self._second is None:
            if not self._open.steps:
                self._second = deque(await self._choose_second())
            return
        else:
            count = min(shape.steps[self._bursts % len(shape.steps)], len(self._second))
            levels = [[self._second.popleft() for _ in range(count)]]
        self._bursts += 1
        for level in levels:
            self._ahead.extend(batches(level))

    async def _choose_second(self) -> list[Step]:
        findings = self.findings
        names = choose_names(findings.defined, self._calls)
        places = await asyncio.to_thread(find_files, self._code_base.files, [named.name for named in names])
        searches = reference_steps(names, self._files, places)
        findings.expect_references(searches, names)
        steps = [*searches, *document_steps(findings.undocumented, self._files)]
        # What belongs to one file stands together: a worker keeps the trees it parsed last.
        return sorted(steps, key=lambda step: (step.file.name, step.operation, step.subject))

    async def _submit(self, batch: list[Step]) -> bool:
        """Submit a batch; return False when the engine takes nothing now, so that it is tried again."""
        steps: list[Step] = []
        for step in batch:
            if reason := self._reason_to_skip(step):
                self.findings.add_skipped(step, reason)
            else:
                steps.append(step)
        if not steps:
            return True
        commands = [command_of(step, self._label, [self._ids[key] for key in step.after if self._ids[key]]) for step in steps]
        try:
            ids = await self._execute(commands, f"demo {self._label}: burst {self._bursts}")
        except CommandRefused as refusal:
            batch[:] = await self._without_blocked(steps, refusal)
            return not batch
        self._refused_since = math.inf
        for step, value in zip(steps, ids, strict=True):
            task = str(value)
            self._ids[step.key] = task
            self._open.add(task, step, self._clock.now())
            self.findings.tasks.submitted += 1
            if task in self._others:
                del self._others[task]
                self._open.ended[task] = None
        return True

    def _reason_to_skip(self, step: Step) -> str:
        """Say why a step cannot succeed, as far as that is known before; empty = it can."""
        if step.operation != CHECK and step.file.name in self._calls.undecodable:
            return "the file is no text in the encoding that it declares"
        return next((f"needs {key}, which was not done" for key in step.after if key not in self._ids), "")

    async def _without_blocked(self, steps: list[Step], refusal: CommandRefused) -> list[Step]:
        """Return the steps to try again: without those whose need has failed. Raises the refusal when it lasts."""
        now = self._clock.now()
        self._refused_since = min(self._refused_since, now)
        if now - self._refused_since > PATIENCE_S:
            raise refusal
        if isinstance(refusal, ReadOnly):
            return steps
        forgotten = False
        blocked: dict[str, str] = {}
        for key in {key for step in steps for key in step.after if self._ids[key]}:
            try:
                kept = await self._find(self._ids[key])
            except NotFound:
                forgotten, self._ids[key] = True, ""
                continue
            if not kept.in_memory:
                forgotten, self._ids[key] = True, ""
            if kept.state in FINISHED and kept.state != TaskState.SUCCEEDED:
                blocked[key] = f"needs {key}, which is {kept.state}"
        if isinstance(refusal, NotFound) and not forgotten and not blocked:
            raise refusal  # no such pool: waiting does not make one
        for step in steps:
            reason = next((blocked[key] for key in step.after if key in blocked), "")
            if reason:
                self.findings.add_skipped(step, reason)
        return [step for step in steps if not any(key in blocked for key in step.after)]

    async def _stop(self) -> None:
        """Submit nothing more and take back what has not begun."""
        self.is_stopped = True
        self._ahead.clear()
        tasks = self._open
        waiting = [task for task in tasks.steps if tasks.states.get(task, TaskState.PENDING) == TaskState.PENDING]
        self._cut.update(waiting)
        for batch in batches(waiting):
            try:
                await self._execute([CancelTask(task) for task in batch], f"demo {self._label}: the time is up")
            except CommandRefused as refusal:
                logger.warning("demo could not cancel its waiting tasks", extra={"reason": str(refusal)})

    # ---- calls

    async def _execute(self, commands: Sequence[Command], reason: str) -> tuple[object, ...]:
        return (await answered(self._operator.execute(commands, reason=reason))).values

    async def _query(self, what: str, id_: str) -> object:
        return await answered(self._operator.query(what, id=id_))

    async def _find(self, task: str) -> _Kept:
        return wire.convert(await self._query("task", task), _Kept)


async def answered(call: Awaitable[_T]) -> _T:
    """Return the answer to a call. Raises EngineUnavailable when it takes longer than CALL_TIMEOUT_S."""
    try:
        async with asyncio.timeout(CALL_TIMEOUT_S):
            return await call
    except TimeoutError as error:
        raise EngineUnavailable(f"no answer from the engine for {CALL_TIMEOUT_S:g} s; {GO_ON}") from error


def batches(items: Sequence[_T]) -> Iterator[list[_T]]:
    """Yield lists of at most BATCH_MAX."""
    for start in range(0, len(items), BATCH_MAX):
        yield list(items[start : start + BATCH_MAX])
