"""The headless demo: a report for people and for machines, an exit code that tells, a clean end when it is interrupted."""

from __future__ import annotations

import json
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.cli_shell import TIMEOUT_S, Shell

pytestmark = pytest.mark.xdist_group("cli")

SOURCE = "def double(n):\n    return n * 2\n\n\nclass Box:\n    def grow(self):\n        return double(self)\n"


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    with tempfile.TemporaryDirectory(prefix="r", dir="/tmp") as runtime:
        shell = Shell(tmp_path, Path(runtime), config="not TOML: the demo does not read it")
        (shell.project / "box.py").write_text(SOURCE)
        yield shell
        shell.close()


def test_report_for_machines(shell: Shell, tmp_path: Path) -> None:
    done = shell.run("demo", "--headless", "--json", "--state-dir", tmp_path / "kept", shell.project / "box.py")
    report = json.loads(done.stdout)
    assert (report["files"], report["functions"], report["classes"]) == (1, 2, 1)
    assert report["tasks"]["submitted"] >= report["tasks"]["succeeded"] > 0
    assert report["ok"]
    assert (tmp_path / "kept/fleet.db").exists()


def test_report_for_people(shell: Shell) -> None:
    done = shell.run("demo", "--seconds", "20", shell.project)
    assert str(shell.project) in done.stdout
    assert not shell.paths.state_dir.exists()


def test_nothing_to_work_on(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "no Python file" in shell.run("demo", "--headless", tmp_path / "empty", code=2).stderr
    assert "No such file" in shell.run("demo", "--headless", tmp_path / "none", code=2).stderr


def test_interrupted(shell: Shell) -> None:
    # Enough work to be caught at it.
    for number in range(300):
        (shell.project / f"box_{number}.py").write_text(SOURCE * 20)
    demo = subprocess.Popen(
        shell.argv("demo", "--headless", "--state-dir", shell.project.parent / "kept", shell.project), cwd=shell.project,
        env=shell.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert demo.stderr is not None
    while not (shell.project.parent / "kept/fleet.db").exists():
        assert demo.poll() is None
    demo.send_signal(signal.SIGTERM)
    out, err = demo.communicate(timeout=TIMEOUT_S)
    assert (demo.returncode, out, err.strip()) == (130, "", "")
