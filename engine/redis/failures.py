"""What goes wrong with Redis, in plain words and with what to do: one place turns the client's errors into ours."""

from __future__ import annotations

import builtins
import os
import socket

from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    ClusterDownError,
    ConnectionError,  # noqa: A004  # the client's own
    MaxConnectionsError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisClusterException,
    RedisError,
    ResponseError,
    TimeoutError,  # noqa: A004  # the client's own
)
from redis.sentinel import MasterNotFoundError

from engine.model.errors import FleetError, RedisAway, RedisRefused
from engine.redis.targets import Target

ERRORS = (RedisError, RedisClusterException, OSError, AttributeError, TypeError)
"""What a call of the client may raise; the second is none of the first. The last two: its cluster client closes connections under calls that are under way
when the slots move, and lets through what becomes of that."""

OFFER = 'or write url = "embedded" in the section redis for a private server, or leave the section out'


def explain(error: BaseException, target: Target) -> FleetError:
    """Return what an error of the client means."""
    words = " ".join(str(error).split()) or type(error).__name__
    for kinds, what, remedy in _REFUSED:
        if isinstance(error, kinds) or (NoPermissionError in kinds and words.startswith("ACL failure in script")):
            return RedisRefused(f"redis refuses at {target}: {what} ({words}); {remedy}")
    if isinstance(error, RedisClusterException) and "not enabled" in words:
        return RedisRefused(f"redis at {target} is no cluster; leave out redis.cluster")
    if isinstance(error, ConnectionError) and _is_certificate(words):
        return RedisRefused(f"redis at {target} has no trusted certificate, or none for this name ({words}); set redis.tls.ca_file, or write the name in it as host")
    if isinstance(error, MasterNotFoundError):
        return RedisAway(f"redis: no Sentinel of {target} knows a master that answers ({words}); start them, or correct redis.sentinel; {OFFER}")
    if isinstance(error, MaxConnectionsError):
        return RedisAway(f"redis at {target}: all connections are in use")
    if words.startswith("NOREPLICAS"):
        return RedisAway(f"redis at {target} has fewer replicas than its min-replicas-to-write; see to them")
    if isinstance(error, ResponseError) and not isinstance(error, ClusterDownError | ReadOnlyError):
        return RedisRefused(f"redis at {target} answers with an error: {words}")
    if is_late(error):
        return RedisAway(f"redis at {target} does not answer in time")
    return RedisAway(f"redis cannot be reached at {target} ({_system_words(error) or words}); start it, {OFFER}")


def is_late(error: BaseException | None) -> bool:
    """Answer whether an error is a wait that was given up."""
    return isinstance(error, TimeoutError | builtins.TimeoutError)


def _system_words(error: BaseException) -> str:
    """Return what the system says behind an error, such as `connection refused`; empty when it says nothing."""
    inner: BaseException | None = error
    while inner is not None:
        if isinstance(inner, socket.gaierror):
            return str(inner.strerror).lower()
        if isinstance(inner, OSError) and inner.errno:
            return os.strerror(inner.errno).lower()
        inner = inner.__cause__ or inner.__context__
    return ""


def _is_certificate(words: str) -> bool:
    return "CERTIFICATE" in words.upper() or "TLSV1" in words.upper()


_REFUSED: tuple[tuple[tuple[type[BaseException], ...], str, str], ...] = (
    ((AuthenticationError,), "the user or the password is wrong, or one is asked for", "set REDIS_PASSWORD, or redis.username and redis.password"),
    ((AuthorizationError, NoPermissionError), "the user may not do this", "give it the permissions that docs/redis.md lists"),
    ((OutOfMemoryError,), "its memory is full", "raise its maxmemory, or let it evict: maxmemory-policy allkeys-lru"),
)
