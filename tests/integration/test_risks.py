"""Predictive maintenance of real engines: an agent with a past that bodes ill is told with its evidence, and what helps is a plan."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from engine.fleet import DATABASE_NAME

from tests.histories import give_agents_past
from tests.integration.engines import engine, until


def read(ill: str) -> object:
    """Return figures of agents that do as always but one, whose tasks take five times as long of late."""

    def figures(agent: str, left: int) -> Mapping[str, float]:
        done = 6.0 * (200 - left)
        slow = 4 * 12.0 * max(0, 15 - left) if agent == ill else 0.0
        return {"agent_silence_s": 1.0 + left % 3 / 10, "agent_succeeded": done, "agent_failed": 0.0, "agent_busy_s": 2 * done + slow, "agent_rss_mb": float("nan")}

    return figures


@pytest.mark.row(40, 235)
def test_an_agent_that_gets_slower_is_told_and_restarted_by_a_plan(tmp_path: Path) -> None:
    with engine(tmp_path) as subject:
        agents = [row for row in subject.get("agents") if row["pool"] == "coder"]
        name, id_ = agents[0]["name"], agents[0]["id"]
    [database] = (tmp_path / "state").rglob(DATABASE_NAME)
    give_agents_past(database, int(time.time()) // 60 * 60, [one["id"] for one in agents], read(id_))  # type: ignore[arg-type]
    with engine(tmp_path) as subject:
        until(lambda: {row["name"]: row["now"] for row in json.loads(subject.run("metrics", "-o", "json").stdout)}["agents_at_risk"] == 1)
        until(lambda: any("agents_at_risk" in row["expr"] and row["state"] == "pending" for row in subject.get("rules")))
        found = json.loads(subject.run("risks", "coder", "-o", "json").stdout)
        assert found["looked_at"] == len(agents)
        [ill] = found["agents"]
        assert (ill["name"], ill["verb"]) == (name, f"restart {name}") and ill["risk"] > 0.5
        assert ill["unknown"] == ["memory"], "its process is shared"
        told = subject.run("risks", name).stdout
        assert "1 agent looked at" in told
        assert f"{name} of coder, risk" in told and "latency: tasks take 10.00 s in the last 12 min, usually 2.00 s" in told
        assert "risk 100%: latency: tasks take 10.00 s" in subject.run("why", "agent", name).stdout
        plan = subject.run("risks", "--dry-run")
        assert plan.returncode == 0 and name in plan.stdout and "restart" in plan.stdout
        done = subject.run("risks", "--apply", "--yes")
        assert done.returncode == 0, done.stderr
        assert any(row["action"] == "agent.restart" for row in subject.get("audit"))
        refused = subject.run("risks", "codr")
        assert refused.returncode == 4 and "did you mean 'coder'" in refused.stderr


@pytest.mark.row(235)
def test_silences_of_agents_are_measured_and_programs_have_none(tmp_path: Path) -> None:
    config = "[pools.shell]\nmin = 1\nmax = 1\nkind = 'command'\n[pools.shell.command]\nargv = ['true']\n"
    with engine(tmp_path, config) as subject:
        names = {row["pool"]: row["name"] for row in subject.get("agents")}

        def silences(pool: str) -> list[float]:
            done = subject.run("metrics", "agent_silence_s", "--of", names[pool], "--last", "1m", "--points", "60", "-o", "json")
            return [value for value in json.loads(done.stdout)["values"] if value is not None]

        pool = next(pool for pool in names if pool != "shell")
        until(lambda: max(silences(pool), default=0.0) > 0)
        assert silences("shell") == []
