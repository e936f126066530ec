"""What happens in a fleet, told by Streams: to the sample of the documentation, over a change of who leads, and in order."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest
from engine import FleetManager
from engine.gate.event_streams import messages_of
from engine.model.agent_events import AgentsReady, HostInfo
from engine.model.bus_commands import DropEvents, ReplayEvents
from engine.model.errors import ConfigError
from engine.model.events import Record
from engine.model.ids import AgentId, HostId, TaskId
from engine.model.task_commands import SubmitTask
from engine.model.task_events import TasksCancelled

from tests.integration.redis_servers import Server, one_server

PAGE = (Path(__file__).parents[2] / "docs" / "redis.md").read_text()
POOLS = {"coder": {"min": 1, "max": 2, "handler": "tests.integration.light_handlers:describe"}}
WAIT_S = 60.0


@contextlib.asynccontextmanager
async def member(server: Server, root: Path, bus: dict[str, Any] | None = None) -> AsyncIterator[FleetManager]:
    root.mkdir()  # noqa: ASYNC240
    async with FleetManager({"fleet": {"default_pools": POOLS}, "redis": {"url": server.url, "share": True, "bus": bus or {"partitions": 2}}}, directory=root, state_dir=root) as made:
        yield made


@contextlib.asynccontextmanager
async def sample(server: Server, folder: Path, *partitions: str) -> AsyncIterator[asyncio.StreamReader]:
    """Run the page's sample, and kill it in the end."""
    [text] = [text for text in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if "xreadgroup" in text]
    (folder / "sample.py").write_text(text)
    process = await asyncio.create_subprocess_exec(sys.executable, str(folder / "sample.py"), server.url, "billing", *partitions, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    try:
        yield process.stdout
    finally:
        process.kill()
        await process.wait()


async def lines_until(reader: asyncio.StreamReader, tasks: set[str]) -> list[tuple[str, str]]:
    """Read lines until some tasks have succeeded; a reader that was killed may begin with what it had before."""
    found: list[tuple[str, str]] = []
    left = set(tasks)
    async with asyncio.timeout(WAIT_S):
        while left:
            kind, key, data = (await reader.readline()).decode().split(" ", 2)
            json.loads(data)
            found.append((kind, key))
            left -= {key} if kind == "task.succeeded" else set()
    return found


def stories(lines: list[tuple[str, str]], tasks: set[str]) -> dict[str, list[str]]:
    told: dict[str, list[str]] = {task: [] for task in tasks}
    for kind, key in lines:
        if key in told and kind != "task.started":  # the quickest have none
            told[key].append(kind)
    return told


async def test_what_happens_to_each_task_is_told_in_order_also_when_another_engine_leads_and_the_reader_is_killed(tmp_path: Path) -> None:
    story = ["task.submitted", "task.leased", "task.succeeded"]
    async with one_server(tmp_path) as server, contextlib.AsyncExitStack() as first_stack:
        first = await first_stack.enter_async_context(member(server, tmp_path / "a"))
        async with member(server, tmp_path / "b") as second:
            async with server.client() as client, asyncio.timeout(WAIT_S):
                while not await client.exists("fleet:{local}:bus"):
                    await asyncio.sleep(0.02)
            async with sample(server, tmp_path, "0", "1") as reader:
                tasks = await submitted(first, 20)
                assert stories(await lines_until(reader, tasks), tasks) == dict.fromkeys(tasks, story)
            await first_stack.aclose()
            more = await submitted(second, 20)
            async with sample(server, tmp_path, "0", "1") as reader:
                assert stories(await lines_until(reader, more), more) == dict.fromkeys(more, story)
                await emptied(server)


async def test_what_a_group_gave_up_is_seen_by_every_engine_and_told_again_to_it_by_a_verb(tmp_path: Path) -> None:
    bus = {"partitions": 1, "deliveries_max": 1, "idle_s": 0.1}
    stream = "fleet:{local}:bus:0"
    async with one_server(tmp_path) as server, member(server, tmp_path / "a", bus) as leader, member(server, tmp_path / "b", bus) as standby, server.client() as client:
        await client.xgroup_create(stream, "billing", id="0", mkstream=True)
        [task] = await submitted(leader, 1)
        taken = ""
        while taken != task:  # and none of it acknowledged
            found = await client.xreadgroup("billing", "reader", {stream: ">"}, count=1, block=int(1_000 * WAIT_S))
            [(_, [(_, event)])] = found.items() if isinstance(found, dict) else found
            taken = event["key"]
        dead = [await _dead(engine, task) for engine in (leader, standby)]
        assert dead[0] == dead[1]
        assert [dead[0][name] for name in ("group", "type", "consumer", "deliveries")] == ["billing", "task.submitted", "reader", 1]
        async with sample(server, tmp_path, "0") as reader:
            await lines_until(reader, {task})
            answer = await standby.operator().execute([ReplayEvents(dead[0]["id"])])
            assert answer.summary == "1 event told again"
            async with asyncio.timeout(WAIT_S):
                assert (await reader.readline()).decode().startswith(f"task.submitted {task} ")
        plan = await standby.operator().plan([DropEvents()])
        await standby.operator().execute(plan.id, confirm=plan.confirm)
        async with asyncio.timeout(WAIT_S):
            while await standby.operator().query("dead-events") or await leader.operator().query("dead-events"):
                await asyncio.sleep(0.02)


async def _dead(engine: FleetManager, key: str) -> dict[str, Any]:
    """Wait for what is dead of a thing."""
    async with asyncio.timeout(WAIT_S):
        while True:
            rows = cast("list[dict[str, Any]]", await engine.operator().query("dead-events"))
            if found := [row for row in rows if row["key"] == key]:
                return found[0]
            await asyncio.sleep(0.02)


async def emptied(server: Server) -> None:
    """Wait until the engine has removed what the only group acknowledged."""
    async with server.client() as client, asyncio.timeout(WAIT_S):
        while await client.xlen("fleet:{local}:bus:0") + await client.xlen("fleet:{local}:bus:1"):
            await asyncio.sleep(0.05)


async def submitted(fleet: FleetManager, count: int) -> set[str]:
    return {str(task) for task in (await fleet.operator().execute([SubmitTask("echo", "coder") for _ in range(count)])).values}


def test_an_event_about_several_things_is_a_message_for_each() -> None:
    record = Record(7, 1.5, "", TasksCancelled((TaskId("tsk_1"), TaskId("tsk_2")), "no"))
    one, other = messages_of(record, "local")
    assert (one.key, other.key, one.type, one.at, one.source) == ("tsk_1", "tsk_2", "task.cancelled", 1.5, "local")
    assert one.number < other.number < next(messages_of(record._replace(seq=8), "local")).number
    assert json.loads(one.data)["tasks"] == ["tsk_1"]
    ready = Record(9, 1.5, "", AgentsReady(HostInfo(HostId("hst_1"), "light", 1), (AgentId("agt_1"), AgentId("agt_2"))))
    assert [message.key for message in messages_of(ready, "local")] == ["agt_1", "agt_2"]


@pytest.mark.parametrize("section", [{"url": "redis://localhost", "bus": True}, {"url": "embedded", "share": True, "bus": True}])
def test_a_bus_needs_engines_that_share(section: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="bus needs share and a server that is not private"):
        FleetManager({"redis": section})
