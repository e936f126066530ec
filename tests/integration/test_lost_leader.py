"""What another engine was asked for is done once, or nobody says that it is, when the leader is killed before it read it, while it does it, or before it answers."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import tomllib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from engine import FleetManager
from engine.model.channel_commands import RequeueNotifications, TestChannel
from engine.model.errors import CommandRefused, NotFound, Unanswered
from engine.model.fleet_commands import HaltFleet, UndoPlan
from engine.model.memory_commands import RememberEntry
from engine.model.plans import Answer
from engine.model.pool_commands import PausePool, ScalePool
from engine.model.task_commands import CancelTask, SubmitTask
from engine.model.tasks import TaskState
from engine.model.verbs import Command
from redis.asyncio import Redis

from tests.integration.engines import EngineProcess
from tests.integration.redis_servers import one_server
from tests.integration.redis_servers import until as wait_for
from tests.integration.test_turns import LEASE_S, member, turns, until

CONFIG = """
redis = {{url = "{url}", share = true, lease_s = {lease_s}}}
alerting.channels = [{{name = "hook", url = "json://127.0.0.1:{port}/", deadline_s = 60}}]
fleet.default_pools.coder = {{min = 2, max = 8, command.argv = ["true"]}}
fleet.default_pools.tester = {{min = 2, max = 8, command.argv = ["true"]}}
fleet.default_pools.idle = {{min = 2, max = 8, command.argv = ["true"]}}
"""
COMMANDS = "fleet:{local}:commands"


@contextlib.asynccontextmanager
async def deaf() -> AsyncIterator[tuple[int, list[asyncio.StreamWriter]]]:
    """Listen for notifications and never answer; give the port and who called."""
    calls: list[asyncio.StreamWriter] = []
    async with await asyncio.start_server(lambda _reader, writer: calls.append(writer), "127.0.0.1", 0) as listener:
        yield listener.sockets[0].getsockname()[1], calls
        for writer in calls:
            writer.close()


class Asked:
    """Verbs that are under way, by a name for each."""

    def __init__(self, standby: FleetManager, group: asyncio.TaskGroup) -> None:
        self._operator, self._group = standby.operator(), group
        self.outcomes: dict[str, asyncio.Task[Answer | Exception]] = {}

    def send(self, **verbs: Command | str) -> None:
        """Ask for verbs, and for plans by their ids, all at once."""
        for name, verb in verbs.items():
            self.outcomes[name] = self._group.create_task(self._ask(verb))

    async def _ask(self, verb: Command | str) -> Answer | Exception:
        try:
            return await self._operator.execute(verb if isinstance(verb, str) else [verb], confirm=verb.scope if isinstance(verb, HaltFleet) else "")
        except (CommandRefused, Unanswered) as error:
            return error

    async def done(self, name: str) -> Answer:
        """Return the answer to one that must be done."""
        answer = await self.outcomes[name]
        assert isinstance(answer, Answer), (name, answer)
        return answer


async def keep_from_answering(client: Redis, engine: str) -> str:
    """Have no answer reach an engine, as if every leader died before it gave one; return the key that does it."""
    answers = f"fleet:{{local}}:answers:{engine}"
    await client.delete(answers)
    await client.set(answers, "in the way")
    return answers


async def count_done(client: Redis) -> int:
    """Return how many calls have their answers in the journal."""
    return len([key async for key in client.scan_iter("fleet:{local}:done:*")])


class World(NamedTuple):
    """A leader that is a process of its own, and an engine that stands by."""

    client: Any
    """Of their server."""
    leader: EngineProcess
    standby: FleetManager
    calls: list[asyncio.StreamWriter]
    """Who called the receiver of notifications."""


@contextlib.asynccontextmanager
async def world(folder: Path) -> AsyncIterator[World]:
    (folder / "a").mkdir()
    async with one_server(folder) as server, server.client() as client, deaf() as (port, calls):
        leader = EngineProcess(folder / "a", CONFIG.format(url=server.url, lease_s=LEASE_S, port=port))
        try:
            await asyncio.to_thread(leader.start)
            both = {name: part for name, part in tomllib.loads((leader.directory / "fleet.toml").read_text()).items() if name != "redis"}
            async with member(server, folder / "b", more=both) as standby:
                assert not turns(standby).standing.leads
                yield World(client, leader, standby, calls)
        finally:
            leader.close()


async def lose_leader(world: World, asked: Asked, before: dict[str, Command | str], during: Command, after: dict[str, Command | str]) -> None:
    """Kill the leader when it has done some verbs and answered none, is at one, and has not read others."""
    in_the_way = await keep_from_answering(world.client, world.standby.engine_id)
    asked.send(**before)
    await wait_for(lambda: has(world.client, len(before)), "all of them are in the journal")
    asked.send(during=during)
    await until(lambda: world.calls)
    os.kill(world.leader.pid, signal.SIGSTOP)
    asked.send(**after)
    await wait_for(lambda: holds(world.client, len(asked.outcomes)), "all of them wait")
    world.leader.kill()
    await world.client.delete(in_the_way)


async def test_verbs_are_done_once_by_whoever_leads_when_the_leader_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.turns.ASK_WITHIN_S", 300.0)  # a loaded machine is slow to lead
    async with world(tmp_path) as found:
        operator = found.standby.operator()
        await operator.execute([PausePool("idle")])
        waits = str((await operator.execute([SubmitTask("echo", "idle", title="waits")])).values[0])
        planned, other, third = [(await operator.plan([verb])).id for verb in (ScalePool("coder", "4"), ScalePool("tester", "+1"), ScalePool("idle", "+2"))]
        scaled = await operator.execute([ScalePool("tester", "3")])
        done: dict[str, Command | str] = {"scale": planned, "submit": SubmitTask("echo", "idle", title="new"), "cancel": CancelTask(waits), "requeue": RequeueNotifications()}
        refused: dict[str, Command | str] = {"refused": ScalePool("coder", "99"), "changed": other}
        sent: dict[str, Command | str] = {"halt": HaltFleet("scaling"), "remember": RememberEntry("key", '"value"', version=0), "undo": UndoPlan(scaled.plan), "planned": third}
        async with asyncio.TaskGroup() as group:
            asked = Asked(found.standby, group)
            await lose_leader(found, asked, done | refused, TestChannel("hook"), sent)
            answers = {name: await asked.done(name) for name in done | sent}
            refusal, changed, unknown = [await asked.outcomes[name] for name in ("refused", "changed", "during")]
        state = found.standby.coordinator.state
        assert (state.pools["coder"].size, state.pools["idle"].size, state.pools["tester"].size) == (4, 4, 2)
        assert {id_: (task.spec.title, task.state) for id_, task in state.tasks.items()} == {
            waits: ("waits", TaskState.CANCELLED), answers["submit"].values[0]: ("new", TaskState.PENDING),
        }  # fmt: skip
        assert "coder" in answers["scale"].summary and answers["scale"].undo_until > 0, "as the leader would have said it"
        assert list(state.halted) == ["scaling"]
        assert isinstance(refusal, CommandRefused) and "99 is outside" in str(refusal)
        assert isinstance(changed, CommandRefused) and "tester was" in str(changed)
        assert isinstance(unknown, Unanswered) and "`fleet-tui get channels` shows how it is; whether it was done is not known" in str(unknown)
        assert len(found.calls) == 1, "no test was sent twice"
        with pytest.raises(NotFound, match=f"plan {planned} was carried out: scale coder 2 → 4; nothing was changed again"):
            await operator.execute(planned)


async def has(client: Redis, count: int) -> bool:
    return await count_done(client) >= count


async def holds(client: Redis, count: int) -> bool:
    return bool(await client.xlen(COMMANDS) >= count)
