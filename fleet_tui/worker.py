"""`fleet-tui worker`: what the options of the command line ask for, and the worker in this process.

Owner: of the process's signals and its log while the worker runs.
"""

from __future__ import annotations

import asyncio
import os
import platform
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from engine.api.trust import context_of
from engine.model.errors import UsageError
from engine.model.machines import THIS_MACHINE
from engine.model.pools import labels_of
from engine.model.redis_config import EMBEDDED, RedisSection
from engine.worker import KINDS, Engine, Joining, lacking_here, run_worker
from fleet_tui import output
from fleet_tui.attach import EngineRunning, hold_lock
from fleet_tui.logs import open_log
from fleet_tui.serve import end_signals
from fleet_tui.settings import Paths, Remote, find_paths, name_of, prepare_state, state_home

_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,62}")
_ENGINES = "hst_"
"""What ids of the engine's own processes begin with."""


def run(root: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Be a host until a signal comes. Raises FleetError."""
    name = _name_of(wanted["name"])
    paths = find_paths(root["directory"], state_dir=root["state_dir"])
    if not root["state_dir"]:
        paths = replace(paths, state_dir=state_home(os.environ) / f"worker-{name}-{name_of(paths.directory)}")
    joining = _joining(name, paths, wanted)
    prepare_state(paths)
    try:
        with hold_lock(paths), open_log(paths.log, "INFO", echo=True):
            asyncio.run(_run(joining))
    except EngineRunning as error:
        raise EngineRunning(f"{paths.state_dir} is in use by another worker or engine; give this one another --name or --state-dir") from error


async def _run(joining: Joining) -> None:
    with end_signals(detached=False) as over:
        await run_worker(joining, over, output.say)
    output.say("worker ended; its tasks run elsewhere")


def _joining(name: str, paths: Paths, wanted: Mapping[str, Any]) -> Joining:
    try:
        where = _where(wanted)
        labels = {key: value for text in wanted["labels"] for key, value in labels_of(text).items()}
    except ValidationError as error:
        told = "; ".join(f"{'.'.join(map(str, entry['loc'])) or '--join'}: {entry['msg'].removeprefix('Value error, ')}" for entry in error.errors())
        raise UsageError(told.replace("url: ", "--join: ")) from error
    except ValueError as error:
        raise UsageError(f"--label: {error}") from error
    return Joining(where, name, paths.directory, paths.state_dir, wanted["agents"] or 0, _kinds(wanted["kinds"]), _words(wanted["pools"]), labels)


def _where(wanted: Mapping[str, Any]) -> RedisSection | Engine:
    ca_file = Path(wanted["ca_file"]) if wanted["ca_file"] else None
    if ca_file is not None and not wanted["url"].startswith(("wss://", "rediss:", "rediss+")):
        raise UsageError("--ca-file is for wss:// and rediss://, also of Sentinels and clusters: nothing else has a certificate")
    if ca_file is not None:
        context_of(ca_file)  # a file that holds none is told before anything is tried
    if wanted["url"].startswith(("ws://", "wss://")):
        token_file = wanted["token_file"]
        return Engine(wanted["url"], Remote(wanted["url"], Path(token_file) if token_file else None).read_token(), ca_file)
    if wanted["token_file"]:
        raise UsageError("--token-file is for an engine at ws:// or wss://; the password of Redis comes from REDIS_PASSWORD")
    section = RedisSection.model_validate({"url": wanted["url"], "region": wanted["region"], "lazy_connect": False, **({"tls": {"ca_file": ca_file}} if ca_file else {})})
    if not wanted["url"] or section.url == EMBEDDED:
        raise UsageError("--join: an embedded server is its engine's own; give the URL of one that both can reach, as in redis://host:6379, or of the engine, as in wss://host")
    return section


def _kinds(text: str) -> tuple[str, ...]:
    lacking, kinds = lacking_here(), _words(text)
    for kind in kinds:
        if kind not in KINDS:
            raise UsageError(f"--kinds: there is no kind {kind!r} for hosts; there are {', '.join(KINDS)}")
        if kind in lacking:
            raise UsageError(f"--kinds: no agents of kind {kind} here: {lacking[kind]}")
    if kinds:
        return kinds
    for kind, why in lacking.items():
        output.say(f"no agents of kind {kind} here: {why}")
    return tuple(kind for kind in KINDS if kind not in lacking)


def _name_of(given: str) -> str:
    name = given or re.sub(r"[^a-z0-9.-]", "-", platform.node().lower()).strip("-.") or "worker"
    if not _NAME.fullmatch(name) or name == THIS_MACHINE or name.startswith(_ENGINES):
        raise UsageError(f"--name: {name!r} cannot be a host's name; write small letters, digits, dots and dashes, and not {THIS_MACHINE!r}")
    return name


def _words(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))
