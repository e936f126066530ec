"""Real workers for tests: `fleet-tui worker --join URL` as a process of its own, to be looked at, killed and started again."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol

from engine import FleetManager
from engine.model.ids import HostId

from tests.integration.engines import EngineProcess


class Reached(Protocol):
    """What a worker joins by."""

    @property
    def url(self) -> str:
        """A server's, or an engine's."""
        ...


class WorkerProcess(EngineProcess):
    """A worker; its state and its directory are the test's own."""

    def __init__(self, root: Path, server: Reached, name: str, *words: str) -> None:
        root.mkdir(parents=True, exist_ok=True)
        super().__init__(root)
        self.name = name
        self.variables: dict[str, str] = {}
        """More of its environment."""
        self.words = ("worker", "--join", server.url, "--name", name, *words)

    @property
    def environment(self) -> dict[str, str]:
        """The environment of an engine, and more."""
        return {**super().environment, **self.variables}

    def begin(self, file_bytes_max: int = 0) -> None:
        """Start it, and do not wait for the fleet."""
        assert not file_bytes_max
        self.process = self.run_beside(*self.words)

    async def refused(self) -> tuple[int, str]:
        """Run it to the end that it comes to by itself, and return the exit code and what it said."""
        await asyncio.to_thread(self.begin)  # the first of all loads the program
        assert self.process is not None
        assert self.process.stderr is not None
        said = await asyncio.to_thread(self.process.stderr.read)
        return await asyncio.to_thread(self.process.wait), said

    def freeze(self) -> None:
        """Have it hang, with what it started going on."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        os.kill(self.pid, signal.SIGCONT)


@contextlib.asynccontextmanager
async def worker(fleet: FleetManager, server: Reached, root: Path, name: str, *words: str, **variables: str) -> AsyncIterator[WorkerProcess]:
    """Run a worker that the fleet has taken in, with more of an environment."""
    subject = WorkerProcess(root / f"worker-{name}", server, name, *words)
    subject.variables = variables
    try:
        await asyncio.to_thread(subject.begin)  # the first of all loads the program
        await until(lambda: subject.process is not None and (subject.process.poll() is not None or HostId(name) in fleet.coordinator.state.hosts))
        assert subject.process is not None
        if subject.process.poll() is not None:
            assert subject.process.stderr is not None
            raise AssertionError(f"the worker ended: {subject.process.stderr.read()}")
        yield subject
    finally:
        with contextlib.suppress(ProcessLookupError):
            subject.resume()
        await asyncio.to_thread(subject.close)


async def until(condition: object, *, within_s: float = 60.0) -> None:
    """Wait for a condition of an engine in this process."""
    assert callable(condition)
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110  # of an engine that knows no test
            await asyncio.sleep(0.02)
