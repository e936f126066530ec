"""Which function does a job: a pool's own handler, a built-in type, or an operation on code.

Owner: the cache of imported handlers, one for each pool at most. Runs in the worker; light, what is heavy is
imported at the first job that needs it.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable

from engine.agents.light.answers import JobFailed, text_of
from engine.agents.light.frames import Job
from engine.agents.light.resident import Resident, function_of, place_of

Function = Callable[[str, dict[str, object]], object]

CODE_PREFIX = "code."
SLEEP_MAX_S = 86_400.0


class Handlers:
    """Finds the function for a job."""

    def __init__(self, resident: Resident | None = None) -> None:
        self._resident = resident
        """Does all jobs, if there is one."""
        self._found: dict[str, tuple[Function, bool]] = {}

    def find(self, job: Job) -> tuple[Function, bool]:
        """Return the function for a job, and whether it is a coroutine function; may import. Raises JobFailed."""
        if self._resident is not None:
            return function_of(self._resident, job), False
        name = job.handler or job.type
        found = self._found.get(name)
        if found is None:
            found = self._keep(name, load_handler(name) if job.handler else find_built_in(name))
        return found

    def load(self, name: str) -> None:
        """Import a pool's handler, before its first job. Raises JobFailed."""
        self._keep(name, load_handler(name))

    def _keep(self, name: str, function: Function) -> tuple[Function, bool]:
        found = self._found[name] = (function, is_async(function))
        return found


def is_async(function: Function) -> bool:
    """Answer whether calling it gives something to await."""
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(getattr(function, "__call__", None))  # noqa: B004  # an object with an async __call__


def payload_for(job: Job) -> dict[str, object]:
    """Return the payload as its function gets it: with the workspace and the inputs that the task has."""
    payload = job.payload
    if job.workspace:
        payload["workspace"] = job.workspace
    if job.inputs:
        payload["inputs"] = job.inputs
    if job.apply or (job.type.startswith(CODE_PREFIX) and not job.handler):
        payload["apply"] = job.apply
    return payload


def load_handler(name: str) -> Function:
    """Import `module:function`. Raises JobFailed."""
    module_name, _, path = name.partition(":")
    importlib.invalidate_caches()  # the module may have come since the last look
    try:
        found: object = importlib.import_module(module_name)
        for part in path.split("."):
            found = getattr(found, part)
    except Exception as error:  # a plug-in's own code runs here
        text = f"cannot import the handler {name!r}: {type(error).__name__}: {text_of(error)}"
        raise JobFailed("bad_handler", text, retryable=False) from error
    if not callable(found):
        raise JobFailed("bad_handler", f"the handler {name!r} is not a function; write module:function", retryable=False)
    return found


def find_built_in(name: str) -> Function:
    """Return what does a built-in type. Raises JobFailed for a type that nobody knows."""
    if name in BUILT_IN:
        return BUILT_IN[name]
    from engine.agents import code

    if name in code.OPERATIONS:
        return operate
    known = ", ".join((*BUILT_IN, *code.OPERATIONS))
    raise JobFailed("unknown_type", f"no task type {name!r}; known: {known}; or give the pool a handler", retryable=False)


def noop(_type: str, _payload: dict[str, object]) -> dict[str, object]:
    """Do nothing."""
    return {}


def echo(_type: str, payload: dict[str, object]) -> dict[str, object]:
    """Give the payload back."""
    return payload


async def sleep(_type: str, payload: dict[str, object]) -> dict[str, object]:
    """Wait for `seconds`, doing nothing else: for tests and demonstrations of waiting."""
    import asyncio

    seconds = payload.get("seconds", 0)
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds <= SLEEP_MAX_S:
        raise JobFailed("bad_parameter", f"seconds is {seconds!r}; give a number from 0 to {SLEEP_MAX_S:g}", retryable=False)
    await asyncio.sleep(seconds)  # noqa: TID251  # a worker process has no Clock
    return {"slept_s": seconds}


def operate(type_: str, payload: dict[str, object]) -> dict[str, object]:
    """Run an operation on code. Raises JobFailed."""
    from engine.agents import code

    try:
        return code.run(type_, payload)
    except code.CodeError as error:
        raise JobFailed(error.kind, str(error), retryable=False, result=place_of(error.line, error.column)) from error


BUILT_IN: dict[str, Function] = {"noop": noop, "echo": echo, "sleep": sleep}
