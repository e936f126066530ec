"""The engine's listening sockets: a Unix socket that only its user (or a group) can open, and a loopback port if asked for.

Owner: nobody; functions only.
"""

from __future__ import annotations

import contextlib
import fcntl
import grp
import ipaddress
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

from engine.api.peers import peer_of
from engine.model.errors import EngineStartError

PATH_BYTES_MAX = 107
"""Longest path of a Unix socket that Linux takes (sockaddr_un.sun_path without its final zero)."""

BACKLOG = 128


def listen_unix(path: Path, group: str = "") -> socket.socket:
    """Return a listening socket of mode 0600, or 0660 for a Unix group; a stale file is replaced. Raises EngineStartError."""
    gid = _group_id(group) if group else -1
    size = len(os.fsencode(path))
    if size > PATH_BYTES_MAX:
        raise EngineStartError(
            f"the socket path {path} is {size} bytes long, the system takes {PATH_BYTES_MAX}:"
            " set a shorter runtime directory (XDG_RUNTIME_DIR)"
        )
    _prepare_directory(path.parent)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        # Two engines that start at once must not both find the old socket stale and one unlink the other's.
        with _locked(path):
            _clear(path)
            listener.bind(os.fspath(path))
            # Before listen(): nobody can connect while the mode is still the umask's.
            path.chmod(0o600)
            if group:
                _give_to_group(path, gid, group)
            listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise EngineStartError(f"cannot make the socket {path}: {error.strerror}") from error
    except EngineStartError:
        listener.close()
        raise
    return listener


def _give_to_group(path: Path, gid: int, group: str) -> None:
    try:
        os.chown(path, -1, gid)
    except PermissionError as error:
        path.unlink()
        raise EngineStartError(f"access.group: only a member of the group {group} can open the socket to it; join it, or start as root") from error
    path.chmod(0o660)


def _group_id(group: str) -> int:
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError as error:
        raise EngineStartError(f"access.group: there is no group {group!r} on this machine") from error


def _prepare_directory(directory: Path) -> None:
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = directory.stat()
    except OSError as error:
        raise EngineStartError(f"cannot use the socket directory {directory}: {error.strerror}") from error
    if found.st_uid not in (os.getuid(), 0) or stat.S_IMODE(found.st_mode) & 0o022:
        raise EngineStartError(
            f"others can write to the socket directory {directory}: chmod 700 it or choose another one"
        )


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a lock file beside the socket. The file stays: removing it would be a race of its own."""
    descriptor = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise EngineStartError(f"another engine is starting at {path} right now: attach to it with `fleet-tui`") from error
    finally:
        os.close(descriptor)


def _clear(path: Path) -> None:
    """Remove a socket that nobody serves. Raises EngineStartError if somebody does, or if it is no socket."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise EngineStartError(f"{path} is not a socket: move it away")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(0)
        try:
            probe.connect(os.fspath(path))
        except ConnectionRefusedError:
            path.unlink()
            return
        except BlockingIOError:
            owner = "an engine that is too busy to answer"
        else:
            owner = f"an engine (pid {peer_of(probe).pid})"
    raise EngineStartError(
        f"{owner} already serves {path}: attach to it with `fleet-tui`, or end it with `fleet-tui stop`"
    )


def unlink_own(path: Path, inode: int) -> None:
    """Remove the socket file unless it is another engine's by now."""
    with contextlib.suppress(FileNotFoundError):
        if path.lstat().st_ino == inode:
            path.unlink()


def listen_loopback(host: str, port: int) -> socket.socket:
    """Return a socket that listens on a loopback address; port 0 = any free one. Raises EngineStartError."""
    try:
        address = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
    except ValueError as error:
        raise EngineStartError(f"{host!r} is not an address: use 127.0.0.1 or ::1") from error
    if not address.is_loopback:
        raise EngineStartError(f"the engine listens on loopback only, not on {host}: reach it through `ssh -L`")
    try:
        listener = socket.create_server(
            (str(address), port), family=socket.AF_INET6 if address.version == 6 else socket.AF_INET, backlog=BACKLOG
        )
    except OSError as error:
        raise EngineStartError(f"cannot listen on {host}:{port}: {error.strerror}") from error
    return listener
