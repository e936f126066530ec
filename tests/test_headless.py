"""Prove at run time which libraries opening a module drags in; lazy imports inside functions are free."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TERMINAL = ("textual", "rich")
# A console that starts in 200 ms and a remote client have no room for the server's libraries.
SERVER = ("pydantic", "fastapi", "uvicorn", "redis", "wasmtime")


def find_loaded(module: str, unwanted: tuple[str, ...]) -> str:
    """Return which of the unwanted modules a fresh interpreter holds after importing one."""
    code = f"import sys, {module}; print(*(name for name in {unwanted!r} if name in sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize(
    "module", ["engine", "engine.fleet", "engine.api.client", "fleet_tui.cli", "screens.present"]
)
def test_opens_without_a_terminal_library(module: str) -> None:
    assert find_loaded(module, TERMINAL) == ""


@pytest.mark.parametrize("module", ["fleet_tui.cli", "engine.api.client", "screens", "screens.present"])
def test_opens_without_a_server_library(module: str) -> None:
    assert find_loaded(module, SERVER) == ""
