"""The fleet as tools, by `fleet-tui mcp` and by HTTP: a real client of the protocol over a real engine, in both of its eras."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from engine.api.gateway import Gateway, LoopbackPort
from engine.api.limits import Limits
from engine.api.verb_tools import tools_of
from engine.model.acting import VARIABLE
from engine.simulation.fake_operator import FakeOperator, make_pool
from mcp import Client, StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client

from tests.integration.engines import EngineProcess, engine, until
from tests.integration.test_api_gateway import gateway_at

SLOW = f"""
[pools.slow]
min = 1
max = 1
kind = "command"
[pools.slow.command]
argv = ["sh", "-c", "while [ ! -e go ]; do sleep 0.05; done; echo gone"]
[pools.own]
min = 1
max = 1
kind = "command"
[pools.own.command]
argv = ["sh", "-c", "echo ${VARIABLE} > token.new; mv token.new token; while [ ! -e enough ]; do sleep 0.05; done"]
"""
OWN = ["fleet_status", "fleet_list", "fleet_submit", "fleet_result", "fleet_memory_get", "fleet_memory_put", "fleet_memory_search", "ask_human", "report_progress"]


@pytest.fixture(scope="module")
def subject(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineProcess]:
    with engine(tmp_path_factory.mktemp("mcp"), SLOW) as found:
        yield found


@asynccontextmanager
async def client(subject: EngineProcess, *words: str, mode: str = "auto") -> AsyncIterator[Client]:
    argv = ["-m", "fleet_tui", *words, "mcp", "--verbs", "scale,cancel,undo"]
    program = StdioServerParameters(command=sys.executable, args=argv, env=dict(subject.environment), cwd=subject.directory)
    async with Client(stdio_client(program), mode=mode) as found:
        yield found


def socket_of(subject: EngineProcess) -> str:
    [path] = Path(subject.environment["XDG_RUNTIME_DIR"]).glob("fleet-tui/*/engine.sock")
    return str(path)


@asynccontextmanager
async def http_client(subject: EngineProcess, mode: str = "auto", **headers: str) -> AsyncIterator[Client]:
    async with (
        httpx2.AsyncClient(transport=httpx2.AsyncHTTPTransport(uds=socket_of(subject)), headers=headers, timeout=60) as http,
        Client(streamable_http_client("http://engine/mcp?verbs=scale,cancel,undo", http_client=http), mode=mode) as found,
    ):
        yield found


async def call(of: Client, name: str, **arguments: Any) -> Any:
    done = await of.call_tool(name, arguments)
    assert not done.is_error, done.content
    assert json.loads(done.content[0].text) == done.structured_content  # type: ignore[union-attr]
    return done.structured_content


async def refused(of: Client, name: str, **arguments: Any) -> str:
    done = await of.call_tool(name, arguments)
    assert done.is_error
    return str(done.content[0].text)  # type: ignore[union-attr]


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
@pytest.mark.parametrize("way", [client, http_client])
async def test_a_task_goes_in_and_its_result_comes_out(subject: EngineProcess, way: Any, mode: str) -> None:
    async with way(subject, mode=mode) as one:
        assert one.protocol_version == ("2025-11-25" if mode == "legacy" else mode)
        tools = {tool.name: tool for tool in (await one.list_tools()).tools}
        assert list(tools) == [*OWN, "pool_scale", "task_cancel", "plan_undo"]
        assert tools["task_cancel"].annotations.destructive_hint  # type: ignore[union-attr]
        task = (await call(one, "fleet_submit", type="echo", pool="coder", payload={"a": 1}))["task"]
        done = await call(one, "fleet_result", task=task, wait_s=60)
        assert (done["state"], done["is_over"], done["result"]) == ("succeeded", True, {"a": 1})
        assert [row["id"] for row in (await call(one, "fleet_list", kind="tasks", filter=f"id={task}"))["rows"]] == [task]
        assert (await call(one, "fleet_status"))["tasks"]["succeeded"] >= 1
    assert [line["via"] for line in subject.get("audit") if line["target"] == task or line["action"] == "task.submit"][-1] == "mcp"


async def test_memory_is_put_got_and_found(subject: EngineProcess) -> None:
    async with http_client(subject) as one:
        await call(one, "fleet_memory_put", key="plan", value={"steps": ["paint the bridge"]}, level="swarm")
        assert (await call(one, "fleet_memory_get", key="plan"))["value"] == {"steps": ["paint the bridge"]}
        assert [row["key"] for row in (await call(one, "fleet_memory_search", words="bridge"))["found"]] == ["plan"]
        assert "not_found" in await refused(one, "fleet_memory_get", key="nothing")


async def test_a_person_is_asked_and_waited_for_twice(subject: EngineProcess) -> None:
    async with http_client(subject) as one:
        task = (await call(one, "fleet_submit", type="noop", pool="slow"))["task"]
        until(lambda: subject.get("tasks", task)["state"] == "running")
        await call(one, "report_progress", text="waiting for go", ratio=0.5, task=task)
        early = await call(one, "ask_human", question="May I go?", options=["yes", "no"], task=task, wait_s=0)
        assert early["is_answered"] is False
        state = await call(one, "fleet_result", task=task, wait_s=0)
        assert (state["state"], state["is_over"], state["progress"]["text"]) == ("needs_input", False, "waiting for go")
        assert [one["text"] for one in state["asks"]] == ["May I go?"]
        assert subject.run("answer", task, "yes", "--yes").returncode == 0
        answer = await call(one, "ask_human", question_id=early["question_id"], task=task, wait_s=60)
        assert (answer["is_answered"], answer["decision"], answer["text"]) == (True, "text", "yes")
        (subject.directory / "go").touch()
        assert (await call(one, "fleet_result", task=task, wait_s=60))["state"] == "succeeded"
        assert "only a task that runs asks" in await refused(one, "ask_human", question="x?", task=task)
        assert "say which task" in await refused(one, "ask_human", question="x?")


async def test_verbs_are_planned_done_and_undone(subject: EngineProcess) -> None:
    async with http_client(subject) as one:
        before = {row["id"]: row["agents"] for row in subject.get("pools")}["coder"]
        plan = await call(one, "pool_scale", pool="coder", size="+1", dry_run=True)
        assert "nothing was changed" in plan["told"]
        done = await call(one, "pool_scale", pool="coder", size="+1", reason="a test")
        assert {row["id"]: row["agents"] for row in subject.get("pools")}["coder"] == before + 1
        await call(one, "plan_undo", plan=done["plan"])
        needed = (await call(one, "fleet_submit", type="sleep", pool="coder", payload={"seconds": 600}))["task"]
        task = (await call(one, "fleet_submit", type="noop", pool="coder", depends_on=[needed]))["task"]
        plan = await call(one, "task_cancel", task=task)
        assert subject.get("tasks", task)["state"] == "pending"
        await call(one, "task_cancel", task=task, plan_id=plan["id"])
        assert subject.get("tasks", task)["state"] == "cancelled"


async def test_nonsense_and_what_is_not_allowed_is_told_to_the_model(subject: EngineProcess) -> None:
    async with client(subject) as one:
        assert "did you mean 'fleet_submit'" in await refused(one, "fleet_sumbit")
        assert "no argument 'pol'; did you mean 'pool'" in await refused(one, "fleet_submit", type="noop", pol="coder")
        assert "needs type" in await refused(one, "fleet_submit")
        assert "kind is one of" in await refused(one, "fleet_list", kind="cats")
        assert "limit is 1 to 500" in await refused(one, "fleet_list", kind="tasks", limit=0)
        assert "wait_s is 0 to 600" in await refused(one, "fleet_result", task="tsk_x", wait_s=1e9)
        assert "not_found" in await refused(one, "fleet_result", task="tsk_x")
        assert "ratio is a number" in await refused(one, "report_progress", text="x", ratio="half")
        assert "options is a list" in await refused(one, "ask_human", question="x?", options="yes")
    async with client(subject, "--read-only") as one:
        assert "read-only" in await refused(one, "fleet_submit", type="noop", pool="coder")
        assert (await call(one, "fleet_status"))["agents"]


async def test_an_agents_program_speaks_of_its_own_task_over_http(subject: EngineProcess) -> None:
    async with http_client(subject) as one:
        task = (await call(one, "fleet_submit", type="noop", pool="own"))["task"]
    until((subject.directory / "token").exists)
    headers = {"Fleet-Agent": (subject.directory / "token").read_text().strip()}
    async with http_client(subject, **headers) as one:
        await call(one, "report_progress", text="half", ratio=0.5)
        early = await call(one, "ask_human", question="Which?", wait_s=0)
        assert subject.run("answer", task, "this one", "--yes").returncode == 0
        assert (await call(one, "ask_human", question_id=early["question_id"], wait_s=60))["text"] == "this one"
        await refused(one, "fleet_submit", type="noop", pool="coder")
    (subject.directory / "enough").touch()
    async with http_client(subject, **{"Fleet-Mode": "read-only"}) as one:
        assert (await call(one, "fleet_result", task=task, wait_s=60))["state"] == "succeeded"
        assert "read-only" in await refused(one, "fleet_submit", type="noop", pool="coder")


@pytest.mark.row(236)  # of it, tokens of the API
async def test_the_port_wants_its_token_and_no_page_from_elsewhere_gets_in(tmp_path: Path) -> None:
    port = LoopbackPort("127.0.0.1", 0, tmp_path / "token")
    async with gateway_at(tmp_path / "s", port=port) as gateway, httpx2.AsyncClient(timeout=60) as http:
        url = f"http://127.0.0.1:{gateway.port}/mcp"
        hello = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}}}
        own = {"Authorization": f"Bearer {port.token_path.read_text().strip()}", "Accept": "application/json, text/event-stream"}

        async def status(at: str = url, method: str = "POST", **headers: str) -> int:
            return (await http.request(method, at, json=hello, headers={**own, **headers})).status_code

        assert await status() == 200
        assert await status(Origin="http://localhost:6274") == 200
        assert await status(Authorization="Bearer x") == 403
        assert await status(Origin="https://evil.example") == 403
        assert await status(Host="evil.example:80") == 421
        assert await status(method="GET") == 405
        assert await status(f"{url}?verbs=scail") == 400
        assert await status(f"{url}/x") == 404
        assert await status(**{"Content-Type": "text/plain"}) == 400


async def test_a_client_that_takes_no_bytes_is_cut(tmp_path: Path) -> None:
    pools = [make_pool(id=f"p{number}", reason="x" * 100_000) for number in range(100)]
    async with Gateway(tmp_path / "s", FakeOperator(pools).for_origin, version="1", limits=Limits(send_s=0.2, drain_s=0.5)) as gateway:
        reader, writer = await asyncio.open_unix_connection(gateway.path, limit=1024)
        asked = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "fleet_list", "arguments": {"kind": "pools", "limit": 100}}})
        head = "POST /mcp HTTP/1.1\r\nHost: e\r\nConnection: close\r\nAccept: application/json, text/event-stream\r\nContent-Type: application/json\r\n"
        writer.write(f"{head}Content-Length: {len(asked)}\r\n\r\n{asked}".encode())
        async with asyncio.timeout(60):
            await reader.readuntil(b"event: message")
            # What takes no bytes now is the test itself, until it is cut.
            while gateway._state.connections:  # noqa: SLF001  # nothing else tells of a connection
                await asyncio.sleep(0.05)
            with contextlib.suppress(ConnectionResetError):
                assert len(await reader.read()) < 10_000_000
        writer.close()


def test_without_an_engine_it_says_so(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-m", "fleet_tui", "-C", str(tmp_path), "mcp"], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    assert (done.returncode, done.stdout) == (3, "")
    assert "no engine runs" in done.stderr


def test_all_verbs_can_be_tools_with_names_that_models_take() -> None:
    tools = tools_of("all")
    assert len(tools) > 60
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name) for name in tools)
    assert all(tool.arguments["type"] == "object" for tool in tools.values())
