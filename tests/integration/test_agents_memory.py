"""The program of an agent uses memory as that agent: with its rights, under its name, and as long as its attempt runs."""

# A test may hold up its own loop.
# ruff: noqa: ASYNC240

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

import pytest
from engine.agents.tokens import AgentTokens
from fleet_tui.settings import find_paths

from tests.integration.engines import EngineProcess, engine, until
from tests.integration.test_api_rest import ask

FLEET = f"{shlex.quote(sys.executable)} -m fleet_tui"
SCRIPT = f"""
{FLEET} remember note 'from an agent' --level team --yes > told 2>&1; echo $? > codes
{FLEET} memory note > read; echo $? >> codes
{FLEET} memory search agent -o json > found; echo $? >> codes
{FLEET} memory secret > secret 2> refused; echo $? >> codes
{FLEET} forget open --yes > forgotten 2>&1; echo $? >> codes
{FLEET} erase bob --confirm bob --yes > erased 2>&1; echo $? >> codes
echo $FLEET_AGENT_TOKEN > token; touch ready
while [ ! -e go ]; do sleep 0.05; done
"""
CONFIG = f"""
[pools.keep]
min = 1
max = 1
kind = "command"
[pools.keep.command]
argv = ["sh", "-c", {json.dumps(SCRIPT)}]
"""


async def status(subject: EngineProcess, token: str, path: str = "/v1/entry?key=note") -> int:
    socket = find_paths(subject.directory, environment=subject.environment).socket
    return (await ask(socket, "GET", path, headers=f"Fleet-Agent: {token}\r\n")).status


@pytest.mark.row(186, 187)
async def test_an_agents_program_acts_as_the_agent_while_its_attempt_runs(tmp_path: Path) -> None:
    with engine(tmp_path, CONFIG) as subject:
        for key, level in (("secret", "private"), ("open", "public")):
            assert subject.run("remember", key, "of the operator", "--level", level, "--yes").returncode == 0
        assert subject.run("submit", "noop", "keep").returncode == 0
        here = subject.directory
        until((here / "ready").exists)
        assert (here / "codes").read_text().split() == ["0", "0", "0", "4", "4", "4"], (here / "told").read_text()
        assert (here / "read").read_text() == '"from an agent"\n'
        assert [row["key"] for row in json.loads((here / "found").read_text())] == ["note"]
        assert "of the operator" not in (here / "secret").read_text()
        assert "may not delete" in (here / "forgotten").read_text()
        assert "uses entries of memory and nothing else" in (here / "erased").read_text()
        [agent] = [row for row in subject.get("agents") if row["pool"] == "keep"]
        [note] = [row for row in json.loads(subject.run("memory", "-o", "json").stdout) if row["key"] == "note"]
        assert (note["owner"], note["writer"], note["team"]) == (agent["id"], agent["id"], "keep")
        assert [line["who"] for line in subject.get("audit") if line["action"] == "memory.store"][-1] == agent["id"]
        assert not [plan for plan in subject.get("plans") if "note" in plan["summary"]]
        token = (here / "token").read_text().strip()
        assert await status(subject, token) == 200
        assert await status(subject, token, "/v1/entry?key=secret") == 404
        forged = AgentTokens("another secret").make(agent["id"], *token.split("/")[1:3])  # type: ignore[arg-type]
        for wrong in (forged, token[:-1], "x", token.replace(agent["id"], "agt_other")):
            assert await status(subject, wrong) == 403
        (here / "go").touch()
        until(lambda: subject.get("tasks")[0]["state"] == "succeeded")
        assert await status(subject, token) == 403
        assert subject.run("memory", "note", "--owner", agent["id"]).stdout == '"from an agent"\n'
