"""The process of one plug-in, as the engine sees it: started, asked, and ended when it does not answer in time.

Owner: `PluginLink`, of its process. Limits: one request at a time; a reply has LINE_BYTES_MAX. What it prints is an `Outlet`'s.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from engine.model.secrets import ENGINE_SECRETS
from engine.model.shielding import shield
from engine.printing import Outlet

START_S = 30.0
"""What starting an interpreter may take on a machine under load."""
LINE_BYTES_MAX = 1 << 20
SAID_BYTES_MAX = 64 * 1024
ENDED_S = 5.0
PRINTED_S = 1.0
"""Longest wait for the last words of a process that has ended: something that it started may hold its output open."""


class PluginFailed(Exception):
    """A plug-in does not do what it should; the message says why."""


class PluginLink:
    """The way to one plug-in."""

    def __init__(self, start_file: Path, log: Path, timeout_s: float, withheld: Collection[str] = ()) -> None:
        """`withheld` are variables that it does not get, beside those that are the engine's always."""
        self._start_file, self._log, self._timeout_s = start_file, log, timeout_s
        self._withheld = {*ENGINE_SECRETS, *withheld}
        self._process: Process | None = None
        self._outlet: Outlet | None = None

    async def open(self) -> dict[str, Any]:
        """Start the process; return what the plug-in says of itself. Raises PluginFailed; nothing is left then."""
        environment = {name: value for name, value in os.environ.items() if name not in self._withheld}
        try:
            self._outlet = Outlet.to(self._log)
            try:
                self._process = await asyncio.create_subprocess_exec(
                    sys.executable, "-P", "-m", "engine.plugins.process", str(self._start_file),
                    stdin=PIPE, stdout=PIPE, stderr=self._outlet.fd, limit=LINE_BYTES_MAX, start_new_session=True, env=environment,
                )  # fmt: skip
            finally:
                self._outlet.let_go()
        except OSError as error:
            raise PluginFailed(f"its process does not start: {error}") from error
        await self._reply(START_S, f"its process did not start within {START_S:g} s")
        return await self._reply(self._timeout_s, f"it did not load within {self._timeout_s:g} s")

    async def ask(self, request: Mapping[str, object]) -> dict[str, Any]:
        """Return the reply to a request. Raises PluginFailed; the process is gone then."""
        process = self._process
        if process is None or process.stdin is None:
            raise PluginFailed("its process is gone")
        with contextlib.suppress(ConnectionError):
            process.stdin.write(json.dumps(request).encode() + b"\n")
        return await self._reply(self._timeout_s, f"it did not answer within {self._timeout_s:g} s")

    async def _reply(self, within_s: float, late: str) -> dict[str, Any]:
        assert self._process is not None
        assert self._process.stdout is not None
        try:
            async with asyncio.timeout(within_s):
                line = await self._process.stdout.readline()
            found = json.loads(line) if line else {"error": await self._last_word()}
        except TimeoutError:
            found = {"error": late}
        except ValueError:
            found = {"error": "what it answered cannot be read"}
        except BaseException:
            await self.close()
            raise
        if not isinstance(found, dict):
            found = {"error": "what it answered is no object"}
        if "error" in found:
            await self.close()
            raise PluginFailed(shield(str(found["error"])))
        return found

    async def _last_word(self) -> str:
        """Return how the process ended, with the last line that it said."""
        assert self._process is not None
        assert self._outlet is not None
        async with asyncio.timeout(ENDED_S):
            code = await self._process.wait()
        await asyncio.to_thread(self._outlet.wait_ended, PRINTED_S)
        how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"it ended with {code}"
        said = await asyncio.to_thread(_last_line, self._log)
        return f"its process is gone ({how}){f': {said}' if said else ''}"

    async def close(self) -> None:
        """End the process. Again is no harm."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        async with asyncio.timeout(ENDED_S):
            await process.wait()


def _last_line(log: Path) -> str:
    with contextlib.suppress(OSError):
        return log.read_bytes()[-SAID_BYTES_MAX:].decode("utf-8", "replace").strip().rpartition("\n")[2][:200]
    return ""
