"""The bus with groups: what it promises, the same in one process and on a real server."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from engine.bus.embedded_streams import EmbeddedStreams
from engine.bus.redis_streams import RedisStreams
from engine.bus.streams import BusMessage, Delivery, partition_of
from engine.clock import SystemClock
from engine.model.redis_config import BusSection, RedisSection
from engine.redis.link import RedisLink

from tests.integration.redis_servers import one_server

Make = Callable[..., Any]
LEASE_S = 1.0




@pytest.fixture(params=["embedded", "redis"])
async def make(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Make]:
    """Give what makes a bus with some settings."""
    clock = SystemClock()
    async with contextlib.AsyncExitStack() as stack:
        if request.param == "embedded":
            yield lambda **section: EmbeddedStreams(BusSection(**section), clock)
            return
        server = await stack.enter_async_context(one_server(tmp_path))
        link = RedisLink(RedisSection(url=server.url), tmp_path, clock, {})
        stack.push_async_callback(link.close)
        await link.open()
        yield lambda **section: RedisStreams(link, "local", BusSection(**section), clock)


def some(count: int, *, start: int = 1, keys: int = 5, source: str = "fleet") -> list[BusMessage]:
    return [BusMessage(source, number, f"tsk_{number % keys}", "task.started", 1.5, b'{"number": %d}' % number) for number in range(start, start + count)]


def by_key(found: Sequence[Delivery]) -> dict[str, list[int]]:
    order: dict[str, list[int]] = {}
    for delivery in found:
        order.setdefault(delivery.message.key, []).append(delivery.message.number)
    return order


async def all_of(consumer: Any, count: int) -> list[Delivery]:
    """Take and acknowledge until so many came."""
    found: list[Delivery] = []
    while len(found) < count:
        batch = await consumer.take(count=7, wait_s=60.0)
        await consumer.acknowledge(batch)
        found += batch
    return found


@pytest.mark.row(37, 108)
async def test_messages_are_there_once_though_sent_again_and_in_order_for_each_key(make: Make) -> None:
    bus, sent = make(partitions=4), some(40)
    assert await bus.publish(sent[:25], after=0) == 25
    assert await bus.publish(sent[:30], after=0) == 30
    assert await bus.publish(sent[20:], after=20) == 40
    assert await bus.publish(some(3, start=60), after=50) == 40, "what it goes on from is not there"
    async with bus.consumer("billing", "one") as consumer:
        found = await all_of(consumer, 40)
        assert by_key(found) == {f"tsk_{key}": [number for number in range(1, 41) if number % 5 == key] for key in range(5)}
        assert {delivery.message for delivery in found} == set(sent)
        assert all(delivery.partition == partition_of(delivery.message.key, 4) for delivery in found)
        assert await consumer.take() == []


async def test_each_group_gets_everything_and_what_all_acknowledged_is_removed(make: Make) -> None:
    bus = make(partitions=4)
    assert await bus.tidy() == 0, "nothing is there yet"
    await bus.publish(some(20, keys=2), after=0)  # and nothing in some partitions
    async with bus.consumer("billing", "one") as billing, bus.consumer("search", "one") as search:
        assert len(await all_of(billing, 20)) == 20
        assert await bus.tidy() == 0
        assert len(await all_of(search, 20)) == 20
        assert await bus.tidy() == 20


@pytest.mark.row(108)
async def test_consumers_of_a_group_share_the_partitions_and_one_takes_over_what_another_left(make: Make) -> None:
    """The one that is left gets it by time alone: nothing else is published."""
    bus = make(partitions=4)
    async with bus.consumer("billing", "one", lease_s=LEASE_S) as one, contextlib.AsyncExitStack() as stack:
        await one.take()
        other = await stack.enter_async_context(bus.consumer("billing", "other", lease_s=LEASE_S))
        assert await other.take() == []
        await one.take(wait_s=LEASE_S / 2)
        await bus.publish(some(40, keys=20), after=0)
        mine: list[Delivery] = []
        while not (theirs := await other.take(count=100, wait_s=0.1)):
            mine += (batch := await one.take(count=100))
            await one.acknowledge(batch)
        mine += (batch := await one.take(count=100))
        await one.acknowledge(batch)
        assert {delivery.partition for delivery in mine}.isdisjoint(delivery.partition for delivery in theirs)
        assert mine
        found = await all_of(one, 40 - len(mine))
        assert by_key(found) == by_key(sorted(found, key=lambda delivery: delivery.message.number))
        assert {delivery.message.number for delivery in [*mine, *found]} == set(range(1, 41))


async def test_many_are_told_taken_and_acknowledged_at_once(make: Make) -> None:
    bus, sent = make(partitions=1), some(2_500)
    assert await bus.publish(sent, after=0) == 2_500
    async with bus.consumer("billing", "one") as consumer:
        found = await consumer.take(count=10_000)
        assert [delivery.message for delivery in found] == sent
        await consumer.acknowledge(found)
        assert (await consumer.take(), await bus.tidy()) == ([], 2_500)


async def test_what_is_never_acknowledged_is_set_aside_and_the_rest_goes_on(make: Make) -> None:
    bus = make(partitions=1, deliveries_max=3)
    await bus.publish(some(3), after=0)
    async with bus.consumer("billing", "one") as consumer:
        handed = []
        for _ in range(3):
            batch = await consumer.take()
            handed.append([delivery.message.number for delivery in batch])
            await consumer.acknowledge([delivery for delivery in batch if delivery.message.number != 2])
        assert handed == [[1, 2, 3], [2], [2]]
        assert await consumer.take() == []
        [dead] = await bus.dead()
        assert (dead.group, dead.deliveries, dead.message) == ("billing", 3, some(3)[1])
        await bus.tidy()
        await bus.publish(some(1, start=4), after=3)
        assert [delivery.message.number for delivery in await consumer.take(wait_s=60.0)] == [4]


async def test_what_was_set_aside_is_told_again_to_its_group_alone_or_removed(make: Make) -> None:
    bus = make(partitions=2, deliveries_max=1)
    await bus.publish(some(20, keys=4), after=0)
    async with bus.consumer("billing", "one") as consumer, bus.consumer("search", "other") as other:
        assert len(await all_of(other, 20)) == 20
        batch = await consumer.take(count=40)
        await consumer.acknowledge([delivery for delivery in batch if delivery.message.number > 3])
        assert await consumer.take() == []
        dead = await bus.dead()
        assert {one.message.number: (one.group, one.consumer) for one in dead} == dict.fromkeys((1, 2, 3), ("billing", "one"))
        assert await bus.dead_extent() == (3, dead[0].id)
        assert await bus.dead(after=dead[0].id, limit=1) == [dead[1]]
        again = {one.id: one.message.key for one in dead if one.message.number != 3}
        assert set((await bus.replay(again | {"7-7": "tsk_1"})).told) == set(again)
        assert await other.take() == []
        told = await all_of(consumer, 2)
        assert {delivery.message.number: delivery.message.group for delivery in told} == {1: "billing", 2: "billing"}
        assert {delivery.message.again for delivery in told} == {1, 2}
        assert await bus.tidy() == 22, "the other group has passed over what was not for it"
        [left] = await bus.dead()
        assert (left.message.number, await bus.drop([left.id, "7-7"]), await bus.dead_extent()) == (3, 1, (0, ""))


async def test_what_lies_with_nobody_that_goes_on_is_set_aside_by_time(make: Make) -> None:
    bus = make(partitions=1, deliveries_max=1, idle_s=0.1)
    await bus.publish(some(1), after=0)
    async with bus.consumer("billing", "one") as consumer:
        assert len(await consumer.take()) == 1
    while not await bus.dead():
        await bus.tidy()
    assert await bus.tidy() == 0


async def test_a_full_partition_makes_the_source_wait_for_the_group_that_is_behind(make: Make) -> None:
    bus = make(partitions=1, entries_max=100)
    async with bus.consumer("billing", "one") as consumer:
        assert await bus.publish(some(130), after=0) == 100
        assert await bus.publish(some(30, start=101), after=100) == 100
        assert len(await all_of(consumer, 100)) == 100
        await bus.tidy()
        assert await bus.publish(some(30, start=101), after=100) == 130
        assert [delivery.message.number for delivery in await all_of(consumer, 30)] == list(range(101, 131))


@pytest.mark.parametrize("has_group", [True, False])
async def test_a_full_partition_drops_the_oldest_where_that_is_wanted_or_nobody_waits(make: Make, *, has_group: bool) -> None:
    bus = make(partitions=1, entries_max=100, when_full="drop" if has_group else "wait")
    async with contextlib.AsyncExitStack() as stack:
        if has_group:
            await stack.enter_async_context(bus.consumer("billing", "early"))
        assert await bus.publish(some(130), after=0) == 130
        consumer = await stack.enter_async_context(bus.consumer("billing", "one"))
        assert [delivery.message.number for delivery in await all_of(consumer, 100)] == list(range(31, 131))
