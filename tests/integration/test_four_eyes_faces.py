"""A plan that needs votes, over the command line and REST: an exit code and a status of its own, waiting, and a killed engine."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path

from fleet_tui.settings import find_paths

from tests.integration.engines import EngineProcess, engine, until
from tests.integration.test_api_rest import ask

VOTE = f"{shlex.quote(sys.executable)} -m fleet_tui vote $0"
CONFIG = f"""
[pools.prod]
min = 1
max = 9
[pools.reviewer]
min = 1
max = 1
kind = "command"
[pools.reviewer.command]
argv = ["sh", "-c", {json.dumps(VOTE)}, "{{prompt}}"]
[[operations.guardrails]]
name = "four eyes"
verbs = ["scale", "submit"]
targets = ["prod"]
vote = {{ voters = ["reviewer"], rule = "unanimous" }}
"""


def only_open(subject: EngineProcess) -> str:
    found: list[str] = [row["id"] for row in subject.get("proposals") if row["state"] == "open"]
    until(lambda: found or found.extend(row["id"] for row in subject.get("proposals") if row["state"] == "open"))
    [id_] = found
    return id_


def review(subject: EngineProcess, id_: str, choice: str) -> None:
    """Have the agent vote, in a task."""
    assert subject.run("submit", "review", "reviewer", "--payload", json.dumps({"prompt": f"{id_} {choice}"}), "--wait").returncode == 0


def size(subject: EngineProcess) -> int:
    return int(next(row["size"] for row in subject.get("pools") if row["id"] == "prod"))


def test_agents_decide_on_what_an_operator_asks_for(tmp_path: Path) -> None:
    with engine(tmp_path, CONFIG) as subject:
        dry = subject.run("scale", "prod", "3", "--dry-run")
        assert "guardrail four eyes: needs 1 of 1 votes: reviewer-1; within 3600 s" in dry.stdout
        first = subject.run("scale", "prod", "3", "--reason", "a busy night")
        id_ = only_open(subject)
        assert (first.returncode, first.stdout) == (5, ""), first.stderr
        assert f"put to the vote {id_} (four eyes); nothing is done before it is accepted" in first.stderr
        review(subject, id_, "approve")
        until(lambda: size(subject) == 3)
        assert [line["result"] for line in subject.get("audit") if line["action"] == "pool.scale"][-1] == "done"
        # Whoever waits is told, and a refusal is one.
        with waiting(subject, "scale", "prod", "4") as refused:
            review(subject, only_open(subject), "reject")
            assert refused.wait(60) == 4
        assert refused.stderr is not None
        with waiting(subject, "submit", "noop", "prod", "-o", "json") as done:
            review(subject, only_open(subject), "approve")
            assert done.wait(60) == 0
            assert done.stdout is not None and json.loads(done.stdout.read())["state"] == "succeeded"
        assert size(subject) == 3


async def test_an_accepted_plan_is_done_by_the_next_engine(tmp_path: Path) -> None:
    with engine(tmp_path, CONFIG) as subject:
        socket = find_paths(subject.directory, environment=subject.environment).socket
        reply = await ask(socket, "POST", "/v1/pool.scale", {"pool": "prod", "size": "4"})
        answer = json.loads(reply.body)
        assert (reply.status, reply.headers["location"]) == (202, f"/v1/proposals/{answer['vote']}")
        subject.kill()
        subject.start()
        review(subject, answer["vote"], "approve")
        subject.kill()  # before, while or after the plan is carried out
        subject.start()
        until(lambda: size(subject) == 4)
        full = json.loads((await ask(socket, "GET", reply.headers["location"])).body)
        assert (full["acted"]["is_done"], full["acted"]["told"], full["does"]["rule"]) == (True, "scale prod 1 → 4", "four eyes")
        done = [line for line in subject.get("audit") if line["action"] == "pool.scale" and line["result"] == "done"]
        assert len(done) == 1


def waiting(subject: EngineProcess, *words: str) -> subprocess.Popen[str]:
    command = subject.command(*words, "--yes", "--wait")
    return subprocess.Popen(command, env=subject.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
