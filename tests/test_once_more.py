"""What failed among the others is asked once more, alone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests import once_more

UNSTEADY = """
import os, pytest
@pytest.mark.xdist_group("of its own")
@pytest.mark.parametrize("name", ["a@b"])
def test_that_needs_to_be_alone(name): assert "PYTEST_XDIST_WORKER" not in os.environ
"""
BROKEN = "def test_that_is_broken(): assert False\n"
MANY = """
import os, pytest
@pytest.mark.parametrize("number", range(9))
def test_that_needs_to_be_alone(number): assert "PYTEST_XDIST_WORKER" not in os.environ
"""
UNREADABLE = "import nothing_of_this_name\n"


def _look(tmp_path: Path, tests: str) -> tuple[int, str]:
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_it.py").write_text(tests)
    alone = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    first = subprocess.run((sys.executable, "-m", "pytest", "-n", "1", "--dist", "loadgroup"), cwd=tmp_path, env=alone, capture_output=True)
    assert first.returncode
    ended = subprocess.run((sys.executable, once_more.__file__), cwd=tmp_path, env=alone, capture_output=True, text=True)
    return ended.returncode, ended.stdout


def test_what_passes_alone_is_named_and_passes(tmp_path: Path) -> None:
    code, text = _look(tmp_path, UNSTEADY)
    assert code == 0
    assert "UNSTEADY" in text
    assert "test_it.py::test_that_needs_to_be_alone[a@b]\n" in text


def test_what_fails_again_fails_the_run(tmp_path: Path) -> None:
    code, text = _look(tmp_path, UNSTEADY + BROKEN)
    assert code == 1
    assert "UNSTEADY" not in text


def test_many_fail_the_run_though_each_may_be_unsteady(tmp_path: Path) -> None:
    assert _look(tmp_path, MANY) == (1, "")


def test_what_cannot_be_collected_fails_the_run(tmp_path: Path) -> None:
    assert _look(tmp_path, UNREADABLE) == (1, "")


def test_nothing_that_failed_is_no_reason_to_pass(tmp_path: Path) -> None:
    ended = subprocess.run((sys.executable, once_more.__file__), cwd=tmp_path, capture_output=True)
    assert ended.returncode == 1
