"""Pools as agents of the Agent2Agent protocol, by the real client over the engine's loopback port."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from a2a.client import ClientConfig
from a2a.client.client_factory import create_client
from a2a.helpers import new_text_message
from a2a.types import (
    CancelTaskRequest,
    GetTaskRequest,
    ListTasksRequest,
    Role,
    SendMessageRequest,
    TaskState,
)
from a2a.utils.errors import A2AError
from engine import FleetManager
from engine.api import a2a
from engine.api.a2a import PREFIX
from engine.model.pool_commands import PausePool

from tests.integration.test_openai_face import fleet  # noqa: F401  # a fixture
from tests.integration.test_scaling_library import until


class Peer:
    """A program that speaks to one pool."""

    def __init__(self, client: Any, http: httpx.AsyncClient, url: str) -> None:
        self.client = client
        self.http = http
        self.url = url

    async def send(self, text: str, **more: str) -> list[Any]:
        message = new_text_message(text, role=Role.ROLE_USER)
        for name, value in more.items():
            setattr(message, name, value)
        return [event async for event in self.client.send_message(SendMessageRequest(message=message))]

    async def call(self, method: str, params: object = None, **headers: str) -> Any:
        body = {"jsonrpc": "2.0", "id": 7, "method": method, "params": params or {}}
        answer = (await self.http.post(self.url, json=body, headers={"A2A-Version": "1.0", **headers})).json()
        assert answer["id"] == 7
        return answer


@pytest_asyncio.fixture(params=[True, False], ids=["streamed", "whole"])
async def peer(fleet: FleetManager, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Peer]:  # noqa: F811  # the fixture
    token = (tmp_path / "state" / "api.token").read_text().strip()
    url = f"http://127.0.0.1:{fleet.config.access.port}{PREFIX}talk"
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {token}"}, timeout=60) as http:
        client = await create_client(url, ClientConfig(httpx_client=http, streaming=request.param))
        yield Peer(client, http, url)


def last(events: list[Any]) -> Any:
    """The newest state that a list of events has."""
    found = [event.task.status if event.HasField("task") else event.status_update.status for event in events if event.HasField("task") or event.HasField("status_update")]
    return found[-1]


async def test_a_message_is_a_task_and_its_answer_an_artifact(peer: Peer, fleet: FleetManager) -> None:  # noqa: F811
    events = await peer.send("three little words", message_id="m1", context_id="talks")
    assert last(events).state == TaskState.TASK_STATE_COMPLETED
    [task] = fleet.coordinator.state.tasks.values()
    found = await peer.client.get_task(GetTaskRequest(id=task.spec.id))
    assert (found.context_id, found.artifacts[0].parts[0].text) == ("talks", "3 words")
    again = await peer.send("three little words", message_id="m1", context_id="talks")
    assert last(again).state == TaskState.TASK_STATE_COMPLETED
    assert len(fleet.coordinator.state.tasks) == 1, "a message that is sent twice is one task"
    listed = await peer.client.list_tasks(ListTasksRequest(page_size=10, status=TaskState.TASK_STATE_COMPLETED))
    assert [one.id for one in listed.tasks] == [task.spec.id]


async def test_a_question_is_input_that_is_required_and_a_message_answers_it(peer: Peer, fleet: FleetManager) -> None:  # noqa: F811
    asked = last(await peer.send("write it down"))
    assert asked.state == TaskState.TASK_STATE_INPUT_REQUIRED
    assert asked.message.parts[1].data.struct_value.fields["tool"].string_value == "Write"
    [task] = fleet.coordinator.state.tasks.values()
    done = last(await peer.send("allow", task_id=task.spec.id))
    assert done.state == TaskState.TASK_STATE_COMPLETED
    refused = await peer.call("SendMessage", {"message": {"messageId": "late", "taskId": task.spec.id, "parts": [{"text": "more"}]}})
    assert (refused["error"]["code"], "asks nothing" in refused["error"]["message"]) == (-32004, True)


async def test_a_task_is_cancelled_once(peer: Peer, fleet: FleetManager) -> None:  # noqa: F811
    await peer.send("write it down")
    [task] = fleet.coordinator.state.tasks.values()
    await peer.client.cancel_task(CancelTaskRequest(id=task.spec.id))
    await until(lambda: task.state == "cancelled")
    with pytest.raises(A2AError):
        await peer.client.cancel_task(CancelTaskRequest(id=task.spec.id))


async def test_a_client_that_leaves_leaves_the_task_alone(peer: Peer, fleet: FleetManager) -> None:  # noqa: F811
    leaving = asyncio.ensure_future(peer.send("write it down"))
    await until(lambda: bool(fleet.coordinator.state.tasks))
    leaving.cancel()
    await until(lambda: bool(fleet.coordinator.state.asking))
    [task] = fleet.coordinator.state.tasks.values()
    assert str(task.state) == "needs_input"


async def test_a_stream_says_that_it_is_under_way(fleet: FleetManager, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    monkeypatch.setattr(a2a, "ALIVE_EVERY_S", 0.01)
    await fleet.operator().execute([PausePool("plain")])
    body = {"jsonrpc": "2.0", "id": 7, "method": "SendStreamingMessage", "params": {"message": {"messageId": "m", "parts": [{"text": "x"}]}}}
    async with (
        httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(uds=str(tmp_path / "s")), timeout=60) as http,
        http.stream("POST", "http://engine/a2a/plain", json=body, headers={"A2A-Version": "1.0"}) as stream,
    ):
        lines = stream.aiter_lines()
        assert "TASK_STATE_SUBMITTED" in await anext(lines)
        while not (await anext(lines)).startswith(":"):
            pass


async def test_the_card_says_who_it_is_and_nonsense_is_refused_by_number(peer: Peer) -> None:
    card = (await peer.http.get(f"{peer.url}/.well-known/agent-card.json")).json()
    assert (card["name"], card["supportedInterfaces"][0]["url"], card["capabilities"]["streaming"]) == ("talk", peer.url, True)
    assert (await peer.http.get(peer.url.replace("talk", "tolk") + "/.well-known/agent-card.json")).status_code == 404
    assert (await peer.http.get(f"{peer.url}/.well-known/agent-card.json", headers={"Authorization": "Bearer x"})).status_code == 403
    numbers = {
        "GetTask": (-32001, {"id": "tsk_x"}), "CancelTask": (-32602, {}), "SendMessage": (-32602, {"message": {"messageId": "m", "parts": [{"raw": "eA=="}]}}),
        "ListTasks": (-32602, {"pageSize": 0}), "CreateTaskPushNotificationConfig": (-32003, {}), "message/send": (-32601, {}), "GetExtendedAgentCard": (-32004, {}),
    }  # fmt: skip
    for method, (number, params) in numbers.items():
        answer = await peer.call(method, params)
        assert answer["error"]["code"] == number, (method, answer)
    assert (await peer.call("GetTask", {"id": "x"}, **{"A2A-Version": "0.3"}))["error"]["code"] == -32009
    for body, number in ((b"[", -32700), (b"[]", -32600), (json.dumps({"jsonrpc": "1.0"}).encode(), -32600)):
        assert (await peer.http.post(peer.url, content=body, headers={"A2A-Version": "1.0"})).json()["error"]["code"] == number
