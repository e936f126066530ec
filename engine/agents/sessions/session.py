"""One agent's session: a process that is started with its first task, kept for the next ones, and started anew when it ended.

Owner: of the process and the one turn under way. Its words are taken as they are read, so nothing of them gathers.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from pathlib import Path

import msgspec

from engine.agents.commands import CommandPlaces, log_path, prompt_of
from engine.agents.processes.child_process import ProcessHost
from engine.agents.processes.running import RunningProcess
from engine.agents.processes.spec import (
    DEFAULT_INHERITS,
    ProcessResult,
    ProcessSpec,
    ProcessStartError,
    StreamName,
)
from engine.agents.results import pack_result
from engine.agents.runtime import Reporter
from engine.agents.sessions.conversations import Conversations, is_name
from engine.agents.sessions.lines import Line, Lines, cut
from engine.agents.sessions.messages import (
    Bye,
    Degraded,
    Failure,
    Hello,
    Message,
    Named,
    Noise,
    Output,
    Progress,
    Result,
    Send,
    SessionProtocol,
    Usage,
    shielded,
)
from engine.agents.sessions.protocols import PROTOCOLS
from engine.agents.sessions.starting import StartGate
from engine.agents.sessions.turns import Attempt, Seen, Turn
from engine.clock import Clock
from engine.model import wire
from engine.model.agents import AgentSpec
from engine.model.budgets import used_of
from engine.model.effects import Assignment
from engine.model.pools import SessionSpec
from engine.model.questions import ARGUMENTS_MAX_BYTES, DENY, Ask, Reply, TaskAsked
from engine.model.reports import TasksBegan, TasksEnded, TasksUsed
from engine.model.shielding import clean, shield

logger = logging.getLogger(__name__)

ERROR_LINE_MAX_BYTES = 8 * 1024
"""Of a line of stderr; the rest of it is left out of the log."""
CAPTURE_MAX_BYTES = 64 * 1024
RUN_PREFIX = "session."
"""Before the agent's id and the number of the start, in the process host's name for a session's process."""
GO_ON = "This task was interrupted: the process that worked on it ended. Go on where you were. The task was:\n\n"
_TRANSIENT = frozenset({"pipes", "streams", "fork", "ledger"})
"""Stages of a start that fail for want of something that may be there a moment later."""


@dataclass(frozen=True, slots=True)
class Means:
    """What sessions are run with."""

    host: ProcessHost
    report: Reporter
    clock: Clock
    places: CommandPlaces
    conversations: Conversations
    starts: StartGate


class Session:
    """Runs the tasks of one agent."""

    def __init__(self, agent: AgentSpec, spec: SessionSpec, means: Means) -> None:
        self._agent = agent
        self._spec = spec
        self._means = means
        self._turn: Turn | None = None
        self._logged: Turn | None = None
        """Whose log is open: what is said between two turns is the former one's."""
        self._leaves = self._rests = False
        self._idle_since = 0.0
        self._stir = asyncio.Event()
        self._starts = 0
        self._place = means.places.directory
        """Where the process works."""
        self._forget()

    def _forget(self) -> None:
        """Begin as with no process."""
        self._protocol: SessionProtocol = PROTOCOLS[self._spec.protocol]()
        self._errors = Lines(ERROR_LINE_MAX_BYTES)
        self._process: RunningProcess | None = None
        self._end: ProcessResult | None = None
        """How the process ended."""
        self._is_greeted = self._is_parting = self._is_silent = False
        self._turns = 0
        self._last_error = ""

    # -- for the kind, on the engine's loop ---------------------------------------------------------------------------

    @property
    def turn(self) -> Turn | None:
        """Return what it works on."""
        return self._turn

    @property
    def pid(self) -> int | None:
        """Return its process's id, None while there is none."""
        return self._process.pid if self._process is not None and self._end is None else None

    def begin(self, assignment: Assignment) -> None:
        """Have a task done."""
        assert self._turn is None, f"{self._agent.name} works already"
        self._turn = Turn(assignment, self._means.clock.now(), self._turns + 1, self._spec.repeats_max)
        self._stir.set()

    def stop(self, attempt: Attempt, *, grace_s: float | None = None) -> None:
        """Have an attempt stopped: the agent is asked first, and its process is stopped when it does not answer in time."""
        if self._turn is not None and self._turn.attempt == attempt:
            self._turn.is_stopping, self._turn.grace_s = True, grace_s
            self._stir.set()

    def answer(self, attempt: Attempt, ask: str, reply: Reply) -> None:
        """Tell the agent what it asked; each answer once, and only in the attempt that asked."""
        turn = self._turn
        if turn is not None and turn.attempt == attempt and ask in turn.asking:
            turn.asking.remove(ask)
            self._answer(turn, ask, reply)
            self._stir.set()

    @property
    def idle_since(self) -> float | None:
        """Return since when its process waits for a task, an instant of the loop; None = it has one, or there is no process."""
        return self._idle_since if self.pid is not None and self._turn is None and not self._is_parting else None

    def rest(self) -> None:
        """End the process that waits for a task; the next task starts another."""
        self._rests = True
        self._stir.set()

    def leave(self) -> None:
        """Do no more; what is under way is stopped."""
        self._leaves = True
        if self._turn is not None:
            self._turn.is_stopping = True
        self._stir.set()

    async def run(self) -> None:
        """Do tasks until told to leave; when cancelled, end the process first."""
        while (turn := await self._next(None)) is not None:
            if turn.is_stopping:
                self._finish(Failure("", "it had not begun"))
            else:
                await self._live()

    # -- one process ----------------------------------------------------------------------------------------------------

    async def _live(self) -> None:
        """Run a process, with a turn waiting for it, until it ends or is not needed any more."""
        self._forget()
        self._starts += 1
        means, turn = self._means, self._turn
        assert turn is not None, "a process is started for a turn"
        self._place = self._place_of(turn)
        if not self._place.is_dir():
            self._finish(_no_directory(self._place))
            return
        await self._wait_for_start(turn)
        if turn.is_stopping:
            self._finish(Failure("", "it had not begun"))
            return
        protocol = self._protocol
        spec = ProcessSpec(
            protocol.command(self._spec.argv, self._earlier(turn)),
            self._place,
            env=self._spec.env,
            inherits=(*DEFAULT_INHERITS, *protocol.inherits),
            is_interactive=True,
            grace_s=self._spec.grace_s,
            output_max_bytes=CAPTURE_MAX_BYTES,
        )
        try:
            async with means.host.program(spec, key=f"{RUN_PREFIX}{self._agent.id}.{self._starts}", on_output=self._hear) as process:
                self._process = process
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._watch(process), name=f"watch over session {self._agent.id}")
                    await self._serve(process)
        except ProcessStartError as error:
            kind = "agent_lost" if error.stage == "spawner" else "start"
            self._finish(Failure("", str(error), kind, retryable=error.stage in _TRANSIENT))
        finally:
            self._process = None
            self._log_for(None)

    async def _wait_for_start(self, turn: Turn) -> None:
        """Wait until its process may start beside those of others, or the turn is stopped; it says why it waits."""
        clock, starts = self._means.clock, self._means.starts
        at = starts.book()
        while (left_s := at - clock.now()) > 0 and not turn.is_stopping:
            turn.seen = Seen(Progress(turn.id, ""), clock.now(), f"waits for its start: {starts.before(at)} before it, {starts.per_s:g} a second")
            try:
                async with asyncio.timeout(left_s):
                    await self._stirred()
            except TimeoutError:
                break
        turn.seen = None

    async def _watch(self, process: RunningProcess) -> None:
        self._end = await process.wait_result()
        self._stir.set()

    async def _serve(self, process: RunningProcess) -> None:
        if not await self._greet(process):
            return
        limit_s: float | None = None
        while (turn := await self._next(limit_s)) is not None and self._suits(turn):
            await self._carry(process)
            limit_s = self._spec.keep_idle_s
        self._is_parting, self._rests = True, False
        await self._part(process)

    def _place_of(self, turn: Turn) -> Path:
        """Return where the process works that does a turn."""
        workspace = turn.assignment.workspace
        return Path(workspace) if workspace and self._protocol.runs_in_workspace else self._means.places.directory

    def _earlier(self, turn: Turn) -> str:
        """Return the conversation that a turn goes on with: what its payload names, or an earlier attempt began; empty = a new one.

        In a new place a conversation would be about changes that are not there, and Claude Code finds none from another directory.
        """
        assignment = turn.assignment
        named = assignment.payload.get("resume")
        if isinstance(named, str) and is_name(named):
            return named
        return self._means.conversations.find(assignment.task) if assignment.token > 1 and not assignment.is_place_new else ""

    def _suits(self, turn: Turn) -> bool:
        """Tell whether this process can do a turn: its first one, or one for the same place that goes on with nothing."""
        return self._turns == 0 or (self._place_of(turn) == self._place and not (self._protocol.runs_in_workspace and self._earlier(turn)))

    async def _greet(self, process: RunningProcess) -> bool:
        """Wait for its first message; without one the task fails."""
        process.write(self._protocol.hello(self._agent.name, self._agent.pool, str(self._place)))
        turn = self._turn
        assert turn is not None, "a process is started for a turn"
        try:
            async with asyncio.timeout(self._spec.start_timeout_s):
                while not (self._is_greeted or self._end or turn.outcome or turn.is_stopping):
                    await self._stirred()
        except TimeoutError:
            turn.fail(Failure("", self._explain(f"no hello within {self._spec.start_timeout_s:g} s"), "start"), self._means.clock.now())
        if turn.is_stopping:
            turn.fail(Failure("", "it had not begun"), self._means.clock.now())
        elif self._end and not self._is_greeted:
            turn.fail(Failure("", self._explain(f"it ended before its hello: {self._end.describe_end()}"), "start"), self._means.clock.now())
        if turn.outcome is None:
            return True
        process.stop("stopped")
        self._finish()
        return False

    async def _carry(self, process: RunningProcess) -> None:
        """Have the waiting turn done."""
        turn, means = self._turn, self._means
        assert turn is not None, "only called with a turn"
        self._turns += 1
        turn.number = self._turns
        turn.began = means.clock.now()
        self._log_for(turn)
        if (refusal := self._hand_over(process, turn)) is not None:
            self._finish(refusal)
            return
        means.report(TasksBegan(((*turn.attempt, turn.began),)))
        loop = asyncio.get_running_loop()
        turn.heard_at = loop.time()
        while turn.outcome is None and self._end is None:
            if (turn.is_stopping or turn.halted) and turn.cancel_by is None:
                process.write(self._protocol.cancel(turn.id))
                turn.cancel_by = loop.time() + (0.0 if self._leaves else self._grace_s(turn))
            due = self._due(turn)
            try:
                async with asyncio.timeout_at(due):
                    await self._stirred()
            except TimeoutError:
                self._give_up(process, turn, loop.time())
        self._finish(self._loss(turn))

    def _hand_over(self, process: RunningProcess, turn: Turn) -> Failure | None:
        """Send a task; return why it cannot be."""
        assignment = turn.assignment
        if assignment.workspace and not Path(assignment.workspace).is_dir():
            return _no_directory(Path(assignment.workspace))
        env, prompt, earlier = self._means.places.environment(assignment), prompt_of(assignment), self._earlier(turn)
        if earlier and earlier == self._means.conversations.find(assignment.task):
            prompt = GO_ON + prompt
        if self._end is None and not process.write(self._protocol.task(turn.id, assignment, prompt, env, earlier)):
            return Failure("", "it is larger than what the agent's input holds, or the agent closed its input", "bad_payload")
        return None

    def _due(self, turn: Turn) -> float | None:
        """Return when the turn is to be looked at although nothing happened: an instant of the loop."""
        silent_at = turn.heard_at + self._spec.silence_timeout_s if self._watches_silence(turn) else None
        known = [at for at in (turn.cancel_by, silent_at, self._unanswered_at(turn)) if at is not None]
        return min(known, default=None)

    def _unanswered_at(self, turn: Turn) -> float | None:
        """Return when its model will have failed to answer for too long: an instant of the loop; None = it answers, or may take for ever."""
        if turn.troubled_at is None or turn.halted or not self._spec.wait_max_s:
            return None
        return turn.troubled_at + self._spec.wait_max_s

    def _watches_silence(self, turn: Turn) -> bool:
        """Tell whether the agent is expected to say something: not while it waits for an answer."""
        return self._spec.silence_timeout_s > 0 and not self._is_silent and not turn.asking

    def _give_up(self, process: RunningProcess, turn: Turn, now: float) -> None:
        """Stop a process that does not end its cancelled turn, or has been silent for too long; end a turn whose model does not answer."""
        if turn.cancel_by is not None and now >= turn.cancel_by:
            turn.cancel_by = float("inf")
            process.stop("stopped", grace_s=self._grace_s(turn))
        elif self._watches_silence(turn) and now >= turn.heard_at + self._spec.silence_timeout_s:
            self._is_silent = True
            process.stop("no output")
        elif (due := self._unanswered_at(turn)) is not None and now >= due:
            turn.halt(f"its model has not answered for {self._spec.wait_max_s:g} s: {turn.seen.trouble if turn.seen else ''}", "unreachable")

    def _grace_s(self, turn: Turn) -> float:
        return self._spec.grace_s if turn.grace_s is None else min(self._spec.grace_s, turn.grace_s)

    def _loss(self, turn: Turn) -> Failure | None:
        """Return what became of a turn whose process ended without a word about it."""
        if turn.outcome is not None or self._end is None:
            return None
        if self._is_silent:
            return Failure("", self._explain(f"no message within {self._spec.silence_timeout_s:g} s"), "no_output")
        if self._end.stopped_reason in ("memory limit", "stalled"):
            return Failure("", self._end.stopped_detail, self._end.stopped_reason.replace(" ", "_"))
        kind = "stopped" if turn.is_stopping else "agent_lost"
        return Failure("", self._explain(f"its process ended: {self._end.describe_end()}"), kind)

    async def _part(self, process: RunningProcess) -> None:
        """Say good-bye, and stop what does not go by itself."""
        if self._end is None:
            process.write(self._protocol.bye())
            process.close_stdin()
        try:
            async with asyncio.timeout(self._spec.grace_s):
                while self._end is None:
                    await self._stirred()
        except TimeoutError:
            process.stop("stopped")

    # -- small steps ------------------------------------------------------------------------------------------------------

    async def _next(self, limit_s: float | None) -> Turn | None:
        """Wait for a turn; None = none came in time, the process has ended, or the agent leaves."""
        try:
            async with asyncio.timeout(limit_s):
                while self._turn is None and not self._leaves and not self._rests and not self._is_over():
                    await self._stirred()
        except TimeoutError:
            pass
        return None if self._is_over() else self._turn

    def _is_over(self) -> bool:
        """Tell whether there is a process that takes no more turns."""
        return self._process is not None and (self._end is not None or self._is_parting)

    async def _stirred(self) -> None:
        await self._stir.wait()
        self._stir.clear()

    def _finish(self, failure: Failure | None = None) -> None:
        """Report the end of the turn."""
        turn, now = self._turn, self._means.clock.now()
        assert turn is not None, "only a turn can end"
        if failure is not None:
            turn.note(f"[engine] {failure.message}")
            turn.fail(failure, now)
        assert turn.outcome is not None, "it has ended"
        if turn.outcome.ok or not turn.outcome.retryable or turn.outcome.error_kind in ("stopped", "start"):
            self._means.conversations.forget(turn.assignment.task)
        kept, artifact = pack_result(turn.assignment.task, turn.result())
        outcome = msgspec.structs.replace(turn.outcome, result=kept, artifact=artifact.id if artifact else "")
        self._turn = None
        self._idle_since = asyncio.get_running_loop().time()
        self._means.report(TasksEnded((outcome,)), (artifact,) if artifact else ())

    def _log_for(self, turn: Turn | None) -> None:
        """Begin the log of a turn, and end that of the former one."""
        if self._logged is not None:
            self._logged.close_log()
        self._logged = turn
        if turn is not None:
            turn.open_log(self._means.host, log_path(self._means.places.logs, turn.assignment.task))

    def _explain(self, text: str) -> str:
        return f"{text}: {self._last_error}" if self._last_error else text

    # -- what the process says --------------------------------------------------------------------------------------------

    def _hear(self, name: StreamName, chunk: bytes) -> None:
        if name == "stdout":
            for message in self._protocol.hear(chunk):
                self._take(message)
        else:
            for line in self._errors.feed(chunk):
                self._take_error(line)

    def _take_error(self, line: Line) -> None:
        text = clean(line.data.decode("utf-8", "replace")) + (f" [… {line.left_out} bytes left out …]" if line.left_out else "")
        if text.strip():
            self._last_error = cut(shield(text.strip()), 300)
            if self._logged is not None:
                self._logged.note(text)

    def _take(self, message: Message) -> None:
        turn = None if self._is_parting else self._turn
        if isinstance(message, Send):
            if self._process is not None:
                self._process.write(message.data)
            return
        if isinstance(message, Noise):
            if self._logged is not None:
                message = shielded(message)
                self._logged.note(f"[not understood: {message.why}] {message.text}")
            return
        if isinstance(message, Hello):
            self._is_greeted = True
        elif isinstance(message, Bye):
            self._is_parting = True
        elif turn is None or message.id not in ("", turn.id):
            logger.info("message about no turn", extra={"agent": self._agent.id, "turn": message.id})
            return
        elif isinstance(message, Usage):
            turn.heard_at = asyncio.get_running_loop().time()
            turn.troubled_at = None
            self._take_usage(turn, message)
        else:
            turn.heard_at = asyncio.get_running_loop().time()
            self._take_word(turn, shielded(message))
        self._stir.set()

    def _take_word(self, turn: Turn, message: Progress | Degraded | Named | Output | Ask | Result | Failure) -> None:
        now = self._means.clock.now()
        turn.note_trouble(message)
        if isinstance(message, Progress):
            turn.add_progress(message, now)
        elif isinstance(message, Degraded):
            turn.add_trouble(message.text, now)
        elif isinstance(message, Named):
            self._means.conversations.note(turn.assignment.task, message.conversation)
        elif isinstance(message, Output):
            turn.add_output(message)
        elif isinstance(message, Result):
            turn.succeed(message, now)
        elif isinstance(message, Failure):
            turn.fail(message, now)
            self._is_parting |= not message.id  # nobody knows any more what it waits for
        else:
            self._take_question(turn, message)

    def _take_usage(self, turn: Turn, told: Usage) -> None:
        used = used_of(told.usage, told.models, *turn.attempt)
        if used is not None:
            self._means.report(TasksUsed((used,)))

    def _take_question(self, turn: Turn, ask: Ask) -> None:
        turn.note(f"[ask {ask.ask}] {ask.tool or ask.text}")
        size = len(wire.encode(ask.arguments))
        if size > ARGUMENTS_MAX_BYTES:
            self._answer(turn, ask.ask, Reply(DENY, f"its arguments take {size:,} bytes; nobody can judge more than {ARGUMENTS_MAX_BYTES:,}"))
        else:
            turn.asking.add(ask.ask)
            self._means.report(TaskAsked(*turn.attempt, ask))

    def _answer(self, turn: Turn, ask: str, reply: Reply) -> None:
        turn.note(f"[answer {ask}] {reply.decision}{f': {reply.text}' if reply.text else ''}")
        turn.heard_at = asyncio.get_running_loop().time()
        if self._process is not None:
            self._process.write(self._protocol.answer(turn.id, ask, reply))


def _no_directory(place: Path) -> Failure:
    return Failure("", f"workspace {str(place)!r} is no directory", "bad_payload", retryable=False)
