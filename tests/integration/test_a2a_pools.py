"""Pools of somebody else's agents: tasks handed over to a second engine, and to a server of the protocol's own SDK."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from a2a.helpers import new_task_from_user_message, new_text_message, new_text_part
from a2a.server.agent_execution import AgentExecutor, RequestContext
from a2a.server.events import EventQueue
from a2a.server.request_handlers import DefaultRequestHandler
from a2a.server.routes import create_agent_card_routes, create_jsonrpc_routes
from a2a.server.tasks import InMemoryTaskStore, TaskUpdater
from a2a.types import AgentCapabilities, AgentCard, AgentInterface, AgentSkill
from engine import FleetManager
from engine.api.a2a import PREFIX
from engine.model.agents import AgentStatus
from engine.model.question_commands import AnswerTask
from engine.model.task_commands import CancelTask, SubmitTask
from engine.model.tasks import Task, TaskState
from starlette.applications import Starlette

from tests.integration.test_openai_face import fleet  # noqa: F401  # a fixture
from tests.integration.test_scaling_library import until


def near(folder: Path, **pools: dict[str, Any]) -> FleetManager:
    """An engine whose pools hand their tasks over."""
    made = {name: {"kind": "a2a", "min": 1, "max": 1, "a2a": {"poll_s": 0.05, **one}} for name, one in pools.items()}
    return FleetManager({"fleet": {"default_pools": made}, "booster": {"enabled": False}}, state_dir=folder)


async def submit(engine: FleetManager, pool: str, prompt: str) -> Task:
    answer = await engine.operator().execute([SubmitTask("ask", pool, prompt=prompt, max_attempts=1)])
    return engine.coordinator.state.tasks[answer.values[0]]  # type: ignore[index]


def question(task: Task) -> Callable[[], bool]:
    return lambda: bool(task.questions)


async def test_a_task_is_done_asked_about_cancelled_and_found_again_at_another_engine(tmp_path: Path, fleet: FleetManager, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    monkeypatch.setenv("FAR_TOKEN", (tmp_path / "state" / "api.token").read_text().strip())
    place, there = f"http://127.0.0.1:{fleet.config.access.port}{PREFIX}", fleet.coordinator.state
    pools: dict[str, dict[str, Any]] = {
        # It is looked at because its stream says so, not because ten minutes are over.
        "far": {"url": f"{place}talk", "token_env": "FAR_TOKEN", "poll_s": 600}, "nowhere": {"url": f"{place}nobody", "token_env": "FAR_TOKEN"},
        "stranger": {"url": f"{place}talk"}, "keyless": {"url": place, "token_env": "NO_SUCH_KEY"}, "away": {"url": "http://127.0.0.1:9", "wait_max_s": 0.1},
    }  # fmt: skip
    (tmp_path / "near").mkdir()
    async with near(tmp_path / "near", **pools) as engine:
        done = await submit(engine, "far", "three little words")
        bad = {name: await submit(engine, name, "hello") for name in ("nowhere", "stranger", "away")}
        await until(lambda: bool(done.finished_at) and all(task.finished_at for task in bad.values()))
        assert (done.state, done.result["text"], done.usage["input_tokens"]) == (TaskState.SUCCEEDED, "3 words", 18), done.error
        assert {name: task.error.kind for name, task in bad.items() if task.error} == {"nowhere": "api_error", "stranger": "authentication", "away": "unreachable"}
        assert {agent.status for agent in engine.coordinator.state.agents.values() if agent.spec.pool == "keyless"} == {AgentStatus.FAILED}

        asks = await submit(engine, "far", "write it down")
        await until(question(asks))
        [ask] = [one.ask for one in asks.questions.values()]
        assert (ask.tool, ask.arguments, ask.diff) == ("Write", {"path": "notes.txt"}, "+it down")
        await engine.operator().execute([AnswerTask(asks.spec.id, "allow")])
        await until(lambda: asks.state is TaskState.SUCCEEDED)

        stopped = await submit(engine, "far", "write that")
        await until(question(stopped))
        await engine.operator().execute([CancelTask(stopped.spec.id)])
        await until(lambda: bool(stopped.finished_at))
        await until(lambda: [task.state for task in there.tasks.values()][-1] is TaskState.CANCELLED)

        left = await submit(engine, "far", "write all of it")
        await until(question(left))
        id_, handed = left.spec.id, len(there.tasks)
    async with near(tmp_path / "near", **pools) as engine:
        left = engine.coordinator.state.tasks[id_]
        await until(question(left))
        await engine.operator().execute([AnswerTask(id_, "allow")])
        await until(lambda: bool(left.finished_at))
        assert (left.state, len(there.tasks)) == (TaskState.SUCCEEDED, handed), "the next engine goes on with what was handed over"


class Sample(AgentExecutor):
    """An agent as the SDK has them: it wants to know a name, waits to be let go on, and rejects what it does not do."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.asked: list[str] = []
        self.cancelled: list[str] = []

    async def execute(self, context: RequestContext, event_queue: EventQueue) -> None:
        text = context.get_user_input()
        self.asked.append(text)
        task = context.current_task
        if task is None:
            assert context.message is not None
            task = new_task_from_user_message(context.message)
            await event_queue.enqueue_event(task)
        told = TaskUpdater(event_queue, task.id, task.context_id)
        if text == "no":
            await told.reject(new_text_message("not my work"))
        elif text == "greet":
            await told.requires_input(new_text_message("Whom?"))
        else:
            if text == "wait":
                await told.start_work()
                await self.go.wait()
            await told.add_artifact([new_text_part(f"hello {text}")], name="greeting")
            await told.complete()

    async def cancel(self, context: RequestContext, event_queue: EventQueue) -> None:
        assert context.task_id
        self.cancelled.append(context.task_id)
        assert context.context_id
        await TaskUpdater(event_queue, context.task_id, context.context_id).cancel()


class CutStreams:
    """What is before an agent of the SDK, and cuts streams of tasks after their first words."""

    def __init__(self, app: Starlette, cuts: int) -> None:
        self.app = app
        self.left = cuts

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        is_cut = False

        async def heard() -> Any:
            nonlocal is_cut
            message = await receive()
            is_cut = is_cut or b"SubscribeToTask" in message.get("body", b"")
            return message

        async def said(message: Any) -> None:
            await send(message)
            if is_cut and self.left and message.get("body"):
                self.left -= 1
                raise ConnectionResetError("cut")

        # A connection that ends within an answer is all that the other side sees of it.
        with contextlib.suppress(ConnectionResetError, BaseExceptionGroup):
            await self.app(scope, heard, said)


@asynccontextmanager
async def serving(app_at: Callable[[str], Any]) -> AsyncIterator[tuple[str, Any]]:
    """An application at a port, and its URL, which it is made with."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{found.getsockname()[1]}"
        app = app_at(url)
        server = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off"))
        server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
        async with asyncio.TaskGroup() as group:
            group.create_task(server.serve(sockets=[found]))
            try:
                yield url, app
            finally:
                server.should_exit = True


@asynccontextmanager
async def served(agent: Sample, *, streaming: bool = False, cuts: int = 0) -> AsyncIterator[tuple[str, CutStreams]]:
    """A server of the SDK."""

    def app_at(url: str) -> CutStreams:
        interface = AgentInterface(url=f"{url}/rpc", protocol_binding="JSONRPC", protocol_version="1.0")
        skill = AgentSkill(id="greet", name="greet", description="says hello", tags=["hello"])
        card = AgentCard(
            name="sample", description="a sample", version="1", supported_interfaces=[interface], capabilities=AgentCapabilities(streaming=streaming),
            default_input_modes=["text/plain"], default_output_modes=["text/plain"], skills=[skill],
        )  # fmt: skip
        handler = DefaultRequestHandler(agent, InMemoryTaskStore(), card)
        return CutStreams(Starlette(routes=[*create_agent_card_routes(card), *create_jsonrpc_routes(handler, "/rpc")]), cuts)

    async with serving(app_at) as found:
        yield found


async def test_an_agent_of_the_sdk_is_asked_answered_and_may_reject(tmp_path: Path) -> None:
    agent = Sample()
    async with served(agent) as (looked_at, _), served(agent, streaming=True, cuts=2) as (heard, cutting):
        pools = {"sample": {"url": f"{looked_at}/.well-known/agent-card.json"}, "heard": {"url": heard, "poll_s": 600}}
        async with near(tmp_path, **pools) as engine:
            for pool in pools:
                greeted = await submit(engine, pool, "greet")
                await until(question(greeted))
                assert [one.ask.text for one in greeted.questions.values()] == ["Whom?"]
                await engine.operator().execute([AnswerTask(greeted.spec.id, "Ada")])
                await until(lambda task=greeted: bool(task.finished_at))  # type: ignore[misc]
                assert (greeted.state, greeted.result["text"]) == (TaskState.SUCCEEDED, "hello Ada"), greeted.error
            rejected = await submit(engine, "sample", "no")
            waiting = await submit(engine, "heard", "wait")
            await until(lambda: bool(rejected.finished_at))
            assert rejected.error is not None
            assert (rejected.error.kind, rejected.error.message) == ("refused", "not my work")
            await until(lambda: not cutting.left)
            assert not waiting.finished_at
            let_go = await submit(engine, "sample", "wait")
            await until(lambda: bool(let_go.remote_task))
            assert engine._kinds is not None
            engine._kinds.others.let_go([(let_go.spec.id, 1)])
            await engine.operator().execute([CancelTask(let_go.spec.id)])
            await until(lambda: let_go.state is TaskState.CANCELLED)
            assert (agent.cancelled, let_go.remote_task != "") == ([], True), "another attempt goes on with it there"
            agent.go.set()
            await until(lambda: bool(waiting.finished_at))
            assert (waiting.state, waiting.result["text"]) == (TaskState.SUCCEEDED, "hello wait"), waiting.error
