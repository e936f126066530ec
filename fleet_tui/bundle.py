"""`fleet-tui bundle`: what somebody who helps needs to know of a fleet, in one archive that is safe to send.

Owner: the archive, until it is written. It works with the engine down and with a state directory that is broken; what
is missing is said in the manifest, with the reason. Limits: PART_BYTES_MAX a file, QUESTION_S for each look.

What people and agents wrote is left out as a whole: no pattern can tell a secret in it from any other word. Of the rest,
what looks like a secret is hidden, and so is every value that configuration and environment give as one.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import os
import re
import tarfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from engine.clock import SystemClock
from engine.model.errors import FleetError, UsageError
from engine.model.rows import ROW_KINDS
from engine.model.secrets import HIDDEN, redact
from engine.model.wire import to_plain
from fleet_tui import output
from fleet_tui.acts import operator_at
from fleet_tui.attach import find_address
from fleet_tui.bundle_parts import (
    config_of,
    database_facts,
    environment_facts,
    files_of,
    read_end,
    secret_values,
    terminal_facts,
    versions,
)
from fleet_tui.settings import Address, Paths

PART_BYTES_MAX = 512 * 1024
ROWS_MAX = 500
EVENTS_MAX = 200
LOG_BYTES = 256 * 1024
QUESTION_S = 15.0

WORDS = {
    "pools": {"reason"},
    "agents": {"task_title", "reason"},
    "tasks": {"title", "reason", "submitted_by"},
    "hosts": {"evidence"},
    "events": {"text"},
}
"""Fields that hold what people, agents and programs wrote."""

ID = re.compile(r"[a-z]{2,4}_\w+")

NEVER = (
    ("prompts, payloads, results, diffs and logs of tasks", "people and agents wrote them"),
    ("titles and reasons of tasks, texts of events, plans and audit", "they may quote what people and agents wrote"),
    ("the database, artifacts and memory", "they hold all of that; journal.json has their sizes and counts"),
    ("values of environment variables", "many are secrets; environment.json has the names that matter here"),
    ("fleet.toml as it is written", "comments may hold anything; config.json has what it means, without secrets"),
)
"""What is left out of every bundle, and why."""


@dataclass(slots=True)
class Bundle:
    """Files of an archive, and what is not in it."""

    hidden: frozenset[str] = frozenset()
    """Values that must not appear anywhere."""
    parts: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    """File name to what it is and its content."""
    left_out: list[tuple[str, str]] = field(default_factory=lambda: list(NEVER))

    def add(self, name: str, what: str, content: object) -> None:
        """Add plain values as JSON, or a text; too much of a text loses its beginning, too many rows are cut by who asks."""
        clean = self._scrub(redact(content))
        text = clean if isinstance(clean, str) else json.dumps(clean, ensure_ascii=False, indent=2, default=str) + "\n"
        data = text.encode("utf-8", "replace")
        if len(data) > PART_BYTES_MAX:
            self.left_out.append((f"the first {len(data) - PART_BYTES_MAX:,} bytes of {name}", "a bundle is small"))
            data = data[-PART_BYTES_MAX:]
        self.parts[name] = what, data

    def leave_out(self, what: str, why: str) -> None:
        """Note what is missing."""
        self.left_out.append((what, str(self._scrub(redact(why)))))

    def _scrub(self, value: object) -> object:
        """Return plain values without those that must not appear."""
        if isinstance(value, Mapping):
            return {key: self._scrub(inner) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self._scrub(inner) for inner in value]
        if isinstance(value, str):
            # The longest first: one may be a part of another. In a log they stand as JSON has them.
            for secret in sorted(self.hidden, key=len, reverse=True):
                value = value.replace(secret, HIDDEN).replace(json.dumps(secret)[1:-1], HIDDEN)
        return value

    def manifest(self, at: float) -> dict[str, object]:
        """Return what the archive holds and what it does not."""
        return {
            "made_at": datetime.fromtimestamp(at, tz=UTC).isoformat(timespec="seconds"),
            "by": "fleet-tui bundle",
            "files": [
                {"name": name, "what": what, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
                for name, (what, data) in self.parts.items()
            ],
            "left_out": [{"what": what, "why": why} for what, why in self.left_out],
        }


def gather(paths: Paths, environment: Mapping[str, str] | None = None) -> Bundle:
    """Return a bundle of everything that can be learnt here. Raises nothing: what fails is left out, and said."""
    environment = os.environ if environment is None else environment
    bundle = Bundle(secret_values(paths.config, environment))
    for name, what, look in _looks(paths, environment):
        try:
            bundle.add(name, what, look())
        except Exception as error:  # noqa: BLE001  # whatever is broken here is what the bundle is made for
            bundle.leave_out(f"{name} ({what})", _why(error))
    _ask_engine(paths, bundle)
    return bundle


def _why(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "there is none"
    return str(error) if isinstance(error, FleetError) else f"{type(error).__name__}: {error}"


def _looks(paths: Paths, environment: Mapping[str, str]) -> Iterator[tuple[str, str, Callable[[], object]]]:
    yield "versions.json", "versions of the program, Python, the system and libraries", versions
    yield "terminal.json", "what the terminal is", lambda: terminal_facts(environment)
    yield "environment.json", "names of variables that matter here", lambda: environment_facts(environment)
    yield "doctor.json", "what `fleet-tui doctor` finds", lambda: _findings(paths, environment)
    yield "config.json", "the configuration in force, without secrets", lambda: config_of(paths.config, environment)
    yield "files.json", "what lies in the state directory", lambda: files_of(paths)
    yield "journal.json", "the database: sizes, counts, integrity", lambda: database_facts(paths.database, QUESTION_S)
    yield "engine.log", "the end of the engine's log", lambda: read_end(paths.log, LOG_BYTES)
    yield "printed.log", "what plug-ins, C code and programs printed in the engine's process", lambda: read_end(paths.printed, LOG_BYTES)
    yield "engine.err", "what the last engine that a console started wrote to standard error", lambda: read_end(paths.start_errors, LOG_BYTES)


def _findings(paths: Paths, environment: Mapping[str, str]) -> list[dict[str, str]]:
    from fleet_tui.doctor import examine

    return [{"what": finding.what, "state": finding.state, "text": finding.text} for finding in examine(paths, environment)]


# ---- what a running engine says


def _ask_engine(paths: Paths, bundle: Bundle) -> None:
    socket = find_address(paths)
    if socket is None:
        names = ", ".join(["status.json", *(f"{kind}.json" for kind in WORDS)])
        bundle.leave_out(names, "no engine runs here; journal.json has what the database says")
        return
    try:
        asyncio.run(_ask_all(socket, bundle))
    except Exception as error:  # noqa: BLE001  # as above: an engine that answers nonsense is a reason to make a bundle
        bundle.leave_out("what the engine says of itself", f"it does not answer: {_why(error)}")


async def _ask_all(socket: Address, bundle: Bundle) -> None:
    async with asyncio.timeout(QUESTION_S), operator_at(socket) as operator:
        bundle.add("status.json", "the fleet in one look", _without_words("status", to_plain(await operator.query("status"))))
        for kind in WORDS:
            most = EVENTS_MAX if kind == "events" else ROWS_MAX
            rows = await operator.query(kind, limit=most)
            assert isinstance(rows, list)
            if len(rows) == most:
                bundle.left_out.append((f"more than {most} {kind}", "a bundle is small"))
            plain = [_without_words(kind, output.to_object(kind, row)) for row in rows]
            bundle.add(f"{kind}.json", f"{kind}, without what people and agents wrote", plain)


def _without_words(kind: str, row: dict[str, Any]) -> dict[str, Any]:
    left_out = WORDS.get(kind, {"halted"})
    assert kind not in WORDS or left_out <= set(ROW_KINDS[kind]._fields)
    # The subject of a line of the audit may be a title.
    if kind == "events" and not ID.fullmatch(str(row["subject"])):
        left_out = left_out | {"subject"}
    return {name: value for name, value in row.items() if name not in left_out}


# ---- the archive


def write_bundle(paths: Paths, target: Path | None) -> Path:
    """Gather, write a new archive of mode 0600 and return its path. Raises FleetError when it cannot be written."""
    now = SystemClock().now()
    bundle = gather(paths)
    stem = f"fleet-tui-bundle-{paths.directory.name or 'root'}-{datetime.fromtimestamp(now, tz=UTC):%Y%m%d-%H%M%S}"
    target = target or Path.cwd() / f"{stem}.tar.gz"
    data = _archive(bundle, stem, now)
    try:
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
    except FileExistsError as error:
        raise UsageError(f"{target} exists: name another file with -o, or remove it") from error
    except OSError as error:
        raise FleetError(f"cannot write {target}: {error.strerror}; name another file with -o") from error
    _tell(bundle, len(data))
    return target


def _archive(bundle: Bundle, stem: str, now: float) -> bytes:
    files = {name: data for name, (_, data) in bundle.parts.items()}
    files = {"manifest.json": json.dumps(bundle.manifest(now), ensure_ascii=False, indent=2).encode() + b"\n", **files}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(f"{stem}/{name}")
            entry.size, entry.mtime, entry.mode = len(data), int(now), 0o600
            archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def _tell(bundle: Bundle, size: int) -> None:
    """Say what is in it and what is missing, so that whoever sends it knows."""
    output.say(f"{len(bundle.parts)} files, {size / 1000:,.0f} kB: {', '.join(bundle.parts)}")
    for what, why in bundle.left_out[len(NEVER) :]:
        output.say(f"left out: {what}: {why}")
    output.say("left out always: what people and agents wrote, and secrets; manifest.json says it in full. Look before you send")
