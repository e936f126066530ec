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
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

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
ANSWER_WITHIN_S = 2.0
ROWS_MAX = 1_000
STARTS_MAX = 3
POOL = """
[fleet.default_pools.worker]
min = 2
max = 4
handler = "fleet_tui.chaos.work:answer"
hosts = "local"
"""
HOSTED = """
[fleet.default_pools.hosted]
min = 4
max = 4
handler = "fleet_tui.chaos.work:answer_hosted"
hosts = "joined"
"""
"""The pool of hosts that join: each gets half of it."""


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


async def until_found(condition: Callable[[], Awaitable[bool]], what: str) -> None:
    """Wait for what engines are asked for. Raises Broken after WITHIN_S."""
    try:
        async with asyncio.timeout(WITHIN_S):
            while not await condition():
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


class Reached:
    """An engine that can be asked."""

    @property
    def name(self) -> str:
        """Return what it is called."""
        raise NotImplementedError

    def socket(self) -> Path | None:
        """Return where it is spoken to."""
        raise NotImplementedError

    @contextlib.asynccontextmanager
    async def operator(self) -> AsyncIterator[RemoteOperator]:
        """Give an operator of it. Raises EngineUnavailable."""
        if (socket := self.socket()) is None:
            raise EngineUnavailable(f"engine {self.name} has no socket yet")
        async with connect(socket, clock=CLOCK, caller=Caller()) as operator:
            yield operator

    async def rows(self, kind: str, text: str = "") -> list[dict[str, Any]]:
        """Return its rows of a kind that go with a filter; none while it does not answer."""
        with contextlib.suppress(FleetError, TimeoutError):
            async with asyncio.timeout(ANSWER_WITHIN_S), self.operator() as operator:
                found: Any = await operator.query(kind, filter=text, limit=ROWS_MAX)
                return list(found)
        return []

    async def status(self) -> FleetStatus | None:
        """Return what it says of the fleet; None while it does not answer."""
        with contextlib.suppress(FleetError, TimeoutError):
            async with asyncio.timeout(ANSWER_WITHIN_S), self.operator() as operator:
                status = await operator.query("status")
                assert isinstance(status, FleetStatus)
                return status
        return None


class EngineProcess(Process, Reached):
    """An engine, its wall clock, and the way to it."""

    def __init__(self, folder: Path, section: Mapping[str, object], more: str = "") -> None:
        """Settle what its section `redis` says; `more` are other sections."""
        super().__init__(folder)
        self._section, self._more = section, more
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
        (self.folder / "fleet.toml").write_text("\n".join(lines) + POOL + self._more, "utf-8")
        self.run(sys.executable, "-m", "fleet_tui.chaos.wall_clock", str(self.clock.path), "-C", str(self.folder), "engine", environment=_environment(self.folder))

    def workers(self) -> list[int]:
        """Return the ids of its child processes."""
        return read_children(self.pid)

    def socket(self) -> Path | None:
        """Return where it is spoken to; those of the regions that it keeps have longer names."""
        return min((self.folder / "runtime_dir").rglob("*.sock"), key=lambda path: len(str(path)), default=None)


class Guest(Reached):
    """The engine that one region has for another."""

    def __init__(self, keeper: EngineProcess, region: str) -> None:
        self._keeper, self._region = keeper, region

    @property
    def name(self) -> str:
        """Return what it is called."""
        return f"{self._region} at {self._keeper.name}"

    def socket(self) -> Path | None:
        """Return where it is spoken to."""
        return next((path for path in self._keeper.folder.rglob("*.sock") if path.parent.name.endswith(f"-{self._region}")), None)


class HostProcess(Process):
    """A host that joins the fleet by its server."""

    def __init__(self, folder: Path, url: str) -> None:
        super().__init__(folder)
        self._url = url

    async def start(self) -> None:
        """Start it, and do not wait for the fleet to take it in."""
        words = ("-m", "fleet_tui", "-C", str(self.folder), "worker", "--join", self._url, "--name", self.name)
        self.run(sys.executable, *words, environment=_environment(self.folder))


def _environment(folder: Path) -> dict[str, str]:
    """Return the environment of a program that has all its places in a folder."""
    (folder / "runtime_dir").mkdir(mode=0o700, exist_ok=True)
    places = {f"XDG_{name}": str(folder / name.lower()) for name in ("STATE_HOME", "CONFIG_HOME", "RUNTIME_DIR")}
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "PYTHONPATH") if name in os.environ}
    return {**kept, **places, "HOME": str(folder)}
