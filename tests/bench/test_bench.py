"""What every benchmark offers, the rows that have goals, and the object that `fleet-tui bench --json` prints."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
from engine.model.version import version

from tests.bench.terminals import require_terminals

NAMES = [path.stem for path in sorted(Path(__file__).parent.glob("bench_*.py"))]
UNITS = {"1/s", "%", "agents", "B", "B/s", "MB", "ms", "ratio", "s", "us"}
# Rows that have a goal, by the names and units under which the goals are kept.
GOALS = {
    "booster.speedup_median": "ratio",
    "booster.speedup_worst": "ratio",
    "booster.parse_vs_native": "ratio",
    "booster.small_ops_per_s": "1/s",
    "booster.small_op_p50_ms": "ms",
    "booster.files1000_s": "s",
    "booster.cold_first_task_ms": "ms",
    "booster.fallback_ms": "ms",
    "booster.edit_corpus_correct": "ratio",
    "console.rows10000_browsable_ms": "ms",
    "console.key_p95_ms.10000": "ms",
    "console.filter_p95_ms.10000": "ms",
    "console.idle_bytes_per_s": "B/s",
    "console.live_table_bytes_per_s": "B/s",
    "console.pulse_bytes_per_s": "B/s",
    "console.row_move_bytes": "B",
    "console.storm_bytes_per_s": "B/s",
    "console.cpu_quiet_percent": "%",
    "console.cpu_1000eps_percent": "%",
    "console.rss_mb.10000": "MB",
    "memory.start_1m_rows_s": "s",
    "memory.store_vs_rowwise": "ratio",
    "memory.l1_hit_us": "us",
    "memory.hit_rate_zipf": "ratio",
    "memory.vector_10k_ms": "ms",
    "memory.vector_100k_ms": "ms",
    "scaling.first_new_agent_s": "s",
    "scaling.light_10_to_100_s": "s",
    "scaling.process_10_to_100_s": "s",
    "scaling.agent_seconds_saved": "ratio",
    "scaling.busy_removed": "agents",
    "scaling.turns_per_real_change": "ratio",
    "scaling.utilisation_saturated": "ratio",
    "scaling.backtest_24h_s": "s",
    "monitoring.overhead_percent": "%",
    "register.agents_per_s": "1/s",
    "status.p99_ms.10000": "ms",
    "dispatch.burst_tasks_per_s.1000": "1/s",
    "dispatch.burst_tasks_per_s.10000": "1/s",
    "dispatch.start_p99_ms.at2000": "ms",
    "dispatch.result_p99_ms.at2000": "ms",
    "events.embedded_per_s": "1/s",
    "recover.seconds_per_10000_tasks": "s",
    "startup.first_useful_frame_ms": "ms",
    "startup.cli_help_ms": "ms",
}
SCREENS = ("pulse", "pools", "agents", "agent", "tasks", "task", "events", "plans", "audit", "help")
FRAMES = {"open_bytes": "B", "live_bytes_per_s": "B/s", "idle_bytes_per_s": "B/s", "amplification": "ratio"}


def rows_of(name: str) -> dict[str, str]:
    return importlib.import_module(f"tests.bench.{name}").ROWS


@pytest.mark.parametrize("name", NAMES)
def test_each_benchmark_has_rows_of_its_own_name_and_a_measure(name: str) -> None:
    module = importlib.import_module(f"tests.bench.{name}")
    assert callable(module.measure)
    assert module.ROWS
    assert {row.partition(".")[0] for row in module.ROWS} == {name.removeprefix("bench_").partition("_")[0]}  # bench_memory_start measures rows of memory, too
    assert set(module.ROWS.values()) <= UNITS


def test_rows_with_goals_have_the_names_and_units_of_the_goals() -> None:
    rows = {row: unit for name in NAMES for row, unit in rows_of(name).items()}
    assert {row: rows.get(row) for row in GOALS} == GOALS


def test_every_screen_is_weighed() -> None:
    wanted = {f"frames.{screen}.{figure}": unit for screen in SCREENS for figure, unit in FRAMES.items()}
    assert rows_of("bench_frames") == wanted | {"frames.row_move_bytes": "B"}


def test_bench_prints_one_object() -> None:
    done = subprocess.run([sys.executable, "-m", "fleet_tui", "bench", "events", "--json"], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    printed = json.loads(done.stdout)
    assert set(printed) == {"machine", "rows"}
    assert set(printed["machine"]) == {"cores", "system", "python", "sqlite", "version"}
    assert printed["machine"]["version"] == version()
    assert all(set(row) == {"name", "value", "unit", "runs", "note"} for row in printed["rows"])
    assert {row["name"]: row["unit"] for row in printed["rows"]} == rows_of("bench_events")
    assert all(row["value"] > 0 and row["runs"] > 0 for row in printed["rows"])


def test_files_are_for_benchmarks_that_take_them(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "fleet_tui", "bench"]
    done = subprocess.run([*command, "events", str(tmp_path)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "bench events measures no files of yours" in done.stderr
    done = subprocess.run([*command, str(tmp_path)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "name the benchmark" in done.stderr
    done = subprocess.run([*command, "booster", str(tmp_path)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "0 files of Python in UTF-8 are too few" in done.stderr


def test_missing_development_dependency_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyte", None)
    with pytest.raises(RuntimeError, match="pyte is missing.*make setup"):
        require_terminals()
