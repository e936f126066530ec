"""What every benchmark offers, the rows that have goals, and the object that `fleet-tui bench --json` prints."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from engine.model.version import version
from fleet_tui import bench
from fleet_tui.bench import Goal

from tests.bench.terminals import require_terminals

NAMES = [path.stem for path in sorted(Path(__file__).parent.glob("bench_*.py"))]
UNITS = {"1/s", "%", "agents", "B", "B/s", "MB", "messages", "ms", "ratio", "s", "tasks", "us"}
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
    "memory.l2_hit_us": "us",
    "memory.l2_hit_rate_zipf": "ratio",
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
    "redis.consumer_resumes_s": "s",
    "redis.end_to_end_per_s.256": "1/s",
    "redis.event_p99_ms.at15000": "ms",
    "redis.events_per_s": "1/s",
    "redis.delivered_p99_ms.at15000": "ms",
    "redis.tasks_per_s": "1/s",
    "startup.first_useful_frame_ms": "ms",
    "startup.cli_help_ms": "ms",
    "swarm.votes_per_s": "1/s",
    "swarm.rows_ms": "ms",
    "swarm.step_p99_ms": "ms",
    **{f"swarm.broadcast_messages.{topology}": "messages" for topology in ("mesh", "hierarchical", "star", "ring")},
}
SCREENS = ("pulse", "pools", "agents", "agent", "tasks", "task", "events", "heatmap", "heatmap_agents", "topology", "xray", "alerts", "rules", "notifications", "trends", "dash", "report", "plans", "audit", "help")
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


@pytest.mark.parametrize(
    ("word", "names"), [("redis", ["redis", "redis_bus"]), ("redis_bus", ["redis_bus"]), ("redis_bus.tell", ["redis_bus"]), ("redis.tasks", ["redis"]), ("x", [])]
)
def test_a_word_means_benchmarks_that_begin_with_it_or_the_one_whose_row_it_is(word: str, names: list[str]) -> None:
    assert bench._meant(word, ["memory", "redis", "redis_bus"]) == names


def test_a_figure_is_set_beside_its_goal_and_what_is_missed_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "tests" / "bench").mkdir(parents=True)
    (tmp_path / "tests" / "bench" / "bench_sample.py").touch()
    sample = ModuleType("tests.bench.bench_sample")
    sample.ROWS = {f"sample.{name}": "ratio" for name in ("more", "less", "slow", "free")}  # type: ignore[attr-defined]
    sample.GOALS = {"sample.more": Goal(52), "sample.less": Goal(52), "sample.slow": Goal(1.5, is_most=True)}  # type: ignore[attr-defined]

    def measure(report: Callable[..., None]) -> None:
        report("sample.more", 52.0, 1, "of 30 files")
        report("sample.less", 51.9, 1, "of 30 files")
        report("sample.slow", 1.51, 1)
        report("sample.free", 1.0, 1, "as it is")

    sample.measure = measure  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, sample.__name__, sample)
    monkeypatch.setattr(bench, "FOLDER", tmp_path / "tests" / "bench")
    monkeypatch.setattr(sys, "path", [*sys.path])
    bench.run_bench(["sample"], as_json=False)
    lines = capsys.readouterr().out.splitlines()
    assert [" ".join(line.split()[1:]) for line in lines] == [
        "52.000 ratio of 30 files; goal: at least 52, met",
        "51.900 ratio of 30 files; goal: at least 52, MISSED",
        "1.510 ratio goal: at most 1.5, MISSED",
        "1.000 ratio as it is",
    ]


@pytest.mark.row(169, 170, 173, 271, 282)
def test_the_booster_is_judged_by_the_goals_that_were_set() -> None:
    goals = importlib.import_module("tests.bench.bench_booster").GOALS
    wanted = {"speedup_median": 52, "speedup_worst": 20, "small_op_p50_ms": 1, "small_ops_per_s": 1_000, "parse_vs_native": 1.5}
    for row, value in wanted.items():
        goal = goals[f"booster.{row}"]
        is_most = row in ("small_op_p50_ms", "parse_vs_native")
        assert goal.is_most == is_most
        assert goal.value <= value if is_most else goal.value >= value, row
    assert set(goals) <= set(rows_of("bench_booster"))


@pytest.mark.row(15, 108, 268, 280, 284, 285)
def test_the_bus_is_judged_by_more_than_the_seeds_ask() -> None:
    """They ask for 10,000 events a second, also sustained, 15,000 under stress, and for less than 50 and 100 ms."""
    module = importlib.import_module("tests.bench.bench_redis_bus")
    assert module.GOALS["redis.events_per_s"] == Goal(60_000)
    assert module.GOALS["redis.event_p99_ms.at15000"] == Goal(10, is_most=True)
    assert (module.PACE_PER_S, module.PACE_EVENTS / module.PACE_PER_S >= 10) == (15_000, True)
    assert set(module.GOALS) <= set(module.ROWS)


def test_missing_development_dependency_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyte", None)
    with pytest.raises(RuntimeError, match="pyte is missing.*make setup"):
        require_terminals()
