"""The bus: batches to each subscriber, by type, bounded."""

from __future__ import annotations

from engine.bus.embedded import EmbeddedBus
from engine.model.events import Record
from engine.model.pool_events import PoolPaused, PoolScaled

ONE, TWO, THREE = (Record(n, 0.0, "", PoolScaled("coder", n)) for n in (1, 2, 3))
PAUSED = Record(4, 0.0, "", PoolPaused("coder", True))


async def test_each_subscriber_gets_what_gathered_as_one_batch() -> None:
    bus = EmbeddedBus()
    async with bus.subscribe() as first, bus.subscribe(frozenset({"pool.paused"})) as second:
        bus.publish([ONE, TWO])
        bus.publish([PAUSED])
        assert await anext(aiter(first)) == (ONE, TWO, PAUSED)
        assert await anext(aiter(second)) == (PAUSED,)
    assert bus.published == 3


async def test_slow_subscriber_loses_the_oldest_and_knows_how_many() -> None:
    bus = EmbeddedBus()
    async with bus.subscribe(backlog=2) as slow:
        bus.publish([ONE, TWO, THREE, PAUSED])
        assert await anext(aiter(slow)) == (THREE, PAUSED)
        assert slow.dropped == 2


async def test_nothing_comes_after_leaving() -> None:
    bus = EmbeddedBus()
    async with bus.subscribe() as left:
        pass
    bus.publish([ONE])
    assert left._waiting == type(left._waiting)()
    assert not bus._subscriptions
