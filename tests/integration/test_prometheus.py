"""A real Prometheus scrapes a real engine through its port and token; promtool finds nothing wrong with the text."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.integration.engines import EngineProcess, engine, until
from tests.integration.ports import free_port
from tests.tools.programs import Missing, Program, find_program

SCRAPE_S = 1


def program(name: str) -> Program:
    try:
        return find_program((name,), ("prometheus",))
    except Missing as reason:
        pytest.skip(f"there is no {name}: {reason}")


def token_of(subject: EngineProcess) -> Path:
    [found] = list(subject.root.rglob("api.token"))
    return found


def fetch(port: int, path: str, token: str = "") -> tuple[str, str]:
    """Return content type and text."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}")  # noqa: S310
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310
        return str(answer.headers["content-type"]), answer.read().decode()


def asked(port: int, query: str) -> list[dict[str, Any]]:
    try:
        _, text = fetch(port, f"/api/v1/query?query={urllib.parse.quote(query)}")
    except OSError:
        return []
    found: list[dict[str, Any]] = json.loads(text)["data"]["result"]
    return found


def test_metrics_are_behind_the_usual_authority(tmp_path: Path) -> None:
    port = free_port()
    with engine(tmp_path, f"[access]\nport = {port}\n") as subject:
        until(lambda: token_of(subject).exists())
        for token in ("", "wrong"):
            with pytest.raises(urllib.error.HTTPError) as refused:
                fetch(port, "/metrics", token)
            with refused.value:
                assert refused.value.code == 403
        token = token_of(subject).read_text().strip()
        until(lambda: "fleet_agents" in fetch(port, "/metrics", token)[1])
        media, text = fetch(port, "/metrics", token)
        assert media.startswith("text/plain; version=0.0.4")
        assert "# TYPE fleet_agents gauge" in text
        checked = subprocess.run([program("promtool").path, "check", "metrics"], input=text, text=True, capture_output=True, check=False, timeout=60)
        assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")


@pytest.mark.row(9, 204)
def test_a_real_prometheus_scrapes_what_the_fleet_did(tmp_path: Path) -> None:
    prometheus, port, own = program("prometheus"), free_port(), free_port()
    rules = '[[alerting.rules]]\nid = "staffed"\nexpr = "agents > 0"\nseverity = "info"\n[[alerting.rules]]\nid = "waits"\nexpr = "agents > 0"\nfor_s = 3600\n'
    with engine(tmp_path, f"[access]\nport = {port}\n{rules}") as subject:
        for _ in range(5):
            assert subject.run("submit", "noop", "coder", "--wait").returncode == 0
        config = tmp_path / "prometheus.yml"
        config.write_text(
            f"global: {{scrape_interval: {SCRAPE_S}s}}\n"
            "scrape_configs:\n"
            "  - job_name: fleet\n"
            f"    authorization: {{credentials_file: {token_of(subject)}}}\n"
            f"    static_configs: [{{targets: ['127.0.0.1:{port}']}}]\n"
        )
        argv = [str(prometheus.path), f"--config.file={config}", f"--storage.tsdb.path={tmp_path / 'tsdb'}", f"--web.listen-address=127.0.0.1:{own}"]
        log = (tmp_path / "prometheus.log").open("w")
        process = subprocess.Popen(argv, stdout=log, stderr=log)
        try:
            until(lambda: [one["value"][1] for one in asked(own, "up{job='fleet'}")] == ["1"])
            until(lambda: [one["value"][1] for one in asked(own, "fleet_succeeded_total{pool='coder'}")] == ["5"])
            until(lambda: asked(own, "histogram_quantile(0.95, fleet_response_seconds_bucket{pool='coder'})"))
            [slowest] = asked(own, "histogram_quantile(0.95, fleet_response_seconds_bucket{pool='coder'})")
            assert 0 < float(slowest["value"][1]) < 60
            staffed = 'ALERTS{alertname="staffed",alertstate="firing",severity="info",pool="coder"}'
            until(lambda: [one["value"][1] for one in asked(own, staffed)] == ["1"])
            until(lambda: asked(own, 'ALERTS{alertname="waits",alertstate="pending",pool="coder"}'))
            [began] = [float(one["value"][1]) for one in asked(own, 'ALERTS_FOR_STATE{alertname="waits",pool="coder"}')]
            assert 0 <= time.time() - began < 120
            agents = sum(float(one["value"][1]) for one in asked(own, "fleet_agents"))
            assert agents == len(subject.get("agents"))
        finally:
            process.terminate()
            process.wait(30)
            log.close()
