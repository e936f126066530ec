"""Hosts that join an engine that is alone, by its own address: the same agents and logs as through Redis, and a new life of the engine."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest
from engine import FleetManager
from engine.model.errors import CommandRefused, FleetError, UsageError
from engine.model.question_commands import AnswerTask
from engine.model.task_commands import SubmitTask
from engine.model.tasks import TaskState
from engine.worker import Engine, Joining, run_worker

from tests.integration.joined_workers import until, worker
from tests.integration.ports import free_port
from tests.integration.redis_servers import one_server
from tests.integration.test_hosts import (
    POOLS,
    begun,
    comes,
    do,
    ended,
    hosts_of,
    let_go,
    log_of,
    task,
)


class Address(NamedTuple):
    """Where the engine answers."""

    url: str


@contextlib.asynccontextmanager
async def alone(root: Path, port: int, **more: object) -> AsyncIterator[FleetManager]:
    (root / "state").mkdir(parents=True, exist_ok=True)
    pools = {name: POOLS[name] for name in ("program", "asks")}
    wanted = {"fleet": {"default_pools": pools}, "booster": {"enabled": False}, "access": {"port": port}, **more}
    async with FleetManager(wanted, directory=root, state_dir=root / "state", socket=root / "s") as made:
        yield made
        made.coordinator.check()


async def test_a_worker_joins_an_engine_and_goes_on_with_its_next_life(tmp_path: Path) -> None:
    root, port = tmp_path / "engine", free_port()
    token, address = root / "state" / "api.token", Address(f"ws://127.0.0.1:{port}")
    async with contextlib.AsyncExitStack() as stack:
        async with alone(root, port) as one:
            first = await stack.enter_async_context(worker(one, address, tmp_path, "a", "--label", "site=here", "--token-file", str(token)))
            await until(lambda: [hosts_of(one, pool) for pool in ("program", "asks")] == [["a"], ["a"]])
            program, asks = await do(one, SubmitTask("x", "program"), SubmitTask("x", "asks"))
            await begun(one, first, program)
            await comes(lambda: log_of(one, program), ("begun\n", "a", ""))
            await until(lambda: task(one, asks).state is TaskState.NEEDS_INPUT)
            await do(one, AnswerTask(asks, "that one"))
            let_go(first, program)
            await until(ended(one, program, asks))
            await one.coordinator.settled()
            assert len((await one.journal.artifact(task(one, program).artifact)).data) > 9_999  # type: ignore[union-attr]
            (held,) = await do(one, SubmitTask("x", "program"))
            pid = await begun(one, first, held)
            (first.directory / f"{held}.pid").unlink()
        async with alone(root, port) as one:
            await until(lambda: not psutil.pid_exists(pid))
            await begun(one, first, held)
            let_go(first, held)
            await until(ended(one, held))
            assert (task(one, held).attempt, hosts_of(one, "program")) == (2, ["a"])


async def test_a_worker_is_told_why_it_cannot_join_an_engine(tmp_path: Path) -> None:
    port = free_port()
    address = f"ws://127.0.0.1:{port}"

    async def refusal(token: str) -> str:
        with pytest.raises(FleetError) as caught:
            await run_worker(Joining(Engine(address, token), "n", tmp_path, tmp_path), asyncio.Event(), lambda _said: None)
        return f"{caught.value.code}: {caught.value}"

    with pytest.raises(UsageError, match="is no address of an engine"):
        await run_worker(Joining(Engine("ws://[", ""), "n", tmp_path, tmp_path), asyncio.Event(), lambda _said: None)
    assert (await refusal("")).startswith("no_engine: nothing listens at ws://127.0.0.1")
    async with one_server(tmp_path) as server, alone(tmp_path / "engine", port, redis={"url": server.url, "share": True}):
        assert (await refusal("wrong")).startswith(CommandRefused.code)
        assert "join there, with `--join redis://" in await refusal((tmp_path / "engine" / "state" / "api.token").read_text().strip())
