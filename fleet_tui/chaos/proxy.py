"""The wire between an engine and the server, that can be cut and made slow.

Owner: `Proxy`, of its connections. What was read and not sent when the wire is cut stays until it is whole again, as in a network.
"""

from __future__ import annotations

import asyncio
import contextlib

from fleet_tui.chaos.chance import CLOCK

CHUNK_BYTES = 1 << 16


class Proxy:
    """Passes bytes on between those who connect and a port of this machine."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._whole = asyncio.Event()
        self._whole.set()
        self.delay_s = 0.0
        """Wait before each piece is passed on, in each direction."""
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        """Return where it listens, once it was started."""
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    async def start(self) -> None:
        """Listen on a free port of loopback."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)

    def cut(self) -> None:
        """Pass nothing on, and say nothing of it: both ends wait, as when a network drops packets."""
        self._whole.clear()

    def mend(self) -> None:
        """Pass on what waits, and what comes."""
        self._whole.set()

    def close(self) -> None:
        """Listen no more."""
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(OSError):
                await self._whole.wait()
                there = await asyncio.open_connection("127.0.0.1", self._target)
                try:
                    async with asyncio.TaskGroup() as group:
                        ways = [group.create_task(self._pass(reader, there[1])), group.create_task(self._pass(there[0], writer))]
                        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
                        for way in ways:
                            way.cancel()
                finally:
                    there[1].close()
        finally:
            writer.close()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(CHUNK_BYTES):
                if self.delay_s:
                    await CLOCK.sleep(self.delay_s)
                await self._whole.wait()
                writer.write(data)
                await writer.drain()
