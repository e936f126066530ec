"""Who is at the other end of a connection: the kernel's word for a Unix socket, a token for TCP, and a name within an account.

Operators who share the engine's account are told apart by the name that their process gives itself (`--as`). The engine
believes it as far as that account can be believed: who can run programs in it can give himself any name, and could as
well write the engine's files. Operators with accounts of their own are told apart by the kernel, whatever they say.

Owner: nobody; functions and values only.
"""

from __future__ import annotations

import hmac
import os
import pwd
import re
import secrets
import socket
import stat
import struct
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from engine.model.accounts import user_name
from engine.model.errors import CommandRefused, EngineStartError, UsageError
from engine.model.plans import Origin
from engine.model.verbs import Role

FACES = ("console", "cli", "api", "mcp")
"""What a client may say it is."""

MODES = ("", "read-only", "write")
"""What a client may ask for itself: to be refused every verb, or not to be for `operations.read_only`."""

TOKEN_BYTES = 32

SHARED = -2
"""No account of their own."""

_CREDENTIALS = struct.Struct("3i")
_SSH_CONNECTION = re.compile(r"([0-9A-Fa-f.:%\w]{2,64}) (\d{1,5})(?: |$)")


@dataclass(frozen=True, slots=True)
class Peer:
    """The process that connected; uid -1 = not known (TCP)."""

    pid: int
    uid: int
    address: str
    """`pid 4711` or `127.0.0.1:40112`."""


def peer_of(connection: socket.socket) -> Peer:
    """Return who connected, by the kernel's word."""
    if connection.family == socket.AF_UNIX:
        raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        pid, uid, _gid = _CREDENTIALS.unpack(raw)
        return Peer(pid, uid, f"pid {pid}")
    host, port, *_rest = connection.getpeername()
    return Peer(0, -1, f"{host}:{port}")


@dataclass(frozen=True, slots=True)
class KnownOperator:
    """Somebody who operates this fleet."""

    name: str
    role: Role
    uid: int = SHARED
    """Their own account; SHARED = whoever in the engine's account says this name."""


def known_operators(given: Mapping[str, tuple[str, str]]) -> tuple[KnownOperator, ...]:
    """Return operators from their names, each with a role and a Unix account (empty = shared). Raises EngineStartError.

    May ask a directory service: not for the event loop.
    """
    found = []
    for name, (role, user) in given.items():
        try:
            uid = pwd.getpwnam(user).pw_uid if user else SHARED
        except KeyError as error:
            raise EngineStartError(f"operators.{name}: there is no user {user!r} on this machine") from error
        if uid == SHARED and name in (user_name(os.getuid()), user_name(0)):
            raise EngineStartError(f"operators.{name}: that is the name of an account that owns this engine; choose another name")
        found.append(KnownOperator(name, Role[role.upper()], uid))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Doorkeeper:
    """Decides who may speak to the engine: its own user and root, operators by name and account, the token's holder over TCP."""

    uid: int
    names: dict[int, str]
    """Names of the users that own it."""
    token: str = ""
    """What TCP clients must show; empty = none may enter."""
    operators: tuple[KnownOperator, ...] = ()

    @classmethod
    def of_this_process(cls, token: str = "", operators: tuple[KnownOperator, ...] = ()) -> Doorkeeper:
        """Let in the user of this process, root, and some operators."""
        uid = os.getuid()
        return cls(uid, {known: user_name(known) for known in (uid, 0)}, token, operators)

    def admit(self, peer: Peer, authorization: str = "", name: str = "") -> Origin:
        """Return who acts, under a name of the engine's account if one is given. Raises CommandRefused."""
        if peer.uid in self.names or self._shows_token(peer, authorization):
            account = self.names[peer.uid if peer.uid in self.names else self.uid]
            return self._named(name, account, peer) if name else Origin(account, "api", peer.address, Role.ADMIN)
        if peer.uid < 0:
            raise CommandRefused("send the header `Authorization: Bearer …` with the token from the engine's token file")
        found = next((known for known in self.operators if known.uid == peer.uid), None)
        if found is None:
            raise CommandRefused(f"this engine belongs to {self.names[self.uid]}; uid {peer.uid} may not use it: become that user")
        if name not in ("", found.name):
            raise CommandRefused(f"you are {found.name} here, by your account; only the engine's own account is shared by names")
        return Origin(found.name, "api", peer.address, found.role)

    def _shows_token(self, peer: Peer, authorization: str) -> bool:
        scheme, _, shown = authorization.partition(" ")
        return peer.uid < 0 and bool(self.token) and scheme.lower() == "bearer" and _is_same(shown.strip(), self.token)

    def _named(self, name: str, account: str, peer: Peer) -> Origin:
        found = next((known for known in self.operators if known.name == name and known.uid == SHARED), None)
        if found is None:
            # The name comes from a client and goes into a log and onto a terminal.
            raise CommandRefused(f"no operator {name[:64]!r} here: name them in the configuration, [operators.NAME], and start the engine anew")
        return Origin(name, "api", f"{account} {peer.address}", found.role)


def _is_same(shown: str, token: str) -> bool:
    return hmac.compare_digest(shown.encode(errors="replace"), token.encode())


def check_mode(mode: str) -> None:
    """Check what a client asks for itself. Raises UsageError."""
    if mode not in MODES:
        raise UsageError(f"mode is one of read-only, write or nothing, not {mode[:64]!r}")


def with_mode(origin: Origin, mode: str) -> Origin:
    """Return an origin with what its client asks for itself. Raises UsageError."""
    check_mode(mode)
    return replace(origin, mode=mode)


def address_with_ssh(address: str, ssh_connection: str) -> str:
    """Return an address with where its SSH session comes from; a value that is not SSH_CONNECTION's form is left out."""
    found = _SSH_CONNECTION.match(ssh_connection)
    return f"{address} via ssh from {found[1]}:{found[2]}" if found else address


def load_token(path: Path) -> str:
    """Return the token that TCP clients must show; made at the first use. Raises EngineStartError."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError:
        return _read_token(path)
    except OSError as error:
        raise EngineStartError(f"cannot write the token file {path}: {error.strerror}") from error
    token = secrets.token_urlsafe(TOKEN_BYTES)
    with os.fdopen(descriptor, "w") as file:
        file.write(token + "\n")
    return token


def _read_token(path: Path) -> str:
    try:
        found = path.stat()
        token = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise EngineStartError(f"cannot read the token file {path}: {error}") from error
    if found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o077:
        raise EngineStartError(f"others can read the token file {path}: chmod 600 it, or delete it to get a new one")
    if len(token) < TOKEN_BYTES:
        raise EngineStartError(f"the token in {path} is too short: delete the file to get a new one")
    return token
