"""Figures and alerts by the seeds' topics: heard in the process, and by a plain client of a real Redis."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from engine import FleetManager, FleetMonitor
from engine.model.alert_commands import CreateRule
from engine.model.errors import UsageError
from engine.monitoring.topics import BACKLOG_MAX, Topic, Topics
from engine.simulation.loop import CountedIds

from tests.integration.redis_servers import one_server

WAIT_S = 60.0
BOTH = tuple(topic.value for topic in Topic)


async def hear(channel: Any, is_meant: Callable[[str, dict[str, Any]], bool]) -> dict[str, Any]:
    """Return the first message of a plain client's subscription that is meant."""
    async with asyncio.timeout(WAIT_S):
        while True:
            found = await channel.get_message(ignore_subscribe_messages=True, timeout=1.0)
            if found is not None and is_meant(found["channel"], message := json.loads(found["data"])):
                return message


@pytest.mark.row(121)
async def test_a_plain_client_of_redis_hears_figures_and_alerts_and_a_lost_server_costs_messages_alone(tmp_path: Path) -> None:
    async with one_server(tmp_path) as server, server.client() as client, client.pubsub() as channel:
        await channel.subscribe(*BOTH)
        config = {"fleet": {"default_pools": {"coder": {"min": 2, "max": 4}}}, "redis": {"url": server.url}}
        async with FleetManager(config, state_dir=tmp_path) as fleet, FleetMonitor(fleet=fleet).listen("performance:alerts") as listener:
            sample = await hear(channel, lambda topic, message: topic == Topic.METRICS and message["payload"]["pools"].get("coder", {}).get("agents") == 2)
            assert sample["type"] == "performance_metrics" and sample["id"].startswith("msg_") and sample["payload"]["fleet"]["engine_rss_mb"] > 1
            await fleet.operator().execute([CreateRule("staffed", "agents > 1", severity="critical")])
            alert = await hear(channel, lambda topic, message: topic == Topic.ALERTS and message["payload"]["state"] == "firing")
            assert (alert["priority"], alert["payload"]["rule"], alert["payload"]["labels"]) == ("critical", "staffed", {"pool": "coder"})
            async with asyncio.timeout(WAIT_S):
                heard = [message async for topic, message in _first(listener) if topic is Topic.ALERTS]
            assert heard[0].payload["rule"] == "staffed", "the same in the process"
            with pytest.raises(UsageError, match="did you mean 'performance:alerts'"):
                FleetMonitor(fleet=fleet).listen("performance:alert")
            await channel.aclose()
            server.kill()
            async with asyncio.timeout(WAIT_S):
                while not (health := fleet.status().redis) or not health.lost:
                    await asyncio.sleep(0.05)
            await server.start()
            async with client.pubsub() as again:
                await again.subscribe(Topic.METRICS.value)
                assert await hear(again, lambda topic, _message: topic == Topic.METRICS)


async def _first(listener: Any) -> Any:
    async for found in listener:
        yield found
        return


@pytest.mark.row(121)
async def test_a_slow_listener_loses_the_oldest_and_is_told_how_many() -> None:
    topics = Topics("fleet", CountedIds(), every_s=30.0)
    topics.sampled(1.0, {("agents", ""): 1.0})
    async with topics.listen(Topic.METRICS) as listener:
        for number in range(BACKLOG_MAX + 5):
            topics.sampled(30.0 * (number + 1), {("agents", ""): float(number)})
            topics.sampled(30.0 * (number + 1) + 1, {("agents", ""): -1.0})
        assert listener.dropped == 5
        async for topic, message in listener:
            assert topic is Topic.METRICS and message.payload == {"fleet": {"agents": 5.0}, "pools": {}}, "the oldest that is left; nobody heard the one before"
            break
