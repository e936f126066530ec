"""Delivers through a process of its own, and ends it when it does not answer in time.

Owner: `Courier`, of its process. Limits: one attempt at a time; the process is there while there is work, and starts anew
after an attempt that outlasted its deadline.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from engine.model.notifications import Notification, Outcome
from engine.model.secrets import ENGINE_SECRETS
from engine.monitoring.notifying import wording
from engine.monitoring.notifying.addresses import Address

logger = logging.getLogger(__name__)

START_S = 30.0
"""Longest that the process may take to be there, on a machine under load."""
END_S = 2.0
ENDED_S = 5.0
LINE_BYTES_MAX = 1 << 20


class Carrier(Protocol):
    """What delivers to one channel's receiver."""

    async def deliver(self, address: Address, notification: Notification, deadline_s: float) -> Outcome:
        """Make one attempt."""
        ...

    async def close(self, *, at_once: bool = False) -> None:
        """Let go of what it holds. Again is no harm."""
        ...


class Courier:
    """The way to one channel's receiver."""

    def __init__(self, fleet: str, ca_file: Path | None = None, ways: Callable[[], Mapping[str, str]] = dict) -> None:
        """`ways` gives what plug-ins deliver, by the scheme of a URL."""
        self._ways = ways
        self._fleet = fleet
        self._ca_file = ca_file
        self._process: Process | None = None

    async def deliver(self, address: Address, notification: Notification, deadline_s: float) -> Outcome:
        """Make one attempt. Cancelling it ends the process."""
        if address.lacks:
            return Outcome(address.lacks)
        began = asyncio.get_running_loop().time()
        try:
            process = await self._ready(address)
        except (OSError, EOFError, TimeoutError, ValueError) as error:
            await self.close(at_once=True)
            return Outcome(f"the process that delivers does not start: {error or 'it takes too long'}")
        line = json.dumps(self._request(address, notification, deadline_s)).encode() + b"\n"
        try:
            async with asyncio.timeout(deadline_s):
                reply = await _ask(process, line)
        except TimeoutError:
            await self.close(at_once=True)
            return Outcome(f"no answer within {deadline_s:g} s")
        except (OSError, EOFError, ValueError):
            await self.close(at_once=True)
            return Outcome("the process that delivers ended before it answered")
        except BaseException:
            await self.close(at_once=True)
            raise
        took_s = asyncio.get_running_loop().time() - began
        return Outcome(reply["error"], bool(reply.get("is_final")), float(reply.get("retry_after_s", 0.0)), took_s)

    def _request(self, address: Address, notification: Notification, deadline_s: float) -> dict[str, object]:
        return {
            "url": address.url,
            "command": address.command,
            "function": self._ways().get(address.scheme, ""),
            "deadline_s": deadline_s,
            "sort": wording.sort_of(notification),
            "plain": wording.plain_of(self._fleet, notification),
            "alertmanager": wording.alertmanager_of(self._fleet, notification),
        }

    async def _ready(self, address: Address) -> Process:
        if self._process is None or self._process.returncode is not None:
            given = {name: value for name, value in os.environ.items() if name not in ENGINE_SECRETS}
            trust = {name: str(self._ca_file) for name in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")} if self._ca_file else {}
            if address.scheme in self._ways():
                trust["PYTHONPATH"] = os.pathsep.join(sys.path)
            way = "command" if address.command else "url"
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", __name__.replace("courier", "worker"), way,
                stdin=PIPE, stdout=PIPE, stderr=DEVNULL, limit=LINE_BYTES_MAX, start_new_session=True, env={**given, **trust},
            )  # fmt: skip
            async with asyncio.timeout(START_S):
                await _reply(self._process)
        return self._process

    async def close(self, *, at_once: bool = False) -> None:
        """End the process; at once when it hangs. Again is no harm."""
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None
        process.stdin.close()
        try:
            if not at_once:
                async with asyncio.timeout(END_S):
                    await process.wait()
        except TimeoutError:
            pass
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
        async with asyncio.timeout(ENDED_S):
            await process.wait()


async def _ask(process: Process, line: bytes) -> dict[str, Any]:
    assert process.stdin is not None
    process.stdin.write(line)
    await process.stdin.drain()
    return await _reply(process)


async def _reply(process: Process) -> dict[str, Any]:
    assert process.stdout is not None
    line = await process.stdout.readline()
    if not line:
        raise EOFError("it ended")
    found: dict[str, Any] = json.loads(line)
    return found
