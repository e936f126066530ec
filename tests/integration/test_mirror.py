"""The seeds' channels and state keys in a real Redis, as a plain client finds them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from engine import FleetManager
from engine.gate.hearkening import VERBS
from engine.gate.seed_channels import CHANNELS, kind_of
from engine.gate.seed_keys import KINDS
from engine.model.consensus_commands import OpenProposal
from engine.model.data_commands import BackUpFleet
from engine.model.memory_commands import RememberEntry
from engine.model.pool_commands import EditPool, PausePool, ScalePool, UnpausePool
from engine.model.swarm_commands import CreateSwarm, GiveObjective, SendMessage
from engine.model.swarm_events import MessageSent
from engine.model.task_commands import SubmitTask
from engine.model.tasks import TaskState

from tests.integration.redis_servers import one_server, until

WAIT_S = 60.0
DOCS = Path(__file__).parents[2] / "docs" / "redis.md"
OTHERS = ("performance:metrics", "performance:alerts")


class Heard:
    """All that a plain client hears, by channel."""

    def __init__(self) -> None:
        self.messages: dict[str, list[dict[str, Any]]] = {}

    async def listen(self, channel: Any) -> None:
        async for found in channel.listen():
            if found["type"] == "pmessage":
                name = re.sub(r"^phase:[^:]+:", "phase:{phaseId}:", found["channel"])
                self.messages.setdefault(name, []).append(json.loads(found["data"]))

    async def hear(self, *channels: str) -> None:
        try:
            async with asyncio.timeout(WAIT_S):
                while not self.messages.keys() >= set(channels):
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise AssertionError(f"nothing on {set(channels) - self.messages.keys()}") from None


@contextlib.asynccontextmanager
async def hearing(client: Any) -> AsyncIterator[Heard]:
    heard = Heard()
    async with client.pubsub() as channel:
        await channel.psubscribe("*")
        task = asyncio.create_task(heard.listen(channel))
        yield heard
        task.cancel()
        await asyncio.wait([task])


async def use_all(fleet: FleetManager, tmp_path: Path) -> None:
    """Have every kind of thing happen that a channel tells of."""
    gate = fleet.operator()
    await gate.execute([SubmitTask("noop", "coder", title="first", payload={"api_key": "sk-not-to-be-seen-0123456789"}, priority=8)])
    await gate.execute([SubmitTask("noop", "coder", title="with token=not-to-be-seen-0123456789")])
    await gate.execute([PausePool("coder")])
    await gate.execute([UnpausePool("coder")])
    await gate.execute([ScalePool("coder", "4")])
    await gate.execute([EditPool("coder", {"max": 7})], reason="more room")
    await gate.execute([CreateSwarm("pair", ("coder",))])
    await gate.execute([SendMessage("pair", "greeting", payload={"text": "hello"})])
    await gate.execute([GiveObjective("pair", "ship it", work="noop", parts=("one",))])
    await gate.execute([OpenProposal("ship it?", ("coder",))])
    await gate.execute([RememberEntry("style", '"tabs"', level="public")])
    await gate.execute([RememberEntry("diary", '"mine"')])
    await gate.execute([BackUpFleet(str(tmp_path / "copy.db"))])


@pytest.mark.row(2, *range(109, 121), *range(122, 128))
async def test_every_channel_of_the_seeds_carries_what_happens_as_their_messages(tmp_path: Path) -> None:
    async with one_server(tmp_path) as server, server.client() as client, hearing(client) as heard:
        config = {"fleet": {"default_pools": {"coder": {"min": 2, "max": 6}}}, "redis": {"url": server.url}}
        async with FleetManager(config, state_dir=tmp_path) as fleet:
            await heard.hear("fleet:discovery")
            await use_all(fleet, tmp_path)
            state = fleet.coordinator.state
            async with asyncio.timeout(60):
                while not any(task.finished_at and task.spec.title == "first" for task in state.tasks.values()):  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
            host = next(iter(state.hosts.values()))
            os.kill(host.info.pid, signal.SIGKILL)
            await heard.hear(*CHANNELS)
        assert heard.messages.keys() - set(CHANNELS) <= {*OTHERS}, "no channel that the table does not have"
        for messages in heard.messages.values():
            for message in messages:
                assert message.keys() - {"target"} == {"id", "type", "source", "payload", "timestamp", "priority", "metadata"}
                assert message["metadata"]["version"] == "1.0.0" and isinstance(message["timestamp"], int) and message["timestamp"] > 1e12
        [one] = [found for found in heard.messages["agents:messages"] if found["payload"].get("objective") == "first"]
        assert (one["type"], one["priority"], one["payload"]["taskType"]) == ("task_assignment", "high", "noop") and one["target"].startswith("agt_")
        assert [found["payload"] for found in heard.messages["agents:messages"] if found["type"] == "greeting"] == [{"text": "hello"}]
        assert sorted(found["payload"]["key"] for found in heard.messages["memory:updates"]) == ["", "style"], "a private entry's key is nobody else's"
        assert "not-to-be-seen" not in json.dumps(heard.messages) and "tabs" not in json.dumps(heard.messages)


async def _json(client: Any, key: str) -> Any:
    found = await client.get(key)
    assert found is not None, f"there is no {key}"
    return json.loads(found)


@pytest.mark.row(2, *range(128, 133))
async def test_every_state_key_of_the_seeds_is_kept_and_written_again_after_the_server_lost_it(tmp_path: Path) -> None:
    async with one_server(tmp_path) as server, server.client() as client:
        config = {"fleet": {"default_pools": {"coder": {"min": 2, "max": 6}}}, "redis": {"url": server.url, "prefix": "mine:"}}
        async with FleetManager(config, state_dir=tmp_path) as fleet:
            await use_all(fleet, tmp_path)
            state = fleet.coordinator.state
            [swarm], task, agent = state.swarming.swarms, next(iter(state.tasks)), next(iter(state.agents))
            keys = {f"mine:{kind}:{id_}:{end}" for kind, id_ in (("swarm", swarm), ("task", task), ("agent", agent)) for end in KINDS[kind]}
            keys |= {f"mine:{name}" for name in ("fleet:state", "fleet:resources", "fleet:allocations", "performance:state", "performance:alerts")}

            async def done() -> bool:
                found = {key async for key in client.scan_iter("mine:*")}
                is_told = state.tasks[task].state is TaskState.SUCCEEDED and found >= keys and any(":metrics:" in key for key in found)
                return is_told and (await _json(client, f"mine:task:{task}:state"))["state"] == "succeeded"

            await until(done, "all keys are there")
            assert all([0 < await client.ttl(key) <= 3_600 for key in keys]), "what a dead engine leaves goes by itself"

            async def brief() -> bool:
                return all([0 < await client.ttl(f"mine:task:{task}:{end}") <= 600 for end in KINDS["task"]])

            await until(brief, "keys of a task that has ended go sooner: of those there are ever more")
            assert (await _json(client, f"mine:swarm:{swarm}:state"))["topology"] and (await _json(client, f"mine:swarm:{swarm}:agents"))
            assert (await _json(client, f"mine:task:{task}:results"))["ok"] and (await _json(client, f"mine:task:{task}:config"))["payload"] == {"api_key": "[hidden]"}
            assert (await _json(client, "mine:fleet:state"))["name"] and "coder" in (await _json(client, "mine:fleet:resources"))["pools"]
            server.kill()
            await fleet.operator().execute([SubmitTask("noop", "coder")])
            await server.start()
            await until(done, "a server that comes back empty is told all again")
            await fleet.operator().execute([ScalePool("coder", "2")])

            async def gone() -> bool:
                left = {key.split(":")[2] async for key in client.scan_iter("mine:agent:*:state")}
                return left == set(state.agents) and len(left) == 2

            await until(gone, "the keys of agents that left are deleted")


def test_the_docs_have_the_tables_as_the_code_has_them() -> None:
    rows = dict(re.findall(r"^\| `([^`]+)` \| (`[^|]+) \|$", DOCS.read_text(), re.MULTILINE))
    assert {channel: rows.get(channel) for channel in CHANNELS} == {channel: " ".join(f"`{kind_of(event)}`" for event in events) for channel, events in CHANNELS.items()}
    asked = dict(re.findall(r"^\| on `([^`]+)` \| (`[^|]+) \|$", DOCS.read_text(), re.MULTILINE))
    assert asked == {channel: " ".join(f"`{verb.name}`" for verb in verbs) for channel, verbs in VERBS.items()}


@pytest.mark.row(126)
async def test_the_sample_client_of_the_docs_prints_what_it_hears(tmp_path: Path) -> None:
    [sample] = re.findall(r"```python\n(# hears.*?)```", DOCS.read_text(), re.DOTALL)
    async with one_server(tmp_path) as server, server.client() as client:
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", sample, server.url, stdout=asyncio.subprocess.PIPE)
        try:
            assert process.stdout is not None

            async def subscribed() -> bool:
                return dict(await client.pubsub_numsub("tasks:queue"))["tasks:queue"] == 1

            await until(subscribed, "the sample listens")
            config = {"fleet": {"default_pools": {"coder": {"min": 1, "max": 1}}}, "redis": {"url": server.url}}
            async with FleetManager(config, state_dir=tmp_path) as fleet, asyncio.timeout(WAIT_S):
                answer = await fleet.operator().execute([SubmitTask("noop", "coder", title="listen")])
                line = (await process.stdout.readline()).decode()
                assert str(answer.values[0]) in line and "listen" in line
        finally:
            process.kill()
            await process.wait()


def _asking(id_: str, type_: str, **payload: object) -> str:
    return json.dumps({"id": id_, "type": type_, "source": "planner", "payload": payload, "timestamp": 1_000.0, "priority": "normal", "metadata": {"version": "1.0.0", "sessionId": "s1"}})


async def _listens(client: Any) -> bool:
    return {int(count) for _name, count in await client.pubsub_numsub(*VERBS)} == {1}


@pytest.mark.row(126)
async def test_other_programs_ask_as_the_operator_that_is_named_once_a_message_and_no_further_than_its_role(tmp_path: Path) -> None:
    async with one_server(tmp_path) as server, server.client() as client:
        redis = {"url": server.url, "listen": True, "operator": "planner"}
        config = {"fleet": {"default_pools": {"coder": {"min": 1, "max": 1}}}, "operators": {"planner": {"role": "operator"}}, "redis": redis}
        async with FleetManager(config, state_dir=tmp_path) as fleet:
            await until(lambda: _listens(client), "the engine listens")
            state = fleet.coordinator.state
            for message in (
                "no JSON", _asking("m0", "task.unheard"), _asking("m1", "task.submit", type="noop", pool="coder"), _asking("m1", "task.submit", type="noop", pool="coder"),
                _asking("m2", "task.submit", type="noop", colour="red"), _asking("m3", "task.cancel", task="tsk_none"), _asking("m4", "task.submit", type="noop", pool="coder"),
            ):  # fmt: skip
                await client.publish("tasks:queue", message)

            async def all_taken() -> bool:
                return len(state.tasks) == 2

            await until(all_taken, "both tasks are there")
            mine = [entry for entry in state.audit if entry.via == "redis"]
            assert {entry.who for entry in mine} == {"planner"}
            assert [entry.reason.split()[1] for entry in mine] == ["m1", "m2", "m3", "m4"], "m1 is done once; what is refused is in the audit, too"
            assert [entry.result == "done" for entry in mine] == [True, False, False, True]
            server.kill()
            await server.start()
            await until(lambda: _listens(client), "the engine listens again")


@pytest.mark.row(126)
async def test_a_viewer_who_asks_is_refused_and_nobody_listens_unless_it_is_switched_on(tmp_path: Path) -> None:
    async with one_server(tmp_path) as server, server.client() as client:
        config: dict[str, Any] = {"fleet": {"default_pools": {"coder": {"min": 1, "max": 1}}}, "redis": {"url": server.url}}
        async with hearing(client) as heard, FleetManager(config):
            await heard.hear("fleet:discovery")
            assert not await _listens(client)
        config |= {"operators": {"planner": {"role": "viewer"}}, "redis": {**config["redis"], "listen": True, "operator": "planner"}}
        async with FleetManager(config, state_dir=tmp_path) as fleet:
            await until(lambda: _listens(client), "the engine listens")
            await client.publish("tasks:queue", _asking("m1", "task.submit", type="noop", pool="coder"))
            state = fleet.coordinator.state

            async def refused() -> bool:
                return any(entry.via == "redis" and entry.result != "done" for entry in state.audit)

            await until(refused, "the refusal is in the audit")
            assert not state.tasks


def test_no_agent_can_choose_what_is_heard() -> None:
    told = {kind_of(event) for channel in VERBS for event in CHANNELS[channel]}
    assert not told & {verb.name for verbs in VERBS.values() for verb in verbs}
    assert not any(MessageSent in CHANNELS[channel] for channel in VERBS), "the type of a swarm's message is its sender's"
