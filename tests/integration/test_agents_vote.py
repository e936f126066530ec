"""The program of an agent votes as that agent: as nobody else, and as long as its attempt runs."""

# A test may hold up its own loop.
# ruff: noqa: ASYNC240

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

from engine.agents.tokens import AgentTokens
from fleet_tui.settings import find_paths

from tests.integration.engines import EngineProcess, engine, until
from tests.integration.test_api_rest import ask

FLEET = f"{shlex.quote(sys.executable)} -m fleet_tui"
SCRIPT = f"""
touch ready
while [ ! -e proposal ]; do sleep 0.05; done
id=$(cat proposal)
{FLEET} vote $id approve --reasoning 'the tests pass' --voter reviewer-2 > told 2>&1; echo $? > codes
{FLEET} settle $id accept --yes >> told 2>&1; echo $? >> codes
{FLEET} vote $id reject --reasoning 'no tests' --confidence 0.8 >> told 2>&1; echo $? >> codes
{FLEET} vote $id approve --reasoning 'the tests pass' >> told 2>&1; echo $? >> codes
echo $FLEET_AGENT_TOKEN > token; touch voted
while [ ! -e go ]; do sleep 0.05; done
"""
CONFIG = f"""
[pools.reviewer]
min = 2
max = 2
kind = "command"
[pools.reviewer.command]
argv = ["sh", "-c", {json.dumps(SCRIPT)}]
"""


async def test_an_agents_program_votes_as_the_agent_while_its_attempt_runs(tmp_path: Path) -> None:
    with engine(tmp_path, CONFIG) as subject:
        here = subject.directory
        assert subject.run("submit", "review", "reviewer").returncode == 0
        until((here / "ready").exists)
        opened = subject.run("propose", "merge it", "--voters", "reviewer", "--voters", "@ann", "--yes", "-o", "json")
        id_ = str(json.loads(opened.stdout)["values"][0])
        (here / "proposal.part").write_text(id_)
        (here / "proposal.part").rename(here / "proposal")
        until((here / "voted").exists)
        told = (here / "told").read_text()
        [agent] = [row for row in subject.get("agents") if row["status"] == "busy"]
        # As the other reviewer only where it is that one itself.
        first = "0" if agent["name"] == "reviewer-2" else "4"
        assert (here / "codes").read_text().split() == [first, "4", "0", "0"], told
        assert "settle: the program of an agent uses memory, votes and messages" in told
        full = subject.get("proposals", id_)
        cast = {voter["name"]: [ballot["choice"] for ballot in voter["ballots"]] for voter in full["voters"]}
        assert cast == {"@ann": [], agent["name"]: ["approve"] * (first == "0") + ["reject", "approve"], other(agent["name"]): []}
        lines = [(line["who"], line["action"], line["result"] == "done") for line in subject.get("audit") if line["who"] == agent["id"]]
        assert sorted(lines) == sorted([(agent["id"], "proposal.settle", False), *[(agent["id"], "proposal.vote", code == "0") for code in (first, "0", "0")]])
        token = (here / "token").read_text().strip()
        forged = AgentTokens("another secret").make(agent["id"], *token.split("/")[1:3])  # type: ignore[arg-type]
        assert await vote(subject, forged, id_) == 403
        (here / "go").touch()
        until(lambda: subject.get("tasks")[0]["state"] == "succeeded")
        assert await vote(subject, token, id_) == 403


def other(name: str) -> str:
    return {"reviewer-1": "reviewer-2", "reviewer-2": "reviewer-1"}[name]


async def vote(subject: EngineProcess, token: str, id_: str) -> int:
    socket = find_paths(subject.directory, environment=subject.environment).socket
    body = {"proposal": id_, "choice": "approve"}
    return (await ask(socket, "POST", "/v1/proposal.vote", body, headers=f"Fleet-Agent: {token}\r\n")).status
