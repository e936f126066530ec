"""Where things are: configuration, state, socket, lock, log and ledger of the fleet of a directory.

Owner: nobody; functions and values only. The standard library only, and little of it: every command imports this.
"""

from __future__ import annotations

import errno
import os
import re
import stat
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from engine.model.errors import EngineStartError, UsageError

APPLICATION = "fleet-tui"
CONFIG_NAME = "fleet.toml"
SOCKET_NAME = "engine.sock"

SOCKET_PATH_BYTES_MAX = 103 if sys.platform == "darwin" else 107
"""Longest path of a Unix socket that the system takes."""

STATE_DIRECTORY = "state directory"
SOCKET_DIRECTORY = "socket directory"
SLUG_CHARACTERS_MAX = 32

_OTHERS_WRITE = 0o022
_OTHERS_ANY = 0o077


@dataclass(frozen=True, slots=True)
class Remote:
    """An engine that is reached by an address."""

    url: str
    token_file: Path | None = None

    def read_token(self) -> str:
        """Return the token to show; empty without a file. Raises UsageError."""
        if self.token_file is None:
            return ""
        try:
            return self.token_file.read_text("ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"the token file {self.token_file} cannot be read: {error}") from error

    def __str__(self) -> str:
        return self.url


Address = Path | Remote
"""Where an engine answers: at a socket, or elsewhere."""


@dataclass(frozen=True, slots=True)
class Paths:
    """The places of one fleet. Nothing is created until `prepare_state`."""

    directory: Path
    """The real directory that the fleet is about."""
    config: Path | None
    """Its fleet.toml, or None for the defaults."""
    state_dir: Path
    """What the engine keeps: database, log, ledger, lock; one engine at a time."""
    socket: Path
    remote: Remote | None = None
    """Where its engine answers when that is not on this machine's file system; then the rest is this console's own."""

    @property
    def lock(self) -> Path:
        """Return the file whose lock the one engine of this state directory holds."""
        return self.state_dir / "engine.lock"

    @property
    def log(self) -> Path:
        """Return the engine's log, JSON lines."""
        return self.state_dir / "engine.log"

    @property
    def start_errors(self) -> Path:
        """Return what the last engine started by a console wrote to its standard error."""
        return self.state_dir / "engine.err"

    @property
    def printed(self) -> Path:
        """Return what plug-ins, C code and programs printed in the engine's process."""
        return self.state_dir / "printed.log"

    @property
    def console_printed(self) -> Path:
        """Return the same of the console's process."""
        return self.state_dir / "console-printed.log"

    @property
    def exports(self) -> Path:
        """Return where consoles write what is exported."""
        return self.state_dir / "exports"

    @property
    def database(self) -> Path:
        """Return the fleet's database."""
        return self.state_dir / "fleet.db"

    @property
    def ledger(self) -> Path:
        """Return the list of processes that agents run in."""
        return self.state_dir / "processes.jsonl"


def find_paths(
    directory: Path | str | None = None,
    *,
    state_dir: Path | str | None = None,
    config: Path | str | None = None,
    environment: Mapping[str, str] | None = None,
) -> Paths:
    """Return the places of a directory's fleet (default: the current one). Raises UsageError if there is no such directory."""
    environment = os.environ if environment is None else environment
    real = real_path(directory or ".")
    if not real.is_dir():
        raise UsageError(f"{real} is not a directory")
    state = Path(state_dir).absolute() if state_dir else state_home(environment) / name_of(real)
    return Paths(real, find_config(real, config, environment), state, find_socket(state, environment))


def paths_of(parameters: Mapping[str, str | None], environment: Mapping[str, str] | None = None) -> Paths:
    """Return the places that the options of the command line name. Raises UsageError."""
    paths = find_paths(parameters.get("directory"), state_dir=parameters.get("state_dir"), environment=environment)
    socket = parameters.get("socket")
    return replace(paths, socket=Path(socket).absolute()) if socket else paths


def demo_paths(code_base: Path, state_dir: Path | str | None) -> Paths:
    """Return the places of a demo over a code base: a state of its own, and no configuration file. Raises UsageError."""
    state = state_dir or state_home(os.environ) / f"demo-{name_of(code_base)}"
    return replace(find_paths(code_base if code_base.is_dir() else code_base.parent, state_dir=state), config=None)


def real_path(path: Path | str) -> Path:
    """Return a path without links. Raises UsageError if nothing is there."""
    try:
        return Path(path).resolve(strict=True)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}; name one that exists") from error


def name_of(path: Path) -> str:
    """Return a readable name of a path that no other path has."""
    slug = re.sub(r"[^a-z0-9]+", "-", path.name.lower()).strip("-")[:SLUG_CHARACTERS_MAX].rstrip("-") or "root"
    import hashlib  # a help has no use for it

    return f"{slug}-{hashlib.sha256(os.fsencode(path)).hexdigest()[:8]}"


def state_home(environment: Mapping[str, str]) -> Path:
    """Return where the state directories of all fleets of this user are."""
    chosen = _absolute(environment, "XDG_STATE_HOME")
    if chosen is None:
        home = _home(environment)
        chosen = home / "Library" / "Application Support" if sys.platform == "darwin" else home / ".local" / "state"
    return chosen / APPLICATION


def find_config(directory: Path, given: Path | str | None, environment: Mapping[str, str]) -> Path | None:
    """Return the configuration file: the given one, the directory's, the user's, or None."""
    if given is not None:
        return Path(given).absolute()
    for candidate in (directory / CONFIG_NAME, user_config_home(environment) / APPLICATION / CONFIG_NAME):
        if candidate.is_file():
            return candidate
    return None


def user_config_home(environment: Mapping[str, str]) -> Path:
    """Return where the configuration of all programs of this user is."""
    return _absolute(environment, "XDG_CONFIG_HOME") or _home(environment) / ".config"


def find_socket(state_dir: Path, environment: Mapping[str, str]) -> Path:
    """Return the socket of the engine of a state directory: in the runtime directory, beside the state, or in a place of this user's."""
    # By the state directory, not by the fleet's: two state directories are two engines.
    name = name_of(state_dir.resolve())
    runtime = _absolute(environment, "XDG_RUNTIME_DIR")
    candidates = [state_dir / "run" / SOCKET_NAME]
    # After `su` the variable may name another user's directory.
    if runtime is not None and is_private(runtime):
        candidates.insert(0, runtime / APPLICATION / name / SOCKET_NAME)
    for candidate in candidates:
        if len(os.fsencode(candidate)) <= SOCKET_PATH_BYTES_MAX:
            return candidate
    return _own_temporary() / name / SOCKET_NAME


def is_private(directory: Path) -> bool:
    """Tell whether a directory is there and this user's alone."""
    try:
        found = directory.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & _OTHERS_ANY


def prepare_state(paths: Paths) -> None:
    """Make the directories of state and socket, for this user alone. Raises EngineStartError that says what to do."""
    _make_private(paths.state_dir, STATE_DIRECTORY, "choose another one with --state-dir")
    _prove_writable(paths.state_dir)
    advice = "set XDG_RUNTIME_DIR to a directory of your own"
    # The place in the temporary directory is guessable: somebody else may have made it first.
    if paths.socket.parent.parent.name.startswith(APPLICATION):
        _make_private(paths.socket.parent.parent, SOCKET_DIRECTORY, advice)
    _make_private(paths.socket.parent, SOCKET_DIRECTORY, advice)


def _make_private(directory: Path, what: str, advice: str) -> None:
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Where others may write, a link is a trap.
        found = directory.lstat() if what == SOCKET_DIRECTORY else directory.stat()
    except OSError as error:
        raise _unusable(directory, what, error, advice) from error
    if found.st_uid != os.getuid():
        raise EngineStartError(f"the {what} {directory} belongs to another user: {advice}")
    if found.st_mode & _OTHERS_WRITE:
        raise EngineStartError(f"others can write to the {what} {directory}: chmod 700 it, or {advice}")


def _prove_writable(directory: Path) -> None:
    """Write a few bytes: only that tells of a full disk and of a file system that is read-only."""
    probe = directory / f".probe-{os.getpid()}"
    try:
        probe.write_bytes(b"\0" * 4096)
    except OSError as error:
        raise _unusable(directory, STATE_DIRECTORY, error, "choose another one with --state-dir") from error
    finally:
        _remove(probe)


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return  # It is empty, hidden, and named after a process that has ended.


def _unusable(directory: Path, what: str, error: OSError, advice: str) -> EngineStartError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return EngineStartError(f"no space left for the {what} {directory}: free some, or {advice}")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return EngineStartError(f"the {what} {directory} cannot be written ({error.strerror}): change its owner or mode, or {advice}")
    if error.errno in (errno.ENOTDIR, errno.EEXIST):
        return EngineStartError(f"the {what} {directory} cannot be made, a file is in the way: move the file away, or {advice}")
    return EngineStartError(f"the {what} {directory} cannot be used ({error.strerror}): {advice}")


def _absolute(environment: Mapping[str, str], name: str) -> Path | None:
    """Return a directory that a variable names; the XDG standard has relative ones ignored."""
    value = environment.get(name, "")
    return Path(value) if value.startswith("/") else None


def _home(environment: Mapping[str, str]) -> Path:
    if value := environment.get("HOME", ""):
        return Path(value)
    try:
        return Path.home()
    except RuntimeError:
        return _own_temporary()


def _own_temporary() -> Path:
    # Slow to import, and only needed where there is neither a runtime directory nor a home.
    import tempfile

    return Path(tempfile.gettempdir()) / f"{APPLICATION}-{os.getuid()}"
