"""What is lost to the death of an engine, a spawner or a worker, each really killed: no attempt, no task, no bystander."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import psutil

from tests.integration.engines import EngineProcess, engine, until
from tests.integration.processes import is_gone

WAITING = """
[pools.waiting]
min = 1
max = 2
kind = "command"
[pools.waiting.command]
argv = ["sh", "-c", "while [ ! -e go ]; do sleep 0.05; done; exit 1"]
"""


def submit(subject: EngineProcess, *words: str) -> str:
    """Submit a task; return its id."""
    done = subject.run("submit", *words, "-o", "json")
    assert done.returncode == 0, done.stderr
    return str(json.loads(done.stdout)["values"][0])


def spawner_of(subject: EngineProcess) -> int:
    """The process id of the engine's spawner."""
    return next(row["pid"] for row in subject.get("hosts") if row["kind"] == "command")


def row_of(subject: EngineProcess, task: str) -> dict[str, Any]:
    """The row of a task."""
    return next(row for row in subject.get("tasks") if row["id"] == task)


SKILLED = """
[fleet.default_pools.coder]
min = 1
max = 3
capabilities = ["python"]
cost = 0.5
"""


def test_agents_follow_a_changed_configuration_at_the_next_start(tmp_path: Path) -> None:
    """What a pool's agents can do and cost is the configuration's also for agents from before the change."""
    with engine(tmp_path, SKILLED) as subject:
        name = subject.get("agents")[0]["name"]
        assert subject.get("agent", name)["spec"]["capabilities"] == ["python"]
        waiting = submit(subject, "noop", "coder", "--capabilities", "go")
        subject.kill()
        text = SKILLED.replace('"python"', '"python", "go"').replace("0.5", "0.7")
        (subject.directory / "fleet.toml").write_text(text, "utf-8")
        subject.start()
        until(lambda: row_of(subject, waiting)["state"] == "succeeded")
        subject.kill()
        subject.start()
        spec = subject.get("agent", name)["spec"]
        assert (spec["capabilities"], spec["cost"]) == (["python", "go"], 0.7)


def test_death_of_the_spawner_costs_its_programs_alone(tmp_path: Path) -> None:
    """The spawner killed: its programs run again, while light agents go on with what they do."""
    with engine(tmp_path, WAITING) as subject:
        light = submit(subject, "sleep", "coder", "--payload", '{"seconds": 60}')
        task = submit(subject, "command", "waiting", "--max-attempts", "1")
        until(lambda: {row_of(subject, id_)["state"] for id_ in (light, task)} == {"running"})
        before = {row["id"]: row["pid"] for row in subject.get("hosts") if row["kind"] == "python"}
        os.kill(spawner_of(subject), signal.SIGKILL)
        until(lambda: row_of(subject, task)["attempt"] == 2 and row_of(subject, task)["state"] == "running")
        row = row_of(subject, task)
        assert (row["tries"], row["deaths"]) == (1, 1)
        assert row_of(subject, light)["attempt"] == 1
        assert {row["id"]: row["pid"] for row in subject.get("hosts") if row["kind"] == "python"} == before


def test_frozen_spawner_is_replaced_and_its_programs_run_again(tmp_path: Path) -> None:
    """The spawner stopped by a signal: found by its silence, killed, replaced; nothing of its programs is left."""
    with engine(tmp_path, WAITING) as subject:
        task = submit(subject, "command", "waiting", "--max-attempts", "1")
        until(lambda: row_of(subject, task)["state"] == "running")
        frozen = spawner_of(subject)
        programs = psutil.Process(frozen).children()
        assert programs
        os.kill(frozen, signal.SIGSTOP)
        until(lambda: spawner_of(subject) != frozen, within_s=60.0)
        assert is_gone(frozen)
        until(lambda: all(is_gone(program.pid) for program in programs))
        until(lambda: row_of(subject, task)["attempt"] == 2 and row_of(subject, task)["state"] == "running")
        row = row_of(subject, task)
        assert (row["tries"], row["deaths"]) == (1, 1)
        until(lambda: next(row["health"] for row in subject.get("hosts") if row["kind"] == "command") == "healthy")


def test_engine_restarts_use_up_no_attempts(tmp_path: Path) -> None:
    """A task with a single attempt outlives three killed engines, then uses up its attempt by failing."""
    with engine(tmp_path, WAITING) as subject:
        task = submit(subject, "command", "waiting", "--max-attempts", "1")
        for kills in range(3):
            until(lambda: row_of(subject, task)["state"] == "running")
            row = row_of(subject, task)
            assert (row["attempt"], row["tries"], row["max_attempts"], row["deaths"]) == (kills + 1, 1, 1, 0)
            subject.kill()
            until(lambda: not subject.marked(), within_s=60.0)
            subject.start()
        (subject.directory / "go").touch()
        until(lambda: row_of(subject, task)["state"] == "dead")
        assert row_of(subject, task)["reason"].startswith("exit_code")
