"""Agents of kind `command`: a process for each task, run through the process host so that none is orphaned.

Owner: the runs under way, at most one for each agent of the kind.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import msgspec

from engine.agents.lingering import Listener
from engine.agents.printed import Printed, judge, read_whole, reader_of, told
from engine.agents.processes.child_process import ProcessHost
from engine.agents.processes.kept import KeptRun
from engine.agents.processes.spec import ProcessResult, ProcessSpec, ProcessStartError
from engine.agents.results import pack_result
from engine.agents.runtime import HostSample, Reporter
from engine.agents.spawned_host import SpawnedHost, is_program
from engine.agents.tokens import AgentTokens
from engine.clock import Clock, IdFactory
from engine.model import wire
from engine.model.acting import SOCKET_VARIABLE, VARIABLE
from engine.model.agents import AgentSpec
from engine.model.budgets import used_of
from engine.model.effects import Assignment
from engine.model.events import Event, Record
from engine.model.ids import AgentId, TaskId
from engine.model.pools import CommandSpec, PoolSpec
from engine.model.questions import Reply
from engine.model.reports import AgentsFailed, TasksBegan, TasksEnded, TasksUsed
from engine.model.shielding import shield, shield_values
from engine.model.task_events import (
    LateResult,
    TaskFailed,
    TaskReturned,
    TasksCancelled,
    TasksSucceeded,
)
from engine.model.tasks import HELD, Outcome
from engine.state import FleetState

logger = logging.getLogger(__name__)

OUTPUT_MAX_BYTES = 256 * 1024
"""Of each stream, head and tail, in the result; the task's log has more."""
LOG_MAX_BYTES = 16 * 1024 * 1024
_LOST = frozenset({"spawner lost", "host closed", "keeper lost"})
_NOT_ADOPTED = "not adopted"
_TRANSIENT = frozenset({"pipes", "streams", "fork", "log", "ledger"})
"""Stages of a start that fail for want of something that may be there a moment later."""


@dataclass(frozen=True, slots=True)
class CommandPlaces:
    """Where programs run and where their output is kept."""

    directory: Path
    """Working directory of a task without a workspace."""
    logs: Path
    tokens: AgentTokens | None = None
    """With which programs act on memory as their agents."""
    socket: Path | None = None
    """Where the engine answers them."""
    named: str = "the engine"
    """What people call this place."""

    def environment(self, assignment: Assignment) -> dict[str, str]:
        """Return the variables that tell a program what it is to the engine."""
        known = {"FLEET_TASK_ID": assignment.task, "FLEET_TASK_ATTEMPT": str(assignment.token)}
        if self.tokens is None or self.socket is None:
            return known
        return {**known, VARIABLE: self.tokens.make(assignment.agent, assignment.task, assignment.token), SOCKET_VARIABLE: str(self.socket)}


def log_path(logs: Path, task: TaskId) -> Path:
    """Return where the output of a task's last attempt is kept."""
    return logs / f"{task}.log"


@dataclass(frozen=True, slots=True)
class Survivor:
    """A program that outlived its engine."""

    run: KeptRun
    output: str
    """What it prints; see CommandSpec."""


class _NotRunError(Exception):
    """A program was not started; kind is the outcome's."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class CommandAgents:
    """Runs programs."""

    def __init__(self, report: Reporter, host: ProcessHost, ids: IdFactory, clock: Clock, places: CommandPlaces) -> None:
        self._report = report
        self._host = host
        self._clock = clock
        self._places = places
        self._carrier = SpawnedHost("command", report, host, ids, clock)
        self._commands: dict[AgentId, CommandSpec] = {}
        self._runs: dict[tuple[TaskId, int], str] = {}
        """Attempts delivered and not ended, with the process host's name for them."""
        self._stopping: set[tuple[TaskId, int]] = set()
        self._unsettled: dict[str, tuple[TaskId, int]] = {}
        """Kept runs whose end is reported and not yet durable; until then their results stay on disk."""
        self._inbox: asyncio.Queue[Assignment | tuple[tuple[TaskId, int], float | None] | Survivor] = asyncio.Queue()

    async def run(self) -> None:
        """Run what is delivered until cancelled; programs still running are then stopped."""
        async with asyncio.TaskGroup() as group:
            while True:
                item = await self._inbox.get()
                if isinstance(item, Assignment):
                    group.create_task(self._run_one(item), name=f"command {item.task}")
                elif isinstance(item, Survivor):
                    group.create_task(self._follow_survivor(item), name=f"survivor {item.run.key}")
                else:
                    group.create_task(self._stop_one(*item), name=f"stop {item[0][0]}")

    def start(self, agents: Sequence[tuple[AgentSpec, PoolSpec]]) -> None:
        """Make agents ready; a program that is not there fails them with the reason."""
        ready: list[AgentId] = []
        members: dict[str, list[AgentId]] = {}
        pools = {pool.name: pool for _, pool in agents}
        for spec, pool in agents:
            members.setdefault(pool.name, []).append(spec.id)
        for name, ids in members.items():
            command = pools[name].command
            if command is None:
                self._report(AgentsFailed(tuple(ids), f"pool {name} names no command"))
            elif not is_program(command.argv[0], command.env):
                reason = f"{command.argv[0]!r} is no program on PATH; correct pools.{name}.command.argv and restart the agents"
                self._report(AgentsFailed(tuple(ids), reason))
            else:
                self._commands.update(dict.fromkeys(ids, command))
                ready += ids
        if ready:
            self._carrier.carry(ready)

    def stop(self, agents: Sequence[AgentId]) -> None:
        """Forget agents."""
        for agent in agents:
            self._commands.pop(agent, None)

    def deliver(self, assignments: Sequence[Assignment]) -> None:
        """Begin tasks."""
        for assignment in assignments:
            self._runs[assignment.task, assignment.token] = f"{assignment.task}.{assignment.token}"
            self._inbox.put_nowait(assignment)

    def stop_runs(self, runs: Sequence[tuple[TaskId, int]], *, grace_s: float | None = None) -> None:
        """Stop programs: TERM, after the grace KILL; those that outlive their engine have their pool's grace in any case."""
        for run in runs:
            self._inbox.put_nowait((run, grace_s))

    def adopt(self, survivors: Iterable[Survivor]) -> None:
        """Follow programs that outlived their engine, or ended after it; called once, before run()."""
        for survivor in survivors:
            self._runs[attempt_of(survivor.run.key)] = survivor.run.key
            self._inbox.put_nowait(survivor)

    def note_durable(self, records: Sequence[Record]) -> None:
        """Take note of what is in the journal: results that it has are no longer needed on disk."""
        if not self._unsettled:
            return
        ended = {key for record in records for key in _ends(record.event)}
        for name, key in list(self._unsettled.items()):
            if key in ended or (key[0], 0) in ended:
                del self._unsettled[name]
                self._host.keepers.discard(name)

    def answer(self, run: tuple[TaskId, int], ask: str, reply: Reply) -> None:
        """Programs of this kind ask nothing."""

    def tell(self, word: str) -> None:
        """Programs are told nothing."""

    def samples(self) -> Iterable[HostSample]:
        """Return the one host, whose pid is the spawner's."""
        return self._carrier.samples(len(self._commands))

    async def _run_one(self, assignment: Assignment) -> None:
        key = (assignment.task, assignment.token)
        began = self._clock.now()
        try:
            outcome, kept = _account(key, *await self._run_program(assignment, began))
        except ProcessStartError as error:
            kept = {}
            kind = "agent_lost" if error.stage == "spawner" else "start"
            retryable = error.stage in _TRANSIENT
            outcome = Outcome(*key, ok=False, error_kind=kind, error=str(error), retryable=retryable, started_at=began)
        except _NotRunError as error:
            kept = {}
            outcome = Outcome(*key, ok=False, error_kind=error.kind, error=str(error), retryable=error.kind != "bad_payload")
        finally:
            self._runs.pop(key, None)
            self._stopping.discard(key)
        self._end(key, outcome, kept)

    async def _follow_survivor(self, survivor: Survivor) -> None:
        key = attempt_of(survivor.run.key)
        try:
            result = await self._follow(key, survivor.run)
        finally:
            self._runs.pop(key, None)
            self._stopping.discard(key)
        self._end(key, *_account(key, result, read_whole(survivor.output, result.stdout)))

    async def _follow(self, key: tuple[TaskId, int], run: KeptRun) -> ProcessResult:
        """Follow a kept program to its end; when this is cancelled, end it."""
        self._report(TasksBegan(((*key, run.started_at),)))
        if key in self._stopping:
            run.stop()
        try:
            result = await run.wait_result()
        except BaseException:
            await self._host.keepers.end(run)
            raise
        self._unsettled[run.key] = key
        return result

    async def _run_program(self, assignment: Assignment, began: float) -> tuple[ProcessResult, Printed | None]:
        key = (assignment.task, assignment.token)
        command = self._commands.get(assignment.agent)
        if command is None:
            raise _NotRunError("agent_lost", "its agent has left")
        if key in self._stopping:
            raise _NotRunError("stopped", "it had not begun")
        try:
            spec = self._spec(command, assignment)
        except ValueError as error:
            raise _NotRunError("bad_payload", str(error)) from error
        if command.on_engine_death == "adopt":
            run = await self._host.keepers.start(spec, self._runs[key], adopt_within_s=command.adopt_within_s)
            result = await self._follow(key, run)
            return result, read_whole(command.output, result.stdout)
        reader = reader_of(command.output)
        listener = Listener(reader, self._clock, command.linger_s, partial(self._tell_use, key)) if reader is not None else None
        async with self._host.program(spec, key=self._runs[key], on_output=listener.take if listener else None) as process:
            self._report(TasksBegan(((*key, began),)))
            if key in self._stopping:
                process.stop("stopped")
            return (await process.wait_result(), None) if listener is None else await listener.wait_result(process)

    def _tell_use(self, key: tuple[TaskId, int], printed: Printed) -> None:
        """Report what a program has used so far."""
        used = used_of(printed.usage, printed.models, *key)
        if used is not None:
            self._report(TasksUsed((used,)))

    async def _stop_one(self, run: tuple[TaskId, int], grace_s: float | None) -> None:
        name = self._runs.get(run)
        if name is not None and run not in self._stopping:
            self._stopping.add(run)
            if not self._host.keepers.stop(name):
                await self._host.stop(name, grace_s=grace_s)

    def _end(self, key: tuple[TaskId, int], outcome: Outcome, result: dict[str, object]) -> None:
        kept, artifact = pack_result(key[0], {name: shield_values(value) for name, value in result.items()})
        outcome = msgspec.structs.replace(outcome, result=kept, artifact=artifact.id if artifact else "", error=shield(outcome.error))
        self._report(TasksEnded((outcome,)), (artifact,) if artifact else ())

    def _spec(self, command: CommandSpec, assignment: Assignment) -> ProcessSpec:
        """Return what to run. Raises ValueError for a workspace that is no directory."""
        cwd = Path(assignment.workspace) if assignment.workspace else self._places.directory
        if not cwd.is_dir():
            raise ValueError(f"workspace {str(cwd)!r} is no directory")
        prompt = prompt_of(assignment)
        payload = wire.encode(assignment.payload).decode()
        words = {"{prompt}": prompt, "{payload}": payload}
        argv = tuple(words.get(word, word) for word in command.argv)
        if command.prompt == "argument" and "{prompt}" not in command.argv:
            argv = (*argv, prompt)
        return ProcessSpec(
            argv,
            cwd,
            env={**command.env, **self._places.environment(assignment)},
            stdin=prompt.encode() if command.prompt == "stdin" else None,
            idle_timeout_s=command.idle_timeout_s or None,
            grace_s=command.grace_s,
            output_max_bytes=OUTPUT_MAX_BYTES,
            log_path=log_path(self._places.logs, assignment.task),
            log_max_bytes=LOG_MAX_BYTES,
        )


def prompt_of(assignment: Assignment) -> str:
    """Return the text for the program: payload.prompt, or the payload as JSON, followed by the inputs if there are any."""
    prompt = assignment.payload.get("prompt")
    text = prompt if isinstance(prompt, str) else wire.encode(assignment.payload).decode()
    return f"{text}\n\n{wire.encode(assignment.inputs).decode()}" if assignment.inputs else text


def attempt_of(name: str) -> tuple[TaskId, int]:
    """Return the task and token of a program by its name."""
    task, _, token = name.rpartition(".")
    return TaskId(task), int(token)


def adoptable(state: FleetState, pools: Mapping[str, PoolSpec], runs: Mapping[str, KeptRun]) -> dict[str, Survivor]:
    """Return which survivors to follow, by name: those of current leases that nobody is stopping, whose pool says so still."""
    found = {}
    for name in runs:
        task_id, token = attempt_of(name)
        task = state.tasks.get(task_id)
        if task is None or task.state not in HELD or task.attempt != token or task.stopping:
            continue
        command = pools.get(task.spec.pool, state.pools[task.spec.pool].spec).command
        if command is not None and command.on_engine_death == "adopt":
            found[name] = Survivor(runs[name], command.output)
    return found


def _ends(event: Event) -> list[tuple[TaskId, int]]:
    """Return the attempts that an event ends or fences off; token 0 = whichever it was."""
    if isinstance(event, TasksSucceeded):
        return [(outcome.task, outcome.token) for outcome in event.outcomes]
    if isinstance(event, TaskFailed | LateResult):
        return [(event.outcome.task, event.outcome.token)]
    if isinstance(event, TaskReturned):
        return [(event.task, event.token)]
    return [(task, 0) for task in event.tasks] if isinstance(event, TasksCancelled) else []


def _account(key: tuple[TaskId, int], result: ProcessResult, printed: Printed | None) -> tuple[Outcome, dict[str, object]]:
    """Return how a run ended and what is kept of it, by what it said of itself where it says such things."""
    outcome, kept = _outcome(key, result), _result(result)
    return (outcome, kept) if printed is None else (judge(outcome, printed, result), told(printed, kept))


def _outcome(key: tuple[TaskId, int], result: ProcessResult) -> Outcome:
    reason = result.stopped_reason
    ok = result.exit_code == 0 and reason is None
    kind, error = "", ""
    if reason in ("stopped", "cancelled"):
        kind, error = "stopped", result.describe_end()
    elif reason in _LOST:
        kind, error = "agent_lost", result.describe_end()
    elif reason == _NOT_ADOPTED:
        kind, error = "engine_restart", "no engine came back in time, so that it was stopped"
    elif reason is not None:
        kind, error = reason.replace(" ", "_"), result.describe_end()
    elif not ok:
        last = result.stderr_text.strip().splitlines()[-1:] or [""]
        kind, error = "exit_code", f"{result.describe_end()}: {last[0]}".removesuffix(": ")
    return Outcome(
        *key,
        ok=ok,
        error_kind=kind,
        error=error[:500],
        started_at=result.started_at,
        ended_at=result.ended_at,
        usage={"cpu_s": round(result.cpu_s, 4), "max_rss_mb": round(result.max_rss_bytes / 1e6, 1)},
    )


def _result(result: ProcessResult) -> dict[str, object]:
    return {
        "exit_code": result.exit_code,
        "signal": result.signal,
        "stdout": result.stdout_text,
        "stderr": result.stderr_text,
        "stdout_bytes": result.stdout_bytes,
        "stderr_bytes": result.stderr_bytes,
        "truncated_output": result.truncated,
        "seconds": round(result.ended_at - result.started_at, 4),
    }
