"""Repeating a question that was kept: what an instance of the booster failed at, or answered otherwise than a regular agent.

Owner: nobody. The regular agent is asked in a process of its own, since a file may take it down; nothing is written.
"""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path
from typing import Any

from engine.model.code_results import without_engine
from engine.model.errors import UsageError
from engine.model.modules import USER_PREFIX

Answer = dict[str, Any]
TIMEOUT_S = 30.0
"""How long an operation of the booster may take when it is repeated, unless it is said; seconds of wall time."""
MODULES = "modules"
"""Folder of the modules of operators, beside that of kept failures."""


def repeat(file: Path, timeout_s: float = TIMEOUT_S) -> dict[str, Any]:
    """Ask the booster and a regular agent again what a kept file asks, and return both answers; of an operator's module
    there is only one. `timeout_s` is for the booster. Raises UsageError."""
    try:
        kept = json.loads(file.read_text("utf-8"))
        operation, request = str(kept["operation"]), _request(kept["request"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"{file} holds no question of the booster: {error!r}") from None
    if operation.startswith(USER_PREFIX):
        return {"operation": operation, "equal": None, "module": _apart(partial(_ask_module, _module_of(file, kept), timeout_s), operation, request)}
    answers = {"booster": _apart(partial(_ask_booster, timeout_s), operation, request), "regular": _apart(_ask_agent, operation, request)}
    return {"operation": operation, "equal": answers["booster"] == answers["regular"], **answers}


def _request(kept: Mapping[str, Any]) -> dict[str, Any]:
    """Return what to ask: the text that was kept, if it was, else the file as it is now; never written."""
    left_out = {"apply", *(("path", "workspace") if kept.get("source") is not None else ())}
    return {key: value for key, value in kept.items() if value is not None and key not in left_out}


def _apart(ask: Callable[[str, dict[str, Any]], Answer], operation: str, request: dict[str, Any]) -> Answer:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        try:
            return pool.submit(ask, operation, request).result()
        except BrokenProcessPool:
            return {"error": "its process died"}


def _ask_agent(operation: str, request: dict[str, Any]) -> Answer:
    from engine.agents import code

    try:
        return _as_json(code.run(operation, request))
    except code.CodeError as error:
        return {"error": error.kind, "message": str(error)}


def _module_of(file: Path, kept: Mapping[str, Any]) -> Path:
    """Return where the module is that a kept file asked: the engine lays its modules out beside its failures."""
    path = file.absolute().parent.parent / MODULES / f"{kept.get('module')}.wasm"
    if not path.is_file():
        raise UsageError(f"{path} is not there: the module was removed, or {file.name} is no longer where the engine has put it")
    return path


def _ask_module(path: Path, timeout_s: float, operation: str, request: dict[str, Any]) -> Answer:
    from engine.booster.cache import AnswerCache
    from engine.booster.failures import SandboxFailure
    from engine.booster.module import find_module
    from engine.booster.operations import LANGUAGES
    from engine.booster.records import Answer as Said
    from engine.booster.records import File
    from engine.booster.sandbox import MEMORY_MAX_BYTES, Machine, Sandbox
    from engine.booster.user_work import UserWork
    from engine.model.code_errors import CodeError

    with Machine() as machine, Sandbox(machine.load(find_module())) as own:

        def parse(text: str, language: str) -> Said:
            (answer,) = own.run("code.parses", [File(LANGUAGES[language], text.encode())])
            return answer

        try:
            work = UserWork(machine, path.parent, AnswerCache(), MEMORY_MAX_BYTES)
            return _as_json(work.perform(work.find(path.stem, operation, request), parse, timeout_s))
        except CodeError as error:
            return {"error": error.kind, "message": str(error)}
        except SandboxFailure as failure:
            return {"failure": failure.kind, "message": failure.reason}


def _ask_booster(timeout_s: float, operation: str, request: dict[str, Any]) -> Answer:
    from engine.booster.failures import SandboxFailure
    from engine.booster.module import find_module
    from engine.booster.operations import perform
    from engine.booster.sandbox import Machine, Sandbox
    from engine.model.code_errors import CodeError, HandedOn
    from engine.model.code_operations import read_request

    with Machine() as machine:
        program = machine.load(find_module())
        with Sandbox(program) as sandbox:
            try:
                return _as_json(perform(sandbox, program.description, read_request(operation, request), timeout_s=timeout_s))
            except CodeError as error:
                return {"error": error.kind, "message": str(error)}
            except HandedOn as handed:
                return {"handed_on": handed.reason}
            except SandboxFailure as failure:
                return {"failure": failure.kind, "message": failure.reason}


def _as_json(result: Mapping[str, Any]) -> Answer:
    """Return a result as JSON has it, without the name of who gave it."""
    plain: Answer = json.loads(json.dumps(without_engine(result)))
    return plain
