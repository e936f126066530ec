"""The engine's end of the spawner: start it, send it frames, hear from it, notice that it is gone.

Owner: the process host, on the engine's loop. Bounded: `OUTBOX_MAX_BYTES` of frames the spawner has not read (full:
a start is refused; signals and stops are tiny and always taken).
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from engine.agents.processes.framing import FrameDecoder, encode_frame, send_some
from engine.agents.processes.ledger import EngineMarker

OUTBOX_MAX_BYTES = 64 << 20
LOG_NAME = "spawner.log"
LOG_MAX_BYTES = 1 << 16
EXIT_WAIT_S = 8.0
"""More than the spawner takes to kill everything."""

# The folder above this package goes last on the path: the spawner sees the standard library and this package only.
_PROGRAM = "import sys; sys.path.append(sys.argv.pop(1)); from processes.spawner import main; main(sys.argv[1:])"


class SpawnerLink:
    """One spawner process and the socket to it."""

    def __init__(self, sock: socket.socket, process: subprocess.Popen[bytes]) -> None:
        self._sock = sock
        self._process = process
        self._decoder = FrameDecoder()
        self._outbox: deque[tuple[memoryview, tuple[int, ...]]] = deque()
        self._outbox_bytes = 0
        self._is_waiting = False
        self.is_open = True

    @classmethod
    def start(cls, marker: EngineMarker, ledger: Path) -> SpawnerLink:
        """Start a spawner. Blocks some milliseconds; raise OSError if it cannot be started."""
        ours, theirs = socket.socketpair()
        with theirs:
            package = Path(__file__).parent
            engine = (str(marker.pid), str(marker.start or ""), marker.engine_id, marker.state_dir)
            arguments = (str(package.parent), str(theirs.fileno()), *engine, str(ledger))
            try:
                with open_log(ledger.parent / LOG_NAME) as log:
                    process = subprocess.Popen(
                        [sys.executable, "-I", "-S", "-c", _PROGRAM, *arguments],
                        stdin=subprocess.DEVNULL,
                        stdout=log,
                        stderr=log,
                        cwd="/",
                        env={},
                        pass_fds=[theirs.fileno()],
                        start_new_session=True,  # the terminal's ^C is for the engine, not for its agents
                    )
            except OSError:
                ours.close()
                raise
        ours.setblocking(False)  # noqa: FBT003 - the standard library's signature
        return cls(ours, process)

    @property
    def pid(self) -> int:
        """Return the spawner's process id."""
        return self._process.pid

    def listen(
        self, *, on_event: Callable[[dict[str, object]], None], on_lost: Callable[[], None]
    ) -> None:
        """Begin to hand over its events, and its end."""
        self._on_event = on_event
        self._on_lost = on_lost
        asyncio.get_running_loop().add_reader(self._sock, self._read)

    def post(self, message: dict[str, object], fds: tuple[int, ...] = ()) -> None:
        """Send a frame, now or as soon as there is room; takes over the descriptors.

        Raise OSError if too much waits already, or ValueError if the frame is too large.
        """
        try:
            data = encode_frame(message)
            if self._outbox_bytes + len(data) > OUTBOX_MAX_BYTES and fds:
                raise OSError(errno.ENOBUFS, os.strerror(errno.ENOBUFS))
        except (OSError, ValueError):
            _close_all(fds)
            raise
        self._outbox.append((memoryview(data), fds))
        self._outbox_bytes += len(data)
        self._flush()

    def close(self) -> None:
        """Let go of the spawner, which then kills everything and exits."""
        if self.is_open:
            self.is_open = False
            loop = asyncio.get_running_loop()
            loop.remove_reader(self._sock)
            loop.remove_writer(self._sock)
            self._sock.close()
            for _, fds in self._outbox:
                _close_all(fds)
            self._outbox.clear()

    def kill(self) -> None:
        """Kill the spawner, and with it, by their death signal, the programs that it started."""
        self._process.kill()

    def wait_gone(self) -> None:
        """Wait until the spawner has exited, at most `EXIT_WAIT_S`, then kill it. Blocks."""
        try:
            self._process.wait(EXIT_WAIT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):  # it waits for a device, and ends with that
                self._process.wait(EXIT_WAIT_S)

    def _read(self) -> None:
        try:
            is_alive = self._decoder.receive(self._sock)
        except BlockingIOError:
            return
        except OSError:
            is_alive = False
        while message := self._decoder.next_frame():
            self._on_event(message)
        if not is_alive and self.is_open:
            self.close()
            self._on_lost()

    def _flush(self) -> None:
        try:
            while self._outbox and self.is_open:
                data, fds = self._outbox[0]
                sent = send_some(self._sock, data, fds)
                self._outbox_bytes -= sent
                _close_all(fds)
                self._outbox.popleft()
                if sent < len(data):
                    self._outbox.appendleft((data[sent:], ()))
            self._wait_for_room(wanted=False)
        except BlockingIOError:
            self._wait_for_room(wanted=True)
        except OSError:
            self._wait_for_room(wanted=False)  # it is gone, and _read is about to see it

    def _wait_for_room(self, *, wanted: bool) -> None:
        loop = asyncio.get_running_loop()
        if wanted and not self._is_waiting:
            loop.add_writer(self._sock, self._flush)
        elif not wanted and self._is_waiting:
            loop.remove_writer(self._sock)
        self._is_waiting = wanted


def open_log(path: Path) -> BinaryIO:
    """Open the log that a spawner or keeper writes only when it crashes; the one before is kept, because it says why it died."""
    is_full = path.exists() and path.stat().st_size > LOG_MAX_BYTES
    return path.open("wb" if is_full else "ab")


def _close_all(fds: tuple[int, ...]) -> None:
    for fd in fds:
        with contextlib.suppress(OSError):
            os.close(fd)
