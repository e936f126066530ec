"""Which engines there are for this user: the one here, those of `console.toml`, and those that run.

A context is one of them under a name. Names are given in the file, or are those of directories; nothing is asked of an
engine here, so that one that hangs holds up nobody. Owner: nobody; values and functions. Limits: FOUND_MAX engines found.
"""

from __future__ import annotations

import difflib
import errno
import hashlib
import os
import re
import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from engine.model.errors import UsageError
from fleet_tui.attach import find_holder, is_alive, is_locked
from fleet_tui.preferences import (
    CONTEXT_NAME,
    ContextPreferences,
    Preferences,
    context_names,
    load_preferences,
)
from fleet_tui.settings import (
    APPLICATION,
    SOCKET_NAME,
    Address,
    Paths,
    Remote,
    find_paths,
    find_socket,
    is_private,
    paths_of,
    state_home,
)

VARIABLE = "FLEET_CONTEXT"
"""Names the context where the command line does not."""
FOUND_MAX = 64
_HASH = re.compile(r"-[0-9a-f]{8}$")
_NOT_IN_NAMES = re.compile(r"[^\w.:-]+")


@dataclass(frozen=True, slots=True)
class Context:
    """One engine under a name."""

    name: str
    paths: Paths
    look: ContextPreferences = ContextPreferences()
    problem: str = ""
    """Why it cannot be reached as it is configured; empty for nothing."""

    @property
    def where(self) -> str:
        """Return where it is, for people: its directory, socket or address."""
        if self.paths.remote is not None:
            return self.paths.remote.url
        return self.look.socket or str(self.paths.directory)

    def is_same(self, other: Context) -> bool:
        """Tell whether both are one engine, whatever their names."""
        ours, theirs = self.paths, other.paths
        if ours.remote or theirs.remote:
            return ours.remote == theirs.remote
        return ours.state_dir == theirs.state_dir or ours.socket == theirs.socket


def address_of(context: Context) -> Address:
    """Return where a context's engine answers, if it does. Raises UsageError when that is not known."""
    if context.problem:
        raise UsageError(context.problem)
    paths = context.paths
    if paths.remote is not None:
        return paths.remote
    # An engine started from another environment (cron, su) may have had another runtime directory.
    told = find_holder(paths).socket
    return told if told is not None and not paths.socket.exists() else paths.socket


def list_contexts(home: Paths | None, preferences: Preferences, environment: Mapping[str, str], *, finds: bool = True) -> list[Context]:
    """Return every context: the one here first, then those of the file, then those found if wanted; no engine twice, no name twice."""
    known: list[Context] = []
    if home is not None:
        known.append(dress(home, preferences))
    for name, look in preferences.contexts.items():
        context = configured(name, look, environment)
        if context is not None:
            _add(known, context)
    for paths in find_running(environment) if finds else ():
        _add(known, dress(paths, preferences))
    return known


def name_wanted(parameters: Mapping[str, Any], environment: Mapping[str, str]) -> str:
    """Return the name that the options of a command line give, else FLEET_CONTEXT; empty for the fleet here. Raises UsageError."""
    places = [f"--{name.replace('_', '-')}" for name in ("directory", "state_dir", "socket") if parameters.get(name)]
    named = str(parameters.get("context") or "")
    if named and places:
        raise UsageError(f"--context {named} says where the engine is, and so does {places[0]}: give one of them")
    return named or ("" if places else environment.get(VARIABLE, ""))


def choose_context(parameters: Mapping[str, Any], environment: Mapping[str, str] | None = None) -> Context:
    """Return the context that the options of a command line mean, or FLEET_CONTEXT, or the one here. Raises UsageError."""
    environment = os.environ if environment is None else environment
    name = name_wanted(parameters, environment)
    preferences = load_preferences(environment)
    if not name:
        return context_here(paths_of(parameters, environment), preferences, environment)
    try:
        return find_context(name, list_contexts(None, preferences, environment))
    except UsageError as error:
        raise UsageError(f"{error}{'' if parameters.get('context') else f' (of the variable {VARIABLE})'}") from None


def context_here(paths: Paths, preferences: Preferences, environment: Mapping[str, str]) -> Context:
    """Return the context of a fleet's places, with what the file says of it by name, path, or place."""
    return list_contexts(paths, preferences, environment, finds=False)[0]


def mode_in(context: Context, mode: str) -> str:
    """Return how the engine of a context is to take this user: as wished, else only looking where the file says so."""
    return mode or ("read-only" if context.look.read_only else "")


def _add(known: list[Context], context: Context) -> None:
    same = next((index for index, other in enumerate(known) if other.is_same(context)), None)
    if same is None:
        is_taken = any(other.name == context.name for other in known)
        known.append(replace(context, name=context.paths.state_dir.name) if is_taken else context)
        return
    first = known[same]
    if first.look == ContextPreferences():
        # The name in the file is the one that somebody chose.
        known[same] = replace(context, paths=first.paths)
    elif context.look.read_only:
        # Of two entries for one engine the one that protects it counts.
        known[same] = replace(first, look=replace(first.look, read_only=True))


def dress(paths: Paths, preferences: Preferences) -> Context:
    """Return the context of a fleet's places, with what the file says of its directory."""
    path, name = context_names(paths)
    for key in (path, name):
        look = preferences.contexts.get(key)
        if look is not None and (key == path or not look.has_place):
            return Context(name_from(key), paths, look)
    return Context(name_from(_HASH.sub("", paths.state_dir.name)), paths)


def configured(name: str, look: ContextPreferences, environment: Mapping[str, str]) -> Context | None:
    """Return the context of an entry of the file; None for one that only says how the fleet of a directory is to look."""
    if name.startswith("/") and not look.has_place:
        look = replace(look, directory=name)
    name = name_from(name)
    own = _own_places(name, look, environment)
    if look.url:
        return Context(name, replace(own, remote=Remote(look.url, Path(look.token_file) if look.token_file else None)), look)
    if look.socket:
        return Context(name, replace(own, socket=Path(look.socket)), look)
    if look.directory:
        try:
            return Context(name, find_paths(look.directory, state_dir=look.state_dir or None, environment=environment), look)
        except UsageError as error:
            return Context(name, replace(own, directory=Path(look.directory)), look, f"{error}; it is in [contexts.{name}] of console.toml")
    if look.state_dir:
        state_dir = Path(look.state_dir)
        return Context(name, Paths(state_dir, None, state_dir, find_socket(state_dir, environment)), look)
    return None


def _own_places(name: str, look: ContextPreferences, environment: Mapping[str, str]) -> Paths:
    """Return where a console keeps what it remembers of an engine whose state it cannot see."""
    mark = hashlib.sha256((look.url or look.socket or look.directory).encode()).hexdigest()[:8]
    state_dir = state_home(environment) / f"at-{name.lower()}-{mark}"
    return Paths(state_dir, None, state_dir, find_socket(state_dir, environment))


def name_from(text: str) -> str:
    """Return a name that can be typed after `@`: of a directory's path its last part."""
    name = _NOT_IN_NAMES.sub("-", Path(text).name).strip("-")
    return name if CONTEXT_NAME.fullmatch(name) else "root"


# ---- those that run


def find_running(environment: Mapping[str, str]) -> Iterator[Paths]:
    """Give the places of engines of this user that run, by their locks and by their sockets; no more than FOUND_MAX."""
    given = 0
    sockets: set[Path] = set()
    for paths in _find_holders(environment):
        sockets.add(paths.socket)
        given += 1
        yield paths
        if given == FOUND_MAX:
            return
    for path in _find_sockets(environment):
        if path not in sockets and is_listening(path):
            given += 1
            yield Paths(path.parent, None, state_home(environment) / f"at-{path.parent.name}", path)
            if given == FOUND_MAX:
                return


def _find_holders(environment: Mapping[str, str]) -> Iterator[Paths]:
    for state_dir in _directories(state_home(environment)):
        paths = Paths(state_dir, None, state_dir, find_socket(state_dir, environment))
        holder = find_holder(paths)
        # Looking at a lock takes it for a moment: only where somebody may have it.
        if holder.pid and is_alive(holder.pid) and is_locked(paths):
            yield replace(paths, directory=holder.directory or state_dir, socket=holder.socket or paths.socket)


def _find_sockets(environment: Mapping[str, str]) -> Iterator[Path]:
    runtime = environment.get("XDG_RUNTIME_DIR", "")
    if runtime.startswith("/") and is_private(Path(runtime)):
        for directory in _directories(Path(runtime) / APPLICATION):
            path = directory / SOCKET_NAME
            if path.is_socket():
                yield path


def _directories(parent: Path) -> Iterable[Path]:
    try:
        return sorted(path for path in parent.iterdir() if path.is_dir())
    except OSError:
        return ()


def is_listening(path: Path) -> bool:
    """Tell whether some process listens at a socket, without waiting for it: a full queue is one that listens."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.setblocking(False)  # noqa: FBT003  # the socket's own call
        return connection.connect_ex(os.fspath(path)) in (0, errno.EAGAIN, errno.EINPROGRESS)


# ---- one of them


def find_context(name: str, contexts: Sequence[Context]) -> Context:
    """Return the context of a name. Raises UsageError with the nearest one."""
    for context in contexts:
        if context.name == name:
            return context
    raise UsageError(f"no context {name!r}{nearest_context(name, contexts)}")


def context_names_of(environment: Mapping[str, str]) -> list[str]:
    """Return the names for the shell's completion; none where the file cannot be read."""
    try:
        return [context.name for context in list_contexts(None, load_preferences(environment), environment)]
    except UsageError:
        return []  # A completion that complains would write over what is being typed.


def nearest_context(name: str, contexts: Sequence[Context]) -> str:
    """Return what to say after a name that no context has."""
    names = [context.name for context in contexts]
    near = difflib.get_close_matches(name, names, n=1)
    if near:
        return f"; did you mean {near[0]!r}?"
    return f"; there {'are' if len(names) > 1 else 'is'} {', '.join(names)}" if names else "; none runs, and console.toml has none: docs/console.md, contexts"

