"""Real Claude Code as an agent of a pool uses the fleet's tools as that agent: it asks the operator, and is answered."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from engine.clock import SystemClock
from fleet_tui.mock_model.script import Script, Turn
from fleet_tui.mock_model.server import MockModel

from tests.integration.engines import engine, until
from tests.integration.real_agents import WAIT_S, commands_of
from tests.tools.agent_programs import need_agents

# What the programs are fetched with may take longer than a test.
pytestmark = [pytest.mark.xdist_group("agent programs"), pytest.mark.timeout(600)]

TOOLS = "mcp__fleet__ask_human,mcp__fleet__fleet_memory_put,mcp__fleet__fleet_submit"
TURNS = [
    Turn(match="needs a word", tool="mcp__fleet__fleet_memory_put", input={"key": "seen", "value": 42}),
    Turn(match="needs a word", tool="mcp__fleet__fleet_submit", input={"type": "noop", "pool": "coder"}),
    Turn(match="needs a word", tool="mcp__fleet__ask_human", input={"question": "Which word?", "options": ["one", "two"], "wait_s": 120}),
    Turn(match="needs a word", text="done with it"),
]


def pool_of(command: Mapping[str, object], servers: Path) -> str:
    """Return a pool whose program has the fleet's tools."""
    argv = command["argv"]
    assert isinstance(argv, list)
    at = argv.index("--allowedTools")
    argv = [*argv[:at], "--mcp-config", str(servers), "--strict-mcp-config", "--allowedTools", TOOLS, *argv[at + 2 :]]
    env = ", ".join(f"{name} = {json.dumps(value)}" for name, value in dict(command["env"]).items())  # type: ignore[call-overload]
    return f'[pools.claude]\nmin = 1\nmax = 1\nkind = "command"\n[pools.claude.command]\nargv = {json.dumps(argv)}\nprompt = "argument"\noutput = "claude"\nenv = {{ {env} }}\n'


def check(tmp_path: Path, pool: str) -> None:
    """Run the task, answer what it asks, and check what it left."""
    with engine(tmp_path, pool) as subject:
        task = subject.run("submit", "ask", "claude", "--prompt", "claude needs a word").stdout.split()[0]
        until(lambda: subject.get("questions"), WAIT_S)
        [row] = subject.get("questions")
        assert (row["task"], row["text"], row["options"]) == (task, "Which word?", "one, two")
        assert subject.run("answer", task, "two", "--yes").returncode == 0
        until(lambda: subject.get("tasks", task)["state"] in ("succeeded", "failed", "dead"), WAIT_S)
        done = subject.get("tasks", task)
        assert (done["state"], done["result"]["text"]) == ("succeeded", "done with it"), done["reason"]
        [agent] = [row["id"] for row in subject.get("agents") if row["pool"] == "claude"]
        assert subject.run("memory", "seen", "--owner", agent).stdout == "42\n"
        refused = [line["via"] for line in subject.get("audit") if line["who"] == agent and line["action"] == "task.submit"]
        assert refused == ["mcp"], "an agent submits nothing"


async def test_it_asks_its_operator_and_keeps_what_it_learned_as_itself(tmp_path: Path) -> None:
    programs = need_agents()
    servers = tmp_path / "servers.json"
    servers.write_text(json.dumps({"mcpServers": {"fleet": {"command": sys.executable, "args": ["-m", "fleet_tui", "mcp"]}}}))
    async with MockModel(Script({"needs a word": TURNS}), clock=SystemClock()) as model:
        pool = pool_of(commands_of(programs, model.url, tmp_path / "home")["claude"], servers)
        await asyncio.to_thread(check, tmp_path, pool)
