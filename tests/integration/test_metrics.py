"""The measured history of a real engine: read by command and over HTTP, kept over a kill, gaps where nothing ran."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from engine.model.metrics import CATALOGUE, Group

from tests.integration.engines import EngineProcess, engine, until
from tests.integration.ports import free_port


def metrics(subject: EngineProcess, *words: str) -> Any:  # noqa: ANN401  # plain values
    done = subject.run("metrics", *words, "-o", "json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def known(trend: dict[str, Any]) -> list[float]:
    return [value for value in trend["values"] if value is not None]


def fetch(subject: EngineProcess, port: int, path: str, **arguments: object) -> tuple[int, str]:
    """Return status and text; with arguments it is a verb."""
    [token] = subject.root.rglob("api.token")
    body = json.dumps(arguments).encode() if arguments else None
    wanted = urllib.request.Request(f"http://127.0.0.1:{port}{path}", body, {"Authorization": f"Bearer {token.read_text().strip()}"})  # noqa: S310
    try:
        with urllib.request.urlopen(wanted, timeout=30) as reply:  # noqa: S310
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def check_recorded(subject: EngineProcess, port: int) -> None:
    """Record figures by command and over HTTP: they are in the history and in what Prometheus scrapes, and neither journal nor audit grows."""
    audited = len(subject.get("audit"))
    assert subject.run("record-metric", "orders.open", "-3").returncode == 0, "a figure may be negative"
    done = subject.run("record-metric", "orders.open", "12", "--source", "shop")
    assert done.returncode == 0 and "recorded.orders.open of shop is 12" in done.stdout + done.stderr
    status, text = fetch(subject, port, "/v1/metric.record", metric="orders.open", value=7, source="web")
    assert (status, json.loads(text)["summary"]) == (200, "recorded.orders.open of web is 7")
    for wrong in ({"metric": "a b", "value": 1}, {"metric": "orders.open", "value": 1, "at": 5}):
        status, text = fetch(subject, port, "/v1/metric.record", **wrong)
        assert (status, json.loads(text)["code"]) == (400, "usage")
    refused = subject.run("record-metric", "orders.open", "nan")
    assert refused.returncode == 2 and "not a number" in refused.stderr
    lines = {'fleet_recorded{metric="orders.open",source="shop"} 12.0', 'fleet_recorded{metric="orders.open",source="web"} 7.0'}
    until(lambda: lines <= {*fetch(subject, port, "/metrics")[1].splitlines()})
    assert known(metrics(subject, "recorded.orders.open", "--of", "shop", "--last", "2m"))[-1] == 12
    assert next(row["sources"] for row in metrics(subject) if row["name"] == "recorded.orders.open") == ["", "shop", "web"]
    assert len(subject.get("audit")) == audited
    assert not [event for event in subject.get("events") if "orders.open" in json.dumps(event)]


@pytest.mark.row(9, 40, 199, 200, 203, 204, 224)
def test_what_the_fleet_did_can_be_read_by_metric_pool_and_time(tmp_path: Path) -> None:
    port = free_port()
    with engine(tmp_path, f"[access]\nport = {port}\n") as subject:

        def is_counted() -> bool:
            """Tell whether a task was: one that ends before the first look is in no difference of two."""
            assert subject.run("submit", "noop", "coder", "--wait").returncode == 0
            return sum(known(metrics(subject, "succeeded", "--last", "1m"))) > 0

        until(is_counted)
        rows = metrics(subject)
        assert {row["name"] for row in rows} == CATALOGUE.keys()
        assert {row["group"] for row in rows} == {group.value for group in Group}
        now = {row["name"]: row["now"] for row in rows}
        assert now["agents"] == len(subject.get("agents"))
        assert now["response_ms"] > 0
        assert now["engine_rss_mb"] > 10
        assert now["tokens"] is None, "nobody told of tokens: unknown, not 0"
        trend = metrics(subject, "response_ms", "--of", "coder", "--last", "1m", "--points", "60")
        assert trend["unit"] == "ms" and trend["quantile"] == 0.95 and trend["resolution_s"] == 1
        assert len(trend["values"]) == len(trend["times"]) == 60
        assert trend["values"][0] is None, "the engine did not run a minute ago"
        assert trend["gaps"][0][0] == trend["since"]
        assert all(value > 0 for value in known(trend))
        assert metrics(subject, "responseTime", "--of", "coder", "--last", "1m")["metric"] == "response_ms"
        sheet = list(csv.reader(io.StringIO(subject.run("metrics", "agents", "--last", "1m", "-o", "csv").stdout)))
        assert sheet[0] == ["time", "agents", "low", "high"]
        assert "gap" in subject.run("metrics", "agents", "--last", "2h").stdout
        assert "did you mean" in subject.run("metrics", "agentz").stderr
        refused = subject.run("metrics", "agents", "--of", "codr")
        assert refused.returncode == 4 and "did you mean 'coder'" in refused.stderr
        check_recorded(subject, port)


def test_a_kill_costs_a_minute_at_most_and_the_time_without_an_engine_is_a_gap(tmp_path: Path) -> None:
    with engine(tmp_path) as subject:
        until(lambda: len(known(metrics(subject, "agents", "--last", "1m", "--points", "60"))) > 2)
    # Ended well: all of it is kept.
    with engine(tmp_path) as subject:
        until(lambda: len(known(metrics(subject, "agents", "--last", "2m", "--points", "120"))) > 4)
        trend = metrics(subject, "agents", "--last", "2m", "--points", "120")
        between = [value for value in trend["values"] if value is not None]
        assert len(between) > 4
        os.kill(subject.pid, signal.SIGKILL)
    with engine(tmp_path) as subject:
        until(lambda: len(known(metrics(subject, "agents", "--last", "3m", "--points", "180"))) > 2)
        later = metrics(subject, "agents", "--last", "3m", "--points", "180")
        assert len(later["gaps"]) >= 2, "before the first engine, and between two of them"


def test_figures_can_be_switched_off(tmp_path: Path) -> None:
    with engine(tmp_path, "[monitoring]\nenabled = false\n") as subject:
        refused = subject.run("metrics", "agents")
        assert refused.returncode == 2
        assert "monitoring.enabled" in refused.stderr


HUNGRY = """[pools.hog]
min = 1
max = 1
kind = "command"
[pools.hog.command]
argv = ["sh", "-c", "'%s' -c 'kept = bytearray(80 << 20)\\nwhile True: len(kept)' & wait"]
"""


@pytest.mark.row(203, 204)
def test_an_agents_program_is_measured_with_its_children(tmp_path: Path) -> None:
    with engine(tmp_path, HUNGRY % sys.executable) as subject:
        assert subject.run("submit", "work", "hog").returncode == 0
        name = next(row["name"] for row in subject.get("agents") if row["pool"] == "hog")
        until(lambda: max(known(metrics(subject, "agent_rss_mb", "--of", name, "--last", "1m")), default=0.0) > 80)
        until(lambda: max(known(metrics(subject, "agent_cpu", "--of", name, "--last", "1m")), default=0.0) > 0.1)
        assert max(known(metrics(subject, "rss_mb", "--of", "hog", "--last", "1m"))) > 80
        until(lambda: 1.0 in known(metrics(subject, "agent_busy", "--of", name, "--last", "1m", "--points", "60")))
        idle = next(row["name"] for row in subject.get("agents") if row["pool"] == "coder")
        assert not known(metrics(subject, "agent_rss_mb", "--of", idle, "--last", "1m")), "several agents share its process: unknown"
        refused = subject.run("metrics", "agent_busy")
        assert refused.returncode == 2 and "say which one" in refused.stderr
