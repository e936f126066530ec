"""A shell of its own for tests of the command line: own home, own runtime directory, engines that are ended afterwards."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

from fleet_tui.attach import is_answering
from fleet_tui.settings import Paths, find_paths

from tests.integration.words import CACHE_HOME, program, run_words

TIMEOUT_S = 60
SMALL = """
[fleet]
workers = 1
default_pools = { coder = { min = 2, max = 5 }, tester = { min = 1, max = 3 } }

[pools.shell]
kind = "command"
min = 1
max = 2
command = { argv = ["sh", "-c", "cat; echo said >&2"] }
"""


class Shell:
    """Runs fleet-tui in a project directory; nothing of the developer's own environment is seen or touched."""

    def __init__(self, home: Path, runtime: Path, config: str = SMALL) -> None:
        self.project = home / "project"
        self.project.mkdir(parents=True)
        (self.project / "fleet.toml").write_text(config)
        self.environment = {
            "HOME": str(home), "XDG_RUNTIME_DIR": str(runtime), "PATH": os.environ["PATH"], "LANG": "C.UTF-8", "TERM": "xterm-256color",
            "XDG_CACHE_HOME": str(CACHE_HOME),
        }  # fmt: skip
        self.engines: list[subprocess.Popen[str]] = []

    @property
    def paths(self) -> Paths:
        """Return the places of the project."""
        return find_paths(self.project, environment=self.environment)

    def argv(self, *words: str | Path) -> list[str]:
        """Return the command line of fleet-tui."""
        return program(*words)

    def run(self, *words: str | Path, code: int = 0, text: str = "") -> subprocess.CompletedProcess[str]:
        """Run fleet-tui without a terminal to its end; fail unless it ends with `code`, or when it shows a traceback."""
        done = run_words([*map(str, words)], self.environment, self.project, text)
        assert done.returncode == code, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def json(self, *words: str | Path, code: int = 0) -> Any:
        """Return what fleet-tui prints as JSON."""
        return json.loads(self.run(*words, "-o", "json", code=code).stdout)

    def start_engine(self, *words: str | Path) -> subprocess.Popen[str]:
        """Start an engine in the foreground and wait until it says that it is ready."""
        process = subprocess.Popen(
            self.argv("engine", *words), cwd=self.project, env=self.environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.engines.append(process)
        assert process.stderr is not None
        line = process.stderr.readline()
        assert "is ready" in line, line + process.stderr.read()
        assert is_answering(self.paths.socket)
        return process

    def end(self, process: subprocess.Popen[str], number: signal.Signals = signal.SIGTERM) -> str:
        """Send an engine a signal, wait for its end and return what it still said."""
        process.send_signal(number)
        _out, said = process.communicate(timeout=TIMEOUT_S)
        return said

    def close(self) -> None:
        """End every engine that still runs."""
        for process in self.engines:
            if process.returncode is None:
                self.end(process)
            if process.stderr is not None:
                process.stderr.close()
