"""Real engines for tests: `fleet-tui engine` as a process of its own, to be looked at, killed and started again."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from tests.integration.forked import Forked
from tests.integration.processes import kill_quietly
from tests.integration.words import CACHE_HOME, run_words

PROGRAM = (sys.executable, "-m", "fleet_tui")
START_S = 60.0
WAIT_S = 60.0
PAUSE_FIRST_S, PAUSE_MOST_S = 0.02, 0.15
"""Between two looks: who looks all the time takes from what it waits for."""


def until(condition: Callable[[], Any], within_s: float = WAIT_S) -> float:
    """Wait for a condition and return the seconds it took; fail after the time."""
    began = time.monotonic()
    pause_s = PAUSE_FIRST_S
    while not condition():
        assert time.monotonic() - began < within_s, f"waited {within_s:g} s in vain"
        time.sleep(pause_s)
        pause_s = min(PAUSE_MOST_S, 1.3 * pause_s)
    return time.monotonic() - began


class EngineProcess:
    """The engine of a directory; its state and socket are the test's own."""

    from_nothing = False
    """Whether its program is loaded anew, not forked: where its environment is the interpreter's and the linker's, too."""

    def __init__(self, root: Path, config: str = "", args: tuple[str, ...] = (), before: tuple[str, ...] = ()) -> None:
        self.root = root
        self.directory = root / "project"
        self.directory.mkdir(exist_ok=True)
        (root / "run").mkdir(mode=0o700, exist_ok=True)
        (root / "home").mkdir(exist_ok=True)
        if config:
            (self.directory / "fleet.toml").write_text(config, "utf-8")
        self.args = args
        self.before = before
        """Words of the engine's command line before the subcommand."""
        self.process: subprocess.Popen[str] | Forked | None = None

    @property
    def environment(self) -> dict[str, str]:
        """An environment with nothing of the user's but what the booster compiled, which is kept by what it was compiled from."""
        kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        return {
            **kept,
            "HOME": str(self.root / "home"),
            "XDG_STATE_HOME": str(self.root / "state"),
            "XDG_RUNTIME_DIR": str(self.root / "run"),
            "XDG_CONFIG_HOME": str(self.root / "config"),
            "XDG_CACHE_HOME": str(CACHE_HOME),
        }

    def command(self, *words: str) -> list[str]:
        """A command line of this program on the directory."""
        return [*PROGRAM, "-C", str(self.directory), *words]

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return run_words(["-C", str(self.directory), *words], self.environment)

    def get(self, *words: str) -> Any:
        """Run `get … -o json` and return what it printed."""
        done = self.run("get", *words, "-o", "json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def begin(self, file_bytes_max: int = 0) -> None:
        """Start the engine, and do not wait for it."""
        self.process = self.run_beside(*self.before, "engine", *self.args, file_bytes_max=file_bytes_max)

    def run_beside(self, *words: str, file_bytes_max: int = 0) -> subprocess.Popen[str] | Forked:
        """Start a command as a process of its own, with a limit on files if there is one."""
        command = self.command(*words)
        if not self.from_nothing:
            return Forked(command[len(PROGRAM) :], self.environment, file_bytes_max)
        return subprocess.Popen(
            command,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=(lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes_max, file_bytes_max))) if file_bytes_max else None,
        )

    def start(self, file_bytes_max: int = 0) -> EngineProcess:
        """Start the engine and wait until it answers; a limit on files is what a full disk is to it."""
        self.begin(file_bytes_max)
        assert self.process is not None
        until(lambda: self.process.poll() is not None or self.run("get", "status", "-o", "json").returncode == 0, START_S)
        if self.process.poll() is not None:
            assert self.process.stderr is not None
            raise AssertionError(f"the engine ended: {self.process.stderr.read()}")
        return self

    @property
    def pid(self) -> int:
        """The engine's process id."""
        assert self.process is not None
        return self.process.pid

    def kill(self) -> None:
        """End it as a crash does."""
        assert self.process is not None
        self.process.kill()
        assert self.process.stderr is not None
        self.process.wait()
        self.process.stderr.close()

    def end(self) -> None:
        """End it as a service manager does."""
        assert self.process is not None
        assert self.process.stderr is not None
        self.process.terminate()
        self.process.wait(20)
        self.process.stderr.close()

    def marked(self) -> list[int]:
        """The live processes that carry this state directory's marker: workers, the spawner, agents."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.status() == psutil.STATUS_ZOMBIE:
                    continue
                marker = process.environ().get("FLEET_ENGINE_STATE", "")
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
            if marker and Path(marker).is_relative_to(self.root):
                found.append(process.pid)
        return found

    def close(self) -> None:
        """End everything that is left."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self.process is not None and self.process.stderr is not None:
            self.process.stderr.close()
        kill_quietly(self.marked())


@contextmanager
def engine(root: Path, config: str = "", args: tuple[str, ...] = (), before: tuple[str, ...] = (), *, from_nothing: bool = False) -> Iterator[EngineProcess]:
    """A running engine, ended with the context."""
    subject = EngineProcess(root, config, args, before)
    subject.from_nothing = from_nothing
    try:
        yield subject.start()
    finally:
        subject.close()
