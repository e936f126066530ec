"""Live sampling: a few of the booster's tasks are done again by an idle regular agent, to compare answers and times.

Owner: of what waits to be sampled, at most `WAITING_MAX` tasks for `WAITS_S` each, and of which agents' processes are warm; what it
finds is the book's. A sample is a task that never writes and that no count of a pool shows. Only what tells something is
measured: not what the booster's cache may have answered, not a regular agent's first task of a kind, which imports its parser,
and not what was read from a file that has changed since. A host that joined may have another file of that name: what was read there, or would be, is not
compared.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from engine.booster.book import BoosterBook
from engine.booster.reproducers import Reproducers
from engine.clock import Clock, IdFactory, Rng
from engine.memory.contract import Journal
from engine.model import wire
from engine.model.agents import AgentStatus
from engine.model.code_operations import OPERATIONS
from engine.model.code_results import without_engine
from engine.model.events import Record
from engine.model.ids import TASK_PREFIX, TaskId
from engine.model.pools import BOOSTER
from engine.model.reports import Report, SampleDue
from engine.model.task_events import TaskFailed, TasksSucceeded
from engine.model.tasks import SAMPLER, Task, TaskSpec, TaskState
from engine.state import FleetState, Touched

logger = logging.getLogger(__name__)

WAITING_MAX = 8
WAITS_S = 60.0
LOOKS_S = 0.5
MINUTE_S = 60.0
KNOWN_MAX = 20_000
"""Questions remembered: the booster's cache may answer one that comes again."""
ENDED_MAX = 32
RESULT_MAX_BYTES = 4 << 20
"""Answers longer than this are not compared."""
LIMITS = frozenset({"too_deep", "too_large"})
"""Kinds of refusals that are one engine's limits and tell nothing of the answer: the booster reads deeper than LibCST can."""


@dataclass(frozen=True, slots=True)
class Around:
    """What sampling needs of the engine."""

    state: Callable[[], FleetState]
    journal: Journal
    fallback: Callable[[], str]
    report: Callable[[Report], None]
    changed: Callable[[], None]
    """Told when the book reads differently."""
    clock: Clock
    rng: Rng
    ids: IdFactory
    directory: Path
    """Where relative paths of tasks without a workspace begin."""


class Sampling:
    """Chooses, has done again, compares."""

    def __init__(self, book: BoosterBook, around: Around, *, share: float, per_minute: int, folder: Path) -> None:
        self._book = book
        self._around = around
        self._share = share
        self._per_minute = per_minute
        self._kept = Reproducers(folder)
        self._known: OrderedDict[int, None] = OrderedDict()
        self._waiting: deque[tuple[float, Task]] = deque(maxlen=WAITING_MAX)
        self._sampled: dict[TaskId, Task] = {}
        """Sample -> the booster's task, as it ended."""
        self._ended: deque[Task] = deque(maxlen=ENDED_MAX)
        self._asked_at: deque[float] = deque(maxlen=max(1, per_minute))
        self._warm: set[tuple[str, str]] = set()
        """Agent and type of the regular agents' tasks that were samples before."""

    def publish(self, records: Sequence[Record], touched: Touched) -> None:  # noqa: ARG002  # a publisher gets both
        """Choose among what the booster has done, and take what regular agents have."""
        if not self._share or not self._per_minute:
            return
        tasks = self._around.state().tasks
        for record in records:
            event = record.event
            if isinstance(event, TasksSucceeded):
                for outcome in event.outcomes:
                    self._take(tasks.get(outcome.task))
            elif isinstance(event, TaskFailed):
                task = tasks.get(event.outcome.task)
                if task is not None and task.spec.sample_of:
                    self._take(task)

    def _take(self, task: Task | None) -> None:
        if task is None:
            return
        if task.spec.sample_of:
            self._ended.append(task)
            return
        if _reads_elsewhere(task):
            return
        pool = self._around.state().pools[task.spec.pool]
        if pool.spec.kind == BOOSTER and task.spec.type in OPERATIONS and self._is_new(task) and not task.spec.apply and not task.spec.take_inputs and self._around.rng.random() < self._share:
            self._waiting.append((self._around.clock.now(), task))

    def _is_new(self, task: Task) -> bool:
        """Tell whether the booster was not asked this before, and remember that it was."""
        spec = task.spec
        key = hash((spec.type, spec.workspace, repr(spec.payload)))
        is_new = key not in self._known
        self._known[key] = None
        self._known.move_to_end(key)
        if len(self._known) > KNOWN_MAX:
            self._known.popitem(last=False)
        return is_new

    async def run(self) -> None:
        """Have waiting tasks sampled while regular agents are idle, and compare what has ended, until cancelled."""
        while True:
            await self._around.clock.sleep(LOOKS_S)
            self._ask()
            while self._ended:
                await self._compare(self._ended.popleft())

    # ---- asking

    def _ask(self) -> None:
        now, pool = self._around.clock.now(), self._around.fallback()
        while self._waiting and now - self._waiting[0][0] > WAITS_S:
            self._waiting.popleft()
        if not self._waiting or not pool or not self._is_idle(pool) or not self._may_ask(now):
            return
        _at, task = self._waiting.popleft()
        id_ = TaskId(self._around.ids.new(TASK_PREFIX))
        self._asked_at.append(now)
        self._forget_lost()
        self._sampled[id_] = task
        spec = task.spec
        again = TaskSpec(
            id_,
            spec.type,
            pool,
            spec.payload,
            title=f"sample: {spec.title or spec.type}",
            priority=1,
            timeout_s=spec.timeout_s,
            queue_timeout_s=WAITS_S,
            max_attempts=1,
            workspace=spec.workspace,
            submitted_by=SAMPLER,
            submitted_at=now,
            sample_of=spec.id,
        )
        self._around.report(SampleDue(again))

    def _forget_lost(self) -> None:
        """Keep no more than was asked in the last minutes: a sample that was cancelled never ends."""
        while len(self._sampled) >= ENDED_MAX:
            del self._sampled[next(iter(self._sampled))]

    def _may_ask(self, now: float) -> bool:
        return len(self._asked_at) < self._per_minute or now - self._asked_at[0] >= MINUTE_S

    def _is_idle(self, name: str) -> bool:
        pool = self._around.state().pools.get(name)
        return pool is not None and not pool.paused and bool(pool.by_status.get(AgentStatus.IDLE, 0)) and not pool.by_state.get(TaskState.PENDING, 0)

    # ---- comparing

    async def _compare(self, sample: Task) -> None:
        boosted = self._sampled.pop(sample.spec.id, None)
        if boosted is None:
            return  # an engine before this one asked for it
        warm = (sample.agent_name, sample.spec.type)
        is_cold = warm not in self._warm
        self._warm.add(warm)
        if _reads_elsewhere(boosted) or _reads_elsewhere(sample) or await asyncio.to_thread(self._has_changed, boosted):
            return
        answers = [await self._answer(task) for task in (boosted, sample)]
        if None in answers:
            return
        now, samples = self._around.clock.now(), self._book.samples
        if answers[0] != answers[1]:
            path = await asyncio.to_thread(self._keep, boosted, sample, cast("list[dict[str, Any]]", answers))
            samples.differ(path, now)
            logger.error("the booster and a regular agent gave different answers", extra={"task": boosted.spec.id, "sample": sample.spec.id, "reproducer": path})
        elif not is_cold and _seconds(boosted) > 0:
            samples.note(_seconds(sample), _seconds(boosted), now)
        self._around.changed()

    def _has_changed(self, task: Task) -> bool:
        """Tell whether the file that a task read may have been another one for its sample."""
        path = task.spec.payload.get("path")
        if not isinstance(path, str):
            return False
        try:
            return (Path(task.spec.workspace or self._around.directory) / path).stat().st_mtime >= task.started_at
        except OSError:
            return True

    async def _answer(self, task: Task) -> dict[str, object] | None:
        """Return what a task answered, without who did it; None if that is not kept, too long, or tells of a death or a limit only."""
        if task.error is not None:
            tells = task.state is TaskState.FAILED and not task.deaths and task.error.kind not in LIMITS
            return {"error": task.error.kind} if tells else None
        result = task.result
        if task.artifact:
            stored = await self._around.journal.artifact(task.artifact)
            if stored is None or len(stored.data) > RESULT_MAX_BYTES:
                return None
            result = cast("dict[str, object]", wire.decode(stored.data))
        return without_engine(result)

    def _keep(self, boosted: Task, sample: Task, answers: Sequence[Mapping[str, object]]) -> str:
        """Write both answers to a file that repeats the question, and return its path."""
        spec = boosted.spec
        request = {**spec.payload}
        if spec.workspace:
            request["workspace"] = spec.workspace
        return self._kept.write(
            {
                "failure": "difference",
                "at": self._around.clock.now(),
                "operation": spec.type,
                "request": request,
                "tasks": {"booster": spec.id, "regular": sample.spec.id},
                "booster": answers[0],
                "regular": answers[1],
            }
        )


def _reads_elsewhere(task: Task) -> bool:
    """Tell whether a task read a file of a host that joined."""
    return bool(task.machine) and "path" in task.spec.payload


def _seconds(task: Task) -> float:
    return task.finished_at - task.started_at
