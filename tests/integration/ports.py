"""A port for a server that must be told one before it starts."""

from __future__ import annotations

import errno
import secrets
import socket

FIRST, LAST = 20_000, 32_000
"""Below what kernels give to connections by themselves: none takes a port before its server does."""
TRIES = 100


def free_port() -> int:
    """Return a port of the loopback that nobody listens at."""
    for _ in range(TRIES):
        port = FIRST + secrets.randbelow(LAST - FIRST)
        with socket.socket() as found:
            try:
                found.bind(("127.0.0.1", port))
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
            else:
                return port
    raise AssertionError(f"no port from {FIRST} to {LAST} is free")
