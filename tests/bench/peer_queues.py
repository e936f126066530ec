"""Task queues to be broken: two workers of each on one server, whoever submits, and the notes that their tasks make. The fleet is one of them.

Owner: each queue, of its processes, which it starts and kills.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Protocol

from engine.agents.processes.process_table import read_children
from engine.api.client import RemoteOperator
from engine.model.errors import FleetError
from engine.model.task_commands import SubmitTask
from fleet_tui.chaos.chance import CLOCK, Chance
from fleet_tui.chaos.processes import EngineProcess, Process

from tests.bench.peer_programs import WORK_S, Peer

WORKERS = ("one", "other")
AWAY_S = 0.5
"""After which a service manager starts what has ended."""
ANSWER_WITHIN_S = 10.0
WRITERS = 3
ROOT = Path(__file__).resolve().parent.parent.parent


class Queue(Protocol):
    """Takes tasks and has them done."""

    answered: dict[int, bool]
    """Number of a task to whether it was taken; one that nobody answered for is not there."""

    def send(self, number: int) -> None:
        """Submit a task as soon as there is somebody to do it."""
        ...

    def kill(self, worker: str) -> None:
        """End a worker with all its processes as `kill -9` does; it is started again."""
        ...


def environment_of(peer: Peer) -> Path:
    """Return the interpreter of an environment that has a peer's packages; makes it at first. Raises RuntimeError."""
    words = f"{sys.version_info[:2]} {' '.join(peer.packages)}"
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fleet-tui" / "peers" / hashlib.sha256(words.encode()).hexdigest()[:12]
    python = folder / "bin" / "python"
    if not (folder / "whole").exists():
        shutil.rmtree(folder, ignore_errors=True)
        for call in ([sys.executable, "-m", "venv", str(folder)], [str(python), "-m", "pip", "install", "--quiet", *peer.packages]):
            done = subprocess.run(call, capture_output=True, text=True, check=False)
            if done.returncode:
                raise RuntimeError(f"{' '.join(peer.packages)} cannot be installed: {done.stderr.strip().splitlines()[-1:]}")
        (folder / "whole").touch()
    return python


class PeerQueue:
    """A peer: its workers, and a process that submits."""

    def __init__(self, peer: Peer, server: str, folder: Path, notes: Path) -> None:
        self.answered: dict[int, bool] = {}
        self._python, self._peer, self._folder = environment_of(peer), peer, folder
        (folder / "peer.py").write_text(peer.program, "utf-8")
        self._environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "PEER_SERVER": server, "PEER_NOTES": str(notes), "PYTHONPATH": str(folder)}
        self._workers = {name: Process(folder / name) for name in WORKERS}
        self._input: asyncio.StreamWriter | None = None

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[PeerQueue]:
        """Run it; leaving the context kills it."""
        with (self._folder / "submitting").open("ab") as log:
            sending = await asyncio.create_subprocess_exec(self._python, "peer.py", cwd=self._folder, env=self._environment, stdin=-1, stdout=-1, stderr=log)
        assert sending.stdin is not None
        assert sending.stdout is not None
        self._input = sending.stdin
        try:
            async with asyncio.TaskGroup() as group:
                parts = [group.create_task(self._hear(sending.stdout)), *(group.create_task(self._keep(name)) for name in WORKERS)]
                try:
                    yield self
                finally:
                    for part in parts:
                        part.cancel()
        finally:
            for name in WORKERS:
                self.kill(name)
            sending.kill()
            await sending.wait()

    async def _hear(self, lines: asyncio.StreamReader) -> None:
        while line := await lines.readline():
            word, number = line.split()
            self.answered[int(number)] = word == b"ok"

    async def _keep(self, name: str) -> None:
        worker = self._workers[name]
        while True:
            if worker.has_ended:
                words = [word.replace("{worker}", name) for word in self._peer.worker]
                worker.run(str(self._python), *words, environment=self._environment)
            await CLOCK.sleep(AWAY_S)

    def send(self, number: int) -> None:
        """Submit a task."""
        assert self._input is not None
        self._input.write(b"%d\n" % number)

    def kill(self, worker: str) -> None:
        """End a worker with all its processes."""
        process = self._workers[worker]
        if not process.has_ended:
            for pid in [process.pid, *_below(process.pid)]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            process.kill()


class FleetQueue:
    """Two engines that share a fleet, and writers that submit by whichever answers."""

    def __init__(self, server: str, folder: Path, notes: Path, chance: Chance) -> None:
        self.answered: dict[int, bool] = {}
        self._notes, self._chance = str(notes), chance
        self._engines = {name: EngineProcess(folder / name, {"url": server, "share": True}) for name in WORKERS}
        self._numbers: asyncio.Queue[int] = asyncio.Queue()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[FleetQueue]:
        """Run it; leaving the context ends it."""
        try:
            for engine in self._engines.values():
                await engine.start()
            async with asyncio.TaskGroup() as group:
                parts = [group.create_task(self._write()) for _ in range(WRITERS)]
                parts += [group.create_task(self._keep(engine)) for engine in self._engines.values()]
                try:
                    yield self
                finally:
                    for part in parts:
                        part.cancel()
        finally:
            for engine in self._engines.values():
                await engine.end()

    async def _keep(self, engine: EngineProcess) -> None:
        while True:
            if engine.has_ended:
                engine.begin()
            await CLOCK.sleep(AWAY_S)

    async def _write(self) -> None:
        number = await self._numbers.get()
        while True:
            try:
                async with self._chance.pick(list(self._engines.values())).operator() as operator:
                    while True:
                        await self._submit(operator, number)
                        number = await self._numbers.get()
            except (FleetError, TimeoutError):
                if number in self.answered:
                    number = await self._numbers.get()
                await CLOCK.sleep(WORK_S)

    async def _submit(self, operator: RemoteOperator, number: int) -> None:
        self.answered[number] = False
        async with asyncio.timeout(ANSWER_WITHIN_S):
            await operator.execute([SubmitTask("note", "worker", payload={"number": number, "notes": self._notes, "work_s": WORK_S})])
        self.answered[number] = True

    def send(self, number: int) -> None:
        """Submit a task."""
        self._numbers.put_nowait(number)

    def kill(self, worker: str) -> None:
        """End an engine; its agents end with it."""
        self._engines[worker].kill()


def _below(pid: int) -> Iterator[int]:
    for child in read_children(pid):
        yield child
        yield from _below(child)
