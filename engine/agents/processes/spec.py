"""What is asked for and what comes back: a program to run, its limits, its result.

Owner: the caller; everything here is frozen.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal

from engine.model.errors import FleetError

DEFAULT_INHERITS = ("PATH", "HOME", "LANG", "LC_*", "TERM", "TZ", "TMPDIR", "USER", "SHELL")
NEVER_INHERITED = ("CLAUDECODE", "CLAUDE_CODE_*", "FLEET_*")
"""An agent that believes it runs inside another one behaves differently (or refuses to start)."""

StreamName = Literal["stdout", "stderr"]
StopReason = Literal[
    "timeout",
    "no output",
    "stopped",
    "cancelled",
    "output failed",
    "spawner lost",
    "host closed",
    "keeper lost",
    "not adopted",
    "lingered",
    "memory limit",
    "stalled",
]


class ProcessStartError(FleetError):
    """A program could not be started; `stage` and `errno` say where and why, as the kernel told it."""

    code = "process_start"

    def __init__(self, message: str, *, stage: str, errno: int) -> None:
        super().__init__(message)
        self.stage = stage
        self.errno = errno


@dataclass(frozen=True, slots=True)
class ProcessLimits:
    """Limits that the kernel enforces on every process of the program; None leaves what the engine itself has."""

    address_space_bytes: int | None = None
    """Virtual memory of one process. Node and WebAssembly reserve many GB they never use: be generous."""
    cpu_s: int | None = None
    """CPU seconds of one process: SIGXCPU then, SIGKILL five seconds later."""
    file_size_bytes: int | None = None
    nice: int = 0
    """0 to 19; higher waits for others."""

    def as_order(self) -> dict[str, int]:
        """Return the limits that are set, by the names that spawner and keeper know."""
        named = {"address_space_bytes": self.address_space_bytes, "cpu_s": self.cpu_s, "file_size_bytes": self.file_size_bytes}
        return {name: value for name, value in named.items() if value is not None}


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    """A program to run."""

    argv: tuple[str, ...]
    cwd: Path
    env: Mapping[str, str] = field(default_factory=dict)
    """Added to what is inherited; wins over it."""
    inherits: tuple[str, ...] = DEFAULT_INHERITS
    """Names of the engine's own variables to pass on; `*` stands for anything. `NEVER_INHERITED` stays out."""
    stdin: bytes | None = None
    """None is /dev/null, because agents wait for an open stdin. Bytes are sent, then stdin is closed."""
    is_interactive: bool = False
    """stdin stays open after `stdin` for RunningProcess.write; close_stdin ends it."""
    timeout_s: float | None = None
    idle_timeout_s: float | None = None
    """Stop when neither stream has said anything this long."""
    grace_s: float = 5.0
    """From SIGTERM to SIGKILL."""
    output_max_bytes: int = 1 << 20
    """Of each stream, half at its head and half at its tail, kept in memory."""
    log_path: Path | None = None
    log_max_bytes: int = 16 << 20
    limits: ProcessLimits = ProcessLimits()

    def __post_init__(self) -> None:
        """Refuse what no program could be started with."""
        if not self.argv or not self.argv[0]:
            raise ValueError("argv is empty: name the program to run")
        for text in (*self.argv, *self.env, *self.env.values(), str(self.cwd)):
            check_passable(text)
        if any(not name or "=" in name for name in self.env):
            raise ValueError("a variable needs a name without '='")


@dataclass(frozen=True, slots=True)
class ProcessResult:
    """How a program ended. exit_code and signal are both None if nobody saw its end."""

    exit_code: int | None
    signal: int | None
    stdout: bytes
    """Head and tail, with a line between them that says how many bytes were left out."""
    stderr: bytes
    stdout_bytes: int
    stderr_bytes: int
    truncated: bool
    started_at: float
    ended_at: float
    cpu_s: float
    """User and system, of the program and the children it waited for."""
    max_rss_bytes: int
    """Of its largest process. The kernel counts from the fork, so nothing reads as less than the spawner's 10 MB."""
    stopped_reason: StopReason | None
    """None: it ended by itself."""
    stopped_detail: str = ""
    """Why in a sentence, where the reason says too little."""
    survivors: tuple[int, ...] = ()
    """Processes of it that SIGKILL did not end: another user's, or stuck in the kernel."""

    @property
    def stdout_text(self) -> str:
        """Return stdout as text; what is not UTF-8 becomes U+FFFD."""
        return self.stdout.decode("utf-8", "replace")

    @property
    def stderr_text(self) -> str:
        """Return stderr as text; what is not UTF-8 becomes U+FFFD."""
        return self.stderr.decode("utf-8", "replace")

    def describe_end(self) -> str:
        """Return how it ended in words for people."""
        reason = f" ({self.stopped_detail or self.stopped_reason})" if self.stopped_reason else ""
        if self.signal is not None:
            known = {one.value for one in signal.Signals}
            name = (
                signal.Signals(self.signal).name
                if self.signal in known
                else f"signal {self.signal}"
            )
            return f"killed by {name}{reason}"
        return f"exit code {'unknown' if self.exit_code is None else self.exit_code}{reason}"


def check_passable(text: str) -> None:
    """Raise ValueError for text that no program can be given: with NUL, or with half a surrogate pair."""
    if "\0" in text:
        raise ValueError(f"a NUL character cannot be passed to a program: {text[:80]!r}")
    try:
        os.fsencode(text)
    except UnicodeEncodeError as error:
        raise ValueError(
            f"text that is not Unicode cannot be passed to a program: {text[:80]!r}"
        ) from error


def build_environment(spec: ProcessSpec, own: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for `spec`, taking from `own` what it inherits."""
    inherited = {
        name: value
        for name, value in own.items()
        if any(fnmatchcase(name, pattern) for pattern in spec.inherits)
        and not any(fnmatchcase(name, pattern) for pattern in NEVER_INHERITED)
    }
    return {**inherited, **spec.env}


def explain_start_failure(spec: ProcessSpec, *, stage: str, number: int) -> ProcessStartError:
    """Return the error for a program that could not be started, saying what to do."""
    why = os.strerror(number) if number else "unknown reason"
    remedies = {
        "pipes": "raise `ulimit -n`, or run fewer agents at once",
        "streams": "raise `ulimit -n`, or run fewer agents at once",
        "fork": "raise `ulimit -u` or free memory, or run fewer agents at once",
        "cwd": f"the working directory {str(spec.cwd)!r} must exist and be readable",
        "exec": f"{spec.argv[0]!r} must be an executable on PATH, or a full path to one, whose interpreter exists",
        "limits": "check its limits and nice value",
        "ledger": "the state directory must be writable and have room: without a ledger entry nothing is started",
        "log": f"the log {str(spec.log_path)!r} must be writable",
        "key": "a program with this key runs already: wait for it or stop it",
        "keeper": "the process keeper does not start; see keeper.log in the state directory",
        "spawner": "the process spawner does not answer; see spawner.log in the state directory",
    }
    message = f"cannot start {spec.argv[0]!r}: {stage}: {why}; {remedies.get(stage, 'see the engine log')}"
    return ProcessStartError(message, stage=stage, errno=number)
