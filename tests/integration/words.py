"""Command lines of fleet-tui and what a shell sees of them, mostly without a Python started for each."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from click.testing import CliRunner
from engine.booster.build import cache_folder
from fleet_tui import cli

TIMEOUT_S = 120
CACHE_HOME = cache_folder().parents[1]
"""Compiled modules are the same for all; a processor works seconds on one."""
OF_A_PROCESS = frozenset({"attach", "demo", "engine", "web"})
"""Subcommands that take the signals, the log or the terminal of their process."""


def program(*words: str | Path) -> list[str]:
    """Return the command line of fleet-tui as a process."""
    return [sys.executable, "-P", "-m", "fleet_tui", *map(str, words)]


def run_words(
    words: Sequence[str], environment: Mapping[str, str], directory: Path | None = None, text: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run a command line to its end, without a terminal and with nothing but this environment.

    In this process, unless the subcommand needs one of its own: a Python that starts costs fifty times what most do.
    """
    directory = directory or Path.cwd()
    if not words or not OF_A_PROCESS.isdisjoint(words):
        return subprocess.run(
            program(*words), env=environment, cwd=directory, input=text, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
    with ThreadPoolExecutor(1) as thread:  # of its own: the caller's may be in a loop
        return thread.submit(run_here, words, environment, directory, text).result()


def run_here(words: Sequence[str], environment: Mapping[str, str], directory: Path, text: str) -> subprocess.CompletedProcess[str]:
    """Run a command line in this process, and in this thread."""
    nothing_else = dict.fromkeys(name for name in os.environ if not name.startswith("PYTEST_"))
    with contextlib.ExitStack() as stack:
        out, said, _both = stack.enter_context(CliRunner().isolation(input=text, env={**nothing_else, **environment}))
        stack.enter_context(contextlib.chdir(directory))
        code = cli.run(words)
        sys.stderr.flush()
        return subprocess.CompletedProcess(list(words), code, out.getvalue().decode(), said.getvalue().decode())
