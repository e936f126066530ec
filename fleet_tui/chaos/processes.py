"""The processes of a throwaway fleet: what can be killed, frozen and started again, and engines.

Owner: each object, of its process, which it starts and ends; nothing else is ever signalled.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

from engine.agents.processes.process_table import read_children
from engine.api.client import Caller, RemoteOperator, connect
from engine.model.errors import EngineUnavailable, FleetError
from engine.model.rows import FleetStatus
from engine.redis.embedded import LAUNCHER
from fleet_tui.chaos.chance import CLOCK
from fleet_tui.chaos.wall_clock import WallClock
from fleet_tui.edit_text import toml_value

WITHIN_S = 120.0
"""Longest wait for anything; what takes longer is a finding."""
LOOK_S = 0.05
END_WITHIN_S = 15.0
STARTS_MAX = 3
POOL = """
[fleet.default_pools.worker]
min = 2
max = 4
handler = "fleet_tui.chaos.work:answer"
"""


class Broken(Exception):
    """What was waited for did not come: the fleet does not keep what it promises."""


async def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for a condition. Raises Broken after WITHIN_S."""
    try:
        async with asyncio.timeout(WITHIN_S):
            while not condition():  # noqa: ASYNC110  # of other processes
                await CLOCK.sleep(LOOK_S)
    except TimeoutError:
        raise Broken(f"{what}: not within {WITHIN_S:g} s") from None


class Process:
    """A process that can be killed, frozen and started again."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def name(self) -> str:
        """Return what it is called."""
        return self.folder.name

    @property
    def pid(self) -> int:
        """Return its process id."""
        assert self._process is not None
        return self._process.pid

    @property
    def has_ended(self) -> bool:
        """Answer whether it does not run."""
        return self._process is None or self._process.poll() is not None

    def run(self, *words: str, environment: dict[str, str] | None = None) -> None:
        """Start it; what it prints goes to `log` in its folder, and it dies with the process that this runs in."""
        with (self.folder / "log").open("ab") as log:
            words = (sys.executable, "-I", "-S", str(LAUNCHER), str(os.getpid()), *words)
            self._process = subprocess.Popen(words, cwd=self.folder, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, unless it has ended."""
        if not self.has_ended:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it as `kill -9` does."""
        self.signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()

    def last_words(self) -> str:
        """Return the last line that it printed."""
        lines = (self.folder / "log").read_text("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else "it printed nothing"

    async def end(self) -> None:
        """Ask it to end, and kill it if it does not."""
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(END_WITHIN_S):
                while not self.has_ended:  # noqa: ASYNC110  # of another process
                    await CLOCK.sleep(LOOK_S)
        self.kill()


class EngineProcess(Process):
    """An engine, its wall clock, and the way to it."""

    def __init__(self, folder: Path, section: Mapping[str, object]) -> None:
        """Settle what its section `redis` says."""
        super().__init__(folder)
        self._section = section
        self.clock = WallClock.new(folder / "clock")

    async def start(self) -> None:
        """Start it, and wait until it answers. One that ends at its start is started again, as by a service manager, for a few times. Raises Broken."""
        self.begin()
        starts = 1
        try:
            async with asyncio.timeout(WITHIN_S):
                while await self.status() is None:
                    if self.has_ended:
                        if starts == STARTS_MAX:
                            raise Broken(f"engine {self.name} ended at its start {starts} times: {self.last_words()}")
                        starts += 1
                        self.begin()
                    await CLOCK.sleep(LOOK_S)
        except TimeoutError:
            raise Broken(f"engine {self.name} does not answer") from None

    def begin(self) -> None:
        """Start it."""
        lines = ["[redis]", *(f"{key} = {toml_value(value)}" for key, value in self._section.items())]
        (self.folder / "fleet.toml").write_text("\n".join(lines) + POOL, "utf-8")
        places = {f"XDG_{name}": str(self.folder / name.lower()) for name in ("STATE_HOME", "CONFIG_HOME", "RUNTIME_DIR")}
        (self.folder / "runtime_dir").mkdir(mode=0o700, exist_ok=True)
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "PYTHONPATH") if name in os.environ}
        self.run(sys.executable, "-m", "fleet_tui.chaos.wall_clock", str(self.clock.path), "-C", str(self.folder), "engine", environment={**kept, **places, "HOME": str(self.folder)})

    def workers(self) -> list[int]:
        """Return the ids of its child processes."""
        return read_children(self.pid)

    @contextlib.asynccontextmanager
    async def operator(self) -> AsyncIterator[RemoteOperator]:
        """Give an operator of it. Raises EngineUnavailable."""
        sockets = list((self.folder / "runtime_dir").rglob("*.sock"))
        if not sockets:
            raise EngineUnavailable(f"engine {self.name} has no socket yet")
        async with connect(sockets[0], clock=CLOCK, caller=Caller()) as operator:
            yield operator

    async def status(self) -> FleetStatus | None:
        """Return what it says of the fleet; None while it does not answer."""
        with contextlib.suppress(FleetError, TimeoutError):
            async with asyncio.timeout(2.0), self.operator() as operator:
                status = await operator.query("status")
                assert isinstance(status, FleetStatus)
                return status
        return None
