"""Benchmarks by name: they live in tests/bench of a source checkout; this finds, runs and prints them.

Each module of tests/bench has `ROWS`, a mapping of row names to their units, and `measure(report)`, which calls
report(name, value, runs, note) for what it measured. A figure that could not be measured is left out. One that can
measure the files of its user, too, says so by `TAKES_PATHS`, and its `measure` takes them as a second argument. One with
`GOALS`, a mapping of row names to goals, has each figure set beside its goal, and what is missed is said. One with `ONLY_NAMED`
runs when it is named, not with all.
"""

from __future__ import annotations

import importlib
import os
import platform
import sqlite3
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from engine.model import wire
from engine.model.errors import EXIT_FAILED, UsageError
from engine.model.version import version
from fleet_tui import output

FOLDER = Path(__file__).resolve().parent.parent / "tests" / "bench"


@dataclass(frozen=True, slots=True)
class Goal:
    """What a figure is to reach."""

    value: float
    is_most: bool = False

    def judge(self, figure: float) -> str:
        """Say the goal, and whether the figure meets it."""
        is_met = figure <= self.value if self.is_most else figure >= self.value
        return f"goal: {'at most' if self.is_most else 'at least'} {self.value:,g}, {'met' if is_met else 'MISSED'}"


def run_bench(names: Sequence[str], *, as_json: bool) -> None:
    """Run the benchmarks that `names` mean (none = all) and print their rows. Raises UsageError.

    What is no such name but a file or folder is handed to the benchmarks.
    """
    modules = {path.stem.removeprefix("bench_"): path for path in sorted(FOLDER.glob("bench_*.py"))}
    if not modules:
        raise UsageError("the benchmarks come with the source: clone the repository and run `make bench` there")
    names, paths = _tell_apart(names, modules)
    meant = {name for word in names for name in _meant(word, modules)}
    wanted = [name for name in modules if not names or name in meant]
    if not wanted:
        raise UsageError(f"no benchmark {names[0]!r}{wire.nearest(names[0], set(modules))}; there are {', '.join(modules)}")
    if paths and not names:
        raise UsageError(f"name the benchmark that shall measure {paths[0]}: fleet-tui bench booster {paths[0]}")
    sys.path.insert(0, str(FOLDER.parent.parent))
    rows: list[dict[str, Any]] = []
    failed = []
    for name in wanted:
        module = importlib.import_module(f"tests.bench.bench_{name}")
        if paths and not getattr(module, "TAKES_PATHS", False):
            raise UsageError(f"bench {name} measures no files of yours: leave out {paths[0]}")
        if not names and getattr(module, "ONLY_NAMED", False):
            output.say(f"{name} is left out: it is measured when it is named")
            continue
        output.say(f"measuring {name} …")
        report = _reporter(module, rows)
        try:
            module.measure(report, paths) if paths else module.measure(report)
        except (RuntimeError, OSError, AssertionError) as error:
            failed.append(name)
            output.say(f"{name} could not be measured: {error}")
    _print(rows, as_json=as_json)
    if failed:
        sys.exit(EXIT_FAILED)


def _reporter(module: ModuleType, rows: list[dict[str, Any]]) -> Callable[..., None]:
    """Give what a benchmark reports its figures to."""
    units: Mapping[str, str] = module.ROWS
    goals: Mapping[str, Goal] = getattr(module, "GOALS", {})

    def report(row: str, value: float, runs: int, note: str = "") -> None:
        said = [note, goals[row].judge(value) if row in goals else ""]
        rows.append({"name": row, "value": round(value, 4), "unit": units[row], "runs": runs, "note": "; ".join(filter(None, said))})

    return report


def _tell_apart(words: Sequence[str], modules: Mapping[str, Path]) -> tuple[list[str], list[Path]]:
    """Give the names of benchmarks and the files and folders that follow."""
    names = [word for word in words if _meant(word, modules) or not Path(word).exists()]
    return names, [Path(word) for word in words if word not in names]


def _meant(word: str, names: Iterable[str]) -> list[str]:
    """Return the names that begin with a word; where none does, the longest with which the word begins: it is a row of that benchmark."""
    known = list(names)
    return [name for name in known if name.startswith(word)] or sorted((name for name in known if word.startswith(name)), key=len)[-1:]


def machine() -> dict[str, object]:
    """Return what the figures were measured on."""
    return {
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "version": version(),
    }


def _print(rows: Sequence[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        output.print_json({"machine": machine(), "rows": rows})
        return
    width = max((len(row["name"]) for row in rows), default=0)
    lines = (f"{row['name']:<{width}}  {row['value']:>12,.3f} {row['unit']:<6} {row['note']}".rstrip() for row in rows)
    output.print_lines(lines)
