"""The tmux model from the keyboard: `fleet-tui` attaches to the engine that runs, or starts one and ends it with itself."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from fleet_tui.attach import find_engine, holder_pid
from fleet_tui.settings import demo_paths

from tests.integration.cli_shell import Shell
from tests.ui.pty_screen import PtyScreen

pytestmark = pytest.mark.xdist_group("cli")
PATIENCE_S = 30.0


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shell]:
    with tempfile.TemporaryDirectory(prefix="r", dir="/tmp") as runtime:
        shell = Shell(tmp_path, Path(runtime))
        # PtyScreen adds to this process's environment.
        for name in ("HOME", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR"):
            monkeypatch.setenv(name, shell.environment[name])
        for name in ("XDG_STATE_HOME", "XDG_CONFIG_HOME"):
            monkeypatch.delenv(name, raising=False)
        yield shell
        shell.close()


def is_left(pty: PtyScreen) -> bool:
    return not pty.is_open or pty._process.poll() is not None


def test_it_starts_an_engine_and_ends_it(shell: Shell) -> None:
    with PtyScreen(shell.argv("-C", shell.project)) as pty:
        pty.wait_text("coder", timeout_s=PATIENCE_S)
        assert find_engine(shell.paths) == shell.paths.socket
        assert os.getsid(holder_pid(shell.paths)) == holder_pid(shell.paths)
        pty.send(b"q")
        pty.wait(is_left, timeout_s=PATIENCE_S)
        assert pty.close() == 0
    assert find_engine(shell.paths) is None


def test_it_attaches_and_leaves_the_engine_alone(shell: Shell) -> None:
    engine = shell.start_engine()
    for words in (["-C", shell.project], ["attach", shell.paths.socket]):
        with PtyScreen(shell.argv(*words)) as pty:
            pty.wait_text("coder", timeout_s=PATIENCE_S)
            pty.send(b"q")
            pty.wait(is_left, timeout_s=PATIENCE_S)
    assert engine.poll() is None
    assert shell.json("get", "status")["pid"] == engine.pid


def test_a_console_whose_terminal_is_gone_leaves_the_engine_it_started(shell: Shell) -> None:
    with PtyScreen(shell.argv("-C", shell.project)) as pty:
        pty.wait_text("coder", timeout_s=PATIENCE_S)
        os.kill(pty.pid, signal.SIGHUP)
        pty.wait(is_left, timeout_s=PATIENCE_S)
    shell.run("submit", "noop", "coder", "--wait")
    shell.run("stop", "--yes")


def test_an_engine_that_cannot_start_is_explained(shell: Shell) -> None:
    (shell.project / "fleet.toml").write_text("nam = 1\n")
    with PtyScreen(shell.argv("-C", shell.project)) as pty:
        pty.wait(lambda pty: "did you mean 'name'" in pty.text.replace("\n", ""), timeout_s=PATIENCE_S)
        pty.wait(is_left, timeout_s=PATIENCE_S)
        assert pty.close() == 1


def test_the_demo_has_an_engine_of_its_own(shell: Shell) -> None:
    (shell.project / "box.py").write_text("def double(n):\n    return n * 2\n")
    with PtyScreen(shell.argv("demo", shell.project)) as pty:
        pty.wait_text("coder", timeout_s=PATIENCE_S)
        assert find_engine(shell.paths) is None
        paths = demo_paths(shell.project, None)
        assert find_engine(paths) == paths.socket
    shell.run("--state-dir", paths.state_dir, "stop", "--yes")
