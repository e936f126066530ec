"""The program of an agent uses memory as that agent: with its rights, under its name, and as long as its attempt runs."""

# A test may hold up its own loop.
# ruff: noqa: ASYNC240

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from engine.agents.tokens import AgentTokens
from fleet_tui.settings import find_paths

from tests.integration.engines import EngineProcess, engine, until
from tests.integration.test_api_rest import ask

ONLY = "the program of an agent uses memory, votes and messages, asks and tells how far its own task is, and may cancel it; ask an operator for the rest"
FLEET = f"{shlex.quote(sys.executable)} -m fleet_tui"
SCRIPT = f"""
{FLEET} remember note 'from an agent' --level team --yes > told 2>&1; echo $? > codes
{FLEET} memory note > read; echo $? >> codes
{FLEET} memory search agent -o json > found; echo $? >> codes
{FLEET} memory secret > secret 2> refused; echo $? >> codes
{FLEET} forget open --yes > forgotten 2>&1; echo $? >> codes
{FLEET} erase bob --confirm bob --yes > erased 2>&1; echo $? >> codes
{FLEET} submit noop keep > others 2>&1; echo $? >> codes
{FLEET} stop --yes >> others 2>&1; echo $? >> codes
{FLEET} backup here.db >> others 2>&1; echo $? >> codes
while [ ! -s other ]; do sleep 0.05; done
{FLEET} cancel $(cat other) --yes >> others 2>&1; echo $? >> codes
echo $FLEET_AGENT_TOKEN > token; touch ready
while true; do sleep 0.05; done
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


async def cancelled(subject: EngineProcess, token: str, task: str) -> int:
    socket = find_paths(subject.directory, environment=subject.environment).socket
    return (await ask(socket, "POST", "/v1/task.cancel", {"task": task}, headers=f"Fleet-Agent: {token}\r\n")).status


def check_refused(subject: EngineProcess, agent: str, elsewhere: str) -> None:
    """Check that what is not the agent's own was refused with the reason, and audited as the agent."""
    others = (subject.directory / "others").read_text()
    assert [f"{word}: {ONLY}" in others for word in ("submit", "stop", "backup")] == [True] * 3
    assert f"{elsewhere} is not the task of" in others
    refused = [line["action"] for line in subject.get("audit") if line["who"] == agent and line["result"] != "done" and line["action"] != "memory.read"]
    assert refused == ["memory.delete", "memory.erase", "task.submit", "engine.stop", "fleet.backup", "task.cancel"]


@pytest.mark.row(186, 187)
async def test_an_agents_program_acts_as_the_agent_while_its_attempt_runs(tmp_path: Path) -> None:
    with engine(tmp_path, CONFIG) as subject:
        for key, level in (("secret", "private"), ("open", "public")):
            assert subject.run("remember", key, "of the operator", "--level", level, "--yes").returncode == 0
        here = subject.directory
        assert subject.run("submit", "noop", "keep").returncode == 0
        elsewhere = subject.run("submit", "noop", "keep").stdout.split()[0]  # waits for the one agent there is
        (here / "other").write_text(elsewhere)
        until((here / "ready").exists)
        assert (here / "codes").read_text().split() == ["0"] * 3 + ["4"] * 7, (here / "told").read_text()
        assert (here / "read").read_text() == '"from an agent"\n'
        assert [row["key"] for row in json.loads((here / "found").read_text())] == ["note"]
        assert "of the operator" not in (here / "secret").read_text()
        assert "may not delete" in (here / "forgotten").read_text()
        assert ONLY in (here / "erased").read_text()
        [agent] = [row for row in subject.get("agents") if row["pool"] == "keep"]
        check_refused(subject, agent["id"], elsewhere)
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
        assert await status(subject, token, "/v1/tasks") == 200
        own = token.split("/")[1]
        assert await cancelled(subject, token, elsewhere) == 403
        assert await cancelled(subject, token, own) == 200
        until(lambda: subject.get("tasks", own)["state"] == "cancelled")
        for path in ("/v1/entry?key=note", "/v1/tasks"):
            assert await status(subject, token, path) == 403
        assert subject.get("tasks", elsewhere)["state"] != "cancelled"
        assert subject.run("memory", "note", "--owner", agent["id"]).stdout == '"from an agent"\n'


HANDLER = """
import asyncio, os, subprocess, sys
from engine.api.client import connect_agent
from engine.model.errors import FleetError
from engine.model.memory_commands import RememberEntry


def by_program(type_, payload):
    def run(*words):
        done = subprocess.run([sys.executable, "-m", "fleet_tui", *words], capture_output=True, text=True)
        return [done.returncode, done.stdout + done.stderr]
    return {"wrote": run("remember", "mine", "by a handler", "--yes"), "read": run("memory", "mine"), "secret": run("memory", "secret", "--owner", payload["owner"]),
            "erased": run("erase", payload["owner"], "--confirm", payload["owner"], "--yes"), "secrets": [name for name in ("ENCRYPTION_KEY", "FLEET_SYNC_SECRET") if name in os.environ]}


async def asks(key, **more):
    try:
        async with connect_agent() as fleet:
            return (await fleet.query("entry", key=key, **more))["value"]
    except FleetError as error:
        return error.code


async def by_coroutine(type_, payload):
    async with connect_agent() as fleet:
        await fleet.execute([RememberEntry("mine", payload["say"])])
    for _ in range(20):  # between the steps of others
        await asyncio.sleep(0.01)
        assert await asks("mine") == payload["say"]
    beside = asyncio.create_task(asks("mine"))
    program = [sys.executable, "-m", "fleet_tui", "memory", "mine"]
    read = await asyncio.create_subprocess_exec(*program, stdout=subprocess.PIPE)
    late = asyncio.create_task(refused(program))  # its steps are none of the handler's
    said, _ = await read.communicate()
    return {"own": await beside, "program": said.decode(), "denied": await asks("secret", owner=payload["owner"]), "late": await late}


async def refused(program):
    await asyncio.sleep(0)
    other = await asyncio.create_subprocess_exec(*program, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    return (await other.communicate())[1].decode()
"""
HANDLER_CONFIG = """
[fleet]
workers = 1
default_pools = false
[pools.keep]
min = 1
max = 1
handler = "handler_under_test:by_program"
[pools.many]
min = 3
max = 3
handler = "handler_under_test:by_coroutine"
"""


class Handled(EngineProcess):
    """An engine whose pools have the handlers above, and which keeps secrets in its environment."""

    from_nothing = True

    def __init__(self, root: Path) -> None:
        super().__init__(root, HANDLER_CONFIG)
        (root / "handler_under_test.py").write_text(HANDLER)

    @property
    def environment(self) -> dict[str, str]:
        return {**super().environment, "PYTHONPATH": str(self.root), "FLEET_SYNC_SECRET": "x", "ENCRYPTION_KEY": "y"}

    def done(self, *pools_and_payloads: tuple[str, dict[str, str]]) -> list[Any]:
        """Give an entry to the operator, have tasks done with its owner's name, and return their results."""
        assert self.run("remember", "secret", "of the operator", "--yes").returncode == 0
        [secret] = json.loads(self.run("memory", "-o", "json").stdout)
        for pool, payload in pools_and_payloads:
            given = json.dumps({**payload, "owner": secret["owner"]})
            assert self.run("submit", "any", pool, "--payload", given).returncode == 0
        until(lambda: all(task["state"] in ("succeeded", "dead") for task in self.get("tasks")))
        return [json.loads(self.run("result", task["id"]).stdout) for task in sorted(self.get("tasks"), key=lambda task: task["id"])]


@pytest.fixture
def handled(tmp_path: Path) -> Iterator[Handled]:
    subject = Handled(tmp_path)
    try:
        yield subject.start()  # type: ignore[misc]
    finally:
        subject.close()


@pytest.mark.row(186, 187)
def test_a_light_handler_acts_as_its_agent_never_as_the_operator_or_the_engine(handled: Handled) -> None:
    [result] = handled.done(("keep", {}))
    [agent] = [row for row in handled.get("agents") if row["pool"] == "keep"]
    assert result["wrote"][0] == 0, result
    assert result["read"] == [0, '"by a handler"\n']
    assert result["secret"][0] == result["erased"][0] == 4
    assert "no entry" in result["secret"][1]
    assert ONLY in result["erased"][1]
    assert result["secrets"] == []
    [mine] = [row for row in json.loads(handled.run("memory", "-o", "json").stdout) if row["key"] == "mine"]
    assert (mine["owner"], mine["writer"], mine["team"]) == (agent["id"], agent["id"], "keep")
    assert [line["who"] for line in handled.get("audit") if line["action"] == "memory.store"][-1] == agent["id"]


@pytest.mark.row(186, 187)
def test_coroutines_of_one_worker_act_each_as_its_agent(handled: Handled) -> None:
    results = handled.done(*(("many", {"say": say}) for say in "abc"))
    for say, result in zip("abc", results, strict=True):
        assert "is not one of this engine's" in result.pop("late")
        assert result == {"own": say, "program": f'"{say}"\n', "denied": "not_found"}
