"""Reports of a real engine with a past: by command in every form, over the API, from a program; the same figures everywhere."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from engine import FleetManager, FleetMonitor
from engine.fleet import DATABASE_NAME
from engine.model.errors import NotFound, UsageError
from engine.monitoring.archive import Key

from tests.histories import give_past
from tests.integration.engines import EngineProcess, engine, until

HOUR = 3_600


def slower(since: int) -> Any:  # noqa: ANN401  # a Past
    """Return a past that answers three times slower from an instant on."""

    def past(at: int) -> tuple[Mapping[Key, float], Mapping[Key, Sequence[float]]]:
        rng = random.Random(at)
        factor = 3.0 if at >= since else 1.0
        values = {("agents", label): 4.0 for label in ("", "coder")} | {("queue_depth", label): rng.gauss(5, 1) for label in ("", "coder")}
        return values, {("response_ms", label): [rng.gauss(100, 10) * factor for _ in range(5)] for label in ("", "coder")}

    return past


async def with_past(state_dir: Path) -> int:
    """Make a fleet's database with two hours in it, the later one slower; return when it ended."""
    async with FleetManager(state_dir=state_dir):
        pass
    now = int(time.time()) // 60 * 60
    await asyncio.to_thread(give_past, state_dir / DATABASE_NAME, now - 2 * HOUR, now, slower(now - HOUR))
    return now


@pytest.mark.row(226, 233)
async def test_a_program_gets_a_report_of_the_last_hour(tmp_path: Path) -> None:
    now = await with_past(tmp_path)
    async with FleetManager(state_dir=tmp_path) as fleet:
        async with asyncio.timeout(30):
            while not fleet.history.recorder.sampled_at:
                await asyncio.sleep(0.05)
        monitor = FleetMonitor(fleet=fleet)
        report = await monitor.generate_performance_report("1h")
        assert {"timeframe", "metrics", "aggregates", "trends", "recommendations", "generated_at"} <= report.keys()
        assert report["timeframe"]["until"] - report["timeframe"]["since"] == HOUR
        assert report["timeframe"]["until"] >= now
        verdicts = {(one["metric"], one["label"]): one["verdict"] for one in report["comparisons"]}
        assert verdicts["response_ms", "coder"] == verdicts["response_ms", ""] == "regressed"
        assert verdicts["queue_depth", "coder"] == "same"
        assert "tokens" in report["not_measured"]
        assert {one["label"] for one in (await monitor.generate_performance_report(HOUR, pool="coder"))["aggregates"]} == {"", "coder"}
        with pytest.raises(NotFound, match="did you mean 'coder'"):
            await monitor.generate_performance_report("1h", pool="codr")
        with pytest.raises(UsageError, match="no length of time"):
            await monitor.generate_performance_report("yesterday")
        with pytest.raises(NotFound, match="nothing was measured in that time"):
            await fleet.operator().query("report", last_s=HOUR, ago_s=20 * 86_400)


def report(subject: EngineProcess, *words: str) -> str:
    done = subject.run("report", *words)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.row(222, 226, 233)
def test_a_report_is_printed_in_every_form(tmp_path: Path) -> None:
    with engine(tmp_path) as subject:
        until(lambda: subject.get("pools"))
        [database] = (tmp_path / "state").rglob(DATABASE_NAME)
    now = int(time.time()) // 60 * 60
    give_past(database, now - 2 * HOUR, now, slower(now - HOUR))
    with engine(tmp_path) as subject:
        found = json.loads(report(subject, "--last", "1h", "-o", "json"))
        [response] = [one for one in found["aggregates"] if (one["metric"], one["label"]) == ("response_ms", "coder")]
        gone = int(time.time() - now) // 60  # minutes that have left the last hour since
        assert 256 <= response["p50"] <= 512
        assert response["total"] in [5 * 360 - 30 * minute for minute in range(gone + 1)]
        text = report(subject, "--last", "1h")
        assert "2 regressed" in text and "regressed  response_ms  coder" in text
        assert "| regressed | response\\_ms | coder |" in report(subject, "--last", "1h", "-o", "md")
        page = report(subject, "--last", "1h", "-o", "html")
        assert page.startswith("<!doctype html>") and "<svg" in page and "response_ms of coder, before:" in page
        assert json.loads(report(subject, "--last", "3d", "-o", "json"))["timeframe"]["since"] == now - 2 * HOUR, "nothing before it"
        refused = subject.run("report", "--pool", "codr")
        assert refused.returncode == 4 and "did you mean 'coder'" in refused.stderr
        assert subject.run("report", "--last", "5s").returncode == 2


@pytest.mark.row(233)
def test_a_report_is_compared_with_a_baseline_that_was_saved(tmp_path: Path) -> None:
    with engine(tmp_path) as subject:
        until(lambda: subject.get("pools"))
        assert "there is no baseline" in subject.run("baseline", "list").stdout
    [database] = (tmp_path / "state").rglob(DATABASE_NAME)
    now = int(time.time()) // 60 * 60
    give_past(database, now - HOUR, now, slower(now))
    with engine(tmp_path) as subject:
        done = subject.run("baseline", "save", "before", "--last-s", "3600", "--yes")
        assert done.returncode == 0 and "series of" in done.stderr, done.stderr
        assert subject.run("save-baseline", "before", "--yes").returncode == 4, "no name twice"
        assert subject.run("save-baseline", "../x", "--yes").returncode == 2
        [listed] = json.loads(subject.run("baseline", "list", "-o", "json").stdout)
        assert listed["name"] == "before" and listed["step_s"] == 60
        assert any(row["action"] == "baseline.save" and row["target"] == "before" for row in subject.get("audit"))
    give_past(database, now - HOUR, now, slower(0))
    with engine(tmp_path) as subject:
        found = json.loads(report(subject, "--last", "1h", "--baseline", "before", "-o", "json"))
        assert found["baseline"]["name"] == "before"
        assert {one["metric"] for one in found["comparisons"] if one["verdict"] == "regressed"} == {"response_ms"}
        assert "What changed against the baseline before".upper() in report(subject, "--last", "1h", "--baseline", "before")
        assert subject.run("report", "--last", "7d", "--baseline", "before").returncode == 2, "hours are not compared with minutes"
        refused = subject.run("report", "--baseline", "befor")
        assert refused.returncode == 4 and "did you mean 'before'" in refused.stderr
        assert subject.run("baseline", "delete", "before", "--yes").returncode == 0
        assert json.loads(subject.run("baseline", "list", "-o", "json").stdout) == []


def test_a_fleet_of_a_few_seconds_has_no_report_and_says_so(tmp_path: Path) -> None:
    with engine(tmp_path) as subject:
        refused = subject.run("report")
        assert refused.returncode == 4 and "a whole minute at least" in refused.stderr
