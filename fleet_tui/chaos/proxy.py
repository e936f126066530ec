"""The wire between programs and a server, that can be cut and made slow.

Owner: `Proxy`, of its connections. What was read and not sent when the wire is cut stays until it is whole again, as in a network.
"""

from __future__ import annotations

import asyncio
import contextlib

from fleet_tui.chaos.chance import CLOCK

CHUNK_BYTES = 1 << 16
HELD_MAX_BYTES = 1 << 20
LOOK_S = 0.05


class Line:
    """What the connections between two ends have in common: whether they are whole, and how slow they are."""

    def __init__(self) -> None:
        self.whole = asyncio.Event()
        self.whole.set()
        self.delay_s = 0.0
        """Wait before each piece is passed on, in each direction."""

    def cut(self) -> None:
        """Pass nothing on, and say nothing of it: both ends wait, as when a network drops packets."""
        self.whole.clear()

    def mend(self) -> None:
        """Pass on what waits, and what comes."""
        self.whole.set()


class Proxy(Line):
    """Passes bytes on between those who connect and a port of this machine."""

    def __init__(self, target: int) -> None:
        super().__init__()
        self._target = target
        self.open = 0
        """Connections that are passed on."""
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        """Return where it listens, once it was started."""
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    async def start(self) -> None:
        """Listen on a free port of loopback."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)

    def close(self) -> None:
        """Listen no more."""
        if self._server is not None:
            self._server.close()

    def line_of(self, port: int) -> Line:  # noqa: ARG002  # all share one
        """Return the line that somebody uses who connected from a port of this machine."""
        return self

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        try:
            with contextlib.suppress(OSError):
                line = self.line_of(int(writer.get_extra_info("peername")[1]))
                began = await _held(line, reader, b"")
                if began is None:
                    return
                there = await asyncio.open_connection("127.0.0.1", self._target)
                try:
                    there[1].write(began)
                    async with asyncio.TaskGroup() as group:
                        ways = [group.create_task(_pass(line, reader, there[1])), group.create_task(_pass(line, there[0], writer))]
                        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
                        for way in ways:
                            way.cancel()
                finally:
                    there[1].close()
        finally:
            self.open -= 1
            writer.close()


async def _pass(line: Line, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(CHUNK_BYTES):
            if line.delay_s:
                await CLOCK.sleep(line.delay_s)
            whole = await _held(line, reader, data)
            if whole is None:
                return
            writer.write(whole)
            await writer.drain()


async def _held(line: Line, reader: asyncio.StreamReader, data: bytes) -> bytes | None:
    """Return what came, and came after it, once the line is whole; None when who sent it has left meanwhile."""
    while not line.whole.is_set():
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LOOK_S):
                if len(data) >= HELD_MAX_BYTES:
                    await line.whole.wait()
                elif more := await reader.read(CHUNK_BYTES):
                    data += more
                else:
                    return None
    return data
