"""One host of light agents: a worker process, what it carries, what it is doing, and whether it is well.

Owner: the worker's agents, its attempts in flight (at most one for each agent), and the deadlines of those told to stop.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from msgspec.structs import replace

from engine.agents.light.frames import Beat, Job, Loaded
from engine.agents.light.imports import Imports
from engine.agents.light.process import (
    DEATH_WAIT_S,
    KILL_WAIT_S,
    Spawn,
    WorkerProcess,
    describe_end,
)
from engine.agents.liveness import Usage, Watch, read_usage
from engine.agents.runtime import Artifact, HostSample, Reporter
from engine.agents.tokens import AgentTokens
from engine.clock import Clock
from engine.model.agents import Health
from engine.model.effects import Assignment
from engine.model.ids import AgentId, HostId, TaskId
from engine.model.reports import HealthSeen, TasksBegan, TasksEnded
from engine.model.secrets import ENGINE_SECRETS, conceal
from engine.model.tasks import Outcome

KIND = "python"
STEP_S = 0.05
"""By less a clock is not set; it only runs a little faster or slower."""


@dataclass(frozen=True, slots=True)
class LightSettings:
    """How light agents are run. Durations in seconds."""

    workers: int = 0
    """Worker processes; 0 = one for each core that the engine may use."""
    heartbeat_interval_s: float = 1.0
    missed_beats: int = 3
    """A worker that is silent for so many intervals and uses no CPU is replaced."""
    stop_grace_s: float = 2.0
    """How long a stopped attempt, or a worker at the end, may take before its process is killed."""
    respawn_first_s: float = 0.1
    """Wait before the second replacement in a row; it doubles. The first comes at once."""
    respawn_max_s: float = 5.0
    """Longest wait before a replacement; a worker that lived longer starts a new row."""
    start_timeout_s: float = 30.0
    """How long a worker may take to be ready, and the import of a handler in it."""
    rss_max_mb: float = 0.0
    """An idle worker that holds more memory is replaced; 0 = no limit."""
    kind: str = KIND
    """What its hosts are called."""
    resident: str = ""
    """What does all jobs of a worker, as `module:function`; its workers start with the first agent. Empty = handlers do."""
    resident_options: Mapping[str, object] = field(default_factory=dict)
    tokens: AgentTokens | None = None
    """With which handlers act as their agents towards the engine; None = they cannot."""
    socket: Path | None = None
    """Where the engine answers them."""
    withheld: tuple[str, ...] = ENGINE_SECRETS
    operations: Mapping[str, str] = field(default_factory=dict)
    """Type of tasks -> `module:function` of a plug-in, for agents whose pool has no handler."""
    """Variables of the engine that workers do not get."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a host needs of the engine."""

    report: Reporter
    clock: Clock
    settings: LightSettings
    host_ready: Callable[[WorkerHost], None]
    handler_loaded: Callable[[WorkerHost, str, str], None]
    """Told the handler and, when it cannot be imported, why."""
    figures: Callable[[HostId, dict[str, object] | None], None] | None = None
    """Told at each beat of a worker with a resident what that tells, None if nothing is new."""


class WorkerHost:
    """A worker and its agents, from start to end; hears its link as a `Listener`."""

    def __init__(self, around: Surroundings) -> None:
        self.id: HostId | None = None
        """None until it is ready."""
        self.agents: dict[AgentId, None] = {}
        self.process: WorkerProcess | None = None
        self.ready_at = 0.0
        self.log_tail = ""
        """What it printed last; known after its end."""
        self._report = around.report
        self._clock = around.clock
        self._settings = settings = around.settings
        self._host_ready = around.host_ready
        self._handler_loaded = around.handler_loaded
        self._figures = around.figures
        self._tokens = settings.tokens
        self.imports = Imports()
        self._in_flight: dict[tuple[TaskId, int], int] = {}
        """(Task, token) -> number of the job."""
        self._jobs = 0
        self._stop_by: dict[tuple[TaskId, int], float] = {}
        """(Task, token) -> instant at which the worker is killed if the attempt still runs."""
        self._heard_at = self._started_at = around.clock.now()
        self._beat = Beat("", 0.0, 0)
        self._watch = Watch(settings.heartbeat_interval_s, settings.missed_beats, self._started_at)
        self._health = Health.HEALTHY
        self._sampled: tuple[float, float] = (self._started_at, 0.0)
        """Instant and CPU seconds of the last sample."""
        self._kill_reason = ""
        self._killed_at = 0.0
        self._link_fault = ""
        self._gone = asyncio.Event()
        self._link_closed = asyncio.Event()

    @property
    def is_ready(self) -> bool:
        """Answer whether it takes work."""
        return self.id is not None

    @property
    def is_dying(self) -> bool:
        """Answer whether it was killed or has ended."""
        return bool(self._kill_reason) or self._gone.is_set()

    async def run(self, spawn: Spawn) -> str:
        """Start the worker and wait for its end; return why it ended. Cancelling ends the worker first."""
        try:
            process = self.process = await WorkerProcess.start(spawn, self, self._clock)
        except OSError as error:
            return f"a worker cannot be started: {error}"
        try:
            await self._gone.wait()
            return await self._bury(process)
        except asyncio.CancelledError:
            process.ask_to_end()
            if not await process.wait_end(self._clock, self._settings.stop_grace_s):
                process.kill()
                await process.wait_end(self._clock, KILL_WAIT_S)
            raise
        finally:
            process.close()

    async def _bury(self, process: WorkerProcess) -> str:
        """Wait for the end of a worker that is gone, and for its last words; return why it ended."""
        if not self._kill_reason:
            await process.wait_end(self._clock, DEATH_WAIT_S)
        process.kill()  # also what its handlers have started; until it is reaped, the number is its own
        ended = await process.wait_end(self._clock, KILL_WAIT_S)
        status = process.reap()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DEATH_WAIT_S):
                await self._link_closed.wait()
        await process.wait_printed(self._clock, DEATH_WAIT_S)
        self.log_tail = conceal(process.read_log())
        self._tell_current(process)
        if not ended or status is None:
            return f"{self._kill_reason or f'worker {process.pid} closed its link'}; process {process.pid} cannot be ended yet"
        return self._kill_reason or describe_end(process.pid, status) + self._link_fault

    def _tell_current(self, process: WorkerProcess) -> None:
        """Tell of the job that the worker died in, if it came to that too fast for the worker to tell."""
        number, began = process.read_current()
        current = [(*key, began + self._stepped_s(process)) for key, job in self._in_flight.items() if job == number]
        if current:
            self._report(TasksBegan(tuple(current)))

    # ---- work

    def prepare(self, handler: str) -> bool:
        """Answer whether a handler is imported; if not, have it imported, once, and tell when it is or cannot be."""
        assert self.process is not None, "only a ready host is asked"
        return self.imports.ask(handler, self.process.link.send_load)

    def deliver(self, work: Sequence[tuple[Assignment, str]]) -> None:
        """Begin tasks; each comes with its agent's handler."""
        assert self.process is not None, "only a ready host is given work"
        jobs = []
        for task, handler in work:
            self._jobs += 1
            self._in_flight[task.task, task.token] = self._jobs
            job = Job(self._jobs, task.task, task.token, handler, task.type, task.payload)
            if task.workspace or task.apply or task.inputs:
                job.workspace, job.apply, job.inputs = task.workspace, task.apply, task.inputs
            if handler and self._tokens is not None:
                job.agent_token = self._tokens.make(task.agent, task.task, task.token)
            if self._settings.resident:
                job.agent, job.timeout_s, job.module = task.agent, task.timeout_s, task.module
            jobs.append(job)
        self.process.link.send_jobs(jobs)

    def stop_runs(self, runs: Sequence[tuple[TaskId, int]], *, grace_s: float | None = None) -> None:
        """Stop those of the attempts that are here; the worker dies if one does not stop in time."""
        mine = [run for run in runs if run in self._in_flight and run not in self._stop_by]
        if mine and self.process is not None:
            wait_s = self._settings.stop_grace_s if grace_s is None else min(self._settings.stop_grace_s, grace_s)
            self._stop_by.update(dict.fromkeys(mine, self._clock.now() + wait_s))
            self.process.link.send_stop(mine)

    def sample(self, now: float) -> HostSample | None:
        """Measure it; None before it is ready."""
        if self.id is None or self.process is None:
            return None
        pid = self.process.pid
        sample = HostSample(self.id, self._settings.kind, pid, len(self.agents), self._heard_at)
        usage = read_usage(pid)
        if usage is None:
            return sample
        (then, cpu_s), self._sampled = self._sampled, (now, usage.cpu_s)
        cpu = (usage.cpu_s - cpu_s) / (now - then) if now > then else -1.0
        return HostSample(self.id, self._settings.kind, pid, len(self.agents), self._heard_at, cpu, usage.rss_mb)

    # ---- health

    def look(self, now: float, *, on_time: bool) -> None:
        """Look after it; `on_time` = the engine itself was not late, so that silence means something."""
        process = self.process
        if process is None or self._gone.is_set():
            return
        if process.has_ended() or (self._kill_reason and now - self._killed_at > KILL_WAIT_S):
            self._gone.set()  # a child of a handler holds its link open, or it cannot be killed now
            return
        usage = read_usage(process.pid)
        self._watch.note(usage, now)
        if not on_time or self._kill_reason:
            return
        if not self.is_ready:
            if now - self._started_at > self._settings.start_timeout_s:
                self._kill(f"worker {process.pid} was not ready after {self._settings.start_timeout_s:g} s")
            return
        self._judge(process.pid, usage, now)

    def _judge(self, pid: int, usage: Usage | None, now: float) -> None:
        if self.imports.lasts(now) > self._settings.start_timeout_s:
            self._kill(f"worker {pid} was killed: importing {self.imports.current!r} took longer than {self._settings.start_timeout_s:g} s")
            return
        late = [task for (task, _), by in self._stop_by.items() if now >= by]
        if late:
            self._kill(f"worker {pid} was killed: {late[0]} did not stop within {self._settings.stop_grace_s:g} s")
            return
        verdict = self._watch.judge(now - self._heard_at, usage, now)
        if verdict.hung:
            doing = f" while it ran {self._beat.task}" if self._beat.task else ""
            self._kill(f"worker {pid} stopped answering{doing}: {verdict.evidence}")
            return
        if verdict.health is not self._health and self.id is not None:
            self._health = verdict.health
            self._report(HealthSeen(self.id, verdict.health, verdict.evidence))
        limit_mb = self._settings.rss_max_mb
        if limit_mb and usage is not None and usage.rss_mb > limit_mb and not self._in_flight:
            self._kill(f"worker {pid} was recycled: it held {usage.rss_mb:.0f} MB, the limit is {limit_mb:g} MB")

    def _kill(self, reason: str) -> None:
        assert self.process is not None, "only a started worker is judged"
        self._kill_reason, self._killed_at = reason, self._clock.now()
        self.process.kill()

    # ---- what the link tells

    def heard(self) -> None:
        """Note a sign of life."""
        self._heard_at = self._clock.now()

    def ready(self) -> None:
        """Take work from now on."""
        self.ready_at = self._clock.now()
        self._host_ready(self)

    def beat(self, beat: Beat) -> None:
        """Note what it says it is doing."""
        self._beat = beat
        if self._figures is not None and self.id is not None:
            self._figures(self.id, beat.figures)

    def loaded(self, loaded: Loaded) -> None:
        """Note the import of a handler."""
        self.imports.note(loaded, self._clock.now())
        if loaded.is_done:
            self._handler_loaded(self, loaded.handler, loaded.error)

    def results(self, began: list[tuple[TaskId, int, float]], ended: list[Outcome], artifacts: list[Artifact]) -> None:
        """Report attempts that began and ended."""
        in_flight = self._in_flight
        for outcome in ended:
            in_flight.pop((outcome.task, outcome.token), None)
            if self._stop_by:
                self._stop_by.pop((outcome.task, outcome.token), None)
        if stepped_s := self._stepped_s(self.process):
            began = [(task, token, at + stepped_s) for task, token, at in began]
            ended = [replace(one, started_at=one.started_at and one.started_at + stepped_s, ended_at=one.ended_at and one.ended_at + stepped_s) for one in ended]
        if began:
            self._report(TasksBegan(tuple(began)))
        if ended:
            self._report(TasksEnded(tuple(ended)), artifacts)

    def _stepped_s(self, process: WorkerProcess | None) -> float:
        """Return how far the clock was set since the worker began to count: by its machine, or by a leader that has another one."""
        stepped_s = 0.0 if process is None else self._clock.now() - asyncio.get_running_loop().time() - process.clock_offset_s
        return stepped_s if abs(stepped_s) > STEP_S else 0.0

    def refused(self, job: Job, reason: str) -> None:
        """Report a task that cannot be passed to a worker."""
        task = TaskId(job.task)
        self._in_flight.pop((task, job.token), None)
        text = f"its payload cannot be passed to a worker: {reason}"
        outcome = Outcome(task, job.token, ok=False, error_kind="bad_payload", error=text, retryable=False, ended_at=self._clock.now())
        self._report(TasksEnded((outcome,)))

    def closed(self, reason: str) -> None:
        """Note that the worker is gone, or about to go."""
        self._link_fault = f"; its link broke: {reason}" if reason else ""
        self._link_closed.set()
        self._gone.set()
