"""What lives in a worker and does all of its jobs, in place of functions: the booster, with an instance for each agent.

Owner: nobody; the worker keeps the one that it was told to make, and names its module only: rooms do not know each other.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import partial
from typing import Protocol, cast

from engine.agents.light.answers import JobFailed
from engine.agents.light.frames import Job, WorkerOptions

LEFT = "left "
"""Word to a resident, and the agent: that one has left."""
HANDED_ON = "handed_on"
"""JobFailed.kind, and in the engine Outcome.error_kind, of a job that a regular agent is to do."""


class Whose(Protocol):
    """What is known of a job beside what is asked: a `Job`."""

    @property
    def agent(self) -> str:
        """Whose job it is."""
        ...

    @property
    def timeout_s(self) -> float:
        """The job's own limit; 0 = none."""
        ...

    @property
    def module(self) -> str:
        """SHA-256 of the operator's module that is to do it; empty = none."""
        ...


class Resident(Protocol):
    """Does jobs. perform() is called in the main thread, the others in threads of their own."""

    def perform(self, whose: Whose, type_: str, payload: dict[str, object]) -> dict[str, object]:
        """Do a job. Raises `CodeError`, `HandedOn`."""
        ...

    def interrupt(self) -> None:
        """End the job that is running, if it can be; TaskStopped is raised where it ends."""
        ...

    def tell(self, word: str) -> None:
        """Hear what every worker is told."""
        ...

    def figures(self) -> dict[str, object] | None:
        """Return what has changed since the last call, None if nothing has."""
        ...


def settle(options: WorkerOptions, now: Callable[[], float]) -> Resident | None:
    """Make the resident that the options name, as `module:function`; None without one. Raises what that raises."""
    if not options.resident:
        return None
    module, _, name = options.resident.partition(":")
    make = getattr(importlib.import_module(module), name)
    return cast("Resident", make(options.resident_options, now))


def function_of(resident: Resident, job: Job) -> Callable[[str, dict[str, object]], object]:
    """Return what does a job, as a handler."""
    return partial(_perform, resident, job)


def _perform(resident: Resident, job: Job, type_: str, payload: dict[str, object]) -> dict[str, object]:
    from engine.model.code_errors import CodeError, HandedOn  # has been imported by the resident

    try:
        return resident.perform(job, type_, payload)
    except HandedOn as error:
        told: dict[str, object] = {"failure": error.failure, "reproducer": error.reproducer} if error.failure else {}
        raise JobFailed(HANDED_ON, error.reason, retryable=True, result=told) from None
    except CodeError as error:
        raise JobFailed(error.kind, str(error), retryable=False, result=place_of(error.line, error.column)) from error


def place_of(line: int | None, column: int | None) -> dict[str, object]:
    """Return a place as the result of a job that failed there."""
    return {name: value for name, value in (("line", line), ("column", column)) if value is not None}
