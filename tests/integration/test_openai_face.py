"""Pools as models, by the real client of OpenAI's API over the engine's loopback port."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import openai
import pytest
import pytest_asyncio
from engine import FleetManager
from engine.api import chat
from engine.model.errors import UsageError
from engine.model.question_commands import AnswerTask
from engine.model.tasks import Task, TaskState

from tests.integration.ports import free_port
from tests.integration.sessions import sample
from tests.integration.test_scaling_library import until


@pytest_asyncio.fixture
async def fleet(tmp_path: Path) -> AsyncIterator[FleetManager]:
    (tmp_path / "agent.py").write_text(sample("python"))
    (tmp_path / "state").mkdir()
    talk = {"kind": "session", "min": 1, "max": 1, "session": {"argv": [sys.executable, "agent.py"]}}
    config = {"fleet": {"default_pools": {"talk": talk, "plain": {"min": 1, "max": 1}}}, "booster": {"enabled": False}, "access": {"port": free_port()}}
    async with FleetManager(config, directory=tmp_path, state_dir=tmp_path / "state", socket=tmp_path / "s") as found:
        yield found


@pytest_asyncio.fixture
async def client(fleet: FleetManager, tmp_path: Path) -> AsyncIterator[openai.AsyncOpenAI]:
    token = (tmp_path / "state" / "api.token").read_text().strip()
    url = f"http://127.0.0.1:{fleet.config.access.port}{chat.PREFIX}"
    async with openai.AsyncOpenAI(base_url=url, api_key=token, max_retries=0) as found:
        yield found


def tasks(fleet: FleetManager) -> list[Task]:
    return list(fleet.coordinator.state.tasks.values())


def user(text: str) -> list[Any]:
    return [{"role": "user", "content": text}]


async def test_a_pool_answers_as_a_model_with_its_usage(fleet: FleetManager, client: openai.AsyncOpenAI) -> None:
    assert [model.id async for model in client.models.list()] == ["pool:talk", "pool:plain"]
    tools: Any = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}]
    done = await client.chat.completions.create(model="pool:talk", messages=user("three little words"), temperature=0.3, tools=tools)
    assert done.choices[0].message.content == "3 words"
    assert done.usage is not None
    assert done.usage.prompt_tokens == len("three little words")
    [task] = tasks(fleet)
    assert (done.id, task.spec.pool, task.spec.type, task.spec.title) == (task.spec.id, "talk", "ask", "three little words")
    echo = await client.chat.completions.create(model="pool:plain/noop", messages=user("x"))
    assert (echo.choices[0].message.content, echo.usage) == ("{}", None)


async def test_a_stream_ends_with_what_was_used(client: openai.AsyncOpenAI) -> None:
    stream = await client.chat.completions.create(model="pool:talk", messages=user("two words"), stream=True, stream_options={"include_usage": True})
    chunks = [chunk async for chunk in stream]
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "2 words"
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.prompt_tokens == len("two words")


async def test_a_question_on_the_way_is_the_operators(fleet: FleetManager, client: openai.AsyncOpenAI) -> None:
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(client.chat.completions.create(model="pool:talk", messages=user("write it down")))
        await until(lambda: bool(fleet.coordinator.state.asking))
        await fleet.operator().execute([AnswerTask(tasks(fleet)[0].spec.id, "allow")])
    assert waiting.result().choices[0].message.content == "3 words"


@pytest.mark.parametrize("is_streamed", [False, True])
async def test_a_client_that_leaves_has_its_task_cancelled(fleet: FleetManager, client: openai.AsyncOpenAI, *, is_streamed: bool) -> None:
    async def ask() -> None:
        found = await client.chat.completions.create(model="pool:talk", messages=user("write it down"), stream=is_streamed)
        if is_streamed:
            async for _ in found:  # type: ignore[union-attr]
                pass

    waiting = asyncio.ensure_future(ask())
    await until(lambda: bool(fleet.coordinator.state.asking))
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await client.close()
    await until(lambda: tasks(fleet)[0].state is TaskState.CANCELLED)


async def test_an_engine_that_ends_cancels_nothing(fleet: FleetManager, client: openai.AsyncOpenAI) -> None:
    waiting = asyncio.ensure_future(client.chat.completions.create(model="pool:talk", messages=user("write it down")))
    await until(lambda: bool(fleet.coordinator.state.asking))
    [task] = tasks(fleet)
    await fleet.shutdown()
    with pytest.raises((openai.InternalServerError, openai.APIConnectionError)):
        await waiting
    assert task.state is not TaskState.CANCELLED


async def test_errors_are_those_of_the_api(fleet: FleetManager, client: openai.AsyncOpenAI) -> None:
    ask = client.chat.completions.create
    with pytest.raises(openai.BadRequestError, match="model is pool:NAME"):
        await ask(model="gpt-5", messages=user("x"))
    with pytest.raises(openai.NotFoundError, match="no pool or agent type 'tolk'"):
        await ask(model="pool:tolk", messages=user("x"))
    for demand in ({"n": 2}, {"tool_choice": "required"}, {"response_format": {"type": "json_object"}}):
        with pytest.raises(openai.BadRequestError, match=f"{next(iter(demand))} is"):
            await ask(model="pool:talk", messages=user("x"), extra_body=demand)
    with pytest.raises(openai.BadRequestError, match="messages say nothing"):
        await ask(model="pool:talk", messages=user(" "))
    with pytest.raises(openai.InternalServerError, match="task_ended|failed|dead"):
        await ask(model="pool:plain/no.such.type", messages=user("x"))
    with pytest.raises(openai.NotFoundError, match="POST chat/completions"):
        await client.embeddings.create(model="pool:talk", input="x")
    with pytest.raises(openai.PermissionDeniedError):
        await client.with_options(api_key="wrong").models.list()
    same = [await ask(model="pool:talk", messages=user("once"), extra_headers={"Idempotency-Key": "k1"}) for _ in range(2)]
    assert same[0].id == same[1].id
    assert len([task for task in tasks(fleet) if task.spec.title == "once"]) == 1


def body(**fields: object) -> bytes:
    return json.dumps({"model": "pool:talk", "messages": user("x"), **fields}).encode()


def test_conversations_become_prompts() -> None:
    parts = [{"type": "text", "text": "look"}]
    asked = chat.decoded(body(messages=[{"role": "system", "content": "be brief"}, {"role": "user", "content": parts}, {"role": "assistant", "content": None}]))
    assert chat.prompt_of(asked.messages) == "system: be brief\n\nuser: look"
    assert chat.task_of(chat.decoded(body(model="pool:talk/code.review"))).type == "code.review"
    for wrong in (b"[", b"{}", body(messages=3), b"[" * 100_000, body(messages=[{"role": "user", "content": [{"type": "image_url"}]}])):
        with pytest.raises(UsageError):
            chat.task_of(chat.decoded(wrong))
    assert chat.text_of({"text": "a"}) == "a"
    assert chat.text_of({"b": 1}) == '{"b":1}'
    assert chat.usage_of({"cost": 1.0}) is None
