"""The demo on a real engine with real worker processes: its counts against an independent count by `ast`."""

from __future__ import annotations

import ast
import asyncio
import os
import signal
import warnings
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from engine.clock import SystemClock
from engine.fleet import FleetManager
from engine.model.plans import Origin
from engine.operations import Operator
from fleet_tui.demo import DemoReport, keep_busy, run_demo
from fleet_tui.demo.planner import Progress

DEMO = Origin("demo", "library")

DOCUMENTED = '''"""Has everything."""

import asyncio
from pkg.shapes import make_shape


def branchy(a, b):
    """Branch."""
    if a and b:
        return make_shape(a)
    for x in a:
        while x:
            x -= 1
            print(x)
    return [y for y in b if y]


async def wait(seconds: float) -> None:
    """Wait."""

    async def inner():
        await asyncio.sleep(seconds)

    await inner()
'''
SHAPES = '''
class Shape:
    class Inner:
        def area(self): return 1

    @property
    def name(self):
        breakpoint()
        return "shape"


def make_shape(*args):
    return Shape()


def make_two():
    return make_shape(1), make_shape(2)
'''


@dataclass
class Counted:
    """What `ast` finds in the files that it can parse."""

    files: int = 0
    functions: int = 0
    classes: int = 0
    largest: tuple[int, str] = (0, "")
    calls: dict[str, int] = field(default_factory=dict)


def count(root: Path) -> Counted:
    counted = Counted()
    for path in sorted(root.rglob("*.py")):
        if path.is_symlink() or any(part.startswith(".") for part in path.parts):
            continue
        counted.files += 1
        try:
            tree = ast.parse(path.read_bytes())
        except SyntaxError:
            continue
        for node in ast.walk(tree):
            counted.classes += isinstance(node, ast.ClassDef)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert node.end_lineno is not None
                counted.functions += 1
                size = (node.end_lineno - node.lineno + 1, f"{path.name}:{node.lineno}")
                counted.largest = max(counted.largest, size, key=lambda one: one[0])
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                counted.calls[node.func.id] = counted.calls.get(node.func.id, 0) + 1
    return counted


def read_all(root: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in sorted(root.rglob("*.py"))}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A code base with everything that is odd."""
    root = tmp_path / "code"
    files: dict[str, str | bytes] = {
        "top.py": DOCUMENTED,
        "pkg/__init__.py": "",
        "pkg/shapes.py": SHAPES,
        "pkg/deep/er/far.py": "from pkg.shapes import make_shape\n\n\ndef far():\n    return make_shape(3)\n",
        "other/latin.py": "# -*- coding: latin-1 -*-\ndef caf\xe9():\n    return 'na\xefve'\n".encode("latin-1"),
        "other/marked.py": b"\xef\xbb\xbfdef marked():\n    pass\n",
        "other/nested.py": "def nested():\n    return " + "(" * 90 + "1" + ")" * 90 + "\n",
        "other/long.py": "def long():\n    return " + " + ".join(["1"] * 900) + "\n",
        "broken/syntax.py": "def broken(:\n    pass\n",
        "broken/encoding.py": b"def x():\n    return '\xff\xfe'\n",
        "broken/too_deep.py": "x = " + "(" * 5_000 + ")" * 5_000 + "\n",
        ".hidden/no.py": "def no(): pass\n",
    }
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
    (root / "pkg" / "loop").symlink_to(root)
    (root / "link.py").symlink_to(root / "top.py")
    return root


@pytest.fixture
async def operator() -> AsyncIterator[Operator]:
    async with FleetManager() as fleet:
        yield fleet.operator(DEMO)


async def test_the_report_agrees_with_an_independent_count(tree: Path, operator: Operator) -> None:
    before = read_all(tree)
    report = await run_demo(operator, tree, clock=SystemClock())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        counted = count(tree)

    assert (report.files, report.files_found) == (counted.files, counted.files)
    assert (report.functions, report.classes) == (counted.functions, counted.classes)
    assert (report.largest[0].figure, f"{Path(report.largest[0].file).name}:{report.largest[0].line}") == counted.largest
    assert (report.complex[0].name, report.complex[0].figure) == ("branchy", 7)
    name = report.names[0]
    assert (name.name, name.place, name.files) == ("make_shape", "pkg/shapes.py:12", 3)
    assert name.kinds["call"] == counted.calls["make_shape"] == 4
    assert {(row.file, row.function, row.statements) for row in report.removals} == {
        ("top.py", "print", 1),
        ("pkg/shapes.py", "breakpoint", 1),
    }
    assert "-            print(x)" in next(row.diff for row in report.removals if row.function == "print")
    # Public, not inside a function, without one: Shape, Inner, area, name, make_shape, make_two; far; café; marked;
    # nested; long.
    assert report.docstrings == 11
    assert {row.file for row in report.failures} == {f"broken/{one}.py" for one in ("syntax", "encoding", "too_deep")}
    assert {row.name for row in report.left_out} == {"link.py", "pkg/loop"}
    assert report.agents_peak == 27, "the sixteen pools and one instance of the booster"

    assert report.ok
    status = report.engine
    assert (report.tasks.submitted, report.tasks.succeeded, report.tasks.failed) == (
        status.submitted,
        status.succeeded,
        status.failed,
    )
    assert report.tasks.dead == report.tasks.unfinished == 0
    assert read_all(tree) == before, "the demo writes nothing"


async def test_the_same_work_is_done_with_and_without_the_booster(tree: Path, operator: Operator) -> None:
    report = await run_demo(operator, tree, clock=SystemClock())
    found = report.comparison
    assert found is not None
    assert found.files >= 1
    assert found.equal == found.files - found.regular.failed
    assert found.booster.failed <= found.regular.failed, "the booster also reads what is nested too deep for a regular agent"
    assert found.regular.pool == "coder"
    assert found.booster.pool == "booster"
    assert found.ratio == found.regular.seconds / found.booster.seconds > 0
    assert found.work_ratio == found.regular.work_s / found.booster.work_s > 0
    assert f"{found.equal:,} of {found.files:,} answers are equal" in report.to_text()
    assert report.to_json()["comparison"]["equal"] == found.equal


async def test_a_second_run_over_the_same_files_does_nothing_again(tree: Path, operator: Operator) -> None:
    first = await run_demo(operator, tree, clock=SystemClock())
    second = await run_demo(operator, tree, clock=SystemClock())
    assert second.engine.submitted == 0
    assert second.tasks.continued == second.tasks.submitted == first.tasks.submitted
    assert (second.functions, second.classes, second.failures) == (first.functions, first.classes, first.failures)


@pytest.mark.row(24)
async def test_a_worker_killed_in_the_middle_costs_no_result(tmp_path: Path, operator: Operator) -> None:
    for number in range(120):
        (tmp_path / f"m{number:03}.py").write_text(DOCUMENTED * 3)
    killed: list[int] = []

    async def kill() -> None:
        workers: list[int] = []
        async with operator.follow(["hosts"]) as frames:
            async for frame in frames:
                workers += [row.pid for row in frame.rows.get("hosts", ()) if row.kind == "python"]  # type: ignore[union-attr]
                if frame.status.tasks.succeeded > 40 and workers:
                    killed.append(workers[0])
                    os.kill(workers[0], signal.SIGKILL)
                    return

    async with asyncio.TaskGroup() as group:
        run = group.create_task(run_demo(operator, tmp_path, clock=SystemClock()))
        group.create_task(kill())
    report: DemoReport = run.result()
    assert killed
    assert report.tasks.retried > 0
    assert report.ok
    assert report.failures == ()
    assert (report.files, report.functions) == (120, 120 * 9)


async def test_keep_busy_keeps_the_fleet_at_work(tree: Path, operator: Operator) -> None:
    async def again() -> list[dict[str, object]]:
        while True:
            rows = await operator.query("tasks", limit=1000)
            assert isinstance(rows, list)
            if [row["title"] for row in rows if row["state"] == "succeeded"].count("outline top.py") >= 2:
                return rows
            await asyncio.sleep(0.05)

    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        busy = group.create_task(keep_busy(operator, tree, clock=SystemClock()))
        rows = await again()  # until the second round has begun
        busy.cancel()
    assert {row["state"] for row in rows} <= {"succeeded", "failed", "cancelled", "pending", "leased", "running"}


class EnoughError(Exception):
    pass


def break_off(progress: Progress) -> None:
    if progress.ended > 60:
        raise EnoughError


async def test_a_run_broken_off_goes_on_in_the_next_engine(tmp_path: Path) -> None:
    code, state = tmp_path / "code", tmp_path / "state"
    code.mkdir()
    state.mkdir()
    for number in range(80):
        (code / f"m{number:03}.py").write_text(DOCUMENTED)
    async with FleetManager(state_dir=state) as fleet:
        with pytest.raises(EnoughError):
            await run_demo(fleet.operator(DEMO), code, clock=SystemClock(), on_progress=break_off)
        handed_over = fleet.status().tasks
    assert 0 < handed_over.succeeded < 320
    async with FleetManager(state_dir=state) as fleet:
        report = await run_demo(fleet.operator(DEMO), code, clock=SystemClock())
        assert report.tasks.submitted == 320
        assert report.comparison is not None
        compared = 2 * (report.comparison.files + 1)
        assert fleet.status().tasks.submitted == 320 + compared, "nothing was submitted twice"
    assert report.ok
    assert report.tasks.continued == handed_over.submitted
    assert (report.files, report.functions) == (80, 80 * 3)
