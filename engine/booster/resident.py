"""The booster in a worker process: one instance for each agent, its answers, its failures, and what is told of them.

Owner: of the process's machine and program, of the instances by agent, their figures, the cache of answers and the
breaker. The worker's main thread performs; its reader may interrupt and clear; its pulse takes figures. An instance that
failed is closed, which gives its memory back, and the next one is made at once.
"""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from statistics import median
from typing import Final, Protocol

import msgspec

from engine.booster.asking import list_offered
from engine.booster.breaker import Breaker
from engine.booster.cache import AnswerCache, KeptAnswers
from engine.booster.failures import SandboxFailure, TimedOut
from engine.booster.figures import OTHER, REASONS_MAX, Figures, InstanceFigures, Options
from engine.booster.operations import LANGUAGES, perform, why_not
from engine.booster.records import Answer, File
from engine.booster.reproducers import Reproducers
from engine.booster.sandbox import Machine, Sandbox
from engine.booster.user_work import Asked, UserWork
from engine.model.code_errors import CodeError, HandedOn
from engine.model.code_operations import OPERATIONS, read_request
from engine.model.code_requests import CodeRequest
from engine.model.modules import SHORT_HASH, USER_PREFIX

ERROR_MAX_CHARS: Final = 300
TIMES_MAX: Final = 101
"""Calls of an instance that its median time is of."""
USED_INTERVAL_S: Final = 0.2  # asking the module for its use costs a call
CLEAR_CACHE: Final = "clear_cache"
LEFT: Final = "left "  # and the agent
_EARLY: Final = 0.9  # of its time; a call that was ended before that was meant to be another


class Whose(Protocol):
    """What is known of a task beside what it asks."""

    @property
    def agent(self) -> str:
        """Whose task it is."""
        ...

    @property
    def timeout_s(self) -> float:
        """The task's own limit; 0 = none."""
        ...

    @property
    def module(self) -> str:
        """SHA-256 of the operator's module that is to do it; empty = none."""
        ...


def settle(options: Mapping[str, object], now: Callable[[], float]) -> "Resident":
    """Be made by a worker; `now` is the fleet's clock. Raises `BadModule`."""
    return Resident(msgspec.convert(options, Options), now)


class Resident:
    """What a worker of the booster asks."""

    def __init__(self, options: Options, now: Callable[[], float]) -> None:
        self._options = options
        self._now = now
        self._machine = Machine()
        self._program = self._machine.load(Path(options.module))
        self._description = self._program.description
        catalogue = {name: row.languages for name, row in OPERATIONS.items()}
        self._offered = list_offered(catalogue, {row.name: row.languages for row in self._description.operations})
        self._boxes: dict[str, Sandbox] = {}
        self._rows: dict[str, InstanceFigures] = {}
        self._times: dict[str, deque[float]] = {}
        """How long the newest calls of each agent's instances took."""
        self._cache = AnswerCache(options.cache_max_bytes)
        self._users = UserWork(self._machine, Path(options.modules), self._cache, options.memory_max_bytes)
        self._breaker = Breaker(now)
        self._reproducers = Reproducers(Path(options.reproducers))
        self._handed_on: Counter[str] = Counter()
        self._answered = 0
        self._failures = 0
        self._reproducer = ""
        self._used_at = 0.0
        self._at_work = threading.Lock()
        self._leaving: deque[str] = deque()
        """Agents that left and whose instances are still to be closed."""
        self._gone = InstanceFigures("")
        """Counts of those that are closed."""
        self._told = b""

    # ---- the main thread

    def perform(self, whose: Whose, type_: str, payload: dict[str, object]) -> dict[str, object]:
        """Do a task of an agent; 0 s = as long as the configuration says. Raises `CodeError`, `HandedOn`."""
        with self._at_work:
            limit_s = min(whose.timeout_s or self._options.timeout_s, self._options.timeout_s)
            try:
                if type_.startswith(USER_PREFIX):
                    result = self._perform_user(whose, type_, payload, limit_s)
                else:
                    result = self._perform(whose.agent, limit_s, type_, payload)
            except HandedOn as handed:
                self._count(handed.failure or handed.reason.partition(" (line ")[0])
                raise
            except CodeError:
                self._answered += 1
                raise
            finally:
                self._bury()
            self._answered += 1
            return result

    def _perform(self, agent: str, limit_s: float, type_: str, payload: dict[str, object]) -> dict[str, object]:
        if type_ not in OPERATIONS:
            raise HandedOn(f"the booster has no {type_}")
        request = read_request(type_, payload)
        if reason := why_not(self._description, type_, request.language):
            raise HandedOn(reason)
        circuit = f"{type_} {request.language}"
        if not self._breaker.lets(circuit):
            raise HandedOn(f"{circuit} failed too often in the booster and is left alone for a while")
        failure: SandboxFailure
        try:
            result = self._twice(agent, partial(self._ask, agent, request, limit_s), limit_s)
        except SandboxFailure as error:
            failure = type(error)(error.reason)  # not the one raised: its traceback leads to the instance's memory
        except (CodeError, HandedOn):
            self._breaker.note(circuit, failed=False)
            raise
        except BaseException:  # the task was told to stop: the call may have been ended anywhere
            self._breaker.forget(circuit)
            self._drop(agent)
            raise
        else:
            self._breaker.note(circuit, failed=False)
            return result
        self._breaker.note(circuit, failed=True)
        raise self._fail(agent, request, failure)

    def _twice(self, agent: str, ask: Callable[[], dict[str, object]], limit_s: float) -> dict[str, object]:
        """Perform; a call that another's stop has ended is made again."""
        began = time.monotonic()  # noqa: TID251  # a worker process has no Clock
        try:
            return ask()
        except TimedOut:
            if time.monotonic() - began >= limit_s * _EARLY:  # noqa: TID251
                raise
        self._drop(agent)
        return ask()

    # ---- modules of operators

    def _perform_user(self, whose: Whose, type_: str, payload: dict[str, object], limit_s: float) -> dict[str, object]:
        """Do what an operator's module offers; nobody else does it, so every failure ends the task. Raises `CodeError`."""
        circuit = f"{type_} {whose.module[:SHORT_HASH]}"
        asked: Asked | None = None
        try:
            asked = self._users.find(whose.module, type_, payload)
            if not self._breaker.lets(circuit):
                raise CodeError("module_failed", f"{type_} failed too often and is left alone for a while; see `get modules`, and retry the task later.")
            ask = partial(self._users.perform, asked, partial(self._parse, whose.agent, limit_s), limit_s)
            result = self._twice(whose.agent, ask, limit_s)
        except SandboxFailure as error:
            failure = type(error)(error.reason)  # as in _perform
        except CodeError:
            if asked is not None:
                self._breaker.note(circuit, failed=False)
            raise
        except BaseException:
            self._breaker.forget(circuit)
            self._drop(whose.agent)
            raise
        else:
            self._breaker.note(circuit, failed=False)
            return result
        self._breaker.note(circuit, failed=True)
        raise self._fail_user(whose.module, type_, asked, failure)

    def _parse(self, agent: str, limit_s: float, text: str, language: str) -> Answer:
        (answer,) = self._run(agent, "code.parses", [File(LANGUAGES[language], text.encode())], {}, timeout_s=limit_s)
        return answer

    def _fail_user(self, sha256: str, type_: str, asked: Asked | None, failure: SandboxFailure) -> CodeError:
        """Note a module's failure, and say it."""
        figures = self._users.note(sha256)
        figures.failures += 1
        figures.last_error = f"{type_}: {failure.kind}: {failure.reason}"[:ERROR_MAX_CHARS]
        figures.last_error_at = self._now()
        path = self._reproducers.write(self._case(asked.request, failure) | {"module": sha256}) if asked is not None else ""
        again = f" Repeat it with `fleet-tui repeat {path}`." if path else ""
        return CodeError("module_failed", f"{type_} of the module {sha256[:SHORT_HASH]} failed ({failure.kind}): {failure.reason}. Nothing was changed.{again}")

    def _ask(self, agent: str, request: CodeRequest, limit_s: float) -> dict[str, object]:
        box = KeptAnswers(self._cache, partial(self._run, agent), keeps=not OPERATIONS[request.operation].edits)
        return perform(box, self._description, request, timeout_s=limit_s)

    def _run(  # noqa: PLR0913  # a sandbox's own arguments, and whose it is
        self, agent: str, operation: str, files: Sequence[File], arguments: Mapping[str, str | int], *, timeout_s: float
    ) -> list[Answer]:
        box = self._box(agent)
        row = self._rows[agent]
        row.calls += 1
        began = time.perf_counter()  # noqa: TID251  # a worker process has no Clock
        try:
            return box.run(operation, files, arguments, timeout_s=timeout_s)
        finally:
            ended = time.perf_counter()  # noqa: TID251
            row.last_s = ended - began
            row.busy_s += row.last_s
            self._times.setdefault(agent, deque(maxlen=TIMES_MAX)).append(row.last_s)
            self._measure(row, box, ended)

    def _measure(self, row: InstanceFigures, box: Sandbox, at: float) -> None:
        """Note the memory of an instance; how much of it is used is asked now and then only."""
        memory = box.memory_bytes
        if not box.is_lost and (memory != row.memory_bytes or at - self._used_at > USED_INTERVAL_S):
            self._used_at = at
            row.used_bytes = box.measure_used_bytes()
        row.memory_bytes = memory

    def _box(self, agent: str) -> Sandbox:
        box = self._boxes.get(agent)
        if box is not None and not box.is_lost:
            return box
        row = self._rows.get(agent)
        if row is None:
            row = self._rows[agent] = InstanceFigures(agent)
        elif row.failures and not self._options.recovers:
            raise HandedOn("its instance failed, and booster.recoveryEnabled is false")
        else:
            row.restarts += 1
        box = self._boxes[agent] = Sandbox(self._program, memory_max_bytes=self._options.memory_max_bytes)
        return box

    def _drop(self, agent: str) -> None:
        box = self._boxes.pop(agent, None)
        if box is not None:
            box.close()

    def _fail(self, agent: str, request: CodeRequest, failure: SandboxFailure) -> HandedOn:
        """Isolate a failed instance, have another take its place, and say what is to be told of it."""
        self._drop(agent)
        row = self._rows.setdefault(agent, InstanceFigures(agent))
        row.failures += 1
        row.memory_bytes = row.used_bytes = 0
        row.last_error = f"{request.operation}: {failure.kind}: {failure.reason}"[:ERROR_MAX_CHARS]
        row.last_error_at = self._now()
        self._failures += 1
        if self._options.recovers:
            with suppress(SandboxFailure):  # not even an empty one starts: the next task tells it again
                self._measure(row, self._box(agent), 0.0)
        path = self._reproducers.write(self._case(request, failure))
        self._reproducer = path or self._reproducer
        return HandedOn(f"{failure.kind}: {failure.reason}", failure=failure.kind, reproducer=path)

    def _case(self, request: CodeRequest, failure: SandboxFailure) -> dict[str, object]:
        what = request.model_dump(exclude={"apply", "workspace"})
        if request.path is not None:
            try:
                what["source"] = Path(request.location).read_text("utf-8", errors="replace")
            except OSError as error:
                what["source"] = f"cannot be read any more: {error}"
        return {
            "failure": failure.kind,
            "reason": failure.reason,
            "at": self._now(),
            "module": self._module,
            "operation": request.operation,
            "request": what,
        }

    def _bury(self) -> None:
        """Close the instances of agents that left, and keep their counts."""
        while self._leaving:
            agent = self._leaving.popleft()
            self._drop(agent)
            self._times.pop(agent, None)
            row = self._rows.pop(agent, None)
            if row is not None:
                self._gone.calls += row.calls
                self._gone.busy_s += row.busy_s

    def _count(self, reason: str) -> None:
        known = reason in self._handed_on or len(self._handed_on) < REASONS_MAX
        self._handed_on[reason if known else OTHER] += 1

    @property
    def _module(self) -> str:
        return f"{self._description.name} {self._description.version}"

    # ---- other threads

    def interrupt(self) -> None:
        """End the call that is running, if there is one."""
        self._machine.ticker.skip(self._options.timeout_s)

    def tell(self, word: str) -> None:
        """Do what an operator wants of every worker, or what follows when an agent has left."""
        if word == CLEAR_CACHE:
            self._cache.clear()
            return
        self._leaving.append(word.removeprefix(LEFT))
        if self._at_work.acquire(blocking=False):  # else the main thread does it, when its call ends
            try:
                self._bury()
            finally:
                self._at_work.release()

    def figures(self) -> dict[str, object] | None:
        """Return what has changed since the last time, None if nothing has."""
        if not self._options.tracks:
            return None
        for agent, times in list(self._times.items()):
            if (row := self._rows.get(agent)) is not None:
                row.p50_s = median(tuple(times))
        figures = Figures(
            module=self._module,
            operations=[f"{name} ({', '.join(languages)})" for name, languages in self._offered.items()],
            answered=self._answered,
            handed_on=dict(self._handed_on),
            failures=self._failures,
            cache_hits=self._cache.hits,
            cache_misses=self._cache.misses,
            cache_bytes=self._cache.bytes,
            breakers=self._breaker.opened(),
            reproducer=self._reproducer,
            gone_calls=self._gone.calls,
            gone_busy_s=self._gone.busy_s,
            instances=list(self._rows.values()),
            modules=list(self._users.figures.values()),
        )
        told = msgspec.msgpack.encode(figures)
        if told == self._told:
            return None
        self._told = told
        plain: dict[str, object] = msgspec.msgpack.decode(told)
        return plain
