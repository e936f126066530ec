"""Hosts that join: real workers run a fleet's agents by Redis, and come, go and are lost."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest
from engine import FleetManager
from engine.agents.joined import messages
from engine.clock import SystemClock
from engine.model.agents import AgentStatus
from engine.model.errors import CommandRefused, JoinRefused, RedisAway
from engine.model.fleet_commands import UndoPlan
from engine.model.host_commands import CordonHost, DrainHost, UncordonHost
from engine.model.pool_commands import ScalePool
from engine.model.question_commands import AnswerTask
from engine.model.redis_config import RedisSection
from engine.model.task_commands import CancelTask, SubmitTask
from engine.model.tasks import Task, TaskState
from engine.model.verbs import Command
from engine.worker import Joining, run_worker
from fleet_tui.mock_model.script import Script, Turn
from fleet_tui.mock_model.server import MockModel

from tests.integration import hosted_booster
from tests.integration.engines import EngineProcess
from tests.integration.joined_workers import Reached, WorkerProcess, until, worker
from tests.integration.redis_servers import Server, one_server
from tests.integration.sessions import python
from tests.integration.test_a2a_pools import Sample, served

KEY = "Zq9" * 8
HANDLER = "tests.integration.light_handlers:describe"
ASKS = 'for turn, told in turns():\n    say(type="progress", id=turn, text="weighed both", ratio=0.5)\n    say(type="usage", id=turn, usage={"output_tokens": 7})\n    say(type="ask", id=turn, ask="1", text="Which?")\n    say(type="result", id=turn, text=hear()["text"])\n'
WAITS = 'echo begun; echo $$ > "$FLEET_TASK_ID.pid"; while [ ! -e "$FLEET_TASK_ID.go" ]; do sleep 0.05; done; printf %9999s; echo done'
"""Tells its pid, waits for a file, and prints more than fits a result."""
POOLS: dict[str, Any] = {
    "light": {"min": 1, "max": 8, "handler": HANDLER, "hosts": "joined"},
    "program": {"kind": "command", "min": 1, "max": 8, "hosts": "joined", "command": {"argv": ["sh", "-c", WAITS]}},
    "asks": {"kind": "session", "min": 1, "max": 2, "hosts": "site=here", "session": {"argv": list(python(ASKS))}},
}


def config(server: Reached, **redis: object) -> dict[str, Any]:
    return {"fleet": {"default_pools": POOLS}, "redis": {"url": server.url, "share": True, "lease_s": 4, **redis}}


def far_pool(url: str) -> dict[str, Any]:
    return {"kind": "a2a", "min": 1, "max": 2, "hosts": "joined", "a2a": {"url": url, "token_env": "FAR_TOKEN", "poll_s": 0.05}}


@contextlib.asynccontextmanager
async def fleet(server: Reached, root: Path, model: MockModel | None = None, *, far: str = "", **redis: object) -> AsyncIterator[FleetManager]:
    (root / "state").mkdir(parents=True, exist_ok=True)
    wanted = config(server, **redis)
    if model is not None:
        asked = {"base_url": f"{model.url}/v1", "model": "mock-model", "key_env": "MODEL_API_KEY"}
        wanted["fleet"]["default_pools"] = {**POOLS, "model": {"kind": "openai", "min": 1, "max": 2, "hosts": "joined", "openai": asked}}
    if far:
        wanted["fleet"]["default_pools"] = {**wanted["fleet"]["default_pools"], "far": far_pool(far)}
        wanted["booster"] = hosted_booster.SETTINGS
    async with FleetManager(wanted, directory=root, state_dir=root / "state", socket=root / "s") as made:
        yield made
        made.coordinator.check()


async def do(one: FleetManager, *commands: Command) -> list[Any]:
    return list((await one.operator().execute(list(commands))).values)


def task(one: FleetManager, id_: str) -> Task:
    return one.coordinator.state.tasks[id_]  # type: ignore[index]


def ended(one: FleetManager, *ids: str) -> Callable[[], bool]:
    return lambda: all(task(one, id_).state is TaskState.SUCCEEDED for id_ in ids)


def hosts_of(one: FleetManager, pool: str) -> list[str]:
    return sorted(str(agent.host) for agent in one.coordinator.state.agents_in(pool))


async def begun(one: FleetManager, where: WorkerProcess, id_: str) -> int:
    """Wait until the program of a task runs on a worker; return its pid."""
    file = where.directory / f"{id_}.pid"
    await until(lambda: file.exists() and file.read_text().strip() and task(one, id_).state is TaskState.RUNNING)
    return int(file.read_text())


async def handed_over(one: FleetManager, agent: Sample) -> str:
    """Return a task that somebody else's agent works at, which the fleet knows."""
    (id_,) = await do(one, SubmitTask("ask", "far", prompt="wait"))
    await until(lambda: agent.asked == ["wait"] and task(one, id_).remote_task)
    return str(id_)


async def gone_on_with(one: FleetManager, agent: Sample, id_: str) -> None:
    agent.go.set()
    await until(ended(one, id_))
    assert (task(one, id_).attempt, agent.asked) == (2, ["wait"]), "the other host goes on with what was handed over"


def let_go(where: WorkerProcess, id_: str) -> None:
    (where.directory / f"{id_}.go").touch()


async def asks_a_model(one: FleetManager) -> None:
    (asked,) = await do(one, SubmitTask("ask", "model", prompt="hello"))
    await until(ended(one, asked))
    assert (task(one, asked).result["text"], task(one, asked).usage["output_tokens"]) == ("said there", 2)
    assert "key MODEL_API_KEY" in str(await one.operator().query("explain", kind="hosts", id="a"))
    assert KEY not in str(await one.journal.records(limit=10_000)), "keys stay where they are"


async def asks_an_operator(one: FleetManager) -> None:
    (asks,) = await do(one, SubmitTask("x", "asks"))
    await until(lambda: task(one, asks).state is TaskState.NEEDS_INPUT)
    await comes(lambda: said_of(one, asks), ("weighed both", 0.5, "a"))
    await until(lambda: task(one, asks).spent.get("tokens") == 7)
    await do(one, AnswerTask(asks, "that one"))
    await until(ended(one, asks))
    assert task(one, asks).result["text"] == "that one"


async def does_what_others_ask_for(one: FleetManager, root: Path, where: WorkerProcess) -> None:
    await asks_a_model(one)
    await asks_an_operator(one)
    await hosted_booster.edits_and_counts(one, root, where)


async def said_of(one: FleetManager, id_: str) -> tuple[object, ...]:
    found = await one.operator().query("task", id=id_)
    assert isinstance(found, dict)
    progress = found["progress"] or {}
    return progress.get("text"), progress.get("ratio"), found["machine"]


async def comes(ask: Callable[[], Awaitable[object]], wanted: object) -> None:
    """Wait for an answer: a host on a slow machine may be late with it, and is then said to be."""
    async with asyncio.timeout(60):
        while await ask() != wanted:
            await asyncio.sleep(0.05)


async def log_of(one: FleetManager, name: str, **more: object) -> tuple[str, str, str]:
    log = await one.operator().query("log", id=name, **more)
    assert isinstance(log, dict)
    return log["text"], log["host"], log["note"]


async def test_a_worker_runs_every_kind_of_agent_and_when_it_is_killed_another_one_does(tmp_path: Path) -> None:
    script = Script({"": [Turn(text="said there", input_tokens=3, output_tokens=2)]})
    agent = Sample()
    async with MockModel(script, clock=SystemClock()) as model, served(agent) as (far, _), one_server(tmp_path) as server, fleet(server, tmp_path / "engine", model, far=far) as one:
        assert "none has joined" in one.coordinator.state.pools["light"].waits.text  # type: ignore[union-attr]
        async with worker(one, server, tmp_path, "a", "--label", "site=here", "--agents", "6", MODEL_API_KEY=KEY, FAR_TOKEN=KEY) as first:
            await until(lambda: [hosts_of(one, pool) for pool in (*POOLS, "model", "far", "booster")] == [["a"]] * 6)
            await does_what_others_ask_for(one, tmp_path, first)
            light, program, cancelled = await do(one, SubmitTask("echo", "light", payload={"n": 1}), *(SubmitTask("x", "program") for _ in range(2)))
            await begun(one, first, program)
            await comes(lambda: log_of(one, task(one, program).agent_name), ("begun\n", "a", ""))
            let_go(first, program)
            await until(ended(one, light, program))
            assert task(one, light).result["pid"] not in (os.getpid(), first.pid)
            await one.coordinator.settled()
            assert len((await one.journal.artifact(task(one, program).artifact)).data) > 9_999  # type: ignore[union-attr]
            pid = await begun(one, first, cancelled)
            await do(one, CancelTask(cancelled))
            await until(lambda: task(one, cancelled).state is TaskState.CANCELLED and not psutil.pid_exists(pid))
            (held,) = await do(one, SubmitTask("x", "program"))
            pid = await begun(one, first, held)
            handed, call = await handed_over(one, agent), await hosted_booster.held(one)
            async with worker(one, server, tmp_path, "b", "--kinds", "command,python,openai,a2a,booster", FAR_TOKEN=KEY) as second:
                first.kill()
                await until(lambda: not psutil.pid_exists(pid) and not first.marked())
                await begun(one, second, held)
                assert await log_of(one, cancelled) == ("", "a", "host a is gone; what was written there is in logs/ of its worker's state directory")
                await comes(lambda: log_of(one, held, after=1), ("egun\n", "b", ""))
                let_go(second, held)
                await until(ended(one, held))
                assert (task(one, held).attempt, "a" in one.coordinator.state.hosts) == (2, False)
                await until(lambda: [hosts_of(one, pool) for pool in POOLS] == [["b"], ["b"], []])
                assert "takes no agents of kind session" in one.coordinator.state.pools["asks"].waits.text  # type: ignore[union-attr]
                await gone_on_with(one, agent, handed)
                await hosted_booster.held_again(one, call, second)
                await until(lambda: "b has no MODEL_API_KEY in its worker's environment" in str(one.coordinator.state.pools["model"].waits))


async def test_a_host_is_cordoned_drained_and_opened_again(tmp_path: Path) -> None:
    async with one_server(tmp_path) as server, fleet(server, tmp_path / "engine") as one, worker(one, server, tmp_path, "a") as first:
        await until(lambda: hosts_of(one, "light") + hosts_of(one, "program") == ["a", "a"])
        async with worker(one, server, tmp_path, "b") as second:
            await do(one, CordonHost("a"))
            await do(one, ScalePool("light", "3"))
            await until(lambda: hosts_of(one, "light") == ["a", "b", "b"])
            await do(one, UncordonHost("a"))
            (held,) = await do(one, SubmitTask("x", "program"))
            await begun(one, first, held)
            answer = await one.operator().execute([DrainHost("a")])
            await until(lambda: hosts_of(one, "light") == ["b", "b", "b"])
            assert (hosts_of(one, "program"), task(one, held).state) == (["a"], TaskState.RUNNING)
            let_go(first, held)
            await until(lambda: hosts_of(one, "program") == ["b"] and one.coordinator.state.tasks[held].state is TaskState.SUCCEEDED)
            await one.operator().execute([UndoPlan(answer.plan)])
            assert one.coordinator.state.hosts["a"].cordon == "open"  # type: ignore[index]
            second.end()
            await until(lambda: hosts_of(one, "light") == ["a", "a", "a"] and hosts_of(one, "program") == ["a"])
            local = next(id_ for id_, host in one.coordinator.state.hosts.items() if host.info.joined is None)
            with contextlib.suppress(CommandRefused):
                await do(one, DrainHost(local))
                raise AssertionError("a process of the engine was drained")


async def test_a_host_keeps_what_ends_while_the_server_is_away_and_tells_it_once(tmp_path: Path) -> None:
    async with one_server(tmp_path, "--appendonly", "yes", "--appendfsync", "always") as server, fleet(server, tmp_path / "engine") as one, worker(one, server, tmp_path, "a") as first:
        await do(one, ScalePool("program", "2"))
        ids = await do(one, *(SubmitTask("x", "program") for _ in range(2)))
        pids = [await begun(one, first, id_) for id_ in ids]
        server.kill()
        let_go(first, ids[0])
        await until(lambda: not psutil.pid_exists(pids[0]))
        await until(lambda: one.redis is not None and not one.redis.is_up)
        await server.start()
        await until(ended(one, ids[0]))
        let_go(first, ids[1])
        await until(ended(one, ids[1]))
        assert [task(one, id_).attempt for id_ in ids] == [1, 1]
        assert not [record for record in await one.journal.records(limit=10_000) if record.event.type == "task.late"]


@pytest.mark.row(1, 2)
async def test_hosts_go_on_with_the_next_leader_and_nothing_runs_twice(tmp_path: Path) -> None:
    async with one_server(tmp_path) as server, contextlib.AsyncExitStack() as stack:
        (tmp_path / "x").mkdir()
        text = "\n".join(_toml(server))
        former = EngineProcess(tmp_path / "x", text)
        stack.callback(former.close)
        await asyncio.to_thread(former.start)
        one = await stack.enter_async_context(fleet(server, tmp_path / "engine"))
        first = await stack.enter_async_context(worker(one, server, tmp_path, "a"))
        await until(lambda: hosts_of(one, "program") == ["a"])
        held, follows = await do(one, SubmitTask("x", "program"), SubmitTask("x", "program"))
        await begun(one, first, held)
        former.kill()
        await until(lambda: one.turns is not None and one.turns.standing.leads)
        let_go(first, held)
        await until(ended(one, held))
        await begun(one, first, follows)
        let_go(first, follows)
        await until(ended(one, follows))
        assert [task(one, id_).attempt for id_ in (held, follows)] == [1, 1]


def _toml(server: Server) -> list[str]:
    return [
        "[fleet]", "default_pools = false", "[pools.program]", 'kind = "command"', "min = 1", "max = 8", 'hosts = "joined"',
        f"command = {{ argv = ['sh', '-c', '''{WAITS}'''] }}", "[redis]", f'url = "{server.url}"', "share = true", "lease_s = 4",
    ]  # fmt: skip


async def limited(server: Server) -> str:
    """Return the URL for a user who may do what docs/hosts.md says that a host needs, and nothing else."""
    page = (Path(__file__).parents[2] / "docs" / "hosts.md").read_text("utf-8")
    rights = page.split("an ACL user with", 1)[1].split("`")[1].split()
    async with server.client() as admin:
        await admin.execute_command("ACL", "SETUSER", "host", "reset", "on", ">secret", *rights)
    return server.url.replace("://", "://host:secret@")


async def test_a_host_that_was_silent_is_given_up_and_joins_again_without_doing_anything_twice(tmp_path: Path) -> None:
    async with contextlib.AsyncExitStack() as stack:
        server = await stack.enter_async_context(one_server(tmp_path))
        one = await stack.enter_async_context(fleet(server, tmp_path / "engine", host_silent_s=1.5))
        first = await stack.enter_async_context(worker(one, server, tmp_path, "a", "--pools", "program", "--join", await limited(server)))
        (held,) = await do(one, SubmitTask("x", "program"))
        pid = await begun(one, first, held)
        first.freeze()
        await until(lambda: "a" not in one.coordinator.state.hosts)
        assert task(one, held).state is TaskState.PENDING
        let_go(first, held)
        await until(lambda: not psutil.pid_exists(pid))
        first.resume()
        await until(ended(one, held))
        assert (task(one, held).attempt, hosts_of(one, "program")) == (2, ["a"])
        assert {agent.status for agent in one.coordinator.state.agents_in("program")} == {AgentStatus.IDLE}


async def refusal(root: Path, url: str, name: str) -> str:
    """Join in this process, in vain; return why."""
    (root / name).mkdir(exist_ok=True)
    section = RedisSection.model_validate({"url": url, "lazy_connect": False})
    with pytest.raises((JoinRefused, RedisAway)) as caught:
        await run_worker(Joining(section, name, root, root / name), asyncio.Event(), lambda _said: None)
    return str(caught.value)


async def test_a_worker_says_why_it_cannot_join(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.worker.JOIN_WITHIN_S", 1.5)
    async with one_server(tmp_path) as server:
        assert "no engine ever shared a fleet there; start one with `share = true`" in await refusal(tmp_path, server.url, "n")
        assert "cannot be reached at 127.0.0.1:1" in await refusal(tmp_path, "redis://127.0.0.1:1", "n")
        async with fleet(server, tmp_path / "engine") as one, worker(one, server, tmp_path, "a"):
            assert "the name 'a' is taken by process" in await refusal(tmp_path, server.url, "a")
            monkeypatch.setattr("engine.agents.joined.messages.write_from_host", partial(_as_version_9, messages.write_from_host))
            assert "it speaks version 9 of the hosts' protocol, this engine 3" in await refusal(tmp_path, server.url, "newer")


def _as_version_9(write: Callable[..., bytes], *words: Any) -> bytes:  # noqa: ANN401  # as it is called
    return msgspec.msgpack.encode(msgspec.structs.replace(messages.read_header(write(*words)), protocol=9))
