"""Repeating a question that was kept: what an instance of the booster failed at, or answered otherwise than a regular agent.

Owner: nobody. The regular agent is asked in a process of its own, since a file may take it down; nothing is written.
"""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

from engine.model.errors import UsageError

Answer = dict[str, Any]


def repeat(file: Path) -> dict[str, Any]:
    """Ask the booster and a regular agent again what a kept file asks, and return both answers. Raises UsageError."""
    try:
        kept = json.loads(file.read_text("utf-8"))
        operation, request = str(kept["operation"]), _request(kept["request"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"{file} holds no question of the booster: {error!r}") from None
    answers = {"booster": _apart(_ask_booster, operation, request), "regular": _apart(_ask_agent, operation, request)}
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
        return _plain(code.run(operation, request))
    except code.CodeError as error:
        return {"error": error.kind, "message": str(error)}


def _ask_booster(operation: str, request: dict[str, Any]) -> Answer:
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
                return _plain(perform(sandbox, program.description, read_request(operation, request)))
            except CodeError as error:
                return {"error": error.kind, "message": str(error)}
            except HandedOn as handed:
                return {"handed_on": handed.reason}
            except SandboxFailure as failure:
                return {"failure": failure.kind, "message": failure.reason}


def _plain(result: Mapping[str, Any]) -> Answer:
    """Return a result as JSON, without the name of who gave it."""
    plain: Answer = json.loads(json.dumps(result))
    if isinstance(plain.get("provenance"), dict):
        plain["provenance"].pop("engine", None)
    return plain
