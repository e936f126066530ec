"""The fleet as a tool and as an agent, by the programs of others: the MCP inspector, and the A2A project's client for JavaScript."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.integration.engines import EngineProcess, engine, until
from tests.integration.ports import free_port
from tests.integration.sessions import sample
from tests.tools.agent_programs import ClientPrograms, need_clients

# What the programs are fetched with may take longer than a test.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("agent programs"), pytest.mark.timeout(600)]

POOLS = f"""
[pools.talk]
min = 1
max = 1
kind = "session"
session = {{ argv = [{json.dumps(sys.executable)}, "agent.py"] }}
[pools.slow]
min = 1
max = 1
kind = "command"
command = {{ argv = ["sh", "-c", "while [ ! -e go ]; do sleep 0.05; done; echo gone"] }}
[access]
port = """
CLIENT = Path(__file__).with_name("a2a_client.mjs")
WAIT_S = 120


@pytest.fixture(scope="module")
def programs() -> ClientPrograms:
    return need_clients()


@pytest.fixture
def subject(tmp_path: Path) -> Iterator[EngineProcess]:
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "agent.py").write_text(sample("python"))
    with engine(tmp_path, f"{POOLS}{free_port()}\n") as found:
        yield found


def address(subject: EngineProcess) -> tuple[str, str]:
    """Where the engine's port is, and its token."""
    [token] = subject.root.glob("state/fleet-tui/*/api.token")
    port = tomllib.loads((subject.directory / "fleet.toml").read_text())["access"]["port"]
    return f"http://127.0.0.1:{port}", token.read_text().strip()


# ---- the inspector


class Inspector:
    """The inspector at one server, in one era of the protocol."""

    def __init__(self, programs: ClientPrograms, where: list[str], era: str, home: Path) -> None:
        self.argv = [*programs.inspector, "--format", "json", "--quiet", "--connect-timeout", str(1000 * WAIT_S), "--protocol-era", era]
        self.where = where
        self.environment = {"PATH": "/usr/bin:/bin", "HOME": str(home)}

    def ask(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run it once."""
        # What is after `--` is the server's command.
        at = self.where.index("--") if "--" in self.where else len(self.where)
        argv = [*self.argv, *self.where[:at], *words, *self.where[at:]]
        return subprocess.run(argv, env=self.environment, capture_output=True, text=True, check=False, timeout=2 * WAIT_S, stdin=subprocess.DEVNULL)

    def call(self, tool: str, **arguments: object) -> Any:
        """Call a tool that answers."""
        done = self.ask("--method", "tools/call", "--tool-name", tool, "--tool-args-json", json.dumps(arguments))
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)["result"]["structuredContent"]


def where_of(subject: EngineProcess, way: str) -> list[str]:
    """How the inspector is told of the fleet's server."""
    if way == "http":
        url, token = address(subject)
        return [f"{url}/mcp?verbs=all", "--transport", "http", "--header", f"Authorization: Bearer {token}"]
    given = [word for name, value in subject.environment.items() for word in ("-e", f"{name}={value}")]
    return ["--transport", "stdio", "--cwd", str(subject.directory), *given, "--", sys.executable, "-m", "fleet_tui", "mcp", "--verbs", "all"]


@pytest.mark.parametrize(("way", "era"), [("stdio", "legacy"), ("http", "modern")])
def test_the_inspector_lists_tools_and_has_work_done(subject: EngineProcess, programs: ClientPrograms, way: str, era: str) -> None:
    inspector = Inspector(programs, where_of(subject, way), era, subject.root)
    # Schemas that a client of some model could not take end it with an error.
    listed = inspector.ask("--method", "tools/list", "--strict")
    assert listed.returncode == 0, listed.stderr
    names = [tool["name"] for tool in json.loads(listed.stdout)["result"]["tools"]]
    assert {"fleet_submit", "fleet_status", "ask_human", "pool_scale"} <= set(names)
    assert inspector.call("fleet_status")["agents"]
    task = inspector.call("fleet_submit", type="ask", pool="talk", prompt="three little words")["task"]
    done = inspector.call("fleet_result", task=task, wait_s=60)
    assert (done["state"], done["result"]["text"]) == ("succeeded", "3 words")
    inspector.call("fleet_memory_put", key="plan", value={"steps": ["paint the bridge", 1.5, None]}, level="swarm")
    assert inspector.call("fleet_memory_get", key="plan")["value"] == {"steps": ["paint the bridge", 1.5, None]}
    refused = inspector.ask("--method", "tools/call", "--tool-name", "fleet_result", "--tool-args-json", '{"task": "tsk_x"}')
    assert (refused.returncode, json.loads(refused.stdout)["result"]["isError"]) == (5, True)
    assert {line["via"] for line in subject.get("audit") if line["action"] in ("task.submit", "memory.put")} == {"mcp"}


def test_the_inspector_is_refused_without_the_token(subject: EngineProcess, programs: ClientPrograms) -> None:
    url, _ = address(subject)
    done = Inspector(programs, [f"{url}/mcp", "--transport", "http", "--stored-auth-only"], "legacy", subject.root).ask("--method", "tools/list")
    assert (done.returncode, done.stdout) == (3, "")
    assert "with the token from the engine's token file" in done.stderr


# ---- the client of the Agent2Agent protocol


class Talk:
    """A running client: steps go in, lines of what came come out."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def begin(self, what: str, **step: str) -> None:
        """Have it take a step."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"do": what, **step}) + "\n")
        self.process.stdin.flush()

    def next(self) -> dict[str, Any]:
        """The next line."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.process.stderr.read() if self.process.stderr else ""
        found = json.loads(line)
        assert isinstance(found, dict)
        return found

    def rest(self) -> list[dict[str, Any]]:
        """What comes until a step is over."""
        found = []
        while "step" not in (line := self.next()):
            found.append(line)
        return found

    def do(self, what: str, **step: str) -> list[dict[str, Any]]:
        """Take a step, and return what came of it."""
        self.begin(what, **step)
        return self.rest()


@contextmanager
def talk(programs: ClientPrograms, subject: EngineProcess, pool: str) -> Iterator[Talk]:
    url, token = address(subject)
    argv = [str(programs.node), "--input-type=module", "--eval", CLIENT.read_text(), "--", f"{url}/a2a/{pool}", token]
    with subprocess.Popen(argv, cwd=programs.root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield Talk(process)
        finally:
            process.kill()


def test_a_client_in_javascript_sends_is_asked_and_answers(subject: EngineProcess, programs: ClientPrograms) -> None:
    with talk(programs, subject, "talk") as client:
        assert client.do("card") == [{"name": "talk", "streaming": True, "skills": ["ask"]}]
        [done] = client.do("send", text="three little words", id="m1")
        assert (done["state"], done["made"]) == ("COMPLETED", ["3 words"])
        assert client.do("send", text="three little words", id="m1") == [done], "a message that is sent twice is one task"
        events = client.do("stream", text="write it down")
        task = events[0]["task"]
        [asked] = client.do("get", task=task)
        assert (asked["state"], '"tool":"Write"' in asked["asks"]) == ("INPUT_REQUIRED", True)
        assert (events[-1].get("status") or events[-1]["state"], events[-1]["asks"]) == ("INPUT_REQUIRED", asked["asks"])
        [answered] = client.do("send", text="allow", task=task)
        assert (answered["task"], answered["state"], answered["made"]) == (task, "COMPLETED", ["3 words"])
        assert sorted(client.do("list")[0]["listed"]) == sorted([done["task"], task])
        [late] = client.do("send", text="more", task=task)
        assert late["error"] == "JsonRpcUnsupportedOperationError"
        assert client.do("get", task="tsk_x")[0]["error"] == "JsonRpcTaskNotFoundError"


def test_a_client_in_javascript_follows_a_stream_to_its_end_and_cancels(subject: EngineProcess, programs: ClientPrograms) -> None:
    with talk(programs, subject, "slow") as client:
        client.begin("stream", text="go")
        seen = [client.next()]
        task = seen[0]["task"]
        while "WORKING" not in (seen[-1].get("state"), seen[-1].get("status")):
            seen.append(client.next())
        (subject.directory / "go").touch()
        seen += client.rest()
        assert seen[0]["state"] in ("SUBMITTED", "WORKING")
        assert [next(iter(event)) for event in seen[-2:]] == ["artifactUpdate", "status"], "task, status, artifact, status"
        assert (seen[-1]["status"], client.do("get", task=task)[0]["state"]) == ("COMPLETED", "COMPLETED")
        (subject.directory / "go").unlink()
        client.begin("stream", text="wait")
        task = client.next()["task"]
        until(lambda: subject.get("tasks", task)["state"] == "running")
        with talk(programs, subject, "slow") as other:
            other.begin("follow", task=task)
            assert other.next()["state"] == "WORKING"
            with talk(programs, subject, "slow") as third:
                third.do("cancel", task=task)
                until(lambda: subject.get("tasks", task)["state"] == "cancelled")
                assert third.do("cancel", task=task)[0]["error"] == "JsonRpcTaskNotCancelableError"
            for stream in (other, client):
                assert stream.rest()[-1]["status"] == "CANCELED"
