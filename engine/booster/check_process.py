"""The process in which a file of an operator is read and checked: whatever the module does, only this process suffers.

Owner: of its own limits: `CPU_MAX_S` of processor time, `DATA_MAX_BYTES` of memory. It dies with the engine. It is told a path, and
tells on its standard output what it found, as one `Told` in MessagePack.
"""

import ctypes
import os
import resource
import signal
import stat
import sys
from typing import Final

import msgspec

from engine.model.modules import ModuleFacts

CPU_MAX_S: Final = 20
DATA_MAX_BYTES: Final = 1536 * 1024 * 1024
_PR_SET_PDEATHSIG: Final = 1


class Told(msgspec.Struct):
    """What became of a check."""

    problem: str = ""
    """What is wrong with the file; empty = nothing is."""
    facts: ModuleFacts | None = None
    wasm: bytes = b""


def main(path: str, parent: int) -> None:
    """Check a file and tell what it is."""
    _settle(parent)
    told = _check(path)
    sys.stdout.buffer.write(msgspec.msgpack.encode(told))
    sys.stdout.buffer.flush()


def _settle(parent: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:
        sys.exit("the engine is gone")
    for limit, most in ((resource.RLIMIT_CPU, CPU_MAX_S), (resource.RLIMIT_DATA, DATA_MAX_BYTES), (resource.RLIMIT_CORE, 0)):
        _, hard = resource.getrlimit(limit)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(limit, (most, most))


def _check(path: str) -> Told:
    from engine.booster.failures import SandboxFailure
    from engine.booster.sandbox import Machine
    from engine.booster.user_modules import check_module
    from engine.model.errors import UsageError

    try:
        wasm = read_module(path)
        with Machine() as machine:
            return Told(facts=check_module(machine, wasm), wasm=wasm)
    except OSError as error:
        return Told(f"it cannot be read: {error.strerror}")
    except UsageError as error:
        return Told(str(error))
    except SandboxFailure as failure:
        return Told(failure.reason)
    except MemoryError:
        return Told(f"it takes more than {DATA_MAX_BYTES // 2**20} MB to compile")


def read_module(path: str) -> bytes:
    """Return the bytes of a file; only of one that is a file and of bearable size. Raises OSError, UsageError."""
    from engine.booster.user_modules import refuse_size
    from engine.model.errors import UsageError

    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # opening a pipe would wait for who writes to it
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise UsageError("it is no file; name the .wasm file itself")
        refuse_size(status.st_size)
        return file.read(status.st_size)
