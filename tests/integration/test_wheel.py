"""The built wheel is whole, and works in an empty environment away from the checkout."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PACKAGES = ("fleet_tui", "engine", "screens", "themes")
DATA_SUFFIXES = (".tcss", ".sql", ".wasm", ".json", ".lua", ".toml")
TASK_COUNTS = {"submitted", "succeeded", "failed", "dead", "retried"}
# All tests of one environment run in one worker: it takes seconds to make.
pytestmark = [pytest.mark.xdist_group("wheel"), pytest.mark.timeout(600)]

Run = Callable[..., subprocess.CompletedProcess[str]]


def run(
    command: Sequence[str | Path], *, cwd: Path = ROOT, env: Mapping[str, str] | None = None, timeout_s: float = 300
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end, without a terminal, and fail with what it said."""
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd, env=env, timeout=timeout_s, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done


@pytest.fixture(scope="session")
def uv() -> str:
    """The program uv: the one that make used, else the one at hand."""
    found = os.environ.get("UV") or shutil.which("uv") or shutil.which("uv", path=ROOT / ".tools" / "bin")
    assert found, "uv was not found; `make check` fetches it"
    return found


@pytest.fixture(scope="session")
def wheel(uv: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout."""
    folder = tmp_path_factory.mktemp("dist")
    run([uv, "build", "--quiet", "--wheel", "--out-dir", folder, ROOT])
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="session")
def installed(uv: str, wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment that holds the wheel and its locked dependencies, nothing else."""
    folder = tmp_path_factory.mktemp("installed")
    locked = folder / "locked.txt"
    run([uv, "export", "--quiet", "--frozen", "--no-dev", "--no-hashes", "--no-emit-project", "-o", locked])
    run([uv, "venv", "--quiet", "--python", sys.executable, folder / "venv"])
    python = folder / "venv" / "bin" / "python"
    run([uv, "pip", "install", "--quiet", "--python", python, "--constraints", locked, wheel])
    return python.parent


@pytest.fixture
def run_installed(installed: Path, tmp_path: Path) -> Run:
    """Run a program of that environment as a stranger: empty home, an own folder, no variables of ours."""
    home = tmp_path / "home"
    work = tmp_path / "a folder"
    home.mkdir()
    work.mkdir()
    env = {"HOME": str(home), "PATH": f"{installed}:/usr/bin:/bin", "LANG": "C.UTF-8"}

    def run_as_stranger(program: str, *words: str | Path) -> subprocess.CompletedProcess[str]:
        return run([installed / program, *words], cwd=work, env=env, timeout_s=180)

    return run_as_stranger


@pytest.fixture
def small_tree(tmp_path: Path) -> Path:
    """A code base of two files, five functions and one class."""
    tree = tmp_path / "tree"
    (tree / "pack").mkdir(parents=True)
    (tree / "pack" / "__init__.py").write_text(
        "def double(n):\n    return n * 2\n\n\ndef half(n):\n    if n % 2:\n        raise ValueError(n)\n    return n // 2\n"
    )
    (tree / "main.py").write_text(
        "from pack import double\n\n\nclass Box:\n    def __init__(self, n):\n        self.n = n\n\n"
        "    def grow(self):\n        self.n = double(self.n)\n\n\ndef main():\n    print(Box(2))\n"
    )
    return tree


def list_data_files() -> set[str]:
    """Return the files of the packages that are no Python and that a run needs."""
    return {
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.suffix in DATA_SUFFIXES or path.name == "py.typed"
    }


@pytest.mark.row(287)
def test_wheel_is_whole(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert {f"{package}/py.typed" for package in PACKAGES} <= names
    assert any(name.endswith(".tcss") for name in names)
    assert any(name.endswith(".sql") for name in names)
    assert list_data_files() <= names
    assert not [name for name in names if name.startswith(("tests/", "snapshots/", "docs/"))]


@pytest.mark.row(12)
def test_installed_program_tells_its_version(wheel: Path, run_installed: Run) -> None:
    version = wheel.name.split("-")[1]
    assert version in run_installed("fleet-tui", "--version").stdout


@pytest.mark.row(12)
def test_installed_demo_does_real_work(run_installed: Run, small_tree: Path) -> None:
    before = {path: path.read_bytes() for path in small_tree.rglob("*.py")}
    done = run_installed("fleet-tui", "demo", "--headless", "--seconds", "5", "--json", small_tree)
    report = json.loads(done.stdout)
    assert Path(report["path"]).resolve() == small_tree.resolve()
    assert (report["files"], report["functions"], report["classes"]) == (2, 5, 1)
    assert 0 < report["seconds"] < 60
    assert report["agents_peak"] >= 1
    tasks = report["tasks"]
    assert tasks.keys() >= TASK_COUNTS
    assert tasks["submitted"] >= tasks["succeeded"] > 0
    assert (tasks["failed"], tasks["dead"]) == (0, 0)
    # Edits are proposed as diffs; the demo writes to no file of the user.
    assert {path: path.read_bytes() for path in small_tree.rglob("*.py")} == before


def test_engine_works_as_a_library(run_installed: Run) -> None:
    code = "from engine import FleetManager; import sys; print(FleetManager.__name__, 'textual' in sys.modules)"
    assert run_installed("python", "-c", code).stdout.split() == ["FleetManager", "False"]
